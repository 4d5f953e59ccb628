"""Raw rows to canonical batches: what the platform's oddities become."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from connectors.mapping import SourceMap
from connectors.servicenow.decoding import Batch
from connectors.servicenow.defaults import DEFAULT
from connectors.servicenow.plan import Candidate, Plan
from connectors.servicenow.rows import Shape
from connectors.servicenow.tables import FEW

AT = "2025-06-02 10:00:00"
UNTIL = datetime(2025, 6, 9, tzinfo=UTC)

FIELDS = DEFAULT.sources["sla"].model_dump()["fields"]
CLOCKS = SourceMap.model_validate(
    {"kind": "sla", "source": "task_sla", "fields": {name: FIELDS[name] for name in FIELDS if name != "goal_s"}}
)


class NoLookups:
    """Every reference is its own name."""

    def resolve(self, table: str, field: str, ids: pa.Array) -> pa.Array:
        return ids


def decoded(
    source: str | SourceMap, *rows: dict[str, str], country: str | None = None
) -> tuple[list[dict[str, Any]], Any]:
    mapped = DEFAULT.sources[source] if isinstance(source, str) else source
    raw = ["sys_id", "sys_updated_on", *(path.split(".")[0] for path in mapped.paths())]
    shape = Shape.of(raw)
    candidates = {
        name: tuple(
            Candidate(shape.fields.index(path.split(".")[0]), (("t", "f"),) if "." in path else ())
            for path in field.fields
        )
        for name, field in mapped.fields.items()
    }
    batch = Batch(Plan(mapped, shape, candidates, "digest"))
    blank = dict.fromkeys(shape.fields, "")
    full = [{**blank, "sys_id": f"id{index}", "sys_updated_on": AT, **row} for index, row in enumerate(rows)]
    batch.add(shape.of_texts(full))
    table, rejected = batch.canonical(NoLookups(), None, connection="sn", default_country=country, until=UNTIL)  # type: ignore[arg-type]
    return table.to_pylist(), [(item.id, item.field) for item in rejected]


def test_a_title_of_ten_thousand_characters_arrives_whole() -> None:
    rows, rejected = decoded("incident", {"short_description": "é" * 10_000, "state": "1"})
    assert rows[0]["title"] == "é" * 10_000
    assert rejected == []


def test_half_a_surrogate_pair_does_not_lose_the_ticket() -> None:
    (row,), _ = decoded("incident", {"short_description": "bad \ud800 pair", "state": "1"})
    assert row["title"] == "bad ? pair"


def test_a_ticket_without_state_or_number_is_kept() -> None:
    (row,), rejected = decoded("incident", {"state": "", "number": ""})
    assert (row["state"], row["number"], rejected) == ("in_progress", "id0", [])
    assert (row["is_major"], row["reopen_count"]) == (False, 0)


def test_a_row_without_its_id_is_rejected_and_said_so() -> None:
    rows, rejected = decoded("incident", {"sys_id": ""}, {"state": "6"})
    assert [row["state"] for row in rows] == ["resolved"]
    assert rejected == [("(no sys_id)", "id")]


def test_a_clock_without_schedule_counts_elapsed_time() -> None:
    clocks = (
        {"task": "t", "sla": "s", "business_duration": "", "duration": "1970-01-01 02:00:00"},
        {"task": "t", "sla": "s", "business_duration": "1970-01-01 01:00:00", "duration": "1970-01-03 02:00:00"},
    )
    rows, rejected = decoded(CLOCKS, *clocks)
    assert [row["elapsed_s"] for row in rows] == [7200, 3600]
    assert rejected == []


def test_stages_of_the_old_engine_are_understood() -> None:
    stages = ["starting", "achieved", "breached", "breached", "cancelled"]
    ends = ["", AT, "", AT, AT]
    rows, _ = decoded(
        CLOCKS,
        *(
            {"task": "t", "sla": "s", "stage": stage, "end_time": end, "has_breached": "false"}
            for stage, end in zip(stages, ends, strict=True)
        ),
    )
    assert [(row["stage"], row["is_breached"]) for row in rows] == [
        ("in_progress", False),
        ("completed", False),
        ("in_progress", True),
        ("completed", True),
        ("cancelled", False),
    ]


def test_a_missing_country_becomes_the_connections_default() -> None:
    rows, _ = decoded("incident", {"location": ""}, {"location": "JP"}, country="AT")
    assert [row["country"] for row in rows] == ["AT", "JP"]


def test_a_clock_of_no_agreement_cannot_be_counted_and_is_rejected() -> None:
    assert decoded(CLOCKS, {"task": "t", "sla": ""}) == ([], [("id0", "sla_id")])


@pytest.mark.parametrize(
    ("row", "is_breached"),
    [
        ({"stage": "in_progress", "planned_end_time": "2025-06-08 23:59:59"}, True),
        ({"stage": "in_progress", "planned_end_time": "2025-06-09 00:00:01"}, False),
        ({"stage": "in_progress", "planned_end_time": ""}, False),
        ({"stage": "paused", "planned_end_time": "2025-06-01 00:00:00"}, False),
        ({"stage": "completed", "planned_end_time": "2025-06-01 00:00:00", "end_time": "2025-06-01 01:00:00"}, False),
        ({"stage": "in_progress", "has_breached": "true", "planned_end_time": "2025-07-01 00:00:00"}, True),
    ],
)
def test_a_running_clock_whose_time_is_over_is_breached_whatever_its_row_says_yet(
    row: dict[str, str], is_breached: bool
) -> None:
    clock = {"task": "t", "sla": "s", "sla.name": "s", "has_breached": "false", "start_time": AT, **row}
    (read,), rejected = decoded(CLOCKS, clock)
    assert (read["is_breached"], rejected) == (is_breached, [])


@pytest.mark.parametrize("is_plain", [True, False])
def test_a_field_that_a_record_comes_without_is_told_and_an_empty_one_is_not(is_plain: bool) -> None:
    """The second body has a number in it, and is read the slow way."""
    shape = Shape.of(["priority", "company", "state", "caller_id.email"])
    whole = {"sys_id": "a", "sys_updated_on": AT, "priority": "", "company": None, "state": "1"}
    half = {"sys_id": "b", "sys_updated_on": AT, "priority": '"state": "', "company": "c"}
    rows: list[dict[str, Any]] = [whole, half if is_plain else {**half, "priority": 3}]
    assert shape.decode(json.dumps({"result": rows}).encode()).left_out == {"state"}
    many = shape.decode(json.dumps({"result": [*rows, *[whole] * FEW]}).encode())
    assert many.left_out == {"state", "caller_id.email"}
    assert shape.decode(json.dumps({"result": [whole]}).encode()).left_out == frozenset()
