"""A page of issues is decoded at once where it can be: whether an issue can be read depends on nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.config import ConnectionConfig
from connectors.jira.fields import SLA_TYPE, Fields
from connectors.jira.harvest import Harvest
from connectors.jira.page import Delivered, Seen
from connectors.jira.plan import Plan, make_plan, mapping_of
from connectors.jira.site import Myself, ServerInfo, Site
from connectors.jira.wire import FieldInfo, FieldSchema, RawEntry, StatusCategory, StatusValue, TypeValue
from improvement.records import RecordKind

from .test_history import GROUP, entries

NAMES = {"1": "Open", "2": "In Progress", "3": "Resolved", "4": "Closed", "5": "Canceled"}
CATEGORY = {"1": "new", "2": "indeterminate", "3": "done", "4": "done", "5": "done"}
CLOCK = "customfield_10031"
LATE = datetime(2035, 1, 1, tzinfo=UTC)


def a_plan() -> Plan:
    """Of a Jira with incidents and one clock."""
    named = {"summary": "string", "status": "status", "priority": "priority", "issuetype": "issuetype"}
    times = dict.fromkeys(("created", "updated", "resolutiondate"), "datetime")
    infos = [FieldInfo(id=id, name=id, schema=FieldSchema(type=kind)) for id, kind in {**named, **times}.items()]
    infos.append(FieldInfo(id=CLOCK, name="Time to resolution", custom=True, schema=FieldSchema(custom=SLA_TYPE)))
    infos.append(FieldInfo(id=GROUP.id, name="Assignment group", custom=True, schema=FieldSchema(type="group")))
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
author = st.sampled_from([{}, {"author": {"displayName": "Anna"}}, {"author": {"displayName": 5}}, {"author": "anna"}])
odd_entry = st.sampled_from(
    [
        {"id": "94", "items": [{"field": 5}]},
        {"id": "94", "items": None},
        {"id": "94"},
        {"id": 94, "items": []},
        {"id": "94", "created": None, "items": []},
    ]
)
histories = st.builds(
    lambda found, people, odd, more: {
        "total": len(found) + len(odd) + more,
        "histories": [*odd, *({**entry, **person} for entry, person in zip(found, people, strict=False))],
    },
    entries,
    st.lists(author, min_size=6, max_size=6),
    st.just([]) | st.lists(odd_entry, max_size=2),
    st.sampled_from([0, 1, 5]),  # that many are not shown
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
                "resolutiondate": st.sampled_from([None, "2026-03-02T12:30:00.000+0100", "no time at all"]),
                "summary": st.sampled_from(["Mail is down", "🚑", 7, ""]),
                "priority": st.sampled_from([None, {"name": "High"}, {"name": "?"}]),
                CLOCK: st.one_of(
                    st.none(),
                    st.fixed_dictionaries({"id": st.just("31"), "completedCycles": st.lists(cycles, max_size=2)}),
                ),
            }
        ),
        "changelog": st.none() | histories,
    }
)


class Refusing:
    """A decoder that takes no page for what it should be."""

    def decode(self, body: bytes) -> Any:
        raise msgspec.ValidationError("not this one")


WHOLE = [RawEntry(id="1"), RawEntry(id="2", created="2026-03-02T14:00:00.000+0000")]
ODD_WHOLE = [RawEntry(id="1", items=msgspec.Raw(b'[{"field": 5}]'))]


class Platform:
    """Tells whole histories, one of which is odd, and of whom it was asked for them."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def whole_histories(self, ids: Sequence[str]) -> dict[str, list[RawEntry]]:
        self.asked += ids
        return {id: ODD_WHOLE if id == "3" else WHOLE for id in ids}


def delivered(harvest: Harvest, body: bytes) -> Delivered:
    """A page as its search decodes it."""
    return Seen.of(body, harvest.decoder).delivered(None)


def a_harvest(platform: Platform) -> Harvest:
    kinds = (RecordKind.TICKET, RecordKind.SLA)
    return Harvest(PLAN, kinds, connection="acme", whole_histories=platform.whole_histories)


def harvested(pages: list[list[dict[str, Any]]], *, patiently: bool = False) -> tuple[Any, ...]:
    """Tables, what they are all of, what was rejected, and the whole histories that were asked for."""
    platform = Platform()
    harvest = a_harvest(platform)
    if patiently:
        harvest.decoder = Refusing()  # type: ignore[assignment]
    for page in pages:
        if page:
            harvest.add(delivered(harvest, msgspec.json.encode({"issues": page})))
    tables, rejected = [], [*harvest.rejected]
    for columns in harvest.columns.values():
        table, unreadable = columns.finish(LATE)
        tables.append((table.to_pylist(), columns.whole_of.to_pylist()))
        rejected += unreadable
    rejected.sort(key=lambda one: (one.id, one.kind, one.field))
    return tables, rejected, platform.asked


@settings(deadline=None)  # the first page of all compiles
@given(st.lists(st.lists(issue, max_size=6), min_size=1, max_size=3))
def test_a_page_decoded_at_once_gives_what_its_issues_give_one_by_one(pages: list[list[dict[str, Any]]]) -> None:
    assert harvested(pages) == harvested(pages, patiently=True)


