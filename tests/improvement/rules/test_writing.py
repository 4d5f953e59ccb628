"""A rule from a few answers is valid, says what was answered, and passes its own test: for every metric."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from improvement.errors import InputError
from improvement.metrics import CATALOGUE
from improvement.rules import Scope, check_paths, load_pack, run_tests
from improvement.rules.writing import DEFAULT_BY, Answers, asks_for_kind, default_samples, id_from, rule_text
from tests.improvement.rules.build import a_file

TARGETS = {
    "incident_count": ["80", "own 50%"],
    "major_incident_count": ["0.5", "2"],
    "time_to_respond": ["2h", "90min", "own 30%"],
    "time_to_resolve": ["40h", "2d", "300h", "own 25%"],
    "backlog_open": ["50", "own 150%"],
    "csat_mean": ["3.8", "4.8", "own 0.3"],
    "contact_gap": ["60d", "8w"],
    "backlog_age_p90": ["60d", "8w", "own 50%"],
    "problem_age_p90": ["180d", "26w"],
    "nps": ["0.2", "-0.2", "own 0.2"],
    "complaint_count": ["2", "own 50%"],
    "mood_index": ["60", "own 10%"],
}
SHARES = ["5%", "0.08", "90%", "own 30%"]
CASES = [(name, target) for name in CATALOGUE for target in TARGETS.get(name, SHARES)]


def some_answers(metric: str, target: str) -> Answers:
    chosen = CATALOGUE[metric]
    return Answers(
        rule_id="mine",
        title='Too many "late" ones: really',
        metric=chosen,
        by=tuple(name for name in DEFAULT_BY if name in chosen.where_keys),
        target=target,
        kind="incident" if asks_for_kind(chosen) else "",
        min_samples=default_samples(chosen),
    )


@pytest.mark.parametrize(("metric", "target"), CASES)
def test_the_rule_is_valid_and_its_test_passes(metric: str, target: str, tmp_path: Path) -> None:
    path = a_file(tmp_path, rule_text(some_answers(metric, target)))
    report = check_paths([path])
    assert [str(error) for error in report.errors] == []
    outcomes = run_tests(load_pack([path]).tests)
    assert [outcome.sentence for outcome in outcomes if not outcome.is_met] == []
    assert {outcome.found["finding"] for outcome in outcomes} == {"ok", "firing"}
    (rule,) = report.rules
    assert (rule.id, rule.title, rule.metric) == ("mine", 'Too many "late" ones: really', metric)


def test_every_metric_has_a_plausible_target_here() -> None:
    measured = {name for name, metric in CATALOGUE.items() if not metric.is_share}
    assert measured <= set(TARGETS)


def test_an_id_is_made_of_a_title() -> None:
    assert id_from("Zu viele Störungen (Mail)!") == "zu-viele-st-rungen-mail"
    assert id_from("…") == "my-rule"


def test_a_target_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="is not a number or a percentage"):
        rule_text(some_answers("reopen_rate", "a lot"))


@pytest.mark.parametrize(
    ("metric", "target", "most"),
    [
        ("csat_mean", "own 3000000%", "80%"),
        ("csat_mean", "own 4", "4"),
        ("availability", "own 100%", "100%"),
        ("reopen_rate", "own 1", "100%"),
    ],
)
def test_a_tolerance_that_no_value_can_leave_is_refused(metric: str, target: str, most: str) -> None:
    with pytest.raises(InputError, match="such a rule never fires") as refused:
        rule_text(some_answers(metric, target))
    assert str(refused.value).startswith(f"--target: No value of {metric} can be ")
    assert refused.value.mend == f"Stay below {most}."


@pytest.mark.parametrize(
    ("metric", "target"),
    [
        ("csat_mean", "own 79%"),
        ("csat_mean", "own 3.5"),
        ("availability", "own 90%"),
        ("reopen_rate", "own 400%"),
        ("reopen_rate", "own 0.8"),
        ("incident_count", "own 3000%"),
        ("nps", "own 150%"),
    ],
)
def test_a_wide_tolerance_within_the_range_is_tested_with_values_there_can_be(
    metric: str, target: str, tmp_path: Path
) -> None:
    outcomes = run_tests(load_pack([a_file(tmp_path, rule_text(some_answers(metric, target)))]).tests)
    assert [outcome.sentence for outcome in outcomes if not outcome.is_met] == []


@pytest.mark.parametrize(
    ("field", "given", "read"),
    [
        ("owner", "a: b\nx: y", "a: b x: y"),
        ("owner", "null", "null"),
        ("owner", "olga", "olga"),
        ("title", "Mail {really} late", "Mail {really} late"),
        ("title", "One { alone", "One { alone"),
        ("title", 'Tab\tand \\ "quotes"', 'Tab and \\ "quotes"'),
    ],
)
def test_what_somebody_answers_is_one_value_of_the_rule(field: str, given: str, read: str, tmp_path: Path) -> None:
    answers = replace(some_answers("reopen_rate", "5%"), **{field: given})  # type: ignore[arg-type]
    (rule,) = load_pack([a_file(tmp_path, rule_text(answers))]).rules
    assert getattr(rule, field) == read


def test_braces_of_a_title_stand_in_the_titles_of_its_actions_as_they_are(tmp_path: Path) -> None:
    answers = replace(some_answers("reopen_rate", "5%"), title="Mail {service} late", by=("service",))
    (rule,) = load_pack([a_file(tmp_path, rule_text(answers))]).rules
    assert rule.title_for(Scope.of({"service": "Chat"})) == "Mail {service} late: Chat"
