"""Creating, changing and deleting records through the API, as the platform takes what a caller sends.

Unknown and read-only fields are dropped silently, text is cut to its column's length, a strict choice column keeps
its value when sent one that is no choice, journal fields append an entry. A caller must read back and compare.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.servicenow import access, cim, moments, rules
from connectors.sandbox.servicenow.choices import PROBLEM_STATE, value_of
from connectors.sandbox.servicenow.errors import acl, business_rule, no_record
from connectors.sandbox.servicenow.instance import Instance
from connectors.sandbox.servicenow.schema import JOURNAL_TYPES, Column
from connectors.sandbox.store import Row, Table
from connectors.sandbox.users import Account

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")
TRUE_WORDS = frozenset({"true", "1", "yes"})


@dataclass
class Accepted:
    """What is left of a body: column values as stored, and journal entries."""

    values: dict[str, str] = field(default_factory=dict)
    journal: dict[str, str] = field(default_factory=dict)


def create(instance: Instance, account: Account, table: str, body: Mapping[str, Any], *, by_label: bool) -> Row:
    """Insert a record. Raises :class:`ApiError` where an access control or a rule forbids it."""
    if not access.may_write(instance, account, table):
        raise acl("Insert")
    accepted = accept(instance, account, table, body, by_label=by_label, is_new=True)
    values = accepted.values
    rules.applied(instance, account, table, values)
    if table == cim.REGISTER:
        values.pop("state", None)
        values = cim.computed(instance, None, values)
    if table == "problem_task":
        _check_problem(instance, values.get("problem", ""))
    if table == cim.TASK:
        values.setdefault("state", cim.first_task_state(instance, values.get("cim_register", "")))
    position = instance.tables[table].position
    if "opened_at" in position and not values.get("opened_at"):
        values["opened_at"] = instance.stamp
    if "opened_by" in position and not values.get("opened_by"):
        values["opened_by"] = instance.user_id(account)
    row = instance.insert(table, values, by=account.username)
    _append_journal(instance, table, row[0], accepted.journal, by=account.username)
    row = cim.after_change(instance, instance.tables[table], None, row, by=account.username)
    return _moved_by_rule(instance, account, table, row, {**values, **accepted.journal})


def _check_problem(instance: Instance, sys_id: str) -> None:
    """Refuse a task below a closed problem, as ``problem.closed.can_create_tasks`` does unless it is set."""
    problems = instance.tables["problem"]
    problem = problems.rows.get(sys_id)
    if problem is not None and instance.value(problems, problem, "state") == value_of(PROBLEM_STATE, "Closed"):
        raise business_rule("problem_task", "Closed problems", "", "A closed problem takes no tasks")


def change(
    instance: Instance, account: Account, table: Table, row: Row, body: Mapping[str, Any], *, by_label: bool
) -> Row:
    """Change a record. Raises :class:`ApiError` where an access control or a rule forbids it."""
    if table.name != cim.APPROVER and not access.may_write(instance, account, table.name):
        raise acl("Update")
    accepted = accept(instance, account, table.name, body, by_label=by_label, is_new=False)
    values = accepted.values
    rules.applied(instance, account, table.name, values, sys_id=row[0])
    if table.name == cim.APPROVER:
        cim.check_decision(instance, account, row, values)
    if table.name == cim.REGISTER:
        if "state" in values:
            cim.check_button(instance, row, {**values, **accepted.journal})
        values = cim.computed(instance, row, values)
    new = cim.audited_update(instance, table, row, values, by=account.username)
    if accepted.journal:
        _append_journal(instance, table.name, row[0], accepted.journal, by=account.username)
        if new is row:
            new = instance.touch(table, row, by=account.username)
    new = cim.after_change(instance, table, row, new, by=account.username)
    return _moved_by_rule(instance, account, table.name, new, {**values, **accepted.journal})


def _moved_by_rule(instance: Instance, account: Account, name: str, row: Row, values: Mapping[str, str]) -> Row:
    """The record as a rule leaves it that moves its state after the write, in the writer's name."""
    label = rules.moved_to(instance, account, name, values)
    if label is None or name != cim.REGISTER:
        return row
    table, state = instance.tables[name], {"state": cim.state_value(label)}
    moved = cim.audited_update(instance, table, row, state, by=account.username)
    return cim.after_change(instance, table, row, moved, by=account.username)


