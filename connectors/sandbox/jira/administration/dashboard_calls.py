"""Dashboards with their gadgets, and what gadgets keep. Cloud makes and changes them through the API, Data Center only
reads them."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira import bodies, entity_properties
from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.administration import sharing
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import Flavour

Document = dict[str, Any]
COLOURS = ("blue", "red", "yellow", "green", "cyan", "purple", "gray", "white")
GADGETS = {
    "com.atlassian.jira.gadgets:filter-results-gadget": "Filter results",
    "com.atlassian.jira.gadgets:assigned-to-me-gadget": "Assigned to me",
    "com.atlassian.jira.gadgets:created-vs-resolved-issues-chart-gadget": "Created vs. resolved chart",
}
COLUMNS = 3


def dashboards(call: Call) -> Answer:
    """``GET /dashboard``, paged, ``filter`` my or favourite; ``POST /dashboard`` (Cloud)."""
    if call.method == "POST":
        call.only_on(Flavour.CLOUD)
        author = call.signed_in()
        return json_answer(_shown(call, _made(call, author, call.document(), [])))
    wanted, account = call.param("filter"), call.account
    found = [
        _shown(call, id)
        for id, kept in call.site.shelf["dashboard"].items()
        if _may_see(call, kept) and (wanted != "my" or (account is not None and kept["owner"] == account.name))
    ]
    page = call.page([one for one in found if wanted != "favourite" or one["isFavourite"]], size=20)
    page.pop("isLast")
    return json_answer({"dashboards": page.pop("values"), **page})


def search(call: Call) -> Answer:
    """``GET /dashboard/search`` (Cloud), paged: by name."""
    text = call.param("dashboardName").lower()
    kept = call.site.shelf["dashboard"].items()
    return json_answer(
        call.page([_shown(call, id) for id, one in kept if _may_see(call, one) and text in one["name"].lower()])
    )


def dashboard(call: Call, id: str) -> Answer:
    """``GET /dashboard/{id}``; ``PUT`` and ``DELETE`` (Cloud)."""
    kept = _kept(call, id)
    if call.method == "GET":
        return json_answer(_shown(call, id))
    call.only_on(Flavour.CLOUD)
    _editable(call, kept)
    if call.method == "DELETE":
        del call.site.shelf["dashboard"][id]
        return no_content()
    kept.update(_accepted(call, {**_plain(kept), **call.document()}))
    return json_answer(_shown(call, id))


def copied(call: Call, id: str) -> Answer:
    """``POST /dashboard/{id}/copy`` (Cloud): with its gadgets, and the caller as its owner."""
    call.only_on(Flavour.CLOUD)
    author, kept = call.signed_in(), _kept(call, id)
    gadgets = [{**gadget, "id": next(call.site.ids), "properties": {}} for gadget in kept["gadgets"]]
    return json_answer(_shown(call, _made(call, author, {**_plain(kept), **call.document()}, gadgets)))


def _made(call: Call, author: Account, sent: Document, gadgets: list[Document]) -> str:
    id = str(next(call.site.ids))
    kept = {"owner": author.name, "gadgets": gadgets, **_accepted(call, sent)}
    call.site.shelf["dashboard"][id] = kept
    return id


def _plain(kept: Document) -> Document:
    return {name: kept[name] for name in ("name", "description")}


def _accepted(call: Call, sent: Document) -> Document:
    name = str(sent.get("name") or "").strip()
    if not name:
        raise ApiError(400, errors={"dashboardName": "You must specify a name to save this dashboard as."})
    taken: Document = {"name": name, "description": str(sent.get("description") or "")}
    for part in ("sharePermissions", "editPermissions"):
        made = [sharing.sent(call, one) for one in bodies.parts(sent, part)]
        taken[part] = {str(next(call.site.ids)): one for one in made}
    return taken


def _shown(call: Call, id: str) -> Document:
    kept = call.site.shelf["dashboard"][id]
    owner = call.site.directory.named(kept["owner"])
    permissions = {
        part: [sharing.shown(call, number, one) for number, one in kept[part].items()]
        for part in ("sharePermissions", "editPermissions")
    }
    return {
        "id": id,
        "self": f"{call.parts.api}/dashboard/{id}",
        "name": kept["name"],
        "description": kept["description"],
        "owner": call.parts.person(owner) if owner is not None else None,
        "isFavourite": False,
        "popularity": 0,
        "view": f"{call.desk.base}/secure/Dashboard.jspa?selectPageId={id}",
        **permissions,
    }


def _may_see(call: Call, kept: Document) -> bool:
    is_shared = sharing.reaches_caller(call, kept["owner"], kept["sharePermissions"].values())
    return is_shared or _may_edit(call, kept)


def _may_edit(call: Call, kept: Document) -> bool:
    is_shared = sharing.reaches_caller(call, kept["owner"], kept["editPermissions"].values())
    return call.account is not None and is_shared


def _kept(call: Call, id: str) -> Document:
    kept: Document | None = call.site.shelf["dashboard"].get(id)
    if kept is None or not _may_see(call, kept):
        raise ApiError(404, "The dashboard does not exist.")
    return kept


def _editable(call: Call, kept: Document) -> None:
    call.signed_in()
    if not _may_edit(call, kept):
        raise ApiError(403, "You do not have permission to change this dashboard.")


# --- gadgets --------------------------------------------------------------------------------------------------


def available(call: Call) -> Answer:
    """``GET /dashboard/gadgets`` (Cloud): what may be put on one."""
    call.signed_in()
    return json_answer({"gadgets": [{"moduleKey": key, "title": title} for key, title in GADGETS.items()]})


def gadgets(call: Call, id: str) -> Answer:
    """``GET|POST /dashboard/{id}/gadget`` (Cloud)."""
    call.only_on(Flavour.CLOUD)
    kept = _kept(call, id)
    if call.method == "GET":
        return json_answer({"gadgets": [_gadget(one) for one in kept["gadgets"]]})
    _editable(call, kept)
    sent = call.document()
    key, uri = sent.get("moduleKey"), sent.get("uri")
    if (key is None) == (uri is None):
        raise ApiError(400, "Either moduleKey or uri of a gadget has to be specified.")
    if key is not None and key not in GADGETS and not sent.get("ignoreUriAndModuleKeyValidation"):
        raise ApiError(400, f"There is no gadget with the module key '{key}'.")
    made: Document = {"id": next(call.site.ids), "moduleKey": key, "uri": uri, "color": "blue", "properties": {}}
    made |= {"title": GADGETS.get(str(key), ""), "position": {"row": len(kept["gadgets"]), "column": 0}}
    made.update(_gadget_sent(sent))
    kept["gadgets"].append(made)
    return json_answer(_gadget(made))


def gadget(call: Call, id: str, number: str) -> Answer:
    """``PUT|DELETE /dashboard/{id}/gadget/{gadgetId}`` (Cloud)."""
    call.only_on(Flavour.CLOUD)
    kept = _kept(call, id)
    found = _gadget_of(kept, number)
    _editable(call, kept)
    if call.method == "DELETE":
        kept["gadgets"].remove(found)
    else:
        found.update(_gadget_sent(call.document()))
    return no_content()


def _gadget_of(kept: Document, number: str) -> Document:
    for one in kept["gadgets"]:
        if str(one["id"]) == number:
            found: Document = one
            return found
    raise ApiError(404, "The dashboard has no such gadget.")


def _gadget_sent(sent: Document) -> Document:
    taken = {name: sent[name] for name in ("color", "title", "position") if sent.get(name) is not None}
    if taken.get("color", COLOURS[0]) not in COLOURS:
        raise ApiError(400, f"The color of a gadget is one of {', '.join(COLOURS)}.")
    place = taken.get("position", {"row": 0, "column": 0})
    if not isinstance(place, dict) or not all(isinstance(place.get(name), int) for name in ("row", "column")):
        raise ApiError(400, "The position of a gadget has a row and a column.")
    if not 0 <= place["column"] < COLUMNS or place["row"] < 0:
        raise ApiError(400, f"A dashboard has {COLUMNS} columns.")
    return taken


def _gadget(kept: Document) -> Document:
    return {name: value for name, value in kept.items() if name != "properties" and value is not None}


def item_properties(call: Call, id: str, number: str) -> Answer:
    """``GET /dashboard/{id}/items/{gadgetId}/properties``: the keys."""
    kept = _gadget_of(_kept(call, id), number)["properties"]
    address = f"{call.parts.api}/dashboard/{id}/items/{number}/properties"
    return json_answer({"keys": entity_properties.keys(kept, address)})


def item_property(call: Call, id: str, number: str, name: str) -> Answer:
    """``GET|PUT|DELETE /dashboard/{id}/items/{gadgetId}/properties/{name}``."""
    dashboard = _kept(call, id)
    kept = _gadget_of(dashboard, number)["properties"]
    if call.method != "GET":
        _editable(call, dashboard)
    return entity_properties.one(call, kept, name)
