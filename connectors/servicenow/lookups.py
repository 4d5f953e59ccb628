"""Reference tables loaded once a pull, so that resolving a reference costs no request per row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from connectors.budget import BudgetSpent
from connectors.servicenow.tables import IDS_PER_QUERY, Instance, Row
from improvement.errors import ConnectionFailed, ShutOut

LARGEST_TABLE = 20_000  # rows; above it the platform dot-walks for us
PAGE = 5_000


class Lookups:
    """Small tables by sys_id. Register what will be asked (:meth:`need`), then :meth:`resolve` whole columns."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._fields: dict[str, set[str]] = defaultdict(set)
        self._loaded: dict[str, dict[str, Row]] = {}
        self._is_small: dict[str, bool] = {}
        self.left_out: set[tuple[str, str]] = set()  # fields that rows of a table came without
        self.hidden: set[str] = set()  # tables that hide rows which were asked for
        self._counted: set[str] = set()  # tables of which that was asked

    def is_small(self, table: str) -> bool:
        """Whether a table may be loaded whole; unknown counts as no."""
        if table not in self._is_small:
            try:
                self._is_small[table] = self._instance.count(table, "") <= LARGEST_TABLE
            except ConnectionFailed:
                self._is_small[table] = False
        return self._is_small[table]

    def need(self, table: str, field: str) -> None:
        """Say that this field of this table will be resolved."""
        if field not in self._fields[table]:
            self._fields[table].add(field)
            self._loaded.pop(table, None)

    def forget(self) -> None:
        """Load afresh next time: companies and services change too."""
        self._loaded.clear()
        self.hidden.clear()
        self._counted.clear()

    def resolve(self, table: str, field: str, ids: pa.Array) -> pa.Array:
        """The field's text for each sys_id of a string column; null for an empty, unknown or hidden reference."""
        encoded = ids.dictionary_encode()
        wanted = encoded.dictionary.to_pylist()
        known = self._rows(table)
        self._add_missing(table, known, wanted)
        found = [known.get(key, {}).get(field) or None for key in wanted]
        return pc.take(pa.array(found, pa.string()), encoded.indices)

    def learn(self, table: str, ids: Iterable[str]) -> None:
        """Load rows of a small table that were not loaded with it."""
        self._add_missing(table, self._rows(table), ids)

    def row(self, table: str, key: str) -> Row:
        """One row of a small table; empty where there is none."""
        return self._rows(table).get(key, {})

    def _rows(self, table: str) -> dict[str, Row]:
        if table not in self._loaded:
            found: dict[str, Row] = {}
            self.left_out = {(name, field) for name, field in self.left_out if name != table}
            last = ""
            while True:
                rows = self._instance.rows(table, f"sys_id>{last}^ORDERBYsys_id", self._names(table), limit=PAGE)
                found |= self._by_id(table, rows)
                if len(rows) < PAGE:  # rows behind a page cut short by access control are fetched when they are asked
                    break
                last = rows[-1]["sys_id"]
            self._loaded[table] = found
        return self._loaded[table]

    def _add_missing(self, table: str, known: dict[str, Row], wanted: Iterable[str]) -> None:
        """Rows that came after the table was loaded, or behind a page cut short; hidden ones are remembered too."""
        missing = [key for key in wanted if key and key not in known]
        if not missing:
            return
        known |= {key: {} for key in missing}
        known |= self._by_id(table, self._instance.rows_of(table, "sys_id", missing, "", self._names(table)))
        unseen = [key for key in missing if not known[key]]
        if unseen and table not in self._counted:  # once a pull: a reference may also point to what was deleted
            self._counted.add(table)
            if self._is_counted(table, unseen[:IDS_PER_QUERY]):  # one request, however many are gone
                self.hidden.add(table)

    def _is_counted(self, table: str, ids: Iterable[str]) -> bool | None:
        """Whether some of these rows are there; None where the platform does not say: nothing is read by that."""
        try:
            return self._instance.is_counted(table, "sys_id", ids)
        except (ShutOut, BudgetSpent):
            raise
        except ConnectionFailed:
            return None

    def _names(self, table: str) -> tuple[str, ...]:
        return ("sys_id", *sorted(self._fields[table]))

    def _by_id(self, table: str, rows: list[Row]) -> dict[str, Row]:
        self.left_out |= {(table, name) for name in self._fields[table] if any(name not in row for row in rows)}
        return {row["sys_id"]: row for row in rows}
