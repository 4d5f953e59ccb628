"""Projects: made, changed, archived, binned and restored by administrators; their categories and properties.

Cloud keeps a deleted project in its bin, from where it may be restored; Data Center deletes it for good.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from connectors.sandbox.jira import catalogue, entity_properties
from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.administration.projects import Details
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import Flavour, Project
from connectors.sandbox.jira.meta_calls import project_named

_KEY = re.compile("[A-Z][A-Z0-9]{1,9}")
MAX_NAME = 80
TYPES = {"software": "Software", "service_desk": "Service Desk", "business": "Business"}
#: Project type → whose issue types, workflow and screen a new project of this type has.
TEMPLATES: dict[str, Project] = {
    "software": catalogue.CIP,
    "business": catalogue.CIP,
    "service_desk": catalogue.IMP,
}
_ASSIGNEE_TYPES = ("PROJECT_LEAD", "UNASSIGNED")
#: Name of a scheme in what is sent → its kind among the site's schemes.
SCHEMES = {
    "permissionScheme": "permissionscheme",
    "notificationScheme": "notificationscheme",
    "issueSecurityScheme": "issuesecurityscheme",
    "workflowScheme": "workflowscheme",
}


def projects(call: Call) -> Answer:
    """``GET /project``, and of Data Center ``includeArchived``; ``POST /project``."""
    if call.method == "POST":
        return _create(call)
    with_archived = call.param("includeArchived").lower() == "true"
    found = call.site.projects.everything() if with_archived else list(call.site.projects)
    return json_answer([_short(call, project) for project in found])


def search(call: Call) -> Answer:
    """``GET /project/search`` (Cloud), paged: by text, type, key or id, and by ``status``."""
    states = set(call.names("status")) or {"live"}
    projects = call.site.projects
    found = [
        *(projects if "live" in states else ()),
        *(one for one in projects.everything() if "archived" in states and one.id in projects.archived),
        *(projects.bin.values() if "deleted" in states else ()),
    ]
    text, kinds = call.param("query").lower(), call.names("typeKey")
    wanted = {*call.names("keys"), *call.names("id")}
    shown = [
        _short(call, one)
        for one in found
        if (text in one.name.lower() or text in one.key.lower())
        and (not kinds or one.type_key in kinds)
        and (not wanted or wanted & {one.key, one.id})
    ]
    return json_answer(call.page(shown))


def project(call: Call, key: str) -> Answer:
    """``GET|PUT|DELETE /project/{key}``."""
    if call.method != "GET":
        call.signed_in()
    if call.method == "DELETE" and (binned := call.site.projects.binned(key)) is not None:
        return _delete(call, binned)
    found = project_named(call, key)
    if call.method == "PUT":
        return _update(call, found)
    if call.method == "DELETE":
        return _delete(call, found)
    return json_answer(shown(call, found))


def archive(call: Call, key: str) -> Answer:
    """``PUT /project/{key}/archive`` (Data Center) or ``POST`` (Cloud): 204."""
    _its_method(call)
    caller, found = call.administrator(), project_named(call, key)
    if found.id in call.site.projects.archived:
        raise ApiError(400, f"The project '{found.key}' is archived already.")
    call.site.archive_project(found)
    call.site.note(caller, "Project archived", "projects", found.key)
    return no_content()


def restore(call: Call, key: str) -> Answer:
    """``PUT /project/{key}/restore`` (Data Center: 202) or ``POST`` (Cloud, also from the bin: the project)."""
    _its_method(call)
    caller, projects = call.administrator(), call.site.projects
    found = projects.binned(key) or project_named(call, key)
    if found.id not in projects.archived and found.id not in projects.bin:
        raise ApiError(400, f"The project '{found.key}' is neither archived nor deleted.")
    call.site.restore_project(found)
    call.site.note(caller, "Project restored", "projects", found.key)
    return json_answer(shown(call, found)) if call.site.flavour is Flavour.CLOUD else Answer(202)


def _its_method(call: Call) -> None:
    call.only_on(Flavour.CLOUD if call.method == "POST" else Flavour.DATA_CENTER)


def shown(call: Call, found: Project) -> dict[str, Any]:
    """A project with its lead, issue types, versions, components and roles."""
    details = call.site.projects.details(found)
    lead = call.site.directory.named(details.lead)
    kept = {
        f"{kind}s": [one for one in call.site.shelf[kind].values() if one["project"] == found.key]
        for kind in ("version", "component")
    }
    roles = call.site.roles.items()
    return {
        **_short(call, found),
        "expand": "description,lead,issueTypes,url,projectKeys,permissions",
        "description": details.description,
        "lead": call.parts.person(lead) if lead is not None else None,
        "url": details.url,
        "assigneeType": details.assignee_type,
        "issueTypes": [call.parts.issue_type(kind) for kind in found.types],
        "roles": {role["name"]: f"{call.parts.api}/project/{found.id}/role/{id}" for id, role in roles},
        "properties": {},
        **kept,
    }


def _short(call: Call, found: Project) -> dict[str, Any]:
    projects = call.site.projects
    category = call.site.shelf["category"].get(projects.details(found).category or "")
    more: dict[str, Any] = {"projectCategory": category} if category is not None else {}
    if found.id in projects.archived:
        more["archived"] = True
    if found.id in projects.bin:
        more["deleted"] = True
    return call.parts.project(found) | more


def _create(call: Call) -> Answer:
    caller, sent, site = call.administrator(), call.document(), call.site
    key, name = str(sent.get("key") or "").strip(), str(sent.get("name") or "").strip()
    type_key = str(sent.get("projectTypeKey") or "")
    if not type_key and call.site.flavour is Flavour.CLOUD and sent.get("projectTemplateKey"):
        type_key = "service_desk" if "servicedesk" in str(sent["projectTemplateKey"]) else "software"
    errors = _errors_of_names(call, key, name, None)
    if type_key not in TYPES:
        errors["projectTypeKey"] = f"An invalid project type was specified. There are: {', '.join(TYPES)}."
    if _lead_sent(call, sent) is None:
        errors["projectLead"] = "You must specify a valid project lead."
    details = Details()
    errors |= _set_details(call, details, sent)
    if errors:
        raise ApiError(400, errors=errors)
    rank, template = site.projects.free_rank(), TEMPLATES[type_key]
    if rank is None:
        raise ApiError(400, "This site has as many projects as it can hold.")
    id = str(next(site.project_ids))
    made = replace(template, id=id, key=key, name=name, type_key=type_key, rank=rank)
    site.put_project(made)
    site.projects.keep_details(made, details)
    site.note(caller, "Project created", "projects", key)
    return json_answer({"self": f"{call.parts.api}/project/{id}", "id": int(id), "key": key}, 201)


def _errors_of_names(call: Call, key: str, name: str, own: Project | None) -> dict[str, str]:
    errors: dict[str, str] = {}
    projects = call.site.projects
    other = projects.named(key) or projects.binned(key)
    if not key:
        errors["projectKey"] = "You must specify a unique project key, at least 2 characters long."
    elif not _KEY.fullmatch(key):
        errors["projectKey"] = (
            "Project keys must start with an uppercase letter, followed by one or more uppercase alphanumeric "
            "characters, and be at most 10 characters long."
        )
    elif other is not None and (own is None or other.id != own.id):
        errors["projectKey"] = f"Project '{other.name}' uses this project key."
    namesakes = [one for one in projects.everything() if one.name.lower() == name.lower()]
    if not name or len(name) > MAX_NAME:
        errors["projectName"] = f"You must specify a valid project name of at most {MAX_NAME} characters."
    elif any(own is None or one.id != own.id for one in namesakes):
        errors["projectName"] = "A project with that name already exists."
    return errors


def _lead_sent(call: Call, sent: dict[str, Any]) -> Account | None:
    """The lead that a document names, in each flavour's way; Cloud still takes an account id as ``lead``."""
    is_cloud = call.site.flavour is Flavour.CLOUD
    named = (sent.get("leadAccountId") or sent.get("lead")) if is_cloud else sent.get("lead")
    return call.site.directory.known_as(str(named)) if named else None


