"""Upserts: a batch of canonical records meets the ones that stand, in one transaction.

A batch becomes the temporary table ``incoming`` (one row a record, with local days and row hash) before others have to
wait; ``standing`` has, by their position, those of its rows that replace a record, and what that record is. Only rows
that are new or different are written, so loading the same records again changes nothing.
"""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from improvement.errors import SettingsError
from improvement.records import SCHEMAS, RecordKind
from workflows.warehouse import noting, numbering
from workflows.warehouse.asking import rows_of, table_of
from workflows.warehouse.clocks import ALONE, STANDING_CLOCKS, number_clocks
from workflows.warehouse.local_days import derive_all, lent_columns, local_columns, refresh_lent
from workflows.warehouse.restating import restated
from workflows.warehouse.schema import BORROWERS, LENDING, READ_BY_METRICS, TABLE_OF, derived, forget_mark
from workflows.warehouse.transactions import transaction

TEMPORARY = ("incoming", "standing", "earlier", "moved", "near", "ordered")
DROPPED = "; ".join(f"DROP TABLE IF EXISTS temp.{name}" for name in TEMPORARY)
LARGE = 5_000  # rows of a batch; what a smaller one left behind is replaced by the next, or goes with the connection
IS_CHANGED = "(s.was_hash <> i.row_hash OR s.was_gone)"
BESIDE = "incoming i LEFT JOIN standing s ON s.position = i.position"  # nothing beside a record that is new
# What may be a record's ticket is found by one number a row; only what was found is compared by its key.
_TICKETS = (
    f", near AS MATERIALIZED (SELECT came.position, t.connection, t.id, t.vanished_at, t.{', t.'.join(LENDING)} "
    "FROM came JOIN tickets t ON t.key_hash = hash(came.connection, came.ticket_id))"
)
_ITS_TICKET = "LEFT JOIN near t ON t.position = a.position AND t.connection = a.connection AND t.id = a.ticket_id"


@dataclass(frozen=True, slots=True)
class Zones:
    """In which IANA zone each country's days and weeks are counted."""

    by_country: Mapping[str, str] = field(default_factory=dict)
    default: str = "UTC"


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What one load did. ``read`` = ``new`` + ``changed`` + ``unchanged``; a record that the load holds twice is
    unchanged the second time.

    ``restated``: of the changed ones, those that had been counted as done, decided or answered. ``digest_sha256`` is
    that of the batch's records in canonical order, whatever order they came in. ``write``: the number of this write of
    the connection's records (numbering.py), 0 where nothing was written.
    """

    read: int
    new: int
    changed: int
    unchanged: int
    restated: int
    digest_sha256: str
    write: int = 0


NOTHING = LoadReport(0, 0, 0, 0, 0, hashlib.sha256(b"").hexdigest())


def load(raw: Any, kind: RecordKind, batch: pa.Table, *, seen_at: datetime) -> dict[str, LoadReport]:
    """Upsert a batch by natural key; what that did, by connection. Zones must be in place (:func:`use_zones`)."""
    if batch.num_rows == 0:
        return {}
    schema = SCHEMAS[kind]
    arrived = _without_nul(batch.select(schema.names).cast(pa.schema([item.with_nullable(True) for item in schema])))
    position = pa.array(np.arange(batch.num_rows, dtype=np.int64))
    with registered(raw, "arrived", arrived.append_column("position", position)):  # nobody waits for what is ours alone
        raw.execute(f"CREATE OR REPLACE TEMP TABLE incoming AS {_incoming(kind, has_repeats=_has_repeats(batch))}")
    with transaction(raw):
        for statement in STANDING_CLOCKS if kind is RecordKind.SLA else _standing(kind):
            raw.execute(statement)
        counted = _counted(raw)
        has_changes = any(one.changed for one in counted.values())
        written = [name for name, one in counted.items() if one.new or one.changed]
        numbers: dict[str, int] = {}
        if written:
            if kind is RecordKind.SLA:
                number_clocks(raw)
            _write(raw, kind, seen_at, has_changes=has_changes)
            numbers = numbering.move_on(raw, written)
        restated_records = restated(raw, kind) if has_changes else {}
    if batch.num_rows >= LARGE:
        raw.execute(DROPPED)
    read = {one["values"]: one["counts"] for one in pc.value_counts(batch["connection"]).to_pylist()}
    return {
        name: replace(
            one,
            read=read[name],
            unchanged=read[name] - one.new - one.changed,
            restated=restated_records.get(name, 0),
            write=numbers.get(name, 0),
        )
        for name, one in counted.items()
    }


def use_zones(raw: Any, zones: Zones) -> None:
    """Put the zones in place; when a country's zone changed, the local days of what stands are computed again."""
    wanted = {**zones.by_country, "": zones.default}
    found = dict(rows_of(raw, "SELECT country, zone FROM zones"))
    if found == wanted:
        return
    try:
        with transaction(raw):
            raw.execute("DELETE FROM zones")
            raw.executemany("INSERT INTO zones VALUES (?, ?)", list(wanted.items()))
            raw.execute("SELECT timezone(zone, TIMESTAMPTZ '2024-01-01') FROM zones")
            if found:
                forget_mark(raw)
    except (duckdb.InvalidInputException, duckdb.NotImplementedException) as error:
        raise SettingsError(
            f"A time zone is unknown: {error}",
            mend="Use IANA names, for example Europe/Zurich, in zones and default_zone.",
        ) from error
    if found:
        derive_all(raw)


