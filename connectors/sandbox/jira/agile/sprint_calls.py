"""``/rest/agile/1.0/sprint``: a sprint is planned, started, completed, and issues move in and out."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira.agile.lookups import (
    Page,
    board_named,
    found_on,
    instant_sent,
    issue_page,
    issues_sent,
    move,
    sprint_named,
)
from connectors.sandbox.jira.agile.planning import ACTIVE, CLOSED, FUTURE, Sprint
from connectors.sandbox.jira.agile.rank_calls import beside_sent, settle
from connectors.sandbox.jira.agile.texts import sprint
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import Flavour

_NEXT = {FUTURE: ACTIVE, ACTIVE: CLOSED}


def create(call: Call) -> Answer:
    """``POST /sprint``: a future one, on a board that has sprints."""
    call.writer()
    sent = call.document()
    name, board_id = str(sent.get("name") or "").strip(), str(sent.get("originBoardId") or "")
    if not name:
        raise ApiError(400, errors={"name": "The sprint name must not be empty."})
    if not board_id.isdecimal():
        raise ApiError(400, errors={"originBoardId": "The board of a sprint must be named."})
    board = board_named(call, board_id)
    if board.kind != "scrum":
        raise ApiError(400, "The board does not support sprints")
    planning = call.site.planning
    made = Sprint(next(planning.sprint_ids), board.id, name, call.site.now)
    _set(made, sent)
    planning.sprints[made.id] = made
    return json_answer(sprint(call.desk.base, call.site, made), 201)


def one(call: Call, id: str) -> Answer:
    """``GET``, ``PUT`` (what is left out is emptied), ``POST`` (what is left out stays) and ``DELETE /sprint/{id}``."""
    found = sprint_named(call, id)
    if call.method != "GET":
        call.writer()
    if call.method == "DELETE":
        return _delete(call, found)
    if call.method in ("PUT", "POST"):
        change(call, found, call.document(), is_whole=call.method == "PUT")
    return json_answer(sprint(call.desk.base, call.site, found))


def change(call: Call, found: Sprint, sent: dict[str, Any], *, is_whole: bool) -> None:
    """Change a sprint as sent; 400 for a state that does not follow, and changes nothing then."""
    if is_whole:
        missing = {name: f"The {name} of a sprint must be given." for name in ("name", "state") if not sent.get(name)}
        if missing:
            raise ApiError(400, errors=missing)
        sent = {"goal": "", "startDate": None, "endDate": None, **sent}
    if "name" in sent and not str(sent["name"] or "").strip():
        raise ApiError(400, errors={"name": "The sprint name must not be empty."})
    state = str(sent.get("state") or found.state).lower()
    if found.is_closed:
        return _change_closed(call, found, sent, state)
    if state not in (found.state, _NEXT[found.state]):
        message = f"A sprint that is {found.state} becomes {_NEXT[found.state]} next, not {state}."
        raise ApiError(400, errors={"state": message})
    start, end = _times(found, sent)
    if state == ACTIVE and (start is None or end is None):
        raise ApiError(400, errors={"state": "A sprint is started with a start date and an end date."})
    _set(found, sent)
    if state != found.state:
        found.state = state
        found.activated = call.site.now if state == ACTIVE else found.activated
        found.completed = call.site.now if state == CLOSED else None
        call.site.version += 1  # searches by sprint may answer otherwise now
    return None


def _change_closed(call: Call, found: Sprint, sent: dict[str, Any], state: str) -> None:
    """Cloud lets a closed sprint's name and goal be changed and ignores the rest; Data Center refuses."""
    if call.site.flavour is not Flavour.CLOUD:
        raise ApiError(400, "A sprint that is closed cannot be updated.")
    if state != CLOSED:
        raise ApiError(400, errors={"state": "A sprint that is closed stays so."})
    _set(found, {name: sent[name] for name in ("name", "goal") if name in sent})


def _set(found: Sprint, sent: dict[str, Any]) -> None:
    found.start, found.end = _times(found, sent)
    if "name" in sent:
        found.name = str(sent["name"]).strip()
    if "goal" in sent:
        found.goal = str(sent["goal"] or "")


def _times(found: Sprint, sent: dict[str, Any]) -> tuple[int | None, int | None]:
    start = instant_sent("startDate", sent["startDate"]) if "startDate" in sent else found.start
    end = instant_sent("endDate", sent["endDate"]) if "endDate" in sent else found.end
    if start is not None and end is not None and end <= start:
        raise ApiError(400, errors={"endDate": "The end date of a sprint is after its start date."})
    return start, end


def _delete(call: Call, found: Sprint) -> Answer:
    """What is in it goes to the backlog; on Data Center only a future sprint can be deleted."""
    planning = call.site.planning
    if found.state != FUTURE and call.site.flavour is not Flavour.CLOUD:
        raise ApiError(400, "Only a future sprint can be deleted.")
    for issue in call.site.known(planning.members(found)) if not found.is_closed else ():
        move(call, issue, None)
    planning.drop(found)
    call.site.version += 1
    return no_content()


def issues(call: Call, id: str, page: Page = issue_page) -> Answer:
    """``GET`` and ``POST /sprint/{id}/issue``: into one that is closed nothing moves (400)."""
    found = sprint_named(call, id)
    if call.method == "GET":
        return page(call, found_on(call, None, call.site.known(call.site.planning.members(found))))
    call.writer()
    sent = call.document()
    moved, beside = issues_sent(call, sent), beside_sent(call, sent)
    if found.is_closed:
        raise ApiError(400, "Issues can only be moved to open sprints.")
    settle(call, moved, found, beside)
    return no_content()


def swap(call: Call, id: str) -> Answer:
    """``POST /sprint/{id}/swap``: two sprints change places in the board's list."""
    found = sprint_named(call, id)
    call.writer()
    other = str(call.document().get("sprintToSwapWith") or "")
    if not other.isdecimal():
        raise ApiError(400, errors={"sprintToSwapWith": "The other sprint must be named."})
    call.site.planning.swap(found, sprint_named(call, other))
    return no_content()


def rename(call: Call, id: str) -> Answer:
    """``PUT /rest/greenhopper/1.0/sprint/{id}``: the older address of the same."""
    found = sprint_named(call, id)
    call.writer()
    change(call, found, call.document(), is_whole=False)
    return json_answer(sprint(call.desk.base, call.site, found))