def _set_details(call: Call, details: Details, sent: dict[str, Any]) -> dict[str, str]:
    """Set what was sent beside key and name; answers what is wrong with it."""
    errors: dict[str, str] = {}
    lead = _lead_sent(call, sent)
    if lead is not None:
        details.lead = lead.name
    elif sent.get("lead") or sent.get("leadAccountId"):
        errors["projectLead"] = "You must specify a valid project lead."
    for name in ("description", "url"):
        if sent.get(name) is not None:
            setattr(details, name, str(sent[name]))
    if sent.get("assigneeType") is not None:
        details.assignee_type = str(sent["assigneeType"])
        if details.assignee_type not in _ASSIGNEE_TYPES:
            errors["assigneeType"] = f"The assignee type has to be one of {', '.join(_ASSIGNEE_TYPES)}."
    category = sent.get("categoryId")
    if category is not None:
        details.category = str(category) if str(category) != "-1" else None
        if details.category is not None and details.category not in call.site.shelf["category"]:
            errors["categoryId"] = f"The project category with id '{category}' does not exist."
    for name, kind in SCHEMES.items():
        if sent.get(name) not in (None, ""):
            errors |= _set_scheme(call, details, name, kind, str(sent[name]))
    return errors


def _set_scheme(call: Call, details: Details, name: str, kind: str, id: str) -> dict[str, str]:
    if id not in call.site.shelf[kind]:
        return {name: f"The scheme with id '{id}' does not exist."}
    details.schemes[kind] = int(id)
    return {}


