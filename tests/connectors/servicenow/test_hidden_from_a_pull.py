"""Rows and fields that a right hides from us: what a pull reads all the same, and what it tells."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from connectors.sandbox.testing import RunningSandbox
from connectors.sandbox.world import WorldSurvey
from improvement.errors import ConnectionFailed, CredentialsRefused, PermissionMissing
from improvement.records import RecordKind

from .conftest import END, HOUR, START, Connect, Person, a_ticket, a_world, hour_by_hour, pulled

Serve = Callable[..., RunningSandbox]
TICKET, SLA, SURVEY = RecordKind.TICKET, RecordKind.SLA, RecordKind.SURVEY


def test_hidden_rows_neither_end_the_pull_nor_show(connect: Connect, serve: Callable[..., RunningSandbox]) -> None:
    """The reader must not see incidents of priority 1: pages become short, and where seven follow each other, empty."""
    running = serve(a_world(*(a_ticket(uid, priority=1 if uid % 20 > 12 else 2) for uid in range(1, 101))))
    full = pulled(connect(running, user="admin"), TICKET)
    found = pulled(connect(running, user="reader", page_size=3), TICKET)
    assert len(full.ids) == 100
    assert set(found.ids) == {row["id"] for row in full.rows if row["priority"] == 2}
    assert 0 < len(found.ids) < 100


def test_hidden_rows_that_change_while_paging_take_no_visible_one_along(serve: Serve, connect: Connect) -> None:
    running = serve(hour_by_hour(80, of_priority_1=30), hidden_rows={"regelkreis": {"incident": "priority=1"}})
    visible = set(pulled(connect(running), TICKET).ids)
    assert len(visible) == 50
    running.set_faults(
        "servicenow", {"kind": "changing", "path": "/table/incident", "after": 0, "times": 4, "records": 6}
    )
    assert set(pulled(connect(running, page_size=10), TICKET).ids) == visible


def test_fields_that_a_right_on_them_hides_are_told_with_the_page(serve: Serve, connect: Connect) -> None:
    denied = {"regelkreis": ("incident.priority", "core_company.name")}
    running = serve(a_world(a_ticket(), a_ticket(2, customer="")), denied=denied)
    found = pulled(connect(running), TICKET)
    assert [row["priority"] for row in found.rows] == [None, None]
    notes = {note for page in found.pages for note in page.notes}
    assert [note.split(" leaves ")[1].split(" out ")[0] for note in sorted(notes)] == [
        "core_company.name",
        "incident.priority",
    ]
    running.set_options("servicenow", denied={})
    again = pulled(connect(running), TICKET)
    assert not any(page.notes for page in again.pages)
    assert {row["priority"] for row in again.rows} == {3}


@pytest.mark.parametrize("by_id", [1000, 0])
@pytest.mark.parametrize(
    "hidden", ["asmt_metric_result.instance", "asmt_metric_result.actual_value", "asmt_metric.min"]
)
def test_surveys_whose_answers_are_hidden_are_not_taken_for_unanswered_ones(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, by_id: int, hidden: str
) -> None:
    monkeypatch.setattr("connectors.servicenow.surveys.BY_ID", by_id)
    running = serve(a_world(a_ticket()), denied={"regelkreis": (hidden,)})
    connector = connect(running)
    with pytest.raises(PermissionMissing, match=hidden):
        pulled(connector, SURVEY)
    assert [len(pulled(connector, kind).ids) for kind in (TICKET, SLA)] == [1, 1]
    running.set_options("servicenow", denied={})
    assert [row["score"] for row in pulled(connect(running), SURVEY).rows] == [4.0]


@pytest.mark.parametrize("by_id", [1000, 0])
@pytest.mark.parametrize("table", ["asmt_metric_result", "asmt_metric"])
def test_surveys_whose_answers_are_rows_hidden_from_us_are_not_taken_for_unanswered_ones(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, by_id: int, table: str
) -> None:
    """A right on records takes them out of an answer without a word; the platform's count still tells of them."""
    monkeypatch.setattr("connectors.servicenow.surveys.BY_ID", by_id)
    hidden = {"regelkreis": {table: "sys_idISNOTEMPTY"}}
    running = serve(a_world(*(a_ticket(uid) for uid in range(1, 61))), hidden_rows=hidden)
    with pytest.raises(PermissionMissing, match=f"hides the records of {table} from us, so no survey is read"):
        pulled(connect(running), SURVEY)
    monkeypatch.setattr("connectors.servicenow.surveys.MANY", 61)  # few may be hidden by themselves
    found = pulled(connect(running), SURVEY)
    assert found.ids == []
    assert {(field, reason) for _, field, reason in found.rejected} == {
        ("score", f"its answers are hidden from us ({table})")
    }
    assert len(found.rejected) == 60
    running.set_options("servicenow", hidden_rows={})
    assert {row["score"] for row in pulled(connect(running), SURVEY).rows} == {4.0}


