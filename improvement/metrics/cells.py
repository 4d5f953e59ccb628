"""From canonical tables to weekly cells: one lazy Ibis query per metric, filter and grouping.

A metric says which rows count (dimensions, week, numerator, denominator, id); cells are the sums of these rows, and
the same rows are the evidence behind a point. The moment and the weeks come with the tables as scalars, so that an
engine compiles a query once and runs it for every cycle. Weeks that hold nothing are added afterwards (filling.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from improvement.metrics.catalogue import NONE
from improvement.metrics.engine import ibis
from improvement.metrics.options import DEFAULTS, MetricOptions

Where = tuple[tuple[str, tuple[str | int | bool, ...]], ...]


@dataclass(frozen=True, slots=True)
class CellQuery:
    """What to count: a metric on one connection, filtered and grouped. Hashable, so that its SQL is kept.

    ``stratum`` splits the cells of a scope further (priority, category); ``tau_h`` restricts times, in hours.
    """

    metric: str
    connection: str
    where: Where = ()
    by: tuple[str, ...] = ()
    stratum: str | None = None
    tau_h: float | None = None
    options: MetricOptions = DEFAULTS

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that name a series: dimensions, then the stratum."""
        return (*self.by, "stratum") if self.stratum is not None else self.by


def where_from(conditions: Mapping[str, Any]) -> Where:
    """The hashable form of a rule's ``where``: every value a tuple, keys sorted."""
    items = []
    for key, value in sorted(conditions.items()):
        values = tuple(value) if isinstance(value, list | tuple) else (value,)
        items.append((key, values))
    return tuple(items)


@dataclass(frozen=True, slots=True)
class Tables:
    """The canonical tables as lazy Ibis tables without tombstones, and the moment of the evaluation as scalars.

    SLA rows and surveys carry the dimensions of their ticket. Beside the canonical columns there are those derived at
    load: a local day for every instant; tickets' ``done_at`` (resolved, or closed where the platform knows no
    resolution; null while a ticket is open again) and ``open_s`` (seconds from opening to it, never negative); SLA
    rows' ``decided_at`` (breached: when the goal ran out; kept: when the clock stopped) and ``clock_s`` (business
    seconds where the platform computes them, else from start to end); outages' ``begin_wall_s`` (what the local clock
    showed when they began, in seconds since 1970). ``as_of`` is a UTC timestamp; ``first_day`` and ``last_day`` are the
    local days (days since 1970) of the first week's Monday and the last week's Sunday. ``calendar_steps`` gives the
    business calendars' steps by country (improvement/business_time.py); only queries in business time ask for it.
    """

    tickets: Any
    slas: Any
    surveys: Any
    contacts: Any
    outages: Any
    as_of: Any
    first_day: Any
    last_day: Any
    calendar_steps: Callable[[], Any]

    @property
    def first_week(self) -> Any:
        """The first week asked for."""
        return week_from(self.first_day)

    @property
    def last_week(self) -> Any:
        """The last week asked for."""
        return week_from(self.last_day)


BILLION = 1_000_000_000
COLUMN_OF = {"sla.target": "target", "sla.agreement": "agreement", "survey.kind": "survey_kind"}


def filtered(table: Any, query: CellQuery) -> Any:
    """The rows of the query's connection that meet its conditions; ``(none)`` is met by a missing value."""
    kept = table.filter(table.connection == query.connection)
    for key, values in query.where:
        column = kept[COLUMN_OF.get(key, key)]
        present = [value for value in values if value != NONE]
        is_met = column.isin(present) if len(present) != 1 else column == present[0]
        kept = kept.filter(is_met if len(present) == len(values) else is_met | column.isnull())
    return kept


def whole_seconds(instant: Any) -> Any:
    """Whole seconds from 1970 to an instant, begun ones left out.

    Engines give fractions, whatever Ibis says of the type; made whole by a cast alone they would be rounded.
    """
    return instant.epoch_seconds().cast("float64").floor().cast("int64")


def week_from(day: Any) -> Any:
    """The ISO week of a local day number (both counted from 1970)."""
    return ((day + 3) // 7).cast("int64")


def dimension(table: Any, name: str) -> Any:
    """A dimension as text; a missing one is the scope value ``(none)``."""
    column = table[name]
    return ibis.coalesce(column if column.type().is_string() else column.cast("string"), ibis.literal(NONE))


def dimensions(table: Any, query: CellQuery) -> dict[str, Any]:
    """The columns that name a row's series."""
    columns = {name: dimension(table, name) for name in query.by}
    if query.stratum is not None:
        columns["stratum"] = dimension(table, query.stratum)
    return columns


def rows(table: Any, query: CellQuery, *, week: Any, numerator: Any, denominator: Any) -> Any:
    """What each record adds: ``by…[, stratum], id, week, numerator, denominator``; whole numbers stay whole."""
    return table.select(
        **dimensions(table, query),
        id=table.id,
        week=week,
        numerator=_column(numerator),
        denominator=_column(denominator).cast("float64"),
    )


def _column(value: Any) -> Any:
    """A constant as a column; a whole number as int64, all else as float64."""
    column = ibis.literal(value) if isinstance(value, int) else value
    return column.cast("int64" if column.type().is_integer() else "float64")


def constant(number: int) -> Any:
    """A whole number as a double; of a literal with a point some engines would make a decimal."""
    return ibis.literal(number).cast("float64")


def summed(table: Any, query: CellQuery) -> Any:
    """Cells: the rows' sums by series and week, and how many rows they are."""
    return table.group_by([*query.keys, "week"]).agg(
        numerator=total(table.numerator), denominator=table.denominator.sum(), n=table.count()
    )


def total(column: Any, *, where: Any = None) -> Any:
    """A sum that is the same in whatever order threads add: fractions are added as whole billionths.

    ``where``: over the rows only that meet it.
    """
    parts, scale = whole(column)
    found = parts.sum(where=where).cast("float64")
    return found if scale == 1 else found / scale


def whole(column: Any) -> tuple[Any, int]:
    """A column in whole numbers, and of how many of them one is made: fractions as billionths."""
    if column.type().is_integer():
        return column, 1
    return (column * BILLION).round().cast("int64"), BILLION


def within(table: Any, tables: Tables, day: Any, moment: Any) -> Any:
    """Rows whose event lies in the weeks asked for and not after the moment."""
    return table.filter(moment <= tables.as_of, day >= tables.first_day, day <= tables.last_day)


def until(table: Any, tables: Tables, day: Any, moment: Any) -> Any:
    """Rows whose event lies before the end of the last week asked for and not after the moment."""
    return table.filter(moment <= tables.as_of, day <= tables.last_day)


def week_or_before(day: Any, tables: Tables) -> Any:
    """The week of a day, where all weeks before the first one asked for are one: the week before it."""
    return ibis.greatest(week_from(day), tables.first_week - 1)


def scope_rows(table: Any, scope: Mapping[str, str]) -> Any:
    """The rows of one scope in an Arrow table."""
    import pyarrow.compute as pc

    for key, value in scope.items():
        table = table.filter(pc.equal(table[key], value))
    return table
