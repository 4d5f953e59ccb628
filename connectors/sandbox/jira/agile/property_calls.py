"""``/rest/agile/1.0/{board|sprint}/{id}/properties``: what clients keep on boards and sprints."""

from __future__ import annotations

from collections.abc import Callable

from connectors.sandbox.jira import entity_properties
from connectors.sandbox.jira.agile.lookups import board_named, sprint_named
from connectors.sandbox.jira.agile.planning import Board, Sprint
from connectors.sandbox.jira.agile.texts import AGILE
from connectors.sandbox.jira.calls import Answer, Call, json_answer

OWNERS: dict[str, Callable[[Call, str], Board | Sprint]] = {"board": board_named, "sprint": sprint_named}


def keys(call: Call, id: str, owner: str) -> Answer:
    """``GET /{owner}/{id}/properties``."""
    found = OWNERS[owner](call, id)
    address = f"{call.desk.base}{AGILE}/{owner}/{found.id}/properties"
    return json_answer({"keys": entity_properties.keys(found.properties, address)})


def one(call: Call, id: str, name: str, owner: str) -> Answer:
    """``GET|PUT|DELETE /{owner}/{id}/properties/{name}``."""
    found = OWNERS[owner](call, id)
    if call.method != "GET":
        call.writer()
    return entity_properties.one(call, found.properties, name)
