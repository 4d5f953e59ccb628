"""With whom a filter or a dashboard is shared: groups, projects, roles in them, people, everybody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.administration.projects import Actors
from connectors.sandbox.jira.calls import ApiError, Call
from connectors.sandbox.jira.catalogue import Flavour
from connectors.sandbox.jira.meta_calls import project_named

Document = dict[str, Any]


def sent(call: Call, document: Document) -> Document:
    """A share as it is kept, from the flat form of the call or the nested form of a filter's document."""
    asked = str(document.get("type"))
    kind = {"authenticated": "loggedin", "projectRole": "role"}.get(asked, asked)
    group = document.get("groupname") or document.get("groupId") or _part(document, "group", "name")
    project = document.get("projectId") or _part(document, "project", "id", "key")
    role = document.get("projectRoleId") or _part(document, "role", "id")
    person = document.get("accountId") or document.get("userKey") or _part(document, "user", "accountId", "name", "key")
    if kind in ("global", "loggedin"):
        return {"type": kind}
    if kind == "group":
        name = call.site.groups.named(str(group or ""))
        if name is None:
            raise ApiError(400, f"The group '{group}' does not exist.")
        return {"type": "group", "group": name}
    if kind in ("project", "role"):
        found = project_named(call, str(project or ""))
        if kind == "role" and str(role) not in call.site.roles:
            raise ApiError(400, f"The project role '{role}' does not exist.")
        return {"type": "project", "project": found.id} | ({"role": str(role)} if kind == "role" else {})
    if kind == "user":
        account = call.site.directory.known_as(str(person or ""))
        if account is None:
            raise ApiError(400, f"The user '{person}' does not exist.")
        return {"type": "user", "user": account.name}
    raise ApiError(
        400, f"The type of a share is one of global, authenticated, group, project, projectRole, user: {kind}"
    )


def _part(document: Document, name: str, *parts: str) -> Any:
    """The first of these parts that the document's part of this name has."""
    value = document.get(name)
    return next((value[part] for part in parts if value.get(part)), None) if isinstance(value, dict) else None


def shown(call: Call, number: str, kept: Document) -> Document:
    """A share under its number."""
    shown: Document = {"id": int(number), "type": kept["type"]}
    if "group" in kept:
        shown["group"] = call.parts.group(kept["group"])
    if "project" in kept and (found := call.site.projects.named(kept["project"])) is not None:
        shown["project"] = call.parts.project(found)
    if "role" in kept:
        shown["role"] = {"id": int(kept["role"]), "name": call.site.roles[kept["role"]]["name"]}
    if "user" in kept and (account := call.site.directory.named(kept["user"])) is not None:
        shown["user"] = call.parts.person(account)
    return shown | ({} if call.site.flavour is Flavour.CLOUD else {"view": True, "edit": False})


def reaches_caller(call: Call, owner: str, shares: Iterable[Document]) -> bool:
    """Whether the caller owns what is shared so, administers the site, or is meant by a share."""
    account = call.account
    if account is None:
        return any(one["type"] == "global" for one in shares)
    return account.is_admin or account.name == owner or any(_means(call, one, account) for one in shares)


def _means(call: Call, shared: Document, account: Account) -> bool:
    """Whether a share means this person; everybody who signs in sees every project."""
    if "group" in shared:
        return account.name in call.site.groups.members(shared["group"])
    if "role" in shared:
        project = call.site.projects.named(shared["project"])
        actors = call.site.projects.details(project).actors(shared["role"]) if project is not None else Actors()
        return call.site.groups.reach(actors, account)
    return bool(shared.get("user", account.name) == account.name)
