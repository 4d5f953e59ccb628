"""Filters: searches with a name, seen by their owners, by administrators and by those they are shared with."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira import bodies, jql
from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.administration import sharing
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import Flavour

Document = dict[str, Any]
SCOPES = ("GLOBAL", "AUTHENTICATED", "PRIVATE")
_COLUMNS = ("issuekey", "summary", "status", "assignee", "updated")


def add(call: Call) -> Answer:
    """``POST /filter``."""
    author, sent = call.signed_in(), call.document()
    id = str(next(call.site.ids))
    made: Document = {"owner": author.name, "favoured_by": [], "shares": {}, "columns": list(_COLUMNS)}
    _accept(call, made, {"name": "", "description": "", "jql": "", **sent}, id)
    call.site.shelf["filter"][id] = made
    return json_answer(_shown(call, id))


def one(call: Call, id: str) -> Answer:
    """``GET|PUT|DELETE /filter/{id}``."""
    call.signed_in()
    kept = _kept(call, id)
    if call.method == "GET":
        return json_answer(_shown(call, id))
    _owned(call, id)
    if call.method == "DELETE":
        del call.site.shelf["filter"][id]
        return no_content()
    _accept(call, kept, {name: kept[name] for name in ("name", "description", "jql")} | call.document(), id)
    return json_answer(_shown(call, id))


def search(call: Call) -> Answer:
    """``GET /filter/search`` (Cloud), paged: by name and owner."""
    call.signed_in()
    text, owner = call.param("filterName").lower(), call.site.directory.meant(call.param("accountId"))
    found = [id for id, kept in seen(call).items() if text in kept["name"].lower()]
    if owner is not None:
        found = [id for id in found if call.site.shelf["filter"][id]["owner"] == owner.name]
    return json_answer(call.page([_shown(call, id) for id in found]))


def mine(call: Call) -> Answer:
    """``GET /filter/my`` (Cloud)."""
    name = call.signed_in().name
    return json_answer([_shown(call, id) for id, kept in seen(call).items() if kept["owner"] == name])


def favourites(call: Call) -> Answer:
    """``GET /filter/favourite``."""
    name = call.signed_in().name
    return json_answer([_shown(call, id) for id, kept in seen(call).items() if name in kept["favoured_by"]])


def favoured(call: Call, id: str) -> Answer:
    """``PUT|DELETE /filter/{id}/favourite`` (Cloud)."""
    call.only_on(Flavour.CLOUD)
    account, kept = call.signed_in(), _kept(call, id)
    _favour(kept, account, is_favourite=call.method == "PUT")
    return json_answer(_shown(call, id))


def owner(call: Call, id: str) -> Answer:
    """``PUT /filter/{id}/owner`` (Cloud)."""
    call.only_on(Flavour.CLOUD)
    kept = _owned(call, id)
    account = call.site.directory.known_as(str(call.document().get("accountId") or ""))
    if account is None:
        raise ApiError(400, "The user with the given accountId does not exist.")
    kept["owner"] = account.name
    return no_content()


def columns(call: Call, id: str) -> Answer:
    """``GET|PUT|DELETE /filter/{id}/columns``: the fields its list shows."""
    kept = _kept(call, id)
    if call.method == "GET":
        names = {known: field.name for known, field in call.site.fields.items()} | {"issuekey": "Key"}
        return json_answer([{"label": names[column], "value": column} for column in kept["columns"]])
    _owned(call, id)
    wanted = [str(one) for one in call.names("columns") or _COLUMNS] if call.method == "PUT" else list(_COLUMNS)
    unknown = [one for one in wanted if one != "issuekey" and one not in call.site.fields]
    if unknown:
        raise ApiError(400, f"There is no field {', '.join(unknown)}.")
    kept["columns"] = wanted
    return Answer(200) if call.method == "PUT" else no_content()


def share_scope(call: Call) -> Answer:
    """``GET|PUT /filter/defaultShareScope``: how one's new filters are shared."""
    account = call.signed_in()
    scopes: Document = call.site.shelf["share scope"]
    if call.method == "PUT":
        wanted = str(call.document().get("scope") or "")
        if wanted not in SCOPES:
            raise ApiError(400, f"The scope has to be one of {', '.join(SCOPES)}.")
        scopes[account.name] = {"scope": wanted}
    return json_answer(scopes.get(account.name, {"scope": "PRIVATE"}))


