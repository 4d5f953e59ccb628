"""However a write ends and however late the index is, it takes effect once: one request, one trace, one record."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors import doubt
from connectors.jira import finding
from improvement.errors import ConnectionFailed, CredentialsRefused, OutcomeUnknown, StillUnknown, WriteRefused
from improvement.records import Outbound, RecordRef, Verb

from .conftest import FILE, Desk

VERBS = ("create", "update", "note", "attach", "task", "link")
FOR_EVER = 1_000_000


def prepared(desk: Desk, verb: str) -> tuple[Outbound, RecordRef | None]:
    """A write of each kind, and the record it belongs to."""
    if verb == "create":
        return desk.creation, None
    ref = desk.create().ref
    ticket = desk.claudia.search_issues("project = OPS", maxResults=1)[0].id
    return {
        "update": desk.outbound(Verb.UPDATE, "update", fields={**desk.fields, "baseline": "31 %"}),
        "note": desk.outbound(Verb.NOTE, "note/final", text="Improved."),
        "attach": desk.outbound(Verb.ATTACH, "attach/final", file=FILE),
        "task": desk.outbound(Verb.TASK, "task/1", fields={"title": "Hire"}),
        "link": desk.outbound(Verb.LINK, "triggers", trigger_ids=(ticket,)),
    }[verb], ref


def writes(desk: Desk, kind: str, times: int | None = 1) -> list[dict[str, Any]]:
    """Fault rules for every writing request; searches by POST are none."""
    path = r"/(issue|issueLink)(/\d+(/(comment|attachments|transitions|remotelink|properties/\w+))?)?$"
    silence = {"seconds": 0.2} if kind == "stall" else {}
    return [{"kind": kind, "method": method, "path": path, "times": times, **silence} for method in ("POST", "PUT")]


def effects(desk: Desk, ref: RecordRef) -> dict[str, int]:
    """What is there now, counted."""
    issue = desk.seen(ref)
    return {
        "create": len(desk.labelled()),
        "update": int(issue.fields.customfield_10020 == "31 %"),
        "note": len(desk.claudia.comments(ref.id)),
        "attach": len(issue.fields.attachment),
        "task": len(issue.fields.subtasks),
        "link": len(issue.fields.issuelinks),
    }


def issues(desk: Desk) -> int:
    """How many issues the improvement project has, whatever the index shows."""
    return sum(count for kind, count in desk.running.stats(desk.flavour).items() if kind.startswith("CIP "))


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "html_page"])
def test_one_fault_is_one_request_and_no_library_repeats_it(desk: Desk, verb: str, kind: str) -> None:
    write, ref = prepared(desk, verb)
    desk.faults(*writes(desk, kind, times=None))
    with pytest.raises(ConnectionFailed, match="unknown"):
        desk.connector.write(write, ref)
    arrived = desk.running.control(desk.flavour, "GET", "faults")
    assert sum(rule["hits"] for rule in arrived) == 1


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "cut_body", "unavailable", "rate_limit", "stall"])
def test_a_write_tried_again_takes_effect_once(desk: Desk, verb: str, kind: str) -> None:
    write, ref = prepared(desk, verb)
    desk.faults(*writes(desk, kind))
    for _ in range(4):
        try:
            receipt = desk.connector.write(write, ref)
        except ConnectionFailed:
            continue
        break
    desk.faults()
    assert desk.connector.write(write, ref).was_found
    assert effects(desk, receipt.ref)[verb] == 1
    assert receipt.differences == {}


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
@pytest.mark.parametrize("verb", ["create", "task"])
def test_an_index_that_lags_behind_does_not_make_a_second_record(desk: Desk, verb: str, kind: str) -> None:
    write, ref = prepared(desk, verb)
    before = issues(desk)
    desk.running.set_options(desk.flavour, index_lag=FOR_EVER)
    desk.faults(*writes(desk, kind))
    with pytest.raises(ConnectionFailed):
        desk.connector.write(write, ref)
    desk.faults()
    receipt = desk.connector.write(write, ref)
    assert receipt.was_found is (kind == "reset_after")
    assert desk.connector.write(write, ref).was_found
    assert desk.connector.write(write, ref).ref == receipt.ref
    assert issues(desk) == before + 1


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "create"])
def test_one_answer_to_nobody_buries_nothing(desk: Desk, verb: str) -> None:
    """As a node of a cluster gives it that does not know our session: to nobody the issue is not there."""
    write, ref = prepared(desk, verb)
    desk.faults({"kind": "anonymous", "path": r"/issue/\d+$", "method": "GET"})
    with pytest.raises(ConnectionFailed):
        desk.connector.write(write, ref)
    desk.faults()
    assert effects(desk, desk.connector.write(write, ref).ref)[verb] == 1


def test_nor_does_it_take_linking_away(desk: Desk) -> None:
    write, ref = prepared(desk, "link")
    desk.faults({"kind": "refuse", "status": 404, "path": "/issueLinkType$", "method": "GET"})
    assert effects(desk, desk.connector.write(write, ref).ref)["link"] == 1


@pytest.mark.parametrize("verb", VERBS)
def test_where_issue_linking_is_switched_off_everything_else_is_written(desk: Desk, verb: str) -> None:
    write, ref = prepared(desk, verb)
    off: dict[str, Any] = {"kind": "refuse", "times": None}
    desk.faults({**off, "status": 403, "path": "/remotelink$"}, {**off, "status": 404, "path": "/issueLinkType$"})
    receipt = desk.connector.write(write, ref)
    expected = {"create": {"url"}, "update": {"url"}, "link": {"triggers"}}
    assert (set(receipt.unwritten), receipt.differences) == (expected.get(verb, set()), {})
    desk.faults()
    assert effects(desk, receipt.ref)[verb] == (0 if verb == "link" else 1)


@pytest.mark.parametrize("flavour", ["jira_dc"], indirect=True)
@pytest.mark.parametrize("verb", VERBS)
def test_one_answer_to_nobody_refuses_no_write(desk: Desk, verb: str) -> None:
    """Data Center says to whom it answers; of Cloud's refusals it is not known."""
    write, ref = prepared(desk, verb)
    desk.faults(*writes(desk, "anonymous"))
    with pytest.raises(ConnectionFailed):
        desk.connector.write(write, ref)
    desk.faults()
    assert effects(desk, desk.connector.write(write, ref).ref)[verb] == 1


