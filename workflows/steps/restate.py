"""Restate: published reviews are held against what was recorded since; where they would say something else, an
addendum says so.

A published review never changes, and neither does the action: people decided on what was known then. Reading a look
again costs as much as reading it once, so only those are read again whose weeks were touched: by records that are new,
changed in a field their metric reads, or gone, or by marks that people made since.
"""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
#: Table → by which number its changed records are found, and which key of the change log gives it; else by their own.
OWN_KEY = {"slas": ("ticket_hash", "split_part(c.key, '/', 1)")}
LATE = "WHERE connection = $connection AND seen_at > $since::TIMESTAMPTZ"
TICKET_CAME = "of a new ticket"
BREACHED = "is_breached"
MARKS = "marks"  # beside what values are counted by: the marks that reviews were held against
NEW, GONE, DAY_US = "'new'", "'gone'", 86_400_000_000
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

Touched = dict[int, Counter[str]]  # local day → what happened to how many records that count on it


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
        self._touched = Ahead(self._look_up(), depth=2)  # the answer, and one more: to its end

    def finish(self, *, but: Collection[int] = ()) -> tuple[list[str], list[str]]:
        """The addenda made, and what went wrong.

        ``but``: the keys of looks that this cycle itself computed, of which only marks can say something else: they
        count up to when a look fell due, records up to now.
        """
        since, as_of = self._since, self._as_of
        row = self._row
        otherwise = counted_by.changed(row, "reviews") if row is not None else ()
        made: list[str] = []
        errors: list[str] = []
        known = marking.known_by(self._connection, as_of)
        marks = marking.moved(known, self._held(since)) if since is not None else []
        seen = next(self._touched, {})
        ordered = self._looks().select_related("action", "plan").defer("result").order_by("computed_at", "id")
        for look in ordered.iterator(chunk_size=200):
            reads = reads_of(metric_named(look.action.metric))
            if reads is None:
                continue
            causes = Counter({"read for the first time": 1})
            if look.pk in but:
                causes = _marked(look, marking.moved(known, marking.known_by(self._connection, look.due_at)))
            elif since is not None:
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
            kept = {**counted_by.remembered(row, "reviews"), MARKS: known}
            Connection.objects.filter(name=self._connection).update(restated_until=as_of, counted_by=kept)
        return made, errors

    def close(self) -> None:
        """Let go of what was not taken."""
        self._touched.close()

    def _held(self, since: datetime) -> Mapping[str, bool]:
        """The marks that the reviews were held against; of what an earlier release left, those made by that moment."""
        kept: Mapping[str, bool] | None = self._row.counted_by.get(MARKS) if self._row is not None else None
        return marking.known_by(self._connection, since) if kept is None else kept

    def _looks(self) -> QuerySet[Look]:
        """What was published until this moment."""
        return Look.objects.filter(
            action__connection=self._connection,
            kind__in=PUBLISHED,
            result__isnull=False,
            computed_at__lte=self._as_of,
        )

    def _look_up(self) -> Iterator[dict[Reads, Touched]]:
        if self._since is None or not self._reads:
            return
        with self._warehouse.sibling() as other:
            yield touched(other, self._reads, self._connection, since=self._since)


def reads_of(metric: Metric) -> Reads | None:
    """What a metric counts; None for those that get no verdict, which nothing can change."""
    if metric.family is None:
        return None
    if metric.date_basis == "opened":
        return TIMED if metric.family == "time" else COUNTED
    return BY_METRIC.get(metric.id) or BY_BASIS[metric.date_basis]


def touched(
    warehouse: Warehouse, reads: Collection[Reads], connection: str, *, since: datetime
) -> dict[Reads, Touched]:
    """The local days whose cells may have changed since a moment, and by what; one statement a table."""
    bound = {"connection": connection, "since": since.isoformat()}
    found: dict[Reads, Touched] = {one: {} for one in reads}
    if not found:
        return found
    happened = warehouse.arrow(f"SELECT DISTINCT kind, field FROM change_log {LATE}", bound).to_pylist()
    fields = {(row["kind"], row["field"]) for row in happened}
    for table in sorted({one.table for one in reads}):
        of_table = [one for one in found if one.table == table]
        columns = warehouse.arrow(_late_days(of_table, fields), bound).to_pydict()
        days = zip(*(columns[f"d{number}"] for number in range(len(of_table))), strict=True)
        for what, n, row in zip(columns["what"], columns["n"], days, strict=True):
            for one, day in zip(of_table, row, strict=True):
                if day is not None:
                    found[one].setdefault(int(day), Counter())[f"{one.kind} {what}"] += int(n)
    return found


