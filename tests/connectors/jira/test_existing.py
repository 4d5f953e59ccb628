"""An issue that people made is found by its address, told apart from ours, and what stands in it stays."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.jira import writing
from improvement.errors import ConnectionFailed, InputError
from improvement.records import RecordRef, Verb

from .conftest import Desk

MEASURED = {
    "baseline": "12.0 %",
    "target": "6.0 %",
    "next_review": "2024-09-01",
    "verdict": None,
    "url": "https://rk/1",
}


def begun(desk: Desk, **fields: Any) -> Any:
    """An issue that Claudia made."""
    given = {"project": {"key": "CIP"}, "issuetype": {"name": "Task"}, "summary": "Slow", **fields}
    return desk.claudia.create_issue(fields=given)


def address(desk: Desk, key: str) -> str:
    return f"{desk.running.urls[desk.flavour]}/browse/{key}"


def adopted(desk: Desk, key: str) -> RecordRef:
    found = desk.connector.existing(address(desk, key))
    assert found is not None
    return found.ref


def update(desk: Desk, ref: RecordRef, name: str = "update/0", **fields: Any) -> Any:
    write = desk.outbound(Verb.UPDATE, name, fields={**MEASURED, **fields}, is_adopted=True)
    return desk.connector.write(write, ref)


def named(desk: Desk, name: str) -> str:
    return next(str(field["id"]) for field in desk.claudia.fields() if field["name"] == name)


def test_an_issue_is_found_by_its_key_in_any_case(desk: Desk) -> None:
    issue = begun(desk, **{named(desk, "Baseline"): "9"})
    found = desk.connector.existing(address(desk, issue.key.lower()))
    assert found is not None
    assert (found.title, found.mark, found.service, found.standing) == ("Slow", "", None, {"baseline": "9"})
    assert (found.ref.id, found.ref.number, found.ref.mode) == (issue.id, issue.key, "jira")
    assert found.state.state == "new"
    assert desk.connector.existing(f"https://elsewhere.example/browse/{issue.key}") is None


def test_an_issue_of_ours_carries_the_mark_of_its_action(desk: Desk) -> None:
    receipt = desk.create()
    found = desk.connector.existing(address(desk, receipt.ref.number))
    assert found is not None
    assert (found.mark, found.ref.id) == (desk.action, receipt.ref.id)


def test_a_step_of_an_improvement_is_none(desk: Desk) -> None:
    parent = begun(desk)
    step = begun(desk, issuetype={"name": "Sub-task"}, parent={"key": parent.key})
    with pytest.raises(InputError, match="is a sub-task"):
        desk.connector.existing(address(desk, step.key))


def test_what_is_not_there_is_said(desk: Desk) -> None:
    with pytest.raises(InputError, match="There is no issue CIP-99999, or our user may not see it"):
        desk.connector.existing(address(desk, "CIP-99999"))
    with pytest.raises(InputError, match="is not the address of one issue"):
        desk.connector.existing(f"{desk.running.urls[desk.flavour]}/projects/CIP")


def test_one_answer_to_a_visitor_within_our_session_hides_no_issue(desk: Desk) -> None:
    issue = begun(desk)
    desk.running.set_options(desk.flavour, names_callers=False)
    desk.running.set_faults(desk.flavour, {"kind": "anonymous", "path": f"/issue/{issue.key}$", "times": 1})
    assert adopted(desk, issue.key).id == issue.id


def test_what_people_wrote_stays_also_where_it_happens_to_be_ours(desk: Desk) -> None:
    target, baseline = named(desk, "Target value"), named(desk, "Baseline")
    issue = begun(desk, **{target: "6.0 %", "labels": ["theirs"]})
    ref = adopted(desk, issue.key)
    update(desk, ref)  # its target is by chance the same
    receipt = update(desk, ref, "update/1", target="5.0 %", baseline="13.0 %")
    assert "theirs counts" in receipt.unwritten["target"]
    now = desk.seen(ref).raw["fields"]
    assert (now[target], now[baseline]) == ("6.0 %", "13.0 %")
    assert (now["summary"], now["labels"]) == ("Slow", ["theirs"])


def test_our_own_value_is_kept_current_until_a_person_changes_it(desk: Desk) -> None:
    target = named(desk, "Target value")
    ref = adopted(desk, begun(desk).key)
    update(desk, ref)
    update(desk, ref, "update/1", target="5.0 %")
    assert desk.seen(ref).raw["fields"][target] == "5.0 %"
    desk.claudia.issue(ref.id).update(fields={target: "1 %"})
    receipt = update(desk, ref, "update/2", target="4.0 %")
    assert ("target" in receipt.unwritten, desk.seen(ref).raw["fields"][target]) == (True, "1 %")


def test_an_adopted_issue_is_not_moved_and_then_carries_our_mark(desk: Desk) -> None:
    issue = begun(desk)
    ref = adopted(desk, issue.key)
    update(desk, ref, verdict="improved")
    assert desk.state(ref).state == "new"
    found = desk.connector.existing(address(desk, issue.key))
    assert found is not None
    assert found.mark == desk.action


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "html_page"])
@pytest.mark.parametrize("broken", [r"/issue/\d+$", r"/properties/regelkreis$"])
def test_a_write_that_broke_off_anywhere_leaves_our_value_ours_and_theirs_theirs(
    desk: Desk, kind: str, broken: str
) -> None:
    target, baseline = named(desk, "Target value"), named(desk, "Baseline")
    ref = adopted(desk, begun(desk, **{baseline: "9"}).key)
    update(desk, ref)
    for number, text in enumerate(("5.0 %", "4.0 %"), start=1):
        desk.faults({"kind": kind, "method": "PUT", "path": broken, "times": 1})
        with pytest.raises(ConnectionFailed):
            update(desk, ref, f"update/{number}", target=text)
        desk.faults()
        update(desk, ref, f"update/{number}", target=text)
        now = desk.seen(ref).raw["fields"]
        assert (now[target], now[baseline]) == (text, "9")


def test_a_process_killed_after_the_edit_still_knows_its_value_for_ours(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = named(desk, "Target value")
    ref = adopted(desk, begun(desk).key)

    def killed(*_arguments: Any, **_options: Any) -> None:
        raise ConnectionFailed("killed before it could leave its traces")

    with monkeypatch.context() as patched:
        patched.setattr(writing, "_leave_traces", killed)
        with pytest.raises(ConnectionFailed):
            update(desk, ref)
    assert desk.seen(ref).raw["fields"][target] == "6.0 %"
    update(desk, ref)
    receipt = update(desk, ref, "update/1", target="5.0 %")
    assert ("target" in receipt.unwritten, desk.seen(ref).raw["fields"][target]) == (False, "5.0 %")


# --- an issue of any other project --------------------------------------------------------------------------------


def elsewhere(desk: Desk) -> RecordRef:
    """A new issue of the service desk OPS, adopted."""
    made = desk.claudia.create_issue(
        fields={"project": {"key": "OPS"}, "issuetype": {"name": "Problem"}, "summary": "Slow since the move"}
    )
    return adopted(desk, made.key)


def test_an_issue_of_any_project_that_we_may_see_is_found(desk: Desk) -> None:
    ref = elsewhere(desk)
    assert (ref.number.partition("-")[0], desk.state(ref).state, desk.state(ref).is_missing) == ("OPS", "new", False)


def test_customers_of_a_service_desk_do_not_read_our_notes(desk: Desk) -> None:
    ref = elsewhere(desk)
    desk.note(ref)
    assert desk.note(ref).was_found
    (comment,) = desk.claudia.comments(ref.id)
    assert comment.raw["jsdPublic"] is False


def test_an_issue_that_was_moved_to_a_service_desk_gets_internal_notes_too(desk: Desk) -> None:
    ref = adopted(desk, begun(desk).key)
    desk.note(ref, name="note/1")
    assert [comment.raw.get("jsdPublic") for comment in desk.claudia.comments(ref.id)] == [True]
    desk.running.happen(desk.flavour, "move", keys=[ref.number])
    desk.note(ref, name="note/2")
    assert [comment.raw.get("jsdPublic") for comment in desk.claudia.comments(ref.id)] == [True, False]


def test_measured_fields_that_it_lacks_are_told_and_the_way_to_our_page_is_left(desk: Desk) -> None:
    ref = elsewhere(desk)
    receipt = update(desk, ref, verdict="improved")
    seen = desk.seen(ref)
    assert {"baseline", "target", "verdict"} <= set(receipt.unwritten)
    assert all("not on the edit screen" in receipt.unwritten[name] for name in ("baseline", "target"))
    assert seen.raw["properties"]["regelkreis"]["id"] == desk.action
    assert [link.object.url for link in desk.claudia.remote_links(ref.id)] == ["https://rk/1"]
    assert desk.state(ref).state == "new"
    assert seen.fields.summary == "Slow since the move"


def test_steps_are_made_in_the_improvement_project_only(desk: Desk) -> None:
    receipt = desk.connector.write(desk.outbound(Verb.TASK, "task/1", fields={"title": "Hire"}), elsewhere(desk))
    assert "steps are made below issues of CIP only" in receipt.unwritten["title"]


def test_what_our_user_may_not_see_cannot_be_adopted(desk: Desk) -> None:
    hidden = desk.connect(user="nobody@example.com" if desk.flavour == "jira_cloud" else "nobody")
    with pytest.raises((InputError, ConnectionFailed)):
        hidden.existing(address(desk, elsewhere(desk).number))