def test_nor_makes_it_of_a_new_issue_one_that_is_hidden_from_us(desk: Desk) -> None:
    before = issues(desk)
    desk.faults({"kind": "anonymous", "path": r"/issue/\d+$", "method": "GET"})
    if desk.flavour == "jira_dc":  # it says to whom it answers
        with pytest.raises(OutcomeUnknown):
            desk.create()
    receipt = desk.create()
    assert (receipt.differences, receipt.unwritten, issues(desk)) == ({}, {}, before + 1)


@pytest.mark.parametrize("verb", ["create", "task"])
def test_what_is_made_and_hidden_from_us_is_known_by_the_answer_and_told(desk: Desk, verb: str) -> None:
    write, ref = prepared(desk, verb)
    before = issues(desk)
    desk.running.set_options(desk.flavour, index_lag=FOR_EVER)
    parent = rf"(?!{ref.id}|{ref.number})" if ref is not None else ""
    hidden = {"kind": "refuse", "status": 404, "method": "GET", "path": rf"/issue/{parent}[A-Z]*-?\d+$", "times": None}
    desk.faults(hidden)
    receipt = desk.connector.write(write, ref)
    desk.faults()
    assert issues(desk) == before + 1
    (told,) = receipt.differences.values()
    assert "hidden from us" in told
    assert (receipt.status, receipt.ref.id) == (201, ref.id if ref is not None else desk.seen(receipt.ref).id)


