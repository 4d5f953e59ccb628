"""Boards, sprints, epics and ranks as clients that nobody here wrote use them: what they make stays, and is refused."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from atlassian import JiraSoftware
from jira import JIRAError
from requests import HTTPError

from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from tests.connectors.sandbox.foreign_jira.clients import a_jira, an_atlassian, refused

DATES = {"startDate": "2024-07-29T09:00:00.000Z", "endDate": "2024-08-12T09:00:00.000+02:00"}
_NUMBERS = count(1)  # a person's filters have different names
SPRINT, RANK, EPIC_LINK = "customfield_10050", "customfield_10051", "customfield_10053"


@pytest.fixture
def board(jira: Any) -> Any:
    return a_board(jira)


def a_board(jira: Any, *, kind: str = "scrum", jql: str = "project = CIP") -> Any:
    return jira.create_board("Improving", jira.create_filter(f"Ours {next(_NUMBERS)}", "", jql).id, preset=kind)


def some_tasks(jira: Any, count: int, label: str = "") -> list[str]:
    fields = {"project": "CIP", "issuetype": {"name": "Task"}, "labels": [label] if label else []}
    return [jira.create_issue(**fields, summary=f"Task {number}").key for number in range(count)]


def an_epic(jira: Any) -> Any:
    return jira.create_issue(project="CIP", issuetype={"name": "Epic"}, summary="Fewer breaches")


def keys(page: dict[str, Any]) -> list[str]:
    return [issue["key"] for issue in page["issues"]]


def test_a_board_is_made_found_told_and_deleted(jira: Any, atlassian: Any, board: Any, is_cloud: bool) -> None:
    found = jira.boards(name="improv", projectKeyOrID="CIP", type="scrum", maxResults=False)
    told = atlassian.get_agile_board_configuration(board.id)

    assert board.id in {one.id for one in found}
    assert board.id not in {one.id for one in jira.boards(projectKeyOrID="OPS", maxResults=False)}
    assert atlassian.get_agile_board_by_filter_id(told["filter"]["id"])["values"][0]["id"] == board.id
    assert [column["name"] for column in told["columnConfig"]["columns"]] == ["To Do", "In Progress", "Done"]
    assert told["ranking"]["rankCustomFieldId"] == 10051
    assert ("location" in board.raw) is is_cloud

    atlassian.delete_filter(told["filter"]["id"])
    assert keys(atlassian.get_issues_for_board(board.id, "")) == []  # what a filter found that is gone
    board.delete()
    with pytest.raises(HTTPError, match="either does not exist"):
        atlassian.get_agile_board(board.id)


def test_what_makes_no_board_is_told_by_field(sandbox: RunningSandbox, jira: Any, flavour: Flavour) -> None:
    with pytest.raises(JIRAError) as caught:
        jira.create_board("", "999", preset="agility")
    assert caught.value.status_code == 400
    assert {*caught.value.response.json()["errors"]} == {"name", "type", "filterId"}
    with pytest.raises(JIRAError) as forbidden:
        a_jira(sandbox, flavour, "reader").create_board("Mine", "10000")
    assert forbidden.value.status_code == 403


def test_a_sprint_goes_from_future_to_active_to_closed_and_no_other_way(
    jira: Any, atlassian: Any, board: Any, is_cloud: bool
) -> None:
    done, left, waiting = some_tasks(jira, 3, label="sprint")
    sprint = jira.create_sprint(" First ", board.id, goal="Half")
    atlassian.add_issues_to_sprint(sprint.id, [done, left])
    assert (sprint.state, sprint.name, sprint.goal) == ("future", "First", "Half")
    with pytest.raises(HTTPError, match="start date"):
        atlassian.update_partially_sprint(sprint.id, {"state": "active"})
    with pytest.raises(HTTPError, match="not closed"):
        atlassian.update_partially_sprint(sprint.id, {"state": "closed"})

    jira.update_sprint(sprint.id, name="First", state="active", **DATES)
    (in_it,) = (one for one in jira.sprints(board.id, state="active") if one.id == sprint.id)
    assert in_it.endDate == "2024-08-12T07:00:00.000Z"
    assert in_it.goal == ""  # a full update empties what it leaves out
    jira.transition_issue(done, "Start work")
    jira.transition_issue(done, "Finish", resolution={"name": "Done"})
    assert {one.key for one in jira.search_issues("labels = sprint AND sprint in openSprints()")} >= {done, left}
    backlog = keys(atlassian.get_issues_for_backlog(board.id))
    assert (waiting in backlog, left in backlog) == (True, False)

    closed = atlassian.update_partially_sprint(sprint.id, {"state": "closed"})
    assert closed["completeDate"] == "2024-07-29T12:00:00.000Z"
    backlog = keys(atlassian.get_issues_for_backlog(board.id))
    assert (left in backlog, done in backlog) == (True, False)
    assert sorted(keys(atlassian.get_sprint_issues(sprint.id, 0, 50))) == sorted([done, left])
    with pytest.raises(HTTPError, match="open sprints"):
        atlassian.add_issues_to_sprint(sprint.id, [waiting])
    if is_cloud:
        assert atlassian.update_partially_sprint(sprint.id, {"name": "Past", "startDate": None})["name"] == "Past"
        assert jira.sprint(sprint.id).startDate == DATES["startDate"]
    else:
        with pytest.raises(HTTPError, match="cannot be updated"):
            atlassian.update_partially_sprint(sprint.id, {"name": "Past"})


def test_an_issue_shows_the_sprint_it_is_in(jira: Any, atlassian: Any, board: Any, is_cloud: bool) -> None:
    (key,) = some_tasks(jira, 1)
    first, second = (jira.create_sprint(name, board.id) for name in ("One", "Two"))
    jira.add_issues_to_sprint(first.id, [key])
    jira.add_issues_to_sprint(second.id, [key])
    issue = jira.issue(key, expand="changelog")
    (shown,) = getattr(issue.fields, SPRINT)

    if is_cloud:
        assert (shown.id, shown.name, shown.boardId) == (second.id, "Two", board.id)
    else:
        assert f"[id={second.id},rapidViewId={board.id},state=FUTURE,name=Two,startDate=<null>" in shown
    assert [one.items[0].toString for one in issue.changelog.histories] == ["One", "Two"]
    assert keys(atlassian.get_all_issues_for_sprint_in_board(board.id, second.id, jql=f"key = {key}")) == [key]
    assert keys(atlassian.get_sprint_issues(first.id, 0, 50)) == []

    jira.move_to_backlog([key])
    assert getattr(jira.issue(key).fields, SPRINT) is None
    with pytest.raises(JIRAError) as unknown:
        jira.move_to_backlog(["CIP-99999"])
    assert unknown.value.status_code == 400


def test_a_move_to_a_place_that_there_is_not_moves_nothing(jira: Any, atlassian: Any, board: Any) -> None:
    (key,) = some_tasks(jira, 1)
    sprint = jira.create_sprint("First", board.id)
    for wrong in ({"rankBeforeIssue": "CIP-99999"}, {"rankBeforeIssue": key, "rankAfterIssue": key}):
        sent = {"issues": [key], **wrong}
        assert refused(atlassian.post, f"rest/agile/1.0/sprint/{sprint.id}/issue", data=sent) == 400
        assert keys(atlassian.get_sprint_issues(sprint.id, 0, 50)) == []


def test_a_sprint_is_renamed_and_deleted(jira: Any, atlassian: Any, board: Any, is_cloud: bool) -> None:
    (key,) = some_tasks(jira, 1)
    sprint = jira.create_sprint("Once", board.id)
    atlassian.add_issues_to_sprint(sprint.id, [key])
    atlassian.rename_sprint(sprint.id, "Twice", DATES["startDate"], DATES["endDate"])
    assert [one["name"] for one in atlassian.get_all_sprints_from_board(board.id)["values"]] == ["Twice"]
    atlassian.update_partially_sprint(sprint.id, {"state": "active"})
    if not is_cloud:
        with pytest.raises(HTTPError, match="Only a future sprint"):
            atlassian.delete_sprint(sprint.id)
        sprint = jira.create_sprint("Later", board.id)
        atlassian.add_issues_to_sprint(sprint.id, [key])
    atlassian.delete_sprint(sprint.id)
    assert getattr(jira.issue(key).fields, SPRINT) is None
    with pytest.raises(JIRAError) as gone:
        jira.sprint(sprint.id)
    assert gone.value.status_code == 404


def test_a_kanban_board_has_no_sprints(jira: Any, atlassian: Any) -> None:
    board = a_board(jira, kind="kanban")
    with pytest.raises(HTTPError, match="does not support sprints"):
        atlassian.get_all_sprints_from_board(board.id)
    with pytest.raises(JIRAError):
        jira.create_sprint("None", board.id)


def test_a_rank_changes_the_order_that_boards_and_searches_show(jira: Any, atlassian: Any) -> None:
    first, second, third, fourth = some_tasks(jira, 4, label="ranked")
    board = a_board(jira, jql="project = CIP AND labels = ranked")
    before = jira.issue(first).fields.updated

    jira.rank(fourth, next_issue=second)
    jira.rank(first, prev_issue=third)
    atlassian.update_rank([third, second], fourth, 10051)

    assert keys(atlassian.get_issues_for_board(board.id, "")) == [third, second, fourth, first]
    assert next(one.key for one in jira.search_issues("labels = ranked ORDER BY Rank DESC")) == first
    assert keys(atlassian.get_issues_for_board(board.id, "ORDER BY key"))[0] == first
    values = [getattr(jira.issue(key).fields, RANK) for key in (third, second, fourth, first)]
    assert values == sorted(values)
    shown = jira.issue(first, expand="changelog")
    assert [one.items[0].toString for one in shown.changelog.histories] == ["Ranked lower"]
    assert shown.fields.updated == before
    with pytest.raises(HTTPError, match="rank field"):
        atlassian.update_rank([first], second, 10020)


def test_many_ranks_in_one_gap_stay_apart(jira: Any) -> None:
    anchor, *moved = some_tasks(jira, 12, label="gap")
    for _ in range(3):
        for key in moved:
            jira.rank(key, prev_issue=anchor)
    found = [one.key for one in jira.search_issues("labels = gap ORDER BY Rank")]
    assert found == [anchor, *reversed(moved)]


def test_an_epic_holds_issues_and_lets_them_go(jira: Any, atlassian: Any, board: Any, is_cloud: bool) -> None:
    inside, outside = some_tasks(jira, 2)
    epic = an_epic(jira)
    jira.add_issues_to_epic(epic.id, f"{inside},{outside}")
    jira.add_issues_to_epic("none", [outside])

    assert getattr(jira.issue(inside).fields, EPIC_LINK) == epic.key
    assert keys(atlassian.epic_issues(epic.key)) == [inside]
    assert keys(atlassian.get_issues_for_epic(board.id, epic.key)) == [inside]
    assert epic.key in {one["key"] for one in atlassian.get_epics(board.id)["values"]}
    without = keys(atlassian.get_issues_without_epic(board.id, jql=f"key in ({inside}, {outside})"))
    assert without == [outside]
    assert [one.key for one in jira.search_issues(f'"Epic Link" = {epic.key}')] == [inside]
    if is_cloud:
        assert jira.issue(inside).fields.parent.key == epic.key
        child = jira.create_issue(
            project="CIP", issuetype={"name": "Task"}, summary="Born in it", parent={"key": epic.key}
        )
        assert {one.key for one in jira.search_issues(f"parent = {epic.key}")} == {inside, child.key}
    with pytest.raises(JIRAError) as caught:
        jira.add_issues_to_epic(epic.key, [an_epic(jira).key])
    assert caught.value.status_code == 400
    with pytest.raises(JIRAError) as unknown:
        jira.add_issues_to_epic(inside, [outside])
    assert unknown.value.status_code == 404


def test_sprint_epic_and_points_are_set_with_the_issue_itself(jira: Any, board: Any, is_cloud: bool) -> None:
    sprint, epic = jira.create_sprint("One", board.id), an_epic(jira)
    made = jira.create_issue(
        project="CIP", issuetype={"name": "Task"}, summary="Planned", **{SPRINT: sprint.id, EPIC_LINK: epic.key}
    )
    made.update(fields={"customfield_10054": 3, "customfield_10052": [{"value": "Impediment"}]})
    assert [one.key for one in jira.search_issues(f"sprint = {sprint.id}")] == [made.key]
    assert getattr(jira.issue(made.key).fields, EPIC_LINK) == epic.key
    assert (jira.issue(made.key).fields.parent is not None) is is_cloud
    told = [one.items[0].field for one in jira.issue(made.key, expand="changelog").changelog.histories]
    assert told == ["Story Points"]

    made.update(fields={SPRINT: None, EPIC_LINK: None})
    assert jira.search_issues(f"sprint = {sprint.id}") == []
    for wrong in ({SPRINT: 999}, {EPIC_LINK: made.key}, {"customfield_10054": "many"}, {RANK: "0|a:"}):
        with pytest.raises(JIRAError) as caught:
            made.update(fields=wrong)
        assert (caught.value.status_code, {*caught.value.response.json()["errors"]}) == (400, {*wrong})


def test_a_flag_a_property_and_the_versions_of_a_board(jira: Any, atlassian: Any, board: Any) -> None:
    (key,) = some_tasks(jira, 1)
    atlassian.flag_issue([key])
    assert jira.search_issues(f"Flagged = Impediment AND key = {key}")[0].key == key
    atlassian.flag_issue([key], flag=False)
    assert jira.search_issues(f"Flagged = Impediment AND key = {key}") == []

    version = jira.create_version("9.0", "CIP", released=True)
    assert version.id in {one["id"] for one in atlassian.get_all_versions_from_board(board.id)["values"]}
    assert [one["key"] for one in atlassian.get_all_projects_associated_with_board(board.id)["values"]] == ["CIP"]
    atlassian.set_agile_board_refined_velocity(board.id, {"value": True})
    assert atlassian.get_agile_board_refined_velocity(board.id) == {"value": True}


def test_the_newer_addresses_of_cloud_go_by_token(sandbox: RunningSandbox) -> None:
    jira = a_jira(sandbox, "jira_cloud")
    made = some_tasks(jira, 5, label="token")
    board = a_board(jira, jql="project = CIP AND labels = token")
    software = an_atlassian(sandbox, "jira_cloud", kind=JiraSoftware)

    pages = [software.get_issues_for_board_jsis(board.id, max_results=2)]
    while not pages[-1]["isLast"]:
        token = pages[-1]["nextPageToken"]
        pages.append(software.get_issues_for_board_jsis(board.id, max_results=2, next_page_token=token))
    assert [key for page in pages for key in keys(page)] == made
    assert software.get_approximate_issue_count_for_backlog(board.id) == {"count": 5}
    with pytest.raises(HTTPError, match="token is invalid"):
        software.get_issues_for_board_jsis(board.id, next_page_token="other")


def test_an_estimate_a_property_and_the_order_of_sprints(sandbox: RunningSandbox) -> None:
    jira = a_jira(sandbox, "jira_cloud")
    (key,) = some_tasks(jira, 1)
    board = a_board(jira)
    first, second = (jira.create_sprint(name, board.id) for name in ("One", "Two"))
    software = an_atlassian(sandbox, "jira_cloud", kind=JiraSoftware)

    software.estimate_issue_for_board(key, board.id, data={"value": "5"})
    assert software.get_issue_estimation_for_board(key, board.id)["value"] == "5.0"
    assert jira.issue(key).fields.customfield_10054 == 5
    assert [one.key for one in jira.search_issues(f'"Story Points" = 5 AND key = {key}')] == [key]
    software.swap_sprint(first.id, data={"sprintToSwapWith": second.id})
    assert [one.name for one in jira.sprints(board.id)] == ["Two", "One"]
    software.set_board_property(board.id, "rk", data={"goal": 1})
    assert software.get_board_property(board.id, "rk")["value"] == {"goal": 1}
    software.delete_board_property(board.id, "rk")
    assert software.get_board_property_keys(board.id)["keys"] == []
    with pytest.raises(HTTPError, match="must be a number"):
        software.estimate_issue_for_board(key, board.id, data={"value": "many"})


def test_a_rank_is_not_set_even_where_a_screen_shows_it(jira: Any, atlassian: Any) -> None:
    (tab,) = atlassian.get_screen_tabs(3)
    atlassian.add_field(RANK, 3, tab["id"])
    (key,) = some_tasks(jira, 1)
    with pytest.raises(JIRAError) as caught:
        jira.issue(key).update(fields={RANK: "0|a:"})
    assert "before or after" in caught.value.response.json()["errors"][RANK]
    jira.rank(key, next_issue=some_tasks(jira, 1)[0])
