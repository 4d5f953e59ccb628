"""Whoever changes what belongs to an action keeps the action first: see workflows/actions/holding.py."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.workflows.build import OPENED, an_action, an_approver, an_owner, live
from workflows.models import Look
from workflows.steps import check

pytestmark = pytest.mark.django_db


def test_whoever_notes_that_a_look_was_missed_keeps_its_action_first(home: Path) -> None:
    """Whoever decides on the action just then has it, then the ledger, and then comes to its looks."""
    live(an_action(an_owner()), an_approver())
    result = check.CheckRunResult(connection="snow")
    with CaptureQueriesContext(connection) as asked:
        check._notice_missed("snow", OPENED + timedelta(weeks=60), result)
    assert len(result.missed) == Look.objects.filter(is_missed=True).count() > 0
    locking = [one["sql"] for one in asked if "FOR NO KEY UPDATE" in one["sql"] or one["sql"].startswith("UPDATE")]
    assert "workflows_action" in locking[0]
