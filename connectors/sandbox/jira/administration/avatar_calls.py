"""Pictures of projects and people: the product's own to choose from, and those that somebody uploaded.

Data Center uploads in two steps (a temporary picture, then how it is cropped), Cloud in one.
"""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import Flavour
from connectors.sandbox.jira.meta_calls import project_named

Document = dict[str, Any]
#: The product's own, by what they are for.
SYSTEM = {
    "project": tuple(str(10_200 + number) for number in range(8)),
    "user": tuple(str(10_330 + number) for number in range(8)),
    "issuetype": tuple(str(10_300 + number) for number in range(8)),
}
SIZES = ("16x16", "24x24", "32x32", "48x48")
MAX_BYTES = 2_097_152


def system(call: Call, kind: str) -> Answer:
    """``GET /avatar/{type}/system``."""
    if kind not in SYSTEM:
        raise ApiError(404, f"There are no pictures of the type '{kind}'.")
    return json_answer({"system": [_shown(call, kind, id, "") for id in SYSTEM[kind]]})


def of_project(call: Call, key: str) -> Answer:
    """``GET /project/{key}/avatars``."""
    project = project_named(call, key)
    return json_answer(_all(call, "project", project.id, call.site.projects.details(project).avatar))


def of_user(call: Call) -> Answer:
    """``GET /user/avatars`` (Data Center)."""
    account = _person(call)
    return json_answer(_all(call, "user", account.name, _chosen_by(call, account)))


def project_avatar(call: Call, key: str) -> Answer:
    """``PUT /project/{key}/avatar`` chooses one; ``POST`` (Data Center) keeps the temporary one."""
    project = project_named(call, key)
    call.project_administrator(project)
    if call.method == "POST":
        return _confirm(call, "project", project.id)
    call.site.projects.details(project).avatar = _choice(call, "project", project.id)
    return no_content()


def user_avatar(call: Call) -> Answer:
    """``PUT|POST /user/avatar`` (Data Center), the same for people."""
    call.only_on(Flavour.DATA_CENTER)
    account = _own(call)
    if call.method == "POST":
        return _confirm(call, "user", account.name)
    call.site.shelf["avatar"]["chosen"][account.name] = _choice(call, "user", account.name)
    return no_content()


def project_upload(call: Call, key: str) -> Answer:
    """``POST /project/{key}/avatar/temporary`` (Data Center) or ``…/avatar2`` (Cloud)."""
    project = project_named(call, key)
    call.project_administrator(project)
    return _upload(call, "project", project.id)


def user_upload(call: Call) -> Answer:
    """``POST /user/avatar/temporary`` (Data Center)."""
    call.only_on(Flavour.DATA_CENTER)
    return _upload(call, "user", _own(call).name)


def project_picture(call: Call, key: str, id: str) -> Answer:
    """``DELETE /project/{key}/avatar/{id}``: an uploaded one."""
    project = project_named(call, key)
    call.project_administrator(project)
    _delete(call, "project", project.id, id)
    details = call.site.projects.details(project)
    details.avatar = SYSTEM["project"][0] if details.avatar == id else details.avatar
    return no_content()


def user_picture(call: Call, id: str) -> Answer:
    """``DELETE /user/avatar/{id}`` (Data Center): an uploaded one."""
    call.only_on(Flavour.DATA_CENTER)
    account = _own(call)
    _delete(call, "user", account.name, id)
    chosen = call.site.shelf["avatar"]["chosen"]
    if chosen.get(account.name) == id:
        del chosen[account.name]
    return no_content()


def _person(call: Call) -> Account:
    caller, name = call.signed_in(), call.param("username")
    found = call.site.directory.known_as(name) if name else caller
    if found is None:
        raise ApiError(404, f"The user '{name}' does not exist.")
    return found


def _own(call: Call) -> Account:
    """One's own pictures are changed, an administrator changes everybody's."""
    found = _person(call)
    if found is not call.account:
        call.administrator()
    return found


def _chosen_by(call: Call, account: Account) -> str:
    return str(call.site.shelf["avatar"]["chosen"].get(account.name, SYSTEM["user"][0]))


def _uploaded(call: Call, kind: str, owner: str) -> list[str]:
    return [id for id, one in call.site.shelf["uploaded"].items() if (one["kind"], one["owner"]) == (kind, owner)]


def _all(call: Call, kind: str, owner: str, chosen: str) -> Document:
    own = _uploaded(call, kind, owner)
    return {
        "system": [_shown(call, kind, id, chosen) for id in SYSTEM[kind]],
        "custom": [_shown(call, kind, id, chosen) for id in own],
    }


def _shown(call: Call, kind: str, id: str, chosen: str) -> Document:
    is_system = id in SYSTEM[kind]
    link = f"{call.desk.base}/secure/{kind}avatar?avatarId={id}&size="
    return {
        "id": id,
        "isSystemAvatar": is_system,
        "isSelected": id == chosen,
        "isDeletable": not is_system,
        "urls": {size: link + size for size in SIZES},
    }


def _choice(call: Call, kind: str, owner: str) -> str:
    id = str(call.document().get("id") or "")
    if id not in SYSTEM[kind] and id not in _uploaded(call, kind, owner):
        raise ApiError(400, f"There is no picture with id '{id}' to choose.")
    return id


def _upload(call: Call, kind: str, owner: str) -> Answer:
    call.refuse_forgery()
    content = call.uploads[0].content if call.uploads else call.body
    if not content:
        raise ApiError(400, "No picture was sent.")
    if len(content) > MAX_BYTES:
        raise ApiError(413, "The picture is too large.")
    if call.site.flavour is Flavour.CLOUD:
        return json_answer(_shown(call, kind, _keep(call, kind, owner), ""), 201)
    call.site.shelf["avatar"]["temporary"][f"{kind} {owner}"] = True
    cropping = {"cropperWidth": 48, "cropperOffsetX": 0, "cropperOffsetY": 0, "needsCropping": False}
    return json_answer({**cropping, "url": f"{call.desk.base}/secure/temporaryavatar?cropped=true"}, 201)


def _confirm(call: Call, kind: str, owner: str) -> Answer:
    call.only_on(Flavour.DATA_CENTER)
    if not call.site.shelf["avatar"]["temporary"].pop(f"{kind} {owner}", False):
        raise ApiError(400, "There is no temporary picture to confirm.")
    return json_answer(_shown(call, kind, _keep(call, kind, owner), ""), 201)


def _keep(call: Call, kind: str, owner: str) -> str:
    id = str(next(call.site.ids))
    call.site.shelf["uploaded"][id] = {"kind": kind, "owner": owner}
    return id


def _delete(call: Call, kind: str, owner: str, id: str) -> None:
    if id in SYSTEM[kind]:
        raise ApiError(403, "The product's own pictures cannot be deleted.")
    if id not in _uploaded(call, kind, owner):
        raise ApiError(404, f"There is no picture with id '{id}'.")
    del call.site.shelf["uploaded"][id]
