"""What the sandbox finds by index is what looking at everything would find, at every step of the clock."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.sandbox.generator import generate
from connectors.sandbox.jira import jql, searching
from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.catalogue import ARCHIVE, Flavour
from connectors.sandbox.jira.clauses import Asker
from connectors.sandbox.jira.model import Issue
from connectors.sandbox.jira.site import Site
from connectors.sandbox.plugin import SandboxConfig
from connectors.sandbox.query import parse
from connectors.sandbox.servicenow.app import ServiceNowApp
from connectors.sandbox.servicenow.instance import Instance
from connectors.sandbox.servicenow.matching import Asker as MatchingAsker
from connectors.sandbox.servicenow.selecting import select
from connectors.sandbox.store import Table

CALLER = Account("carla", "Carla", "carla@example.com", "Etc/UTC")
HOUR_S = 3_600
WEEK_S = 7 * 24 * HOUR_S
QUERIES = (
    '("Time to resolution" = breached() AND "Time to resolution" != completed())',
    '("Time to resolution" != completed() OR "Time to first response" = running())',
    '"Time to resolution" = paused()',
    '"Satisfaction date" >= "{day_ago}"',
    'updated < "{day_ago}" AND "Satisfaction date" >= "{day_ago}"',
)


@pytest.fixture(scope="module")
def site() -> Site:
    world = generate("jira", size="small")
    return Site(world, flavour=Flavour.DATA_CENTER, accounts=[CALLER], now=world.start + 4 * WEEK_S)


@pytest.fixture(scope="module")
def instance() -> Instance:
    world = generate("servicenow", size="small")
    app = ServiceNowApp(world, SandboxConfig())
    app.advance(datetime.fromtimestamp(world.start + 20 * WEEK_S, UTC))
    return app.instance


@pytest.mark.parametrize("query", QUERIES)
def test_clocks_and_answers_found_by_index_are_all_there_are(site: Site, query: str) -> None:
    total = 0
    for _ in range(12):
        site.advance(site.now + 11 * HOUR_S)
        text = query.format(day_ago=datetime.fromtimestamp(site.now - 24 * HOUR_S, UTC).strftime("%Y-%m-%d %H:%M"))
        asker = Asker(site, CALLER, CALLER.zone)
        # A condition in a double negation is never indexed.
        everything = searching.find(jql.parse(f"NOT (NOT ({text})) ORDER BY updated ASC, key ASC"), asker)
        found = searching.find(jql.parse(f"{text} ORDER BY updated ASC, key ASC"), asker)
        assert found == everything
        total += len(found)
    assert total


def test_clocks_ever_breached_and_never_breached_are_all_clocks(site: Site) -> None:
    asker = Asker(site, CALLER, CALLER.zone)
    for name in ("Time to resolution", "Time to first response", "OLA time to resolution"):
        ever, never, any_clock = (
            searching.find(jql.parse(f'"{name}" {condition}'), asker)
            for condition in ("= everBreached()", "!= everBreached()", "is not EMPTY")
        )
        assert ever
        assert sorted(issue.id for issue in (*ever, *never)) == sorted(issue.id for issue in any_clock)


def test_counts_by_index_are_those_of_looking_at_everything(site: Site) -> None:
    asker = Asker(site, CALLER, CALLER.zone)
    tomorrow = datetime.fromtimestamp(site.now + 24 * HOUR_S, UTC).strftime("%Y-%m-%d %H:%M")
    yesterday = datetime.fromtimestamp(site.now - 24 * HOUR_S, UTC).strftime("%Y-%m-%d %H:%M")
    site.delete(next(issue for issue in site.ordered() if issue.type.name == "Incident"))
    for text in (
        f'issuetype in (Incident, Problem) AND created < "{tomorrow}"',
        f'issuetype in (Incident, Problem) AND created < "{yesterday}"',
        f'issuetype = Incident AND created <= "{tomorrow}" AND priority = High',
        "issuetype = Change",
        "issuetype != Change",
    ):
        counted = searching.count(jql.parse(text), asker)
        assert counted == len(searching.find(jql.parse(f"NOT (NOT ({text}))"), asker)) > 0


def test_subtasks_found_through_their_parents_are_all_there_are(site: Site) -> None:
    parents = list(site.ordered())[:6:2]
    for number, parent in enumerate(parents):
        for _ in range(number):
            child = site.new_issue(parent.project, parent.type.id, author=CALLER)
            child.parent = parent.id
            parent.more().subtasks.append(child.id)
            site.publish(child)
    asker = Asker(site, CALLER, CALLER.zone)
    for text in (
        f"parent = {parents[2].id}",
        f"parent in ({parents[1].key}, {parents[2].key})",
        f"parent = {parents[0].id}",
    ):
        everything = searching.find(jql.parse(f"NOT (NOT ({text})) ORDER BY updated ASC, key ASC"), asker)
        found = searching.find(jql.parse(f"{text} ORDER BY updated ASC, key ASC"), asker)
        assert found == everything
    assert len(everything) == 0
    assert len(searching.find(jql.parse(f"parent in ({parents[1].key}, {parents[2].key})"), asker)) == 3


def test_the_order_of_updates_survives_moves_deletions_and_time(site: Site) -> None:
    some = list(site.ordered())[::97]
    for number, issue in enumerate(some):
        (site.delete, lambda one: site.move(one, ARCHIVE), site.touch)[number % 3](issue)
    site.advance(site.now + WEEK_S)
    shown = list(site.ordered())

    def order(issue: Issue) -> int:
        return issue.order

    assert shown == sorted(shown, key=order)
    assert len(shown) == len(set(map(order, shown))) == len(site)


def test_a_table_puts_only_its_young_end_in_order_and_is_right_all_the_same() -> None:
    table = Table("t", ("sys_id", "sys_updated_on"))
    for number in range(300):
        table.put([f"{number:03d}", f"2024-01-01 00:{number % 60:02d}:00"])
    assert len(table.ordered()) == 300
    for number in (0, 77, 299):
        table.put([f"{number:03d}", "2024-02-01 00:00:00"])
    table.remove("150")
    table.put(["new", "2024-01-01 00:30:00"])
    assert table.ordered() == sorted(table, key=lambda row: (row[1], row[0]))


@pytest.mark.parametrize("rest", ["", "^priority=4", "^sys_updated_on>={middle}", "^ORDERBYDESCopened_at"])
def test_records_named_by_their_ids_are_those_a_scan_finds(instance: Instance, rest: str) -> None:
    asker = MatchingAsker(CALLER.zone, instance.now)
    ids = [row[0] for name in ("incident", "problem") for row in instance.tables[name].ordered()[5::9]]
    incidents = instance.tables["incident"].ordered()
    rest = rest.format(middle=incidents[len(incidents) // 2][1])
    listed = ",".join([*ids, ids[0], "0" * 32])
    for table in ("task", "incident", "core_company"):
        # An alternative beside it, and a list is looked for row by row.
        scanned = select(instance, table, parse(f"sys_idIN{listed}^ORsys_id=none{rest}"), asker)
        found = select(instance, table, parse(f"sys_idIN{listed}{rest}"), asker)
        assert (found.total, found.chunks) == (scanned.total, scanned.chunks)
        assert bool(found.total) is (table != "core_company")
