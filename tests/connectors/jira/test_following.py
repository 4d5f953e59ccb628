"""What people did in Jira comes home: owner, due date, tasks, state, approvals, comments, and who did it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
import responses
from jira import JIRA

from improvement.errors import CredentialsRefused
from improvement.records import PlatformField, RecordRef, Verb

from .conftest import Desk


def test_a_fresh_issue_is_new_and_nobody_has_moved_it(desk: Desk) -> None:
    state = desk.state(desk.create().ref)
    assert (state.state, state.state_changed_by, state.state_changed_at) == ("new", None, None)
    assert (state.owner, state.due) == (desk.account("claudia.braun"), date(2024, 9, 1))
    assert (state.tasks, state.approvals, state.comments, state.is_missing) == ((), (), (), False)


def test_owner_and_due_date_changed_in_jira_come_home(desk: Desk, person: Callable[..., JIRA]) -> None:
    ref = desk.create().ref
    issue = desk.claudia.issue(ref.id)
    other = desk.account("reader")
    issue.update(fields={"duedate": "2024-11-30"})
    key = "name" if desk.flavour == "jira_dc" else "accountId"
    issue.update(fields={"assignee": {key: other}})
    assert (desk.state(ref).owner, desk.state(ref).due) == (other, date(2024, 11, 30))
    claudia = desk.account("claudia.braun")
    assert (desk.state(ref).owner_changed_by, desk.state(ref).due_changed_by) == (claudia, claudia)
    issue.update(fields={"assignee": None, "duedate": None})
    assert (desk.state(ref).owner, desk.state(ref).due) == (None, None)


def test_title_and_hypothesis_come_home_with_who_edited_them(desk: Desk) -> None:
    ref = desk.create().ref
    fields = desk.state(ref).fields
    assert {name: field.changed_by for name, field in fields.items()} == {"title": None, "hypothesis": None}
    assert {name: field.value for name, field in fields.items()} == {
        name: desk.creation.fields[name] for name in fields
    }
    told = "We see more late tickets.\r\n\r\nHypothesis: A third shift helps.\r\n\r\nOr a fourth."
    desk.claudia.issue(ref.id).update(fields={"summary": "Fewer late tickets", "description": told})
    claudia = desk.account("claudia.braun")
    assert desk.state(ref).fields == {
        "title": PlatformField(value="Fewer late tickets", changed_by=claudia),
        "hypothesis": PlatformField(value="A third shift helps.\n\nOr a fourth.", changed_by=claudia),
    }
    desk.claudia.issue(ref.id).update(fields={"description": "Written anew."})
    assert "hypothesis" not in desk.state(ref).fields


def test_a_move_comes_home_with_its_author_and_time_from_the_changelog(desk: Desk, now: datetime) -> None:
    ref = desk.create().ref
    desk.move(ref, "Put on hold")
    state = desk.state(ref)
    assert (state.state, state.state_changed_by, state.state_changed_at) == (
        "on_hold",
        desk.account("claudia.braun"),
        now,
    )
    desk.claudia.issue(ref.id).update(fields={"summary": "a later change that is no move"})
    assert desk.state(ref).state_changed_by == desk.account("claudia.braun")


def test_our_own_moves_are_told_as_ours(desk: Desk) -> None:
    ref = desk.create().ref
    desk.update(ref, state="doing")
    assert desk.state(ref).state_changed_by == desk.connector.site.me.account


@pytest.mark.parametrize(
    ("buttons", "expected"),
    [
        (["Start work"], "in_progress"),
        (["Start work", "Ask for review"], "review"),
        (["Put on hold"], "on_hold"),
        (["Cancel"], "cancelled"),
    ],
)
def test_every_status_has_its_word(desk: Desk, buttons: list[str], expected: str) -> None:
    ref = desk.create().ref
    for button in buttons:
        desk.move(ref, button)
    assert desk.state(ref).state == expected


@pytest.mark.parametrize(("resolution", "expected"), [("Done", "closed"), ("Canceled", "cancelled")])
def test_a_finished_issue_tells_its_resolution(desk: Desk, resolution: str, expected: str) -> None:
    ref = desk.create().ref
    desk.move(ref, "Start work")
    desk.move(ref, "Finish", resolution={"name": resolution})
    state = desk.state(ref)
    assert (state.state, state.close_code, state.is_closed_as_success) == (expected, resolution, resolution == "Done")


def test_an_earlier_answer_that_comes_again_is_not_taken_for_the_tasks(desk: Desk) -> None:
    ref = desk.create().ref
    task = {"project": {"key": "CIP"}, "issuetype": {"name": "Sub-task"}, "parent": {"id": ref.id}, "summary": "Hire"}
    desk.claudia.create_issue(fields=task)
    desk.faults({"kind": "duplicate_page", "path": "/search$", "after": 1})
    assert [one.title for one in desk.state(ref).tasks] == ["Hire"]
    desk.faults({"kind": "error_in_200", "path": "/search", "after": 1})
    assert [one.title for one in desk.state(ref).tasks] == ["Hire"]


def test_tasks_come_home_even_before_the_index_shows_them(desk: Desk) -> None:
    ref = desk.create().ref
    desk.running.set_options("jira_cloud", index_lag=50)
    key = "name" if desk.flavour == "jira_dc" else "accountId"
    task = desk.claudia.create_issue(
        fields={
            "project": {"key": "CIP"},
            "issuetype": {"name": "Sub-task"},
            "parent": {"id": ref.id},
            "summary": "Hire",
            "duedate": "2024-08-15",
            "assignee": {key: desk.account("claudia.braun")},
        }
    )
    (found,) = desk.state(ref).tasks
    assert (found.id, found.number, found.title, found.is_done) == (task.id, task.key, "Hire", False)
    assert (found.assignee, found.due) == (desk.account("claudia.braun"), date(2024, 8, 15))
    desk.running.set_options("jira_cloud", index_lag=0)
    desk.claudia.transition_issue(task.id, "Cancel")
    assert desk.state(ref).tasks[0].is_done


def test_comments_come_home_with_their_authors_and_without_our_mark(desk: Desk, now: datetime) -> None:
    ref = desk.create().ref
    desk.note(ref, "Opened")
    desk.claudia.add_comment(ref.id, "We start on Monday")
    ours, theirs = desk.state(ref).comments
    assert (ours.author, ours.text) == (desk.connector.site.me.account, "Opened")
    assert (theirs.author, theirs.text, theirs.at) == (desk.account("claudia.braun"), "We start on Monday", now)


def test_a_comment_comes_home_as_text_without_its_markup(desk: Desk) -> None:
    ref = desk.create().ref
    desk.claudia.add_comment(ref.id, "h3. Look\nIt is *slow*, see [the page|https://a.example/x].")
    (comment,) = desk.state(ref).comments
    assert comment.text == "Look\nIt is slow, see the page (https://a.example/x)."


def test_many_comments_are_read_to_the_last(desk: Desk) -> None:
    ref = desk.create().ref
    for number in range(105):
        desk.claudia.add_comment(ref.id, f"comment {number}")
    assert [comment.text for comment in desk.state(ref).comments] == [f"comment {number}" for number in range(105)]


def test_the_order_asked_for_is_kept_and_a_deleted_issue_is_missing(desk: Desk) -> None:
    first = desk.create().ref
    second = desk.another().create().ref
    gone = RecordRef(connection="acme", mode="jira", id="99999999", number="CIP-9", url="")
    states = desk.connector.states([second, gone, first])
    assert [(state.ref.id, state.is_missing) for state in states] == [
        (second.id, False),
        (gone.id, True),
        (first.id, False),
    ]


def test_following_a_hundred_issues_takes_a_request_per_fifty(desk: Desk) -> None:
    refs = [desk.another().create().ref for _ in range(55)]
    before = desk.connector.reader.requests
    assert [state.ref.id for state in desk.connector.states(refs)] == [ref.id for ref in refs]
    assert desk.connector.reader.requests - before <= 3


def test_a_written_issue_is_followed_before_the_index_shows_it(desk: Desk) -> None:
    """Cloud reconciles the ids it is given; on Data Center what a search leaves out is read by itself."""
    ref = desk.create().ref
    desk.running.set_options(desk.flavour, index_lag=1_000)
    fresh = desk.another().create().ref
    assert [state.is_missing for state in desk.connector.states([ref, fresh])] == [False, False]


def test_an_expired_token_is_not_taken_for_deleted_issues(desk: Desk) -> None:
    ref = desk.create().ref
    connector = desk.connect()
    assert connector.site.me.account  # signed in well, and then the token expires
    connector.client._session.auth = ("nobody", "expired")
    with pytest.raises(CredentialsRefused):
        connector.states([ref])


# --- approvals of Jira Service Management -----------------------------------------------------------------------

APPROVAL = {
    "id": "7",
    "name": "Change approval",
    "finalDecision": "approved",
    "completedDate": {"iso8601": "2024-07-30T09:00:00+0000"},
    "approvers": [
        {"approver": {"accountId": "acc-paul", "name": "paul"}, "approverDecision": "approved"},
        {"approver": {"accountId": "acc-petra", "name": "petra"}, "approverDecision": "declined"},
        {"approver": {"accountId": "acc-otto", "name": "otto"}, "approverDecision": "pending"},
    ],
}


def as_request(desk: Desk) -> None:
    """Let our connector take its project for one of Jira Service Management."""
    desk.connector.__dict__["is_service_desk"] = True


def approvals_at(desk: Desk, mocked: responses.RequestsMock, issue_id: str, *pages: dict[str, Any]) -> None:
    mocked.add_passthru(desk.running.urls[desk.flavour])
    url = f"{desk.running.urls[desk.flavour]}/rest/servicedeskapi/request/{issue_id}/approval"
    for page in pages:
        mocked.get(url, **page)


def test_native_approvals_come_home_with_the_approvers_of_every_page(desk: Desk) -> None:
    ref = desk.create().ref
    as_request(desk)
    first = {"isLastPage": False, "values": [{**APPROVAL, "id": "6", "completedDate": None, "approvers": []}]}
    with responses.RequestsMock() as mocked:
        approvals_at(desk, mocked, ref.id, {"json": first}, {"json": {"isLastPage": True, "values": [APPROVAL]}})
        found = desk.state(ref).approvals
    assert [(one.approver, one.state) for one in found] == [
        ("acc-paul", "approved"),
        ("acc-petra", "rejected"),
        ("acc-otto", "requested"),
    ]
    assert {one.id for one in found} == {"7:acc-paul", "7:acc-petra", "7:acc-otto"}
    assert found[0].at is not None


def test_an_issue_that_is_no_request_has_no_native_approval(desk: Desk) -> None:
    ref = desk.create().ref
    as_request(desk)
    with responses.RequestsMock() as mocked:
        approvals_at(desk, mocked, ref.id, {"status": 404, "json": {"errorMessage": "not a request"}})
        state = desk.state(ref)
    assert (state.state, state.approvals) == ("new", ())


def test_comments_on_a_request_are_internal(desk: Desk) -> None:
    ref = desk.create().ref
    as_request(desk)
    desk.connector.write(desk.outbound(Verb.NOTE, "note/1", text="for us"), ref)
    (comment,) = desk.claudia.comments(ref.id)
    assert comment.raw["jsdPublic"] is False


def test_one_answer_to_a_visitor_within_our_session_is_no_deleted_record(desk: Desk) -> None:
    ref = desk.create().ref
    desk.running.set_options(desk.flavour, names_callers=False)
    nobody = {"kind": "anonymous", "times": 1}
    desk.faults({**nobody, "path": "/search"}, {**nobody, "path": f"/issue/{ref.id}$"})
    (state,) = desk.connect().states([ref])
    assert (state.state, state.is_missing) == ("new", False)


def test_following_needs_no_right_to_create(desk: Desk) -> None:
    ref = desk.create().ref
    reader = desk.connect(user="reader")
    assert reader.states([ref])[0].state == "new"
    assert "project" not in reader.__dict__  # its create screen was never asked for