# --- sharing --------------------------------------------------------------------------------------------------


def shares(call: Call, id: str) -> Answer:
    """``GET|POST /filter/{id}/permission``: with whom it is shared; POST answers all of them, 201."""
    call.signed_in()
    if call.method == "GET":
        _kept(call, id)
        return json_answer(_shares(call, id))
    kept = _owned(call, id)
    made = sharing.sent(call, call.document())
    if made in kept["shares"].values():
        raise ApiError(400, "The filter is shared so already.")
    if made["type"] in ("global", "loggedin"):
        kept["shares"].clear()  # with everybody: nothing is left to be said
    kept["shares"][str(next(call.site.ids))] = made
    return json_answer(_shares(call, id), 201)


def share(call: Call, id: str, number: str) -> Answer:
    """``GET|DELETE /filter/{id}/permission/{permissionId}``."""
    call.signed_in()
    kept = _kept(call, id)
    if number not in kept["shares"]:
        raise ApiError(404, f"The share permission with id '{number}' does not exist.")
    if call.method == "GET":
        return json_answer(next(one for one in _shares(call, id) if str(one["id"]) == number))
    _owned(call, id)
    del kept["shares"][number]
    return no_content()


def _shares(call: Call, id: str) -> list[Document]:
    return [sharing.shown(call, number, one) for number, one in call.site.shelf["filter"][id]["shares"].items()]


# --- keeping --------------------------------------------------------------------------------------------------


def _accept(call: Call, kept: Document, sent: Document, id: str) -> None:
    """Take over what was sent of a filter, or nothing of it."""
    name, text = str(sent["name"] or "").strip(), str(sent["jql"] or "")
    if not name:
        raise ApiError(400, errors={"filterName": "You must specify a name to save this filter as."})
    namesakes = (one for other, one in call.site.shelf["filter"].items() if other != id and one["name"] == name)
    if any(one["owner"] == kept["owner"] for one in namesakes):
        raise ApiError(400, errors={"filterName": "Filter with same name already exists."})
    try:
        jql.parse(text)
    except jql.JqlError as error:
        raise ApiError(400, str(error)) from None
    if "sharePermissions" in sent:
        made = [sharing.sent(call, one) for one in bodies.parts(sent, "sharePermissions")]
        kept["shares"] = {str(next(call.site.ids)): one for one in made}
    if "favourite" in sent:
        _favour(kept, call.signed_in(), is_favourite=bool(sent["favourite"]))
    kept.update(name=name, description=str(sent["description"] or ""), jql=text)


def _favour(kept: Document, account: Account, *, is_favourite: bool) -> None:
    others = [name for name in kept["favoured_by"] if name != account.name]
    kept["favoured_by"] = [*others, account.name] if is_favourite else others


def _shown(call: Call, id: str) -> Document:
    kept = call.site.shelf["filter"][id]
    account = call.site.directory.named(kept["owner"])
    return {
        "self": f"{call.parts.api}/filter/{id}",
        "id": id,
        "name": kept["name"],
        "description": kept["description"],
        "owner": call.parts.person(account) if account is not None else None,
        "jql": kept["jql"],
        "viewUrl": f"{call.desk.base}/issues/?filter={id}",
        "searchUrl": f"{call.parts.api}/search",
        "favourite": call.account is not None and call.account.name in kept["favoured_by"],
        "favouritedCount": len(kept["favoured_by"]),
        "sharePermissions": _shares(call, id),
        "subscriptions": {"size": 0, "items": []},
    }


def seen(call: Call) -> dict[str, Document]:
    """The filters that the caller may see, by id."""
    return {id: kept for id, kept in call.site.shelf["filter"].items() if _may_see(call, kept)}


def _may_see(call: Call, kept: Document) -> bool:
    return sharing.reaches_caller(call, kept["owner"], kept["shares"].values())


def _kept(call: Call, id: str) -> Document:
    kept: Document | None = call.site.shelf["filter"].get(id)
    if kept is None or not _may_see(call, kept):
        raise ApiError(400, f"The filter with id '{id}' does not exist.")
    return kept


def _owned(call: Call, id: str) -> Document:
    kept, account = _kept(call, id), call.signed_in()
    if not account.is_admin and account.name != kept["owner"]:
        raise ApiError(403, "You do not have permission to change this filter.")
    return kept
