"""Rows that came along with another kind's search, kept on disk until that kind is pulled.

One issue carries its SLA cycles and its rating, so reading tickets reads those too. They wait here, outside memory,
and are used only by a pull of the same span; whatever goes wrong, the kind is simply searched for itself.
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
        self._writers = {kind: pa.ipc.new_file(str(self._file(kind)), SCHEMAS[kind]) for kind in kinds}
        self._left = set(kinds)

    def _file(self, kind: RecordKind) -> Path:
        return Path(self._directory.name) / f"{kind.value}.arrow"

    def add(self, kind: RecordKind, table: pa.Table) -> None:
        """Keep rows."""
        self._writers[kind].write_table(table)

    def seal(self) -> None:
        """The search came to its end: what is here is all there is."""
        for writer in self._writers.values():
            writer.close()
        self.is_complete = True

    def serves(self, kind: RecordKind, since: datetime | None, until: datetime) -> bool:
        """Whether these rows are all that changed in the span asked for."""
        covers = self.since is None or (since is not None and since >= self.since)
        return self.is_complete and kind in self._left and covers and until == self.until

    def take(self, kind: RecordKind) -> Iterator[pa.Table]:
        """The kept rows of a kind, once; the files go when every kind was taken."""
        with pa.OSFile(str(self._file(kind))) as source, pa.ipc.open_file(source) as reader:
            for number in range(reader.num_record_batches):
                yield pa.Table.from_batches([reader.get_batch(number)])
        self._left.discard(kind)
        if not self._left:
            self.discard()

    def discard(self) -> None:
        """Remove the files."""
        self.is_complete = False
        self._directory.cleanup()
