"""Whoever changes what belongs to an action keeps the action first: see workflows/actions/holding.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.workflows.actions.test_rolling_up import lived
from tests.workflows.build import OPENED, a_connection, an_action, an_approver, an_owner, live, looked
from tests.workflows.conftest import RULE
from tests.workflows.platform import MemoryPlatform
from tests.workflows.restating.test_restated_points import after_a_cycle, pulled_late
from workflows import access
from workflows.actions import commands
from workflows.models import Action, Connection, LedgerEntry, Look, Person, PullCursor
from workflows.steps import check, lost_warehouse
from workflows.warehouse import our_warehouse

pytestmark = pytest.mark.django_db
LATER = OPENED + timedelta(weeks=30)


def locking(asked: CaptureQueriesContext) -> list[str]:
    """The statements that keep a row, in their order."""
    return [one["sql"] for one in asked if "FOR NO KEY UPDATE" in one["sql"] or one["sql"].startswith("UPDATE")]


def test_whoever_notes_that_a_look_was_missed_keeps_its_action_first(home: Path) -> None:
    """Whoever decides on the action just then has it, then the ledger, and then comes to its looks."""
    live(an_action(an_owner()), an_approver())
    result = check.CheckRunResult(connection="snow")
    with CaptureQueriesContext(connection) as asked:
        check._notice_missed("snow", OPENED + timedelta(weeks=60), result)
    assert len(result.missed) == Look.objects.filter(is_missed=True).count() > 0
    assert "workflows_action" in locking(asked)[0]


DEEDS: dict[str, Callable[[Person, Person, Action], object]] = {
    "override": lambda olga, paul, action: commands.override(olga, action.code, at=LATER, reason="No."),
    "second override": lambda olga, paul, action: commands.second_override(paul, action.code, at=LATER),
    "follow up": lambda olga, paul, action: commands.follow_up(olga, action.code, at=LATER, what="Read on"),
    "mark": lambda olga, paul, action: commands.mark_change(
        olga, action.code, at=LATER, number="CHG9", on=date(2025, 10, 1), reason="It moved them too."
    ),
    "take back": lambda olga, paul, action: commands.take_back_change(olga, action.code, at=LATER, number="CHG8"),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_whoever_adds_what_there_may_be_once_only_keeps_the_action_before_looking(home: Path, deed: str) -> None:
    """Two at once would both find that it is not there yet."""
    olga, paul = an_owner(), an_approver()
    action = live(an_action(olga), paul)
    looked(action, verdict="no change")
    commands.override(olga, action.code, at=LATER, reason="The control hospital changed its ticketing.")
    commands.mark_change(olga, action.code, at=LATER, number="CHG8", on=date(2025, 10, 1), reason="It moved them.")
    with CaptureQueriesContext(connection) as asked:
        DEEDS[deed](olga, paul, action)
    said = [one["sql"] for one in asked]
    kept = next(number for number, sql in enumerate(said) if "FOR NO KEY UPDATE" in sql)
    looks = [number for number, sql in enumerate(said) if "_reviewentry" in sql or "_markedchange" in sql]
    assert "workflows_action" in said[kept]
    assert kept < min(looks)


def transactions(asked: CaptureQueriesContext) -> list[list[str]]:
    """The statements of each transaction within the test's own."""
    found: list[list[str]] = []
    depth = 0
    for sql in (one["sql"] for one in asked):
        if sql.startswith("SAVEPOINT"):
            found += [[]] if depth == 0 else []
            depth += 1
        elif sql.startswith("RELEASE SAVEPOINT"):
            depth -= 1
        elif depth:
            found[-1].append(sql)
    return found


def kept_in(statements: list[str], *tables: str) -> list[str]:
    """Of which of these tables something is kept, in the order in which it is."""
    keeping = [sql for sql in statements if re.search(r"^UPDATE|FOR (NO KEY )?UPDATE", sql)]
    named = [found[1] for sql in keeping if (found := re.search(r'(?:^UPDATE|FROM) "?workflows_(\w+)', sql))]
    return [name for name in dict.fromkeys(named) if name in tables]


def orders(asked: CaptureQueriesContext, table: str = "connection") -> set[tuple[str, ...]]:
    """In which orders something of a table and the ledger are kept by who keeps both."""
    found = (tuple(kept_in(one, table, "ledgerhead")) for one in transactions(asked))
    return {one for one in found if len(one) == 2}


def test_a_connection_is_kept_before_the_ledger_by_whoever_switches_writing(home: Path) -> None:
    a_connection(may_write=False)
    with CaptureQueriesContext(connection) as asked:
        commands.set_write(access.local_admin(), "snow", True, at=OPENED)
    assert orders(asked) == {("connection", "ledgerhead")}


def test_and_by_whoever_loads_records_and_tells_what_they_change_of_published_values(
    home: Path, monday: datetime
) -> None:
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    platform = MemoryPlatform(scopes={"Mail": {0: 0.1, 70: 0.3}, "Quiet": {0: 0.08}})
    after_a_cycle(platform, monday)
    with CaptureQueriesContext(connection) as asked:
        pulled_late(platform, monday + timedelta(days=2))
        assert after_a_cycle(platform, monday + timedelta(days=3)) != []
    assert orders(asked) == {("connection", "ledgerhead")}


def test_and_by_whoever_goes_back_to_what_the_warehouse_has(home: Path) -> None:
    row = a_connection()
    PullCursor.objects.create(connection=row, kind="ticket", updated_at=OPENED)
    with CaptureQueriesContext(connection) as asked, our_warehouse() as warehouse:
        assert lost_warehouse._go_back(row, warehouse, 0, OPENED)
    assert orders(asked) == {("connection", "ledgerhead")}


def test_suppliers_actions_are_kept_before_the_one_they_are_to_serve_is_opened(home: Path, monday: datetime) -> None:
    with CaptureQueriesContext(connection) as asked:
        lived(home, monday, theirs_from=18)
    assert LedgerEntry.objects.filter(type="action.served").exists()
    (opening,) = [one for one in transactions(asked) if any("action.served" in sql for sql in one)]
    kept = [n for n, sql in enumerate(opening) if "NO KEY UPDATE" in sql and 'rolls_up_to_id" IS NULL' in sql]
    assert kept[0] < min(n for n, sql in enumerate(opening) if "workflows_ledgerhead" in sql)


def test_findings_are_changed_after_the_ledger_is_kept_whether_they_fire_or_end(home: Path, monday: datetime) -> None:
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    platform = MemoryPlatform(scopes={"Mail": {0: 0.1, 70: 0.3}, "Quiet": {0: 0.08}})
    rules = home / "rules" / "sla.yaml"
    with CaptureQueriesContext(connection) as asked:
        after_a_cycle(platform, monday)
        rules.write_text(RULE.replace("min_samples: 30", "min_samples: 31").replace("4w", "5w"), encoding="utf-8")
        after_a_cycle(platform, monday + timedelta(weeks=1))
        rules.write_text(RULE.replace("id: sla", "id: other"), encoding="utf-8")
        after_a_cycle(platform, monday + timedelta(weeks=2))
    told = set(LedgerEntry.objects.filter(type__startswith="finding.").values_list("type", flat=True))
    assert told >= {"finding.fired", "finding.ended"}
    assert orders(asked, "finding") == {("ledgerhead", "finding")}
