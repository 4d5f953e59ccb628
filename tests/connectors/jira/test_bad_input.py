"""Odd Jiras and odd tickets: a clear message, what cannot be read kept with its reason, and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.base import Page, Rejected
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from connectors.sandbox.world import WorldTicket
from improvement.errors import ConnectionFailed, CredentialsRefused, MappingError
from improvement.records import RecordKind

from .conftest import Connect, Desk

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
Serve = Callable[..., RunningSandbox]
AnIncident = Callable[..., WorldTicket]


def pulled(connector: Any, kind: RecordKind = RecordKind.TICKET, *, until: datetime = NOON) -> list[Page]:
    return list(connector.pull(kind, None, until=until))


def rows(pages: list[Page]) -> list[dict[str, Any]]:
    return [row for page in pages for row in page.batch.to_pylist()]


def rejected(pages: list[Page]) -> list[Rejected]:
    return [one for page in pages for one in page.rejected]


def test_a_jira_that_cannot_be_reached_says_what_where_and_how_to_mend(flavour: Flavour, connect: Connect) -> None:
    with pytest.raises(ConnectionFailed, match="could not be reached") as caught:
        pulled(connect(flavour, url="http://127.0.0.1:9", max_attempts=2))
    assert str(caught.value.where) == "connection acme"
    assert caught.value.mend == "Check the address, the network and the proxy."


def test_wrong_credentials_are_told_at_once(flavour: Flavour, connect: Connect) -> None:
    connector = connect(flavour, password="wrong-one")
    with pytest.raises(CredentialsRefused, match="refused the credentials of regelkreis"):
        pulled(connector)
    assert connector.reader.retries == 0


def test_a_page_of_html_instead_of_data_is_read_again_and_then_told(desk: Desk) -> None:
    connector = desk.connect(max_attempts=3)
    desk.faults({"kind": "html_page", "path": "/search", "times": None})
    with pytest.raises(ConnectionFailed, match="sent no readable answer") as caught:
        pulled(connector, until=datetime(2024, 7, 29, 12, tzinfo=UTC))
    assert "login page or proxy" in caught.value.mend
    assert connector.reader.retries > 0


def test_a_field_that_does_not_exist_stops_the_pull_before_it_asks_for_tickets(
    flavour: Flavour, connect: Connect
) -> None:
    connector = connect(flavour, mapping={"incident": {"fields": {"country": "Contry"}}})
    with pytest.raises(MappingError, match=r"incident has no field “Contry” \(mapped to country\)") as caught:
        pulled(connector)
    assert "Did you mean Country" in caught.value.what
    assert str(caught.value.where) == "connection acme, mapping.incident.fields.country"


def test_an_empty_jira_delivers_nothing_and_counts_nothing(flavour: Flavour, connect: Connect, serve: Serve) -> None:
    connector = connect(flavour, at=serve([], now=NOON))
    for kind in connector.kinds():
        pages = pulled(connector, kind)
        assert rows(pages) == []
        assert rejected(pages) == []
    assert connector.count(RecordKind.TICKET, until=NOON) == 0


def test_a_value_that_cannot_be_read_is_rejected_with_its_reason_and_the_others_arrive(
    flavour: Flavour, connect: Connect, serve: Serve, an_incident: AnIncident
) -> None:
    titles = ["3", "urgent!", "4"]
    tickets = [an_incident(n, NOON - timedelta(hours=9 - n), title=title) for n, title in enumerate(titles)]
    connector = connect(flavour, at=serve(tickets, now=NOON), mapping={"incident": {"fields": {"priority": "summary"}}})
    pages = pulled(connector)
    assert [(row["title"], row["priority"]) for row in rows(pages)] == [("3", 3), ("4", 4)]
    (one,) = rejected(pages)
    assert (one.kind, one.field) == (RecordKind.TICKET, "priority")
    assert "“urgent!”" in one.reason
    assert connector.count(RecordKind.TICKET, until=NOON) == len(rows(pages)) + len(rejected(pages))


@pytest.mark.parametrize(
    "title",
    [
        "🚑 ambulance",
        "مرحبا بالعالم",
        "<script>alert(1)</script> & <b>bold</b>",
        '=HYPERLINK("http://evil.example","x")',
        "@SUM(1+1)",
        "line\tbreak",
        "\u202eright to left override",
        "x" * 10_000,
    ],
    ids=["emoji", "arabic", "html", "formula", "at", "tab", "override", "long"],
)
def test_strange_titles_arrive_as_jira_keeps_them(
    flavour: Flavour, connect: Connect, serve: Serve, an_incident: AnIncident, title: str
) -> None:
    (row,) = rows(
        pulled(connect(flavour, at=serve([an_incident(1, NOON - timedelta(hours=9), title=title)], now=NOON)))
    )
    assert row["title"] == title[:255]  # a summary is at most so long


def test_tickets_resolved_before_they_were_opened_are_kept_as_they_are(
    flavour: Flavour, connect: Connect, serve: Serve, an_incident: AnIncident
) -> None:
    odd = an_incident(1, NOON - timedelta(hours=9), resolved_after_h=1)
    odd.opened += 4 * 3600
    fine = an_incident(2, NOON - timedelta(hours=8))
    pages = pulled(connect(flavour, at=serve([odd, fine], now=NOON)))
    first, second = rows(pages)
    assert first["resolved_at"] < first["opened_at"]
    assert second["resolved_at"] > second["opened_at"]
    assert rejected(pages) == []


def test_dates_in_the_future_are_kept(
    flavour: Flavour, connect: Connect, serve: Serve, an_incident: AnIncident
) -> None:
    open_one = an_incident(1, NOON - timedelta(hours=1), resolved_after_h=None)
    connector = connect(flavour, at=serve([open_one], now=NOON))
    (clock,) = rows(pulled(connector, RecordKind.SLA))
    assert clock["breach_at"] == NOON + timedelta(hours=3)
    assert clock["is_breached"] is False