def test_success_and_an_error_is_no_success(desk: Desk) -> None:
    """What was refused is answered so: nothing took effect, and nothing is told as written."""
    ref = desk.create().ref
    desk.faults({"kind": "error_in_200", "method": "PUT", "path": r"/issue/\d+$"})
    with pytest.raises(OutcomeUnknown, match="success and an error"):
        desk.update(ref, owner="nobody.there", description="Of today")
    desk.faults()
    desk.update(ref, description="Of today")
    assert desk.seen(ref).fields.description.startswith("Of today")


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_looked_for_is_not_taken_for_absent_where_the_answer_carries_an_error(desk: Desk, verb: str) -> None:
    write, ref = prepared(desk, verb)
    desk.faults(*writes(desk, "reset_after"))
    with pytest.raises(OutcomeUnknown):
        desk.connector.write(write, ref)
    before = issues(desk)
    looks = [(r"/search", None), (r"/issue/[^/]+$", "GET"), ("/remotelink$", "GET"), ("/issueLinkType$", "GET")]
    desk.faults(*({"kind": "error_in_200", "path": path, "method": method} for path, method in looks))
    receipt = desk.connector.write(told(write, 3600.0), ref)
    assert (issues(desk), effects(desk, receipt.ref)[verb]) == (before, 1)
    assert receipt.unwritten.keys() <= {"state", "url"}


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/transitions$", {"state": "doing"}),
        ("/editmeta$", {"description": "Of today"}),
        ("/issueLinkType$", None),
    ],
)
def test_nor_is_what_jira_offers_taken_for_nothing(desk: Desk, path: str, fields: dict[str, Any] | None) -> None:
    ref = desk.create().ref
    ticket = desk.claudia.search_issues("project = OPS", maxResults=1)[0].id
    desk.faults({"kind": "error_in_200", "path": path})
    if fields is None:
        receipt = desk.connector.write(desk.outbound(Verb.LINK, "triggers", trigger_ids=(ticket,)), ref)
    else:
        receipt = desk.update(ref, **fields)
    assert (receipt.unwritten, receipt.status > 0) == ({}, True)
    assert desk.claudia.comments(ref.id) == []


@pytest.mark.parametrize("path", ["/myself$", "/serverInfo$", "/issuetypes$", r"/issuetypes/\d+$", "/project/CIP$"])
def test_nor_is_the_jira_itself_taken_for_another(desk: Desk, path: str) -> None:
    fresh = desk.connect()
    desk.faults({"kind": "error_in_200", "path": path})
    assert fresh.write(desk.creation, None).status == 201


def test_an_issue_that_was_moved_before_it_was_known_is_found_where_it_is(desk: Desk) -> None:
    desk.faults(*writes(desk, "reset_after"))
    with pytest.raises(OutcomeUnknown):
        desk.create()
    desk.faults()
    (key,) = desk.labelled()
    desk.running.happen(desk.flavour, kind="move", keys=[key])
    for number in range(finding.LOOK_BACK + 5):
        task = {"project": {"key": "CIP"}, "issuetype": {"name": "Task"}, "summary": f"after {number}"}
        desk.claudia.create_issue(fields=task)
    before = issues(desk)
    receipt = desk.connector.write(told(desk.creation, 3600.0), None)
    assert (receipt.was_found, issues(desk)) == (True, before)
    assert not receipt.ref.number.startswith("CIP-")


def test_a_label_of_a_version_before_is_looked_for_in_the_improvement_project_only() -> None:
    labels = ("rk-k7m2qd4x-act-7", "rk-act-7")
    assert finding.labelled_in("CIP", labels) == (
        'labels = "rk-k7m2qd4x-act-7" OR project = "CIP" AND labels = "rk-act-7"'
    )


@pytest.mark.parametrize("before", [0, 1, 30])
def test_an_issue_the_index_leaves_out_before_others_is_found(desk: Desk, before: int) -> None:
    """Others were created after ours and are shown already; ours may be the first of its project."""
    for number in range(before):
        task = {"project": {"key": "CIP"}, "issuetype": {"name": "Task"}, "summary": f"before {number}"}
        desk.claudia.create_issue(fields=task)
    desk.running.set_options(desk.flavour, index_lag=FOR_EVER)
    ours = desk.create().ref
    desk.running.set_options(desk.flavour, index_lag=0)
    for number in range(3):
        task = {"project": {"key": "CIP"}, "issuetype": {"name": "Task"}, "summary": f"other {number}"}
        desk.claudia.create_issue(fields=task)
    again = desk.create()
    assert (again.was_found, again.ref.id) == (True, ours.id)


LONG_AGO = 86_400.0


def told(write: Outbound, unanswered_s: float) -> Outbound:
    """The same write as the outbox hands it over after an attempt that nobody answered."""
    return msgspec.structs.replace(write, unanswered_s=unanswered_s)


@pytest.mark.parametrize("verb", ["create", "note", "attach", "task"])
def test_what_was_sent_just_now_and_is_not_found_may_still_come(desk: Desk, verb: str) -> None:
    write, ref = prepared(desk, verb)
    desk.faults(*writes(desk, "reset_before"))
    with pytest.raises(OutcomeUnknown):
        desk.connector.write(write, ref)
    desk.faults()
    before = issues(desk)
    with pytest.raises(StillUnknown):
        desk.connector.write(told(write, 30.0), ref)
    assert issues(desk) == before
    if verb != "create" or desk.flavour == "jira_cloud":
        receipt = desk.connector.write(told(write, doubt.SETTLED_S), ref)
        assert (receipt.was_found, effects(desk, receipt.ref)[verb]) == (False, 1)


