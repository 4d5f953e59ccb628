"""Rows that came along with another kind's search, kept on disk until that kind is pulled.

One issue carries its SLA cycles and its rating, so reading tickets reads those too. Whoever wants them along gets them
with the tickets; else they wait here, outside memory, and are used only by a pull of the same span. Whatever goes
wrong, the kind is simply searched for itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from improvement.records import SCHEMAS, RecordKind


class Spool:
    """Tables of several kinds in temporary files."""

    def __init__(self, kinds: list[RecordKind], *, since: datetime | None, until: datetime) -> None:
        self.since = since
        self.until = until
        self.is_complete = False
        self._directory = tempfile.TemporaryDirectory(prefix="regelkreis-jira-")
        self._writers: dict[RecordKind, pa.ipc.RecordBatchFileWriter] = {}
        self._left = set(kinds)
        self._whole_of: dict[RecordKind, list[pa.Array]] = {kind: [] for kind in kinds}  # one for each table kept
        self._rowless: dict[RecordKind, list[pa.Array]] = {kind: [] for kind in kinds}

    def _file(self, kind: RecordKind) -> Path:
        return Path(self._directory.name) / f"{kind.value}.arrow"

    def add(self, kind: RecordKind, table: pa.Table, whole_of: pa.Array) -> None:
        """Keep rows, and of which issues they are all there are (a few bytes each: in memory)."""
        if table.num_rows:
            if kind not in self._writers:
                self._writers[kind] = pa.ipc.new_file(str(self._file(kind)), SCHEMAS[kind])
            self._writers[kind].write_table(table.combine_chunks())
            self._whole_of[kind].append(whole_of)
        else:
            self._rowless[kind].append(whole_of)

    def seal(self) -> None:
        """The search came to its end: what is here is all there is."""
        for writer in self._writers.values():
            writer.close()
        self.is_complete = True

    def serves(self, kind: RecordKind, since: datetime | None, until: datetime) -> bool:
        """Whether these rows are all that changed in the span asked for."""
        return self.is_complete and kind in self._left and self.covers(since) and until == self.until

    def covers(self, since: datetime | None) -> bool:
        """Whether the search began early enough for a kind to be read from ``since`` on."""
        return self.since is None or (since is not None and since >= self.since)

    def rowless(self, kind: RecordKind) -> pa.Array:
        """Issues that came without any row, in tables that held none."""
        return pa.concat_arrays([pa.array([], pa.string()), *self._rowless[kind]])

    def take(self, kind: RecordKind) -> Iterator[tuple[pa.Table, pa.Array]]:
        """The kept rows of a kind, once, each time with the issues they are all of; then the files go."""
        if kind in self._writers:
            with pa.OSFile(str(self._file(kind))) as source, pa.ipc.open_file(source) as reader:
                for number, whole_of in zip(range(reader.num_record_batches), self._whole_of[kind], strict=True):
                    yield pa.Table.from_batches([reader.get_batch(number)]), whole_of
        self._left.discard(kind)
        if not self._left:
            self.discard()

    def discard(self) -> None:
        """Remove the files."""
        self.is_complete = False
        self._directory.cleanup()
