"""Rule tests tell what they expected, what they found, and where it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from improvement.rules import check_paths, load_pack, run_tests
from tests.improvement.rules.build import a_file

RULE = """\
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: sla, title: Too many}
spec:
  metric: sla_breach_rate
  by: [customer]
  target: {max: 5%}
  trigger: {for: 2w, min_samples: 30}
---
apiVersion: regelkreis/v1
kind: RuleTest
rule: sla
tests:
  - name: two bad weeks
    given:
      - {weeks: 2026-W01..2026-W06, scope: {customer: Acme}, tickets: 40, breached: 1}
      - {weeks: 2026-W07..2026-W08, scope: {customer: Acme}, tickets: 40, breached: 8}
    expect:
"""


def expecting(folder: Path, line: str) -> Path:
    return a_file(folder, RULE + f"      - {line}\n")


def test_the_example_of_the_manual_holds(tmp_path: Path) -> None:
    text = RULE + "      - {as_of: 2026-W07, finding: pending}\n"
    text += "      - {as_of: 2026-W08, finding: firing, action: opened, value: 11.25%}\n"
    outcomes = run_tests(load_pack([a_file(tmp_path, text)]).tests)
    assert [outcome.is_met for outcome in outcomes] == [True, True]


def test_a_difference_is_shown_with_its_line(tmp_path: Path) -> None:
    path = expecting(tmp_path, "{as_of: 2026-W08, finding: ok, action: none, value: 12%}")
    (outcome,) = run_tests(load_pack([path]).tests)
    assert outcome.differences == {
        "finding": ("ok", "firing"),
        "action": ("none", "opened"),
        "value": ("12%", "11.25%"),
    }
    assert f"{path}:19:9" in outcome.sentence


def test_a_value_is_met_as_exactly_as_it_is_written(tmp_path: Path) -> None:
    for text, is_met in (("11%", True), ("11.3%", True), ("11.2%", True), ("11.4%", False), ("0.11", True)):
        (outcome,) = run_tests(load_pack([expecting(tmp_path, f"{{as_of: 2026-W08, value: {text}}}")]).tests)
        assert outcome.is_met is is_met, text


def test_mistakes_in_tests_are_told(tmp_path: Path) -> None:
    cases = {
        "{as_of: 2026-W54, finding: ok}": (19, 17, "is not an ISO week"),
        "{as_of: 2026-W08, finding: fires}": (19, 36, "“fires” is not allowed here"),
        "{as_of: 9999-W52, finding: ok}": (19, 17, "lies outside 1990 to 2100"),
        "{as_of: 2099-W01, finding: ok}": (19, 7, "more than ten years after"),
        "{as_of: 2026-W08}": (19, 9, "Nothing is expected"),
        "{as_of: 2026-W08, scope: {country: DE}, finding: ok}": (19, 35, "does not group by “country”"),
        "{as_of: 2026-W08, value: 0}": (19, 34, "a whole number says nothing of it"),
        "{as_of: 2026-W08, value: 1}": (19, 34, "a whole number says nothing of it"),
    }
    for line, expected in cases.items():
        found = check_paths([expecting(tmp_path, line)]).errors
        places = [(error.where.line, error.where.column, error.what) for error in found if error.where is not None]
        assert any(place[:2] == expected[:2] and expected[2] in place[2] for place in places), (line, places)
    given = {
        "breached: 8": ("breachd: 8", "is not given by “breachd”"),
        "W07..2026-W08": ("W06..2026-W08", "given twice"),
        "tickets: 40, breached: 8": ("tickets: 4, breached: 8", "more breached than tickets"),
        "rule: sla": ("rule: slaa", "no rule “slaa”"),
    }
    for old, (new, what) in given.items():
        text = (RULE + "      - {as_of: 2026-W08, finding: ok}\n").replace(old, new)
        errors = check_paths([a_file(tmp_path, text)]).errors
        assert any(what in error.what for error in errors), (new, errors)


def test_of_two_scopes_the_meant_one_must_be_named(tmp_path: Path) -> None:
    text = (RULE + "      - {as_of: 2026-W08, finding: ok}\n").replace(
        "W07..2026-W08, scope: {customer: Acme}", "W07..2026-W08, scope: {customer: Zeta}"
    )
    (error,) = check_paths([a_file(tmp_path, text)]).errors
    assert "Which of the 2 scopes" in error.what


def refused(folder: Path, text: str) -> list[str]:
    """The errors of a file, without its name."""
    path = a_file(folder, text)
    return [str(error).removeprefix(f"{path}:") for error in check_paths([path]).errors]


@pytest.mark.parametrize("expected", ["action: none", "finding: no data", "finding: ok", "value: 5%"])
def test_a_scope_that_nothing_is_given_for_is_refused(tmp_path: Path, expected: str) -> None:
    text = RULE + f"      - {{as_of: 2026-W08, scope: {{customer: Acne}}, {expected}}}\n"
    assert refused(tmp_path, text) == [
        "19:45, tests[0].expect[0].scope.customer: No given names the customer “Acne”: there is nothing to be found. "
        "Did you mean Acme?"
    ]


def test_a_scope_of_names_that_are_given_apart_is_refused(tmp_path: Path) -> None:
    text = RULE.replace("by: [customer]", "by: [customer, country]").replace(
        "{customer: Acme}", "{customer: Acme, country: DE}"
    )
    text = text.replace("W07..2026-W08, scope: {customer: Acme", "W07..2026-W08, scope: {customer: Bolt").replace(
        "Bolt, country: DE", "Bolt, country: CH"
    )
    text += "      - {as_of: 2026-W08, scope: {customer: Bolt, country: DE}, action: none}\n"
    assert refused(tmp_path, text) == [
        "19:34, tests[0].expect[0].scope: No given names this scope: there is nothing to be found. "
        "Given are: country=CH,customer=Bolt; country=DE,customer=Acme."
    ]


def test_two_tests_of_a_rule_with_one_name_are_refused_in_whichever_file_they_stand(tmp_path: Path) -> None:
    text = RULE + "      - {as_of: 2026-W08, finding: firing}\n"
    again = text.partition("---\n")[2]
    one, other = a_file(tmp_path, text), a_file(tmp_path, again, name="z.yaml")
    told = f"sla has a test “two bad weeks” already, at {one}:14:11, tests[0].name. Choose another name."
    assert [str(error) for error in check_paths([tmp_path]).errors] == [f"{other}:5:11, tests[0].name: {told}"]
    other.write_text(again.replace("two bad weeks", "two more"))
    assert check_paths([tmp_path]).errors == ()
    a_file(tmp_path, text + "---\n" + again)
    (error,) = check_paths([one]).errors
    assert str(error).startswith(f"{one}:25:11, tests[0].name: sla has a test “two bad weeks” already")


def test_that_a_rule_which_only_observes_opens_nothing_is_no_test(tmp_path: Path) -> None:
    for said, is_refused in (("action: none", True), ("action: none, finding: firing", False)):
        path = expecting(tmp_path, f"{{as_of: 2026-W08, {said}}}")
        path.write_text(path.read_text().replace("spec:\n", "spec:\n  mode: observe\n"))
        found = [str(error) for error in check_paths([path]).errors]
        assert [": sla only observes: it never opens an action" in text for text in found] == [True] * is_refused
        assert all(text.startswith(f"{path}:20:35, tests[0].expect[0].action") for text in found)
    assert check_paths([expecting(tmp_path, "{as_of: 2026-W08, action: none}")]).errors == ()


def test_weeks_that_the_rule_would_never_see_are_refused(tmp_path: Path) -> None:
    text = RULE.replace("by: [customer]", "where: {customer: [Acne, Bolt]}\n  by: [customer]")
    text += "      - {as_of: 2026-W08, finding: firing}\n"
    first, second = refused(tmp_path, text)
    assert first == (
        "17:55, tests[0].given[0].scope.customer: sla_breach_rate is counted only where customer is Acne or Bolt: live "
        "nothing is seen of this. Did you mean Acne?"
    )
    assert second.startswith("18:55, tests[0].given[1].scope.customer: ")


def test_a_week_in_which_the_rule_does_not_look_is_refused(tmp_path: Path) -> None:
    text = RULE.replace("by: [customer]", "every: 2w\n  by: [customer]")
    assert refused(tmp_path, text + "      - {as_of: 2026-W08, finding: ok}\n") == [
        "20:17, tests[0].expect[0].as_of: The rule looks every 2 weeks, and not in 2026-W08. "
        "Did you mean 2026-W07 or 2026-W09?"
    ]
    assert refused(tmp_path, text + "      - {as_of: 2026-W07, finding: ok}\n") == []


def test_weeks_before_a_scope_is_given_are_refused(tmp_path: Path) -> None:
    text = RULE.replace("W07..2026-W08, scope: {customer: Acme", "W07..2026-W08, scope: {customer: Bolt")
    assert refused(tmp_path, text + "      - {as_of: 2026-W06, scope: {customer: Bolt}, finding: no data}\n") == [
        "19:17, tests[0].expect[0].as_of: Before 2026-W07 nothing is given for this scope: there can only be no data. "
        "Move it, or give weeks before it."
    ]
    silent = "      - {as_of: 2026-W12, scope: {customer: Acme}, finding: no data}\n"
    assert refused(tmp_path, text + silent) == []  # it fell silent


WATERMELON = """\
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: melon, title: Melon}
spec:
  metric: csat_mean
  by: [customer]
  target: {min: 3.8}
  while: [{metric: sla_breach_rate, where: {sla.agreement: sla}, max: 5%}]
