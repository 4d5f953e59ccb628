"""Names in rules that no record has."""

from __future__ import annotations

from pathlib import Path

from improvement.rules.known_values import unknown_values
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
