"""Rule tests tell what they expected, what they found, and where it is written."""

from __future__ import annotations

from pathlib import Path

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
