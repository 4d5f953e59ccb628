"""The weeks in which counts may be other than they were at a moment: records new, changed, gone or back since then.

What a count depends on is read from its SQL: the columns it names, and through them the fields whose changes the
change log keeps. So a metric that reads another field tomorrow is counted again for it, with nothing to remember here.
A day is local; of an instant that was overwritten only the UTC day is known, so both neighbours count as touched.
"""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from improvement import weeks
from improvement.records import RecordKind
from workflows.warehouse.asking import rows_of
from workflows.warehouse.schema import BORROWERS, LENDING, TABLE_OF

TAU_H = 336  # what restricted times are restricted to, at most
ALWAYS = frozenset({"new", "vanished_at", "country"})  # these move every count; a country because it has a zone
DAY_US = 86_400_000_000

#: Derived column → the fields it is computed from.
MADE_OF: dict[str, tuple[str, ...]] = {
    "opened_day": ("opened_at",),
    "resolved_day": ("resolved_at",),
    "closed_day": ("closed_at",),
    "done_at": ("resolved_at", "closed_at", "state"),
    "done_day": ("resolved_at", "closed_at", "state"),
    "open_s": ("opened_at", "resolved_at", "closed_at", "state"),
    "decided_at": ("is_breached", "breach_at", "end_at"),
    "decided_day": ("is_breached", "breach_at", "end_at"),
    "end_day": ("end_at",),
    "clock_s": ("elapsed_s", "start_at", "end_at"),
    "answered_day": ("answered_at",),
    "sent_day": ("sent_at",),
}
#: Day column → the instants a record may have been counted by, now or before.
COUNTED_BY: dict[str, tuple[str, ...]] = {
    "opened_day": ("opened_at",),
    "resolved_day": ("resolved_at",),
    "closed_day": ("closed_at",),
    "done_day": ("resolved_at", "closed_at"),
    "decided_day": ("decided_at", "breach_at", "end_at"),
    "end_day": ("end_at",),
    "answered_day": ("answered_at",),
    "sent_day": ("sent_at",),
}
#: Table → instant → the column with its local day, as records stand.
STANDING: dict[str, dict[str, str]] = {
    "tickets": {"opened_at": "opened_day", "resolved_at": "resolved_day", "closed_at": "closed_day"},
    "slas": {"decided_at": "decided_day", "end_at": "end_day"},
    "surveys": {"answered_at": "answered_day", "sent_at": "sent_day"},
}
#: Table → the instants by which its records are counted.
INSTANTS: dict[str, tuple[str, ...]] = {
    "tickets": ("opened_at", "resolved_at", "closed_at"),
    "slas": ("breach_at", "end_at"),
    "surveys": ("answered_at", "sent_at"),
}
KINDS = {table: kind for kind, table in TABLE_OF.items()}
STATES = {"tickets": "state", "slas": "stage"}  # of which most counts only ask whether it is cancelled


@dataclass(frozen=True, slots=True)
class Reads:
    """What a statement depends on: which table, by which days, which fields.

    ``is_restricted``: what became of a ticket after τ is nothing to it.
    """

    table: str
    instants: frozenset[str]
    fields: frozenset[str]
    is_restricted: bool = False

    @classmethod
    def of(cls, sql: str, *, is_restricted: bool) -> Reads:
        """Read from a statement over one table; ``is_restricted``: every one of its times is."""
        table = next(name for name in STANDING if f'"live_{name}"' in sql)
        named = set(re.findall(r'"(\w+)"', sql))
        fields = {made for name in named for made in MADE_OF.get(name, (name,))}
        state = STATES.get(table, "")
        is_only_cancelled = sql.count(f'"{state}"') == sql.count(f"\"{state}\" <> 'cancelled'")
        if state in named and is_only_cancelled and not named & {"done_at", "done_day", "open_s"}:
            fields = (fields - {state}) | {f"{state} cancelled"}
        elif state in fields:
            fields.add(f"{state} cancelled")
        if named & {"end_day", "end_at", "clock_s"}:
            fields.add("end_at late")
        instants = {instant for name in named for instant in COUNTED_BY.get(name, ())}
        return cls(table, frozenset(instants), frozenset(fields), is_restricted)

    def is_moved_by(self, what: str) -> bool:
        """Whether something that happened to a record can move a count."""
        base = what.removesuffix(" beyond")
        return (base in ALWAYS or base in self.fields) and not (self.is_restricted and base != what)


