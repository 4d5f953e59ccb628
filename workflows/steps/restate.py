"""Restate: published reviews are held against what was recorded since; where they would say something else, an
addendum says so.

A published review never changes, and neither does the action: people decided on what was known then. Reading a look
again costs as much as reading it once, so only those are read again whose weeks were touched: by records that are new,
changed in a field their metric reads, or gone, or by marks that people made since.
"""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import structlog
from django.db import transaction
from django.db.models import QuerySet

from connectors.ahead import Ahead
from improvement import weeks
from improvement.check.windows import LONG_WEEKS
from improvement.errors import RegelkreisError
from improvement.metrics import Metric, metric_named
from workflows.actions import marking
from workflows.models import Connection, Look, LookKind, MarkedChange, ReviewRecord
from workflows.restating import counted_by
from workflows.steps.looking import changes, read_look
from workflows.steps.review import record_addendum
from workflows.warehouse import Warehouse
from workflows.warehouse.schema import BORROWERS, LENDING, TABLE_OF

log = structlog.get_logger()
PUBLISHED = (LookKind.FINAL, LookKind.SUSTAIN)
BORROWING = tuple(TABLE_OF[kind] for kind in BORROWERS)  # tables whose rows belong to a ticket
OPEN_AGAIN = "c.new IN ('new', 'in_progress', 'on_hold') AND c.old NOT IN ('new', 'in_progress', 'on_hold')"
CANCELLED = "'cancelled' IN (coalesce(c.old, ''), coalesce(c.new, ''))"


@dataclass(frozen=True, slots=True)
class Reads:
    """Which records a metric counts, by which day, and which changes (c) of which rows (t) can move a past week."""

    kind: str
    table: str
    day: str
    instants: tuple[str, ...]
    loud: str
    key: str = "t.id = c.key"
    only: str = "true"  # of all rows (t)


_TICKET_STATE = f"(c.field <> 'state' OR {CANCELLED} OR {OPEN_AGAIN})"
COUNTED = Reads(
    "ticket",
    "tickets",
    "opened_day",
    ("opened_at",),
    f"c.field IN ('opened_at', 'is_major', 'state', 'vanished_at', {', '.join(map(repr, LENDING))}) "
    f"AND (c.field <> 'state' OR {CANCELLED})",
)
TIMED = Reads(
    "ticket",
    "tickets",
    "opened_day",
    ("opened_at",),
    f"c.field NOT IN ('reassignment_count', 'reopen_count', 'risk', 'is_successful') AND {_TICKET_STATE} "
    "AND (c.field <> 'closed_at' OR t.resolved_at IS NULL)",
)
RESOLVED = Reads(
    "ticket",
    "tickets",
    "resolved_day",
    ("resolved_at",),
    f"c.field NOT IN ('reassignment_count', 'closed_at', 'risk', 'is_successful') AND {_TICKET_STATE}",
)
HANDLED = Reads(
    "ticket",
    "tickets",
    "resolved_day",
    ("resolved_at",),
    f"c.field NOT IN ('closed_at', 'risk', 'is_successful') AND {_TICKET_STATE}",
)
CLOSED = Reads(
    "ticket",
    "tickets",
    "closed_day",
    ("closed_at",),
    f"c.field NOT IN ('reassignment_count', 'reopen_count', 'resolved_at') AND {_TICKET_STATE}",
)
DECIDED = Reads(
    "sla",
    "slas",
    "decided_day",
    ("breach_at", "end_at"),
    f"c.field NOT IN ('elapsed_s', 'goal_s', 'start_at') AND (c.field <> 'stage' OR {CANCELLED}) "
    "AND (c.field <> 'end_at' OR c.old IS NOT NULL OR NOT t.is_breached)",
    "t.ticket_id = split_part(c.key, '/', 1)",
)
ANSWERED = Reads("survey", "surveys", "answered_day", ("answered_at",), "true")
SENT = Reads("survey", "surveys", "sent_day", ("sent_at",), "true")
TALKED = Reads("contact", "contacts", "at_day", ("at",), "true")
BY_BASIS = {
    "resolved": RESOLVED,
    "closed": CLOSED,
    "decided": DECIDED,
    "answered": ANSWERED,
    "sent": SENT,
    "made": TALKED,
}
BY_METRIC = {"reassignment_rate": HANDLED, "first_contact_resolution_rate": HANDLED}