def test_an_issue_that_was_made_before_its_reading_failed_is_in_doubt_too(desk: Desk) -> None:
    write, _ = prepared(desk, "create")
    path = r"/issue/\d+$"
    desk.faults({"kind": "refuse", "status": 400, "method": "GET", "path": path, "times": None})
    with pytest.raises(OutcomeUnknown, match="was not completed"):
        desk.connector.write(write, None)
    desk.faults()
    assert desk.connector.write(told(write, 1.0), None).was_found


def test_a_write_that_we_may_not_make_is_refused_for_good(desk: Desk) -> None:
    write, ref = prepared(desk, "note")
    no_right = {"kind": "refuse", "status": 403, "message": "You may not comment.", "path": "/comment$", "times": None}
    desk.faults({**no_right, "method": "POST"})
    with pytest.raises(WriteRefused, match="You may not comment"):
        desk.connector.write(write, ref)
    desk.faults({**no_right, "method": "POST"}, {"kind": "anonymous", "path": "/myself", "times": None})
    with pytest.raises(CredentialsRefused):
        desk.connector.write(write, ref)
    desk.faults({"kind": "captcha", "method": "POST", "path": "/comment$"})
    with pytest.raises(CredentialsRefused, match="CAPTCHA"):
        desk.connector.write(write, ref)
    desk.faults()
    assert not desk.connector.write(write, ref).was_found


@pytest.mark.parametrize("names_callers", [True, False])
@pytest.mark.parametrize("verb", VERBS)
def test_a_token_that_expires_between_two_writes_is_told_and_nothing_is_refused_for_good(
    desk: Desk, verb: str, names_callers: bool
) -> None:
    desk.running.set_options(desk.flavour, names_callers=names_callers)
    try:
        write, ref = prepared(desk, verb)
        desk.faults({"kind": "anonymous", "times": None})
        with pytest.raises(CredentialsRefused):
            desk.connector.write(write, ref)
        desk.faults()
        receipt = desk.connector.write(write, ref)
        assert (receipt.was_found, effects(desk, receipt.ref)[verb]) == (False, 1)
    finally:
        desk.running.set_options(desk.flavour, names_callers=True)


def test_nor_is_a_link_or_a_move_where_it_expires_while_they_are_made(desk: Desk) -> None:
    write, ref = prepared(desk, "link")
    nobody: dict[str, Any] = {"kind": "anonymous", "times": None}
    desk.faults({**nobody, "method": "POST"}, {**nobody, "path": "/myself$"})
    with pytest.raises(CredentialsRefused):
        desk.connector.write(write, ref)
    with pytest.raises(ConnectionFailed, match=r"anonymous|refused the credentials"):
        desk.connector.write(desk.outbound(Verb.UPDATE, "update", fields={**desk.fields, "state": "doing"}), ref)
    desk.faults()
    assert not desk.connector.write(write, ref).was_found


def test_deleted_issues_leave_gaps_that_cost_little(desk: Desk) -> None:
    for _ in range(3):
        task = {"project": {"key": "CIP"}, "issuetype": {"name": "Task"}, "summary": "short-lived"}
        desk.claudia.create_issue(fields=task).delete()
    assert desk.connector.project.key == "CIP"
    before = desk.connector.reader.requests
    assert finding.find_labelled(desk.connector, ["rk-nowhere"]) is None
    assert desk.connector.reader.requests - before <= 2 + finding.LOOK_BACK + finding.LOOK_AHEAD
    assert desk.create().ref.id == desk.create().ref.id


def test_a_creation_interrupted_before_its_property_is_completed_by_the_next_attempt(desk: Desk) -> None:
    desk.faults({"kind": "reset_before", "method": "PUT", "path": "/properties/", "times": 1})
    receipt = desk.create()
    assert "will follow" in receipt.unwritten["url"]
    assert "regelkreis" not in desk.seen(receipt.ref).raw.get("properties", {})
    assert desk.create().ref == receipt.ref
    issue = desk.seen(receipt.ref)
    assert issue.raw["properties"]["regelkreis"]["id"] == desk.action
    assert len(desk.claudia.remote_links(issue)) == 1


