"""Of all limits that came with live versions, those applied last hold for the whole installation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from improvement.rules import Limits, Rule, load_pack
from tests.workflows.conftest import RULE
from workflows import access
from workflows.models import RuleVersion
from workflows.rules import live

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)


def a_rule(folder: Path, name: str, text: str = RULE) -> Rule:
    path = folder / f"{name}.yaml"
    path.write_text(text.replace("id: sla", f"id: {name}"), encoding="utf-8")
    return load_pack([path], within=folder).rules[0]


def applied(rule: Rule, budget: int, *, at: datetime) -> int:
    """Make a version live with a budget; the budget that holds then."""
    limits = replace(Limits(), budget=budget)
    live.record(rule, actor=access.local_admin().uid, at=at, limits=limits)
    return live.standing_rules().limits.budget


def test_a_version_with_a_wrong_year_does_not_hold_for_ever(home: Path, tmp_path: Path) -> None:
    assert applied(a_rule(tmp_path, "one"), 2, at=datetime(2099, 1, 1, tzinfo=UTC)) == 2
    assert applied(a_rule(tmp_path, "two"), 5, at=NOW) == 5


def test_a_version_that_comes_back_brings_its_limits_anew(home: Path, tmp_path: Path) -> None:
    first, second = a_rule(tmp_path, "one"), a_rule(tmp_path, "one", RULE.replace("max: 15%", "max: 9%"))
    other = a_rule(tmp_path, "two")
    assert applied(first, 2, at=NOW) == 2
    assert applied(second, 3, at=NOW + timedelta(hours=1)) == 3
    assert applied(other, 5, at=NOW + timedelta(hours=2)) == 5
    assert applied(first, 4, at=NOW + timedelta(hours=3)) == 4  # its row is older than the others
    assert applied(other, 5, at=NOW + timedelta(hours=4)) == 4  # nothing new was applied


def test_limits_of_a_rule_that_is_gone_hold_no_more(home: Path, tmp_path: Path) -> None:
    applied(a_rule(tmp_path, "one"), 2, at=NOW)
    assert applied(a_rule(tmp_path, "two"), 5, at=NOW) == 5
    (row,) = live.gone([a_rule(tmp_path, "one")])
    live.retire(row, actor="ada", at=NOW)
    assert live.standing_rules().limits.budget == 2


def test_a_version_that_a_file_brings_back_is_live_since_then(home: Path, tmp_path: Path) -> None:
    """What counts as the newest version is the one that is live, not the one that was written last."""
    first, second = a_rule(tmp_path, "one"), a_rule(tmp_path, "one", RULE.replace("max: 15%", "max: 9%"))
    for hours, version in enumerate((first, second, first)):
        assert live.record(version, actor="engine", at=NOW + timedelta(hours=hours))
    assert not live.record(first, actor="engine", at=NOW + timedelta(hours=9))  # it is live already
    rows = RuleVersion.objects.filter(rule_id="one").order_by("-applied_at")
    assert [(row.sha256, row.is_live) for row in rows] == [(first.sha256, True), (second.sha256, False)]
    assert rows[0].applied_at == NOW + timedelta(hours=2)
