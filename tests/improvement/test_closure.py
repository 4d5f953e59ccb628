"""How an ended action's record may be closed: never as a success that its verdict does not bear."""

from __future__ import annotations

import pytest

from improvement.closure import gain_of, proposed
from improvement.metrics import CATALOGUE
from improvement.vocabulary import Closure, Gain, State, Verdict

BORNE = {
    Verdict.IMPROVED: Closure.SUCCESSFUL,
    Verdict.NO_CHANGE: Closure.UNSUCCESSFUL,
    Verdict.WORSE: Closure.UNSUCCESSFUL,
    Verdict.FADED: Closure.UNSUCCESSFUL,
    Verdict.RECOVERED: None,
    Verdict.NOT_ATTRIBUTABLE: None,
    Verdict.NOT_ENOUGH_DATA: Closure.WITHDRAWN,
    Verdict.NOT_COMPUTED: Closure.WITHDRAWN,
}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_closed_action_is_closed_there_as_its_verdict_bears(verdict: Verdict) -> None:
    assert proposed("closed", verdict, is_overridden=False) == BORNE[verdict]


@pytest.mark.parametrize("verdict", [*Verdict, ""])
@pytest.mark.parametrize("state", [state for state in State if state is not State.CLOSED])
def test_nothing_else_is_a_success_or_a_failure(state: State, verdict: str) -> None:
    expected = Closure.WITHDRAWN if state is State.CANCELLED else None
    assert proposed(state, verdict, is_overridden=False) == expected


@pytest.mark.parametrize("verdict", list(Verdict))
def test_what_two_people_overruled_is_theirs_to_name(verdict: Verdict) -> None:
    assert proposed("closed", verdict, is_overridden=True) is None


def test_without_a_verdict_it_was_given_up() -> None:
    assert proposed("closed", "", is_overridden=False) is Closure.WITHDRAWN


def test_every_metric_is_sorted() -> None:
    """What is neither time nor satisfaction is quality: a new metric has to be thought of here."""
    assert {name for name in CATALOGUE if gain_of(name) is Gain.QUALITY} == {
        "availability",
        "backlog_open",
        "change_failure_rate",
        "first_contact_resolution_rate",
        "incident_count",
        "major_incident_count",
        "reassignment_rate",
        "reopen_rate",
        "repeat_incident_rate",
    }
    assert {gain_of("time_to_resolve"), gain_of("csat_mean")} == {Gain.TIME, Gain.SATISFACTION}