@dataclass(slots=True)
class Touched:
    """What happened since a moment, by table: what → instant → weeks. Looked up when first asked for."""

    raw: Any
    connection: str
    since: datetime
    had_orphans: bool
    _found: dict[str, dict[tuple[str, str], set[int]]] = field(default_factory=dict)

    def weeks(self, reads: Reads) -> set[int]:
        """The weeks whose counts may have moved."""
        if reads.table not in self._found:
            self._found[reads.table] = self._look_up(reads.table)
        found: set[int] = set()
        for (what, instant), touched in self._found[reads.table].items():
            if instant in reads.instants and reads.is_moved_by(what):
                found |= touched
        return found

    def _look_up(self, table: str) -> dict[tuple[str, str], set[int]]:
        bound = {"connection": self.connection, "since": self.since.isoformat()}
        happened = set(rows_of(self.raw, f"SELECT DISTINCT kind, field FROM change_log {LATE}", bound))
        found: dict[tuple[str, str], set[int]] = {}
        sql = (
            f"WITH late AS MATERIALIZED (SELECT kind, key, field, old, new FROM change_log {LATE}) "
            f"SELECT DISTINCT what, instant, week FROM ({' UNION ALL '.join(self._parts(table, happened))}) "
            "WHERE week IS NOT NULL"
        )
        for what, instant, week in rows_of(self.raw, sql, bound):
            found.setdefault((what, instant), set()).add(int(week))
        return found

    def _parts(self, table: str, happened: set[tuple[str, str]]) -> Iterable[str]:
        """The statements that find touched weeks in a table; none that read all of it for what did not happen."""
        kind = KINDS[table].value
        # What surveys are counted by is not all in the change log (their scales): of these the whole record counts.
        seen = "last_seen_at" if table == "surveys" else "first_seen_at"
        yield _standing(table, "'new'", f"FROM {table} t {MINE} AND t.{seen} > $since::TIMESTAMPTZ")
        changed = f"FROM late c JOIN {table} t ON {_key(table)} {MINE} AND c.kind = '{kind}'"
        recent = "AND t.last_seen_at > $since::TIMESTAMPTZ"  # so all but the end of the table is skipped
        yield _standing(table, WHAT[table], f"{changed} AND c.field <> 'vanished_at' {recent}")
        if (kind, "vanished_at") in happened:
            yield _standing(table, "c.field", f"{changed} AND c.field = 'vanished_at'")
        if table == "slas":
            yield _neighbours("c.field", "breach_at", "t.breach_at", f"{changed} AND c.field = 'is_breached' {recent}")
        if (kind, "country") in happened:
            yield from _moved(table, f"{changed} AND c.field = 'country' {recent}")
        if KINDS[table] in BORROWERS:
            yield from self._lent(table, happened)
        for instant in INSTANTS[table]:
            about = f"FROM late c WHERE c.kind = '{kind}' AND c.field = '{instant}'"
            yield _neighbours("c.field", instant, "TRY_CAST(c.old AS TIMESTAMPTZ)", about)

    def _lent(self, table: str, happened: set[tuple[str, str]]) -> Iterable[str]:
        """The same for what records have from their tickets."""
        its = f"JOIN {table} t ON t.ticket_hash = hash($connection, c.key) AND t.ticket_id = c.key {MINE}"
        # Found by one number, then fetched: a fraction of the time of scanning all that is asked of them.
        named = f"SELECT hash($connection, key) FROM late WHERE kind = 'ticket' AND field IN ({MOVING})"
        few = f"AND t.rowid IN (SELECT s.rowid FROM {table} s WHERE s.ticket_hash IN ({named}))"
        of_ticket = f"FROM late c {its} {few} AND c.kind = 'ticket' AND c.field"
        if any(("ticket", name) in happened for name in (*LENDING, "vanished_at")):
            yield _standing(table, "c.field", f"{of_ticket} IN ({MOVING})")
        if ("ticket", "country") in happened:
            yield from _moved(table, f"{of_ticket} = 'country'")
        if self.had_orphans:
            new = f"FROM (SELECT id AS key FROM tickets t {MINE} AND t.first_seen_at > $since::TIMESTAMPTZ) c {its}"
            yield _standing(table, "'new'", new)
            yield from _moved(table, new)


