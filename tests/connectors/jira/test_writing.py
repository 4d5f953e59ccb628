"""Writing actions as issues: what is set, what is left alone, what is told where it has no place."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors.jira import hanging
from connectors.jira.sending import LiveSender
from connectors.jira.tracing import unmarked
from improvement.errors import MappingError, PermissionMissing, WriteRefused
from improvement.records import RecordRef, State, Verb, Verdict

from .conftest import FILE, OURS, Desk


def test_an_issue_is_created_with_label_property_and_link_to_our_page(desk: Desk) -> None:
    receipt = desk.create()
    issue = desk.seen(receipt.ref)
    assert (receipt.status, receipt.was_found, receipt.ref.mode) == (201, False, "jira")
    assert (issue.fields.issuetype.name, issue.fields.status.name) == ("Task", "To Do")
    assert set(issue.fields.labels) == {desk.label, "regelkreis"}
    assert issue.fields.summary == "Fewer breaches at Acme"
    assert issue.fields.description == "SLA breach rate 24.3 %\n\nHypothesis: A second engineer at night"
    assert issue.fields.assignee.displayName == "Claudia Braun"
    assert (issue.fields.duedate, issue.fields.customfield_10022) == ("2024-09-01", "2024-08-20")
    assert (issue.fields.customfield_10020, issue.fields.customfield_10021) == ("24.3 %", "17 %")
    kept = issue.raw["properties"]["regelkreis"]
    assert (kept["id"], kept["state"], kept["url"]) == (desk.action, "proposed", desk.fields["url"])
    assert kept["installation"] == OURS
    (link,) = desk.claudia.remote_links(issue)
    assert link.object.url == desk.fields["url"]
    assert (OURS in link.globalId, desk.action in link.globalId) == (True, True)
    assert receipt.differences == {}
    assert receipt.written["customfield_10020"] == "24.3 %"
    assert receipt.ref.url == f"{desk.running.urls[desk.flavour]}/browse/{receipt.ref.number}"


def test_an_issue_of_a_version_before_keeps_its_one_link_and_tells_whose_it_is(desk: Desk) -> None:
    """That version named no installation, neither in the link's id nor in the property."""
    create, update = (
        desk.creation,
        desk.outbound(Verb.UPDATE, "update/1", fields={**desk.fields, "url": "https://rk/2"}),
    )
    ref = desk.connector.write(msgspec.structs.replace(create, installation=""), None).ref
    (before,) = desk.claudia.remote_links(ref.id)
    assert OURS not in before.globalId
    for _ in range(2):
        desk.connector.write(update, ref)
    (link,) = desk.claudia.remote_links(ref.id)
    assert (link.globalId, link.object.url) == (before.globalId, "https://rk/2")
    assert desk.seen(ref).raw["properties"]["regelkreis"]["installation"] == OURS


def test_the_issue_is_known_by_its_id_because_a_key_may_change(desk: Desk) -> None:
    ref = desk.create().ref
    assert ref.id.isdigit()
    moved = RecordRef(connection=ref.connection, mode=ref.mode, id=ref.id, number="OLD-1", url=ref.url)
    assert desk.note(moved).ref.id == ref.id
    assert desk.state(moved).ref.number == ref.number


def test_a_second_create_finds_the_first(desk: Desk) -> None:
    first = desk.create()
    second = desk.create()
    assert (second.was_found, second.status, second.ref) == (True, 0, first.ref)
    assert desk.labelled() == [first.ref.number]


def test_a_title_of_ten_thousand_characters_and_strange_ones_are_written_as_far_as_jira_takes_them(desk: Desk) -> None:
    title = '=HYPERLINK("x")\n<b>مرحبا</b> 🚑 ' + "🚑" * 10_000
    receipt = desk.create(title=title, description="x" * 40_000)
    summary = desk.seen(receipt.ref).fields.summary
    assert summary.startswith('=HYPERLINK("x") <b>مرحبا</b> 🚑 🚑')
    assert summary.endswith("…")
    assert len(summary.encode("utf-16-le")) // 2 <= 255
    assert receipt.differences == {}


def test_an_owner_who_may_not_be_assigned_does_not_stop_the_creation(desk: Desk) -> None:
    receipt = desk.create(owner="nobody-of-this-name")
    assert receipt.unwritten["owner"].startswith("Jira refused it:")
    assert desk.seen(receipt.ref).fields.assignee is None
    assert desk.labelled() == [receipt.ref.number]


