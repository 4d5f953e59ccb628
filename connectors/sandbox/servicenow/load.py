"""Load mode: any number of incidents served from bytes that were encoded once.

All records of one field list are encoded into a temporary file, mapped into memory; a page is one slice of it
between two brackets. So a page costs a copy, and the server is never the bottleneck of a pull benchmark. The first
request of a field list encodes (about three seconds a million records); the file disappears with the process.
"""

from __future__ import annotations

import mmap
import tempfile
from array import array
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from aiohttp import web

from connectors.sandbox.query import Condition, Query, parse
from connectors.sandbox.servicenow.errors import ApiError
from connectors.sandbox.servicenow.moments import epoch_of, normalised, stored
from connectors.sandbox.servicenow.selecting import Page

FIRST_S = 1_704_067_200  # 2024-01-01T00:00:00Z
PER_SECOND = 3  # equal sys_updated_on is the rule after mass updates
KEPT_FIELD_LISTS = 2
DEFAULT_FIELDS = (
    "sys_id,number,short_description,state,priority,impact,urgency,company,location,caller_id,business_service,cmdb_ci,"
    "category,assignment_group,assigned_to,opened_at,resolved_at,closed_at,sys_created_on,sys_updated_on,reopen_count,"
    "reassignment_count,major_incident_state,contact_type,vendor,active,close_code,made_sla"
)
CUSTOMERS = (("Alpenbank", "CH"), ("Rheinwerk Maschinen", "DE"), ("Harbour Foods", "GB"), ("Prairie Health", "US"))
SERVICES = ("E-Mail", "Payments", "ERP", "Network", "Workplace")
TITLES = (
    "Cannot log in to the portal",
    "Printer on floor 3 is offline",
    "Report runs for hours",
    "VPN drops every hour",
)


@dataclass(slots=True)
class _Encoded:
    data: mmap.mmap
    offsets: array[int]