@contextmanager
def registered(raw: Any, name: str, table: pa.Table) -> Iterator[None]:
    """A table of Arrow under a name that SQL knows, for a while."""
    raw.register(name, table)
    try:
        yield
    finally:
        raw.unregister(name)


def _without_nul(table: pa.Table) -> pa.Table:
    """Texts without U+0000: nobody sees it, and a state in PostgreSQL refuses it, so one would stop every cycle."""
    for place, item in enumerate(table.schema):
        column = table.column(place)
        # Of the bytes behind it, because that takes hardly any time.
        if pa.types.is_string(item.type) and any(
            (data := chunk.buffers()[2]) is not None and b"\0" in data.to_pybytes() for chunk in column.chunks
        ):
            table = table.set_column(place, item, pc.replace_substring(column, "\0", ""))
    return table


def _incoming(kind: RecordKind, *, has_repeats: bool) -> str:
    """One row a record (the latest, where some came more than once), with what is derived from its fields."""
    names = SCHEMAS[kind].names
    plain = ", ".join(f'a."{name}"' for name in names)
    latest = "SELECT * FROM arrived"
    if has_repeats:
        latest += (
            " QUALIFY row_number() OVER (PARTITION BY connection, id "
            "ORDER BY updated_at DESC NULLS LAST, position DESC) = 1"
        )
    own = "a.country" if "country" in names else "NULL"
    beside, join, country = (
        ("", "", own) if kind not in BORROWERS else (_TICKETS, _ITS_TICKET, f"coalesce({own}, t.country)")
    )
    more = "".join(f", {sql} AS {name}" for name, sql in derived(kind, "a.").items())
    more += f", {ALONE.format(clock='a')} AS n" if kind is RecordKind.SLA else ""
    days = ", ".join(f"{sql} AS {name}" for name, sql in local_columns(kind, "zone").items())
    once = "MATERIALIZED " if beside else ""  # what is read once only is faster without
    return (
        f"WITH came AS {once}({latest}){beside}, zoned AS ("
        f"SELECT {plain}, a.position, coalesce(z.zone, d.zone) AS zone{more}{lent_columns(kind)} "
        f"FROM came a {join} LEFT JOIN zones z ON z.country = {country} "
        "CROSS JOIN (SELECT zone FROM zones WHERE country = '') d) "
        f"SELECT * EXCLUDE (zone), {days}, {_row_hash(kind)} AS row_hash FROM zoned"
    )


def _has_repeats(batch: pa.Table) -> bool:
    """Whether a platform id came more than once: rare, and asking is ten times cheaper than sorting the latest out."""
    return bool(pc.count_distinct(batch["id"], mode="all").as_py() < batch.num_rows)


def _row_hash(kind: RecordKind) -> str:
    """MD5 over the canonical fields, without the platform's own update time, which moves for less."""
    parts = []
    for item in SCHEMAS[kind]:
        if item.name != "updated_at":
            value = f'epoch_us("{item.name}")' if pa.types.is_timestamp(item.type) else f'"{item.name}"'
            parts.append(f"coalesce(CAST({value} AS VARCHAR), chr(0))")
    return f"md5(concat_ws(chr(31), {', '.join(parts)}))"  # twice as fast as a chain of ||


def _standing(kind: RecordKind) -> tuple[str, str]:
    """The records that stand under the keys of incoming rows: found by one number, fetched, compared by the key itself.

    Fetched by their place, because scanning the keys of all that stands takes ten times as long.
    """
    table = TABLE_OF[kind]
    return (
        "CREATE OR REPLACE TEMP TABLE near AS SELECT i.position, t.rowid AS was_row "
        f"FROM incoming i JOIN {table} t ON t.key_hash = i.key_hash",
        "CREATE OR REPLACE TEMP TABLE standing AS SELECT n.position, n.was_row, t.row_hash AS was_hash, "
        "t.first_seen_at AS was_first_seen, t.vanished_at IS NOT NULL AS was_gone "
        f"FROM (SELECT *, rowid AS was_row FROM {table} WHERE rowid IN (SELECT was_row FROM near)) t "
        "JOIN near n ON n.was_row = t.was_row "
        "JOIN incoming i ON i.position = n.position AND i.connection = t.connection AND i.id = t.id",
    )


