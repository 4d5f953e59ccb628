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
        self.end = until  # where the next pull goes on
        self.is_complete = False
        self._directory = tempfile.TemporaryDirectory(prefix="regelkreis-jira-")
        self._writers: dict[RecordKind, pa.ipc.RecordBatchFileWriter] = {}
        self._left = set(kinds)
        self._beside: dict[RecordKind, list[tuple[pa.Array, datetime]]] = {kind: [] for kind in kinds}  # of each table
        self._rowless: dict[RecordKind, list[pa.Array]] = {kind: [] for kind in kinds}  # since the last table

    def _file(self, kind: RecordKind) -> Path:
        return Path(self._directory.name) / f"{kind.value}.arrow"

    def add(self, kind: RecordKind, table: pa.Table, whole_of: pa.Array, *, reached: datetime) -> None:
        """Keep rows, and of which issues they are all there are (a few bytes each: in memory).

        ``reached``: until when all was read before them.
        """
        if not table.num_rows:
            self._rowless[kind].append(whole_of)
            return
        if kind not in self._writers:
            self._writers[kind] = pa.ipc.new_file(str(self._file(kind)), SCHEMAS[kind])
        self._writers[kind].write_table(table.combine_chunks())
        self._beside[kind].append((pa.concat_arrays([*self._rowless[kind], whole_of]), reached))
        self._rowless[kind].clear()

    def seal(self, end: datetime) -> None:
        """The search came to its end: what is here is all there is until then."""
        for writer in self._writers.values():
            writer.close()
        self.end = end
        self.is_complete = True

    def serves(self, kind: RecordKind, since: datetime | None, until: datetime) -> bool:
        """Whether these rows are all that changed in the span asked for."""
        return self.is_complete and kind in self._left and self.covers(since) and until == self.until

    def covers(self, since: datetime | None) -> bool:
        """Whether the search began early enough for a kind to be read from ``since`` on."""
        return self.since is None or (since is not None and since >= self.since)

    def rowless(self, kind: RecordKind) -> pa.Array:
        """Issues that came without any row, after the last table that held some."""
        return pa.concat_arrays([pa.array([], pa.string()), *self._rowless[kind]])

    def take(self, kind: RecordKind) -> Iterator[tuple[pa.Table, pa.Array, datetime]]:
        """The kept rows of a kind, once, each time with the issues they are all of, and until when all was read before
        them; then the files go.
        """
        if kind in self._writers:
            with pa.OSFile(str(self._file(kind))) as source, pa.ipc.open_file(source) as reader:
                for number, beside in zip(range(reader.num_record_batches), self._beside[kind], strict=True):
                    yield pa.Table.from_batches([reader.get_batch(number)]), *beside
        self._left.discard(kind)
        if not self._left:
            self.discard()

    def discard(self) -> None:
        """Remove the files."""
        self.is_complete = False
        self._directory.cleanup()
