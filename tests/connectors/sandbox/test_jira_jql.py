"""JQL as the sandbox reads it: grammar, emptiness, zones, errors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox.jira import jql, searching
from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.catalogue import Flavour
from connectors.sandbox.jira.clauses import Asker
from connectors.sandbox.jira.site import Site
from connectors.sandbox.world import TicketEvent, World, WorldSla, WorldSurvey, WorldTicket

HOUR = 3600
START = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())
CALLER = Account("carla", "Carla", "carla@example.com", "Etc/UTC")


def an_incident(uid: int, *, opened: int = START, supplier: str | None = None, ends: bool = True) -> WorldTicket:
    events = [
        TicketEvent(opened, {"state": "new"}),
        TicketEvent(opened + HOUR, {"state": "in_progress", "assignee": "ada"}),
    ]
    if ends:
        events.append(TicketEvent(opened + 5 * HOUR, {"state": "resolved"}))
    stop = opened + 5 * HOUR if ends else None
    clock = WorldSla("resolution", "sla", "4h", 4 * HOUR, opened, stop, opened + 4 * HOUR, True, 5 * HOUR, None)
    return WorldTicket(
        uid, "incident", f"Mail is slow {uid}", "Acme", "CH", "Mail", supplier, "Software", "carl", 3, False, opened,
        events, [clock], WorldSurvey(opened + 6 * HOUR, opened + 7 * HOUR, 4), None, None,
    )  # fmt: skip


@pytest.fixture
def site() -> Site:
    tickets = [
        an_incident(1),
        an_incident(2, opened=START + HOUR, supplier="Hoster"),
        an_incident(3, opened=START + 2 * HOUR, ends=False),
    ]
    world = World(
        "jira", START, 1, tickets=tickets, customers=[("Acme", "CH")], services=["Mail"], suppliers=["Hoster"]
    )
    return Site(world, flavour=Flavour.CLOUD, accounts=[CALLER], now=START + 48 * HOUR)


@pytest.fixture
def ask(site: Site) -> Callable[..., list[str]]:
    def find(text: str, zone: str = "Etc/UTC") -> list[str]:
        asker = Asker(site, CALLER, ZoneInfo(zone))
        return [issue.key for issue in searching.find(jql.parse(text), asker)]

    return find


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("project = OPS ORDER BY key", ["OPS-1", "OPS-2", "OPS-3"]),
        ("project = ops AND status = Resolved ORDER BY key DESC", ["OPS-2", "OPS-1"]),
        ("Supplier = Hoster", ["OPS-2"]),
        ("Supplier != Hoster", []),  # != never matches an empty field
        ("Supplier is EMPTY ORDER BY key", ["OPS-1", "OPS-3"]),
        ("cf[10013] is not null", ["OPS-2"]),
        ("NOT (status = Resolved OR Supplier = Hoster)", ["OPS-3"]),
        ("key in (OPS-1, OPS-3) ORDER BY updated ASC, key ASC", ["OPS-3", "OPS-1"]),
        ('text ~ "slow 2"', ["OPS-2"]),
        ("assignee = ada AND resolved is empty", ["OPS-3"]),
        ("resolution = Unresolved", ["OPS-3"]),
        ('"Time to resolution" = breached() AND "Time to resolution" != completed()', ["OPS-3"]),
        ('"Time to resolution" = everBreached() ORDER BY key', ["OPS-1", "OPS-2", "OPS-3"]),
        ('"Satisfaction date" >= "2026-03-02 08:00" ORDER BY key', ["OPS-2", "OPS-3"]),
        ('created >= -2d AND created < "2026-03-02 02:00" ORDER BY key', ["OPS-1", "OPS-2"]),
        ("NOT " * 100 + "Supplier = Hoster", ["OPS-2"]),
        ("(" * 100 + "Supplier = Hoster" + ")" * 100, ["OPS-2"]),
        ('status was Open AND status was "In Progress" ORDER BY key', ["OPS-1", "OPS-2", "OPS-3"]),
        ("status was Resolved ORDER BY key", ["OPS-1", "OPS-2"]),
        ("status was not Resolved", ["OPS-3"]),
        ("status was in (Resolved, Closed) ORDER BY key", ["OPS-1", "OPS-2"]),
        ("status WAS NOT IN (Resolved, Closed)", ["OPS-3"]),
        ('status was Resolved before "2026-03-02 06:00"', ["OPS-1"]),
        ('status was Open after "2026-03-02 02:30"', ["OPS-3"]),
        ('status was Open on "2026-03-01"', []),
        ("assignee was EMPTY ORDER BY key", ["OPS-1", "OPS-2", "OPS-3"]),
        ("assignee was ada by carl", []),
        ('assignee changed after "2026-03-02 01:30" ORDER BY key', ["OPS-2", "OPS-3"]),
        ('status changed from "In Progress" to Resolved by ada ORDER BY key', ["OPS-1", "OPS-2"]),
        ('status changed to Resolved during ("2026-03-02 05:30", "2026-03-02 06:30")', ["OPS-2"]),
        ('status changed to Resolved on "2026-03-02" ORDER BY key', ["OPS-1", "OPS-2"]),
        ("priority changed", []),
        ("priority in (Medium, High) AND issuetype = 10100 ORDER BY created ASC", ["OPS-1", "OPS-2", "OPS-3"]),
    ],
)
def test_a_query_finds(ask: Callable[..., list[str]], query: str, keys: list[str]) -> None:
    assert ask(query) == keys


def test_times_are_minutes_in_the_zone_of_the_caller(ask: Callable[..., list[str]]) -> None:
    # OPS-3 was updated at 03:00 UTC, the others two and three hours later
    assert ask('updated < "2026-03-02 05:00"') == ["OPS-3"]
    assert ask('updated < "2026-03-02 06:00"', "Europe/Zurich") == ["OPS-3"]
    assert ask('updated < "2026-03-01 19:00"', "Pacific/Honolulu") == ["OPS-3"]
    assert ask('updated <= "2026-03-02 05:00" ORDER BY key') == ["OPS-1", "OPS-3"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("projekt = OPS", "Field 'projekt' does not exist"),
        ("project = NOPE", "The value 'NOPE' does not exist for the field 'project'."),
        ("status = Fertig", "The value 'Fertig' does not exist for the field 'status'."),
        ("Supplier = Nobody", "The option 'Nobody' for field 'Supplier' does not exist."),
        ("key = OPS-999", "An issue with key 'OPS-999' does not exist"),
        ("updated > yesterday", "Date value 'yesterday' for field 'updated' is invalid"),
        ("project = ", "before the end of the query"),
        ("project = OPS AND (status = Open", "Expecting ')'"),
        ("project OPS", "Expecting an operator"),
        ("summary = x", "The operator '=' is not supported by the 'summary' field."),
        ("updated >= nightfall()", "Unable to find JQL function 'nightfall()'"),
        ("updated >= -99999999999w", "Date value '-99999999999w' for field 'updated' is invalid"),
        ("updated >= " + "9" * 5_000, "for field 'updated' is invalid"),
        ("parent = OPS-" + "9" * 5_000 + " AND summary = x", "The operator '='"),
        ("priority > EMPTY", "The operator '>' is not supported by the 'priority' field."),
        ('"Time to resolution" in (running(), paused())', "is compared with a function"),
        ("summary was x", "The operator 'was' is not supported by the 'summary' field."),
        ("duedate changed", "The operator 'changed' is not supported by the 'duedate' field."),
        ("status was Fertig", "The value 'Fertig' does not exist for the field 'status'."),
        ("status was Open from Closed", "Expecting either 'OR' or 'AND' but got 'from'"),
        ("status changed during 2026-03-02", "Expecting '('"),
        ("(" * 101 + "project = OPS" + ")" * 101, "nested deeper than 100 levels"),
        ("NOT " * 101 + "project = OPS", "nested deeper than 100 levels"),
    ],
)
def test_a_wrong_query_says_what_is_wrong(ask: Callable[..., list[str]], query: str, message: str) -> None:
    with pytest.raises(jql.JqlError, match=message.replace("(", r"\(").replace(")", r"\)")):
        ask(query)


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(jql.JqlError):
        assert isinstance(jql.parse(text), jql.Query)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters='"\\'), min_size=1, max_size=30))
def test_any_text_can_be_quoted(text: str) -> None:
    query = jql.parse(f"labels = \"{text}\" AND summary ~ '{text.replace(chr(39), '')}'")
    assert isinstance(query.where, jql.And)
    first = query.where.parts[0]
    assert isinstance(first, jql.Clause)
    assert first.operands == (text,)


def test_the_clock_shows_only_what_has_happened(site: Site) -> None:
    world = site.world
    young = Site(world, flavour=Flavour.CLOUD, accounts=[CALLER], now=START + HOUR // 2)
    assert [issue.key for issue in young.ordered()] == ["OPS-1"]
    assert young.issue("OPS-1").status.name == "Open"  # type: ignore[union-attr]
    young.advance(START + 3 * HOUR)
    assert [issue.key for issue in young.ordered()] == ["OPS-1", "OPS-2", "OPS-3"]
    young.advance(START + 48 * HOUR)
    assert [(issue.key, issue.updated) for issue in young.ordered()] == [
        (issue.key, issue.updated) for issue in site.ordered()
    ]