def delete(instance: Instance, account: Account, table: Table, row: Row) -> None:
    """Delete a record and note it in sys_audit_delete."""
    if not access.may_delete(instance, account, table.name):
        raise acl("Delete")
    if table.remove(row[0]) is None:
        raise no_record()
    instance.removed.append((table, row))
    instance.insert(
        "sys_audit_delete",
        {
            "tablename": table.name,
            "documentkey": row[0],
            "display_value": instance.value(table, row, instance.schema.tables[table.name].display),
            "user": account.username,
        },
        by=account.username,
    )


def accept(
    instance: Instance, account: Account, table: str, body: Mapping[str, Any], *, by_label: bool, is_new: bool
) -> Accepted:
    """What the platform takes of a body; everything else is dropped without a word."""
    accepted = Accepted()
    for name, sent in body.items():
        column = instance.schema.column(table, name)
        if column is None or (column.read_only and not _may_write_anyway(account, table, column)):
            continue
        text = _text(sent)
        if column.type in JOURNAL_TYPES:
            if text:
                accepted.journal[name] = text
            continue
        value = _stored(instance, column, text, by_label=by_label)
        if value and by_label and column.is_time:  # entered as it is shown: in the user's zone
            value = moments.entered(value, account.zone)
        if value is not None and rules.is_dropped(instance, table, name, value):
            continue
        if value is not None and not (is_new and value == "" and column.default):
            accepted.values[name] = value
    return accepted


def _may_write_anyway(account: Account, table: str, column: Column) -> bool:
    if account.is_admin and not column.name.startswith("sys_"):
        return True
    return table == cim.REGISTER and column.name == "state" and access.may_move_state(account)


def _text(sent: Any) -> str:
    if isinstance(sent, Mapping):
        sent = sent.get("value", sent.get("display_value"))
    if sent is None:
        return ""
    if isinstance(sent, bool):
        return "true" if sent else "false"
    if isinstance(sent, list):
        return ",".join(_text(part) for part in sent)
    return str(sent)


def _stored(instance: Instance, column: Column, text: str, *, by_label: bool) -> str | None:
    """The value as the column stores it; None where it is dropped."""
    if column.type == "boolean":
        return "true" if text.lower() in TRUE_WORDS else "false"
    if column.choices:
        return _choice(column, text, by_label=by_label)
    if text == "":
        return ""
    if column.is_time:
        return text if _DATE_TIME.fullmatch(text) else f"{text} 00:00:00" if _DATE.fullmatch(text) else None
    if column.type == "glide_date":
        return text[:10] if _DATE.match(text) else None
    if column.type == "reference":
        return _reference(instance, column, text, by_label=by_label)
    if column.is_number:
        return _number(column, text)
    return text[: column.max_length]


def _choice(column: Column, text: str, *, by_label: bool) -> str | None:
    by_name = {label.casefold(): value for value, label in column.choices}
    known = {value for value, _ in column.choices}
    if by_label and text.casefold() in by_name:
        return by_name[text.casefold()]
    return text if text in known or text == "" or not column.is_strict else None


def _reference(instance: Instance, column: Column, text: str, *, by_label: bool) -> str | None:
    if instance.find(column.reference, text) is not None:
        return text
    if by_label:
        for table in instance.family(column.reference):
            name = instance.schema.tables[table.name].display
            for row in table:
                if instance.value(table, row, name) == text:
                    return row[0]
    return None


def _number(column: Column, text: str) -> str | None:
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return str(int(number)) if column.type == "integer" else f"{number:.10g}"


def _append_journal(instance: Instance, table: str, sys_id: str, journal: Mapping[str, str], *, by: str) -> None:
    for element, text in journal.items():
        entry = instance.insert(
            "sys_journal_field", {"name": table, "element": element, "element_id": sys_id, "value": text}, by=by
        )
        instance.journal.setdefault(sys_id, []).append(entry[0])
