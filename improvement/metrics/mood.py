"""The mood barometer: one figure of 0 to 100 for how a customer perceives the service, and what it is made of.

At each week's end every part is a value over the weeks before, scored from 0 (the part's ``worst`` value) to 100 (its
``best``), linear between; the mood is the mean of the scores weighted by the parts' weights. A part nobody recorded is
missing: it has no score and its weight counts for nothing, and where too little is known there is no mood at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from improvement.metrics.catalogue import CONTACT_WHERE, Fill, Metric
from improvement.metrics.cells import CellQuery, Tables, constant, total
from improvement.metrics.engine import ibis
from improvement.metrics.hard import reopen_rate
from improvement.metrics.options import MoodPart
from improvement.metrics.soft import contact_gap, csat_mean, last_days
from improvement.metrics.voices import nps, per_ticket, survey_response_rate


@dataclass(frozen=True, slots=True)
class Counted:
    """How a part is counted: by whose rows, how many weeks late they are known, and whether they are answers."""

    rows: Callable[[Tables, CellQuery], Any]
    is_survey: bool = False
    late_weeks: int = 0


GAP = "contact_gap"
COUNTED = {
    "csat": Counted(csat_mean, is_survey=True),
    "nps": Counted(nps, is_survey=True),
    "response_rate": Counted(survey_response_rate, is_survey=True, late_weeks=1),
    "complaints": Counted(lambda tables, query: per_ticket(tables, query, "complaint")),
    "escalations": Counted(lambda tables, query: per_ticket(tables, query, "escalation")),
    "reopened": Counted(reopen_rate),
}


def mood_index(tables: Tables, query: CellQuery) -> Any:
    """A row a part, week and scope: ``id`` the part, ``numerator`` score times weight, ``denominator`` the weight.

    Both are null where the part is missing.
    """
    known = _united(_valued(tables, query))
    wide = known.group_by([*query.keys, "week"]).agg(
        **{part.name: known.value.max(where=known.part == part.name) for part in query.options.mood}
    )
    return _united([_scored(wide, query, part) for part in query.options.mood])


def weighted(table: Any, query: CellQuery) -> Any:
    """Cells: the parts' scores by their weights; none where less than enough of all weights is known."""
    cells = table.group_by([*query.keys, "week"]).agg(
        numerator=total(table.numerator), denominator=total(table.denominator), n=table.numerator.count()
    )
    return cells.filter(cells.denominator >= _needed(query))


def weighted_of_rows(query: CellQuery) -> str:
    """The same of the rows of one series and week, in SQL."""
    return f"if(sum(denominator) >= {_needed(query)!r}, sum(numerator) / sum(denominator), NULL)"


def _needed(query: CellQuery) -> float:
    return query.options.mood_share * query.options.mood_weight


def _united(tables: list[Any]) -> Any:
    return tables[0].union(*tables[1:]) if len(tables) > 1 else tables[0]


def _valued(tables: Tables, query: CellQuery) -> list[Any]:
    """The parts' values at each week's end: ``keys…, week, part, value``."""
    found = []
    if summed := [part.name for part in query.options.mood if part.name in COUNTED]:
        found.append(_trailing(tables, query, summed))
    if any(part.name == GAP for part in query.options.mood):
        value = _gap(tables, query)
        found.append(value.select(*query.keys, "week", part=ibis.literal(GAP), value=value.value))
    return found


def _scored(wide: Any, query: CellQuery, part: MoodPart) -> Any:
    score = ((wide[part.name] - part.worst) / (part.best - part.worst)).clip(0.0, 1.0) * 100.0
    weight = ibis.ifelse(wide[part.name].notnull(), constant(1), ibis.null("float64")) * part.weight
    return wide.select(
        *query.keys,
        id=ibis.literal(part.name),
        week=wide.week,
        numerator=(score * part.weight).cast("float64"),
        denominator=weight.cast("float64"),
    )