@pytest.mark.parametrize("fault", ["unavailable", "rate_limit", "reset_before"])
def test_what_we_wrote_and_did_not_get_to_note_is_no_persons(desk: Desk, fault: str) -> None:
    ref = desk.create().ref
    desk.faults({"kind": fault, "method": "PUT", "path": "/properties/", "seconds": 0})
    with pytest.raises(ConnectionFailed):
        desk.update(ref, baseline="31 %", description="SLA breach rate 31 %")
    receipt = desk.update(ref, baseline="29 %", description="SLA breach rate 29 %")
    assert receipt.unwritten == {}
    issue = desk.seen(ref)
    assert (issue.fields.customfield_10020, issue.fields.description[:20]) == ("29 %", "SLA breach rate 29 %")
    desk.claudia.issue(ref.id).update(fields={"customfield_10020": "99 %"})
    assert desk.update(ref, baseline="27 %").unwritten["baseline"] == "changed on Jira by a person; theirs counts"


def test_nor_is_the_due_date_of_a_new_issue_whose_property_could_not_be_set(desk: Desk) -> None:
    desk.faults({"kind": "unavailable", "method": "PUT", "path": "/properties/", "seconds": 0})
    ref = desk.create().ref
    receipt = desk.update(ref, due="2024-09-09")
    assert (receipt.unwritten, desk.seen(ref).fields.duedate) == ({}, "2024-09-09")
    desk.claudia.issue(ref.id).update(fields={"duedate": "2024-12-24"})
    assert desk.update(ref, due="2024-10-10").unwritten == {"due": "changed on Jira by a person; theirs counts"}


def test_nor_is_a_move_that_we_did_not_get_to_note(desk: Desk) -> None:
    ref = desk.create().ref
    desk.faults({"kind": "unavailable", "method": "PUT", "path": "/properties/", "seconds": 0, "after": 1})
    with pytest.raises(ConnectionFailed):
        desk.update(ref, state="doing")
    assert desk.seen(ref).fields.status.name == "In Progress"
    receipt = desk.update(ref, state="closed", verdict="improved")
    assert (receipt.unwritten, desk.seen(ref).fields.status.name) == ({}, "Done")
    assert "about" not in desk.seen(ref).raw["properties"]["regelkreis"]


def test_unless_a_person_moved_the_issue_there_since(desk: Desk) -> None:
    ref = desk.create().ref
    desk.faults({"kind": "unavailable", "method": "PUT", "path": "/properties/", "seconds": 0, "after": 1})
    with pytest.raises(ConnectionFailed):
        desk.update(ref, state="doing")
    for way in ("Put on hold", "Start work"):
        desk.move(ref, way)
    assert desk.seen(ref).fields.status.name == "In Progress"
    receipt = desk.update(ref, state="closed", verdict="improved")
    assert receipt.unwritten == {"state": "a person moved the issue to In Progress; it stays there"}
    assert desk.seen(ref).fields.status.name == "In Progress"


def test_a_data_center_is_never_sent_a_creation_twice_and_says_where_to_look(desk: Desk) -> None:
    """Others were created and indexed since, so many that ours is beyond the keys that are read. Jira Cloud, whose
    index lags by seconds, is sent it again: what remains of the risk there.
    """
    write, _ = prepared(desk, "create")
    desk.running.set_options(desk.flavour, index_lag=FOR_EVER)
    desk.faults(*writes(desk, "reset_after"))
    with pytest.raises(OutcomeUnknown):
        desk.connector.write(write, None)
    desk.faults()
    desk.running.set_options(desk.flavour, index_lag=0)
    task = {"project": {"key": "CIP"}, "issuetype": {"name": "Task"}, "summary": "other"}
    others = [desk.claudia.create_issue(fields=task) for _ in range(finding.LOOK_BACK + 2)]
    before = issues(desk)
    if desk.flavour == "jira_cloud":
        assert not desk.connector.write(told(write, LONG_AGO), None).was_found
        return
    with pytest.raises(StillUnknown, match=f'labels = "{desk.label}"') as caught:
        desk.connector.write(told(write, LONG_AGO), None)
    assert f"replay {desk.action}/create" in caught.value.mend
    assert issues(desk) == before
    for other in others[-3:]:
        other.delete()
    assert desk.connector.write(told(write, LONG_AGO), None).was_found
