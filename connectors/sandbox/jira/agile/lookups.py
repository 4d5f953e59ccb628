"""What a call to Jira Software names, and what it is answered with: boards, sprints, epics, issues on boards."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.sandbox.jira import jql, searching, values
from connectors.sandbox.jira.addresses import MAX_DIGITS, whole
from connectors.sandbox.jira.administration.filter_calls import seen
from connectors.sandbox.jira.agile.planning import Board, Sprint, is_epic, ranked
from connectors.sandbox.jira.agile.texts import AGILE, epic, sprint
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, text_answer
from connectors.sandbox.jira.catalogue import Flavour
from connectors.sandbox.jira.meta_calls import project_named
from connectors.sandbox.jira.model import HistoryItem, Issue
from connectors.sandbox.jira.parts import dump
from connectors.sandbox.jira.render import CHANGELOG_ON_CLOUD
from connectors.sandbox.jira.times import epoch_of

MAX_MOVED = 50
MAX_PAGE = 1_000
MAX_TOKEN_PAGE = 100
Page = Callable[[Call, Sequence[Issue]], Answer]
_TOKEN = re.compile(rf"page-\d{{1,{MAX_DIGITS}}}")
_MEMBERS = ("sprint", "closedSprints", "flagged", "epic")


def board_named(call: Call, id: str) -> Board:
    """The board of an id; 404 where there is none."""
    call.signed_in()
    found = call.site.planning.boards.get(whole(id) or 0)
    if found is None:
        raise ApiError(
            404,
            "The requested board cannot be viewed because it either does not exist or you do not have permission to "
            "view it.",
        )
    return found


def sprint_named(call: Call, id: str) -> Sprint:
    """The sprint of an id; 404 where there is none."""
    call.signed_in()
    found = call.site.planning.sprints.get(whole(id) or 0)
    if found is None:
        raise ApiError(404, "Sprint does not exist or you do not have permission to view it.")
    return found


def epic_named(call: Call, key: str) -> Issue:
    """The epic of an id or key; 404 for any other issue."""
    call.signed_in()
    found = call.sight.issue(key)
    if found is None or not is_epic(found):
        raise ApiError(404, "The requested epic was not found or you do not have permission to view it.")
    return found


def issues_sent(call: Call, document: dict[str, Any]) -> list[Issue]:
    """The issues that a call moves, by id or key: at least one, at most 50; 400 for one that there is not."""
    named = document.get("issues")
    if not isinstance(named, list) or not 0 < len(named) <= MAX_MOVED:
        raise ApiError(400, errors={"issues": f"Between 1 and {MAX_MOVED} issues can be moved at once."})
    return [issue_sent(call, name) for name in named]


def issue_sent(call: Call, name: Any) -> Issue:
    """The issue that a member of a body names; 400 where there is none."""
    found = call.sight.issue(str(name))
    if found is None:
        raise ApiError(400, f"Issue '{name}' does not exist or you do not have permission to see it.")
    return found


def filter_jql(call: Call, id: str) -> str | None:
    """The query of a filter; None where there is no such filter."""
    found = seen(call).get(id)
    return str(found["jql"]) if found is not None else None


def board_query(call: Call, board: Board) -> jql.Query:
    """The query of a board; one whose filter was deleted finds nothing."""
    text = filter_jql(call, board.filter_id)
    return jql.parse(text) if text is not None else jql.Query(jql.Or(()))


def found_on(call: Call, board: Board | None, among: Iterable[Issue] | None = None) -> list[Issue]:
    """The issues of a board (None: of the site), or those ``among`` them, that fit the ``jql`` sent; in its order, by
    default as people ranked them."""
    asked = jql.parse(call.param("jql"))
    if asked.where is None and among is not None and board is None:
        found = [issue for issue in among if call.sight.shows(issue)]
    else:
        queries = [board_query(call, board)] if board is not None else []
        parts = tuple(part for query in (*queries, asked) for part in _parts(query.where))
        found = searching.find(jql.Query(jql.And(parts) if parts else None, asked.order), call.asker)
        ids = {issue.id for issue in among} if among is not None else None
        found = [issue for issue in found if ids is None or issue.id in ids]
    return found if asked.order else ranked(found)


def _parts(where: jql.Node | None) -> tuple[jql.Node, ...]:
    if where is None:
        return ()
    return where.parts if isinstance(where, jql.And) else (where,)


def issue_page(call: Call, found: Sequence[Issue]) -> Answer:
    """A page of issues, with a total on both flavours."""
    start, size = call.number("startAt", 0), min(call.number("maxResults", 50), MAX_PAGE)
    shown = ",".join(issue_text(call, issue) for issue in found[start : start + size])
    return text_answer(
        f'{{"expand":"schema,names","startAt":{start},"maxResults":{size},"total":{len(found)},"issues":[{shown}]}}'
    )


def token_page(call: Call, found: Sequence[Issue]) -> Answer:
    """A page of issues by token, without a total, as the newer addresses of Cloud have it."""
    call.only_on(Flavour.CLOUD)
    token, size = call.param("nextPageToken"), min(call.number("maxResults", 50), MAX_TOKEN_PAGE)
    start = int(token.removeprefix("page-")) if _TOKEN.fullmatch(token) else 0 if not token else None
    if start is None:
        raise ApiError(400, "The provided next page token is invalid or expired.")
    shown = ",".join(issue_text(call, issue) for issue in found[start : start + size])
    is_last = start + size >= len(found)
    more = "" if is_last else f',"nextPageToken":"page-{start + size}"'
    return text_answer(f'{{"issues":[{shown}]{more},"isLast":{"true" if is_last else "false"}}}')


def counted(call: Call, found: Sequence[Issue]) -> Answer:
    """How many there are."""
    call.only_on(Flavour.CLOUD)
    return json_answer({"count": len(found)})


def move(call: Call, issue: Issue, sprint: Sprint | None) -> None:
    """Move an issue into a sprint, or to the backlog, and note that it changed."""
    note(call, issue, call.site.planning.put(issue, sprint))


def note(call: Call, issue: Issue, item: HistoryItem | None) -> None:
    """Record a change of an issue, if it was one."""
    if item is not None:
        values.record(call, issue, call.writer().name, [item])
        call.site.touch(issue)


def instant_sent(name: str, value: Any) -> int | None:
    """Epoch seconds of a time that a caller sent; 400 for what is none."""
    if value in (None, ""):
        return None
    try:
        moment = datetime.fromisoformat(str(value))
        return epoch_of(moment.replace(tzinfo=moment.tzinfo or UTC))
    except ValueError:
        raise ApiError(400, errors={name: f"'{value}' is not a date of ISO 8601."}) from None


def board(call: Call, board: Board) -> dict[str, Any]:
    """A board; Cloud tells where it is, Data Center has no such place."""
    shown: dict[str, Any] = {
        "id": board.id,
        "self": f"{call.desk.base}{AGILE}/board/{board.id}",
        "name": board.name,
        "type": board.kind,
    }
    if call.site.flavour is Flavour.CLOUD:
        shown["location"] = _location(call, board)
    return shown


def _location(call: Call, board: Board) -> dict[str, Any]:
    if board.location:
        project = project_named(call, board.location)
        title = f"{project.name} ({project.key})"
        return {
            "projectId": int(project.id),
            "displayName": title,
            "projectName": project.name,
            "projectKey": project.key,
            "projectTypeKey": project.type_key,
            "name": title,
        }
    owner = call.site.directory.named(board.owner)
    assert owner is not None
    return {"userAccountId": owner.account_id, "displayName": owner.display_name, "name": owner.display_name}


def issue_text(call: Call, issue: Issue) -> str:
    """An issue as JSON text, with the fields asked for, by default all and those of Jira Software by their names."""
    asked = call.names("fields")
    text = call.renderer.issue(
        issue, asked or ("*navigable",), changes=CHANGELOG_ON_CLOUD if "changelog" in call.names("expand") else 0
    )
    wanted = {name for name in _MEMBERS if not asked or name in asked or not {"*all", "*navigable"}.isdisjoint(asked)}
    wanted -= {name.removeprefix("-") for name in asked if name.startswith("-")}
    shown = _members(call, issue, wanted)
    if not shown:
        return text
    head, _, rest = text.partition('"fields":{')
    return f'{head}"fields":{dump(shown)[:-1]}{"" if rest.startswith("}") else ","}{rest}'


def _members(call: Call, issue: Issue, wanted: Collection[str]) -> dict[str, Any]:
    planning, base = call.site.planning, call.desk.base
    known = [(one, sprint(base, call.site, one)) for one in planning.sprints_of(issue)]
    above = call.sight.by_id(issue.value("epic"))
    everything: dict[str, Any] = {
        "sprint": next((shown for one, shown in known if not one.is_closed), None),
        "closedSprints": [shown for one, shown in known if one.is_closed],
        "flagged": bool(issue.value("flagged")),
        "epic": epic(base, above) if above is not None else None,
    }
    if not everything["closedSprints"]:
        del everything["closedSprints"]
    return {name: value for name, value in everything.items() if name in wanted}
