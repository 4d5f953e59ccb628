"""Tombstones: records that are gone from their platform keep their last values and are counted no more."""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from improvement.records import IMPORTED, RecordKind
from workflows.warehouse import noting, numbering
from workflows.warehouse.asking import number_of, rows_of, table_of
from workflows.warehouse.loading import iso_text, key_text, registered
from workflows.warehouse.local_days import refresh_lent
from workflows.warehouse.schema import TABLE_OF
from workflows.warehouse.transactions import transaction

IS_LIVE = "connection = $connection AND vanished_at IS NULL"
IS_BURIED = "connection = $connection AND vanished_at IS NOT NULL"
IS_PULLED = f"NOT starts_with(id, '{IMPORTED}')"  # no platform lists what a person brought in a file
BREACHED = {
    # What a platform counts too: rows by their start, tickets by their creation, whatever became of the clocks.
    "rows": (
        f"SELECT count(*) AS n FROM slas WHERE {IS_LIVE} AND is_breached "
        "AND start_at BETWEEN $since::TIMESTAMPTZ AND $until::TIMESTAMPTZ"
    ),
    "tickets": (
        "SELECT count(DISTINCT t.id) AS n FROM tickets t JOIN slas s ON s.connection = t.connection "
        "AND s.ticket_id = t.id WHERE t.connection = $connection AND t.vanished_at IS NULL AND s.vanished_at IS NULL "
        "AND s.is_breached AND t.created_at BETWEEN $since::TIMESTAMPTZ AND $until::TIMESTAMPTZ"
    ),
}