def _counted(raw: Any) -> dict[str, LoadReport]:
    """What will become of the batch's records, by connection; how many rows were read, and stay, is not known here."""
    found = table_of(
        raw,
        "SELECT i.connection, i.row_hash, s.position IS NULL AS is_new, "
        f"coalesce({IS_CHANGED}, false) AS is_changed FROM {BESIDE}",
    )
    reports = {}
    for name in pc.unique(found["connection"]).to_pylist():
        own = found.filter(pc.equal(found["connection"], name))
        new, changed = (pc.sum(own[column]).as_py() for column in ("is_new", "is_changed"))
        hashes = np.sort(own["row_hash"].to_numpy().astype("S32"))
        digest = hashlib.sha256(hashes.tobytes()).hexdigest()
        reports[name] = LoadReport(0, new, changed, 0, 0, digest)
    return reports


def _write(raw: Any, kind: RecordKind, seen_at: datetime, *, has_changes: bool) -> None:
    table, seen = TABLE_OF[kind], {"seen": seen_at.isoformat()}  # as text: a datetime would load pytz
    is_noted = noting.is_on(raw)
    if has_changes:
        fields = ", ".join(f't."{name}"' for name in READ_BY_METRICS[kind])
        raw.execute(
            f"CREATE OR REPLACE TEMP TABLE earlier AS SELECT s.position, s.was_gone, t.vanished_at, {fields} "
            f"FROM {table} t JOIN standing s ON t.rowid = s.was_row JOIN incoming i ON i.position = s.position "
            f"WHERE {IS_CHANGED}"
        )
        raw.execute(f"INSERT INTO change_log {_changes(kind)}", seen)
        changed = f"SELECT s.was_row FROM incoming i JOIN standing s ON s.position = i.position WHERE {IS_CHANGED}"
        replaced = f"FROM {table} WHERE rowid IN ({changed})"
        if is_noted:
            noting.note(raw, kind, -1, replaced)
        raw.execute(f"DELETE {replaced}")
    written = (
        "SELECT i.* EXCLUDE (position), "
        "coalesce(s.was_first_seen, $seen::TIMESTAMPTZ) AS first_seen_at, $seen::TIMESTAMPTZ AS last_seen_at, "
        f"CAST(NULL AS TIMESTAMPTZ) AS vanished_at FROM {BESIDE} WHERE s.position IS NULL OR {IS_CHANGED}"
    )
    raw.execute(f"INSERT INTO {table} BY NAME {written}", seen)
    if is_noted:
        noting.note(raw, kind, 1, written, seen)
    if kind is RecordKind.TICKET:
        _lend_again(raw, has_changes=has_changes)


def _lend_again(raw: Any, *, has_changes: bool) -> None:
    """Tell the SLA rows and surveys of tickets that are new, or lend something else than before."""
    raw.execute(f"CREATE OR REPLACE TEMP TABLE moved AS SELECT i.key_hash FROM {BESIDE} WHERE s.position IS NULL")
    refresh_lent(raw, only_orphans=True)
    if has_changes:
        differs = " OR ".join(f"e.{name} IS DISTINCT FROM i.{name}" for name in LENDING)
        raw.execute(
            "CREATE OR REPLACE TEMP TABLE moved AS SELECT i.key_hash FROM incoming i "
            f"JOIN earlier e USING (position) WHERE e.was_gone OR {differs}"
        )
        refresh_lent(raw)


def _changes(kind: RecordKind) -> str:
    """One row for every changed field that a metric reads; also when a tombstone came back."""
    fields = [
        f"CASE WHEN e.\"{name}\" IS DISTINCT FROM i.\"{name}\" THEN {{'field': '{name}', "
        f"'old': {_text(kind, name, 'e')}, 'new': {_text(kind, name, 'i')}}} END"
        for name in READ_BY_METRICS[kind]
    ]
    fields.append(
        f"CASE WHEN e.was_gone THEN {{'field': 'vanished_at', 'old': {iso_text('e.vanished_at')}, "
        "'new': CAST(NULL AS VARCHAR)} END"
    )
    return (
        f"SELECT '{kind.value}' AS kind, connection, key, c.field, c.old, c.new, $seen::TIMESTAMPTZ AS seen_at "
        f"FROM (SELECT i.connection, {key_text(kind, 'i')} AS key, unnest([{', '.join(fields)}]) AS c "
        "FROM earlier e JOIN incoming i USING (position)) WHERE c IS NOT NULL"
    )


def key_text(kind: RecordKind, alias: str) -> str:
    """The natural key within a connection as text."""
    if kind is not RecordKind.SLA:
        return f"{alias}.id"
    start = iso_text(f"{alias}.start_at")
    return f"concat_ws('/', {alias}.ticket_id, {alias}.sla_id, coalesce({start}, '-'), {alias}.n)"


def _text(kind: RecordKind, name: str, alias: str) -> str:
    column = f'{alias}."{name}"'
    return iso_text(column) if pa.types.is_timestamp(SCHEMAS[kind].field(name).type) else f"CAST({column} AS VARCHAR)"


def iso_text(instant: str) -> str:
    """SQL: an instant as ISO 8601 text."""
    return f"strftime(timezone('UTC', {instant}), '%Y-%m-%dT%H:%M:%SZ')"