MOVING = ", ".join(map(repr, (*LENDING, "vanished_at")))  # what moves the records of a ticket
MINE = "WHERE t.connection = $connection"
LATE = "WHERE connection = $connection AND seen_at > $since::TIMESTAMPTZ"
_IS_CANCELLED = "'cancelled' IN (coalesce(c.old, ''), coalesce(c.new, ''))"
_DONE_AFTER = " AND ".join(
    f"coalesce({instant} >= t.opened_at + INTERVAL {TAU_H} HOUR, true)"
    for instant in (
        *("t.resolved_at", "t.closed_at"),
        *(f"CASE WHEN c.field <> 'state' THEN TRY_CAST(c.{side} AS TIMESTAMPTZ) END" for side in ("old", "new")),
    )
)
WHAT = {  # what happened to a record t, in a word or two
    "tickets": (
        f"CASE WHEN c.field = 'state' AND {_IS_CANCELLED} THEN 'state cancelled' "
        f"WHEN c.field IN ('state', 'resolved_at', 'closed_at') AND {_DONE_AFTER} THEN c.field || ' beyond' "
        "ELSE c.field END"
    ),
    "slas": (
        f"CASE WHEN c.field = 'stage' AND {_IS_CANCELLED} THEN 'stage cancelled' "
        "WHEN c.field = 'end_at' AND c.old IS NULL AND t.is_breached AND t.breach_at IS NOT NULL THEN 'end_at late' "
        "ELSE c.field END"
    ),
    "surveys": "c.field",
}


def _key(table: str) -> str:
    """SQL: whether an entry of the change log is about a record (of clocks: about one of the same ticket)."""
    if KINDS[table] is RecordKind.SLA:
        return (
            "t.ticket_hash = hash($connection, split_part(c.key, '/', 1)) AND t.ticket_id = split_part(c.key, '/', 1)"
        )
    return "t.key_hash = hash($connection, c.key) AND t.id = c.key"


def _standing(table: str, what: str, rest: str) -> str:
    """SQL: the weeks that records count in, as they stand."""
    days = ", ".join(
        f"{{'instant': '{instant}', 'week': (t.{day} + 3) // 7}}" for instant, day in STANDING[table].items()
    )
    return f"SELECT what, d.instant, d.week FROM (SELECT {what} AS what, unnest([{days}]) AS d {rest})"


def _moved(table: str, rest: str) -> Iterable[str]:
    """SQL: the weeks that records may have counted in before they had another country, and so another zone."""
    return (_neighbours("'country'", instant, f"t.{instant}", rest) for instant in INSTANTS[table])


def _neighbours(what: str, instant: str, value: str, rest: str) -> str:
    """SQL: the weeks of an instant's UTC day and of the days beside it."""
    day = f"epoch_us({value}) // {DAY_US}"
    return (
        f"SELECT what, '{instant}' AS instant, (day + 3 + beside) // 7 AS week FROM (SELECT {what} AS what, "
        f"{day} AS day {rest}), (VALUES (-1), (0), (1)) AS b(beside)"
    )


def moving_from(as_of: datetime, tau_h: float) -> int:
    """The first week whose counts move by the passing of time alone after a moment: it has just begun, or matures."""
    lag = -(-round(tau_h) // 168)
    return weeks.week_of(as_of.date()) - 1 - int(lag)


def runs(touched: Iterable[int]) -> list[tuple[int, int]]:
    """Weeks as spans without gaps."""
    found: list[tuple[int, int]] = []
    for week in sorted(touched):
        if found and week <= found[-1][1] + 1:
            found[-1] = (found[-1][0], week)
        else:
            found.append((week, week))
    return found
