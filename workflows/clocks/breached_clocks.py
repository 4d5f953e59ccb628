"""The breached clocks of a period, read from the warehouse with all that decides what becomes of them.

A clock belongs to the period it began in; on a platform that counts only tickets (Jira), to that its ticket was created
in. That is what the platform itself can count by, so that its count and ours are of the same clocks.
"""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from improvement import weeks
from improvement.dispositions import BreachedClock
from improvement.metrics.catalogue import DIMENSIONS
from improvement.minutes import Known, Minutes, Order, attribute, overrun_s
from improvement.periods import Period
from improvement.records import IMPORTED, RecordKind
from improvement.waiting import Span, waited_s
from workflows.clocks import business_overruns
from workflows.warehouse import Warehouse
from workflows.warehouse.loading import key_text

Basis = Literal["rows", "tickets"]
COUNTED_BY: dict[str, Basis] = {"jira": "tickets"}  # what a platform counts breaches by, where it is not the rows
_IN_PERIOD: dict[Basis, str] = {
    "rows": "s.start_at BETWEEN $since::TIMESTAMPTZ AND $until::TIMESTAMPTZ",
    "tickets": "t.created_at BETWEEN $since::TIMESTAMPTZ AND $until::TIMESTAMPTZ",
}
_UNDATED: dict[Basis, str] = {"rows": "s.start_at IS NULL", "tickets": "t.created_at IS NULL"}
_FROM = "FROM slas s LEFT JOIN tickets t ON t.connection = s.connection AND t.id = s.ticket_id"
_POPULATION = f"{_FROM} WHERE s.connection = $connection AND s.vanished_at IS NULL AND s.is_breached"
_GOALS = (  # as they were first pulled: a repair or reconstruction sets today's goal on clocks of the past
    "SELECT key, arg_min(CAST(old AS BIGINT), seen_at) AS goal_s FROM change_log "
    "WHERE kind = 'sla' AND connection = $connection AND field = 'goal_s' AND old IS NOT NULL GROUP BY key"
)
_WITH_GOALS = f"LEFT JOIN goals g ON g.key = {key_text(RecordKind.SLA, 's')}"
_GOAL = "coalesce(g.goal_s, s.goal_s) AS goal_s"
_WHO = "CASE WHEN s.agreement = 'uc' THEN coalesce(s.supplier, s.ticket_supplier) ELSE s.supplier END AS who"
_OWN_COLUMNS = (
    *("id", "ticket_id", "sla_id", "sla_name", "agreement", "target", "stage", "n", "decided_day"),
    *("elapsed_s", "supplier"),
)
_INSTANTS = ("start_at", "end_at", "decided_at")  # read as microseconds: Arrow would make them times of pytz
_LENT_COLUMNS = ("kind", "customer", "country", "service", "category", "assignment_group", "priority")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AGREEMENTS_BELOW = ("ola", "uc")  # what others promise, so that the agreement with the customer can be kept


@dataclass(frozen=True, slots=True)
class Population:
    """The clocks of one connection, how many rows the warehouse counts by itself, and those its platform can count.

    ``platform_can_count``: rows or tickets (``basis``) among them that were pulled, not imported from a file.
    ``undated``: ids of breached clocks that belong to no period, as nobody knows when they, or their tickets, began.
    """

    connection: str
    basis: Basis
    clocks: tuple[BreachedClock, ...]
    rows: int
    platform_can_count: int
    undated: tuple[str, ...] = ()


Spans = Callable[[Sequence[str]], Mapping[str, Sequence[Span]]]  # tickets → when they waited, where that is told


@dataclass(frozen=True, slots=True)
class Rows:
    """What the warehouse holds of a population: its rows, and those of agreements with others on the same tickets."""

    connection: str
    basis: Basis
    breached: list[dict[str, Any]]
    below: Mapping[str, list[dict[str, Any]]]
    counted: int
    platform_can_count: int
    undated: tuple[str, ...]


def read(warehouse: Warehouse, connection: str, basis: Basis, period: Period) -> Rows:
    """Every breached clock of a period that is no tombstone, whether it counts or not."""
    span = {"connection": connection, "since": period.since.isoformat(), "until": period.until.isoformat()}
    condition = f"{_POPULATION} AND {_IN_PERIOD[basis]}"
    columns = [f"s.{name}" for name in _OWN_COLUMNS] + [f"s.ticket_{name}" for name in _LENT_COLUMNS]
    columns += [f"epoch_us(s.{name}) AS {name}" for name in _INSTANTS]
    found = warehouse.arrow(
        f"WITH goals AS ({_GOALS}) SELECT {', '.join(columns)}, s.ticket_supplier, {_GOAL}, {_WHO}, "
        "coalesce(t.number, '') AS number, CASE WHEN t.id IS NULL THEN 'unread' "
        "WHEN s.is_ticket_gone THEN 'gone' ELSE 'read' END AS ticket "
        f"{condition.replace(_FROM, f'{_FROM} {_WITH_GOALS}', 1)} "
        "ORDER BY s.id",
        span,
    ).to_pylist()
    business_overruns.fill(found)
    counted = "count(DISTINCT t.id)" if basis == "tickets" else "count(*)"
    pulled = f"NOT starts_with(s.id, '{IMPORTED}')"
    totals = warehouse.arrow(
        f"SELECT count(*) AS rows, {counted} FILTER (WHERE {pulled}) AS pulled {condition}", span
    ).to_pylist()[0]
    undated = warehouse.arrow(
        f"SELECT s.id {_POPULATION} AND {_UNDATED[basis]} ORDER BY s.id", {"connection": connection}
    )["id"].to_pylist()
    below = _below(warehouse, span, condition)
    return Rows(connection, basis, found, below, int(totals["rows"]), int(totals["pulled"]), tuple(undated))


