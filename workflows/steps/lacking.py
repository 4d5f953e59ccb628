"""What a platform lists and we lack: hidden from us until now, or missed by an earlier pull. It is read by its ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from connectors.base import Connector, ReadsByIds
from improvement.errors import RegelkreisError
from improvement.plurals import how_many, plural
from improvement.records import RecordKind
from workflows.warehouse import Warehouse

MOST_READ = 2_000  # records read by their ids in one pull; the rest waits for the next

ReadByIds = Callable[[Sequence[str]], int]  # read and load records and what is inside; how many could not be read


@dataclass(frozen=True, slots=True)
class Found:
    """What a list of keys had beyond ours. ``is_left``: more are to be read by the next pull; ``has_failed``: the
    platform did not give what was asked for, so it is asked again when keys are listed next.
    """

    ids: Sequence[str] = ()  # read, and here now
    unreadable: int = 0
    revived: int = 0
    is_left: bool = False
    has_failed: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Lacking:
    """How to get at what we lack of one kind.

    ``unreadable``: ids of records that were read in vain before. ``is_wanted``: whether we want all there is; None:
    nobody wrote down whether a person left out what is old, so a person is asked.
    """

    connector: Connector
    warehouse: Warehouse
    kind: RecordKind
    read_by_ids: ReadByIds
    unreadable: frozenset[str]
    is_wanted: bool | None

    def read(self, keys: pa.Array, *, seen_at: datetime) -> Found:
        """Read what was taken for gone, and what was never here, by their ids; what came back is alive again."""
        stones, name = self.warehouse.tombstones, self.connector.name
        back = stones.returned(self.kind, name, keys)
        unknown = [id for id in stones.unknown(self.kind, name, keys, seen_at=seen_at) if id not in self.unreadable]
        is_able = isinstance(self.connector, ReadsByIds)
        wanted = [*back, *(unknown if self.is_wanted else ())] if is_able else []
        asked = wanted[:MOST_READ]
        unreadable, failure = 0, ""
        try:
            unreadable = self.read_by_ids(asked) if asked else 0
        except RegelkreisError as error:  # what was read until then must be told
            failure = f"Not everything that is not here could be read: {error}"
        # Revived last: whoever is killed before finds them buried, and reads them once more.
        read = [] if failure else back[:MOST_READ] if is_able else back
        stones.revive(self.kind, name, read, self.connector.inside_tickets(), seen_at=seen_at)
        ids = stones.live(self.kind, name, asked[len(back) :])
        left = len(wanted) - len(asked) if ids or back or unreadable else 0  # where nothing came, nothing more will
        notes = [
            self._of_returned(len(read), 0 if is_able else len(read)),
            _of_read(len(ids)),
            failure or (f"{left:,} more are read by the next pull." if left else ""),
            self._of_unread(len(unknown), is_able=is_able),
        ]
        return Found(
            ids, unreadable, len(read), bool(left) and not failure, bool(failure), [note for note in notes if note]
        )

    def _of_returned(self, count: int, unread: int) -> str:
        if not count:
            return ""
        told = (
            f"{how_many(count, 'record that was', 'records that were')} taken for gone "
            f"{plural(count, 'is', 'are')} there again"
        )
        if not unread:
            return f"{told}, and {plural(count, 'was', 'were')} read anew."
        since = f"`regelkreis pull {self.connector.name} --since DATE` reads what changed meanwhile"
        return f"{told}, with {plural(count, 'its', 'their')} last values; {since}."

    def _of_unread(self, count: int, *, is_able: bool) -> str:
        """What to do about records that nobody reads by their ids; "" where there is nothing to do."""
        if not count:
            return ""
        told = f"The platform lists {how_many(count, 'record that is', 'records that are')} not here"
        if self.is_wanted is None and is_able:
            return f"{told}; `regelkreis pull {self.connector.name} --reconcile` reads them."
        if self.is_wanted is not False and not is_able:
            return f"{told}; `regelkreis pull {self.connector.name} --since DATE` reads those updated since then."
        return ""


def _of_read(count: int) -> str:
    if not count:
        return ""
    return (
        f"{how_many(count, 'record')} that the platform has {plural(count, 'was', 'were')} not here: hidden "
        "from us until "
        f"now, or missed. {plural(count, 'It was read by its id.', 'They were read by their ids.')}"
    )
