"""Histories are read by what their changes mean, each decoded once: nothing depends on having met one before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.config import ConnectionConfig
from connectors.jira import history
from connectors.jira.fields import SLA_TYPE, Fields
from connectors.jira.harvest import Harvest
from connectors.jira.history import Histories
from connectors.jira.plan import Plan, make_plan, mapping_of
from connectors.jira.site import Myself, ServerInfo, Site
from connectors.jira.wire import FieldInfo, FieldSchema, HistoryEntry, RawEntry, StatusCategory, StatusValue, TypeValue
from improvement.records import RecordKind

STATES = {"1": "new", "2": "in_progress", "3": "resolved", "4": "closed", "5": "cancelled"}
NAMES = {"1": "Open", "2": "In Progress", "3": "Resolved", "4": "Closed", "5": "Canceled"}
CATEGORY = {"1": "new", "2": "indeterminate", "3": "done", "4": "done", "5": "done"}
GROUP = "customfield_10015"
CLOCK = "customfield_10031"
LATE = datetime(2035, 1, 1, tzinfo=UTC)

person = st.sampled_from([None, "", "anna", "ben"])
status = st.sampled_from([*STATES, "unheard of", None])
item = st.one_of(
    st.fixed_dictionaries({"field": st.just("status"), "from": status, "to": status}),
    st.fixed_dictionaries({"field": st.just("status"), "fieldId": st.just("status"), "from": status, "to": status}),
    st.fixed_dictionaries(
        {
            "field": st.sampled_from(["assignee", "Assignment group", "summary"]),
            "fieldId": st.sampled_from(["assignee", GROUP, "summary", None]),
            "fromString": person,
            "to": person,
            "toString": st.one_of(person, st.text(max_size=5)),
        },
        optional={"from": person},
    ),
)
entries = st.lists(st.lists(item, max_size=3), max_size=6).map(
    lambda found: [
        {"id": str(95 + number), "created": f"2026-03-02T12:{number:02d}:00.000+0000", "items": items}
        for number, items in enumerate(found)
    ]
)


def told(found: list[dict[str, Any]], group_field: str | None) -> tuple[int, int, str | None]:
    """The same, as one would write it at first: reopened, reassigned, closed at."""
    reopened, reassigned, closed = 0, 0, None
    for entry in found:
        for one in entry["items"]:
            field = one.get("fieldId") or one["field"]
            if field == "status":
                before, now = STATES.get(one["from"], ""), STATES.get(one["to"], "")
                is_over = now in ("resolved", "closed", "cancelled")
                reopened += before in ("resolved", "closed", "cancelled") and not is_over
                closed = entry["created"] if now in ("closed", "cancelled") else closed if is_over else None
            elif field == (group_field or "assignee"):
                reassigned += bool((one.get("from") or one.get("fromString")) and (one["to"] or one["toString"]))
    return reopened, reassigned, closed


@given(st.lists(entries, min_size=1, max_size=4), st.sampled_from([None, GROUP]), st.booleans())
def test_a_story_is_the_same_however_often_its_changes_were_met(
    found: list[list[dict[str, Any]]], group_field: str | None, newest_first: bool
) -> None:
    reading = Histories(STATES, group_field)
    for one in [*found, *found]:
        body = msgspec.json.encode(one[::-1] if newest_first else one)
        for shape in (RawEntry, HistoryEntry):
            story = reading.story(msgspec.json.decode(body, type=list[shape]))  # type: ignore[valid-type]
            assert (story.reopened, story.reassigned, story.closed) == told(one, group_field)


def test_only_so_many_changes_are_remembered_and_no_long_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_KEPT", 3)
    reading = Histories(STATES, None)
    for number in range(10):
        for length in (1, 2 * history.LONGEST_KEPT):
            items = [
                {"field": "summary", "toString": f"{number}" * length},
                {"field": "status", "from": "4", "to": "2"},
            ]
            body = msgspec.json.encode([{"id": "1", "created": "2026-03-02T12:00:00.000+0000", "items": items}])
            assert reading.story(msgspec.json.decode(body, type=list[RawEntry])).reopened == 1
    assert len(reading._known) <= 3
    assert max(map(len, reading._known)) <= history.LONGEST_KEPT


# --- a page at once, and issue by issue ---------------------------------------------------------------------------


def a_plan() -> Plan:
    """Of a Jira with incidents and one clock."""
    named = {"summary": "string", "status": "status", "priority": "priority", "issuetype": "issuetype"}
    times = dict.fromkeys(("created", "updated", "resolutiondate"), "datetime")
    infos = [FieldInfo(id=id, name=id, schema=FieldSchema(type=kind)) for id, kind in {**named, **times}.items()]
    infos.append(FieldInfo(id=CLOCK, name="Time to resolution", custom=True, schema=FieldSchema(custom=SLA_TYPE)))
    infos.append(FieldInfo(id=GROUP, name="Assignment group", custom=True, schema=FieldSchema(type="group")))
    site = Site(
        info=ServerInfo(deployment_type="Cloud"),
        me=Myself(account_id="us"),
        zone=ZoneInfo("UTC"),
        fields=Fields(infos, connection="acme"),
        types=(TypeValue("10100", "Incident"),),
        statuses={id: StatusValue(id, name, StatusCategory(CATEGORY[id])) for id, name in NAMES.items()},
    )
    config = ConnectionConfig(name="acme", platform="jira", url="http://127.0.0.1:9", user="us", password="pw")
    return make_plan(config, mapping_of(config), site)


PLAN = a_plan()


def cycle(start: int, length: int, *, breached: bool) -> dict[str, Any]:
    return {
        "startTime": {"epochMillis": start},
        "stopTime": {"epochMillis": start + length},
        "breached": breached,
        "goalDuration": {"millis": 3_600_000},
        "elapsedTime": {"millis": length},
    }


cycles = st.builds(
    cycle, st.integers(1_700_000_000_000, 1_700_001_000_000), st.integers(0, 10**7), breached=st.booleans()
)
issue = st.fixed_dictionaries(
    {
        "id": st.integers(1, 12).map(str),
        "key": st.just("OPS-1"),
        "fields": st.fixed_dictionaries(
            {
                "issuetype": st.just({"id": "10100", "name": "Incident"}),
                "status": st.sampled_from([{"id": id, "name": name} for id, name in NAMES.items()]),
                "updated": st.integers(0, 59).map(lambda minute: f"2026-03-02T13:{minute:02d}:00.000+0000"),
                "created": st.sampled_from(["2026-03-02T12:00:00.000+0000", "no time at all"]),
                "resolutiondate": st.sampled_from([None, "2026-03-02T12:30:00.000+0100"]),
                "summary": st.sampled_from(["Mail is down", "🚑", 7, ""]),
                "priority": st.sampled_from([None, {"name": "High"}, {"name": "?"}]),
                CLOCK: st.one_of(
                    st.none(),
                    st.fixed_dictionaries({"id": st.just("31"), "completedCycles": st.lists(cycles, max_size=2)}),
                ),
            }
        ),
        "changelog": st.one_of(
            st.none(),
            entries.map(lambda found: {"total": len(found), "histories": found}),
            entries.map(lambda found: {"total": len(found) + 1, "histories": found}),  # there is more of it
            st.just({"total": 1, "histories": [{"id": "1", "items": [{"field": 5}]}]}),
            st.just({"total": 1, "histories": [{"id": "1", "items": None}]}),
        ),
    }
)


class Refusing:
    """A decoder that takes no page for what it should be."""

    def decode(self, body: bytes) -> Any:
        raise msgspec.ValidationError("not this one")


def harvested(pages: list[bytes], *, patiently: bool) -> tuple[Any, ...]:
    """Tables, what they are all of, and what was rejected."""
    more = [HistoryEntry(id="1", items=[]), HistoryEntry(id="2", created="2026-03-02T14:00:00.000+0000")]
    harvest = Harvest(PLAN, (RecordKind.TICKET, RecordKind.SLA), connection="acme", whole_history=lambda issue_id: more)
    if patiently:
        harvest._decoder = Refusing()  # type: ignore[assignment]
    for page in pages:
        harvest.add(page)
    tables, rejected = [], [*harvest.rejected]
    for columns in harvest.columns.values():
        table, unreadable = columns.finish(LATE)
        tables.append((table.to_pylist(), columns.whole_of.to_pylist()))
        rejected += unreadable
    return tables, rejected


@settings(deadline=None)  # the first page of all compiles
@given(st.lists(st.lists(issue, max_size=6), min_size=1, max_size=3))
def test_a_page_decoded_at_once_gives_what_its_issues_give_one_by_one(pages: list[list[dict[str, Any]]]) -> None:
    bodies = [msgspec.json.encode({"issues": issues}) for issues in pages]
    assert harvested(bodies, patiently=False) == harvested(bodies, patiently=True)
