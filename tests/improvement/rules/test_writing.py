"""A rule from a few answers is valid, says what was answered, and passes its own test: for every metric."""

from __future__ import annotations

from pathlib import Path

import pytest

from improvement.errors import InputError
from improvement.metrics import CATALOGUE
from improvement.rules import check_paths, load_pack, run_tests
from improvement.rules.writing import DEFAULT_BY, Answers, asks_for_kind, default_samples, id_from, rule_text
from tests.improvement.rules.build import a_file

TARGETS = {
    "incident_count": ["80", "own 50%"],
    "major_incident_count": ["0.5", "2"],
    "time_to_respond": ["2h", "90min", "own 30%"],
    "time_to_resolve": ["40h", "2d", "own 25%"],
    "backlog_open": ["50", "own 150%"],
    "csat_mean": ["3.8", "own 0.3"],
    "contact_gap": ["60d", "8w"],
    "backlog_age_p90": ["60d", "8w", "own 50%"],
    "problem_age_p90": ["180d", "26w"],
    "nps": ["0.2", "own 0.2"],
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
