"""Commands that only show can show what was known at an earlier moment."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from improvement.errors import InputError
from tests.workflows.build import OPENED, an_action, an_approver, an_owner, live, looked
from workflows.cli import checks
from workflows.cli.main import build
from workflows.evidence import ledger
from workflows.models import Action, LookKind

pytestmark = pytest.mark.django_db


@pytest.fixture
def action(home: Path) -> Action:
    """Live since September, with a first look; a checkpoint was signed when it was opened."""
    owner = an_owner()
    action = an_action(owner)
    ledger.sign_checkpoint(OPENED)
    action, _ = looked(live(action, an_approver()), kind=LookKind.LOOK)
    return action


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(build(), list(arguments))


def said(*arguments: str, at: datetime) -> str:
    result = ran(*arguments, "--as-of", at.isoformat())
    assert result.exception is None, result.exception
    return result.stdout


def test_the_register_and_an_action_as_they_were(action: Action) -> None:
    first = OPENED + timedelta(hours=1)
    assert said("actions", "list", at=first).splitlines()[1].split("\t")[:4] == [action.code, "planned", "", "olga"]
    assert json.loads(said("actions", "list", "--state", "planned", "--json", at=first))[0]["id"] == action.code
    assert json.loads(said("actions", "list", "--state", "checking", "--json", at=first)) == []
    text = said("actions", "show", action.code, at=first)
    assert "2025-08-18 13:00 UTC" in text
    assert "A second shift." in text  # it was planned within the hour
    assert "went live" not in text
    assert "Possible now" not in text
    assert "went live\t2025-09-15" in said("actions", "show", action.code, at=OPENED + timedelta(days=60))


def test_looks_and_reviews_as_they_were(action: Action) -> None:
    computed = action.looks.get(kind=LookKind.LOOK, computed_at__isnull=False).computed_at
    assert computed is not None
    before = computed - timedelta(days=1)
    shown = json.loads(said("checks", "show", action.code, "--json", at=before))
    assert [(look["week"], look["verdict"]) for look in shown] == [(4, None), (8, None), (13, None)]
    assert "It works." in said("checks", "show", action.code, at=computed)
    assert said("reviews", "list", "--json", at=before).strip() == "[]"
    too_early = ran("reviews", "show", action.code, "--as-of", before.isoformat())
    assert isinstance(too_early.exception, InputError)
    assert action.code in said("reviews", "show", action.code, at=computed)


def test_without_a_moment_reviews_ahead_of_the_clock_are_listed_too(
    action: Action, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cycles may be run for moments to come, as a demo's year is."""
    monkeypatch.setattr(checks, "moment", lambda text: OPENED)  # the clock, before anything was reviewed
    review = action.reviews.get()
    assert review.recorded_at > OPENED
    assert review.code in ran("reviews", "list", "--json").stdout


def test_the_evidence_is_verified_as_far_as_it_was_signed(action: Action) -> None:
    proven = json.loads(said("evidence", "verify", "--json", at=OPENED + timedelta(days=1)))
    assert proven["ok"]
    assert "it still begins with them" in proven["facts"][0]
    assert isinstance(ran("evidence", "verify", "--as-of", "2020-01-01").exception, InputError)
