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
from improvement.metrics.sharing import part_of, plain, shared

ANY_CONNECTION = "any connection"  # with a space: nobody's name
_SHARED_BY: dict[CellQuery, Hashable] = {}  # of a query on any connection; None: it is counted by itself
_COMPILED: dict[tuple[CellQuery, ...], str] = {}  # for the life of the process: every file has the same tables


@dataclass(frozen=True, slots=True)
class CellsAsked:
    """The cells of a query over some weeks, both ends included."""

    query: CellQuery
    first_week: int
    last_week: int


@dataclass(frozen=True, slots=True)
class Pass:
    """One statement over the records, and the queries it answers, by their places among all that is asked."""

    sql: str
    places: tuple[int, ...]
    asked: tuple[CellsAsked, ...]

    @property
    def first_week(self) -> int:
        """The first week any of them asks for."""
        return min(one.first_week for one in self.asked)

    @property
    def last_week(self) -> int:
        """The last week, the same for all."""
        return self.asked[0].last_week

    def cells(self, found: pa.Table, number: int) -> pa.Table:
        """The cells of one of the queries, by what the statement found."""
        one = self.asked[number]
        metric = metrics.metric_of(one.query)
        own = found
        if len(self.asked) > 1:
            own = part_of(found, number, metric, one.query.keys, one.first_week)
        return metrics.complete(metric, one.query, own, first_week=one.first_week, last_week=one.last_week)


def by_themselves(asked: Sequence[CellsAsked], sql: Callable[[CellQuery], str]) -> list[Pass]:
    """A pass for each; ``sql`` gives a query's statement."""
    return [Pass(sql(one.query), (place,), (one,)) for place, one in enumerate(asked)]


def together(asked: Sequence[CellsAsked], sql: Callable[[CellQuery], str], tables: Callable[[], Tables]) -> list[Pass]:
    """One pass for those that can share it, in the order in which they are asked first."""
    groups: dict[Hashable, list[int]] = {}
    for place, one in enumerate(asked):
        by = _shared_by(one.query, tables)
        groups.setdefault(place if by is None else (by, one.query.connection, one.last_week), []).append(place)
    found = []
    for places in groups.values():
        members = tuple(asked[place] for place in places)
        queries = tuple(one.query for one in members)
        text = sql(queries[0]) if len(queries) == 1 else _shared_sql(queries, tables)
        found.append(Pass(text, tuple(places), members))
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


def _shared_sql(queries: tuple[CellQuery, ...], tables: Callable[[], Tables]) -> str:
    of_any = tuple(replace(query, connection=ANY_CONNECTION) for query in queries)
    if of_any not in _COMPILED:
        records = tables()
        parts = [part for one in of_any if (part := plain(metrics.metric_of(one), one, records)) is not None]
        _COMPILED[of_any] = str(ibis.to_sql(shared(parts, of_any[0].keys), dialect="duckdb", pretty=False))
    return on_connection(_COMPILED[of_any], queries[0].connection)
