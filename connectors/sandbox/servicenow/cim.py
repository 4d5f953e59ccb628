"""The flow of Continual Improvement Management: buttons, approvals, tasks, computed fields.

People move ``state`` by PATCH as a stand-in for the form's buttons; each button demands its fields. An integration
user's ``state`` is dropped as read-only. Source: the vendor's pages on com.sn_cim; what they leave open (stored
values, who may go back) is the sandbox's own choice and documented in ``docs/reference/sandbox.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from connectors.sandbox.servicenow.choices import CIM_STATE, value_of
from connectors.sandbox.servicenow.errors import ApiError, acl, business_rule
from connectors.sandbox.servicenow.instance import SYSTEM, Instance
from connectors.sandbox.servicenow.moments import STORED
from connectors.sandbox.store import Row, Table
from connectors.sandbox.users import Account

REGISTER, TASK, APPROVER = "sn_cim_register", "sn_cim_task", "sysapproval_approver"
LABEL = dict(CIM_STATE)
TASK_PENDING, TASK_OPEN, TASK_INCOMPLETE = "-5", "1", "4"
TASK_CLOSED = frozenset({"3", "4", "7"})
APPROVAL_BUSINESS_DAYS = 7

# from → to → what the button demands
BUTTONS: dict[str, dict[str, tuple[str, ...]]] = {
    "New": {"Accepted": ("coordinator", "strategic_objective"), "Canceled": ()},
    "Accepted": {"Assess": ("approver_group",), "On Hold": ("on_hold_reason",), "Canceled": ()},
    "Assess": {"Approved": (), "Accepted": (), "Canceled": ()},
    "Approved": {"In Progress": (), "Assess": ("work_notes",), "On Hold": ("on_hold_reason",), "Canceled": ()},
    "In Progress": {
        "Monitor/Review": (),
        "Assess": ("work_notes",),
        "On Hold": ("on_hold_reason",),
        "Closed": ("close_notes",),
        "Canceled": (),
    },
    "Monitor/Review": {"Closed": ("close_notes",), "In Progress": (), "Assess": ("work_notes",), "Canceled": ()},
    "On Hold": {"In Progress": (), "Approved": (), "Accepted": (), "Canceled": ()},
    "Closed": {},
    "Canceled": {},
}


def state_value(label: str) -> str:
    """The stored value of a state of the register."""
    return value_of(CIM_STATE, label)


def check_button(instance: Instance, row: Row, changes: Mapping[str, str]) -> None:
    """Refuse a state that no button leads to, or whose button demands fields. ``changes`` holds journal texts too."""
    table = instance.tables[REGISTER]
    now = LABEL.get(instance.value(table, row, "state"), "")
    wanted = LABEL.get(changes["state"], "")
    if not wanted or now == wanted:
        return
    demanded = BUTTONS[now].get(wanted)
    if demanded is None:
        possible = ", ".join(BUTTONS[now]) or "none"
        raise business_rule(
            REGISTER, "CIM state flow", row[0], f"No button leads from {now} to {wanted} (possible: {possible})"
        )
    if (now, wanted) == ("Assess", "Approved") and instance.config.need_approval:
        raise business_rule(REGISTER, "CIM state flow", row[0], "The initiative is approved by its approvers")
    missing = [name for name in demanded if not changes.get(name) and not instance.value(table, row, name)]
    if missing:
        raise business_rule(REGISTER, "CIM mandatory fields", row[0], f"{wanted} demands {', '.join(missing)}")


def check_decision(instance: Instance, account: Account, row: Row, changes: Mapping[str, str]) -> None:
    """Refuse an approval by anybody but its approver, and a second decision."""
    table = instance.tables[APPROVER]
    if not account.is_admin and instance.value(table, row, "approver") != instance.user_id(account):
        raise acl("Update")
    if "state" in changes and instance.value(table, row, "state") != "requested":
        raise ApiError(403, "Operation Failed", "The approval is no longer requested")


def computed(instance: Instance, row: Row | None, changes: dict[str, str]) -> dict[str, str]:
    """The changes of a register record with the fields the platform computes: percentage and planned end."""
    table = instance.tables[REGISTER]

    def current(name: str) -> str:
        return changes.get(name, instance.value(table, row, name) if row is not None else "")

    base, target, percentage = (_number(current(n)) for n in ("base_value", "target_value", "percentage_improvement"))
    if ("target_value" in changes or "base_value" in changes) and base and target is not None:
        changes["percentage_improvement"] = f"{round((target - base) / base * 100, 4):g}"
    elif "percentage_improvement" in changes and base is not None and percentage is not None:
        changes["target_value"] = f"{round(base * (1 + percentage / 100), 6):g}"
    if changes.get("planned_start_date") and not current("planned_end_date"):
        changes["planned_end_date"] = (
            date.fromisoformat(changes["planned_start_date"][:10]) + timedelta(days=1)
        ).isoformat()
    return changes


def after_change(instance: Instance, table: Table, before: Row | None, after: Row, *, by: str) -> Row:
    """What follows a change; answers the record as the flow left it."""
    if table.name == APPROVER and before is not None:
        _decided(instance, after, by=by)
    elif table.name == TASK:
        _roll_up(instance, after, by=by)
    elif table.name == REGISTER and before is not None:
        state = instance.value(table, after, "state")
        if state != instance.value(table, before, "state"):
            _moved(instance, after, LABEL[state], by=by)
    return table.rows[after[0]]


def first_task_state(instance: Instance, register_id: str) -> str:
    """The state a new task gets: pending, unless the initiative is already in progress before any approval flow."""
    register = instance.tables[REGISTER]
    row = register.rows.get(register_id)
    return TASK_OPEN if row is not None and LABEL[instance.value(register, row, "state")] == "New" else TASK_PENDING


def lapse_approvals(instance: Instance) -> None:
    """Cancel approvals that nobody decided within seven business days."""
    table = instance.tables[APPROVER]
    for row in list(table):
        if instance.value(table, row, "state") != "requested":
            continue
        until = _business_days_after(instance.value(table, row, "sys_created_on"), APPROVAL_BUSINESS_DAYS)
        if until <= instance.stamp:
            audited_update(instance, table, row, {"state": "cancelled"}, by=SYSTEM, at=until)


def audited_update(
    instance: Instance, table: Table, row: Row, changes: Mapping[str, str], *, by: str, at: str = ""
) -> Row:
    """Update a row and keep each change in sys_audit, from which *who changed the state* can be read, where the table
    is audited.
    """
    new = instance.update(table, row, changes, by=by, at=at)
    if new is row or table.name in instance.config.unaudited:
        return new
    for name in changes:
        old_value, new_value = instance.value(table, row, name), instance.value(table, new, name)
        if old_value != new_value:
            instance.insert(
                "sys_audit",
                {
                    "tablename": table.name,
                    "documentkey": row[0],
                    "fieldname": name,
                    "oldvalue": old_value,
                    "newvalue": new_value,
                    "user": by,
                    "record_checkpoint": instance.value(table, new, "sys_mod_count"),
                },
                by=by,
                at=at,
            )
    return new


def _moved(instance: Instance, row: Row, state: str, *, by: str) -> None:
    if state == "Assess" and instance.config.need_approval:
        _request_approvals(instance, row)
        _set(instance, row, {"approval": "requested"}, by=by)
    elif state == "In Progress":
        _open_tasks(instance, row)
        _set(
            instance,
            row,
            {"work_start": instance.value(instance.tables[REGISTER], row, "work_start") or instance.stamp},
            by=by,
        )
    elif state in ("Closed", "Canceled"):
        _withdraw_approvals(instance, row[0], "cancelled")
        if state == "Canceled":
            _cancel_tasks(instance, row)
        _set(instance, row, {"active": "false", "closed_at": instance.stamp, "work_end": instance.stamp}, by=by)
    elif state == "Accepted":
        _withdraw_approvals(instance, row[0], "cancelled")


def _decided(instance: Instance, approval: Row, *, by: str) -> None:
    table, registers = instance.tables[APPROVER], instance.tables[REGISTER]
    state = instance.value(table, approval, "state")
    register = registers.rows.get(instance.value(table, approval, "document_id"))
    if state not in ("approved", "rejected") or register is None:
        return
    _withdraw_approvals(instance, register[0], "not_required" if state == "approved" else "cancelled")
    if LABEL[instance.value(registers, register, "state")] == "Assess":
        target = "Approved" if state == "approved" else "Accepted"
        audited_update(instance, registers, register, {"state": state_value(target), "approval": state}, by=by)


def _request_approvals(instance: Instance, register: Row) -> None:
    registers, members = instance.tables[REGISTER], instance.tables["sys_user_grmember"]
    group = instance.value(registers, register, "approver_group")
    for member in list(members):
        if instance.value(members, member, "group") == group:
            instance.insert(
                APPROVER,
                {
                    "source_table": REGISTER,
                    "document_id": register[0],
                    "sysapproval": register[0],
                    "approver": instance.value(members, member, "user"),
                    "group": group,
                    "state": "requested",
                },
            )


def _withdraw_approvals(instance: Instance, register_id: str, state: str) -> None:
    table = instance.tables[APPROVER]
    for row in list(table):
        if (
            instance.value(table, row, "document_id") == register_id
            and instance.value(table, row, "state") == "requested"
        ):
            audited_update(instance, table, row, {"state": state}, by=SYSTEM)


def _open_tasks(instance: Instance, register: Row) -> None:
    approved_at = _approved_at(instance, register[0])
    table = instance.tables[TASK]
    for task in _tasks_of(instance, register[0]):
        is_in_plan = not approved_at or instance.value(table, task, "sys_created_on") <= approved_at
        if instance.value(table, task, "state") == TASK_PENDING and is_in_plan:
            audited_update(instance, table, task, {"state": TASK_OPEN}, by=SYSTEM)


def _cancel_tasks(instance: Instance, register: Row) -> None:
    table = instance.tables[TASK]
    for task in _tasks_of(instance, register[0]):
        if instance.value(table, task, "state") not in TASK_CLOSED:
            audited_update(instance, table, task, {"state": TASK_INCOMPLETE, "active": "false"}, by=SYSTEM)


def _roll_up(instance: Instance, task: Row, *, by: str) -> None:
    registers, table = instance.tables[REGISTER], instance.tables[TASK]
    register = registers.rows.get(instance.value(table, task, "cim_register"))
    if register is None:
        return
    tasks = _tasks_of(instance, register[0])
    done = sum(instance.value(table, row, "state") in TASK_CLOSED for row in tasks)
    _set(instance, register, {"percent_complete": str(round(100 * done / len(tasks)))}, by=by)


def _tasks_of(instance: Instance, register_id: str) -> list[Row]:
    table = instance.tables[TASK]
    return [row for row in table if instance.value(table, row, "cim_register") == register_id]


def _approved_at(instance: Instance, register_id: str) -> str:
    audit = instance.tables["sys_audit"]
    approved = state_value("Approved")
    times = [
        instance.value(audit, row, "sys_created_on")
        for row in audit
        if instance.value(audit, row, "documentkey") == register_id
        and instance.value(audit, row, "fieldname") == "state"
        and instance.value(audit, row, "newvalue") == approved
    ]
    return max(times, default="")


def _set(instance: Instance, row: Row, changes: Mapping[str, str], *, by: str) -> None:
    registers = instance.tables[REGISTER]
    instance.update(registers, registers.rows[row[0]], changes, by=by)


def _business_days_after(stamp: str, days: int) -> str:
    moment = datetime.strptime(stamp, STORED).replace(tzinfo=UTC)
    while days:
        moment += timedelta(days=1)
        days -= moment.weekday() < 5
    return moment.strftime(STORED)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