@settings(deadline=None)
@given(st.lists(issue, max_size=6, unique_by=lambda one: one["id"]))
def test_an_issue_gives_the_same_alone_and_among_others(issues: list[dict[str, Any]]) -> None:
    assert harvested([issues]) == harvested([[one] for one in issues])


def an_issue(id: str, changelog: dict[str, Any], **fields: Any) -> dict[str, Any]:
    common = {"issuetype": {"id": "10100", "name": "Incident"}, "status": {"id": "4", "name": "Closed"}}
    times = {"created": "2026-03-02T12:00:00.000+0000", "updated": "2026-03-02T13:00:00.000+0000"}
    return {"id": id, "key": f"OPS-{id}", "fields": {**common, **times, **fields}, "changelog": changelog}


BAD = an_issue("9", {"total": 0, "histories": []}, summary=7)
LONG = {"total": 5, "histories": [{"id": "1", "items": None}]}


@pytest.mark.parametrize(
    "changelog",
    [{"total": 1, "histories": [{"id": "1", "items": [], "author": {"displayName": 5}}]}, LONG],
    ids=["an author without a name", "a part that need not be read"],
)
def test_what_a_bad_issue_beside_it_does_not_change(changelog: dict[str, Any]) -> None:
    ((tickets, _), _), rejected, _ = harvested([[an_issue("1", changelog), BAD]])
    assert [ticket["id"] for ticket in tickets] == ["1"]
    assert [(one.id, one.field) for one in rejected] == [("9", "summary")]


def test_a_history_that_cannot_be_read_costs_its_own_issue_only_and_says_where() -> None:
    odd = {"total": 1, "histories": [{"id": "1", "items": [{"field": "status", "to": 5}]}]}
    none = {"total": 1, "histories": [{"id": "1", "items": None}]}
    issues = [an_issue("1", odd), an_issue("2", LONG), an_issue("3", LONG), an_issue("4", none)]
    ((tickets, whole_of), _), rejected, _ = harvested([issues])
    assert [ticket["id"] for ticket in tickets] == whole_of == ["2"]
    assert [(one.id, one.field, one.reason) for one in rejected] == [
        ("1", "changelog.items[0].to", "Expected `str | null`, got `int`"),
        ("3", "changelog.items[0].field", "Expected `str`, got `int`"),
        ("4", "changelog.items", "Expected `array`, got `null`"),
    ]


def test_a_clock_of_an_issue_cancelled_at_no_time_is_rejected_and_the_others_arrive() -> None:
    clock = {"id": "31", "completedCycles": [cycle(1_700_000_000_000, 5_000, breached=False)]}
    none: dict[str, Any] = {"total": 0, "histories": []}
    cancelled = {"status": {"id": "5", "name": "Canceled"}, CLOCK: clock}
    (_, (clocks, whole_of)), rejected, _ = harvested(
        [[an_issue("1", none, resolutiondate="no time at all", **cancelled), an_issue("2", none, **cancelled)]]
    )
    assert [row["ticket_id"] for row in clocks] == whole_of == ["2"]
    assert ("1:31", "resolutiondate") in [(one.id, one.field) for one in rejected]


def test_text_that_is_no_utf8_costs_its_own_issue_only() -> None:
    platform = Platform()
    harvest = a_harvest(platform)
    titled = an_issue("1", {"total": 0, "histories": []}, summary="Grüße")
    told = an_issue("2", {"total": 1, "histories": [{"id": "1", "items": [{"field": "Grüße"}]}]})
    page = msgspec.json.encode({"issues": [titled, told, an_issue("4", {"total": 0, "histories": []})]})
    harvest.add(delivered(harvest, page.replace("Grüße".encode(), "Grüße".encode("latin-1"))))
    assert [(one.id, one.field) for one in harvest.rejected] == [("1", ""), ("2", "changelog.items")]
    assert harvest.columns[RecordKind.TICKET].finish(LATE)[0]["id"].to_pylist() == ["4"]


@pytest.mark.parametrize("last", [BAD, an_issue("8", {"total": 1, "histories": [{"id": "1", "items": 1}]})])
def test_a_whole_history_is_asked_for_once_a_page_whatever_else_is_in_it(last: dict[str, Any]) -> None:
    _, rejected, asked = harvested([[an_issue("1", LONG), an_issue("2", LONG), an_issue("1", LONG), last]])
    assert sorted(asked) == ["1", "2"]
    assert [one.id for one in rejected] == [last["id"]]


def test_a_platform_that_fails_is_not_taken_for_an_issue_that_cannot_be_read() -> None:
    def failing(ids: Sequence[str]) -> dict[str, list[RawEntry]]:
        raise msgspec.ValidationError("what the platform sent was no history")

    harvest = Harvest(PLAN, (RecordKind.TICKET,), connection="acme", whole_histories=failing)
    with pytest.raises(msgspec.ValidationError, match="no history"):
        harvest.add(delivered(harvest, msgspec.json.encode({"issues": [an_issue("1", LONG)]})))
    assert harvest.rejected == []