class LoadedIncidents:
    """``count`` incidents with ids and update times in the same order, :data:`PER_SECOND` updated each second."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._encoded: dict[tuple[str, bool], _Encoded] = {}

    def page(self, request: web.Request, page: Page) -> web.Response:
        """A page of the keyset (or offset) query, any other condition ignored."""
        fields = request.query.get("sysparm_fields") or DEFAULT_FIELDS
        is_with_links = request.query.get("sysparm_exclude_reference_link", "false").lower() != "true"
        if request.query.get("sysparm_display_value", "false").lower() != "false":
            raise ApiError(400, "Load mode", "serves raw values only")
        begin, end = bounds(parse(page.query), self.count)
        total = end - begin
        begin = min(end, begin + page.offset)
        end = min(end, begin + page.limit)
        headers = {"Content-Type": "application/json;charset=UTF-8"}
        if page.is_counted:
            headers["X-Total-Count"] = str(total)
        return web.Response(body=self._slice(fields, is_with_links, begin, end, request), headers=headers)

    def _slice(self, fields: str, is_with_links: bool, begin: int, end: int, request: web.Request) -> bytes:
        if begin >= end:
            return b'{"result":[]}'
        encoded = self._encoded.get((fields, is_with_links))
        if encoded is None:
            while len(self._encoded) >= KEPT_FIELD_LISTS:
                self._encoded.pop(next(iter(self._encoded)))
            encoded = _encode(tuple(fields.split(",")), is_with_links, self.count)
            self._encoded[fields, is_with_links] = encoded
        offsets = encoded.offsets
        return b"".join((b'{"result":[', encoded.data[offsets[begin] : offsets[end] - 1], b"]}"))


def bounds(query: Query, count: int) -> tuple[int, int]:
    """First and last record (exclusive) that the conditions on sys_updated_on and sys_id leave, over all groups."""
    spans = [_group_bounds([alternatives[0] for alternatives in group], count) for group in query.groups]
    real = [span for span in spans if span[0] < span[1]]
    return (min(span[0] for span in real), max(span[1] for span in real)) if real else (0, 0)


def _group_bounds(conditions: list[Condition], count: int) -> tuple[int, int]:
    begin, end = 0, count
    for condition in conditions:
        if condition.field == "sys_id":
            index = _index_after(condition.value)
            if condition.operator == ">":
                begin = max(begin, index)
            elif condition.operator == "=":
                begin, end = max(begin, index - 1), min(end, index)
        elif condition.field == "sys_updated_on":
            low, high = _second_bounds(condition, count)
            begin, end = max(begin, low), min(end, high)
    return begin, end


def _second_bounds(condition: Condition, count: int) -> tuple[int, int]:
    moment = normalised(condition.value)
    if moment is None:
        return 0, count
    at = (epoch_of(moment) - FIRST_S) * PER_SECOND
    after = at + PER_SECOND
    return {"=": (at, after), ">=": (at, count), ">": (after, count), "<": (0, at), "<=": (0, after)}.get(
        condition.operator, (0, count)
    )


def _index_after(sys_id: str) -> int:
    try:
        return int(sys_id, 16) + 1
    except ValueError:
        return 0


def _encode(fields: tuple[str, ...], is_with_links: bool, count: int) -> _Encoded:
    makers = [(name, _MAKERS.get(name, _nothing)) for name in fields]
    references = _REFERENCES if is_with_links else {}
    encoder = msgspec.json.Encoder()
    offsets = array("Q", [0])
    position = 0
    with tempfile.TemporaryFile(prefix="sandbox-load-") as file:
        for first in range(0, count, 20_000):
            parts = []
            for index in range(first, min(count, first + 20_000)):
                record = {
                    name: _linked(references[name], value) if name in references and value else value
                    for name, make in makers
                    for value in (make(index),)
                }
                raw = encoder.encode(record)
                parts.append(raw)
                position += len(raw) + 1
                offsets.append(position)
            file.write(b",".join(parts) + b",")
        file.flush()
        return _Encoded(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), offsets)


def _linked(table: str, value: str) -> dict[str, str]:
    return {"link": f"http://localhost/api/now/table/{table}/{value}", "value": value}


def _nothing(index: int) -> str:
    return ""


def _id(kind: int, index: int) -> str:
    return f"{kind:08x}{index:024x}"


def _updated(index: int) -> str:
    return stored(FIRST_S + index // PER_SECOND)


def _hours_before(hours: int) -> Callable[[int], str]:
    return lambda index: stored(FIRST_S + index // PER_SECOND - hours * 3600 - index % 3600)


_REFERENCES = {
    "company": "core_company",
    "location": "cmn_location",
    "business_service": "cmdb_ci_service",
    "cmdb_ci": "cmdb_ci",
    "assignment_group": "sys_user_group",
    "assigned_to": "sys_user",
    "caller_id": "sys_user",
    "vendor": "core_company",
}
_MAKERS: dict[str, Callable[[int], str]] = {
    "sys_id": lambda index: f"{index:032x}",
    "number": lambda index: f"INC{index:07d}",
    "short_description": lambda index: f"{TITLES[index % 4]} ({index})",
    "state": lambda index: "7" if index % 50 else "2",
    "priority": lambda index: str(2 + index % 4),
    "impact": lambda index: "2",
    "urgency": lambda index: "2",
    "company": lambda index: _id(1, index % 4),
    "company.name": lambda index: CUSTOMERS[index % 4][0],
    "location": lambda index: _id(2, index % 4),
    "location.country": lambda index: CUSTOMERS[index % 4][1],
    "business_service": lambda index: _id(3, index % 5),
    "business_service.name": lambda index: SERVICES[index % 5],
    "cmdb_ci": lambda index: _id(3, index % 5),
    "category": lambda index: ("Software", "Hardware", "Network")[index % 3],
    "assignment_group": lambda index: _id(4, index % 7),
    "assignment_group.name": lambda index: f"Team {index % 7}",
    "assigned_to": lambda index: _id(5, index % 40),
    "caller_id": lambda index: _id(5, index % 900),
    "vendor": lambda index: _id(6, index % 3) if index % 4 == 0 else "",
    "vendor.name": lambda index: f"Supplier {index % 3}" if index % 4 == 0 else "",
    "opened_at": _hours_before(60),
    "sys_created_on": _hours_before(60),
    "resolved_at": lambda index: _hours_before(30)(index) if index % 50 else "",
    "closed_at": lambda index: _updated(index) if index % 50 else "",
    "sys_updated_on": _updated,
    "sys_class_name": lambda index: "incident",
    "reopen_count": lambda index: "1" if index % 33 == 0 else "0",
    "reassignment_count": lambda index: str(index % 3),
    "major_incident_state": lambda index: "accepted" if index % 500 == 0 else "",
    "contact_type": lambda index: "phone",
    "active": lambda index: "false" if index % 50 else "true",
    "close_code": lambda index: "Solution provided" if index % 50 else "",
    "made_sla": lambda index: "true",
}