def test_a_description_that_is_refused_is_told_as_what_it_is(desk: Desk) -> None:
    """The hypothesis stands in the same field."""
    assert desk.connector.project.key == "CIP"
    desk.running.set_options(desk.flavour, screen_lacks={"create": ["description"]})
    receipt = desk.create(description="Too many.", hypothesis="A second engineer")
    desk.running.set_options(desk.flavour, screen_lacks={})
    assert receipt.unwritten["description"].startswith("Jira refused it:")
    assert desk.labelled() == [receipt.ref.number]


def test_an_owner_who_may_not_be_assigned_does_not_stop_an_update(desk: Desk) -> None:
    ref = desk.create(owner=None).ref
    receipt = desk.update(ref, owner="nobody-of-this-name", baseline="27 %")
    assert receipt.unwritten["owner"].startswith("Jira refused it:")
    assert desk.seen(ref).fields.customfield_10020 == "27 %"
    again = desk.update(ref, owner="nobody-of-this-name", baseline="27 %")
    assert "owner" in again.unwritten
    assert again.differences == {}


def test_an_unknown_choice_names_near_ones_and_a_field_without_a_place_says_so(desk: Desk) -> None:
    near = next(iter(desk.connector.project.screen["customfield_10012"].allowed_values)).value or ""
    receipt = desk.create(service=near[:-1], method="Manual")
    assert f"Did you mean {near}" in receipt.unwritten["service"]
    assert "no field “Measurement method”" in receipt.unwritten["method"]


def test_an_update_sends_only_what_differs_and_nothing_twice(desk: Desk) -> None:
    ref = desk.create().ref
    receipt = desk.update(ref, baseline="25 %")
    assert receipt.written["customfield_10020"] == "25 %"
    again = desk.update(ref, baseline="25 %")
    assert (again.was_found, again.status) == (True, 0)
    assert (
        desk.connector.preview(desk.outbound(Verb.UPDATE, "u", fields={**desk.fields, "baseline": "25 %"}), ref) == []
    )


def test_what_a_person_changed_in_jira_stays_and_what_we_measured_is_kept_current(desk: Desk) -> None:
    ref = desk.create().ref
    desk.claudia.issue(ref.id).update(fields={"summary": "Claudia knows better", "duedate": "2024-10-01"})
    receipt = desk.update(ref, baseline="26 %", due="2024-09-15")
    issue = desk.seen(ref)
    assert (issue.fields.summary, issue.fields.duedate) == ("Claudia knows better", "2024-10-01")
    assert issue.fields.customfield_10020 == "26 %"
    assert receipt.unwritten["title"] == receipt.unwritten["due"] == "changed on Jira by a person; theirs counts"


@pytest.mark.parametrize("fault", [{"kind": "refuse", "status": 403}, {"kind": "reset_before"}])
def test_nor_is_it_undone_where_our_property_could_not_be_set(desk: Desk, fault: dict[str, Any]) -> None:
    desk.faults({"method": "PUT", "path": "/properties/regelkreis$", **fault})
    ref = desk.create().ref
    desk.claudia.issue(ref.id).update(fields={"summary": "Claudia knows better"})
    receipt = desk.update(ref, title="Of today", hypothesis="Of today", baseline="26 %")
    issue = desk.seen(ref)
    assert issue.fields.summary == "Claudia knows better"
    assert receipt.unwritten["title"] == "changed on Jira by a person; theirs counts"
    assert issue.fields.description.endswith("Hypothesis: Of today")  # nobody touched it
    assert issue.fields.customfield_10020 == "26 %"


@pytest.mark.parametrize(
    "written",
    [
        *({"written": entry} for entry in (None, "x", [], {"summary": None})),
        {"about": None}, {"about": "x"}, {"placed": []}, {"placed": 5}, {"id": 5, "state": {"a": 1}},
        {"written": {f"customfield_{number}": "x" * 80 for number in range(300)}}, [1], "x",
    ],
    ids=lambda written: str(written)[:30],
)  # fmt: skip
def test_whatever_others_write_into_our_property_stops_no_update(desk: Desk, written: Any) -> None:
    ref = desk.create().ref
    path = f"{desk.running.urls[desk.flavour]}/rest/api/2/issue/{ref.id}/properties/regelkreis"
    desk.claudia._session.put(path, json=written)
    receipt = desk.update(ref, baseline="26 %", state="doing")
    assert (receipt.differences, receipt.written["customfield_10020"]) == ({}, "26 %")
    kept = desk.seen(ref).raw["properties"]["regelkreis"]
    assert (kept["id"], kept["state"], kept["placed"]) == (desk.action, "doing", "doing")


