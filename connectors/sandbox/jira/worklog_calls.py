"""Time spent: worklogs of an issue, and which of them changed since an instant."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from connectors.sandbox.jira import bodies
from connectors.sandbox.jira.addresses import whole
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.issue_calls import plain_text
from connectors.sandbox.jira.model import Issue, Worklog
from connectors.sandbox.jira.times import epoch_of, friendly

_SPENT = re.compile(r"(?:(\d{1,9})w)? ?(?:(\d{1,9})d)? ?(?:(\d{1,9})h)? ?(?:(\d{1,9})m)?")


def worklogs(call: Call, key: str) -> Answer:
    """``GET|POST /issue/{key}/worklog``."""
    issue = call.issue(key)
    if call.method == "POST":
        author = call.writer()
        sent = call.document()
        entry = Worklog(str(next(call.site.ids)), issue.id, author.name, "", call.site.now, 0, call.site.now)
        _fill(call, entry, sent)
        if not entry.seconds:
            raise ApiError(400, errors={"timeLogged": "You must indicate the time spent working."})
        issue.more().worklogs.append(entry)
        call.site.touch(issue)
        return json_answer(_shown(call, entry), 201)
    found = [_shown(call, entry) for entry in _entries(issue)]
    return json_answer({"startAt": 0, "maxResults": len(found), "total": len(found), "worklogs": found})


def worklog(call: Call, key: str, id: str) -> Answer:
    """``GET|PUT|DELETE /issue/{key}/worklog/{id}``."""
    issue = call.issue(key)
    entry = next((entry for entry in _entries(issue) if entry.id == id), None)
    if entry is None:
        raise ApiError(404, f"Cannot find worklog with id: '{id}'.")
    if call.method == "GET":
        return json_answer(_shown(call, entry))
    call.writer()
    if call.method == "DELETE":
        issue.more().worklogs.remove(entry)
        call.site.deleted_worklogs.append((int(entry.id), call.site.now))
        call.site.touch(issue)
        return no_content()
    _fill(call, entry, call.document())
    entry.updated = call.site.now
    call.site.touch(issue)
    return json_answer(_shown(call, entry))


def updated(call: Call) -> Answer:
    """``GET /worklog/updated``: ids and times since epoch milliseconds."""
    return _since(call, [(int(entry.id), entry.updated) for entry in _all(call)])


def deleted(call: Call) -> Answer:
    """``GET /worklog/deleted``: ids and times since epoch milliseconds."""
    return _since(call, call.site.deleted_worklogs)


def _since(call: Call, known: list[tuple[int, int]]) -> Answer:
    since = call.number("since", 0)
    found = [(id, at * 1_000) for id, at in known if at * 1_000 >= since]
    values = [{"worklogId": id, "updatedTime": at, "properties": []} for id, at in found]
    return json_answer({"values": values, "since": since, "until": call.site.now * 1_000, "lastPage": True})


def listed(call: Call) -> Answer:
    """``POST /worklog/list``."""
    wanted = set(bodies.texts(call.document(), "ids"))
    return json_answer([_shown(call, entry) for entry in _all(call) if entry.id in wanted])


def _entries(issue: Issue) -> list[Worklog]:
    return issue.extras.worklogs if issue.extras is not None else []


def _all(call: Call) -> list[Worklog]:
    return [entry for issue in call.site.ordered() if call.sight.shows(issue) for entry in _entries(issue)]


def _fill(call: Call, entry: Worklog, sent: dict[str, Any]) -> None:
    """Change what is sent of an entry; 400 for what cannot be read, and changes nothing then."""
    text = plain_text(call, sent["comment"]) if "comment" in sent else entry.text
    seconds = _seconds(call, sent)
    started = _started(sent["started"]) if sent.get("started") else entry.started
    entry.text, entry.started = text, started
    entry.seconds = entry.seconds if seconds is None else seconds


def _seconds(call: Call, sent: dict[str, Any]) -> int | None:
    """The seconds that were worked, as a number or as text such as ``2h 30m``; None where nothing is said."""
    if sent.get("timeSpentSeconds"):
        found = whole(sent["timeSpentSeconds"])
        if found is None:
            told = f"'{sent['timeSpentSeconds']}' is not a number of seconds."
            raise ApiError(400, errors={"timeLogged": told})
        return found
    if sent.get("timeSpent"):
        match = _SPENT.fullmatch(str(sent["timeSpent"]).strip())
        parts = match.groups() if match is not None else ()
        sizes = call.site.settings.worklog_seconds()
        return round(sum(int(part) * size for part, size in zip(parts, sizes, strict=False) if part))
    return None


def _started(value: Any) -> int:
    try:
        return epoch_of(datetime.strptime(str(value), "%Y-%m-%dT%H:%M:%S.%f%z"))
    except ValueError:
        raise ApiError(400, errors={"started": "The date is not in the form yyyy-MM-dd'T'HH:mm:ss.SSSZ."}) from None


def _shown(call: Call, entry: Worklog) -> dict[str, Any]:
    account = call.site.directory.named(entry.author)
    author = call.parts.person(account) if account is not None else None
    times = call.renderer.times
    return {
        "self": f"{call.parts.api}/issue/{entry.issue}/worklog/{entry.id}",
        "id": entry.id,
        "issueId": str(entry.issue),
        "author": author,
        "updateAuthor": author,
        "comment": entry.text,
        "started": times.iso(entry.started),
        "created": times.iso(entry.created),
        "updated": times.iso(entry.updated),
        "timeSpent": friendly(entry.seconds),
        "timeSpentSeconds": entry.seconds,
    }
