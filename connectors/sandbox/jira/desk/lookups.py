"""What a call to Service Management names, and the shapes its answers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from connectors.sandbox.jira import entity_properties
from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer
from connectors.sandbox.jira.catalogue import Flavour, Project
from connectors.sandbox.jira.desk.service import DESKS
from connectors.sandbox.jira.model import Issue
from connectors.sandbox.jira.times import ZoneText

DESK = "/rest/servicedeskapi"


def desk_named(call: Call, id: str) -> str:
    """The id of the service desk that an id, or a project's id or key, names; 404 where there is none."""
    call.signed_in()
    for known in DESKS:
        project = desk_project(call, known)
        if id.upper() in (known, project.id, project.key):
            return known
    raise ApiError(404, "The service desk doesn't exist or you don't have permission to view it.")


def desk_project(call: Call, id: str) -> Project:
    """The project of a service desk as it is now."""
    return call.site.projects.named(DESKS[id].id) or DESKS[id]


def desk(call: Call, id: str) -> dict[str, Any]:
    """A service desk."""
    project = desk_project(call, id)
    shown = {"id": id, "projectId": project.id, "projectName": project.name, "projectKey": project.key}
    return {**shown, "_links": {"self": f"{call.desk.base}{DESK}/servicedesk/{id}"}}


def request(call: Call, key: str) -> Issue:
    """An issue that is a request; 404 for every other."""
    issue = call.issue(key)
    if issue.project.type_key != "service_desk":
        raise ApiError(404, "The request doesn't exist or you don't have permission to view it.")
    return issue


def person(call: Call, account: Account) -> dict[str, Any]:
    """A person as Service Management shows one; Cloud tells the mail address of portal customers only."""
    shown = call.parts.person(account)
    link = shown.pop("self")
    shown.pop("accountType", None)
    if account.name in call.site.service.portal_only:
        shown["emailAddress"] = account.email
    return {**shown, "_links": {"self": link, "jiraRest": link, "avatarUrls": {}}}


def people(call: Call, names: Sequence[str]) -> list[dict[str, Any]]:
    """People by user name."""
    return [person(call, account) for account in map(call.site.directory.named, names) if account is not None]


def people_sent(call: Call, sent: dict[str, Any]) -> list[Account]:
    """The people that a body names: by ``accountIds`` on Cloud, by ``usernames`` on Data Center; 400 for a stranger."""
    is_cloud = call.site.flavour is Flavour.CLOUD
    named = sent.get("accountIds" if is_cloud else "usernames")
    if not isinstance(named, list) or not named:
        raise ApiError(400, f"The list {'accountIds' if is_cloud else 'usernames'} must name somebody.")
    return [person_sent(call, name) for name in named]


def person_sent(call: Call, name: Any) -> Account:
    """The person of an account id (Cloud) or a user name (Data Center); 400 for a stranger."""
    key = "accountId" if call.site.flavour is Flavour.CLOUD else "name"
    found = call.site.directory.sent({key: name})
    if found is None:
        raise ApiError(400, f"The user '{name}' does not exist.")
    return found


def one_property(call: Call, kept: dict[str, Any], name: str) -> Answer:
    """``GET|PUT|DELETE`` of a property of an organisation or request type."""
    if call.method != "GET":
        call.writer()
    return entity_properties.one(call, kept, name, unknown="The property '{}' does not exist.")


def date(call: Call, epoch: int) -> msgspec.Raw:
    """An instant as Service Management shows it: in four forms."""
    return msgspec.Raw(ZoneText(call.zone).sla_date(epoch).encode())


def page_of(call: Call, values: Sequence[Any]) -> dict[str, Any]:
    """The page of a list that the caller asked for."""
    start, limit = call.number("start", 0), call.number("limit", 50)
    shown = list(values[start : start + limit])
    links = {"base": f"{call.desk.base}{DESK}", "context": ""}
    is_last = start + limit >= len(values)
    return {"size": len(shown), "start": start, "limit": limit, "isLastPage": is_last, "_links": links, "values": shown}


def page(call: Call, values: Sequence[Any]) -> Answer:
    """The same, as an answer."""
    return json_answer(page_of(call, values))