def test_the_link_to_our_page_is_updated_in_place_with_everything_it_carries(desk: Desk) -> None:
    ref = desk.create().ref
    desk.update(ref, url="https://new.example.com/a/")
    (link,) = desk.claudia.remote_links(desk.seen(ref))
    assert link.object.url == "https://new.example.com/a/"
    assert (link.object.title, link.relationship) == (f"{desk.action} in Regelkreis", "is measured by")


def test_a_long_text_does_not_burst_the_property(desk: Desk) -> None:
    ref = desk.create().ref
    desk.update(ref, url="https://rk.example.com/" + "x" * 40_000)
    assert len(desk.seen(ref).raw["properties"]["regelkreis"]["url"]) == 1_000


def test_a_note_is_written_once_and_reads_without_its_mark(desk: Desk) -> None:
    ref = desk.create().ref
    receipt = desk.note(ref)
    assert not receipt.was_found
    assert unmarked(receipt.written["comment"]) == "Improved: 24.3 % → 16.1 %."
    assert receipt.differences == {}
    assert desk.note(ref).was_found
    assert not desk.note(ref, "another", name="note/final-10").was_found
    bodies = [comment.body for comment in desk.claudia.comments(ref.id)]
    assert [unmarked(body) for body in bodies] == ["Improved: 24.3 % → 16.1 %.", "another"]


def test_of_a_note_longer_than_jira_holds_the_beginning_is_written_and_that_is_told(desk: Desk) -> None:
    ref = desk.create().ref
    receipt = desk.note(ref, "Stop. " + "😀" * 20_000)
    assert "no more than its first 32000 characters" in receipt.unwritten["text"]
    assert receipt.differences == {}
    assert desk.note(ref, "Stop. " + "😀" * 20_000).was_found
    (comment,) = desk.claudia.comments(ref.id)
    assert unmarked(comment.body).startswith("Stop. 😀")


def test_what_an_automation_makes_of_a_note_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = desk.create().ref
    as_sent = LiveSender.comment

    def rounded(self: LiveSender, issue_id: str, body: str, *, is_internal: bool) -> None:
        as_sent(self, issue_id, body.replace("24.3 %", "24 %"), is_internal=is_internal)

    monkeypatch.setattr(LiveSender, "comment", rounded)
    receipt = desk.note(ref)
    assert "24.3 % → 16.1 %" in receipt.differences["comment"].partition(", found ")[0]
    assert "24 % → 16.1 %" in receipt.differences["comment"].partition(", found ")[2]


def test_what_a_person_entered_stays_although_its_field_is_called_otherwise_since(desk: Desk) -> None:
    """The history of a Data Center tells no ids, and the names that fields had."""
    ref = desk.create().ref
    desk.claudia.issue(ref.id).update(fields={"customfield_10020": "99 %"})
    renamed = [
        msgspec.structs.replace(info, name="Base value") if info.id == "customfield_10020" else info
        for info in desk.connector.site.fields.infos
    ]
    desk.connector.site.fields._infos[:] = renamed
    receipt = desk.update(ref, baseline="31 %")
    assert receipt.unwritten["baseline"] == "changed on Jira by a person; theirs counts"
    assert desk.seen(ref).fields.customfield_10020 == "99 %"


