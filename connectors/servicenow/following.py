"""Read improvement records as people left them: state, owner, tasks, approvals, comments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from connectors.servicenow.records import MODES, STATE_OF_LABEL, Mode
from connectors.servicenow.tables import Instance, Row
from improvement.records import PlatformApproval, PlatformComment, PlatformState, PlatformTask, RecordRef

DONE_LABELS = frozenset({"closed complete", "closed", "closed incomplete", "closed skipped", "canceled", "cancelled"})
CHUNK = 100


class Follower:
    """Reads records of one instance in bulk: a handful of requests however many records there are."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._labels: dict[str, dict[str, str]] = {}

    def states(self, refs: Sequence[RecordRef]) -> list[PlatformState]:
        """In the order asked for; a record that is gone or hidden has ``is_missing``."""
        found: dict[str, PlatformState] = {}
        for mode_name in sorted({ref.mode for ref in refs}):
            mine = [ref for ref in refs if ref.mode == mode_name]
            for start in range(0, len(mine), CHUNK):
                found |= self._chunk(mine[start : start + CHUNK], MODES[mode_name])
        return [found.get(ref.id) or _missing(ref) for ref in refs]

    def _chunk(self, refs: list[RecordRef], mode: Mode) -> dict[str, PlatformState]:
        ids = ",".join(ref.id for ref in refs)
        known = self.instance.columns(mode.table)
        owner_column = mode.columns["owner"][0]
        fields = [
            name
            for name in ("sys_id", "state", owner_column, "due_date", "closure_code", "close_code", "sys_updated_on")
            if name in known or name == "sys_id"
        ]
        rows = {row["sys_id"]: row for row in self._rows(mode.table, f"sys_idIN{ids}", fields)}
        changed = self._state_changes(mode.table, ids)
        tasks = self._tasks(mode, ids)
        approvals = self._approvals(ids)
        comments = self._comments(ids)
        users = self._users(rows.values(), owner_column, approvals, tasks)
        found = {}
        for ref in refs:
            row = rows.get(ref.id)
            if row is None:
                continue
            by, at = changed.get(ref.id, (None, None))
            found[ref.id] = PlatformState(
                ref=ref,
                state=self._state(mode.table, row["state"]),
                state_changed_by=by,
                state_changed_at=at,
                close_code=row.get("closure_code") or row.get("close_code") or None,
                owner=users.get(row.get(owner_column, "")),
                due=_day(row.get("due_date", "")),
                tasks=tuple(self._task(task, mode, users) for task in tasks.get(ref.id, ())),
                approvals=tuple(
                    PlatformApproval(
                        id=item["sys_id"],
                        approver=users.get(item["approver"], item["approver"]),
                        state=item["state"],
                        at=_instant(item["sys_updated_on"]),
                    )
                    for item in approvals.get(ref.id, ())
                ),
                comments=tuple(comments.get(ref.id, ())),
            )
        return found

    def _rows(self, table: str, query: str, fields: list[str]) -> list[Row]:
        return self.instance.rows(table, query, ",".join(fields), limit=10_000)

    def _state_changes(self, table: str, ids: str) -> dict[str, tuple[str | None, datetime | None]]:
        """Who moved each record last, from the audit; an empty answer leaves it untold."""
        query = f"tablename={table}^documentkeyIN{ids}^fieldname=state^ORDERBYsys_created_on"
        rows = self._rows("sys_audit", query, ["documentkey", "user", "sys_created_on"])
        return {row["documentkey"]: (row["user"] or None, _instant(row["sys_created_on"])) for row in rows}

    def _tasks(self, mode: Mode, ids: str) -> dict[str, list[Row]]:
        if mode.task_table is None:
            return {}
        fields = ["sys_id", "number", "short_description", "state", "assigned_to", "due_date", mode.task_parent]
        rows = self._rows(mode.task_table, f"{mode.task_parent}IN{ids}^ORDERBYnumber", fields)
        return _grouped(rows, mode.task_parent)

    def _approvals(self, ids: str) -> dict[str, list[Row]]:
        fields = ["sys_id", "sysapproval", "document_id", "approver", "state", "sys_updated_on"]
        query = f"sysapprovalIN{ids}^ORDERBYsys_updated_on"
        return _grouped(self._rows("sysapproval_approver", query, fields), "sysapproval")

    def _comments(self, ids: str) -> dict[str, list[PlatformComment]]:
        fields = ["sys_id", "element_id", "value", "sys_created_by", "sys_created_on"]
        rows = self._rows("sys_journal_field", f"element_idIN{ids}^ORDERBYsys_created_on", fields)
        found: dict[str, list[PlatformComment]] = {}
        for row in rows:
            at = _instant(row["sys_created_on"])
            if "[rk " in row["value"] or at is None:
                continue  # our own notes come home through their receipts
            comment = PlatformComment(id=row["sys_id"], author=row["sys_created_by"], at=at, text=row["value"])
            found.setdefault(row["element_id"], []).append(comment)
        return found

    def _users(
        self, rows: Any, owner_column: str, approvals: dict[str, list[Row]], tasks: dict[str, list[Row]]
    ) -> dict[str, str]:
        """User names by sys_id, for the accounts these records name."""
        ids = {row.get(owner_column, "") for row in rows}
        ids |= {item["approver"] for group in approvals.values() for item in group}
        ids |= {item["assigned_to"] for group in tasks.values() for item in group}
        ids.discard("")
        if not ids:
            return {}
        found = self._rows("sys_user", f"sys_idIN{','.join(sorted(ids))}", ["sys_id", "user_name"])
        return {row["sys_id"]: row["user_name"] for row in found}

    def _task(self, row: Row, mode: Mode, users: dict[str, str]) -> PlatformTask:
        label = self._label(mode.task_table or "task", row["state"]).lower()
        return PlatformTask(
            id=row["sys_id"],
            number=row["number"],
            title=row["short_description"],
            is_done=label in DONE_LABELS,
            assignee=users.get(row["assigned_to"]),
            due=_day(row["due_date"]),
        )

    def _state(self, table: str, value: str) -> str:
        return STATE_OF_LABEL.get(self._label(table, value).lower(), "in_progress")

    def _label(self, table: str, value: str) -> str:
        """The label of a stored state: instances choose the values, so they are read from the choice list."""
        if table not in self._labels:
            rows = self._rows("sys_choice", f"nameIN{table},task^element=state^language=en", ["name", "value", "label"])
            own = {row["value"]: row["label"] for row in rows if row["name"] == table}
            inherited = {row["value"]: row["label"] for row in rows if row["name"] == "task"}
            self._labels[table] = own or inherited
        return self._labels[table].get(value, value)


def _missing(ref: RecordRef) -> PlatformState:
    return PlatformState(
        ref=ref, state="new", state_changed_by=None, state_changed_at=None, close_code=None, owner=None, due=None, is_missing=True
    )


def _grouped(rows: list[Row], key: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(row)
    return found


def _instant(text: str) -> datetime | None:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if text else None


def _day(text: str) -> date | None:
    return date.fromisoformat(text[:10]) if text else None
