"""Service Management: clocks that ran out, and that nobody touched since."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from connectors.base import Cursor
from connectors.jira.client import BulkSession
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from connectors.sandbox.world import WorldTicket
from improvement.records import RecordKind

from .conftest import by_id

Connect = Callable[..., Any]


def test_months_long_past_do_not_read_all_breached_clocks_again(
    serve: Callable[..., RunningSandbox],
    connect: Connect,
    flavour: Flavour,
    an_incident: Callable[..., WorldTicket],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Clocks that ran out and go on standing there grow in number from month to month."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    days = [begin + timedelta(days=day) for day in range(120)]
    desks = serve([an_incident(n, day, resolved_after_h=None) for n, day in enumerate(days)], now=days[-1])
    connector = connect(flavour, at=desks)
    searches: list[str] = []
    request = BulkSession.request

    def noted(self: BulkSession, method: str, url: str, *args: Any, **options: Any) -> requests.Response:
        searches.append(str(options.get("json") or options.get("params")))
        return request(self, method, url, *args, **options)

    monkeypatch.setattr(BulkSession, "request", noted)
    cursor: Cursor | None = None
    clocks: dict[str, dict[str, Any]] = {}
    for until in (*days[30::30], days[-1]):
        pages = list(connector.pull(RecordKind.SLA, cursor, until=until))
        clocks |= by_id(pages)
        cursor = pages[-1].cursor
    assert len([one for one in searches if "breached()" in one]) == 1
    assert len({clock["ticket_id"] for clock in clocks.values() if clock["is_breached"]}) >= 118


def test_clocks_that_ran_out_are_read_for_a_moment_that_is_past_too(
    serve: Callable[..., RunningSandbox], connect: Connect, flavour: Flavour, an_incident: Callable[..., WorldTicket]
) -> None:
    """A cycle may be made up for; nobody touched the issue when its clock ran out."""
    opened = datetime(2026, 1, 5, 8, tzinfo=UTC)
    desks = serve([an_incident(1, opened, resolved_after_h=None)], now=opened + timedelta(minutes=50))
    pages = list(connect(flavour, at=desks).pull(RecordKind.SLA, None, until=opened + timedelta(minutes=50)))
    assert not any(clock["is_breached"] for clock in by_id(pages).values())
    desks.set_clock(opened + timedelta(days=12))
    later = connect(flavour, at=desks).pull(RecordKind.SLA, pages[-1].cursor, until=opened + timedelta(days=7))
    assert any(clock["is_breached"] for clock in by_id(later).values())