def _trailing(tables: Tables, query: CellQuery, parts: list[str]) -> Any:
    """What the parts' rows sum to over the weeks before each week's end: all in one, which is planned in half the time.

    ``week`` is the one in which rows are known, ``least`` the rows that a value needs.
    """
    span = query.options.mood_weeks
    of_parts = []
    for name in parts:
        counted = COUNTED[name]
        earlier = replace(tables, first_day=tables.first_day - 7 * (span - 1 + counted.late_weeks))
        table = counted.rows(earlier, replace(query, tau_h=None))
        of_parts.append(
            table.select(
                *query.keys,
                part=ibis.literal(name),
                least=ibis.literal(query.options.mood_answers if counted.is_survey else 1, "int64"),
                week=table.week + counted.late_weeks,
                numerator=table.numerator.cast("float64"),
                denominator=table.denominator,
            )
        )
    keys = [*query.keys, "part", "least"]
    table = _united(of_parts)
    weekly = table.group_by([*keys, "week"]).agg(
        numerator=total(table.numerator), denominator=total(table.denominator), n=table.count()
    )
    weeks = ibis.range(weekly.week, weekly.week + span).unnest()
    weekly = weekly.select(*keys, "numerator", "denominator", "n", week=weeks)
    weekly = weekly.filter(weekly.week >= tables.first_week, weekly.week <= tables.last_week)
    sums = weekly.group_by([*keys, "week"]).agg(
        numerator=total(weekly.numerator), denominator=total(weekly.denominator), n=weekly.n.sum()
    )
    sums = sums.filter(sums.n >= sums.least, sums.denominator > 0)
    return sums.select(*query.keys, "week", "part", value=sums.numerator / sums.denominator)


def _gap(tables: Tables, query: CellQuery) -> Any:
    """The contact gap at each week's end, as a mean over accounts."""
    days = last_days(contact_gap(tables, query), query)
    so_far = ibis.window(group_by=[*query.keys, "account"], order_by="week", following=0)
    in_order = ibis.window(group_by=[*query.keys, "account"], order_by="week")
    days = days.mutate(
        talk=days.numerator.max().over(so_far),
        start=days.denominator.min().over(so_far),
        next=days.week.lead().over(in_order),
    )
    first = ibis.greatest(days.week, tables.first_week)
    end = ibis.least(ibis.coalesce(days.next, tables.last_week + 1), tables.last_week + 1)
    days = days.mutate(first=first, end=end, day=ibis.coalesce(days.talk, days.start))
    days = days.filter(days.first < days.end)
    weekly = days.select(*query.keys, "day", week=ibis.range(days.first, days.end).unnest())
    weekly = weekly.mutate(gap=weekly.week * 7 + 3 - weekly.day)
    return weekly.group_by([*query.keys, "week"]).agg(value=weekly.gap.mean())


MOOD = (
    Metric(
        id="mood_index",
        title="Mood index",
        definition=(
            "How the customer perceives the service, from 0 to 100: the weighted mean of seven scores, each of a value "
            "over the four weeks before the week's end (`metrics.mood_weights` sets other weights, 0 leaves a part "
            "out). A part that nobody recorded, or that rests on fewer than five surveys, is missing: it has no score, "
            "and its weight is left out of the mean. Where the known parts have less than half of all weights, there "
            "is no mood."
        ),
        unit="points of 100",
        direction="higher",
        date_basis="end of week",
        numerator="scores of the known parts by their weights",
        denominator="weights of the known parts",
        family=None,
        where_keys=CONTACT_WHERE,
        rows=mood_index,
        gathered=weighted,
        of_rows=weighted_of_rows,
        fill=Fill.AT_END,
        min_sample="half of all weights; `min_samples` counts parts",
        example=(
            "Satisfaction 4.0 (score 75, weight 30), 20 % answered (50, 10), 13 days since the last contact (100, 15), "
            "3 % reopened (80, 10), the rest missing: (2250 + 500 + 1500 + 800) / 65 = 77.69."
        ),
    ),
)