def test_one_survey_whose_answers_are_hidden_is_rejected_and_the_others_are_read(
    serve: Serve, connect: Connect
) -> None:
    running = serve(a_world(*(a_ticket(uid) for uid in range(1, 61))))
    (first, *_) = pulled(connect(running), SURVEY).ids
    running.set_options("servicenow", hidden_rows={"regelkreis": {"asmt_metric_result": f"instance={first}"}})
    found = pulled(connect(running), SURVEY)
    assert found.rejected == [(first, "score", "its answers are hidden from us (asmt_metric_result)")]
    assert len(found.ids) == 59


def test_surveys_whose_answers_were_deleted_are_not_taken_for_hidden_beside_one_that_is(
    serve: Serve, connect: Connect
) -> None:
    running = serve(a_world(*(a_ticket(uid) for uid in range(1, 21))))
    *lost, first = sorted(pulled(connect(running), SURVEY).ids)[:6]
    admin = Person(running.servicenow_url, "admin")
    for answer in admin.find("asmt_metric_result", f"instanceIN{','.join(lost)}"):
        admin.send_away("asmt_metric_result", answer["sys_id"])
    running.set_options("servicenow", hidden_rows={"regelkreis": {"asmt_metric_result": f"instance={first}"}})
    found = pulled(connect(running), SURVEY)
    assert [id for id, _, _ in found.rejected] == [first]
    assert [row["id"] for row in found.rows if row["answered_at"] is None] == lost
    refused = {"kind": "refuse", "path": "/stats/asmt_metric_result", "status": 400, "times": None}
    running.set_faults("servicenow", {**refused, "after": 1})  # counts alone are told, not whose they are
    assert [id for id, _, _ in pulled(connect(running), SURVEY).rejected] == [*lost, first]


@pytest.mark.parametrize("size", [1, 100])
def test_a_survey_with_hidden_answers_is_found_among_however_many_without_answers(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("connectors.servicenow.tables.IDS_PER_QUERY", size)
    running = serve(a_world(*(a_ticket(uid) for uid in range(1, 7))))
    *lost, last = sorted(pulled(connect(running), SURVEY).ids)
    admin = Person(running.servicenow_url, "admin")
    for answer in admin.find("asmt_metric_result", f"instanceIN{','.join(lost)}"):
        admin.send_away("asmt_metric_result", answer["sys_id"])
    running.set_options("servicenow", hidden_rows={"regelkreis": {"asmt_metric_result": f"instance={last}"}})
    assert [id for id, _, _ in pulled(connect(running), SURVEY).rejected] == [last]


def test_metrics_that_are_hidden_are_found_also_after_a_page_whose_metrics_were_deleted(
    serve: Serve, connect: Connect
) -> None:
    late = START + 90 * HOUR
    others = (a_ticket(uid, survey=WorldSurvey(late, late + HOUR, 5)) for uid in range(21, 31))
    running = serve(a_world(*(a_ticket(uid) for uid in range(1, 21)), *others))
    lost = [row["id"] for row in pulled(connect(running), SURVEY).rows if row["score"] == 4]
    admin = Person(running.servicenow_url, "admin")
    gone = admin.create("asmt_metric", name="Speed", min="1", max="5")["sys_id"]
    for answer in admin.find("asmt_metric_result", f"instanceIN{','.join(lost)}"):
        admin.change("asmt_metric_result", answer["sys_id"], metric=gone)
    admin.send_away("asmt_metric", gone)
    running.set_options("servicenow", hidden_rows={"regelkreis": {"asmt_metric": "sys_idISNOTEMPTY"}})
    found = pulled(connect(running, page_size=10), SURVEY)
    assert {row["id"] for row in found.rows} == set(lost)
    assert {reason for _, _, reason in found.rejected} == {"its answers are hidden from us (asmt_metric)"}
    assert len(found.rejected) == 10


@pytest.mark.parametrize("kind", ["server_error", "html_page", "refuse"])
def test_a_count_that_only_a_note_needs_ends_no_pull(serve: Serve, connect: Connect, kind: str) -> None:
    running = serve(a_world(*(a_ticket(uid) for uid in range(1, 4))))
    connector = connect(running, max_attempts=1)
    assert {row["customer"] for row in pulled(connector, TICKET).rows} == {"Acme"}
    admin = Person(running.servicenow_url, "admin")
    for company in admin.find("core_company", ""):
        admin.send_away("core_company", company["sys_id"])
    running.set_faults("servicenow", {"kind": kind, "path": "/stats/core_company", "times": None})
    found = pulled(connector, TICKET, until=END + timedelta(seconds=1))
    assert [row["customer"] for row in found.rows] == [None] * 3
    assert not any(page.notes for page in found.pages)
    faults = {"kind": "refuse", "path": "/stats/core_company", "status": 401, "times": None}
    running.set_faults("servicenow", faults)
    with pytest.raises(CredentialsRefused):
        pulled(connector, TICKET, until=END + timedelta(seconds=2))


def test_however_many_references_point_to_what_was_deleted_one_count_tells_that_nothing_is_hidden(
    serve: Serve, connect: Connect
) -> None:
    running = serve(a_world(*(a_ticket(uid, customer=f"Company {uid}") for uid in range(1, 241))))
    admin = Person(running.servicenow_url, "admin")
    for company in admin.find("core_company", "nameSTARTSWITHCompany"):
        admin.send_away("core_company", company["sys_id"])
    connector = connect(running)
    counts: list[str] = []
    connector._instance.session.hooks["response"].append(
        lambda answer, **_: (
            counts.append(answer.url) if "/stats/core_company" in answer.url and "IN" in answer.url else None
        )
    )
    assert {row["customer"] for row in pulled(connector, TICKET).rows} == {None}
    assert len(counts) == 1


def test_surveys_that_nobody_took_cost_no_question_about_answers(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket(survey=WorldSurvey(START + 90 * HOUR, None, None))))
    connector = connect(running)
    found = pulled(connector, SURVEY)
    assert [row["answered_at"] for row in found.rows] == [None]
    before = connector.traffic()[0]
    assert len(pulled(connector, SURVEY, until=END + timedelta(seconds=1)).rows) == 1
    assert connector.traffic()[0] - before == 1