def _late_days(of_table: Sequence[Reads], happened: Collection[tuple[str, str]]) -> str:
    """SQL: on how many records what happened, by the days that they count on or did before: a column for each reading.

    ``happened``: the kinds and fields that changed at all. What did not is not looked for.
    """
    kind, table = of_table[0].kind, of_table[0].table
    mine = "t.connection = $connection"
    names = [f"d{number}" for number in range(len(of_table))]

    def named(days: Iterable[str]) -> str:
        return ", ".join(f"{day} AS {name}" for day, name in zip(days, names, strict=True))

    def columns(what: str, when: str) -> str:
        parts = (f"CASE WHEN {when.format(loud=one.loud)} AND {one.only} THEN t.{one.day} END" for one in of_table)
        return f"{what} AS what, {named(parts)}"

    parts = [
        f"SELECT {columns(NEW, 'true')} FROM {table} t WHERE {mine} AND t.first_seen_at > $since::TIMESTAMPTZ",
        f"SELECT {columns(GONE, 'true')} FROM {table} t WHERE {mine} AND t.vanished_at > $since::TIMESTAMPTZ",
    ]
    if any(name == kind for name, _ in happened):
        by, key = OWN_KEY.get(table, ("key_hash", "c.key"))
        found = columns("c.field", "{loud}")
        if (kind, BREACHED) in happened and DECIDED in of_table:
            loud = (f"[CASE WHEN {one.loud} AND {one.only} THEN t.{one.day} END]" for one in of_table)
            both = (
                f"list_concat({day}, {LEFT})" if one == DECIDED else day
                for one, day in zip(of_table, loud, strict=True)
            )
            found = f"c.field AS what, {named(f'unnest({days})' for days in both)}"
        parts.append(_of_changed(table, by, key, found, f"c.kind = '{kind}'"))
        old = f"epoch_us(TRY_CAST(c.old AS TIMESTAMPTZ)) // {DAY_US}"
        was = (
            f"unnest(CASE WHEN c.field IN ({', '.join(map(repr, one.instants))}) THEN [{old}, {_beside(old)}] END)"
            for one in of_table
        )
        parts.append(f"SELECT c.field, {named(was)} FROM late c WHERE c.kind = '{kind}' AND c.old IS NOT NULL")
    if table in BORROWING and any(("ticket", name) in happened for name in LENDING):
        lent = f"c.kind = 'ticket' AND c.field IN ({', '.join(map(repr, LENDING))})"
        parts.append(_of_changed(table, "ticket_hash", "c.key", columns("c.field", "true"), lent))
    if table in BORROWING:  # what came before its ticket borrows from it since
        days = named(f"unnest([t.{one.day}, {_in_other_zones(one)}])" for one in of_table)
        parts.append(
            f"SELECT '{TICKET_CAME}', {days} FROM tickets k JOIN {table} t ON t.ticket_hash = k.key_hash "
            "WHERE k.connection = $connection AND k.first_seen_at > $since::TIMESTAMPTZ "
            "AND t.first_seen_at < k.first_seen_at"
        )
    for whose in {kind, "ticket"} if table in BORROWING else {kind}:
        if (whose, "country") in happened:
            by, key = OWN_KEY.get(table, ("key_hash", "c.key")) if whose == kind else ("ticket_hash", "c.key")
            days = named(f"unnest([{_in_other_zones(one)}])" for one in of_table)
            moved = f"c.kind = '{whose}' AND c.field = 'country'"
            parts.append(_of_changed(table, by, key, f"c.field, {days}", moved))
    sets = ", ".join(f"(what, {name})" for name in names)
    return (
        f"WITH late AS MATERIALIZED (SELECT kind, key, field, old, new FROM change_log {LATE}) "
        f"SELECT what, {', '.join(names)}, count(*) AS n FROM ({' UNION ALL '.join(parts)}) "
        f"GROUP BY GROUPING SETS ({sets})"
    )


def _beside(day: str) -> str:
    """SQL: the day before a Monday and after a Sunday, else NULL: where a record of this UTC day may count, too, in the
    week of another zone.
    """
    return f"CASE (({day}) + 3) % 7 WHEN 0 THEN {day} - 1 WHEN 6 THEN {day} + 1 END"


#: SQL: the day on which a clock counted before it was found breached, or not: when it stopped, or when it ran out.
_OTHER = f"(CASE WHEN t.is_breached THEN t.end_day ELSE epoch_us(t.breach_at) // {DAY_US} END)"
#: SQL, a list: the days of the week that such a clock leaves; empty where its week stays, or another field changed.
LEFT = (
    f"CASE WHEN c.field = '{BREACHED}' THEN list_filter([{_OTHER}, {_beside(_OTHER)}], "
    "lambda day: day IS NOT NULL AND (day + 3) // 7 IS DISTINCT FROM (t.decided_day + 3) // 7) ELSE [] END"
)


def _in_other_zones(one: Reads) -> str:
    """SQL, a list's inside: the days on which a record of another country may have counted, by its UTC days."""
    days = [f"epoch_us(t.{instant}) // {DAY_US}" for instant in one.instants]
    return ", ".join([*days, *map(_beside, days)])


def _of_changed(table: str, by: str, key: str, columns: str, only: str) -> str:
    """SQL: something of the records (t) that entries of the change log (c) are about.

    They are told by one number each, which is a third of the time of comparing keys: two keys of one number would have
    a look read again for nothing.
    """
    return f"SELECT {columns} FROM late c JOIN {table} t ON t.{by} = hash($connection, {key}) WHERE {only}"


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
    return found + _marked(look, marks)


def _marked(look: Look, marks: Iterable[MarkedChange]) -> Counter[str]:
    """How many of the marks hold for a look's action; empty where none does."""
    return +Counter({"marked change": sum(marking.holds_for(mark, look.action) for mark in marks)})


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
