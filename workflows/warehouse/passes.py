"""What is asked of the records at once, in as few passes over them as it takes.

Queries that share table, grouping and weeks are counted by one statement (improvement/metrics/sharing.py), with the
same cells as by themselves. Compiling such a statement takes as long as reading a hundred thousand records a few
times, so only a large file is counted so; see docs/decisions/025-shared-passes-and-kept-cells.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import ibis
import pyarrow as pa

from connectors.ahead import Ahead
from improvement import metrics
from improvement.metrics import CellQuery, Tables
from improvement.metrics.coded import Coded
from improvement.metrics.counts import Counts
from improvement.metrics.filling import completed, filled
from improvement.metrics.sharing import LEVELS, part_of, plain, shared
from improvement.metrics.signed import AT, PREFIX, SIGN, TO, Rows, Signed, Whole, counted_signed
from workflows.warehouse.timed import KIND_OF, Timed

EARLIEST = 0  # the week of the first day there is
ANY_CONNECTION = "any connection"  # with a space: nobody's name
_SHARED_BY: dict[
    CellQuery, tuple[tuple[str, Hashable], ...]
] = {}  # of a query on any connection; none: counted by itself
_COMPILED: dict[tuple[tuple[CellQuery, int], ...], str] = {}  # every file has the same tables
_SIGNED: dict[tuple[tuple[CellQuery, int], ...], tuple[str, Signed | None]] = {}


@dataclass(frozen=True, slots=True)
class CellsAsked:
    """The cells of a query over some weeks, both ends included."""

    query: CellQuery
    first_week: int
    last_week: int


@dataclass(frozen=True, slots=True)
class Member:
    """A query among all that is asked, by its place, and which part of what it counts: most have one alone."""

    place: int
    asked: CellsAsked
    part: int = 0


@dataclass(frozen=True, slots=True)
class Pass:
    """One statement over the records, and the queries it answers or helps to answer.

    ``is_shared``: its columns are those of :func:`improvement.metrics.sharing.shared`, even of one query alone.
    ``signed``: how it counts signed rows (improvement/metrics/signed.py), where it does.
    """

    sql: str
    members: tuple[Member, ...]
    is_shared: bool = False
    signed: Signed | None = field(default=None, repr=False)

    @property
    def told(self) -> tuple[Whole, ...]:
        """How each member's cells are told from counts of signed rows; none of a pass that counts others."""
        return self.signed.told if self.signed is not None else ()

    @property
    def connection(self) -> str:
        """Whose records it counts."""
        return self.members[0].asked.query.connection

    @property
    def first_week(self) -> int:
        """The first week any of them asks for."""
        return min(one.asked.first_week for one in self.members)

    @property
    def begins(self) -> int:
        """The first week it counts: of a level all of the past is part."""
        return EARLIEST if self.is_level else self.first_week

    @property
    def last_week(self) -> int:
        """The last week, the same for all."""
        return self.members[0].asked.last_week

    @property
    def is_level(self) -> bool:
        """Whether all of the past is part of its first week."""
        return any(metrics.metric_of(one.asked.query).fill in LEVELS for one in self.members)

    def cut(self, counts: Counts) -> Counts:
        """What it tells: the weeks from its first one on, of a level with all that was before as one week."""
        return counts.gathered(self.first_week) if self.is_level else counts.since(self.first_week)


class Answers:
    """The cells of all that is asked, as one pass after the other comes in."""

    def __init__(self, passes: Sequence[Pass]) -> None:
        self._missing = Counter(member.place for one in passes for member in one.members)
        self._parts: dict[int, Coded] = {}  # of queries of which more is to come
        self._cells: dict[int, Coded] = {}
        self._turn = 0  # the place of the query whose cells are to be taken next

    def add(self, one: Pass, found: pa.Table | Counts) -> None:
        """What a pass found."""
        for number, member in enumerate(one.members):
            query, first, last = member.asked.query, member.asked.first_week, member.asked.last_week
            metric = metrics.metric_of(query)
            if isinstance(found, pa.Table) and not one.is_shared:
                self._cells[member.place] = completed(metric, query, found, first_week=first, last_week=last)
                continue
            if isinstance(found, Counts):
                part = found.part(one.told[number], metric, query.by, first)
            else:
                part = Coded.of(part_of(found, number, metric, query.keys, first), query.by, query.keys)
            before = self._parts.pop(member.place, None)
            part = before.and_also(part) if before is not None else part
            self._missing[member.place] -= 1
            if self._missing[member.place]:
                self._parts[member.place] = part
            else:
                self._cells[member.place] = filled(metric, part, first_week=first, last_week=last)

    def take(self) -> list[Coded]:
        """The cells of the queries that come next, as far as they are complete."""
        found = []
        while self._turn in self._cells:
            found.append(self._cells.pop(self._turn))
            self._turn += 1
        return found