def _update(call: Call, found: Project) -> Answer:
    caller = call.project_administrator(found)
    sent, projects = call.document(), call.site.projects
    key, name = str(sent.get("key") or found.key), str(sent.get("name") or found.name)
    if any(sent.get(one) is not None for one in ("key", *SCHEMES)):
        call.administrator()
    details = projects.details(found)
    wanted = replace(details, schemes=dict(details.schemes))
    errors = _errors_of_names(call, key, name, found) | _set_details(call, wanted, sent)
    if errors:
        raise ApiError(400, errors=errors)
    projects.keep_details(found, wanted)
    if (key, name) != (found.key, found.name):
        for kind in ("version", "component"):
            for one in call.site.shelf[kind].values():
                if one["project"] == found.key:
                    one["project"] = key
        found = replace(found, key=key, name=name)
    call.site.put_project(found)
    call.site.note(caller, "Project updated", "projects", found.key)
    return json_answer(shown(call, found))


def _delete(call: Call, found: Project) -> Answer:
    caller, site = call.administrator(), call.site
    is_cloud = site.flavour is Flavour.CLOUD
    to_bin = is_cloud and call.param("enableUndo", "true").lower() == "true"
    if found.id in site.projects.bin and to_bin:
        raise ApiError(404, f"No project could be found with key '{found.key}'.")
    site.drop_project(found, to_bin=to_bin)
    if not to_bin:
        for kind in ("version", "component"):
            kept = site.shelf[kind]
            site.shelf[kind] = {id: one for id, one in kept.items() if one["project"] != found.key}
    site.note(caller, "Project deleted", "projects", found.key)
    return no_content()


# --- types, categories, properties ----------------------------------------------------------------------------


def types(call: Call) -> Answer:
    """``GET /project/type`` and its ``/accessible``."""
    return json_answer([_type(key) for key in TYPES])


def type_of(call: Call, name: str) -> Answer:
    """``GET /project/type/{key}``."""
    if name not in TYPES:
        raise ApiError(404, f"The project type '{name}' does not exist.")
    return json_answer(_type(name))


def _type(key: str) -> dict[str, Any]:
    return {"key": key, "formattedKey": TYPES[key], "descriptionI18nKey": f"jira.project.type.{key}", "color": "#000"}


def categories(call: Call) -> Answer:
    """``GET|POST /projectCategory``."""
    call.signed_in()
    kept = call.site.shelf["category"]
    if call.method == "GET":
        return json_answer(list(kept.values()))
    caller, sent = call.administrator(), call.document()
    name = _category_name(call, sent, None)
    id = str(next(call.site.ids))
    link = f"{call.parts.api}/projectCategory/{id}"
    kept[id] = {"self": link, "id": id, "name": name, "description": str(sent.get("description") or "")}
    call.site.note(caller, "Project category created", "projects", name)
    return json_answer(kept[id], 201)


def category(call: Call, id: str) -> Answer:
    """``GET|PUT|DELETE /projectCategory/{id}``; deleting one takes it from its projects."""
    call.signed_in()
    kept = call.site.shelf["category"]
    found = kept.get(id)
    if found is None:
        raise ApiError(404, f"The project category with id '{id}' does not exist.")
    if call.method == "GET":
        return json_answer(found)
    call.administrator()
    if call.method == "DELETE":
        del kept[id]
        return no_content()
    sent = call.document()
    found["name"] = _category_name(call, {"name": found["name"], **sent}, id)
    found["description"] = str(sent.get("description", found["description"]))
    return json_answer(found)


def _category_name(call: Call, sent: dict[str, Any], own: str | None) -> str:
    name = str(sent.get("name") or "").strip()
    if not name:
        raise ApiError(400, errors={"name": "The category name must not be blank."})
    if any(one["name"] == name and id != own for id, one in call.site.shelf["category"].items()):
        raise ApiError(409, f"The project category with name '{name}' already exists.")
    return name


def properties(call: Call, key: str) -> Answer:
    """``GET /project/{key}/properties``: the keys."""
    found = project_named(call, key)
    kept = call.site.projects.details(found).properties
    return json_answer({"keys": entity_properties.keys(kept, f"{call.parts.api}/project/{found.id}/properties")})


def property_of(call: Call, key: str, name: str) -> Answer:
    """``GET|PUT|DELETE /project/{key}/properties/{name}``."""
    found = project_named(call, key)
    if call.method != "GET":
        call.project_administrator(found)
    return entity_properties.one(call, call.site.projects.details(found).properties, name)
