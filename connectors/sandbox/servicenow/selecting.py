"""Which rows a query selects, in which order: the instance's little database engine.

Rows lie in the order (sys_updated_on, sys_id). Conditions on these two become bounds found by bisection, so a keyset
page costs as much as its rows however large the table is; so does a keyset by sys_id alone. Everything else is tested
row by row.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice, pairwise

from connectors.sandbox.query import Alternatives, Condition, Order, Query
from connectors.sandbox.servicenow import moments
from connectors.sandbox.servicenow.instance import Instance
from connectors.sandbox.servicenow.joining import resolved
from connectors.sandbox.servicenow.matching import Asker, Test, group_tests, is_valid
from connectors.sandbox.store import AFTER_ALL_IDS, SYS_ID, UPDATED, Row, Table

NATURAL_ORDERS = (
    (),
    (Order("sys_updated_on", False),),
    (Order("sys_updated_on", False), Order("sys_id", False)),
)
BY_ID = (Order("sys_id", False),)
Chunk = tuple[Table, list[Row]]
Bound = tuple[str, str]
FIRST: Bound = ("", "")
LAST: Bound = (AFTER_ALL_IDS, "")


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a query's records a caller asks for, and how much it wants to know about the rest."""

    query: str
    offset: int
    limit: int
    is_counted: bool
    has_links: bool


@dataclass(frozen=True, slots=True)
class Selection:
    """One page as runs of rows of the same table, the number of all rows (None: not asked), whether more follow."""

    chunks: list[Chunk]
    total: int | None
    has_more: bool


@dataclass(frozen=True, slots=True)
class _Span:
    """A run of the ordered rows and the test that is left for them (None: all fit)."""

    begin: int
    end: int
    test: Test | None


def select(
    instance: Instance,
    table: str,
    query: Query,
    asker: Asker,
    *,
    offset: int = 0,
    limit: int = 10_000,
    count: bool = True,
) -> Selection:
    """The rows ``offset`` … ``offset + limit`` of the query, and how many there are in all."""
    if query.related:
        query = resolved(instance, table, query, lambda other, where: matching(instance, other, where, asker))
    if instance.config.invalid_query_returns_no_rows and not is_valid(instance, table, query, asker):
        return Selection([], 0 if count else None, False)
    if table in instance.asked:
        instance.asked[table](query)
    members = instance.family(table)
    order = tuple(key for key in query.order if instance.get(table, key.field) is not None)
    if len(members) == 1 and order in NATURAL_ORDERS:
        return _natural(instance, members[0], query, asker, offset, limit, count)
    if len(members) == 1 and order == BY_ID and len(query.groups) <= 1:
        return _by_id(instance, members[0], query, asker, offset, limit, count)
    return _sorted(instance, members, query, order, asker, offset, limit)


def matching(instance: Instance, table: str, query: Query, asker: Asker) -> Iterator[tuple[Table, Row]]:
    """All rows of the query, table by table."""
    if query.related:
        query = resolved(instance, table, query, lambda other, where: matching(instance, other, where, asker))
    if instance.config.invalid_query_returns_no_rows and not is_valid(instance, table, query, asker):
        return
    if table in instance.asked:
        instance.asked[table](query)
    for member in instance.family(table):
        for row in _rows(member, _spans(instance, member, query, asker)):
            yield member, row


def _natural(
    instance: Instance, table: Table, query: Query, asker: Asker, offset: int, limit: int, count: bool
) -> Selection:
    spans = _spans(instance, table, query, asker)
    if all(span.test is None for span in spans):
        total = sum(span.end - span.begin for span in spans)
        page = _slice(table, spans, offset, limit)
        return Selection([(table, page)], total if count else None, total > offset + limit)
    if count:
        found = list(_rows(table, spans))
        return Selection([(table, found[offset : offset + limit])], len(found), len(found) > offset + limit)
    page = list(islice(_rows(table, spans), offset, offset + limit + 1))
    return Selection([(table, page[:limit])], None, len(page) > limit)


