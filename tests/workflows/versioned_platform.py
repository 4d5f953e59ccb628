"""A platform in memory whose records change with time: each is a series of versions, shown once their moment has come.

So a ticket is open before it is resolved, a clock runs before it stops, a survey waits before it is answered, and a
record may appear long after what it tells of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from connectors.base import Cursor, Page
from improvement.records import SCHEMAS, RecordKind
from tests.workflows.platform import MemoryPlatform

LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)


@dataclass
class VersionedPlatform(MemoryPlatform):
    """A :class:`MemoryPlatform` of the caller's own records: rows by kind, several with one id are its versions."""

    versions: Mapping[RecordKind, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._shown = {kind: _sorted(kind, rows) for kind, rows in self.versions.items()}

    def kinds(self) -> Sequence[RecordKind]:
        return [kind for kind in RecordKind if kind in self._shown]

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        table, updated = self._shown[kind]
        first, last = (
            np.datetime64(at.replace(tzinfo=None)) for at in (cursor.updated_at if cursor else LONG_AGO, until)
        )
        begin, end = np.searchsorted(updated, first, "left"), np.searchsorted(updated, last, "right")
        batch = table.slice(begin, end - begin)
        newest = list({key: place for place, key in enumerate(batch["id"].to_pylist())}.values())
        if newest:
            batch = batch.take(pa.array(sorted(newest), pa.int64()))
            yield Page(kind=kind, batch=batch, cursor=Cursor(updated_at=until), requests=1)


def _sorted(kind: RecordKind, rows: Sequence[Mapping[str, Any]]) -> tuple[pa.Table, Any]:
    whole = [{**dict.fromkeys(SCHEMAS[kind].names), **row} for row in rows]
    table = pa.Table.from_pylist(whole, schema=SCHEMAS[kind]).sort_by("updated_at")
    return table, table["updated_at"].to_numpy(zero_copy_only=False).astype("datetime64[us]")
