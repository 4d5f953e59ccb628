"""Growing Arrow columns page by page, and finishing them as a canonical table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.base import Rejected
from improvement.records import SCHEMAS, UTC_MICROSECONDS, RecordKind

CHUNK_ROWS = 2_000  # Python values become Arrow while they are still in the processor's cache


class Columns:
    """Rows of one record kind.

    Time columns take Jira's text (ISO 8601 with offset) or epoch milliseconds, not both in one column. The *owner* of
    a row is the issue it came from: when an issue comes twice, only the rows of its last coming count.
    """

    def __init__(self, kind: RecordKind, connection: str) -> None:
        self.kind = kind
        self._schema = SCHEMAS[kind]
        self._connection = connection
        self._lists: dict[str, list[Any]] = {name: [] for name in self._schema.names if name != "connection"}
        self._owners: list[str] = []
        self._comings: list[int] = []
        self.whole_of: pa.Array = pa.array([], pa.string())
        self._start_anew()

    def _start_anew(self) -> None:
        self._chunks: list[pa.Table] = []
        self._owned: list[tuple[list[str], list[int]]] = []
        self._rejected: list[Rejected] = []
        self._coming = 0
        self._last: dict[str, int] = {}
        self._has_repeats = False
        self._unreadable: set[str] = set()

    def begin(self, issue_ids: Sequence[str]) -> None:
        """The rows that follow belong to these issues, each of which came once more."""
        self._coming += 1
        if not self._has_repeats and not self._last.keys().isdisjoint(issue_ids):
            self._has_repeats = True
        self._last.update(dict.fromkeys(issue_ids, self._coming))

    def extend(self, owners: Sequence[str], columns: Mapping[str, Sequence[Any]]) -> None:
        """Add rows, given as columns of equal length, with the issue each belongs to."""
        for name, values in self._lists.items():
            values.extend(columns[name])
        self._owners.extend(owners)
        self._comings.extend([self._coming] * len(owners))
        if len(self._owners) >= CHUNK_ROWS:
            self._seal()

    def lacks_row_of(self, issue_ids: Iterable[str]) -> None:
        """A row of these issues could not be read: what else is known of them is no longer contradicted."""
        self._unreadable.update(issue_ids)

    def finish(self, until: datetime) -> tuple[pa.Table, list[Rejected]]:
        """The rows as a table, without those updated after ``until``, and start anew.

        Afterwards ``whole_of`` holds the issues of which every row is in the table.
        """
        self._seal()
        table = pa.concat_tables([self._schema.empty_table(), *self._chunks])
        rejected, issues, unreadable = self._rejected, self._last, self._unreadable
        if self._has_repeats:
            table = table.filter(pa.array(self._of_last_coming(), pa.bool_()))
        self._start_anew()
        late = pc.greater(table["updated_at"], pa.scalar(until, UTC_MICROSECONDS))
        if pc.any(late).as_py():
            if "ticket_id" in table.column_names:
                unreadable |= set(table["ticket_id"].filter(late).to_pylist())
            table = table.filter(pc.invert(late))
        self.whole_of = pa.array([id for id in issues if id not in unreadable], pa.string())
        return table.combine_chunks(), rejected

    def _of_last_coming(self) -> list[bool]:
        last = self._last
        return [
            last[owner] == coming for owned in self._owned for owner, coming in zip(owned[0], owned[1], strict=True)
        ]

    def _seal(self) -> None:
        """The rows so far as Arrow, without those that cannot be read; the list objects are used again."""
        if not self._owners:
            return
        rejected: list[Rejected] = []
        table = pa.Table.from_arrays([self._array(field, rejected) for field in self._schema], schema=self._schema)
        owned = (self._owners, self._comings)
        if rejected:
            bad = {record.id for record in rejected}
            keep = [id not in bad for id in self._lists["id"]]
            self.lacks_row_of(owner for owner, good in zip(self._owners, keep, strict=True) if not good)
            table = table.filter(pa.array(keep, pa.bool_()))
            owned = tuple([item for item, good in zip(part, keep, strict=True) if good] for part in owned)  # type: ignore[assignment]
        self._chunks.append(table)
        self._owned.append(owned)
        self._rejected += rejected
        self._owners, self._comings = [], []
        for values in self._lists.values():
            values.clear()

    def _array(self, field: pa.Field, rejected: list[Rejected]) -> pa.Array:
        if field.name == "connection":
            return pa.repeat(pa.scalar(self._connection), len(self._owners))
        values = self._lists[field.name]
        if pa.types.is_timestamp(field.type):
            return self._times(field, values, rejected)
        try:
            return pa.array(values, field.type)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
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
            except UnicodeEncodeError:  # half of a surrogate pair: no text, but no reason to lose the record
                read.append(value.encode("utf-8", "replace").decode())
            except (ValueError, TypeError, OverflowError) as error:
                read.append(None if field.nullable else _blank(field.type))
                rejected.append(
                    Rejected(kind=self.kind, id=self._lists["id"][row], field=field.name, reason=str(error))
                )
        return pa.array(read, field.type)


def _blank(kind: pa.DataType) -> Any:
    """A value for a column that may not be empty, in a row that is left out anyway."""
    return {pa.int64(): 0, pa.bool_(): False, pa.float64(): 0.0}.get(kind, "")