class Counted:
    """The cells of all that is asked, in its order, while they are counted in one other thread. Close it.

    What one pass completed comes over at once: to hand over a query's cells takes as long as to tell them.
    """

    def __init__(self, found: Iterator[list[Coded]], passes: int) -> None:
        """So many passes give the cells as they complete them."""
        self._ahead = Ahead(found, depth=passes + 1)  # one more: to its end
        self._cells = chain.from_iterable(self._ahead)

    def __iter__(self) -> Iterator[Coded]:
        return self._cells

    def __next__(self) -> Coded:
        return next(self._cells)

    def close(self) -> None:
        """Let go of what was not taken."""
        self._ahead.close()


def by_themselves(asked: Sequence[CellsAsked], sql: Callable[[CellQuery], str]) -> list[Pass]:
    """A pass for each; ``sql`` gives a query's statement."""
    return [Pass(sql(one.query), (Member(place, one),)) for place, one in enumerate(asked)]


def together(
    asked: Sequence[CellsAsked],
    sql: Callable[[CellQuery], str],
    tables: Callable[[], Tables],
    *,
    is_kept: bool = False,
) -> list[Pass]:
    """One pass for those that can share it, in the order in which they are asked first.

    ``is_kept``: each that can be shared counts signed rows, so that its cells can be kept and brought up to date.
    """
    groups: dict[Hashable, list[Member]] = {}
    for place, one in enumerate(asked):
        shared_by = _shared_by(one.query, tables)
        if not shared_by:
            groups[place] = [Member(place, one)]
        for part, of_part in enumerate(shared_by):
            groups.setdefault((of_part, one.query.connection, one.last_week), []).append(Member(place, one, part))
    found = []
    for by, members in groups.items():
        can_share = not isinstance(by, int)
        if is_kept and can_share:
            text, signed = _signed_sql(members, tables)
            if signed is not None:
                found.append(Pass(text, tuple(members), signed=signed))
                continue
        is_alone = len(members) == 1 and len(_shared_by(members[0].asked.query, tables)) == 1
        is_shared = can_share and not is_alone
        text = _shared_sql(members, tables) if is_shared else sql(members[0].asked.query)
        found.append(Pass(text, tuple(members), is_shared))
    return found


def on_connection(sql: str, connection: str) -> str:
    """What was compiled for any connection, for this one."""
    name = connection.replace("'", "''")
    return sql.replace(f"'{ANY_CONNECTION}'", f"'{name}'")


def on_live_rows(sql: str) -> str:
    """A statement over signed rows, made to read all that stand; the session's variables say as of when."""
    if f'"{PREFIX}' not in sql:
        return sql
    table = next(name for name in KIND_OF if f'"{PREFIX}{name}"' in sql)
    moment = f"getvariable('as_of')::TIMESTAMPTZ AS {AT}, getvariable('last_day')::BIGINT AS {TO}"
    rows = f"(SELECT *, 1::BIGINT AS {SIGN}, {moment} FROM live_{table})"  # noqa: S608 (names of our own)
    return sql.replace(f'"{PREFIX}{table}"', rows)


def _shared_by(query: CellQuery, tables: Callable[[], Tables]) -> tuple[tuple[str, Hashable], ...]:
    of_any = replace(query, connection=ANY_CONNECTION)
    if of_any not in _SHARED_BY:
        parts = plain(metrics.metric_of(of_any), of_any, tables())
        _SHARED_BY[of_any] = tuple(part.shared_by(of_any) for part in parts)
    return _SHARED_BY[of_any]


def _shared_sql(members: Sequence[Member], tables: Callable[[], Tables]) -> str:
    of_any = _of_any(members)
    if of_any not in _COMPILED:
        records = tables()
        parts = [plain(metrics.metric_of(query), query, records)[part] for query, part in of_any]
        expression = shared(parts, of_any[0][0].keys)
        _COMPILED[of_any] = str(ibis.to_sql(expression, dialect="duckdb", pretty=False))
    return on_connection(_COMPILED[of_any], members[0].asked.query.connection)


def _signed_sql(members: Sequence[Member], tables: Callable[[], Tables]) -> tuple[str, Signed | None]:
    """The same over signed rows, where it can be counted so."""
    of_any = _of_any(members)
    if of_any not in _SIGNED:
        table, _ = _shared_by(members[0].asked.query, tables)[members[0].part]
        signed = counted_signed([(query, metrics.metric_of(query), part) for query, part in of_any], tables(), table)
        text = str(ibis.to_sql(signed.expression, dialect="duckdb", pretty=False)) if signed is not None else ""
        _SIGNED[of_any] = (text, signed if signed is not None and _is_told(text, signed) else None)
    text, signed = _SIGNED[of_any]
    return on_connection(text, members[0].asked.query.connection), signed


def _is_told(text: str, signed: Signed) -> bool:
    """Whether its SQL says how time moves what it counts, and arrays know all that is computed of a row."""
    timed = Timed.of(text)
    is_told = timed is not None and timed.ages == ({signed.matures} if signed.matures else set())
    return is_told and Rows.of([signed]) is not None


def _of_any(members: Sequence[Member]) -> tuple[tuple[CellQuery, int], ...]:
    return tuple((replace(one.asked.query, connection=ANY_CONNECTION), one.part) for one in members)
