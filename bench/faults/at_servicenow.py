"""What a ServiceNow instance holds, as its own lists show it to people: read by plain HTTP."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import requests

from bench.faults.facts import Fact, Facts
from connectors.sandbox.testing import RunningSandbox
from improvement.records import RecordKind

_PLACES = "company.name,location.country,business_service.name"
_TASK = (
    f"sys_id,number,short_description,state,priority,opened_at,resolved_at,closed_at,{_PLACES},vendor.name,category,"
    "assignment_group.name,reopen_count,reassignment_count,sys_created_on"
)
_MAJOR = "sys_id,major_incident_state"
_RESOLVED: dict[str, tuple[str, ...]] = {  # of a table: where the time of resolution stands, the first that is filled
    "incident": ("resolved_at",),
    "sc_req_item": ("closed_at",),
    "problem": ("resolved_at", "closed_at"),
    "change_request": ("closed_at",),
}
_STATES: dict[str, dict[str, str]] = {  # of a table: stored value → what it means; others are being worked on
    "incident": {"1": "new", "3": "on_hold", "6": "resolved", "7": "closed", "8": "cancelled"},
    "sc_req_item": {"1": "new", "-5": "on_hold", "3": "closed", "4": "cancelled"},
    "problem": {"101": "new", "106": "resolved", "107": "closed"},
    "change_request": {"-5": "new", "-2": "on_hold", "0": "resolved", "3": "closed", "4": "cancelled"},
}
_KINDS = {"incident": "incident", "sc_req_item": "request", "problem": "problem", "change_request": "change"}
_RISKS = {"High": "high", "Moderate": "moderate", "Low": "low"}
_OUTCOMES = {"Successful": True, "Successful with issues": True, "Unsuccessful": False}
_TALKS = {"review": "review", "phone": "call", "walkup": "visit", "chat": "chat", "email": "mail"}  # others are calls
_OUTAGES = {"Outage": "outage", "Degradation": "degradation", "Planned Outage": "planned"}
_AGREEMENTS = {"SLA": "sla", "OLA": "ola", "Underpinning contract": "uc"}


def facts(running: RunningSandbox, user: str, within: str) -> Facts:
    """What it shows a user; of incidents those within a filter."""
    return _Instance(running, user, within).facts()


class _Instance:
    def __init__(self, running: RunningSandbox, user: str, within: str) -> None:
        self.running = running
        self.user = user
        self.within = within

    def facts(self) -> Facts:
        return {
            RecordKind.TICKET: Counter(fact for table in _RESOLVED for fact in self._tickets(table)),
            RecordKind.SLA: Counter(self._clocks()),
            RecordKind.SURVEY: Counter(self._surveys()),
            RecordKind.CONTACT: Counter(
                (
                    row["sys_id"],
                    _TALKS.get(row["type"], "call"),
                    *_texts(row, "company.name", "location.country", "business_service.name"),
                    _at(row, "opened_at"),
                )
                for row in self._rows("interaction", f"sys_id,type,opened_at,{_PLACES}")
            ),
            RecordKind.OUTAGE: Counter(
                (
                    row["sys_id"],
                    _OUTAGES[kinds[row["sys_id"]]],
                    *_texts(row, "cmdb_ci.name", "company.name", "location.country"),
                    _at(row, "begin"),
                    _at(row, "end"),
                )
                for kinds in (self._shown("cmdb_ci_outage", "type"),)
                for row in self._rows("cmdb_ci_outage", "sys_id,cmdb_ci.name,company.name,location.country,begin,end")
            ),
        }

    def _tickets(self, table: str) -> Iterator[Fact]:
        is_change = table == "change_request"
        risks, outcomes = (self._shown(table, name) if is_change else {} for name in ("risk", "close_code"))
        major = {row["sys_id"]: row.get("major_incident_state") for row in self._rows(table, _MAJOR)}
        for row in self._rows(table, _TASK, sysparm_query=self.within if table == "incident" else ""):
            key = row["sys_id"]
            resolved = next((at for name in _RESOLVED[table] if (at := _at(row, name)) is not None), None)
            yield (
                *_texts(row, "sys_id", "number", "short_description"),
                int(row["priority"]),
                _at(row, "opened_at"),
                resolved,
                *_texts(row, *_PLACES.split(","), "vendor.name", "category", "assignment_group.name"),
                _KINDS[table],
                _STATES[table].get(row["state"], "in_progress"),
                major[key] == "accepted",
                _RISKS.get(risks.get(key, "")),
                _OUTCOMES.get(outcomes.get(key, "")),
                _at(row, "closed_at"),
                int(row.get("reopen_count") or 0),
                int(row.get("reassignment_count") or 0),
                _at(row, "sys_created_on"),
            )

    def _clocks(self) -> Iterator[Fact]:
        """A running row may stand still after its breach time has passed."""
        now = self.running.clock()
        fields = (
            "task,sla,sla.name,sla.type,sla.vendor.name,sla.target,sla.duration,stage,has_breached,start_time,end_time,"
            "planned_end_time,business_duration,duration"
        )
        for row in self._rows("task_sla", fields):
            end, planned = _at(row, "end_time"), _at(row, "planned_end_time")
            is_over = row["stage"] in ("starting", "in_progress") and planned is not None and planned <= now
            yield (
                *_texts(row, "task", "sla.target"),
                _AGREEMENTS[row["sla.type"]],
                *_texts(row, "sla", "sla.name", "sla.vendor.name"),
                row["has_breached"] == "true" or row["stage"] == "breached" or is_over,
                row["stage"] == "cancelled",
                _at(row, "start_time"),
                _seconds(row["sla.duration"]),
                end,
                planned if end is not None else None,
                _seconds(row["business_duration"] or row["duration"]) if end is not None else None,
            )

    def _surveys(self) -> Iterator[Fact]:
        """Answered is what has an answer; −1 is none. One scale is asked for, and no survey names a place."""
        answers: defaultdict[str, list[float]] = defaultdict(list)
        for row in self._rows("asmt_metric_result", "instance,actual_value"):
            if row["actual_value"] and float(row["actual_value"]) >= 0:
                answers[row["instance"]].append(float(row["actual_value"]))
        ((low, high),) = {(float(row["min"]), float(row["max"])) for row in self._rows("asmt_metric", "min,max")}
        for row in self._rows("asmt_assessment_instance", "sys_id,task_id,trigger_id,sys_created_on,taken_on"):
            given = answers.get(row["sys_id"]) if row["taken_on"] else None
            yield (
                row["sys_id"],
                "csat",
                row["task_id"] or row["trigger_id"] or None,
                *(None, None, None),
                _at(row, "sys_created_on"),
                _at(row, "taken_on") if given else None,
                *((sum(given) / len(given), low, high) if given else (None, None, None)),
            )

    def _shown(self, table: str, field: str) -> dict[str, str]:
        """Id → what people read in a field."""
        return {row["sys_id"]: row[field] for row in self._rows(table, f"sys_id,{field}", sysparm_display_value="true")}

    def _rows(self, table: str, fields: str, **more: str) -> list[Mapping[str, str]]:
        params = {"sysparm_fields": fields, "sysparm_exclude_reference_link": "true", **more}
        with requests.Session() as session:
            session.trust_env = False
            session.auth = (self.user, "sandbox")
            answer = session.get(f"{self.running.servicenow_url}/api/now/table/{table}", params=params, timeout=60)
            found: list[Mapping[str, str]] = answer.json()["result"]
            while "next" in answer.links:
                answer = session.get(answer.links["next"]["url"], timeout=60)
                found += answer.json()["result"]
        return found


def _texts(row: Mapping[str, str], *names: str) -> tuple[str | None, ...]:
    return tuple(row.get(name) or None for name in names)


def _at(row: Mapping[str, str], name: str) -> datetime | None:
    text = row.get(name)
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if text else None


def _seconds(text: str) -> int | None:
    """A stored duration: a time counted from 1970."""
    at = _at({"": text}, "")
    return int(at.timestamp()) if at is not None else None