def population(rows: Rows, order: Order, spans: Spans) -> Population:
    """The clocks of these rows with whose minutes they were; ``spans`` is asked for tickets of late agreements."""
    late = (row["ticket_id"] for row in rows.breached if row["agreement"] not in AGREEMENTS_BELOW)
    waits = spans(list(dict.fromkeys(late)))
    clocks = tuple(
        _clock(rows.connection, row, rows.below.get(row["ticket_id"], ()), waits.get(row["ticket_id"]), order)
        for row in rows.breached
    )
    return Population(rows.connection, rows.basis, clocks, rows.counted, rows.platform_can_count, rows.undated)


def _below(warehouse: Warehouse, span: Mapping[str, str], condition: str) -> dict[str, list[dict[str, Any]]]:
    """The agreements with others on the same tickets, by ticket."""
    rows = warehouse.arrow(
        f"WITH goals AS ({_GOALS}), meant AS (SELECT DISTINCT s.ticket_id {condition}) "
        f"SELECT s.ticket_id, s.agreement, s.target, s.elapsed_s, {_GOAL}, {_WHO}, s.ticket_country, "
        "epoch_us(s.start_at) AS start_at, epoch_us(s.end_at) AS end_at "
        f"FROM slas s {_WITH_GOALS} "
        "WHERE s.connection = $connection AND s.vanished_at IS NULL AND s.stage <> 'cancelled' "
        f"AND s.agreement IN {AGREEMENTS_BELOW} AND s.ticket_id IN (SELECT ticket_id FROM meant)",
        dict(span),
    ).to_pylist()
    business_overruns.fill(rows)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["ticket_id"]].append(row)
    return found


def _clock(
    connection: str,
    row: Mapping[str, Any],
    below: Iterable[Mapping[str, Any]],
    waits: Sequence[Span] | None,
    order: Order,
) -> BreachedClock:
    dimensions = {name: row[f"ticket_{name}"] for name in _LENT_COLUMNS}
    dimensions |= {"supplier": row["supplier"] or row["ticket_supplier"]}
    assert set(DIMENSIONS) <= set(dimensions)
    return BreachedClock(
        connection=connection,
        id=row["id"],
        ticket_id=row["ticket_id"],
        number=row["number"],
        sla_id=row["sla_id"],
        sla_name=row["sla_name"] or "",
        agreement=row["agreement"],
        target=row["target"] or "",
        supplier=row["who"] or "",
        stage=row["stage"],
        n=row["n"],
        ticket=row["ticket"],
        start_at=_instant(row["start_at"]),
        decided_at=_instant(row["decided_at"]),
        week=None if row["decided_day"] is None else weeks.week_of_day(row["decided_day"]),
        minutes=_minutes(row, below, waits, order),
        dimensions=dimensions,
    )


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else EPOCH + timedelta(microseconds=microseconds)


def _minutes(
    row: Mapping[str, Any], below: Iterable[Mapping[str, Any]], waits: Sequence[Span] | None, order: Order
) -> Minutes | None:
    overrun = overrun_s(row["elapsed_s"], row["goal_s"])
    return None if overrun is None else attribute(overrun, _known(row, overrun, below, waits), order)


def _known(
    row: Mapping[str, Any], overrun: int, below: Iterable[Mapping[str, Any]], waits: Sequence[Span] | None
) -> Known:
    if row["agreement"] in AGREEMENTS_BELOW:  # what somebody else promised is theirs
        return Known(suppliers={row["who"]: overrun}) if row["who"] else Known(internal_s=overrun)
    suppliers: dict[str, int] = defaultdict(int)
    for one in below:
        is_other = row["target"] and one["target"] and row["target"] != one["target"]
        if not is_other:  # a late answer says nothing of a late resolution, and would be counted twice with it
            suppliers[one["who"] or ""] += overrun_s(one["elapsed_s"], one["goal_s"]) or 0
    internal = suppliers.pop("", 0)
    return Known(_waited(row, waits), suppliers, internal)


def _waited(row: Mapping[str, Any], waits: Sequence[Span] | None) -> int | None:
    begin = _instant(row["start_at"])
    if waits is None or begin is None:
        return None
    return waited_s(begin, _instant(row["end_at"]), row["elapsed_s"], waits)
