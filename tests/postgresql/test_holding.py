"""Whoever changes what belongs to an action keeps the action first: see workflows/actions/holding.py."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.workflows.build import OPENED, an_action, an_approver, an_owner, live, looked
from workflows.actions import commands
from workflows.models import Action, Look, Person
from workflows.steps import check

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
