"""Screens: which fields issues show and take, in tabs. What a screen loses cannot be set any more."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira import ordering
from connectors.sandbox.jira.administration.screens import Screen, Tab
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import CREATE_REQUIRED, Flavour

Document = dict[str, Any]
#: On every screen, in its first tab, and not to be taken away.
ALWAYS = tuple(id for id in CREATE_REQUIRED if id != "project")


def screens(call: Call) -> Answer:
    """``GET /screens``, paged; ``POST`` (Cloud)."""
    call.administrator()
    if call.method == "GET":
        return json_answer(call.page([_screen(one) for one in call.site.screens.by_id.values()], size=100))
    call.only_on(Flavour.CLOUD)
    sent = call.document()
    name = _name(sent, [one.name for one in call.site.screens.by_id.values()])
    id = str(next(call.site.ids))
    tab = Tab(str(next(call.site.ids)), "Field Tab")
    call.site.screens.by_id[id] = Screen(id, name, str(sent.get("description") or ""), [tab])
    return json_answer(_screen(call.site.screens.by_id[id]), 201)


def screen(call: Call, id: str) -> Answer:
    """``PUT|DELETE /screens/{id}`` (Cloud); 400 where projects use it."""
    call.only_on(Flavour.CLOUD)
    call.administrator()
    found = _found(call, id)
    if call.method == "DELETE":
        if any(project.screen == id for project in call.site.projects.everything()):
            raise ApiError(400, "The screen is used by projects and cannot be deleted.")
        del call.site.screens.by_id[id]
        return no_content()
    sent = call.document()
    others = [one.name for one in call.site.screens.by_id.values() if one is not found]
    found.name = _name({"name": found.name, **sent}, others)
    found.description = str(sent.get("description", found.description))
    return json_answer(_screen(found))


def tabs(call: Call, id: str) -> Answer:
    """``GET|POST /screens/{id}/tabs``."""
    call.administrator()
    found = _found(call, id)
    if call.method == "GET":
        return json_answer([_tab(tab) for tab in found.tabs])
    name = _name(call.document(), [tab.name for tab in found.tabs])
    found.tabs.append(Tab(str(next(call.site.ids)), name))
    return json_answer(_tab(found.tabs[-1]))


def tab(call: Call, id: str, tab_id: str) -> Answer:
    """``PUT|DELETE /screens/{id}/tabs/{tabId}``; the first tab stays."""
    call.administrator()
    screen = _found(call, id)
    found = _tab_of(screen, tab_id)
    if call.method == "DELETE":
        if found is screen.tabs[0]:
            raise ApiError(400, "The first tab of a screen cannot be deleted.")
        screen.tabs.remove(found)
        return no_content()
    sent = call.document()
    found.name = _name(sent, [tab.name for tab in screen.tabs if tab is not found])
    return json_answer(_tab(found))


def tab_fields(call: Call, id: str, tab_id: str) -> Answer:
    """``GET|POST /screens/{id}/tabs/{tabId}/fields``: POST adds ``fieldId``."""
    call.administrator()
    screen = _found(call, id)
    found = _tab_of(screen, tab_id)
    if call.method == "GET":
        ids = [*(ALWAYS if found is screen.tabs[0] else ()), *found.fields]
        return json_answer([_field(call, one) for one in ids])
    field_id = str(call.document().get("fieldId") or "")
    if field_id not in _available(call, screen):
        known = field_id in call.site.fields
        said = "is on the screen already, or on none" if known else "does not exist"
        raise ApiError(400, f"The field '{field_id}' {said}.")
    found.fields.append(field_id)
    return json_answer(_field(call, field_id))


def tab_field(call: Call, id: str, tab_id: str, field_id: str) -> Answer:
    """``DELETE /screens/{id}/tabs/{tabId}/fields/{fieldId}``."""
    call.administrator()
    found = _tab_of(_found(call, id), tab_id)
    if field_id in ALWAYS:
        raise ApiError(400, f"The field '{field_id}' is required on every screen.")
    if field_id not in found.fields:
        raise ApiError(404, f"The tab has no field '{field_id}'.")
    found.fields.remove(field_id)
    return no_content()


def moved(call: Call, id: str, tab_id: str, field_id: str) -> Answer:
    """``POST …/fields/{fieldId}/move``: to a ``position``, or ``after`` another."""
    call.administrator()
    found = _tab_of(_found(call, id), tab_id)
    if field_id not in found.fields:
        raise ApiError(404, f"The tab has no field '{field_id}'.")
    found.fields = ordering.moved(found.fields, field_id, call.document())
    return no_content()


def available(call: Call, id: str) -> Answer:
    """``GET /screens/{id}/availableFields``: what may be added."""
    call.administrator()
    return json_answer([_field(call, one) for one in _available(call, _found(call, id))])


def _found(call: Call, id: str) -> Screen:
    found = call.site.screens.by_id.get(id)
    if found is None:
        raise ApiError(404, f"The screen with id '{id}' does not exist.")
    return found


def _tab_of(screen: Screen, tab_id: str) -> Tab:
    found = next((tab for tab in screen.tabs if tab.id == tab_id), None)
    if found is None:
        raise ApiError(404, f"The screen has no tab with id '{tab_id}'.")
    return found


def _name(sent: Document, taken: list[str]) -> str:
    name = str(sent.get("name") or "").strip()
    if not name or name in taken:
        raise ApiError(400, errors={"name": "A name is required that no other has."})
    return name


def _available(call: Call, screen: Screen) -> list[str]:
    shown = {*screen.fields(), *CREATE_REQUIRED}
    return [id for id, field in call.site.fields.items() if field.is_writable and id not in shown and _can_be_set(id)]


def _can_be_set(id: str) -> bool:
    return id != "resolution"  # set by transitions only


def _screen(found: Screen) -> Document:
    return {"id": int(found.id), "name": found.name, "description": found.description}


def _tab(found: Tab) -> Document:
    return {"id": int(found.id), "name": found.name}


def _field(call: Call, id: str) -> Document:
    return {"id": id, "name": call.site.fields[id].name}
