"""Fields of an improvement record that people set on the platform, as they read them there: labels and names."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from connectors.answers import Declined
from connectors.servicenow.columns import Columns
from connectors.servicenow.records import Mode
from connectors.servicenow.tables import Column, Instance, Row
from improvement.errors import PermissionMissing
from improvement.records import EDITED_THERE, SET_THERE, PlatformField

SEVERAL = ("glide_list", "list")  # sys_ids with commas between


class Shown:
    """The columns of one mode that carry these fields; :meth:`learn` the names behind several references first."""

    def __init__(self, instance: Instance, mode: Mode, columns: Columns) -> None:
        self.instance = instance
        self.columns = {name: column for name in (*EDITED_THERE, *SET_THERE) if (column := columns.shown(name))}
        ranked = self.columns.get("priority")
        self._labels: dict[str, str] = {}  # of priorities, by stored value
        if ranked is not None:
            self._labels = instance.choices(mode.table, f"^element={ranked.element}").get(ranked.element, {})
        self._names: dict[str, str] = {}

    @property
    def paths(self) -> list[str]:
        """What is asked for: the columns, and the names of what single ones refer to."""
        names = [f"{column.element}.name" for column in self.columns.values() if _is_single(column)]
        return [*(column.element for column in self.columns.values()), *names]

    @property
    def audited(self) -> tuple[str, ...]:
        """Columns whose author matters; progress is rolled up by the platform."""
        return tuple(column.element for name, column in self.columns.items() if name != "percent_complete")

    def learn(self, rows: Iterable[Row]) -> None:
        """Read the names of all that the lists of these rows hold; what we may not read stays without."""
        found = list(rows)
        for column in (one for one in self.columns.values() if one.type in SEVERAL and one.reference):
            ids = {key for row in found for key in row.get(column.element, "").split(",")}
            try:
                named = self.instance.rows_of(column.reference, "sys_id", ids, "", ("sys_id", "name"))
            except (PermissionMissing, Declined):
                continue
            self._names |= {row["sys_id"]: row.get("name", "") for row in named}

    def of(self, row: Row, changed_by: Callable[[str], str | None]) -> dict[str, PlatformField]:
        """Every field that can be told; one whose name is hidden from us is left out, because it is not empty."""
        found = {}
        for name, column in self.columns.items():
            value = self._value(name, column, row)
            if value is not None:
                found[name] = PlatformField(value=value, changed_by=changed_by(column.element))
        return found

    def _value(self, name: str, column: Column, row: Row) -> str | None:
        stored = row.get(column.element, "")
        if not stored:
            return ""
        if column.type in SEVERAL:
            names = [self._names.get(key, "") for key in stored.split(",")]
            return ", ".join(sorted(names)) if all(names) else None
        if column.reference:
            return row.get(f"{column.element}.name") or None
        return self._labels.get(stored, stored) if name == "priority" else stored


def _is_single(column: Column) -> bool:
    return bool(column.reference) and column.type not in SEVERAL