---
apiVersion: regelkreis/v1
kind: RuleTest
rule: melon
tests:
  - name: kept agreements, unhappy customers
    given:
      - {weeks: 2026-W01..2026-W06, scope: {customer: Acme}, responses: 20, score: 3}
"""


def test_what_needs_another_metric_asks_for_it(tmp_path: Path) -> None:
    none = "    expect:\n      - {as_of: 2026-W06, action: none}\n"
    assert refused(tmp_path, WATERMELON + none) == [
        "18:35, tests[0].expect[0].action: Of sla_breach_rate nothing is given up to 2026-W06: without it no action "
        "can be opened. Give weeks of it, or add finding: no data if that is meant."
    ]
    assert refused(tmp_path, WATERMELON + none.replace("action: none", "action: none, finding: no data")) == []
    other = "      - {weeks: 2026-W01..2026-W06, scope: {customer: Acme}, metric: sla_breach_rate, "
    other += "tickets: 9, breached: 9}\n"
    assert refused(tmp_path, WATERMELON + other + none) == []
    misspelt = other.replace("Acme", "Acne")
    assert refused(tmp_path, WATERMELON + misspelt + none) == [
        "17:44, tests[0].given[1].scope: Of csat_mean nothing is given for this scope: sla_breach_rate alone says "
        "nothing. Given are: customer=Acme."
    ]


def test_a_priority_that_no_record_has_is_refused(tmp_path: Path) -> None:
    text = RULE.replace("by: [customer]", "by: [priority]").replace("{customer: Acme}", "{priority: P1}")
    errors = refused(tmp_path, text + "      - {as_of: 2026-W08, finding: firing}\n")
    assert all("A priority is a whole number" in error for error in errors[:2])
    assert refused(tmp_path, text.replace("P1", "1") + "      - {as_of: 2026-W08, finding: firing}\n") == []


def test_a_scope_that_lacks_a_dimension_is_told_once(tmp_path: Path) -> None:
    text = RULE.replace("by: [customer]", "by: [customer, country]") + "      - {as_of: 2026-W08, finding: ok}\n"
    errors = refused(tmp_path, text)
    assert len(errors) == 2  # each given
    assert all("The scope lacks country" in error for error in errors)


@pytest.mark.parametrize(
    ("metric", "given", "what"),
    [
        ("availability", "services: 10, available: 99.5", "99.5 lies outside 0 and 1"),
        ("csat_mean", "responses: 40, score: 45", "45 lies outside 1 and 5"),
        ("nps", "responses: 40, score: 30", "30 lies outside -1 and 1"),
        ("mood_index", "mood: 120", "120 lies outside 0 and 100"),
        ("time_to_resolve", "tickets: 40, hours: 500", "500 lies outside 0 and 336"),
        ("escalation_rate", "tickets: 40, rate: 1.5", ""),
        ("csat_mean", "responses: 40, score: 4.5", ""),
        ("incident_count", "tickets: 4000", ""),
    ],
)
def test_weeks_no_scope_can_have_are_refused(tmp_path: Path, metric: str, given: str, what: str) -> None:
    target = "{worse_than_own: {by: 1%}}"
    text = RULE.replace("sla_breach_rate", metric).replace("{max: 5%}", target).replace(", min_samples: 30", "")
    text = text.replace("tickets: 40, breached: 1", given).replace("tickets: 40, breached: 8", given)
    errors = refused(tmp_path, text + "      - {as_of: 2026-W08, finding: ok}\n")
    assert [what in error for error in errors] == ([True, True] if what else []), errors


def test_no_action_for_want_of_a_past_is_no_success(tmp_path: Path) -> None:
    text = RULE.replace("{max: 5%}", "{worse_than_own: {by: 30%, reference: 26w}}")
    text = text.replace("2026-W01..2026-W06", "FIRST..2026-W06").replace("breached: 8", "breached: 1")
    none = "      - {as_of: 2026-W08, action: none}\n"
    short = text.replace("FIRST", "2026-W01")
    (outcome,) = run_tests(load_pack([a_file(tmp_path, short + none)]).tests)
    assert outcome.differences == {"action": ("none of a value that counts", "none, because of own past too short")}
    meant = none.replace("action: none", "action: none, finding: no data")
    (outcome,) = run_tests(load_pack([a_file(tmp_path, short + meant)]).tests)
    assert outcome.is_met
    (outcome,) = run_tests(load_pack([a_file(tmp_path, text.replace("FIRST", "2025-W01") + none)]).tests)
    assert outcome.is_met
