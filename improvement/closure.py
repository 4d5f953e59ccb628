"""How the record of an ended action may be closed on its platform, by the verdict and never beyond it."""

from __future__ import annotations

from improvement.vocabulary import Closure, Gain, State, Verdict

#: What a closed action's verdict bears. None: the metric is better, but nobody can say that the action made it so.
BY_VERDICT: dict[Verdict, Closure | None] = {
    Verdict.IMPROVED: Closure.SUCCESSFUL,
    Verdict.NO_CHANGE: Closure.UNSUCCESSFUL,
    Verdict.WORSE: Closure.UNSUCCESSFUL,
    Verdict.FADED: Closure.UNSUCCESSFUL,
    Verdict.NOT_ATTRIBUTABLE: None,
    Verdict.RECOVERED: None,
    Verdict.NOT_ENOUGH_DATA: Closure.WITHDRAWN,  # given up: what could not be shown is no success, and no failure
    Verdict.NOT_COMPUTED: Closure.WITHDRAWN,
}
TIMES = frozenset({"sla_breach_rate", "time_to_respond", "time_to_resolve", "backlog_age_p90", "problem_age_p90"})
SATISFACTION = frozenset(
    {
        "csat_mean",
        "csat_low_share",
        "nps",
        "mood_index",
        "complaint_count",
        "escalation_rate",
        "contact_gap",
        "survey_response_rate",
        "response_rate",
        "nps_response_rate",
    }
)


def proposed(state: str, verdict: str, *, is_overridden: bool) -> Closure | None:
    """The closure of an action that has ended; None where it has not, or where people have to say it themselves.

    What two people overruled is theirs to name. An action without a verdict was given up.
    """
    if state == State.CANCELLED:
        return Closure.WITHDRAWN
    if state != State.CLOSED or is_overridden:
        return None
    return BY_VERDICT[Verdict(verdict)] if verdict else Closure.WITHDRAWN


def gain_of(metric: str) -> Gain:
    """What a metric's improvement is an improvement of; all that is neither time nor satisfaction is quality."""
    if metric in TIMES:
        return Gain.TIME
    return Gain.SATISFACTION if metric in SATISFACTION else Gain.QUALITY
