"""When issues were on hold: from their histories, on Cloud and on Data Center."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.jira import waiting
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from connectors.sandbox.world import TicketEvent, WorldTicket
from connectors.waiting import TellsWaiting, Wait

OPENED = datetime(2026, 3, 2, 6, tzinfo=UTC)


def at(hours: float) -> datetime:
    return OPENED + timedelta(hours=hours)


def moved(*steps: tuple[float, str]) -> list[TicketEvent]:
    """Events of an issue: opened, then into these states after so many hours."""
    opening = TicketEvent(int(OPENED.timestamp()), {"state": "new", "assignment_group": "Desk"})
    return [opening, *(TicketEvent(int(at(hours).timestamp()), {"state": state}) for hours, state in steps)]


@pytest.fixture
def desk(
    serve: Callable[..., RunningSandbox],
    connect: Callable[..., Any],
    flavour: Flavour,
    an_incident: Callable[..., WorldTicket],
) -> Any:
    """A Jira with an issue that waited twice, one that never did, and one that waits still."""
    courses = {
        1: moved((1, "on_hold"), (2.5, "in_progress"), (3, "on_hold"), (4, "in_progress"), (5, "resolved")),
        2: moved((1, "in_progress"), (5, "resolved")),
        3: moved((6, "on_hold")),
    }
    tickets = [an_incident(uid, OPENED, events=events, slas=[]) for uid, events in courses.items()]
    return connect(flavour, at=serve(tickets, now=at(48)))


def issues(desk: Any) -> dict[str, str]:
    """The title of every issue, by its id."""
    pages = desk.pull("ticket", None, until=at(48))
    return {row["title"]: row["id"] for page in pages for row in page.batch.to_pylist()}


def test_the_stays_on_hold_are_told_with_the_name_of_the_status(desk: Any) -> None:
    assert isinstance(desk, TellsWaiting)
    ids = issues(desk)
    found = desk.waits(list(ids.values()))
    assert found[ids["Mail is slow 1"]] == (
        Wait(begin=at(1), end=at(2.5), why="Pending"),
        Wait(begin=at(3), end=at(4), why="Pending"),
    )
    assert found[ids["Mail is slow 2"]] == ()
    assert found[ids["Mail is slow 3"]] == (Wait(begin=at(6), end=None, why="Pending"),)


def test_an_issue_that_is_gone_is_left_out_and_hides_no_other(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = list(issues(desk).values())
    assert set(desk.waits([*ids, "99999999"])) == set(ids)
    monkeypatch.setattr(waiting, "BATCH", 2)
    assert set(desk.waits(ids)) == set(ids)
    assert desk.waits([]) == {}
