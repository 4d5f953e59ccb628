"""Growing Arrow columns row by row, and finishing them as a canonical table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.base import Rejected
from improvement.records import SCHEMAS, UTC_MICROSECONDS, RecordKind


class Columns:
    """Rows of one record kind, as one Python list a column.

    Time columns take Jira's text (ISO 8601 with offset) or epoch milliseconds, not both in one column. ``owner`` of a
    row is the issue it came from: when an issue comes twice, only the rows of its last coming count.
    """

    def __init__(self, kind: RecordKind, connection: str) -> None:
        self.kind = kind
        self._schema = SCHEMAS[kind]
        self._connection = connection
        self.lists: dict[str, list[Any]] = {name: [] for name in self._schema.names if name != "connection"}
        self._owners: list[int] = []
        self._coming = 0
        self._last: dict[str, int] = {}
        self._has_repeats = False

    def __len__(self) -> int:
        return len(self._owners)

    def begin(self, issue_id: str) -> None:
        """The rows that follow belong to this issue."""
        self._coming += 1
        if issue_id in self._last:
            self._has_repeats = True
        self._last[issue_id] = self._coming

    def end_row(self) -> None:
        """All columns of a row have been appended."""
        self._owners.append(self._coming)

    def finish(self, until: datetime) -> tuple[pa.Table, list[Rejected]]:
        """The rows as a table, without those updated after ``until``, and start anew."""
        rejected: list[Rejected] = []
        arrays = [self._array(field, rejected) for field in self._schema]
        table = pa.Table.from_arrays(arrays, schema=self._schema)
        keep = self._mask(rejected)
        if keep is not None:
            table = table.filter(pa.array(keep))
        late = pc.greater(table["updated_at"], pa.scalar(until, UTC_MICROSECONDS))
        if pc.any(late).as_py():
            table = table.filter(pc.invert(late))
        self._clear()
        return table, rejected

    def _clear(self) -> None:
        """Forget the rows but keep the list objects: others hold their ``append``."""
        for values in self.lists.values():
            values.clear()
        self._owners.clear()
        self._last.clear()
        self._coming = 0
        self._has_repeats = False

    def _mask(self, rejected: Sequence[Rejected]) -> np.ndarray[Any, Any] | None:
        keep = None
        if self._has_repeats:
            last = np.fromiter(self._last.values(), np.int64, len(self._last))
            keep = np.isin(np.array(self._owners, np.int64), last)
        if rejected:
            bad = {record.id for record in rejected}
            good = np.array([id not in bad for id in self.lists["id"]], bool)
            keep = good if keep is None else keep & good
        return keep

    def _array(self, field: pa.Field, rejected: list[Rejected]) -> pa.Array:
        if field.name == "connection":
            return pa.array([self._connection], pa.string()).take(pa.array(np.zeros(len(self), np.int32)))
        values = self.lists[field.name]
        if pa.types.is_timestamp(field.type):
            return self._times(field, values, rejected)
        try:
            return pa.array(values, field.type)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            return self._one_by_one(field, values, rejected)

    def _times(self, field: pa.Field, values: list[Any], rejected: list[Rejected]) -> pa.Array:
        sample = next((value for value in values if value is not None), None)
        if sample is None:
            return pa.nulls(len(values), field.type)
        if isinstance(sample, int):
            return pc.multiply(pa.array(values, pa.int64()), 1000).cast(UTC_MICROSECONDS)
        try:
            return pa.array(values, pa.string()).cast(UTC_MICROSECONDS)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            return self._one_by_one(field, values, rejected)

    def _one_by_one(self, field: pa.Field, values: list[Any], rejected: list[Rejected]) -> pa.Array:
        """Some value cannot be read: find which, note it, and leave it empty."""
        read: list[Any] = []
        for row, value in enumerate(values):
            try:
                if pa.types.is_timestamp(field.type) and value is not None:
                    moment = datetime.fromisoformat(value)
                    read.append(moment if moment.tzinfo is not None else None)
                else:
                    read.append(pa.scalar(value, field.type).as_py())
            except (ValueError, TypeError, OverflowError) as error:
                read.append(None if field.nullable else _blank(field.type))
                rejected.append(Rejected(kind=self.kind, id=self.lists["id"][row], field=field.name, reason=str(error)))
        return pa.array(read, field.type)


def _blank(kind: pa.DataType) -> Any:
    """A value for a column that may not be empty, in a row that is left out anyway."""
    return {pa.int64(): 0, pa.bool_(): False, pa.float64(): 0.0}.get(kind, "")
