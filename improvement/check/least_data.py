"""The least data a look needs, judged before anything is fitted."""

from __future__ import annotations

from improvement.check.model import Family, Series
from improvement.check.request import Request, lacks_volume

REFERENCE_EVENTS = 20
EXPECTED_EVENTS = 10
#: Matured tickets or responses that *after* needs, by family; a metric may need more.
AFTER_VOLUME = {"time": 30, "score": 30}
AFTER_VOLUME_OF_METRIC = {"nps": 100}
REASON_OF_VOLUME = {"time": "few_matured", "score": "few_responses"}
REASON_OF_METRIC = {"nps": "few_nps_responses"}


def lacking(request: Request, family: Family, weekly: Series) -> str:
    """The reason code of what is lacking, '' when there is enough.

    *Expected* events are the reference's rate times the volume of *after*: a window in which the action left no event
    is no lack of data.
    """
    why = lacks_volume(weekly, request)
    if why:
        return why
    reference, after = request.reference_of(weekly), request.after_of(weekly)
    volume = float(after.denominator.sum())
    if family in AFTER_VOLUME:
        needed = AFTER_VOLUME_OF_METRIC.get(request.plan.metric, AFTER_VOLUME[family])
        reason = REASON_OF_METRIC.get(request.plan.metric, REASON_OF_VOLUME[family])
        return reason if volume < needed else ""
    events = float(reference.numerator.sum())
    if events < REFERENCE_EVENTS:
        return "few_reference_events"
    expected = events / float(reference.denominator.sum()) * volume
    return "few_expected_events" if expected < EXPECTED_EVENTS else ""