def test_the_colour_of_a_mark_as_cloud_writes_it_is_no_difference(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = hanging.notes_of

    def as_cloud_writes(*asked: Any) -> Any:
        comments, project = real(*asked)
        found = [msgspec.structs.replace(one, body=one.body.replace("#FFFFFF", "#ffffff")) for one in comments]
        return found, project

    monkeypatch.setattr(hanging, "notes_of", as_cloud_writes)
    ref = desk.create().ref
    assert desk.note(ref).differences == {}
    assert desk.note(ref).was_found


def test_a_note_that_jira_would_refuse_for_its_length_is_cut(desk: Desk) -> None:
    ref = desk.create().ref
    note = desk.outbound(Verb.NOTE, "note/long", text="Decision: stop. " + "🐌" * 40_000)
    receipt = desk.connector.write(note, ref)
    assert (receipt.status, receipt.differences) == (201, {})
    assert desk.connector.write(note, ref).was_found


def test_what_an_automation_makes_of_a_field_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    created, edited = LiveSender.create, LiveSender.edit
    by_rule = {"duedate": "2024-12-24"}
    monkeypatch.setattr(LiveSender, "create", lambda self, fields: created(self, fields | by_rule))
    monkeypatch.setattr(LiveSender, "edit", lambda self, id, fields: edited(self, id, fields | by_rule))
    receipt = desk.create()
    assert receipt.differences == {"duedate": "sent '2024-09-01', found '2024-12-24'"}
    updated = desk.update(receipt.ref, baseline="31 %", due=None)
    assert (updated.written["customfield_10020"], updated.differences) == ("31 %", {})
    by_rule["customfield_10021"] = "0 %"
    again = desk.update(receipt.ref, target="16 %", baseline="31 %", due=None)
    assert again.differences == {"customfield_10021": "sent '16 %', found '0 %'"}


def test_a_file_is_attached_once(desk: Desk) -> None:
    ref = desk.create().ref
    attach = desk.outbound(Verb.ATTACH, "attach/final", file=FILE)
    receipt = desk.connector.write(attach, ref)
    assert (receipt.was_found, receipt.differences) == (False, {})
    assert receipt.written == {FILE.name: f"{len(FILE.content)} bytes"}
    assert desk.connector.write(attach, ref).was_found
    (file,) = desk.seen(ref).fields.attachment
    assert (file.filename, file.size) == (FILE.name, len(FILE.content))


def test_a_task_becomes_a_sub_task_once(desk: Desk) -> None:
    ref = desk.create().ref
    fields = {"title": "Hire\nsomebody", "due": "2024-08-15", "owner": desk.account("claudia.braun")}
    task = desk.outbound(Verb.TASK, "task/1", fields=fields)
    receipt = desk.connector.write(task, ref)
    assert (receipt.was_found, receipt.differences) == (False, {})
    assert desk.connector.write(task, ref).was_found
    (found,) = desk.seen(ref).fields.subtasks
    assert receipt.written == {
        "key": found.key, "summary": "Hire somebody", "duedate": "2024-08-15",
        "assignee": desk.account("claudia.braun"),
    }  # fmt: skip
    assert found.fields.summary == "Hire somebody"


def test_a_step_that_is_found_otherwise_than_it_was_sent_says_so(desk: Desk) -> None:
    ref = desk.create().ref
    task = desk.outbound(Verb.TASK, "task/1", fields={"title": "Hire", "due": "2024-08-15"})
    made = desk.connector.write(task, ref)
    desk.claudia.issue(made.written["key"]).update(fields={"duedate": None})
    again = desk.connector.write(task, ref)
    assert again.was_found
    assert again.differences == {"duedate": "sent '2024-08-15', found ''"}


def test_at_most_ten_triggers_are_linked_and_each_once(desk: Desk) -> None:
    ref = desk.create().ref
    issues = desk.claudia.search_issues("project = OPS ORDER BY created DESC", maxResults=12)
    ids = tuple(issue.id for issue in issues)
    link = desk.outbound(Verb.LINK, "triggers", trigger_ids=(*ids[:2], "999999999", *ids[2:]))
    receipt = desk.connector.write(link, ref)
    assert len(desk.seen(ref).fields.issuelinks) == 9  # one of the first ten does not exist
    assert set(receipt.unwritten) == {"trigger 999999999", *(f"trigger {id}" for id in ids[9:])}
    assert "404" in receipt.unwritten["trigger 999999999"]
    assert receipt.written == dict.fromkeys((f"trigger {id}" for id in ids[:9]), "linked")
    assert receipt.differences == {}
    desk.connector.write(link, ref)
    assert len(desk.seen(ref).fields.issuelinks) == 9


@pytest.mark.parametrize("status", [403, 404])
def test_links_that_are_all_refused_are_no_write_that_took_effect(desk: Desk, status: int) -> None:
    ref = desk.create().ref
    ids = tuple(issue.id for issue in desk.claudia.search_issues("project = OPS", maxResults=2))
    link = desk.outbound(Verb.LINK, "triggers", trigger_ids=ids)
    desk.faults({"kind": "refuse", "status": status, "method": "POST", "path": "/issueLink$", "times": None})
    with pytest.raises(WriteRefused, match=r"No link was made: 2 refused\."):
        desk.connector.write(link, ref)
    desk.faults({"kind": "refuse", "status": status, "method": "POST", "path": "/issueLink$", "times": 1})
    receipt = desk.connector.write(link, ref)
    assert (list(receipt.unwritten), list(receipt.written)) == ([f"trigger {ids[0]}"], [f"trigger {ids[1]}"])
    desk.faults()
    assert desk.connector.write(link, ref).unwritten == {}
    assert len(desk.seen(ref).fields.issuelinks) == 2


def test_whoever_may_not_link_is_told_so_and_not_taken_for_somebody_who_is_not_signed_in(desk: Desk) -> None:
    """Data Center answers 401 to it: refused credentials would stop every other write."""
    ref = desk.create().ref
    (ticket,) = desk.claudia.search_issues("project = OPS", maxResults=1)
    desk.running.set_options(desk.flavour, unlinkable=["OPS", "CIP"])
    try:
        with pytest.raises(WriteRefused, match=r"No link was made: 1 refused\..*No Link Issue Permission"):
            desk.connector.write(desk.outbound(Verb.LINK, "triggers", trigger_ids=(ticket.id,)), ref)
    finally:
        desk.running.set_options(desk.flavour, unlinkable=[])


# --- the workflow ---------------------------------------------------------------------------------------------


def test_the_issue_follows_our_state_by_the_status_a_transition_leads_to(desk: Desk) -> None:
    ref = desk.create().ref
    desk.update(ref, state="doing")
    assert desk.seen(ref).fields.status.name == "In Progress"
    desk.update(ref, state=State.ON_HOLD)
    assert desk.seen(ref).fields.status.name == "On Hold"
    desk.update(ref, state="doing")
    desk.update(ref, state="closed", verdict="improved")
    issue = desk.seen(ref)
    assert (issue.fields.status.name, issue.fields.resolution.name) == ("Done", "Done")


@pytest.mark.parametrize(
    ("verdict", "resolution"),
    [
        (Verdict.IMPROVED, "Done"),
        (Verdict.NOT_ATTRIBUTABLE, "Done"),
        (Verdict.NOT_ENOUGH_DATA, "Inconclusive"),
        (Verdict.WORSE, "Inconclusive"),
        (None, "Inconclusive"),
    ],
)
def test_only_success_is_resolved_as_done(desk: Desk, verdict: str | None, resolution: str) -> None:
    ref = desk.create().ref
    desk.update(ref, state="doing")
    desk.update(ref, state="closed", verdict=verdict)
    assert desk.seen(ref).fields.resolution.name == resolution


def test_a_resolution_of_ones_own_counts(desk: Desk) -> None:
    desk.connector = desk.connect(resolutions={"no_success": "Won't Do"})
    ref = desk.create().ref
    desk.update(ref, state="doing")
    desk.update(ref, state="closed", verdict="worse")
    assert desk.seen(ref).fields.resolution.name == "Won't Do"


def test_a_state_without_a_way_is_told_in_a_comment_once_and_the_action_goes_on(desk: Desk) -> None:
    ref = desk.create().ref
    for _ in range(2):  # from To Do no transition leads to Done
        receipt = desk.update(ref, state="closed", verdict="improved")
        assert receipt.unwritten["state"] == "no transition that we may take leads to closed"
    assert desk.seen(ref).fields.status.name == "To Do"
    (comment,) = desk.claudia.comments(ref.id)
    assert "found no transition to closed" in comment.body


def test_an_issue_that_a_person_moved_is_followed_not_overruled(desk: Desk) -> None:
    ref = desk.create().ref
    desk.move(ref, "Put on hold")
    receipt = desk.update(ref, state="doing")
    assert desk.seen(ref).fields.status.name == "On Hold"
    assert "a person moved the issue to On Hold" in receipt.unwritten["state"]


def test_a_status_means_what_the_connection_says(desk: Desk) -> None:
    desk.connector = desk.connect(statuses={"10012": "on_hold", "On Hold": "review"})
    ref = desk.create().ref
    desk.update(ref, state="doing")
    desk.update(ref, state=State.ON_HOLD)  # by the id of In Review
    assert desk.seen(ref).fields.status.name == "In Review"
    assert desk.state(ref).state == "on_hold"


# --- refusals -------------------------------------------------------------------------------------------------


def test_a_user_without_rights_is_told_which_and_nothing_is_written(desk: Desk) -> None:
    desk.connector = desk.connect(user="reader")
    with pytest.raises((PermissionMissing, WriteRefused)) as caught:
        desk.create()
    assert caught.value.mend
    assert desk.labelled() == []


def test_a_project_that_is_not_there_is_named(desk: Desk) -> None:
    desk.connector = desk.connect(improvement_project="NOPE")
    with pytest.raises(MappingError, match="no project “NOPE”") as caught:
        desk.create()
    assert "improvement_project" in str(caught.value.where)


def test_an_issue_that_is_gone_is_said_to_be_gone(desk: Desk) -> None:
    ref = desk.create().ref
    desk.claudia.issue(ref.id).delete()
    calls: list[Any] = [lambda: desk.update(ref), lambda: desk.note(ref)]
    for call in calls:
        with pytest.raises(WriteRefused, match=f"{ref.number} is gone or hidden") as caught:
            call()
        assert caught.value.mend
    assert desk.state(ref).is_missing


def test_a_write_before_the_creation_is_refused(desk: Desk) -> None:
    with pytest.raises(WriteRefused, match="does not exist yet"):
        desk.connector.write(desk.outbound(Verb.NOTE, "note/1", text="x"), None)
