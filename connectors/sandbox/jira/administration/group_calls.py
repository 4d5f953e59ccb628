"""Groups: made, filled, emptied and deleted by administrators, read by everybody who signs in."""

from __future__ import annotations

import re
from typing import Any

from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.administration.projects import ADMIN_GROUP
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer
from connectors.sandbox.jira.catalogue import Flavour

_RANGE = re.compile(r"users\[(\d+):(\d+)\]")


def group(call: Call) -> Answer:
    """``GET|POST|DELETE /group``."""
    call.signed_in()
    if call.method == "POST":
        return _create(call)
    name = _asked(call)
    if call.method == "DELETE":
        return _delete(call, name)
    return json_answer(_shown(call, name))


def members(call: Call) -> Answer:
    """``GET /group/member``, paged."""
    call.signed_in()
    with_inactive = call.param("includeInactiveUsers").lower() == "true"
    return json_answer(call.page(_members(call, _asked(call), with_inactive=with_inactive)))


def membership(call: Call) -> Answer:
    """``POST|DELETE /group/user``: one person joins or leaves."""
    caller, name = call.administrator(), _asked(call)
    site = call.site
    account = _person(call)
    is_member = account.name in site.groups.members(name)
    if call.method == "POST":
        if is_member:
            raise ApiError(400, f"Cannot add user '{account.login}', user is already a member of '{name}'")
        site.groups.join(name, account)
        site.note(caller, "User added to group", "group management", name)
        return json_answer(_shown(call, name), 201)
    if not is_member:
        raise ApiError(400, f"Cannot remove user '{account.login}' from group '{name}': they are not a member.")
    if account is caller and name == ADMIN_GROUP:
        raise ApiError(400, "You cannot remove yourself from the group that lets you administer this site.")
    site.groups.leave(name, account)
    site.note(caller, "User removed from group", "group management", name)
    return Answer(200)


def picker(call: Call) -> Answer:
    """``GET /groups/picker``."""
    call.signed_in()
    return json_answer(picked(call))


def picked(call: Call) -> dict[str, Any]:
    """The groups whose names hold what was typed."""
    text, left_out = call.param("query").lower(), call.params.get("exclude", ())
    names = [name for name in call.site.groups.names() if text in name.lower() and name not in left_out]
    size = call.number("maxResults", 20)
    found = [_named(call, name) | {"html": name, "labels": []} for name in names[:size]]
    header = f"Showing {len(found)} of {len(names)} matching groups"
    return {"header": header, "total": len(names), "groups": found}


def bulk(call: Call) -> Answer:
    """``GET /group/bulk`` (Cloud), paged: names and ids."""
    call.only_on(Flavour.CLOUD)
    call.administrator()
    wanted = {*call.params.get("groupName", ()), *call.params.get("groupId", ())}
    groups = call.site.groups
    names = [name for name in groups.names() if not wanted or wanted & {name, groups.id_of(name)}]
    return json_answer(call.page([{"name": name, "groupId": groups.id_of(name)} for name in names]))


def of_user(call: Call) -> Answer:
    """``GET /user/groups`` (Cloud)."""
    account = call.signed_in()
    asked = call.param("accountId") or call.param("username")
    meant = call.site.directory.known_as(asked) if asked else account
    if meant is None:
        raise ApiError(404, f"The user '{asked}' does not exist.")
    return json_answer([_named(call, name) for name in call.site.groups.of(meant)])


def _asked(call: Call) -> str:
    asked = call.param("groupname") or call.param("groupName") or call.param("groupId")
    if not asked:
        raise ApiError(400, "The query parameter 'groupname' was not specified.")
    found = call.site.groups.named(asked)
    if found is None:
        raise ApiError(404, f"The group named '{asked}' does not exist.")
    return found


def _person(call: Call) -> Account:
    """Whom the body (POST) or the query (DELETE) names; Cloud does not know user names any more."""
    is_cloud = call.site.flavour is Flavour.CLOUD
    name = "accountId" if is_cloud else "name"
    sent = call.document().get(name) if call.method == "POST" else call.param("accountId" if is_cloud else "username")
    if not sent:
        raise ApiError(400, f"The '{name}' of the user has to be specified.")
    found = call.site.directory.known_as(str(sent))
    if found is None:
        raise ApiError(404, f"The user '{sent}' does not exist.")
    return found


def _create(call: Call) -> Answer:
    caller = call.administrator()
    name = str(call.document().get("name") or "").strip()
    if not name:
        raise ApiError(400, "The group name must not be blank.")
    if call.site.groups.named(name) is not None:
        raise ApiError(400, errors={"groupName": "A group or user with this name already exists."})
    call.site.groups.add(name)
    call.site.note(caller, "Group created", "group management", name)
    return json_answer(_shown(call, name), 201)


def _delete(call: Call, name: str) -> Answer:
    """Delete a group; where projects name it, ``swapGroup`` takes its place."""
    caller, site = call.administrator(), call.site
    swap = call.param("swapGroup") or call.param("swapGroupId")
    instead = site.groups.named(swap) if swap else None
    if swap and instead is None:
        raise ApiError(404, f"The group named '{swap}' does not exist.")
    if name == ADMIN_GROUP:
        raise ApiError(400, "You cannot delete the group that lets you administer this site.")
    for project in site.projects.everything():
        for actors in site.projects.details(project).roles.values():
            if name in actors.groups:
                actors.groups.remove(name)
                if instead is not None and instead not in actors.groups:
                    actors.groups.append(instead)
    site.groups.remove(name)
    site.note(caller, "Group deleted", "group management", name)
    return Answer(200)


def _shown(call: Call, name: str) -> dict[str, Any]:
    """A group with a page of its members: ``expand=users[50:99]``."""
    people = _members(call, name)
    asked = _RANGE.search(call.param("expand"))
    first, last = (int(asked[1]), int(asked[2])) if asked is not None else (0, 49)
    last = min(last, len(people) - 1)
    page = {
        "size": len(people),
        "items": people[first : last + 1],
        "max-results": 50,
        "start-index": first,
        "end-index": last,
    }
    return _named(call, name) | {"users": page, "expand": "users"}


def _named(call: Call, name: str) -> dict[str, Any]:
    shown = {"name": name, "self": f"{call.parts.api}/group?groupname={name}"}
    return shown | ({"groupId": call.site.groups.id_of(name)} if call.site.flavour is Flavour.CLOUD else {})


def _members(call: Call, name: str, *, with_inactive: bool = False) -> list[dict[str, Any]]:
    inside = call.site.groups.members(name)
    people = call.site.directory.search("", with_inactive=with_inactive)
    return [call.parts.person(account) for account in people if account.name in inside]
