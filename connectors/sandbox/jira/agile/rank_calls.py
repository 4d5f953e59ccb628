"""``/rest/agile/1.0/issue`` and ``/backlog``: order, backlog, estimate and flag of issues."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from connectors.sandbox.jira import values
from connectors.sandbox.jira.agile.lookups import (
    board_named,
    found_on,
    issue_sent,
    issue_text,
    issues_sent,
    move,
    note,
)
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content, text_answer
from connectors.sandbox.jira.catalogue import FLAGGED, RANK, STORY_POINTS, Field
from connectors.sandbox.jira.model import HistoryItem, Issue


def rank(call: Call) -> Answer:
    """``PUT /issue/rank``: before or after another issue, in the order sent; the update time stays."""
    call.writer()
    sent = call.document()
    place(call, issues_sent(call, sent), sent)
    return no_content()


def place(call: Call, issues: Sequence[Issue], sent: dict[str, Any]) -> None:
    """Rank issues where a body says."""
    before, after = sent.get("rankBeforeIssue"), sent.get("rankAfterIssue")
    if bool(before) == bool(after):
        raise ApiError(400, "Exactly one of rankBeforeIssue and rankAfterIssue must be given.")
    if sent.get("rankCustomFieldId") not in (None, *_names(RANK)):
        raise ApiError(400, errors={"rankCustomFieldId": "The rank field does not exist."})
    put(call, issues, issue_sent(call, before or after), is_before=bool(before))


def put(call: Call, issues: Sequence[Issue], other: Issue, *, is_before: bool) -> None:
    """Rank issues beside another one; each change is told by the issue's history."""
    author = call.writer()
    for issue, is_higher in call.site.planning.place(issues, other, is_before=is_before):
        said = "Ranked higher" if is_higher else "Ranked lower"
        values.record(call, issue, author.name, [HistoryItem(RANK.name, RANK.id, True, "", "", "", said)])
    call.site.version += 1  # searches ordered by rank may answer otherwise now


def to_backlog(call: Call, id: str = "") -> Answer:
    """``POST /backlog/issue`` and ``/backlog/{boardId}/issue``: out of every sprint that is not closed."""
    board = board_named(call, id) if id else None
    call.writer()
    sent = call.document()
    moved = issues_sent(call, sent)
    _must_be_on(call, id, moved)
    for issue in moved:
        move(call, issue, None)
    if board is not None and (sent.get("rankBeforeIssue") or sent.get("rankAfterIssue")):
        place(call, moved, sent)
    return no_content()


def to_board(call: Call, id: str) -> Answer:
    """``POST /board/{id}/issue``: from the backlog into the sprint under way; 400 where the board has none."""
    board = board_named(call, id)
    call.writer()
    sent = call.document()
    moved = issues_sent(call, sent)
    _must_be_on(call, id, moved)
    if board.kind == "scrum":
        active = call.site.planning.active_on(board)
        if active is None:
            raise ApiError(400, "The board has no active sprint.")
        for issue in moved:
            move(call, issue, active)
    if sent.get("rankBeforeIssue") or sent.get("rankAfterIssue"):
        place(call, moved, sent)
    return no_content()


def _must_be_on(call: Call, id: str, issues: Sequence[Issue]) -> None:
    if not id:
        return
    on_it = {issue.id for issue in found_on(call, board_named(call, id))}
    strangers = [issue.key for issue in issues if issue.id not in on_it]
    if strangers:
        raise ApiError(400, f"Not on this board: {', '.join(strangers)}.")


def issue(call: Call, key: str) -> Answer:
    """``GET /issue/{key}``."""
    call.signed_in()
    return text_answer(issue_text(call, call.issue(key)))


def estimation(call: Call, key: str) -> Answer:
    """``GET`` and ``PUT /issue/{key}/estimation?boardId=``: the story points, on boards that estimate."""
    board_id = call.param("boardId")
    if not board_id.isdecimal():
        raise ApiError(400, "The board is required: boardId.")
    if board_named(call, board_id).kind != "scrum":
        raise ApiError(400, "The board does not estimate.")
    found = call.issue(key)
    if call.method == "PUT":
        call.writer()
        points = _points(call.document().get("value"))
        note(call, found, values.plan(call, found, STORY_POINTS.id, points))
    value = found.value("story_points")
    return json_answer({"fieldId": STORY_POINTS.id, "value": str(value) if value is not None else None})


def _points(value: Any) -> float | None:
    try:
        points = float(value) if value not in (None, "") else None
    except (TypeError, ValueError):
        points = math.nan
    if points is not None and not math.isfinite(points):
        raise ApiError(400, errors={"value": "The estimate must be a number."})
    return points


def flag(call: Call) -> Answer:
    """``POST /rest/greenhopper/1.0/xboard/issue/flag/flag.json``: mark issues as impeded, or take the mark away."""
    call.writer()
    sent = call.document()
    is_flagged = bool(sent.get("flag", True))
    for found in issues_sent(call, {"issues": sent.get("issueKeys")}):
        note(call, found, values.plan(call, found, FLAGGED.id, is_flagged))
    return json_answer({})


def _names(field: Field) -> tuple[str | int, ...]:
    number = field.id.removeprefix("customfield_")
    return field.id, number, int(number)
