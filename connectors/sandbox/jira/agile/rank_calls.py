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
from connectors.sandbox.jira.agile.planning import Board, Sprint
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content, text_answer
from connectors.sandbox.jira.catalogue import FLAGGED, RANK, STORY_POINTS, Field
from connectors.sandbox.jira.model import HistoryItem, Issue

_ONE_PLACE = "Exactly one of rankBeforeIssue and rankAfterIssue must be given."
Beside = tuple[Issue, bool]  # another issue, and whether before it


def rank(call: Call) -> Answer:
    """``PUT /issue/rank``: before or after another issue, in the order sent; the update time stays."""
    call.writer()
    sent = call.document()
    moved, beside = issues_sent(call, sent), beside_sent(call, sent)
    if beside is None:
        raise ApiError(400, _ONE_PLACE)
    put(call, moved, beside)
    return no_content()


def beside_sent(call: Call, sent: dict[str, Any]) -> Beside | None:
    """Beside which issue a body wants others ranked; None where it does not say; 400 for what is no place."""
    before, after = sent.get("rankBeforeIssue"), sent.get("rankAfterIssue")
    if before and after:
        raise ApiError(400, _ONE_PLACE)
    if not before and not after:
        return None
    if sent.get("rankCustomFieldId") not in (None, *_names(RANK)):
        raise ApiError(400, errors={"rankCustomFieldId": "The rank field does not exist."})
    return issue_sent(call, before or after), bool(before)


def settle(call: Call, issues: Sequence[Issue], sprint: Sprint | None, beside: Beside | None) -> None:
    """Move issues into a sprint, or to the backlog (None), and rank them there where a place was named."""
    for issue in issues:
        move(call, issue, sprint)
    if beside is not None:
        put(call, issues, beside)


def put(call: Call, issues: Sequence[Issue], beside: Beside) -> None:
    """Rank issues beside another one; each change is told by the issue's history."""
    author, (other, is_before) = call.writer(), beside
    for issue, is_higher in call.site.planning.place(issues, other, is_before=is_before):
        said = "Ranked higher" if is_higher else "Ranked lower"
        values.record(call, issue, author.name, [HistoryItem(RANK.name, RANK.id, True, "", "", "", said)])
    call.site.version += 1  # searches ordered by rank may answer otherwise now


def to_backlog(call: Call) -> Answer:
    """``POST /backlog/issue``: out of every sprint that is not closed."""
    call.writer()
    settle(call, issues_sent(call, call.document()), None, None)
    return no_content()


def to_backlog_of(call: Call, id: str) -> Answer:
    """``POST /backlog/{boardId}/issue``: the same for issues of a board, ranked where the body says."""
    board = board_named(call, id)
    call.writer()
    sent = call.document()
    moved, beside = _on_board(call, board, sent), beside_sent(call, sent)
    settle(call, moved, None, beside)
    return no_content()


def to_board(call: Call, id: str) -> Answer:
    """``POST /board/{id}/issue``: from the backlog into the sprint under way; 400 where a scrum board has none."""
    board = board_named(call, id)
    call.writer()
    sent = call.document()
    moved, beside = _on_board(call, board, sent), beside_sent(call, sent)
    if board.kind == "scrum":
        active = call.site.planning.active_on(board)
        if active is None:
            raise ApiError(400, "The board has no active sprint.")
        settle(call, moved, active, beside)
    elif beside is not None:
        put(call, moved, beside)
    return no_content()


def _on_board(call: Call, board: Board, sent: dict[str, Any]) -> list[Issue]:
    """The issues that a body names; 400 where one is not on the board."""
    named = issues_sent(call, sent)
    on_it = {issue.id for issue in found_on(call, board)}
    strangers = [issue.key for issue in named if issue.id not in on_it]
    if strangers:
        raise ApiError(400, f"Not on this board: {', '.join(strangers)}.")
    return named


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
