"""An instance ignores conditions it does not understand: what it answers is proved before it is taken for ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import responses

from connectors.config import ConnectionConfig
from connectors.servicenow.records import CIM
from connectors.servicenow.tables import Instance
from connectors.servicenow.traces import Traces
from improvement.records import Outbound, OutboundFile, Verb

URL = "https://acme.service-now.com"
FOREIGN: dict[str, Any] = {
    "sys_id": "f" * 32,
    "number": "CIM0000001",
    "correlation_id": "of-another-tool",
    "element_id": "e" * 32,
    "value": "somebody else's note",
    "table_sys_id": "e" * 32,
    "file_name": "holiday.jpg",
    "cim_register": "e" * 32,
    "source_id": "a" * 32,
}
RECORD = "c" * 32
OTHER = "d" * 32
FILE = OutboundFile(name="review-abc123.json", media_type="application/json", content=b"{}")


def outbound(verb: Verb, name: str, *, may_stand_unnamed: bool = False) -> Outbound:
    """A write of ours; ``may_stand_unnamed``: one that a version whose traces named no installation may have begun."""
    return Outbound(
        verb=verb,
        key=f"ACT-7/{name}",
        action_id="ACT-7",
        installation="k7m2qd4x",
        may_stand_unnamed=may_stand_unnamed,
    )


@contextmanager
def answering(row: dict[str, Any]) -> Iterator[Traces]:
    """An instance that answers every query with the same row, and counts nothing."""
    config = ConnectionConfig.model_validate(
        {"name": "acme", "platform": "servicenow", "url": URL, "user": "rk", "password": "hunter22"}
    )
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        for table in ("sn_cim_register", "sn_cim_task", "sys_journal_field", "sys_attachment", "sn_cim_inbound_m2m"):
            mocked.get(f"{URL}/api/now/table/{table}", json={"result": [row]}, headers={"X-Total-Count": "1"})
            mocked.get(f"{URL}/api/now/stats/{table}", json={"result": {"stats": {"count": "0"}}})
        yield Traces(Instance(config), CIM)


@pytest.fixture
def traces() -> Iterator[Traces]:
    """What it answers has nothing to do with us."""
    with answering(FOREIGN) as found:
        yield found


@pytest.mark.parametrize("begun_before", [False, True])
def test_a_foreign_row_is_never_taken_for_ours(traces: Traces, begun_before: bool) -> None:
    assert traces.record(outbound(Verb.CREATE, "create", may_stand_unnamed=begun_before)) is None
    assert traces.note(RECORD, outbound(Verb.NOTE, "note/final", may_stand_unnamed=begun_before)) is None
    assert traces.task("sn_cim_task", RECORD, outbound(Verb.TASK, "playbook/1", may_stand_unnamed=begun_before)) is None


def test_no_other_trace_is_taken_from_a_foreign_row(traces: Traces) -> None:
    assert traces.attachment(RECORD, FILE) is None
    assert traces.linked("sn_cim_inbound_m2m", RECORD) == set()
    assert traces.current(RECORD, ["short_description"]) is None


@pytest.mark.parametrize(
    ("trace", "begun_before", "parent", "is_ours"),
    [
        ("rk-k7m2qd4x-ACT-7/playbook/1", False, RECORD, True),
        ("rk-k7m2qd4x-ACT-7/playbook/1", True, RECORD, True),
        ("rk-k7m2qd4x-ACT-7/playbook/1", False, OTHER, True),  # it names us: somebody put it elsewhere
        ("rk-ACT-7/playbook/1", True, RECORD, True),
        ("rk-ACT-7/playbook/1", True, OTHER, False),  # below the record of another installation
        ("rk-ACT-7/playbook/1", False, RECORD, False),
        ("rk-abcdefgh-ACT-7/playbook/1", True, RECORD, False),
    ],
)
def test_a_task_without_a_name_is_ours_below_our_record_only(
    trace: str, begun_before: bool, parent: str, is_ours: bool
) -> None:
    task = outbound(Verb.TASK, "playbook/1", may_stand_unnamed=begun_before)
    with answering({**FOREIGN, "correlation_id": trace, CIM.task_parent: parent}) as traces:
        assert (traces.task("sn_cim_task", RECORD, task) is not None) is is_ours


@pytest.mark.parametrize(
    ("last_line", "begun_before", "record", "is_ours"),
    [
        ("[rk k7m2qd4x/ACT-7/note/final]", False, RECORD, True),
        ("[rk ACT-7/note/final]", True, RECORD, True),
        ("[rk ACT-7/note/final]", False, RECORD, False),
        ("[rk ACT-7/note/final]", True, OTHER, False),
        ("[rk abcdefgh/ACT-7/note/final]", True, RECORD, False),
    ],
)
def test_a_note_is_ours_by_its_last_line_and_its_record(
    last_line: str, begun_before: bool, record: str, is_ours: bool
) -> None:
    note = outbound(Verb.NOTE, "note/final", may_stand_unnamed=begun_before)
    with answering({**FOREIGN, "element_id": record, "value": f"Improved.\n{last_line}"}) as traces:
        assert (traces.note(RECORD, note) is not None) is is_ours


@pytest.mark.parametrize(
    ("trace", "begun_before", "is_ours"),
    [
        ("rk-k7m2qd4x-ACT-7", False, True),
        ("rk-ACT-7", True, True),
        ("rk-ACT-7", False, False),
        ("rk-ACT-70", True, False),
        ("rk-abcdefgh-ACT-7", True, False),
    ],
)
def test_a_record_is_ours_by_its_correlation_id(trace: str, begun_before: bool, is_ours: bool) -> None:
    create = outbound(Verb.CREATE, "create", may_stand_unnamed=begun_before)
    with answering({**FOREIGN, "correlation_id": trace}) as traces:
        assert (traces.record(create) is not None) is is_ours
