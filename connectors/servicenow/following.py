"""Read improvement records as people left them: state, owner, tasks, approvals, comments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from connectors.servicenow.columns import Columns
from connectors.servicenow.records import DONE_LABELS, STATE_OF_LABEL, Mode, mode_named
from connectors.servicenow.shown import Shown
from connectors.servicenow.tables import Instance, Row, instant
from connectors.servicenow.traces import ORDER_OF_CHANGES, in_order, is_ours
from improvement.errors import MappingError, PermissionMissing, Place
from improvement.records import UNKNOWN_STATE, PlatformApproval, PlatformComment, PlatformState, PlatformTask, RecordRef

CLOSE_CODES = ("closure_code", "close_code", "resolution_code")
DUE = "due_date"
SUCCESS = "successful"  # also *Successful with issues*; by label, because instances choose the values


@dataclass(slots=True)
class _Around:
    """What belongs to a chunk of records, each by the record's sys_id."""

    changes: dict[tuple[str, str], Row]  # also by column: the last change that the audit knows
    tasks: dict[str, list[Row]]
    approvals: dict[str, list[Row]]
    journal: dict[str, list[Row]]
    users: dict[str, str]


class Follower:
    """Reads records of one instance in bulk: about ten requests for a hundred records."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._labels: dict[str, dict[str, dict[str, str]]] = {}  # table → column → value → label

    def states(self, refs: Sequence[RecordRef]) -> list[PlatformState]:
        """In the order asked for; a record that is gone, or hidden from us, has ``is_missing``."""
        found: dict[str, PlatformState] = {}
        for name in sorted({ref.mode for ref in refs}):
            mode = mode_named(name, self.instance.config)
            if mode is None:
                raise MappingError(
                    f"Records were created in mode “{name}”, which this connection has no table for.",
                    where=Place(connection=self.instance.config.name, field="custom_table"),
                    mend="A record keeps the mode it was created in: set custom_table again.",
                )
            found |= self._of_mode([ref for ref in refs if ref.mode == name], mode)
        return [found.get(ref.id) or _missing(ref) for ref in refs]

    def _of_mode(self, refs: list[RecordRef], mode: Mode) -> dict[str, PlatformState]:
        known = self.instance.columns(mode.table)
        columns = Columns(self.instance, mode)
        owner = columns.column("owner")
        owner_column = owner.element if owner is not None else "assigned_to"
        shown = Shown(self.instance, mode, columns)
        fields = ["sys_id", *(name for name in ("state", owner_column, DUE, *CLOSE_CODES) if name in known)]
        ids = [ref.id for ref in refs]
        found = self.instance.rows_of(mode.table, "sys_id", ids, "", dict.fromkeys((*fields, *shown.paths)))
        rows = {row["sys_id"]: row for row in found}
        shown.learn(found)
        around = self._around(mode, ids, (owner_column, *shown.audited), [row.get(owner_column, "") for row in found])
        return {
            ref.id: self._state(ref, mode, rows[ref.id], owner_column, shown, around) for ref in refs if ref.id in rows
        }

    def _around(self, mode: Mode, ids: list[str], audited: tuple[str, ...], owners: list[str]) -> _Around:
        tasks = self._tasks(mode, ids)
        approvals = _grouped(
            self.instance.rows_of(
                "sysapproval_approver",
                "sysapproval",
                ids,
                "^ORDERBYsys_updated_on",
                ("sys_id", "sysapproval", "approver", "state", "sys_updated_on"),
            ),
            "sysapproval",
        )
        journal = self.instance.rows_of(
            "sys_journal_field",
            "element_id",
            ids,
            "^elementINcomments,work_notes^ORDERBYsys_created_on",
            ("sys_id", "element_id", "value", "sys_created_by", "sys_created_on"),
        )
        people = [*owners, *(row["approver"] for row in _all(approvals)), *(row["assigned_to"] for row in _all(tasks))]
        accounts = self.instance.rows_of("sys_user", "sys_id", people, "", ("sys_id", "user_name"))
        return _Around(
            self._changes(mode, ids, tuple(dict.fromkeys(("state", DUE, *CLOSE_CODES, *audited)))),
            tasks,
            approvals,
            _grouped(journal, "element_id"),
            {row["sys_id"]: row["user_name"] for row in accounts},
        )

    def _changes(self, mode: Mode, ids: list[str], columns: tuple[str, ...]) -> dict[tuple[str, str], Row]:
        """The last change of each of these columns, from the audit; nothing where we may not read it."""
        query = f"^tablename={mode.table}^fieldnameIN{','.join(columns)}^ORDERBYsys_created_on"
        fields = ("documentkey", "fieldname", "user", *ORDER_OF_CHANGES)
        try:
            rows = self.instance.rows_of("sys_audit", "documentkey", ids, query, fields)
            return {(row["documentkey"], row["fieldname"]): row for row in in_order(rows)}
        except PermissionMissing:
            return {}

    def _tasks(self, mode: Mode, ids: list[str]) -> dict[str, list[Row]]:
        if mode.task_table is None or not self.instance.known(mode.task_table):
            return {}
        fields = ("sys_id", "number", "short_description", "state", "assigned_to", "due_date", mode.task_parent)
        rows = self.instance.rows_of(mode.task_table, mode.task_parent, ids, "^ORDERBYnumber", fields)
        return _grouped(rows, mode.task_parent)

    def _state(
        self, ref: RecordRef, mode: Mode, row: Row, owner_column: str, shown: Shown, around: _Around
    ) -> PlatformState:
        def changed_by(column: str) -> str | None:
            return around.changes.get((ref.id, column), {}).get("user") or None

        move = around.changes.get((ref.id, "state"), {})
        coded = next((name for name in CLOSE_CODES if row.get(name)), None)
        code = row[coded] if coded is not None else None
        return PlatformState(
            ref=ref,
            state=self._meaning(mode.table, row.get("state", "")),
            state_changed_by=self._person(move.get("user", "")),
            state_changed_at=instant(move.get("sys_created_on", "")),
            close_code=code,
            close_code_changed_by=changed_by(coded) if coded is not None else None,
            is_closed_as_success=self._is_success(mode.table, coded or "", code or ""),
            owner=around.users.get(row.get(owner_column, "")),
            owner_changed_by=changed_by(owner_column),
            due=_day(row.get(DUE, "")),
            due_changed_by=changed_by(DUE),
            fields=shown.of(row, changed_by),
            tasks=tuple(self._task(task, mode, around) for task in around.tasks.get(ref.id, ())),
            approvals=tuple(_approval(item, around) for item in around.approvals.get(ref.id, ())),
            comments=tuple(self._comments(around.journal.get(ref.id, ()))),
        )

    def _is_success(self, table: str, column: str, value: str) -> bool:
        """By its label, because instances choose the values; or by what the connection calls success."""
        label = self._label(table, column, value).casefold()
        said = self.instance.config.resolutions.get("success", "").casefold()
        return bool(value) and (label.startswith(SUCCESS) or said in (label, value.casefold()))

    def _person(self, user: str) -> str | None:
        """Who moved the state. We never write it: in our name only a business rule can have, that a write of ours set
        off. That is the platform's word and no echo, and nobody's in particular.
        """
        return None if not user or user == self.instance.our_user() else user

    def _task(self, row: Row, mode: Mode, around: _Around) -> PlatformTask:
        label = self._label(mode.task_table or "task", "state", row.get("state", ""))
        return PlatformTask(
            id=row["sys_id"],
            number=row["number"],
            title=row["short_description"],
            is_done=label.casefold() in DONE_LABELS,
            assignee=around.users.get(row["assigned_to"]),
            due=_day(row["due_date"]),
        )

    def _comments(self, journal: Iterable[Row]) -> Iterable[PlatformComment]:
        """What people wrote; our own notes come home through their receipts."""
        for row in journal:
            at = instant(row["sys_created_on"])
            is_own = row["sys_created_by"] == self.instance.our_user() and is_ours(row["value"])
            if at is not None and not is_own:
                yield PlatformComment(id=row["sys_id"], author=row["sys_created_by"], at=at, text=row["value"])

    def _label(self, table: str, column: str, value: str) -> str:
        """The label of a stored choice: instances choose the values, so the choice list is read, never guessed."""
        if not value:
            return ""
        if table not in self._labels:
            self._labels[table] = self.instance.choices(table, f"^elementINstate,{','.join(CLOSE_CODES)}")
        return self._labels[table].get(column, {}).get(value, value)

    def _meaning(self, table: str, value: str) -> str:
        """Our word for a stored state: as configured, else by its label. A table without states stays at *new*.

        A label that says nothing to us (an administrator may have changed it) is *unknown*: it moves nothing.
        """
        if not value:
            return "new"
        label = self._label(table, "state", value)
        said = self.instance.config.statuses
        return said.get(value) or said.get(label) or STATE_OF_LABEL.get(label.casefold(), UNKNOWN_STATE)


def _approval(row: Row, around: _Around) -> PlatformApproval:
    return PlatformApproval(
        id=row["sys_id"],
        approver=around.users.get(row["approver"], row["approver"]),
        state=row["state"],
        at=instant(row["sys_updated_on"]),
    )


def _missing(ref: RecordRef) -> PlatformState:
    return PlatformState(
        ref=ref,
        state="new",
        state_changed_by=None,
        state_changed_at=None,
        close_code=None,
        owner=None,
        due=None,
        is_missing=True,
    )


def _grouped(rows: Iterable[Row], key: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(row)
    return found


def _all(groups: dict[str, list[Row]]) -> Iterable[Row]:
    return (row for rows in groups.values() for row in rows)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        return None