def _by_id(
    instance: Instance, table: Table, query: Query, asker: Asker, offset: int, limit: int, count: bool
) -> Selection:
    """In the order of the primary key, from the id on that the query names."""
    ids, first = table.ids(), 0
    rest: list[Test] = []
    for alternatives, test in next(iter(group_tests(instance, table.name, query, asker)), []):
        only = alternatives[0]
        if len(alternatives) == 1 and only.field == "sys_id" and only.operator == ">":
            first = max(first, bisect_right(ids, only.value))
        elif len(alternatives) > 1 or (only.field, only.operator) != ("sys_id", "ISNOTEMPTY"):
            rest.append(test)
    fits = _all(rest)
    if fits is None:
        page = [table.rows[id] for id in ids[first + offset : first + offset + limit]]
        total = len(ids) - first
    else:
        found = [row for row in (table.rows[id] for id in ids[first:]) if fits(row)]
        page, total = found[offset : offset + limit], len(found)
    return Selection([(table, page)], total if count else None, total > offset + limit)


def _sorted(
    instance: Instance,
    members: list[Table],
    query: Query,
    order: tuple[Order, ...],
    asker: Asker,
    offset: int,
    limit: int,
) -> Selection:
    found = [(member, row) for member in members for row in _rows(member, _spans(instance, member, query, asker))]
    found.sort(key=lambda pair: (pair[1][UPDATED], pair[1][SYS_ID]))
    for key in reversed(order):
        readers = {member.name: _sort_key(instance, member.name, key.field) for member in members}
        found.sort(key=lambda pair: readers[pair[0].name](pair[1]), reverse=key.is_descending)
    page = found[offset : offset + limit]
    chunks = [
        (next(iter(run))[0], [row for _, row in run])
        for run in ([*pairs] for _, pairs in groupby(page, key=lambda pair: pair[0].name))
    ]
    return Selection(chunks, len(found), len(found) > offset + limit)


def _sort_key(instance: Instance, table: str, field: str) -> Callable[[Row], tuple[float, str]]:
    found = instance.get(table, field)
    if found is None:
        return lambda row: (0.0, "")
    get, column = found
    if not column.is_number:
        return lambda row: (0.0, get(row).casefold())

    def numeric(row: Row) -> tuple[float, str]:
        text = get(row)
        try:
            return float(text), ""
        except ValueError:
            return float("-inf"), text

    return numeric


def _rows(table: Table, spans: list[_Span]) -> Iterator[Row]:
    order = table.ordered()
    for span in spans:
        if span.test is None:
            yield from order[span.begin : span.end]
        else:
            yield from filter(span.test, islice(order, span.begin, span.end))


def _slice(table: Table, spans: list[_Span], offset: int, limit: int) -> list[Row]:
    order = table.ordered()
    page: list[Row] = []
    for span in spans:
        size = span.end - span.begin
        if offset >= size:
            offset -= size
            continue
        page += order[span.begin + offset : min(span.end, span.begin + offset + limit - len(page))]
        offset = 0
        if len(page) >= limit:
            break
    return page


def _spans(instance: Instance, table: Table, query: Query, asker: Asker) -> list[_Span]:
    spans = []
    groups = group_tests(instance, table.name, query, asker)
    for group in groups:
        low, high = FIRST, LAST
        rest: list[Test] = []
        named: list[Bound] | None = None
        ids = _narrowed_ids(group)
        for alternatives, test in group:
            bounds = _record_bounds(table, alternatives) or _bounds(alternatives, asker, ids)
            if bounds is not None:
                low, high = max(low, bounds[0]), min(high, bounds[1])
            elif named is None and (listed := _listed_ids(alternatives)) is not None:
                named = [(row[UPDATED], row[SYS_ID]) for id in listed if (row := table.rows.get(id)) is not None]
            else:
                rest.append(test)
        if named is None:
            begin, end = table.range(low, high)
            if begin < end:
                spans.append(_Span(begin, end, _all(rest)))
        else:
            for begin in table.places([key for key in named if low <= key < high]):
                spans.append(_Span(begin, begin + 1, _all(rest)))
    spans.sort(key=lambda span: span.begin)
    if any(before.end > after.begin for before, after in pairwise(spans)):
        tests = [_all([test for _, test in group]) for group in groups]
        return [_Span(spans[0].begin, max(span.end for span in spans), _one_of(tests))]
    return spans


