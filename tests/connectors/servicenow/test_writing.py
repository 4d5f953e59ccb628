"""Writing back: one record however often we try, what was really taken, and refusals that say why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.sandbox.testing import RunningSandbox
from connectors.servicenow.records import CIM
from connectors.servicenow.sending import Sent, explain
from connectors.servicenow.writing import same
from improvement.errors import ConnectionFailed, OutcomeUnknown, WriteRefused
from improvement.records import Outbound, OutboundFile, RecordRef, Verb

from .an_action import CREATE, FIELDS, FILE, NOTE, OURS, TRACE, outbound
from .conftest import Connect, Person, a_ticket, a_world

Serve = Callable[..., RunningSandbox]


@pytest.fixture
def running(serve: Serve) -> RunningSandbox:
    return serve(a_world(a_ticket(1), a_ticket(2), a_ticket(3, kind="problem", slas=[], survey=None)))


def test_a_record_is_created_in_new_with_every_column_that_resolves(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    receipt = connect(running).write(CREATE, None)
    (row,) = admin.find("sn_cim_register", f"number={receipt.ref.number}")
    assert (receipt.status, receipt.was_found, receipt.ref.mode) == (201, False, "cim")
    assert row["state"] == "1"  # New: never written
    assert row["correlation_id"] == TRACE
    assert row["short_description"] == FIELDS["title"]
    assert row["business_justification"] == FIELDS["hypothesis"]
    assert (row["base_value"], row["target_value"]) == ("24.3", "17")
    assert row["success_measurement_method"] == "manual"
    assert row["due_date"].startswith("2025-09-01")
    assert (row["planned_start_date"], row["planned_end_date"]) == ("2025-06-09", "2025-06-30")
    assert row["coordinator"] == admin.find("sys_user", "user_name=olga.owner")[0]["sys_id"]
    assert receipt.differences == {}
    assert set(receipt.unwritten) == {"state", "url"}
    assert receipt.written["base_value"] == "24.3"
    assert receipt.ref.url.startswith(running.servicenow_url)


def test_a_second_create_finds_the_first(running: RunningSandbox, connect: Connect, admin: Person) -> None:
    first = connect(running).write(CREATE, None)
    second = connect(running).write(CREATE, None)
    assert second.was_found
    assert second.status == 0
    assert second.ref == first.ref
    assert len(admin.find("sn_cim_register", f"correlation_id={TRACE}")) == 1


@pytest.mark.parametrize("fault", ["reset_after", "cut_body", "error_in_200"])
@pytest.mark.parametrize("verb", ["create", "note", "attach", "task", "link"])
def test_a_write_whose_answer_was_lost_is_found_and_not_repeated(
    running: RunningSandbox, connect: Connect, admin: Person, fault: str, verb: str
) -> None:
    connector = connect(running)
    ref = None if verb == "create" else connector.write(CREATE, None).ref
    ticket = admin.find("incident", "")[0]["sys_id"]
    write = {
        "create": CREATE,
        "note": NOTE,
        "attach": outbound(Verb.ATTACH, "attach/final", file=FILE),
        "task": outbound(Verb.TASK, "task/1", fields={"title": "Hire", "due": "2025-07-01"}),
        "link": outbound(Verb.LINK, "triggers", trigger_ids=(ticket,)),
    }[verb]
    method = "PATCH" if verb == "note" else "POST"
    running.set_faults("servicenow", {"kind": fault, "method": method, "times": 1})
    with pytest.raises(ConnectionFailed):
        connector.write(write, ref)
    again = connector.write(write, ref)
    assert again.was_found
    (record,) = admin.find("sn_cim_register", "")
    for table, query in (
        ("sys_journal_field", f"element_id={record['sys_id']}"),
        ("sys_attachment", f"table_sys_id={record['sys_id']}"),
        ("sn_cim_task", f"cim_register={record['sys_id']}"),
        ("sn_cim_inbound_m2m", f"cim_register={record['sys_id']}"),
    ):
        assert len(admin.find(table, query)) <= 1


READ_ONLY = {"sn_cim_register": ["description"], "sn_cim_task": ["short_description"]}


@pytest.mark.parametrize("fault", ["reset_after", "error_after"])
@pytest.mark.parametrize(("verb", "dropped"), [("create", "description"), ("task", "short_description")])
def test_what_the_platform_dropped_is_told_by_the_attempt_that_finds_the_rest(
    running: RunningSandbox, connect: Connect, fault: str, verb: str, dropped: str
) -> None:
    connector = connect(running)
    running.set_options("servicenow", read_only_fields=READ_ONLY)
    ref = None if verb == "create" else connector.write(CREATE, None).ref
    write = CREATE if verb == "create" else outbound(Verb.TASK, "task/1", fields={"title": "Hire", "due": "2025-07-01"})
    running.set_faults("servicenow", {"kind": fault, "method": "POST", "times": 1})
    with pytest.raises(OutcomeUnknown):
        connector.write(write, ref)
    again = connector.write(write, ref)
    assert again.was_found
    assert list(again.differences) == [dropped]
    assert again.written[dropped] == ""


def test_nor_is_what_a_person_did_meanwhile_told_as_a_difference(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    connector = connect(running)
    ref = connector.write(CREATE, None).ref
    admin.change("sn_cim_register", ref.id, short_description="Claudia's words")
    again = connector.write(CREATE, None)
    assert (again.was_found, again.differences) == (True, {})
    assert again.written["short_description"] == "Claudia's words"


def test_a_file_of_which_a_part_arrived_is_told(running: RunningSandbox, connect: Connect) -> None:
    connector = connect(running)
    ref = connector.write(CREATE, None).ref
    half = OutboundFile(name=FILE.name, media_type=FILE.media_type, content=FILE.content[:5])
    connector.write(outbound(Verb.ATTACH, "attach/final", file=half), ref)
    again = connector.write(outbound(Verb.ATTACH, "attach/final", file=FILE), ref)
    assert (again.was_found, list(again.differences)) == (True, ["size_bytes"])


@pytest.mark.parametrize("result", [{}, [], None, {"sys_id": ""}])
def test_a_creation_that_is_answered_without_a_record_is_in_doubt(
    running: RunningSandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch, result: Any
) -> None:
    monkeypatch.setattr("connectors.servicenow.writing.send", lambda *arguments: Sent(201, result))
    with pytest.raises(OutcomeUnknown, match="not with a record"):
        connect(running).write(CREATE, None)


def test_a_write_that_never_arrived_is_sent_again(running: RunningSandbox, connect: Connect) -> None:
    connector = connect(running)
    running.set_faults("servicenow", {"kind": "reset_before", "method": "POST", "times": 1})
    with pytest.raises(ConnectionFailed, match="unknown"):
        connector.write(CREATE, None)
    assert not connector.write(CREATE, None).was_found


def test_one_write_is_one_writing_request(running: RunningSandbox, connect: Connect, admin: Person) -> None:
    connector = connect(running)
    ref = connector.write(CREATE, None).ref
    sent: list[str] = []
    connector._instance.session.hooks["response"].append(
        lambda answer, **options: sent.append(answer.request.method) if answer.request.method != "GET" else None
    )
    tickets = tuple(row["sys_id"] for row in (*admin.find("incident", ""), *admin.find("problem", "")))
    receipt = connector.write(outbound(Verb.LINK, "triggers", trigger_ids=tickets), ref)
    assert sent == ["POST"]
    assert len(receipt.written) == len(tickets) == 3
    links = admin.find("sn_cim_inbound_m2m", f"cim_register={ref.id}")
    assert {(link["source_table"], link["source_id"]) for link in links} == {
        ("problem" if key == tickets[2] else "incident", key) for key in tickets
    }
    assert connector.write(outbound(Verb.LINK, "triggers", trigger_ids=tickets), ref).was_found
    assert sent == ["POST"]


def test_a_note_carries_its_marker_and_is_written_once(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    connector = connect(running)
    ref = connector.write(CREATE, None).ref
    assert connector.write(NOTE, ref).differences == {}
    assert connector.write(NOTE, ref).was_found
    longer = outbound(Verb.NOTE, "note/final-10", text="another")
    assert not connector.write(longer, ref).was_found  # final-1 is no prefix of it
    texts = [row["value"] for row in admin.find("sys_journal_field", f"element_id={ref.id}^ORDERBYsys_created_on")]
    assert len(texts) == 2
    assert f"{NOTE.text}\n[rk {OURS}/ACT-7/note/final-1]" in texts


def test_a_file_is_attached_once_with_its_content(running: RunningSandbox, connect: Connect) -> None:
    connector = connect(running)
    ref = connector.write(CREATE, None).ref
    attach = outbound(Verb.ATTACH, "attach/final", file=FILE)
    receipt = connector.write(attach, ref)
    assert receipt.written == {"file_name": FILE.name, "size_bytes": str(len(FILE.content))}
    assert receipt.differences == {}
    assert connector.write(attach, ref).was_found


def test_an_update_sends_only_what_differs_and_nothing_twice(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    connector = connect(running)
    ref = connector.write(CREATE, None).ref
    update = outbound(Verb.UPDATE, "update/1", fields={**FIELDS, "baseline": "25 %"})
    assert connector.write(update, ref).written == {"base_value": "25"}
    assert connector.write(update, ref).was_found
    assert connector.preview(update, ref) == []


def test_what_a_person_changed_on_the_platform_stays_and_what_we_measured_is_kept_current(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    connector = connect(running)
    ref = connector.write(CREATE, None).ref
    Person(running.servicenow_url, "olga.owner").change(
        "sn_cim_register", ref.id, business_justification="Olga knows better", base_value="99"
    )
    receipt = connector.write(outbound(Verb.UPDATE, "update/1", fields=FIELDS), ref)
    (row,) = admin.find("sn_cim_register", f"sys_id={ref.id}")
    assert row["business_justification"] == "Olga knows better"
    assert row["base_value"] == "24.3"
    assert receipt.unwritten["hypothesis"] == "olga.owner changed it there last"


def test_what_the_platform_drops_or_cuts_stands_in_the_receipt(running: RunningSandbox, connect: Connect) -> None:
    long = outbound(Verb.CREATE, "create", fields={"title": "x" * 300, "owner": "nobody", "baseline": "none"})
    receipt = connect(running).write(long, None)
    assert "short_description" in receipt.differences
    assert "is not known there" in receipt.unwritten["owner"]
    assert "is no number" in receipt.unwritten["baseline"]


def test_a_relative_goal_is_not_written_as_a_target_value(running: RunningSandbox, connect: Connect) -> None:
    receipt = connect(running).write(outbound(Verb.CREATE, "create", fields={"title": "t", "target": "-30%"}), None)
    assert "is a change, not a value" in receipt.unwritten["target"]


def test_an_unknown_choice_names_field_value_and_choices(running: RunningSandbox, connect: Connect) -> None:
    receipt = connect(running).write(outbound(Verb.CREATE, "create", fields={"title": "t", "method": "Dice"}), None)
    said = receipt.unwritten["method"]
    assert "“Dice” is no choice of success_measurement_method" in said
    assert "Manual" in said


def test_what_we_enter_by_ourselves_is_told_too_where_it_has_no_place(serve: Serve, connect: Connect) -> None:
    """How a new record is measured: by hand, which this instance does not offer any more."""
    retired = {"sn_cim_register.success_measurement_method": ("manual", "1", "4")}
    receipt = connect(serve(a_world(a_ticket()), retired_choices=retired)).write(CREATE, None)
    assert "“Manual” is no choice of success_measurement_method" in receipt.unwritten["method"]


def test_an_access_control_refuses_for_good(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()), denied={"regelkreis": ("sn_cim_register:write",)})
    with pytest.raises(WriteRefused, match="An access control forbids the write"):
        connect(running).write(CREATE, None)


@pytest.mark.parametrize(
    ("status", "said", "cause"),
    [
        (403, "ACL Exception Insert Failed due to security constraints", "access control"),
        (403, "Operation against file 'x' was aborted by Business Rule 'No robots^1'. Error: no", "business rule"),
        (403, "Data Policy Exception: The following fields are mandatory: Strategies", "data policy"),
        (404, "No Record found", "gone or hidden"),
        (400, "Invalid", "refused the write with 400"),
    ],
)
def test_the_causes_of_a_refusal_are_told_by_its_text(status: int, said: str, cause: str) -> None:
    assert cause in explain(status, said)[0]


def test_a_dry_run_shows_the_request_and_sends_nothing(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    connector = connect(running)
    (request,) = connector.preview(CREATE, None)
    assert request.method == "POST"
    assert request.url == f"{running.servicenow_url}/api/now/table/sn_cim_register"
    assert f'"correlation_id": "{TRACE}"' in request.body
    assert "sandbox" not in request.body
    assert connector.preview(NOTE, None)[0].method == "PATCH"
    assert admin.find("sn_cim_register", "") == []


def test_a_record_that_is_gone_is_said_to_be_gone(running: RunningSandbox, connect: Connect) -> None:
    ref = RecordRef(connection="sn", mode="cim", id="0" * 32, number="CIM0009999", url="")
    with pytest.raises(WriteRefused, match="CIM0009999 is gone or hidden"):
        connect(running).write(outbound(Verb.UPDATE, "update/1", fields=FIELDS), ref)
    with pytest.raises(WriteRefused, match="gone or hidden"):
        connect(running).write(NOTE, ref)


def test_without_the_plugin_the_fallback_is_used_and_says_what_it_cannot_carry(serve: Serve, connect: Connect) -> None:
    connector = connect(serve(a_world(a_ticket()), cim=False))
    receipt = connector.write(CREATE, None)
    assert receipt.ref.mode == "problem"
    assert receipt.written["short_description"] == FIELDS["title"]
    assert {"baseline", "target", "hypothesis"} <= set(receipt.unwritten)
    assert connector.write(NOTE, receipt.ref).differences == {}
    linked = connector.write(outbound(Verb.LINK, "triggers", trigger_ids=("1" * 32,)), receipt.ref)
    assert "no place for links" in linked.unwritten["triggers"]


def test_a_custom_table_carries_every_field_it_has_a_column_for(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()), cim=False, custom_table=True)
    connector = connect(running, custom_table="u_improvement_action")
    receipt = connector.write(CREATE, None)
    assert receipt.ref.mode == "custom"
    assert receipt.written["u_hypothesis"] == FIELDS["hypothesis"]
    assert receipt.written["u_state"] == "proposed"
    assert receipt.written["u_baseline"] == "24.3"


def test_a_reader_has_no_mode_to_write_in(serve: Serve, connect: Connect) -> None:
    tables = ("sn_cim_register", "problem", "task")
    running = serve(a_world(a_ticket()), denied={"regelkreis": tables})
    with pytest.raises(WriteRefused, match="No write-back mode is available"):
        connect(running).write(CREATE, None)


@pytest.mark.parametrize(
    ("sent", "found", "expected"),
    [("24.30", "24.3", True), ("a\r\nb", "a\nb ", True), ("24", "25", False), ("", "x", False)],
)
def test_values_are_compared_apart_from_their_writing(sent: str, found: str, expected: bool) -> None:
    assert same(sent, found) is expected


# --- what the platform hides, ignores or cannot say -------------------------------------------------------------


def test_one_reset_is_one_request(running: RunningSandbox, connect: Connect) -> None:
    """No library repeats a write: the raw transport counts what arrived."""
    connector = connect(running)
    ref = connector.write(CREATE, None).ref
    writes = [
        (outbound(Verb.CREATE, "create", fields=FIELDS), None, "ACT-8"),
        (outbound(Verb.UPDATE, "update/1", fields={**FIELDS, "baseline": "25 %"}), ref, None),
        (NOTE, ref, None),
        (outbound(Verb.ATTACH, "attach/final", file=FILE), ref, None),
        (outbound(Verb.TASK, "task/1", fields={"title": "Hire"}), ref, None),
    ]
    for write, target, action in writes:
        if action is not None:
            write = Outbound(verb=write.verb, key=f"{action}/create", action_id=action, fields=write.fields)
        rules = [{"kind": "reset_before", "method": method, "times": None} for method in ("POST", "PATCH", "PUT")]
        running.set_faults("servicenow", *rules)
        with pytest.raises(ConnectionFailed, match="unknown"):
            connector.write(write, target)
        arrived = running.control("servicenow", "GET", "faults")
        assert sum(rule["hits"] for rule in arrived) == 1, write.verb
        running.set_faults("servicenow")


def test_a_record_that_exists_but_is_hidden_from_us_is_not_made_twice(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()), hidden_rows={"regelkreis": {"sn_cim_register": "correlation_idISNOTEMPTY"}})
    connector = connect(running)
    connector.write(CREATE, None)
    with pytest.raises(WriteRefused, match="holds a record of ACT-7 already, but hides it") as caught:
        connector.write(CREATE, None)
    assert "read the records it creates" in caught.value.mend
    admin = Person(running.servicenow_url, "admin")
    assert len(admin.find("sn_cim_register", f"correlation_id={TRACE}")) == 1


@pytest.mark.parametrize("fault", ["cut_body", "error_in_200"])
def test_nor_is_it_where_the_count_that_tells_comes_cut_or_with_an_error(
    serve: Serve, connect: Connect, fault: str
) -> None:
    running = serve(a_world(a_ticket()), hidden_rows={"regelkreis": {"sn_cim_register": "correlation_idISNOTEMPTY"}})
    connector = connect(running)
    connector.write(CREATE, None)
    running.set_faults("servicenow", {"kind": fault, "path": "/stats/", "times": 2})
    with pytest.raises(WriteRefused, match="holds a record of ACT-7 already, but hides it"):
        connector.write(CREATE, None)
    assert len(Person(running.servicenow_url, "admin").find("sn_cim_register", f"correlation_id={TRACE}")) == 1


@pytest.mark.parametrize(
    ("verb", "table"), [("note", "sys_journal_field"), ("attach", "sys_attachment"), ("task", "sn_cim_task")]
)
def test_what_hangs_on_a_record_and_is_hidden_from_us_is_not_made_twice(
    serve: Serve, connect: Connect, verb: str, table: str
) -> None:
    running = serve(a_world(a_ticket()), hidden_rows={"regelkreis": {table: "sys_idISNOTEMPTY"}})
    admin, connector = Person(running.servicenow_url, "admin"), connect(running)
    ref = connector.write(CREATE, None).ref
    write = {
        "note": NOTE,
        "attach": outbound(Verb.ATTACH, "attach/final", file=FILE),
        "task": outbound(Verb.TASK, "task/1", fields={"title": "Hire"}),
    }[verb]
    receipt = connector.write(write, ref)
    assert all("hides it from us" in told for told in receipt.differences.values())
    assert bool(receipt.differences) is (verb != "task")  # a new task comes with the answer
    with pytest.raises(WriteRefused, match=f"{table} holds the .* already, but hides it from us"):
        connector.write(write, ref)
    hung = {"note": "element_id", "attach": "table_sys_id", "task": CIM.task_parent}[verb]
    assert len(admin.find(table, f"{hung}={ref.id}")) == 1


def test_a_bad_moment_does_not_move_new_records_to_another_table(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    running.set_faults(
        "servicenow", {"kind": "unavailable", "path": "table/sn_cim_register", "times": None, "seconds": 0}
    )
    with pytest.raises(ConnectionFailed, match="answered 503"):
        connect(running, max_attempts=2).write(CREATE, None)
    running.set_faults("servicenow")
    assert admin.find("problem", f"correlation_id={TRACE}") == []
    assert connect(running).write(CREATE, None).ref.mode == "cim"


def test_nor_where_the_table_is_not_audited(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()), unaudited=("sn_cim_register",))
    connector = connect(running)
    ref = connector.write(outbound(Verb.CREATE, "create", fields={"title": "t"}), None).ref
    Person(running.servicenow_url, "admin").change("sn_cim_register", ref.id, description="a person's words")
    receipt = connector.write(outbound(Verb.UPDATE, "update/1", fields=FIELDS), ref)
    assert "sn_cim_register is not audited" in receipt.unwritten["description"]
    assert receipt.written["business_justification"] == FIELDS["hypothesis"]
    (row,) = Person(running.servicenow_url, "admin").find("sn_cim_register", f"sys_id={ref.id}")
    assert row["description"] == "a person's words"
    (told,) = [one for one in connector.describe().findings if one.check == "audit sn_cim_register"]
    assert (told.is_ok, "fields that hold something are not updated" in told.detail) == (False, True)


def test_without_an_audit_only_empty_fields_are_filled(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()), denied={"regelkreis": ("sys_audit",)})
    connector = connect(running)
    ref = connector.write(outbound(Verb.CREATE, "create", fields={"title": "t"}), None).ref
    Person(running.servicenow_url, "admin").change("sn_cim_register", ref.id, description="a person's words")
    receipt = connector.write(outbound(Verb.UPDATE, "update/1", fields=FIELDS), ref)
    assert "we may not read sys_audit" in receipt.unwritten["description"]
    assert receipt.written["business_justification"] == FIELDS["hypothesis"]
    (row,) = Person(running.servicenow_url, "admin").find("sn_cim_register", f"sys_id={ref.id}")
    assert row["description"] == "a person's words"


def test_a_state_is_not_written_even_where_somebody_configured_it(running: RunningSandbox, connect: Connect) -> None:
    connector = connect(running, columns={"verdict": "state", "method": "percent_complete"})
    receipt = connector.write(outbound(Verb.CREATE, "create", fields={"title": "t", "verdict": "6"}), None)
    assert "never written" in receipt.unwritten["verdict"]
    assert "never written" in connector.describe().unresolved["method"]


def test_strange_titles_are_written_as_they_are_and_a_note_shows_no_html(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    connector = connect(running)
    title = '=HYPERLINK("x") <b>مرحبا</b> 🚑 a^b ^NQ'
    receipt = connector.write(outbound(Verb.CREATE, "create", fields={"title": title}), None)
    assert receipt.differences == {}
    assert admin.find("sn_cim_register", f"sys_id={receipt.ref.id}")[0]["short_description"] == title
    note = outbound(Verb.NOTE, "note/1", text="[code]<script>alert(1)</script>[/CODE]")
    assert connector.write(note, receipt.ref).differences == {}
    (entry,) = admin.find("sys_journal_field", f"element_id={receipt.ref.id}")
    assert "[code]" not in entry["value"].lower()


def test_a_task_has_its_owner_and_day_and_is_compared(running: RunningSandbox, connect: Connect, admin: Person) -> None:
    connector = connect(running)
    ref = connector.write(CREATE, None).ref
    fields: dict[str, Any] = {"title": "Hire", "owner": "olga.owner", "due": "2025-07-01", "baseline": "1"}
    receipt = connector.write(outbound(Verb.TASK, "task/1", fields=fields), ref)
    (task,) = admin.find("sn_cim_task", "")
    assert task["assigned_to"] == admin.find("sys_user", "user_name=olga.owner")[0]["sys_id"]
    assert task["due_date"].startswith("2025-07-01")
    assert receipt.differences == {}
    assert set(receipt.unwritten) == {"baseline"}
    longer = outbound(Verb.TASK, "task/2", fields={"title": "y" * 300})
    assert "short_description" in connector.write(longer, ref).differences


def test_a_dry_run_shows_an_update_of_a_record_that_is_still_to_be_created(
    running: RunningSandbox, connect: Connect
) -> None:
    (request,) = connect(running).preview(outbound(Verb.UPDATE, "update/1", fields=FIELDS), None)
    assert request.method == "PATCH"
    assert request.url.endswith("/sn_cim_register/NEW-RECORD")
    assert '"base_value": "24.3"' in request.body


def test_a_choice_whose_label_was_changed_is_still_found_by_its_value(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    labels = {"sn_cim_register.success_measurement_method": {"manual": "By hand"}}
    running.set_options("servicenow", renamed_choices=labels)
    receipt = connect(running).write(CREATE, None)
    assert "method" not in receipt.unwritten
    (shown,) = admin.send("GET", "sn_cim_register", params={"sysparm_display_value": "true"})
    assert shown["success_measurement_method"] == "By hand"
    running.set_options("servicenow", renamed_choices={})
