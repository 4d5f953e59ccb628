"""What pickers offer as somebody types, one's own preferences, and messages about an issue."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira import bodies
from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.administration import group_calls
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import Flavour
from connectors.sandbox.jira.model import Issue

MAX_ISSUES = 20


def users(call: Call) -> Answer:
    """``GET /user/picker``."""
    call.signed_in()
    return json_answer(_users(call))


def users_and_groups(call: Call) -> Answer:
    """``GET /groupuserpicker``."""
    call.signed_in()
    return json_answer({"users": _users(call), "groups": group_calls.picked(call)})


def _users(call: Call) -> dict[str, Any]:
    found = call.site.directory.search(call.param("query"))
    shown = [_user(call, account) for account in found[: call.number("maxResults", 50)]]
    header = f"Showing {len(shown)} of {len(found)} matching users"
    return {"users": shown, "total": len(found), "header": header}


def _user(call: Call, account: Account) -> dict[str, Any]:
    shown = {"displayName": account.display_name, "html": account.display_name}
    if call.site.flavour is Flavour.CLOUD:
        return shown | {"accountId": account.account_id, "accountType": "atlassian"}
    return shown | {"name": account.login, "key": account.key}


def issues(call: Call) -> Answer:
    """``GET /issue/picker``: by key, or by words of the summary; the newest first."""
    call.signed_in()
    text = call.param("query").strip()
    named = call.sight.issue(text) if text else None
    found = [named] if named is not None else _with_words(call, text.lower().split())
    shown = [_issue(issue) for issue in found]
    section = {"id": "cs", "label": "Current Search", "sub": f"Showing {len(shown)} matching issues", "issues": shown}
    return json_answer({"sections": [section]})


def _with_words(call: Call, words: list[str]) -> list[Issue]:
    found: list[Issue] = []
    for issue in reversed(call.site.ordered()) if words else ():
        if all(word in issue.summary.lower() for word in words) and call.sight.shows(issue):
            found.append(issue)
            if len(found) == MAX_ISSUES:
                break
    return found


def _issue(issue: Issue) -> dict[str, Any]:
    text = issue.summary
    return {"id": issue.id, "key": issue.key, "keyHtml": issue.key, "summary": text, "summaryText": text}


def notify(call: Call, key: str) -> Answer:
    """``POST /issue/{key}/notify``: 204 where somebody would get it; the sandbox sends no mail."""
    issue = call.issue(key)
    call.writer()
    to = bodies.part(call.document(), "to")
    people = [call.site.directory.sent(one) for one in bodies.parts(to, "users")]
    groups = [call.site.groups.named(str(one.get("name"))) for one in bodies.parts(to, "groups")]
    roles = {"reporter": issue.reporter, "assignee": issue.assignee}
    meant = [name for role, name in roles.items() if to.get(role) and name]
    watching = issue.more().watchers if to.get("watchers") else ()
    if None in people or None in groups:
        raise ApiError(400, errors={"to": "A user or a group that is named does not exist."})
    if not (people or groups or meant or watching):
        raise ApiError(400, errors={"to": "No recipients were defined for the notification."})
    return no_content()


def subtasks(call: Call, key: str) -> Answer:
    """``GET /issue/{key}/subtask`` (Data Center)."""
    call.only_on(Flavour.DATA_CENTER)
    issue = call.issue(key)
    shown = [
        {
            "id": str(one.id),
            "key": one.key,
            "self": f"{call.parts.api}/issue/{one.id}",
            "fields": {"summary": one.summary, "status": call.parts.status(one.status)},
        }
        for one in call.site.subtasks(issue)
        if call.sight.shows(one)
    ]
    return json_answer(shown)


def preference(call: Call) -> Answer:
    """``GET|PUT|DELETE /mypreferences?key=``: one's own, as text."""
    account, key = call.signed_in(), call.param("key")
    if not key:
        raise ApiError(404, "The key of a preference has to be specified.")
    kept = call.site.preferences.setdefault(account.name, {})
    if call.method == "PUT":
        value = call.json()
        kept[key] = value if isinstance(value, str) else call.body.decode()
        return no_content()
    if key not in kept:
        raise ApiError(404, f"There is no preference with the key '{key}'.")
    if call.method == "DELETE":
        del kept[key]
        return no_content()
    return json_answer(kept[key])
