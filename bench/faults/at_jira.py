"""What a Jira holds, as its own pages show it to people: read by plain HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from bench.faults.facts import Fact, Facts
from bench.faults.places import asked
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from improvement.records import RecordKind

_CLOCKS: dict[str, tuple[str, str, str]] = {  # the SLA field → target, agreement, what it is called
    "customfield_10030": ("response", "sla", "Time to first response"),
    "customfield_10031": ("resolution", "sla", "Time to resolution"),
    "customfield_10032": ("response", "ola", "OLA time to first response"),
    "customfield_10033": ("resolution", "ola", "OLA time to resolution"),
    "customfield_10034": ("response", "uc", "Supplier time to first response"),
    "customfield_10035": ("resolution", "uc", "Supplier time to resolution"),
}
_OPTIONS = tuple(f"customfield_{number}" for number in range(10010, 10015))
_CUSTOMER, _COUNTRY, _SERVICE, _SUPPLIER, _CATEGORY = _OPTIONS
_GROUP, _MAJOR, _RISK, _OUTCOME, _TALK = (f"customfield_{number}" for number in range(10015, 10020))
_RATING, _RATED = "customfield_10040", "customfield_10041"
_PLAIN = ("summary", "priority", "created", "resolutiondate", "status", "issuetype")
_KINDS = {"Incident": "incident", "Service Request": "request", "Problem": "problem", "Change": "change"}
_STATES = {
    "Open": "new",
    "In Progress": "in_progress",
    "Pending": "on_hold",
    "Resolved": "resolved",
    "Closed": "closed",
    "Canceled": "cancelled",
}
_RISKS = {"High": "high", "Medium": "moderate", "Low": "low"}
_OUTCOMES = {"Successful": True, "Unsuccessful": False}
_DONE, _FINAL = ("Resolved", "Closed", "Canceled"), ("Closed", "Canceled")


def facts(running: RunningSandbox, flavour: Flavour, within: str) -> Facts:
    """What it shows its administrator; of incidents those within a filter."""
    tickets: list[Fact] = []
    clocks: list[Fact] = []
    surveys: list[Fact] = []
    fields = (*_PLAIN, *_OPTIONS, _GROUP, _MAJOR, _RISK, _OUTCOME, _RATING, _RATED, *_CLOCKS)
    kinds = "issuetype in (Incident, 'Service Request', Problem, Change)"
    kinds += f" AND (issuetype != Incident OR ({within}))" if within else ""
    for issue in _issues(running, flavour, kinds, fields):
        shown = issue["fields"]
        places = [_option(shown[name]) for name in (_CUSTOMER, _COUNTRY, _SERVICE)]
        tickets.append(
            (
                *(issue["id"], issue["key"], shown["summary"], int(shown["priority"]["id"])),
                *(_instant(shown["created"]), _instant(shown["resolutiondate"]), *places),
                *(_option(shown[_SUPPLIER]), _option(shown[_CATEGORY]), (shown[_GROUP] or {}).get("name")),
                *(_KINDS[shown["issuetype"]["name"]], _STATES[shown["status"]["name"]]),
                *(_option(shown[_MAJOR]) == "Yes", _RISKS.get(_option(shown[_RISK]) or "")),
                _OUTCOMES.get(_option(shown[_OUTCOME]) or ""),
                *_told(issue, _histories(running, flavour, issue)),
                _instant(shown["created"]),
            )
        )
        clocks += _cycles(issue)
        rating = (shown[_RATING] or {}).get("rating")
        if rating is not None:
            answered = _instant(shown[_RATED])
            surveys.append((issue["id"], "csat", issue["id"], *places, None, answered, float(rating), 1.0, 5.0))
    contacts = [
        (
            issue["id"],
            str(_option(issue["fields"][_TALK])).lower(),
            *(_option(issue["fields"][name]) for name in _OPTIONS[:3]),
            _instant(issue["fields"]["created"]),
        )
        for issue in _issues(running, flavour, "issuetype = 'Customer contact'", ("created", *_OPTIONS[:3], _TALK))
    ]
    return {
        RecordKind.TICKET: Counter(tickets),
        RecordKind.SLA: Counter(clocks),
        RecordKind.SURVEY: Counter(surveys),
        RecordKind.CONTACT: Counter(contacts),
        RecordKind.OUTAGE: Counter(),
    }


def _told(issue: dict[str, Any], histories: list[dict[str, Any]]) -> Fact:
    """By its history: when it was closed for good, how often it was reopened, and given to another group."""
    closed, reopened, regrouped = None, 0, 0
    for change in sorted(histories, key=lambda one: (_instant(one["created"]), int(one["id"]))):
        for item in change["items"]:
            before, now = item["fromString"], item["toString"]
            if item["field"] == "status":
                closed = _instant(change["created"]) if now in _FINAL else closed if now in _DONE else None
                reopened += before in _DONE and now not in _DONE
            elif item["field"] == "Assignment group":
                regrouped += bool(before and now)
    is_final = issue["fields"]["status"]["name"] in _FINAL
    return closed or (_instant(issue["fields"]["resolutiondate"]) if is_final else None), reopened, regrouped


def _histories(running: RunningSandbox, flavour: Flavour, issue: dict[str, Any]) -> list[dict[str, Any]]:
    """Every change of an issue: with it come its newest hundred, and all on Data Center."""
    shown: list[dict[str, Any]] = issue["changelog"]["histories"]
    total = issue["changelog"]["total"]
    if len(shown) == total:
        return shown
    found: list[dict[str, Any]] = []
    while len(found) < total:
        path = f"/rest/api/2/issue/{issue['id']}/changelog"
        found += asked(running, flavour, "GET", path, params={"startAt": len(found)})["values"]
    return found


def _cycles(issue: dict[str, Any]) -> Iterator[Fact]:
    """The clocks of an issue; those of a cancelled one count nowhere."""
    shown = issue["fields"]
    is_cancelled = shown["status"]["name"] == "Canceled"
    for field, (target, agreement, name) in _CLOCKS.items():
        cycles = shown[field] or {}
        for cycle in (*cycles.get("completedCycles", ()), *filter(None, [cycles.get("ongoingCycle")])):
            stop = cycle.get("stopTime")
            stopped = (
                (_epoch(stop), _epoch(cycle.get("breachTime")), cycle["elapsedTime"]["millis"] // 1000)
                if stop
                else (None, None, None)
            )
            start, goal_s = _epoch(cycle["startTime"]), cycle["goalDuration"]["millis"] // 1000
            supplier = _option(shown[_SUPPLIER]) if agreement == "uc" else None
            yield (
                *(issue["id"], target, agreement, str(cycles["id"]), name, supplier, cycle["breached"], is_cancelled),
                *(start, goal_s, *stopped),
            )


def _issues(running: RunningSandbox, flavour: Flavour, where: str, fields: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    is_cloud = flavour == "jira_cloud"
    path = "/rest/api/2/search/jql" if is_cloud else "/rest/api/2/search"
    body: dict[str, Any] = {"jql": f"{where} ORDER BY created ASC", "fields": list(fields), "maxResults": 100}
    body["expand"] = "changelog" if is_cloud else ["changelog"]
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
