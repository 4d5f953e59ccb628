"""What is asked of the records at once, in as few passes over them as it takes.

Queries that share table, grouping and weeks are counted by one statement (improvement/metrics/sharing.py), with the
same cells as by themselves. Compiling such a statement takes as long as reading a hundred thousand records a few
times, so only a large file is counted so; see docs/decisions/025-shared-passes-and-kept-cells.md.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import ibis
import pyarrow as pa

from improvement import metrics
from improvement.metrics import CellQuery, Tables
from improvement.metrics.sharing import LEVELS, part_of, plain, shared
from workflows.warehouse.touched import TAU_H

EARLIEST = 0  # the week of the first day there is
ANY_CONNECTION = "any connection"  # with a space: nobody's name
_SHARED_BY: dict[CellQuery, Hashable] = {}  # of a query on any connection; None: it is counted by itself
_COMPILED: dict[
    tuple[tuple[CellQuery, ...], bool], str
] = {}  # for the life of the process: every file has the same tables


@dataclass(frozen=True, slots=True)
class CellsAsked:
    """The cells of a query over some weeks, both ends included."""

    query: CellQuery
    first_week: int
    last_week: int


@dataclass(frozen=True, slots=True)
class Pass:
    """One statement over the records, and the queries it answers, by their places among all that is asked.

    ``is_shared``: its columns are those of :func:`improvement.metrics.sharing.shared`, even of one query alone.
    """

    sql: str
    places: tuple[int, ...]
    asked: tuple[CellsAsked, ...]
    is_shared: bool = False

    @property
    def first_week(self) -> int:
        """The first week any of them asks for."""
        return min(one.first_week for one in self.asked)

    @property
    def last_week(self) -> int:
        """The last week, the same for all."""
        return self.asked[0].last_week

    @property
    def is_level(self) -> bool:
        """Whether all of the past is part of its first week."""
        return any(metrics.metric_of(one.query).fill in LEVELS for one in self.asked)

    @property
    def tau_h(self) -> float:
        """The longest time after which a record matures."""
        return max(one.query.tau_h or 0.0 for one in self.asked)

    @property
    def is_restricted(self) -> bool:
        """Whether all it counts are times restricted to a τ."""
        return all(one.query.tau_h for one in self.asked) and self.tau_h <= TAU_H

    def cells(self, found: pa.Table, number: int) -> pa.Table:
        """The cells of one of the queries, by what the statement found."""
        one = self.asked[number]
        metric = metrics.metric_of(one.query)
        own = found
        if self.is_shared:
            own = part_of(found, number, metric, one.query.keys, one.first_week)
        return metrics.complete(metric, one.query, own, first_week=one.first_week, last_week=one.last_week)


def by_themselves(asked: Sequence[CellsAsked], sql: Callable[[CellQuery], str]) -> list[Pass]:
    """A pass for each; ``sql`` gives a query's statement."""
    return [Pass(sql(one.query), (place,), (one,)) for place, one in enumerate(asked)]


def together(
    asked: Sequence[CellsAsked],
    sql: Callable[[CellQuery], str],
    tables: Callable[[], Tables],
    *,
    is_kept: bool = False,
) -> list[Pass]:
    """One pass for those that can share it, in the order in which they are asked first.

    ``is_kept``: each that can be shared is written so that it counts some weeks and nothing before them.
    """
    groups: dict[Hashable, list[int]] = {}
    for place, one in enumerate(asked):
        by = _shared_by(one.query, tables)
        groups.setdefault(place if by is None else (by, one.query.connection, one.last_week), []).append(place)
    found = []
    for places in groups.values():
        members = tuple(asked[place] for place in places)
        queries = tuple(one.query for one in members)
        is_shared = len(queries) > 1 or (is_kept and _shared_by(queries[0], tables) is not None)
        text = _shared_sql(queries, tables, is_bounded=is_kept) if is_shared else sql(queries[0])
        found.append(Pass(text, tuple(places), members, is_shared))
    return found


def on_connection(sql: str, connection: str) -> str:
    """What was compiled for any connection, for this one."""
    name = connection.replace("'", "''")
    return sql.replace(f"'{ANY_CONNECTION}'", f"'{name}'")


def _shared_by(query: CellQuery, tables: Callable[[], Tables]) -> Hashable:
    of_any = replace(query, connection=ANY_CONNECTION)
    if of_any not in _SHARED_BY:
        part = plain(metrics.metric_of(of_any), of_any, tables())
        _SHARED_BY[of_any] = None if part is None else part.shared_by(of_any)
    return _SHARED_BY[of_any]


def _shared_sql(queries: tuple[CellQuery, ...], tables: Callable[[], Tables], *, is_bounded: bool) -> str:
    of_any = tuple(replace(query, connection=ANY_CONNECTION) for query in queries)
    if (of_any, is_bounded) not in _COMPILED:
        records = tables()
        parts = [part for one in of_any if (part := plain(metrics.metric_of(one), one, records)) is not None]
        since = records.first_day if is_bounded else None
        expression = shared(parts, of_any[0].keys, since=since)
        _COMPILED[of_any, is_bounded] = str(ibis.to_sql(expression, dialect="duckdb", pretty=False))
    return on_connection(_COMPILED[of_any, is_bounded], queries[0].connection)
