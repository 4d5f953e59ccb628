"""From a table's pages to canonical Arrow batches, column by column."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from connectors.base import Cursor, Page, Rejected
from connectors.mapping import FieldMap, SourceMap
from connectors.servicenow.tables import Instance, stored
from improvement.errors import MappingError
from improvement.records import SCHEMAS, UTC_MICROSECONDS, RecordKind

BATCH_ROWS = 50_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DURATIONS = ("goal_s", "elapsed_s")
LONGEST_TITLE = 4000


@dataclass(slots=True)
class Plan:
    """How one source is read: which raw fields, and how each canonical field is made of them."""

    source: SourceMap
    raw: list[str]
    row_type: Any
    paths: dict[str, list[list[tuple[str, str]]]]  # canonical field → candidates → steps (table, element)


def plan_of(instance: Instance, source: SourceMap) -> Plan:
    """Verify every mapped field against the dictionary before any filter or column is trusted."""
    paths: dict[str, list[list[tuple[str, str]]]] = {}
    raw = ["sys_id", "sys_updated_on"]
    for name, field in source.fields.items():
        candidates = []
        for path in field.fields:
            try:
                steps = instance.verify(source.source, path, used_for=name)
            except MappingError:
                if field.is_optional:
                    continue
                raise
            candidates.append(steps)
            if steps[0][1] not in raw:
                raw.append(steps[0][1])
        paths[name] = candidates
    row_type = msgspec.defstruct("Row", [(element, str, "") for element in raw], gc=False)
    return Plan(source, raw, row_type, paths)


def pull(instance: Instance, plans: list[Plan], cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
    """Stream what changed in these tables; the cursor carries a position per table."""
    kind = plans[0].source.kind
    name = instance.config.name
    positions: dict[str, list[str]] = json.loads(cursor.tiebreak) if cursor and cursor.tiebreak else {}
    overlap = timedelta(seconds=instance.config.overlap_s)
    counted = (instance.reader.requests, instance.reader.retries)
    for plan in plans:
        table = plan.source.source
        since, after_id = positions.get(table, ["1970-01-01 00:00:00", ""])
        if not after_id and table in positions:
            since = stored(datetime.strptime(since, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) - overlap)
        rows: list[Any] = []
        scores = _scores(instance, since, until) if kind is RecordKind.SURVEY else None
        pages = instance.pages(
            table,
            plan.raw,
            since=since,
            after_id=after_id,
            until=stored(until),
            extra=plan.source.filter,
            row_type=plan.row_type,
        )
        for page in pages:
            rows.extend(page)
            if len(rows) >= BATCH_ROWS:
                positions[table] = [rows[-1].sys_updated_on, rows[-1].sys_id]
                yield _page(instance, plan, rows, scores, name, _cursor(positions, until), counted)
                counted = (instance.reader.requests, instance.reader.retries)
                rows = []
        last = rows[-1].sys_updated_on if rows else positions.get(table, [since, ""])[0]
        positions[table] = [last, ""]
        yield _page(instance, plan, rows, scores, name, _cursor(positions, until), counted)
        counted = (instance.reader.requests, instance.reader.retries)


def _cursor(positions: dict[str, list[str]], until: datetime) -> Cursor:
    return Cursor(updated_at=until, tiebreak=json.dumps(positions, sort_keys=True))


def _page(
    instance: Instance,
    plan: Plan,
    rows: list[Any],
    scores: dict[str, tuple[float, float, float]] | None,
    name: str,
    cursor: Cursor,
    counted: tuple[int, int],
) -> Page:
    batch, rejected = _batch(instance, plan, rows, scores, name)
    return Page(
        kind=plan.source.kind,
        batch=batch,
        cursor=cursor,
        rejected=tuple(rejected),
        requests=instance.reader.requests - counted[0],
        retries=instance.reader.retries - counted[1],
    )


def _batch(
    instance: Instance, plan: Plan, rows: list[Any], scores: dict[str, tuple[float, float, float]] | None, name: str
) -> tuple[pa.Table, list[Rejected]]:
    kind = plan.source.kind
    raw = {element: [getattr(row, element) for row in rows] for element in plan.raw}
    rejected: dict[int, Rejected] = {}
    columns: dict[str, pa.Array] = {
        "connection": pa.array([name] * len(rows), pa.string()),
        "id": pa.array(raw["sys_id"], pa.string()),
    }
    for item in SCHEMAS[kind]:
        if item.name in columns:
            continue
        if item.name == "updated_at":
            text = pa.array(raw["sys_updated_on"], pa.string())
        else:
            text = _text(instance, plan, item.name, raw, len(rows))
        columns[item.name] = _typed(text, item, rows, kind, rejected)
    if scores is not None:
        _add_scores(columns, raw["sys_id"], scores)
    if kind is RecordKind.TICKET:
        columns["title"] = pc.utf8_slice_codeunits(columns["title"], 0, LONGEST_TITLE)
    table = pa.table([columns[item.name] for item in SCHEMAS[kind]], schema=_nullable(kind))
    keep = _required(table, kind, rows, rejected)
    return table.filter(keep).cast(SCHEMAS[kind]), list(rejected.values())


def _nullable(kind: RecordKind) -> pa.Schema:
    return pa.schema([pa.field(item.name, item.type) for item in SCHEMAS[kind]])


def _required(table: pa.Table, kind: RecordKind, rows: list[Any], rejected: dict[int, Rejected]) -> pa.Array:
    """Rows that lack what a canonical record must have, or could not be read, are rejected, never dropped silently."""
    bad = set(rejected)
    for item in SCHEMAS[kind]:
        if item.nullable:
            continue
        column = table[item.name]
        if column.null_count:
            for index in pc.indices_nonzero(pc.is_null(column)).to_pylist():
                if index not in bad:
                    bad.add(index)
                    rejected[index] = Rejected(
                        kind=kind, id=rows[index].sys_id, field=item.name, reason="is empty, but must be known"
                    )
    mask = [index not in bad for index in range(table.num_rows)]
    return pa.array(mask, pa.bool_())


def _text(instance: Instance, plan: Plan, name: str, raw: dict[str, list[str]], count: int) -> pa.Array:
    """A canonical field as text: the first candidate with a value, translated by the mapping."""
    field = plan.source.fields.get(name)
    if field is None:
        return pa.nulls(count, pa.string())
    if not field.fields:
        constant = field.constant
        text = str(constant).lower() if isinstance(constant, bool) else None if constant is None else str(constant)
        return pa.array([text] * count, pa.string())
    if not plan.paths[name]:
        return _absent(field, count)
    column: pa.Array | None = None
    for steps in plan.paths[name]:
        values = pa.array(_walk(instance, steps, raw[steps[0][1]]), pa.string())
        values = pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
        column = values if column is None else pc.coalesce(column, values)
    return field.translate_column(pc.fill_null(column, ""))


def _absent(field: FieldMap, count: int) -> pa.Array:
    """An optional field this instance does not have."""
    other = field.otherwise if field.has_otherwise else None
    return pa.array([None if other is None else str(other)] * count, pa.string())


def _walk(instance: Instance, steps: list[tuple[str, str]], values: list[str]) -> list[str | None]:
    """Follow references through small tables loaded once: no request per row."""
    current: list[str | None] = list(values)
    for table, element in steps[1:]:
        rows = instance.lookup(table, (element,))
        found = {key: row[element] for key, row in rows.items()}
        current = [found.get(value) if value else None for value in current]
    return current


def _typed(
    text: pa.Array, item: pa.Field, rows: list[Any], kind: RecordKind, rejected: dict[int, Rejected]
) -> pa.Array:
    try:
        return _parsed(text, item)
    except (pa.ArrowInvalid, ValueError):
        return _parsed_one_by_one(text, item, rows, kind, rejected)


def _parsed(text: pa.Array, item: pa.Field) -> pa.Array:
    if item.type == pa.string():
        return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    if item.type == UTC_MICROSECONDS:
        return pc.strptime(text, format="%Y-%m-%d %H:%M:%S", unit="us").cast(UTC_MICROSECONDS)
    if item.name in DURATIONS:
        moments = pc.strptime(text, format="%Y-%m-%d %H:%M:%S", unit="s")
        return moments.cast(pa.int64())
    if item.type == pa.bool_():
        is_true = pc.is_in(text, pa.array(["true", "1"]))
        return pc.if_else(pc.is_null(text), pa.scalar(None if item.nullable else False, pa.bool_()), is_true)
    if item.type == pa.int64():
        filled = pc.fill_null(text, "0") if item.name.endswith("_count") else text
        return filled.cast(pa.int64())
    return text.cast(item.type)


def _parsed_one_by_one(
    text: pa.Array, item: pa.Field, rows: list[Any], kind: RecordKind, rejected: dict[int, Rejected]
) -> pa.Array:
    """A value in this column cannot be read: find which, keep the others."""
    found = []
    for index, value in enumerate(text.to_pylist()):
        try:
            found.append(_parsed(pa.array([value], pa.string()), item)[0].as_py())
        except (pa.ArrowInvalid, ValueError):
            found.append(None)
            reason = f"“{str(value)[:60]}” cannot be read as {item.type}"
            rejected.setdefault(index, Rejected(kind=kind, id=rows[index].sys_id, field=item.name, reason=reason))
    return pa.array(found, item.type)


def _scores(instance: Instance, since: str, until: datetime) -> dict[str, tuple[float, float, float]]:
    """Answer, scale minimum and maximum by assessment instance; −1 means nobody answered."""
    scales = {key: row for key, row in instance.lookup("asmt_metric", ("min", "max")).items()}
    row_type = msgspec.defstruct(
        "Result",
        [(name, str, "") for name in ("sys_id", "sys_updated_on", "instance", "metric", "actual_value")],
        gc=False,
    )
    found: dict[str, tuple[float, float, float]] = {}
    start = datetime.strptime(since, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    since = stored(max(EPOCH, start - timedelta(days=1))) if start > EPOCH else since
    pages = instance.pages(
        "asmt_metric_result",
        ["sys_id", "sys_updated_on", "instance", "metric", "actual_value"],
        since=since,
        after_id="",
        until=stored(until),
        extra="",
        row_type=row_type,
    )
    for page in pages:
        for row in page:
            value = _number(row.actual_value)
            scale = scales.get(row.metric, {})
            if value is not None and value >= 0:
                found[row.instance] = (value, _number(scale.get("min")) or 1.0, _number(scale.get("max")) or 5.0)
    return found


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _add_scores(columns: dict[str, pa.Array], ids: list[str], scores: dict[str, tuple[float, float, float]]) -> None:
    for position, name in enumerate(("score", "scale_min", "scale_max")):
        values = [scores[key][position] if key in scores else None for key in ids]
        columns[name] = pa.array(values, pa.float64())
    answered = pc.if_else(pc.is_null(columns["score"]), pa.scalar(None, UTC_MICROSECONDS), columns["answered_at"])
    columns["answered_at"] = answered
