"""Rows and fields that a right hides from us: what a pull reads all the same, and what it tells."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors.sandbox.testing import RunningSandbox
from improvement.errors import ConnectionFailed, PermissionMissing
from improvement.records import RecordKind

from .conftest import Connect, a_ticket, a_world, hour_by_hour, pulled

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


@pytest.mark.parametrize("hidden", ["incident.sys_id", "incident.sys_updated_on", "core_company.sys_id"])
def test_without_the_keys_of_a_table_its_records_are_not_read_and_the_right_is_named(
    serve: Serve, connect: Connect, hidden: str
) -> None:
    running = serve(a_world(a_ticket()), denied={"regelkreis": (hidden,)})
    with pytest.raises(ConnectionFailed, match=hidden.partition(".")[0]) as raised:
        pulled(connect(running), TICKET)
    assert hidden.partition(".")[2] in raised.value.what
    assert "Let the integration user read" in raised.value.mend or "Give the integration user" in raised.value.mend
