"""Names in rules that no record has."""

from __future__ import annotations

from pathlib import Path
from time import process_time

from improvement.rules.known_values import alike_values, unknown_values
from tests.improvement.rules.build import a_rule

KNOWN = {"customer": {"Acme", "Auto AG"}, "country": {"CH", "DE"}, "service": set[str]()}


def test_exact_names_and_patterns_are_held_against_the_records(tmp_path: Path) -> None:
    rule = a_rule(
        tmp_path,
        """
        where: {kind: incident, country: [CH, AT, (none)]}
        overrides:
          - {when: {customer: "Auto*"}, target: {max: 9%}}
          - {when: {customer: Acne}, target: {max: 8%}}
          - {when: {customer: "Zoo*"}, target: {max: 7%}}
          - {when: {service: Anything}, target: {max: 6%}}
        """,
    )
    assert [(error.what.partition("no record")[2], error.mend) for error in unknown_values([rule], KNOWN)] == [
        (" has the customer “Acne”.", "Did you mean Acme?"),
        (" has the customer “Zoo*”.", "Known: Acme, Auto AG."),
        (" has the country “AT”.", "Known: CH, DE."),
    ]


def test_a_while_is_held_against_the_records_too(tmp_path: Path) -> None:
    rule = a_rule(tmp_path, "while: [{metric: reopen_rate, where: {customer: Acne}, max: 5%}]")
    (error,) = unknown_values([rule], KNOWN)
    assert (error.what, error.mend) == ("sla, while: no record has the customer “Acne”.", "Did you mean Acme?")
    rule = a_rule(tmp_path, "where: {customer: Acne}\nwhile: [{metric: reopen_rate, max: 5%}]")
    assert len(unknown_values([rule], KNOWN)) == 1  # handed on, and told once


def test_values_that_look_alike_are_told_once(tmp_path: Path) -> None:
    rules = [a_rule(tmp_path), a_rule(tmp_path, rule_id="other")]
    known = {
        "customer": ["Müller", "Mu\u0308ller", "MÜLLER", "Muller", "Strasse 1", "Straße 1"],
        "country": ["CH", "DE"],
        "category": ["mail", "Mail"],  # no rule asks for it
    }
    first, second = alike_values(rules, known)
    assert first.what == (
        "“Mu\u0308ller” (Mu\\u0308ller) and “MÜLLER” and “Müller” look alike, but are 3 different values of customer "
        "to every rule."
    )
    assert second.what.startswith("“Strasse 1” and “Straße 1” look alike")
    assert "one name on the platform" in second.mend


def test_of_many_that_look_alike_some_are_told(tmp_path: Path) -> None:
    known = {"service": [name for index in range(30) for name in (f"mail {index}", f"Mail {index}")]}
    found = alike_values([a_rule(tmp_path)], known)
    assert len(found) == 11
    assert found[-1].what == "20 more values of service look like another one."


def test_of_many_unknown_names_some_are_told_and_the_others_counted(tmp_path: Path) -> None:
    listed = "".join(f"  - {{when: {{customer: customer {index}}}, target: {{max: 9%}}}}\n" for index in range(2000))
    rule = a_rule(tmp_path, "overrides:\n" + listed)
    known = {"customer": {f"The {index}th customer of all" for index in range(3000)}}
    begun = process_time()
    found = unknown_values([rule], known)
    assert process_time() - begun < 15
    assert len(found) == 51
    assert found[-1].what == "sla names 1,950 more values that no record has."
