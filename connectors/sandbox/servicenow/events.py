"""What administrators and migrations do to many records at once, on demand: ``POST /sandbox/events``.

``mass_update``
    ``count`` records of ``table`` get one and the same sys_updated_on.
``delete``
    ``count`` records of ``table`` vanish; ``audited`` false: the table has opted out of sys_audit_delete.
``archive``
    ``count`` records of ``table`` leave it for its archive, which is not served: no entry in sys_audit_delete.
``restore``
    The ``count`` records that went last are there again, as they were; their entries in sys_audit_delete stay.
``sla_repair``
    The task_sla rows of ``count`` closed tasks are deleted and made anew: other sys_ids and sys_created_on; with
    ``flipped`` the resolution clocks come out the other way, with ``fewer`` a task's first clock is not made again.
    ``audited`` as above. Noted in sla_repair_log_entry.
``caller_reply``
    The callers of ``count`` incidents on hold answer: a rule puts each back in progress and clears its hold_reason.
``sla_reset``
    Clocks of ``count`` closed tasks are cancelled and begin again with *retroactive start*: the same start_time twice.
``second_sitting``
    ``count`` answered surveys are gone on with: the user answers a further question (with the least there is), and the
    instance is taken again.
``compatibility``
    ``count`` completed clocks show the stages of the 2011 engine: ``breached`` and ``achieved``.
``starting``
    ``count`` running clocks show its stage ``starting``, until something else happens to them.
``unanswered``
    Of ``count`` surveys that were handed in the question is left unanswered after all: its value is −1.
``late_commit``
    ``count`` incidents were changed by transactions that commit only now: their sys_updated_on lies ``before`` seconds
    ahead of the newest one of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from connectors.sandbox.servicenow.cim import audited_update
from connectors.sandbox.servicenow.instance import SYSTEM, Instance
from connectors.sandbox.servicenow.moments import epoch_of, stored
from connectors.sandbox.store import SYS_ID, Row, Table

Event = Mapping[str, Any]
SLA = "task_sla"
FURTHER_QUESTION = "Ease of contact"
ON_HOLD, IN_PROGRESS = "3", "2"
UNANSWERED = "-1"


def happen(instance: Instance, event: Event) -> dict[str, Any]:
    """Let an event happen; answers the sys_ids it touched. Raises ValueError for an unknown kind or table."""
    kind = event.get("kind")
    if kind not in EVENTS:
        raise ValueError(f"There is no event “{kind}”; there are {', '.join(sorted(EVENTS))}.")
    return {"sys_ids": EVENTS[kind](instance, event)}


def touch_first(instance: Instance, table: str, count: int) -> list[str]:
    """Somebody changes the records that come first in the order of their update time."""
    changed = instance.tables[table]
    rows = list(islice(changed.ordered(), count))
    for row in rows:
        instance.touch(changed, row, by=SYSTEM)
    return [row[SYS_ID] for row in rows]


def _mass_update(instance: Instance, event: Event) -> list[str]:
    return touch_first(instance, _table(instance, event).name, int(event["count"]))


def _delete(instance: Instance, event: Event) -> list[str]:
    table = _table(instance, event)
    rows = list(islice(table.ordered(), int(event["count"])))
    for row in rows:
        _remove(instance, table, row, audited=bool(event.get("audited", True)))
    return [row[SYS_ID] for row in rows]


def _archive(instance: Instance, event: Event) -> list[str]:
    return _delete(instance, {**event, "audited": False})


def _restore(instance: Instance, event: Event) -> list[str]:
    back = [instance.removed.pop() for _ in range(min(int(event["count"]), len(instance.removed)))]
    for table, row in back:
        table.put(row)
    return [row[SYS_ID] for _, row in back]


def _sla_repair(instance: Instance, event: Event) -> list[str]:
    table = instance.tables[SLA]
    made = []
    for rows in _closed_tasks(instance, int(event["count"])):
        for number, row in enumerate(rows):
            values = _values(table, row)
            _remove(instance, table, row, audited=bool(event.get("audited", True)))
            _log(instance, "before", values)
            if event.get("fewer") and number == 0 and len(rows) > 1:
                continue
            if event.get("flipped") and values["stage"] == "completed":
                values["has_breached"] = "false" if values["has_breached"] == "true" else "true"
            new = instance.insert(SLA, {**values, "sys_created_on": instance.stamp})
            _log(instance, "after", _values(table, new))
            made.append(new[SYS_ID])
    return made


def _caller_reply(instance: Instance, event: Event) -> list[str]:
    table = instance.tables["incident"]
    held = [row for row in table.ordered() if instance.value(table, row, "state") == ON_HOLD][: int(event["count"])]
    for row in held:
        audited_update(instance, table, row, {"state": IN_PROGRESS, "hold_reason": ""}, by=SYSTEM)
    return [row[SYS_ID] for row in held]


def _sla_reset(instance: Instance, event: Event) -> list[str]:
    table = instance.tables[SLA]
    made = []
    for rows in _closed_tasks(instance, int(event["count"])):
        row = next((row for row in rows if instance.value(table, row, "stage") == "completed"), None)
        if row is None:
            continue
        values = _values(table, row)
        instance.update(table, row, {"stage": "cancelled"}, by=SYSTEM)
        made.append(instance.insert(SLA, {**values, "end_time": instance.stamp})[SYS_ID])
    return made


def _compatibility(instance: Instance, event: Event) -> list[str]:
    table = instance.tables[SLA]
    rows = [row for row in table.ordered() if instance.value(table, row, "stage") == "completed"][: int(event["count"])]
    for row in rows:
        stage = "breached" if instance.value(table, row, "has_breached") == "true" else "achieved"
        instance.update(table, row, {"stage": stage}, by=SYSTEM)
    return [row[SYS_ID] for row in rows]


def _second_sitting(instance: Instance, event: Event) -> list[str]:
    table = instance.tables["asmt_assessment_instance"]
    taken = [row for row in table.ordered() if instance.value(table, row, "taken_on")][: int(event["count"])]
    for row in taken:
        values = {"instance": row[SYS_ID], "user": instance.value(table, row, "user"), "actual_value": "1"}
        metric = _further_question(instance, instance.value(table, row, "metric_type"))
        instance.insert("asmt_metric_result", {**values, "metric": metric, "normalized_value": "0"})
        instance.update(table, row, {"taken_on": instance.stamp}, by=SYSTEM)
    return [row[SYS_ID] for row in taken]


def _further_question(instance: Instance, survey_type: str) -> str:
    table = instance.tables["asmt_metric"]
    for row in table.ordered():
        if instance.value(table, row, "name") == FURTHER_QUESTION:
            return row[SYS_ID]
    asked = {"name": FURTHER_QUESTION, "metric_type": survey_type, "min": "1", "max": "5"}
    return instance.insert("asmt_metric", {**asked, "question": "How easy was it to reach us?"})[SYS_ID]


def _starting(instance: Instance, event: Event) -> list[str]:
    table = instance.tables[SLA]
    running = (row for row in table.ordered() if instance.value(table, row, "stage") == "in_progress")
    rows = list(islice(running, int(event["count"])))
    for row in rows:
        instance.update(table, row, {"stage": "starting"}, by=SYSTEM)
    return [row[SYS_ID] for row in rows]


def _unanswered(instance: Instance, event: Event) -> list[str]:
    results, surveys = (instance.tables[name] for name in ("asmt_metric_result", "asmt_assessment_instance"))
    given = (row for row in results.ordered() if instance.value(results, row, "actual_value") != UNANSWERED)
    left = []
    for row in list(islice(given, int(event["count"]))):
        empty = {"actual_value": UNANSWERED, "normalized_value": "", "scaled_value": ""}
        instance.update(results, row, empty, by=SYSTEM)
        survey = surveys.rows[instance.value(results, row, "instance")]
        left.append(instance.touch(surveys, survey, by=SYSTEM)[SYS_ID])
    return left


def _late_commit(instance: Instance, event: Event) -> list[str]:
    table = instance.tables["incident"]
    rows = list(table.ordered())
    at = stored(epoch_of(rows[-1][1]) - int(event.get("before", 60)))
    changed = [row for row in rows if row[1] < at][: int(event["count"])]
    for row in changed:
        instance.update(table, row, {"short_description": "Changed by a slow transaction"}, by=SYSTEM, at=at)
    return [row[SYS_ID] for row in changed]


EVENTS: dict[str, Callable[[Instance, Event], list[str]]] = {
    "mass_update": _mass_update,
    "delete": _delete,
    "archive": _archive,
    "restore": _restore,
    "sla_repair": _sla_repair,
    "caller_reply": _caller_reply,
    "sla_reset": _sla_reset,
    "second_sitting": _second_sitting,
    "compatibility": _compatibility,
    "starting": _starting,
    "unanswered": _unanswered,
    "late_commit": _late_commit,
}


def _table(instance: Instance, event: Event) -> Table:
    name = event.get("table", "incident")
    if name not in instance.tables:
        raise ValueError(f"There is no table {name}.")
    return instance.tables[name]


def _closed_tasks(instance: Instance, count: int) -> list[list[Row]]:
    """The clocks of the first closed tasks, task by task; open ones are the renderer's to go on with."""
    table = instance.tables[SLA]
    by_task: dict[str, list[Row]] = {}
    for row in table.ordered():
        by_task.setdefault(instance.value(table, row, "task"), []).append(row)
    closed = []
    for task_id, rows in by_task.items():
        found = instance.find("task", task_id)
        if found is not None and instance.value(*found, "active") == "false":
            closed.append(rows)
        if len(closed) == count:
            break
    return closed


def _values(table: Table, row: Row) -> dict[str, str]:
    return {name: value for name, value in zip(table.columns, row, strict=True) if name not in _OWN}


_OWN = frozenset({"sys_id", "sys_updated_on", "sys_created_on", "sys_created_by", "sys_updated_by", "sys_mod_count"})


def _remove(instance: Instance, table: Table, row: Row, *, audited: bool) -> None:
    table.remove(row[SYS_ID])
    instance.removed.append((table, row))
    if audited:
        values = {"tablename": table.name, "documentkey": row[SYS_ID], "user": SYSTEM}
        instance.insert("sys_audit_delete", values, by=SYSTEM)


def _log(instance: Instance, moment: str, values: Mapping[str, str]) -> None:
    kept = {f"tsla_{name}": values[name] for name in ("task", "sla", "stage", "has_breached", "start_time", "end_time")}
    instance.insert("sla_repair_log_entry", {"type": moment, **kept})
