"""``/rest/agile/1.0/board``: boards, the issues on them, and what else they show."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.sandbox.jira import bodies, catalogue, jql
from connectors.sandbox.jira.agile.lookups import (
    Page,
    board,
    board_named,
    board_query,
    epic_named,
    filter_jql,
    found_on,
    issue_page,
    sprint_named,
)
from connectors.sandbox.jira.agile.planning import Board, is_epic
from connectors.sandbox.jira.agile.texts import epic, sprint
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import DONE, Category, Flavour, Project
from connectors.sandbox.jira.meta_calls import project_named
from connectors.sandbox.jira.model import Issue

KINDS = ("scrum", "kanban")
MAX_NAME = 255


def boards(call: Call) -> Answer:
    """``GET`` and ``POST /board``."""
    if call.method == "POST":
        return _create(call)
    call.signed_in()
    name, kind, project = call.param("name").lower(), call.names("type"), call.param("projectKeyOrId")
    wanted = _project_sent(call, project) if project else None
    filter_id = call.param("filterId")
    found = [
        board(call, one)
        for one in call.site.planning.boards.values()
        if name in one.name.lower()
        and (not kind or one.kind in kind)
        and (not filter_id or one.filter_id == filter_id)
        and (wanted is None or wanted in _projects_of(call, one))
    ]
    return json_answer(call.page(found))


def _create(call: Call) -> Answer:
    owner, sent = call.writer(), call.document()
    name, kind, filter_id = str(sent.get("name") or "").strip(), sent.get("type"), str(sent.get("filterId") or "")
    errors = {}
    if not 0 < len(name) < MAX_NAME:
        errors["name"] = f"The name of a board has between 1 and {MAX_NAME - 1} characters."
    if kind not in KINDS:
        errors["type"] = f"The type of a board is one of {', '.join(KINDS)}."
    if filter_jql(call, filter_id) is None:
        errors["filterId"] = "The filter does not exist or you do not have permission to view it."
    if errors:
        raise ApiError(400, errors=errors)
    location = bodies.part(sent, "location")
    project = ""
    if call.site.flavour is Flavour.CLOUD and location.get("type") == "project":
        project = _project_sent(call, str(location.get("projectKeyOrId") or "")).key
    planning = call.site.planning
    made = Board(next(planning.board_ids), name, str(kind), filter_id, owner.name, project)
    planning.boards[made.id] = made
    return json_answer(board(call, made), 201)


def one(call: Call, id: str) -> Answer:
    """``GET`` and ``DELETE /board/{id}``."""
    found = board_named(call, id)
    if call.method == "DELETE":
        call.writer()
        del call.site.planning.boards[found.id]
        return no_content()
    return json_answer(board(call, found))


def of_filter(call: Call, id: str) -> Answer:
    """``GET /board/filter/{id}``."""
    call.signed_in()
    found = [one for one in call.site.planning.boards.values() if one.filter_id == id]
    return json_answer(call.page([{"id": one.id, "self": board(call, one)["self"], "name": one.name} for one in found]))


def configuration(call: Call, id: str) -> Answer:
    """``GET /board/{id}/configuration``: a column for each category of statuses."""
    found = board_named(call, id)
    shown = board(call, found)
    statuses = {status.id: status for project in _projects_of(call, found) for status in _statuses(project)}
    columns = [
        {
            "name": category.name,
            "statuses": [
                {"id": status.id, "self": call.parts.status(status)["self"]}
                for status in statuses.values()
                if status.category is category
            ],
        }
        for category in _CATEGORIES
    ]
    shown |= {
        "filter": {"id": found.filter_id, "self": f"{call.parts.api}/filter/{found.filter_id}"},
        "columnConfig": {"columns": columns, "constraintType": "issueCount"},
        "ranking": {"rankCustomFieldId": _number(catalogue.RANK)},
    }
    if found.kind == "scrum":
        points = catalogue.STORY_POINTS
        shown["estimation"] = {"type": "field", "field": {"fieldId": points.id, "displayName": points.name}}
    else:
        shown["subQuery"] = {"query": ""}
    return json_answer(shown)


def issues(call: Call, id: str, page: Page = issue_page) -> Answer:
    """``GET /board/{id}/issue``."""
    return page(call, found_on(call, board_named(call, id)))


def backlog(call: Call, id: str, page: Page = issue_page) -> Answer:
    """``GET /board/{id}/backlog``: what is not done and in no sprint that is open."""
    found = board_named(call, id)
    return page(call, [issue for issue in found_on(call, found) if _waits(call, issue)])


def _waits(call: Call, issue: Issue) -> bool:
    stands_alone = not issue.type.is_subtask and not is_epic(issue)
    return stands_alone and issue.status.category is not DONE and call.site.planning.open_sprint_of(issue) is None


def epics(call: Call, id: str) -> Answer:
    """``GET /board/{id}/epic``; ``done`` tells those apart that were marked so."""
    done = call.param("done").lower()
    found = [epic(call.desk.base, issue) for issue in found_on(call, board_named(call, id)) if is_epic(issue)]
    return json_answer(call.page([one for one in found if not done or one["done"] is (done == "true")]))


def issues_of_epic(call: Call, id: str, key: str, page: Page = issue_page) -> Answer:
    """``GET /board/{id}/epic/{key}/issue``, and ``…/epic/none/issue``."""
    found = board_named(call, id)
    if key == "none":
        return page(call, [one for one in found_on(call, found) if not is_epic(one) and not one.value("epic")])
    above = epic_named(call, key)
    return page(call, found_on(call, found, call.site.known(call.site.planning.children(above.id))))


def sprints(call: Call, id: str) -> Answer:
    """``GET /board/{id}/sprint``; ``state`` names one state or more. A kanban board has none (400)."""
    found = board_named(call, id)
    if found.kind != "scrum":
        raise ApiError(400, "The board does not support sprints")
    states = call.names("state")
    shown = [
        sprint(call.desk.base, call.site, one)
        for one in call.site.planning.sprints.values()
        if one.board == found.id and (not states or one.state in states)
    ]
    return json_answer(call.page(shown))


def issues_of_sprint(call: Call, id: str, sprint_id: str, page: Page = issue_page) -> Answer:
    """``GET /board/{id}/sprint/{sprintId}/issue``."""
    found, within = board_named(call, id), sprint_named(call, sprint_id)
    return page(call, found_on(call, found, call.site.known(call.site.planning.members(within))))


def projects(call: Call, id: str) -> Answer:
    """``GET /board/{id}/project``: those that the board's filter names."""
    return json_answer(call.page([call.parts.project(one) for one in _projects_of(call, board_named(call, id))]))


