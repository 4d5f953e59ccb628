"""From a table's raw rows to one canonical Arrow batch, column by column, and the rows that could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.base import Rejected
from connectors.mapping import FieldMap
from connectors.servicenow import overdue
from connectors.servicenow.lookups import Lookups
from connectors.servicenow.parsing import NULL, parsed
from connectors.servicenow.plan import Candidate, Plan
from connectors.servicenow.rows import Position, Rows
from connectors.servicenow.surveys import Scores
from improvement.records import SCHEMAS, UTC_MICROSECONDS, RecordKind

EMPTY_MEANS = {pa.bool_(): "false", pa.int64(): "0"}


class Batch:
    """Raw rows on their way to a canonical batch."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.num_rows = 0
        self.left_out: set[str] = set()  # fields that records came without
        self._pages: list[Rows] = []

    def add(self, rows: Rows) -> None:
        """Add a page."""
        self._pages.append(rows)
        self.num_rows += len(rows)
        self.left_out |= rows.left_out

    @property
    def position(self) -> Position:
        """The key of its last row."""
        return self._pages[-1].key(-1)

    def canonical(
        self, lookups: Lookups, scores: Scores | None, *, connection: str, default_country: str | None, until: datetime
    ) -> tuple[pa.Table, tuple[Rejected, ...]]:
        """The rows as canonical records, without those that could not be read, and why those could not.

        The raw rows are given up: while the caller loads the records, only these are in memory.
        """
        kind, schema = self.plan.source.kind, SCHEMAS[self.plan.source.kind]
        raw = [pa.concat_arrays(parts) for parts in zip(*(page.columns for page in self._pages), strict=True)]
        self._pages = []
        if not raw:
            return schema.empty_table(), ()
        bad = _BadRows(kind, raw[0])
        columns: dict[str, pa.Array] = {}
        for wanted in schema:
            if wanted.name == "connection":
                columns["connection"] = _repeated(connection, self.num_rows)
                continue
            text = _text(self.plan, wanted, raw, lookups, self.num_rows)
            if wanted.name == "country" and default_country is not None:
                text = pc.fill_null(text, default_country)
            columns[wanted.name], unread = parsed(text, wanted)
            bad.add(wanted, text, unread)
        _complete(kind, columns, self.plan, raw, until)
        if scores is not None:
            _add_scores(columns, scores, raw)
            bad.add_named("score", scores.unseen)
        for wanted in schema:
            if not wanted.nullable:
                bad.add_missing(wanted, columns[wanted.name])
        return bad.without(columns, schema), tuple(bad.rejected.values())


class _BadRows:
    """The rows that cannot become canonical records: index → the first reason."""

    def __init__(self, kind: RecordKind, ids: pa.Array) -> None:
        self.kind = kind
        self.ids = ids
        self.rejected: dict[int, Rejected] = {}

    def add(self, wanted: pa.Field, text: pa.Array, unread: pa.Array | None) -> None:
        if unread is None:
            return
        meant = "a time" if wanted.type == UTC_MICROSECONDS else str(wanted.type)
        for index in pc.indices_nonzero(unread).to_pylist():
            self._reject(index, wanted.name, f"“{str(text[index])[:80]}” cannot be read as {meant}")

    def add_missing(self, wanted: pa.Field, column: pa.Array) -> None:
        if column.null_count == 0:
            return
        for index in pc.indices_nonzero(pc.is_null(column)).to_pylist():
            self._reject(index, wanted.name, "is empty, but a record without it cannot be counted")

    def add_named(self, name: str, reasons: Mapping[str, str]) -> None:
        """Those of these ids, each with its reason."""
        for index, id in enumerate(self.ids.to_pylist()) if reasons else ():
            if id in reasons:
                self._reject(index, name, reasons[id])

    def without(self, columns: dict[str, pa.Array], schema: pa.Schema) -> pa.Table:
        """The canonical table of the other rows."""
        arrays = [columns[name] for name in schema.names]
        if self.rejected:
            keep = [index for index in range(len(self.ids)) if index not in self.rejected]
            arrays = [pc.take(column, pa.array(keep, pa.int64())) for column in arrays]
        return pa.Table.from_arrays(arrays, schema=schema)

    def _reject(self, index: int, name: str, reason: str) -> None:
        key = str(self.ids[index]) or "(no sys_id)"
        self.rejected.setdefault(index, Rejected(kind=self.kind, id=key, field=name, reason=reason))


def _text(plan: Plan, wanted: pa.Field, raw: list[pa.Array], lookups: Lookups, count: int) -> pa.Array:
    """A canonical field as text: the first candidate with a value, translated by the mapping."""
    if wanted.name == "id":
        return raw[0]
    if wanted.name == "updated_at":
        return raw[1]
    field = plan.source.fields.get(wanted.name)
    if field is None:
        return _repeated(None if wanted.nullable else EMPTY_MEANS.get(wanted.type), count)
    if not field.fields:
        return _repeated(field.constant, count)
    column: pa.Array | None = None
    for candidate in plan.candidates[wanted.name]:
        values = _walked(candidate, raw, lookups)
        column = values if column is None else pc.coalesce(column, values)
    translated = _repeated(None, count) if column is None else field.translate_column(pc.fill_null(column, ""))
    return translated if wanted.nullable else _filled(translated, field, wanted)


def _walked(candidate: Candidate, raw: list[pa.Array], lookups: Lookups) -> pa.Array:
    values = raw[candidate.index]
    for table, element in candidate.hops:
        values = lookups.resolve(table, element, values)
    return pc.if_else(pc.equal(values, ""), NULL, values)


def _filled(text: pa.Array, field: FieldMap, wanted: pa.Field) -> pa.Array:
    """An empty value of a field every record must have: what the mapping says of other values, else false or 0."""
    other = field.otherwise if field.has_otherwise else EMPTY_MEANS.get(wanted.type)
    return text if other is None else pc.fill_null(pc.if_else(pc.equal(text, ""), NULL, text), _written(other))


def _complete(kind: RecordKind, columns: dict[str, pa.Array], plan: Plan, raw: list[pa.Array], until: datetime) -> None:
    """What no mapping can say: a ticket without a number, stages of the engine of 2011, clocks that stand still."""
    if kind is RecordKind.TICKET:
        columns["number"] = pc.coalesce(columns["number"], columns["id"])
    if kind is RecordKind.SLA and plan.candidates.get("stage"):
        is_breached = pc.equal(raw[plan.candidates["stage"][0].index], "breached")
        if pc.any(is_breached).as_py():
            columns["is_breached"] = pc.or_(pc.fill_null(columns["is_breached"], False), is_breached)
            is_running = pc.and_(is_breached, pc.is_null(columns["end_at"]))
            columns["stage"] = pc.if_else(is_running, "in_progress", columns["stage"])
    if overdue.is_told(plan.source):
        columns["is_breached"] = overdue.breached(columns, until)


def _add_scores(columns: dict[str, pa.Array], scores: Scores, raw: list[pa.Array]) -> None:
    """Answers of a page of surveys; without a score nobody answered."""
    score, low, high = scores.of(raw[0], raw[1], columns["answered_at"])
    columns |= {"score": score, "scale_min": low, "scale_max": high}
    nobody = pa.scalar(None, UTC_MICROSECONDS)
    columns["answered_at"] = pc.if_else(pc.is_null(score), nobody, columns["answered_at"])


def _repeated(value: Any, count: int) -> pa.Array:
    return pa.repeat(NULL if value is None else pa.scalar(_written(value)), count)


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