def test_many_surveys_whose_answers_are_hidden_do_not_keep_those_of_others_from_us(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.servicenow.pull.BATCH_ROWS", 60)
    late = START + 90 * HOUR
    other = a_ticket(61, survey=WorldSurvey(late, late + HOUR, 5))
    hidden = {"regelkreis": {"asmt_metric_result": "actual_value=4"}}
    running = serve(a_world(*(a_ticket(uid) for uid in range(1, 61)), other), hidden_rows=hidden)
    found = pulled(connect(running, page_size=60), SURVEY)
    assert [row["score"] for row in found.rows] == [5.0]
    assert len(found.rejected) == 60


def test_where_counts_are_refused_many_surveys_without_any_answer_are_not_taken_for_unanswered_ones(
    serve: Serve, connect: Connect
) -> None:
    hidden = {"regelkreis": {"asmt_metric_result": "sys_idISNOTEMPTY"}}
    running = serve(a_world(*(a_ticket(uid) for uid in range(1, 61))), hidden_rows=hidden)
    refused = {"kind": "refuse", "path": "/stats/asmt_metric_result", "status": 403, "times": None}
    running.set_faults("servicenow", refused)
    with pytest.raises(PermissionMissing, match="hides the records of asmt_metric_result"):
        pulled(connect(running), SURVEY)


def test_a_survey_that_was_taken_and_has_no_answers_anywhere_is_unanswered(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()))
    admin = Person(running.servicenow_url, "admin")
    for answer in admin.find("asmt_metric_result", ""):
        admin.send_away("asmt_metric_result", answer["sys_id"])
    found = pulled(connect(running), SURVEY)
    assert [(row["score"], row["answered_at"]) for row in found.rows] == [(None, None)]
    assert found.rejected == []


@pytest.mark.parametrize(
    ("table", "kind", "column"),
    [
        ("core_company", TICKET, "customer"),
        ("sys_user_group", TICKET, "assignment_group"),
        ("contract_sla", SLA, "sla_name"),
    ],
)
def test_rows_behind_a_reference_that_are_hidden_are_told_with_the_page_and_by_doctor(
    serve: Serve, connect: Connect, table: str, kind: RecordKind, column: str
) -> None:
    hidden = {"regelkreis": {table: "sys_idISNOTEMPTY"}}
    running = serve(a_world(*(a_ticket(uid) for uid in range(1, 4))), hidden_rows=hidden)
    connector = connect(running)
    found = pulled(connector, kind)
    assert {row[column] for row in found.rows} == {None}
    assert [note for page in found.pages for note in page.notes if f"hides records of {table} from us" in note]
    (told,) = [one for one in connector.describe().findings if one.check == f"permission {table}"]
    assert not told.is_ok
    assert "hidden from us" in told.detail
    running.set_options("servicenow", hidden_rows={})
    again = connect(running)
    assert not any(page.notes for page in pulled(again, kind).pages)
    assert not [one for one in again.describe().findings if one.check == f"permission {table}"]


@pytest.mark.parametrize("hidden", ["incident.sys_id", "incident.sys_updated_on", "core_company.sys_id"])
def test_without_the_keys_of_a_table_its_records_are_not_read_and_the_right_is_named(
    serve: Serve, connect: Connect, hidden: str
) -> None:
    running = serve(a_world(a_ticket()), denied={"regelkreis": (hidden,)})
    with pytest.raises(ConnectionFailed, match=hidden.partition(".")[0]) as raised:
        pulled(connect(running), TICKET)
    assert hidden.partition(".")[2] in raised.value.what
    assert "Let the integration user read" in raised.value.mend or "Give the integration user" in raised.value.mend
