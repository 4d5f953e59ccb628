"""What a platform holds, field by field: read by plain HTTP as an administrator, told by a mapping of our own.

And the same of a warehouse. The connectors have no part in it, so whatever they misread on a good day shows as well.
Clocks are compared in what stands once they have stopped; a running one in its start, goal and breach.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import requests

from bench.faults.places import asked
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from improvement.records import RecordKind
from workflows.warehouse import Warehouse
from workflows.warehouse.schema import TABLE_OF

Fact = tuple[Any, ...]  # the id first
Facts = dict[RecordKind, Counter[Fact]]

_TICKET = (
    *("id", "number", "title", "priority", "opened_at", "resolved_at", "customer", "country", "service", "supplier"),
    *("category", "assignment_group"),
)
_STOPPED = ("end_at", "breach_at", "elapsed_s")
_SLA = ("ticket_id", "target", "agreement", "is_breached", "stage = 'cancelled'", "start_at", "goal_s")
_ENDED = tuple(f"CASE WHEN end_at IS NOT NULL THEN {name} END" for name in _STOPPED)
COLUMNS: dict[bool, dict[RecordKind, tuple[str, ...]]] = {  # is it ServiceNow → kind → SQL of what is compared
    True: {
        RecordKind.TICKET: (*_TICKET, "closed_at", "reopen_count", "reassignment_count"),
        RecordKind.SLA: (*_SLA, *_ENDED, "sla_name"),
        RecordKind.SURVEY: ("id", "ticket_id", "sent_at", "answered_at", "score"),
        RecordKind.CONTACT: ("id", "customer", "country", "service", '"at"'),
        RecordKind.OUTAGE: ("id", "service", "customer", "country", "begin_at", "end_at"),
    },
    False: {
        RecordKind.TICKET: _TICKET,
        RecordKind.SLA: (*_SLA, *_ENDED),
        RecordKind.SURVEY: ("id", "ticket_id", "answered_at", "score"),
        RecordKind.CONTACT: ("id", "customer", "country", "service", '"at"', "kind"),
    },
}


def of_warehouse(warehouse: Warehouse, flavour: Flavour) -> Facts:
    """What the warehouse takes for being there."""
    found: Facts = {}
    for kind, columns in COLUMNS[flavour == "servicenow"].items():
        named = ", ".join(f"{sql} AS c{number}" for number, sql in enumerate(columns))
        rows = warehouse.arrow(f"SELECT {named} FROM {TABLE_OF[kind]} WHERE vanished_at IS NULL").to_pylist()
        found[kind] = Counter(tuple(row.values()) for row in rows)
    return found


def of_platform(running: RunningSandbox, flavour: Flavour, *, user: str = "admin", within: str = "") -> Facts:
    """What the platform shows a user; of incidents those within a filter."""
    if flavour == "servicenow":
        return _ServiceNow(running, user, within).facts()
    return _jira(running, flavour, within)


# --- ServiceNow -----------------------------------------------------------------------------------------------------

_PLACES = "company.name,location.country,business_service.name"
_TASK = (
    f"sys_id,number,short_description,priority,opened_at,resolved_at,closed_at,{_PLACES},vendor.name,category,"
    "assignment_group.name,reopen_count,reassignment_count"
)
_RESOLVED: dict[str, tuple[str, ...]] = {  # of a table: where the time of resolution stands, the first that is filled
    "incident": ("resolved_at",),
    "sc_req_item": ("closed_at",),
    "problem": ("resolved_at", "closed_at"),
    "change_request": ("closed_at",),
}
_AGREEMENTS = {"SLA": "sla", "OLA": "ola", "Underpinning contract": "uc"}


class _ServiceNow:
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
                    *_texts(row, "sys_id", "company.name", "location.country", "business_service.name"),
                    _at(row, "opened_at"),
                )
                for row in self._rows("interaction", f"sys_id,opened_at,{_PLACES}")
            ),
            RecordKind.OUTAGE: Counter(
                (
                    *_texts(row, "sys_id", "cmdb_ci.name", "company.name", "location.country"),
                    _at(row, "begin"),
                    _at(row, "end"),
                )
                for row in self._rows("cmdb_ci_outage", "sys_id,cmdb_ci.name,company.name,location.country,begin,end")
            ),
        }

    def _tickets(self, table: str) -> Iterator[Fact]:
        for row in self._rows(table, _TASK, self.within if table == "incident" else ""):
            resolved = next((at for name in _RESOLVED[table] if (at := _at(row, name)) is not None), None)
            yield (
                *_texts(row, "sys_id", "number", "short_description"),
                int(row["priority"]),
                _at(row, "opened_at"),
                resolved,
                *_texts(row, *_PLACES.split(","), "vendor.name", "category", "assignment_group.name"),
                _at(row, "closed_at"),
                int(row.get("reopen_count") or 0),
                int(row.get("reassignment_count") or 0),
            )

    def _clocks(self) -> Iterator[Fact]:
        """A running row may stand still after its breach time has passed."""
        now = self.running.clock()
        fields = (
            "task,sla.name,sla.type,sla.target,sla.duration,stage,has_breached,start_time,end_time,planned_end_time,"
            "business_duration,duration"
        )
        for row in self._rows("task_sla", fields):
            end, planned = _at(row, "end_time"), _at(row, "planned_end_time")
            is_over = row["stage"] == "in_progress" and planned is not None and planned <= now
            yield (
                *_texts(row, "task", "sla.target"),
                _AGREEMENTS[row["sla.type"]],
                row["has_breached"] == "true" or row["stage"] == "breached" or is_over,
                row["stage"] == "cancelled",
                _at(row, "start_time"),
                _seconds(row["sla.duration"]),
                end,
                planned if end is not None else None,
                _seconds(row["business_duration"] or row["duration"]) if end is not None else None,
                *_texts(row, "sla.name"),
            )

    def _surveys(self) -> Iterator[Fact]:
        """Answered is what has an answer; −1 is none."""
        answers: defaultdict[str, list[float]] = defaultdict(list)
        for row in self._rows("asmt_metric_result", "instance,actual_value"):
            if row["actual_value"] and float(row["actual_value"]) >= 0:
                answers[row["instance"]].append(float(row["actual_value"]))
        for row in self._rows("asmt_assessment_instance", "sys_id,task_id,trigger_id,sys_created_on,taken_on"):
            given = answers.get(row["sys_id"]) if row["taken_on"] else None
            yield (
                row["sys_id"],
                row["task_id"] or row["trigger_id"] or None,
                _at(row, "sys_created_on"),
                _at(row, "taken_on") if given else None,
                sum(given) / len(given) if given else None,
            )

    def _rows(self, table: str, fields: str, query: str = "") -> list[Mapping[str, str]]:
        params = {"sysparm_fields": fields, "sysparm_exclude_reference_link": "true", "sysparm_query": query}
        with requests.Session() as session:
            session.trust_env = False
            session.auth = (self.user, "sandbox")
            answer = session.get(f"{self.running.servicenow_url}/api/now/table/{table}", params=params, timeout=60)
        found: list[Mapping[str, str]] = answer.json()["result"]
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


# --- Jira -----------------------------------------------------------------------------------------------------------

_CLOCKS: dict[str, tuple[str, str]] = {  # the SLA field → target, agreement
    "customfield_10030": ("response", "sla"),
    "customfield_10031": ("resolution", "sla"),
    "customfield_10032": ("response", "ola"),
    "customfield_10033": ("resolution", "ola"),
    "customfield_10034": ("response", "uc"),
    "customfield_10035": ("resolution", "uc"),
}
_OPTIONS = tuple(
    f"customfield_{number}" for number in range(10010, 10015)
)  # customer, country, service, supplier, category
_GROUP, _KIND, _RATING, _RATED = (f"customfield_{number}" for number in (10015, 10019, 10040, 10041))
_PLAIN = ("summary", "priority", "created", "resolutiondate", "status")


def _jira(running: RunningSandbox, flavour: Flavour, within: str) -> Facts:
    tickets: list[Fact] = []
    clocks: list[Fact] = []
    surveys: list[Fact] = []
    fields = (*_PLAIN, *_OPTIONS, _GROUP, _RATING, _RATED, *_CLOCKS)
    kinds = "issuetype in (Incident, 'Service Request', Problem, Change)"
    kinds += f" AND (issuetype != Incident OR ({within}))" if within else ""
    for issue in _issues(running, flavour, kinds, fields):
        shown = issue["fields"]
        options = [_option(shown[name]) for name in _OPTIONS]
        group = (shown[_GROUP] or {}).get("name")
        times = (_instant(shown["created"]), _instant(shown["resolutiondate"]))
        number = int(shown["priority"]["id"])
        tickets.append((issue["id"], issue["key"], shown["summary"], number, *times, *options, group))
        clocks += _cycles(issue)
        rating = (shown[_RATING] or {}).get("rating")
        if rating is not None:
            surveys.append((issue["id"], issue["id"], _instant(shown[_RATED]), float(rating)))
    contacts = [
        (
            issue["id"],
            *(_option(issue["fields"][name]) for name in _OPTIONS[:3]),
            _instant(issue["fields"]["created"]),
            str(_option(issue["fields"][_KIND])).lower(),
        )
        for issue in _issues(running, flavour, "issuetype = 'Customer contact'", ("created", *_OPTIONS[:3], _KIND))
    ]
    return {
        RecordKind.TICKET: Counter(tickets),
        RecordKind.SLA: Counter(clocks),
        RecordKind.SURVEY: Counter(surveys),
        RecordKind.CONTACT: Counter(contacts),
    }


def _cycles(issue: dict[str, Any]) -> Iterator[Fact]:
    """The clocks of an issue; those of a cancelled one count nowhere."""
    shown = issue["fields"]
    is_cancelled = shown["status"]["name"] == "Canceled"
    for field, (target, agreement) in _CLOCKS.items():
        cycles = shown[field] or {}
        for cycle in (*cycles.get("completedCycles", ()), *filter(None, [cycles.get("ongoingCycle")])):
            stop = cycle.get("stopTime")
            stopped = (
                (_epoch(stop), _epoch(cycle.get("breachTime")), cycle["elapsedTime"]["millis"] // 1000)
                if stop
                else (None, None, None)
            )
            start, goal_s = _epoch(cycle["startTime"]), cycle["goalDuration"]["millis"] // 1000
            yield (issue["id"], target, agreement, cycle["breached"], is_cancelled, start, goal_s, *stopped)


def _issues(running: RunningSandbox, flavour: Flavour, where: str, fields: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    is_cloud = flavour == "jira_cloud"
    path = "/rest/api/2/search/jql" if is_cloud else "/rest/api/2/search"
    body: dict[str, Any] = {"jql": f"{where} ORDER BY created ASC", "fields": list(fields), "maxResults": 100}
    more: dict[str, Any] = {}
    seen = 0
    while True:
        answer = asked(running, flavour, "POST", path, json=body | more)
        yield from answer["issues"]
        seen += len(answer["issues"])
        if answer.get("isLast", seen >= answer.get("total", 0)):
            return
        more = {"nextPageToken": answer["nextPageToken"]} if is_cloud else {"startAt": seen}


def _option(value: Mapping[str, Any] | None) -> str | None:
    return str(value["value"]) if value else None


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _epoch(at: Mapping[str, Any] | None) -> datetime | None:
    return datetime.fromtimestamp(at["epochMillis"] / 1000, UTC) if at else None
