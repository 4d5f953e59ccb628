"""What single records tell of an action: how long its tickets stayed open, which scores its users gave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from improvement import charts, weeks
from improvement.metrics import CellQuery, query_beside
from workflows.checks import measuring
from workflows.models import Action
from workflows.warehouse import Warehouse

OPEN_SHARE = "open_share"  # told beside a metric: its rows say which tickets were still open at τ
CSAT = "csat_mean"
SCORES = (1, 2, 3, 4, 5)


def still_open(
    action: Action,
    warehouse: Warehouse,
    bands: Sequence[charts.Band],
    *,
    is_improved: bool | None,
    last: int,
    as_of: datetime,
) -> charts.StillOpen | None:
    """How long the tickets of reference and *after* stayed open, up to τ; None before both have tickets.

    Tickets are those that the metric counts: opened at least τ ago, seen for τ at most. One that was open then is
    censored there. Hours are those of the wall clock, also where the metric counts business hours: so is τ, and in
    business hours tickets that are all open at τ would be censored at different times.
    """
    reference, after = _band(bands, "reference"), _band(bands, "after")
    tau_h = measuring.tau_h_of(action)
    if reference is None or after is None or tau_h is None:
        return None
    asked = measuring.query_of(action)
    query = replace(asked, options=replace(asked.options, business=()))
    hours = _rows(warehouse, query, action, reference, last=last, as_of=as_of)
    beside = _rows(warehouse, _beside(query), action, reference, last=last, as_of=as_of)
    is_open = dict(zip(beside["id"].to_pylist(), beside["numerator"].to_pylist(), strict=True))
    rows = list(zip(hours["week"].to_pylist(), hours["id"].to_pylist(), hours["numerator"].to_pylist(), strict=True))

    def curve(band: charts.Band) -> charts.Curve:
        inside = [(time, not is_open[name]) for week, name, time in rows if _is_in(week, band)]
        return charts.kaplan_meier([time for time, _ in inside], [is_done for _, is_done in inside])

    before, afterwards = curve(reference), curve(after)
    if not before.n or not afterwards.n:
        return None
    return charts.StillOpen(
        title=action.title,
        tau_hours=round(tau_h),
        before=before,
        after=afterwards,
        reference=reference,
        after_band=after,
        is_improved=is_improved,
        as_of=weeks.sunday(last),
    )


def answers(
    action: Action, warehouse: Warehouse, bands: Sequence[charts.Band], *, last: int, as_of: datetime
) -> charts.Answers | None:
    """The scores given in each window, and how many answered of those asked; None without any answer.

    Scores of other scales are mapped onto 1 to 5 and counted as the nearest whole one.
    """
    reference = _band(bands, "reference")
    if reference is None:
        return None
    query = measuring.query_of(action)
    given = _rows(warehouse, query, action, reference, last=last, as_of=as_of)
    asked = _rows(warehouse, _beside(query), action, reference, last=last, as_of=as_of)
    scores = list(zip(given["week"].to_pylist(), given["numerator"].to_pylist(), strict=True))
    sent = list(zip(asked["week"].to_pylist(), asked["numerator"].to_pylist(), strict=True))
    if not scores:
        return None
    return charts.Answers(
        title=action.title,
        scores=SCORES,
        periods=[_period(band, scores, sent) for band in bands],
        as_of=weeks.sunday(last),
    )


def _period(band: charts.Band, scores: Sequence[tuple[int, float]], sent: Sequence[tuple[int, float]]) -> charts.Period:
    count = Counter(min(max(int(score + 0.5), SCORES[0]), SCORES[-1]) for week, score in scores if _is_in(week, band))
    replies = [reply for week, reply in sent if _is_in(week, band)]
    return charts.Period(band, tuple(count[score] for score in SCORES), len(replies), round(sum(replies)))


def _band(bands: Sequence[charts.Band], name: str) -> charts.Band | None:
    return next((band for band in bands if band.name == name), None)


def _is_in(week: int, band: charts.Band) -> bool:
    return band.start <= weeks.monday(week) < band.end


def _beside(query: CellQuery) -> CellQuery:
    found = query_beside(query)
    if found is None:  # asked only for metrics that have one
        raise LookupError(query.metric)
    return found


def _rows(
    warehouse: Warehouse, query: CellQuery, action: Action, reference: charts.Band, *, last: int, as_of: datetime
) -> pa.Table:
    """The scope's records from the first week of the reference on."""
    first = weeks.week_of(reference.start)
    return warehouse.contributing(query, scope=action.scope, as_of=as_of, first_week=first, last_week=last)
