"""An instance ignores conditions it does not understand: what it answers is proved before it is taken for ours."""

from __future__ import annotations

from collections.abc import Iterator
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
CREATE = Outbound(verb=Verb.CREATE, key="ACT-7/create", action_id="ACT-7", installation="k7m2qd4x")
FILE = OutboundFile(name="review-abc123.json", media_type="application/json", content=b"{}")


@pytest.fixture
def traces() -> Iterator[Traces]:
    """An instance that answers every query with the same foreign row, and counts nothing."""
    config = ConnectionConfig.model_validate(
        {"name": "acme", "platform": "servicenow", "url": URL, "user": "rk", "password": "hunter22"}
    )
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        for table in ("sn_cim_register", "sn_cim_task", "sys_journal_field", "sys_attachment", "sn_cim_inbound_m2m"):
            mocked.get(f"{URL}/api/now/table/{table}", json={"result": [FOREIGN]})
        mocked.get(f"{URL}/api/now/stats/sn_cim_register", json={"result": {"stats": {"count": "0"}}})
        yield Traces(Instance(config), CIM)


def test_a_foreign_row_is_never_taken_for_ours(traces: Traces) -> None:
    assert traces.record(CREATE) is None
    assert traces.note(RECORD, CREATE) is None
    assert traces.attachment(RECORD, FILE) is None
    assert traces.task("sn_cim_task", RECORD, CREATE) is None
    assert traces.linked("sn_cim_inbound_m2m", RECORD) == set()
    assert traces.current(RECORD, ["short_description"]) is None
