"""Tables of rows in memory, ordered by (sys_updated_on, sys_id): what keyset paging asks for.

A row is a list of strings in the order of its table's columns, the first two being ``sys_id`` and
``sys_updated_on``. Rows are replaced, never changed in place, so that an index can tell old from new.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from operator import itemgetter

Row = list[str]

SYS_ID, UPDATED = 0, 1
_KEY = itemgetter(UPDATED, SYS_ID)
AFTER_ALL_IDS = "~"  # sorts after every hexadecimal id


class Table:
    """The rows of one table.

    ``version`` grows with every change, so that a caller can keep counts until then.
    """

    def __init__(self, name: str, columns: tuple[str, ...]) -> None:
        if columns[:2] != ("sys_id", "sys_updated_on"):
            raise ValueError(f"{name}: the first two columns of a table are sys_id and sys_updated_on")
        self.name = name
        self.columns = columns
        self.position = {column: index for index, column in enumerate(columns)}
        self.rows: dict[str, Row] = {}
        self.version = 0
        self._order: list[Row] = []
        self._fresh: dict[str, Row] = {}
        self._stale: list[Row] = []
        self._by_id: tuple[int, list[str]] = (-1, [])

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows.values())

    def put(self, row: Row) -> None:
        """Insert a row, or replace the one of the same sys_id by this new list."""
        sys_id = row[SYS_ID]
        former = self.rows.get(sys_id)
        if former is not None and self._fresh.get(sys_id) is not former:
            self._stale.append(former)
        self.rows[sys_id] = row
        self._fresh[sys_id] = row
        self.version += 1

    def remove(self, sys_id: str) -> Row | None:
        """Delete a row and answer it; None where there is none."""
        row = self.rows.pop(sys_id, None)
        if row is not None:
            if self._fresh.pop(sys_id, None) is None:
                self._stale.append(row)
            self.version += 1
        return row

    def ordered(self) -> list[Row]:
        """All rows by (sys_updated_on, sys_id). The list is the table's own: read only."""
        if self._fresh or self._stale:
            self._reorder()
        return self._order

    def ids(self) -> list[str]:
        """All sys_ids in order. The list is the table's own: read only."""
        if self._by_id[0] != self.version:
            self._by_id = (self.version, sorted(self.rows))
        return self._by_id[1]

    def range(self, low: tuple[str, str], high: tuple[str, str]) -> tuple[int, int]:
        """Positions in :meth:`ordered` of the rows with low ≤ (sys_updated_on, sys_id) < high."""
        order = self.ordered()
        begin = bisect_left(order, low, key=_KEY)
        return begin, max(begin, bisect_left(order, high, key=_KEY))

    def places(self, keys: Iterable[tuple[str, str]]) -> list[int]:
        """Positions in :meth:`ordered` of the rows with these (sys_updated_on, sys_id)."""
        order = self.ordered()
        return [bisect_left(order, key, key=_KEY) for key in keys]

    def _reorder(self) -> None:
        if self._stale:
            # Found by bisection and cut out run by run: of a large table few rows change, and some of these are old.
            places = sorted(bisect_left(self._order, _KEY(row), key=_KEY) for row in self._stale)
            kept = self._order[: places[0]]
            for place, following in zip(places, (*places[1:], len(self._order)), strict=True):
                kept += self._order[place + 1 : following]
            self._order = kept
        fresh = sorted(self._fresh.values(), key=_KEY)
        first = bisect_left(self._order, _KEY(fresh[0]), key=_KEY) if fresh else len(self._order)
        self._order[first:] = sorted(self._order[first:] + fresh, key=_KEY)
        self._fresh = {}
        self._stale = []


def first_index(tables: Iterable[Table], sys_id: str) -> tuple[Table, Row] | None:
    """The table and row of this sys_id among several tables."""
    for table in tables:
        row = table.rows.get(sys_id)
        if row is not None:
            return table, row
    return None
