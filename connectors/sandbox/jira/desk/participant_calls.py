"""Who takes part in a request, and who is told of it."""

from __future__ import annotations

from connectors.sandbox.jira.calls import Answer, Call, json_answer, no_content
from connectors.sandbox.jira.desk.lookups import page, people, people_sent, request
from connectors.sandbox.jira.model import Issue


def participants(call: Call, key: str) -> Answer:
    """``GET|POST|DELETE /request/{key}/participant``: a change answers with those who take part then."""
    issue = request(call, key)
    if call.method != "GET":
        call.writer()
        named = [account.name for account in people_sent(call, call.document())]
        left = [name for name in of(issue) if name not in named]
        take_part(issue, [*left, *dict.fromkeys(named)] if call.method == "POST" else left)
        call.site.touch(issue)
    return page(call, people(call, of(issue)))


def of(issue: Issue) -> list[str]:
    """The user names of those who take part in a request."""
    found: list[str] = issue.value("participants") or []
    return found


def take_part(issue: Issue, names: list[str]) -> None:
    """Let these, and nobody else, take part in a request."""
    issue.set_value("participants", names)


def notification(call: Call, key: str) -> Answer:
    """``GET|PUT|DELETE /request/{key}/notification``: whether the caller is told; reporter and participants are."""
    issue, account = request(call, key), call.signed_in()
    chosen: dict[str, bool] = issue.value("notified") or {}
    if call.method == "GET":
        is_told = chosen.get(account.name, account.name in (issue.reporter, *of(issue)))
        return json_answer({"subscribed": is_told})
    issue.set_value("notified", {**chosen, account.name: call.method == "PUT"})
    return no_content()