class Tombstones:
    """Buries and revives records of a warehouse, and says which ones a list of keys leaves out."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    # --- burying ----------------------------------------------------------------------------------------------

    def bury(self, kind: RecordKind, connection: str, ids: Sequence[str], *, seen_at: datetime) -> int:
        """Make tombstones of the live records with these platform ids; returns how many."""
        if not ids:
            return 0
        with registered(self._raw, "named", _table(ids)):
            return self._bury(kind, connection, "id IN (SELECT id FROM named)", seen_at)

    def bury_parts(self, kind: RecordKind, connection: str, *, seen_at: datetime) -> int:
        """Make tombstones of the parts of tickets that are tombstones themselves; returns how many."""
        if not rows_of(self._raw, f"SELECT 1 FROM tickets WHERE {IS_BURIED} LIMIT 1", {"connection": connection}):
            return 0  # the usual case, told in a tenth of the time
        with_them = _of_tickets("key_hash", f"tickets WHERE {IS_BURIED}")
        return self._bury(kind, connection, f"{with_them} AND {IS_PULLED}", seen_at)

    def bury_left_out(
        self, kind: RecordKind, connection: str, whole_of: pa.Array, present_ids: pa.Array, *, seen_at: datetime
    ) -> int:
        """Of tickets of which every part was just read, bury those parts that were not among them."""
        with (
            registered(self._raw, "named", _table(present_ids)),
            registered(self._raw, "whole", _table(whole_of)),
        ):
            inside = _of_tickets("hash($connection, id)", "whole")
            left_out = f"{inside} AND id NOT IN (SELECT id FROM named) AND {IS_PULLED}"
            return self._bury(kind, connection, left_out, seen_at)

    def revive(
        self, kind: RecordKind, connection: str, ids: Sequence[str], parts: Sequence[RecordKind], *, seen_at: datetime
    ) -> int:
        """What was taken for gone is there again: with its last values, and with the parts that went with it."""
        if not ids:
            return 0
        values = {"connection": connection, "seen": seen_at.isoformat()}
        with registered(self._raw, "named", _table(ids)), transaction(self._raw):
            back = f"{IS_BURIED} AND id IN (SELECT id FROM named)"
            revived = self._counted(f"SELECT count(*) AS n FROM {TABLE_OF[kind]} WHERE {back}", values)
            for part in parts if kind is RecordKind.TICKET else ():
                went = (
                    f"EXISTS (SELECT 1 FROM tickets t WHERE t.connection = {TABLE_OF[part]}.connection "
                    f"AND t.id = {TABLE_OF[part]}.ticket_id AND t.vanished_at = {TABLE_OF[part]}.vanished_at)"
                )
                self._mark(part, f"{IS_BURIED} AND ticket_id IN (SELECT id FROM named) AND {went}", "NULL", values)
            self._mark(kind, back, "NULL", values)
            numbering.move_on(self._raw, [connection])
            if kind is RecordKind.TICKET:
                self._lend_again("id IN (SELECT id FROM named)", connection)
        return revived

    # --- comparing --------------------------------------------------------------------------------------------

    def standing(self, kind: RecordKind, connection: str) -> int:
        """How many live records of a kind came from the platform."""
        return self._counted(
            f"SELECT count(*) AS n FROM {TABLE_OF[kind]} WHERE {IS_LIVE} AND {IS_PULLED}", {"connection": connection}
        )

    def live(self, kind: RecordKind, connection: str, ids: Sequence[str]) -> list[str]:
        """Which of these platform ids stand for live records."""
        return self._ids(kind, IS_LIVE, "id IN (SELECT id FROM named)", connection, ids) if ids else []

    def unlisted(self, kind: RecordKind, connection: str, keys: pa.Array) -> list[str]:
        """Platform ids of the live records that a list of keys leaves out."""
        return self._ids(kind, IS_LIVE, f"id NOT IN (SELECT id FROM named) AND {IS_PULLED}", connection, keys)

    def returned(self, kind: RecordKind, connection: str, keys: pa.Array) -> list[str]:
        """Platform ids of tombstones that a list of keys has."""
        return self._ids(kind, IS_BURIED, "id IN (SELECT id FROM named)", connection, keys)

    def unknown(self, kind: RecordKind, connection: str, keys: pa.Array, *, seen_at: datetime) -> list[str]:
        """Which of a list of keys stand for no record here, not even a tombstone; in another order each time."""
        here = f"SELECT id FROM {TABLE_OF[kind]} WHERE connection = $connection"
        sql = f"SELECT id FROM named WHERE id NOT IN ({here}) GROUP BY id ORDER BY hash(id, $seen)"
        with registered(self._raw, "named", _table(keys)):
            values = {"connection": connection, "seen": seen_at.isoformat()}
            found: list[str] = table_of(self._raw, sql, values)["id"].to_pylist()
        return found

    def breached(self, connection: str, of: Literal["rows", "tickets"], *, since: datetime, until: datetime) -> int:
        """How many breached clocks that began in a span are here, or tickets created in it that have one."""
        span = {"connection": connection, "since": since.isoformat(), "until": until.isoformat()}
        return self._counted(BREACHED[of], span)

    def stopped(
        self, connection: str, by: Literal["id", "ticket_id"], *, since: datetime, until: datetime, most: int
    ) -> list[str]:
        """Platform ids of some clocks that stopped in a span, or of their tickets: others for another ``until``."""
        sql = (
            f"SELECT {by} AS named FROM slas WHERE {IS_LIVE} AND {IS_PULLED} AND {by} IS NOT NULL AND end_at BETWEEN "
            f"$since::TIMESTAMPTZ AND $until::TIMESTAMPTZ GROUP BY 1 ORDER BY hash(named, $until) LIMIT {most:d}"
        )
        span = {"connection": connection, "since": since.isoformat(), "until": until.isoformat()}
        found: list[str] = table_of(self._raw, sql, span)["named"].to_pylist()
        return found

    def as_stopped(
        self, connection: str, by: Literal["id", "ticket_id"], ids: Sequence[str], *, until: datetime
    ) -> set[tuple[str, str]]:
        """Of clocks with these platform ids, or of these tickets: id and row hash of those that stopped by a moment."""
        stopped = f"{IS_LIVE} AND {IS_PULLED} AND end_at <= $until::TIMESTAMPTZ"
        sql = f"SELECT id, row_hash FROM slas WHERE {stopped} AND {by} IN (SELECT id FROM named)"
        with registered(self._raw, "named", _table(ids)):
            found = table_of(self._raw, sql, {"connection": connection, "until": until.isoformat()})
        return set(zip(found["id"].to_pylist(), found["row_hash"].to_pylist(), strict=True))

    def unseen(self, connection: str, *, until: datetime, most: int) -> list[str]:
        """Platform ids of some tickets whose values stand since before a moment, and that were not updated in the day
        before it: others for another moment.
        """
        sql = (
            f"SELECT id FROM tickets WHERE {IS_LIVE} AND {IS_PULLED} AND last_seen_at < $until::TIMESTAMPTZ "
            f"AND updated_at < $until::TIMESTAMPTZ - INTERVAL 1 DAY ORDER BY hash(id, $until) LIMIT {most:d}"
        )
        span = {"connection": connection, "until": until.isoformat()}
        found: list[str] = table_of(self._raw, sql, span)["id"].to_pylist()
        return found

    # --- inside -----------------------------------------------------------------------------------------------

    def _bury(self, kind: RecordKind, connection: str, condition: str, seen_at: datetime) -> int:
        values = {"connection": connection, "seen": seen_at.isoformat()}
        gone = f"{IS_LIVE} AND {condition}"
        count = self._counted(f"SELECT count(*) AS n FROM {TABLE_OF[kind]} WHERE {gone}", {"connection": connection})
        if not count:
            return 0
        with transaction(self._raw):
            if kind is RecordKind.TICKET:
                self._raw.execute(
                    f"CREATE OR REPLACE TEMP TABLE moved AS SELECT key_hash FROM tickets WHERE {gone}",
                    {"connection": connection},
                )
            self._mark(kind, gone, "$seen::TIMESTAMPTZ", values)
            numbering.move_on(self._raw, [connection])
            if kind is RecordKind.TICKET:
                refresh_lent(self._raw)
                self._raw.execute("DROP TABLE temp.moved")
        return count

    def _mark(self, kind: RecordKind, condition: str, vanished_at: str, values: Mapping[str, str]) -> None:
        """Set ``vanished_at`` of some records, with an entry in the change log for each."""
        table = TABLE_OF[kind]
        new = "NULL" if vanished_at == "NULL" else iso_text(vanished_at)
        self._raw.execute(
            f"INSERT INTO change_log SELECT '{kind.value}', connection, {key_text(kind, table)}, 'vanished_at', "
            f"{iso_text('vanished_at')}, {new}, $seen::TIMESTAMPTZ FROM {table} WHERE {condition}",
            dict(values),
        )
        if noting.is_on(self._raw):
            rows = f"SELECT * REPLACE (CAST(NULL AS TIMESTAMPTZ) AS vanished_at) FROM {table} WHERE {condition}"
            noting.note(self._raw, kind, 1 if vanished_at == "NULL" else -1, rows, {"connection": values["connection"]})
        bound = dict(values) if "$seen" in vanished_at else {"connection": values["connection"]}
        self._raw.execute(f"UPDATE {table} SET vanished_at = {vanished_at} WHERE {condition}", bound)

    def _lend_again(self, condition: str, connection: str) -> None:
        self._raw.execute(
            "CREATE OR REPLACE TEMP TABLE moved AS SELECT key_hash FROM tickets "
            f"WHERE connection = $connection AND {condition}",
            {"connection": connection},
        )
        refresh_lent(self._raw)
        self._raw.execute("DROP TABLE temp.moved")

    def _ids(
        self, kind: RecordKind, state: str, condition: str, connection: str, ids: pa.Array | Sequence[str]
    ) -> list[str]:
        sql = f"SELECT id FROM {TABLE_OF[kind]} WHERE {state} AND {condition} ORDER BY id"
        with registered(self._raw, "named", _table(ids)):
            found: list[str] = table_of(self._raw, sql, {"connection": connection})["id"].to_pylist()
        return found

    def _counted(self, sql: str, values: Mapping[str, str]) -> int:
        used = {name: value for name, value in values.items() if f"${name}" in sql}
        return number_of(self._raw, sql, used)


def _of_tickets(key_hash: str, tickets: str) -> str:
    """SQL: whether a part belongs to one of these tickets. Looked for by one number a row, found by its key."""
    return f"(ticket_hash IN (SELECT {key_hash} FROM {tickets}) AND ticket_id IN (SELECT id FROM {tickets}))"


def _table(ids: pa.Array | Sequence[str]) -> pa.Table:
    found = ids if isinstance(ids, pa.Array | pa.ChunkedArray) else pa.array(list(ids), pa.string())
    return pa.table({"id": found.cast(pa.string())})