#: What guard 8 reads: the changes that went live meanwhile, and their risk.
CHANGED = Reads(
    "ticket",
    "tickets",
    "closed_day",
    ("closed_at",),
    "t.kind = 'change' AND (c.field IN ('kind', 'service', 'closed_at', 'risk', 'vanished_at') "
    f"OR c.field = 'state' AND {CANCELLED})",
    only="t.kind = 'change'",
)

Touched = Mapping[int, Counter[str]]  # local day → what happened to how many records that count on it


class Restating:
    """The published reviews of one connection, held against later data.

    What happened since is looked up in another thread from now on, until :meth:`finish` takes it. Close it. How far it
    came is kept, so nothing is overlooked when a cycle is left out or breaks off.
    """

    def __init__(self, warehouse: Warehouse, connection: str, *, as_of: datetime) -> None:
        self._warehouse, self._connection, self._as_of = warehouse, connection, as_of
        self._row = Connection.objects.filter(name=connection).first()
        self._since = self._row.restated_until if self._row is not None else None
        metrics = sorted(set(self._looks().values_list("action__metric", flat=True))) if self._since else []
        read = dict.fromkeys(reads for metric in metrics if (reads := reads_of(metric_named(metric))) is not None)
        self._reads = (*read, CHANGED) if read else ()
        self._touched = Ahead(self._look_up(), depth=len(self._reads) + 1)  # one more: to its end

    def finish(self) -> tuple[list[str], list[str]]:
        """The addenda made, and what went wrong."""
        since, as_of = self._since, self._as_of
        row = self._row
        otherwise = counted_by.changed(row, "reviews") if row is not None else ()
        made: list[str] = []
        errors: list[str] = []
        marks = marking.changed_since(self._connection, since) if since is not None else []
        seen: dict[Reads, Touched] = dict(zip(self._reads, self._touched, strict=True))
        ordered = self._looks().select_related("action", "plan").defer("result").order_by("computed_at", "id")
        for look in ordered.iterator(chunk_size=200):
            reads = reads_of(metric_named(look.action.metric))
            if reads is None:
                continue
            causes = Counter({"read for the first time": 1})
            if since is not None:
                causes = _causes(look, seen[reads], seen[CHANGED], marks)
                causes.update(counted_by.causes(metric_named(look.action.metric), otherwise))
            if not causes:
                continue
            try:
                with transaction.atomic():
                    made += _read_again(self._warehouse, look, causes, as_of=as_of)
            except RegelkreisError as error:
                errors.append(f"{look.action.code} week {look.week_no}: {error}")
                log.warning("restate.failed", action=look.action.code, week=look.week_no, error=str(error))
        if row is not None and not errors and (since is None or since < as_of):
            kept = counted_by.remembered(row, "reviews")
            Connection.objects.filter(name=self._connection).update(restated_until=as_of, counted_by=kept)
        return made, errors

    def close(self) -> None:
        """Let go of what was not taken."""
        self._touched.close()

    def _looks(self) -> QuerySet[Look]:
        """What was published before this moment: nothing that a cycle computes now is among it."""
        return Look.objects.filter(
            action__connection=self._connection,
            kind__in=PUBLISHED,
            result__isnull=False,
            computed_at__lt=self._as_of,
        )

    def _look_up(self) -> Iterator[Touched]:
        if self._since is None or not self._reads:
            return
        with self._warehouse.sibling() as other:
            for reads in self._reads:
                yield touched(other, reads, self._connection, since=self._since)


def reads_of(metric: Metric) -> Reads | None:
    """What a metric counts; None for those that get no verdict, which nothing can change."""
    if metric.family is None:
        return None
    if metric.date_basis == "opened":
        return TIMED if metric.family == "time" else COUNTED
    return BY_METRIC.get(metric.id) or BY_BASIS[metric.date_basis]