def _record_bounds(table: Table, alternatives: Alternatives) -> tuple[Bound, Bound] | None:
    """The place of the one record that ``sys_id=…`` names."""
    only = alternatives[0]
    if len(alternatives) != 1 or only.field != "sys_id" or only.operator != "=":
        return None
    row = table.rows.get(only.value)
    return (LAST, LAST) if row is None else ((row[UPDATED], row[SYS_ID]), (row[UPDATED], row[SYS_ID] + "\x00"))


def _listed_ids(alternatives: Alternatives) -> frozenset[str] | None:
    """The ids of ``sys_idIN…``, each found by key; None for any other condition."""
    only = alternatives[0]
    is_list = len(alternatives) == 1 and only.field == "sys_id" and only.operator == "IN"
    return frozenset(only.value.split(",")) if is_list and not only.value.startswith("javascript:") else None


def _narrowed_ids(group: list[tuple[Alternatives, Test]]) -> str | None:
    """The one instant a group pins sys_updated_on to; then bounds on sys_id are bounds in the order too."""
    for alternatives, _ in group:
        only = alternatives[0]
        if len(alternatives) == 1 and only.field == "sys_updated_on" and only.operator == "=":
            return moments.normalised(only.value)
    return None


def _bounds(alternatives: Alternatives, asker: Asker, instant: str | None) -> tuple[Bound, Bound] | None:
    """The run of the order that one condition means exactly; None where it needs a test."""
    if len(alternatives) != 1:
        return None
    condition = alternatives[0]
    if condition.field == "sys_id" and instant is not None:
        return _id_bounds(condition, instant)
    if condition.field == "sys_created_on" and condition.operator == "<=":
        moment = _moment(condition.value, asker)  # nothing was created in the future
        return (FIRST, LAST) if moment is not None and moment >= moments.stored(int(asker.now.timestamp())) else None
    if condition.field != "sys_updated_on":
        return None
    if condition.operator == "BETWEEN":
        low, high = (_moment(part, asker) for part in (*condition.value.split("@", 1), "")[:2])
        return ((low, ""), (high, AFTER_ALL_IDS)) if low is not None and high is not None else None
    moment = _moment(condition.value, asker)
    if moment is None:
        return None
    by_operator: dict[str, tuple[Bound, Bound]] = {
        "=": ((moment, ""), (moment, AFTER_ALL_IDS)),
        ">=": ((moment, ""), LAST),
        ">": ((moment, AFTER_ALL_IDS), LAST),
        "<": (FIRST, (moment, "")),
        "<=": (FIRST, (moment, AFTER_ALL_IDS)),
    }
    return by_operator.get(condition.operator)


def _id_bounds(condition: Condition, instant: str) -> tuple[Bound, Bound] | None:
    value = condition.value
    by_operator: dict[str, tuple[Bound, Bound]] = {
        ">=": ((instant, value), (instant, AFTER_ALL_IDS)),
        ">": ((instant, value + "\x00"), (instant, AFTER_ALL_IDS)),
        "<": ((instant, ""), (instant, value)),
        "<=": ((instant, ""), (instant, value + "\x00")),
    }
    return by_operator.get(condition.operator)


def _moment(text: str, asker: Asker) -> str | None:
    value = moments.evaluated(text, zone=asker.zone, now=asker.now, user=asker.user)
    return moments.normalised(value) if value is not None else None


def _all(tests: list[Test]) -> Test | None:
    """One test of several, the first first: a scan asks it of every row, so no generator is made for each."""
    if not tests:
        return None
    first, rest = tests[0], _all(tests[1:])
    return first if rest is None else lambda row: first(row) and rest(row)


def _one_of(tests: list[Test | None]) -> Test | None:
    if any(test is None for test in tests):
        return None
    real = [test for test in tests if test is not None]
    return lambda row: any(test(row) for test in real)
