"""Project roles: which there are, and who has them in which project."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira import bodies
from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.administration.projects import ADMINISTRATORS, Actors
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import Flavour, Project
from connectors.sandbox.jira.meta_calls import project_named

USER_ACTOR = "atlassian-user-role-actor"
GROUP_ACTOR = "atlassian-group-role-actor"
GROUP_ID_ACTOR = "atlassian-group-role-actor-id"
_NOBODY = (
    "We can't find '{}' in any accessible user directory. Check they're still active and available, and try again."
)


def roles(call: Call) -> Answer:
    """``GET|POST /role``."""
    call.signed_in()
    if call.method == "GET":
        return json_answer([_role(call, id, _default(call, id)) for id in call.site.roles])
    caller, sent = call.administrator(), call.document()
    name = _free_name(call, sent, None)
    id = str(next(call.site.ids))
    call.site.roles[id] = {"name": name, "description": str(sent.get("description") or "")}
    call.site.note(caller, "Project role created", "project roles", name)
    return json_answer(_role(call, id, _default(call, id)))


def role(call: Call, id: str) -> Answer:
    """``GET|PUT|POST|DELETE /role/{id}``: PUT replaces, POST changes what is sent."""
    call.signed_in()
    found = _role_document(call, id)
    if call.method == "GET":
        return json_answer(_role(call, id, _default(call, id)))
    call.administrator()
    if call.method == "DELETE":
        if id == ADMINISTRATORS:
            raise ApiError(409, "The project role is used by permission schemes and cannot be deleted.")
        del call.site.roles[id]
        call.site.default_actors.pop(id, None)
        for project in call.site.projects.everything():
            call.site.projects.details(project).roles.pop(id, None)
        return no_content()
    sent = call.document()
    before = found if call.method == "POST" else {"name": "", "description": ""}
    wanted = {name: sent.get(name) if sent.get(name) is not None else before[name] for name in before}
    found["name"] = _free_name(call, wanted, id)
    found["description"] = str(wanted["description"])
    return json_answer(_role(call, id, _default(call, id)))


def default_actors(call: Call, id: str) -> Answer:
    """``GET|POST|DELETE /role/{id}/actors``: who has the role in projects still to be made."""
    call.administrator()
    _role_document(call, id)
    actors = _default(call, id)
    if call.method == "POST":
        _add(call, actors, call.document())
    elif call.method == "DELETE":
        _take(call, actors)
    return json_answer(_role(call, id, actors))


def of_project(call: Call, key: str) -> Answer:
    """``GET /project/{key}/role``: names and addresses."""
    call.signed_in()
    found = project_named(call, key)
    link = f"{call.parts.api}/project/{found.id}/role"
    return json_answer({role["name"]: f"{link}/{id}" for id, role in call.site.roles.items()})


def details(call: Call, key: str) -> Answer:
    """``GET /project/{key}/roledetails`` (Cloud)."""
    call.only_on(Flavour.CLOUD)
    call.signed_in()
    project_named(call, key)
    shown = [_role(call, id, Actors()) for id in call.site.roles]
    return json_answer([{name: value for name, value in one.items() if name != "actors"} for one in shown])


def in_project(call: Call, key: str, id: str) -> Answer:
    """``GET|POST|PUT|DELETE /project/{key}/role/{id}``: who has the role; POST adds, PUT replaces."""
    project = project_named(call, key)
    caller = call.project_administrator(project)
    _role_document(call, id)
    actors = call.site.projects.details(project).actors(id)
    if call.method == "GET":
        return json_answer(_role(call, id, actors, project))
    if call.method == "DELETE":
        _take(call, actors)
        return no_content()
    if call.method == "POST":
        _add(call, actors, call.document())
    else:
        _replace(call, actors, bodies.part(call.document(), "categorisedActors"))
    call.site.note(caller, "Project roles changed", "projects", project.key)
    return json_answer(_role(call, id, actors, project))


def _role_document(call: Call, id: str) -> dict[str, str]:
    found = call.site.roles.get(id)
    if found is None:
        raise ApiError(404, f"Can not retrieve a role actor for a null project role: {id}.")
    return found


def _free_name(call: Call, sent: dict[str, Any], own: str | None) -> str:
    name = str(sent.get("name") or "").strip()
    if not name:
        raise ApiError(400, "The role name must not be blank.")
    if any(one["name"] == name and id != own for id, one in call.site.roles.items()):
        raise ApiError(409, f"A project role with name '{name}' already exists.")
    return name


def _default(call: Call, id: str) -> Actors:
    return call.site.default_actors.setdefault(id, Actors())


def _list(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _add(call: Call, actors: Actors, sent: dict[str, Any]) -> None:
    """Add everybody who is named, or nobody."""
    users = [_person(call, text).name for text in _list(sent.get("user"))]
    groups = [_group(call, text) for name in ("group", "groupId") for text in _list(sent.get(name))]
    if not users and not groups:
        raise ApiError(400, "A user or a group has to be named.")
    known = {*users, *groups} & {*actors.users, *actors.groups}
    if known:
        raise ApiError(400, f"Already a member of the project role: {', '.join(sorted(known))}.")
    actors.users += users
    actors.groups += groups


def _replace(call: Call, actors: Actors, sent: dict[str, Any]) -> None:
    users = [_person(call, text).name for text in _list(sent.get(USER_ACTOR))]
    groups = [_group(call, text) for name in (GROUP_ACTOR, GROUP_ID_ACTOR) for text in _list(sent.get(name))]
    actors.users, actors.groups = list(dict.fromkeys(users)), list(dict.fromkeys(groups))


def _take(call: Call, actors: Actors) -> None:
    """Take away whom the query names."""
    group = call.param("group") or call.param("groupId")
    if call.param("user"):
        known, name = actors.users, _person(call, call.param("user")).name
    elif group:
        known, name = actors.groups, _group(call, group)
    else:
        raise ApiError(400, "Either 'user' or 'group' has to be specified.")
    if name not in known:
        raise ApiError(404, f"'{name}' is not a member of the project role.")
    known.remove(name)


def _person(call: Call, text: str) -> Account:
    found = call.site.directory.known_as(text)
    if found is None or not found.is_active:
        raise ApiError(404, _NOBODY.format(text))
    return found


def _group(call: Call, text: str) -> str:
    found = call.site.groups.named(text)
    if found is None:
        raise ApiError(404, _NOBODY.format(text))
    return found


def _role(call: Call, id: str, actors: Actors, project: Project | None = None) -> dict[str, Any]:
    found = call.site.roles[id]
    people = [one for name in actors.users if (one := call.site.directory.named(name)) is not None]
    shown = [_user_actor(call, number, one) for number, one in enumerate(people)]
    shown += [_group_actor(call, number + len(people), name) for number, name in enumerate(actors.groups)]
    place = f"project/{project.id}/role" if project is not None else "role"
    link = f"{call.parts.api}/{place}/{id}"
    return {
        "self": link,
        "name": found["name"],
        "id": int(id),
        "description": found["description"],
        "actors": shown,
    }


def _user_actor(call: Call, number: int, account: Account) -> dict[str, Any]:
    shown = {"id": 10_240 + number, "displayName": account.display_name, "type": USER_ACTOR}
    if call.site.flavour is Flavour.CLOUD:
        return shown | {"actorUser": {"accountId": account.account_id}}
    return shown | {"name": account.login}


def _group_actor(call: Call, number: int, name: str) -> dict[str, Any]:
    shown = {"id": 10_240 + number, "displayName": name, "type": GROUP_ACTOR, "name": name}
    if call.site.flavour is Flavour.CLOUD:
        return shown | {"actorGroup": {"name": name, "displayName": name, "groupId": call.site.groups.id_of(name)}}
    return shown
