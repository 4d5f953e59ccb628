"""Histories are read by what their changes mean, each decoded once: nothing depends on having met one before."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.jira import history
from connectors.jira.history import Histories, Watched
from connectors.jira.wire import RawEntry

STATES = {"1": "new", "2": "in_progress", "3": "resolved", "4": "closed", "5": "cancelled"}
GROUP = Watched.of("customfield_10015", "Assignment Group")

person = st.sampled_from([None, "", "anna", "ben"])
status = st.sampled_from([*STATES, "unheard of", None])
item = st.one_of(
    st.fixed_dictionaries({"field": st.just("status"), "from": status, "to": status}),
    st.fixed_dictionaries({"field": st.just("status"), "fieldId": st.just("status"), "from": status, "to": status}),
    st.fixed_dictionaries(
        {
            "field": st.sampled_from(["assignee", "Assignment group", "summary"]),
            "fieldtype": st.sampled_from(["custom", "jira", None]),
            "fieldId": st.sampled_from(["assignee", GROUP.id, "summary", None]),
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


def told(found: list[dict[str, Any]], group: Watched | None) -> tuple[int, int, str | None]:
    """The same, as one would write it at first: reopened, reassigned, closed at."""
    reopened, reassigned, closed = 0, 0, None
    for entry in found:
        for one in entry["items"]:
            field = one.get("fieldId") or (one["field"], one.get("fieldtype") == "custom")
            ours = (GROUP.id, ("Assignment group", True)) if group else ("assignee", ("assignee", False))
            if (one.get("fieldId") or one["field"]) == "status":
                before, now = STATES.get(one["from"], ""), STATES.get(one["to"], "")
                is_over = now in ("resolved", "closed", "cancelled")
                reopened += before in ("resolved", "closed", "cancelled") and not is_over
                closed = entry["created"] if now in ("closed", "cancelled") else closed if is_over else None
            elif field in ours:
                reassigned += bool((one.get("from") or one.get("fromString")) and (one["to"] or one["toString"]))
    return reopened, reassigned, closed


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(entries, min_size=1, max_size=4), st.sampled_from([None, GROUP]), st.booleans())
def test_a_story_is_the_same_however_often_its_changes_were_met(
    found: list[list[dict[str, Any]]], group: Watched | None, newest_first: bool
) -> None:
    reading = Histories(STATES, group)
    for one in [*found, *found]:
        body = msgspec.json.encode(one[::-1] if newest_first else one)
        story = reading.story(msgspec.json.decode(body, type=list[RawEntry]))
        assert (story.reopened, story.reassigned, story.closed) == told(one, group)


def test_on_data_center_a_field_is_told_by_the_name_it_has_in_histories() -> None:
    item = {"field": "Component", "fieldtype": "jira", "fromString": "Mail", "to": "10001", "toString": "Net"}
    body = msgspec.json.encode([{"id": "1", "created": "2026-03-02T12:00:00.000+0000", "items": [item]}])
    entries = msgspec.json.decode(body, type=list[RawEntry])
    assert Histories(STATES, Watched.of("components", "Component/s")).story(entries).reassigned == 1
    assert Histories(STATES, Watched.of("customfield_10400", "Component")).story(entries).reassigned == 0


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