def versions(call: Call, id: str) -> Answer:
    """``GET /board/{id}/version`` of these projects."""
    keys = {project.key for project in _projects_of(call, board_named(call, id))}
    released = call.param("released").lower()
    found = [kept for kept in call.site.shelf["version"].values() if kept["project"] in keys]
    return json_answer(call.page([kept for kept in found if not released or kept["released"] is (released == "true")]))


def features(call: Call, id: str) -> Answer:
    """``GET /board/{id}/features`` (Cloud): boards of filters have none to switch."""
    board_named(call, id)
    call.only_on(Flavour.CLOUD)
    return json_answer({"features": []})


def reports(call: Call, id: str) -> Answer:
    """``GET /board/{id}/reports`` (Cloud): none."""
    board_named(call, id)
    call.only_on(Flavour.CLOUD)
    return json_answer({"reports": []})


def nothing(call: Call, id: str) -> Answer:
    """``GET /board/{id}/quickfilter``: none."""
    board_named(call, id)
    return json_answer(call.page([]))


def quick_filter(call: Call, id: str, filter_id: str) -> Answer:
    """``GET /board/{id}/quickfilter/{id}``: none."""
    board_named(call, id)
    raise ApiError(404, f"The quick filter '{filter_id}' does not exist.")


def refined_velocity(call: Call, id: str) -> Answer:
    """``GET`` and ``PUT /board/{id}/settings/refined-velocity`` (Data Center)."""
    found = board_named(call, id)
    if call.method == "PUT":
        call.writer()
        value = call.document().get("value")
        if not isinstance(value, bool):
            raise ApiError(400, "The value of the setting is true or false.")
        found.has_refined_velocity = value
    return json_answer({"value": found.has_refined_velocity})


_CATEGORIES: tuple[Category, ...] = (catalogue.TO_DO, catalogue.IN_PROGRESS, DONE)


def _number(field: catalogue.Field) -> int:
    return int(field.id.removeprefix("customfield_"))


def _statuses(project: Project) -> list[catalogue.Status]:
    return [project.start, *(way.to for way in project.workflow)]


def _project_sent(call: Call, name: str) -> Project:
    try:
        return project_named(call, name)
    except ApiError as error:
        raise ApiError(400, *error.messages) from None


def _projects_of(call: Call, board: Board) -> list[Project]:
    """The projects that the board's filter names."""
    named = {name.lower() for name in _named(board_query(call, board).where)}
    return [one for one in call.site.projects if not named.isdisjoint({one.key.lower(), one.id, one.name.lower()})]


def _named(node: jql.Node | None) -> Iterator[str]:
    if isinstance(node, jql.Clause):
        if node.field.lower() == "project":
            yield from (operand for operand in node.operands if isinstance(operand, str))
    elif isinstance(node, jql.Not):
        yield from _named(node.part)
    elif node is not None:
        for part in node.parts:
            yield from _named(part)