def touched(warehouse: Warehouse, reads: Reads, connection: str, *, since: datetime) -> Touched:
    """The local days whose cells may have changed since a moment, and by what."""
    was = " UNION ALL ".join(
        f"SELECT c.field AS what, epoch_us(TRY_CAST(c.old AS TIMESTAMPTZ)) // 86400000000 AS day FROM late c "
        f"WHERE c.kind = '{reads.kind}' AND c.field = '{instant}' AND c.old IS NOT NULL"
        for instant in reads.instants
    )
    lent = ", ".join(map(repr, LENDING))
    through_ticket = (
        f" UNION ALL SELECT c.field, t.{reads.day} FROM late c JOIN {reads.table} t "
        f"ON t.connection = $connection AND t.ticket_id = c.key WHERE c.kind = 'ticket' AND c.field IN ({lent})"
    )
    found = warehouse.arrow(
        "WITH late AS (SELECT * FROM change_log WHERE connection = $connection AND seen_at > $since::TIMESTAMPTZ), "
        f"days AS (SELECT 'new' AS what, t.{reads.day} AS day FROM {reads.table} t "
        f"WHERE t.connection = $connection AND {reads.only} AND t.first_seen_at > $since::TIMESTAMPTZ "
        f"UNION ALL SELECT 'gone', t.{reads.day} FROM {reads.table} t "
        f"WHERE t.connection = $connection AND {reads.only} AND t.vanished_at > $since::TIMESTAMPTZ "
        f"UNION ALL SELECT c.field, t.{reads.day} FROM late c JOIN {reads.table} t "
        f"ON t.connection = $connection AND {reads.key} WHERE c.kind = '{reads.kind}' AND {reads.loud} "
        f"UNION ALL {was}{through_ticket if reads.table in BORROWING else ''}) "
        "SELECT what, day, count(*) AS n FROM days WHERE day IS NOT NULL GROUP BY ALL",
        {"connection": connection, "since": since.isoformat()},
    )
    days: dict[int, Counter[str]] = {}
    for item in found.to_pylist():
        days.setdefault(int(item["day"]), Counter())[f"{reads.kind} {item['what']}"] += int(item["n"])
    return days


def _causes(look: Look, counted: Touched, changed: Touched, marks: list[MarkedChange]) -> Counter[str]:
    """What happened, since, to records that count in the weeks a look reads, and to changes in *after*."""
    first = weeks.day_of(weeks.monday(int(look.action.trigger["from_week"]) - LONG_WEEKS))
    found: Counter[str] = Counter()
    due = weeks.day_of(look.due_at.date())
    is_near = any(first <= day < due for day in (*counted, *changed))  # only then the whole result is fetched
    if is_near and look.result is not None:
        after = look.result["windows"]["after"]
        live, last = (weeks.day_of(date.fromisoformat(after[name])) for name in ("first_day", "last_day"))
        for begin, days in ((first, counted), (live, changed)):
            for day, what in days.items():
                if begin <= day <= last:
                    found += what
    marked = sum(marking.holds_for(mark, look.action) for mark in marks)
    return found + Counter({"marked change": marked})


def _read_again(warehouse: Warehouse, look: Look, causes: Counter[str], *, as_of: datetime) -> list[str]:
    """Read a look with what is known now; where it says something else than was said last, record that."""
    published = look.reviews.filter(kind=look.kind).first()
    if published is None:
        return []
    reading = read_look(warehouse, look, known_at=as_of)
    addenda = ReviewRecord.objects.filter(action=look.action, document__addendum_to=published.code)
    last = addenda.order_by("-id").first() or published
    if not changes(last.document, reading.outcome):
        return []
    record = record_addendum(published, reading, causes=dict(sorted(causes.items())), known_at=as_of, at=as_of)
    return [f"{record.code} to {published.code} of {look.action.code}: {reading.outcome.verdict.value}"]
