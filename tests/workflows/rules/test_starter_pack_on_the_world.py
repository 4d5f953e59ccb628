"""The starter pack in a world whose truth is known, read over HTTP: every rule finds what is bad, and not much else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from bench.starter_pack import PACK, counted, scores_of, summed
from bench.starter_scoring import Score
from connectors.sandbox.troubled.world import Troubled, troubled
from improvement.rules import Rule, RulePack, load_pack
from improvement.rules.rule import Target, TargetKind
from workflows.rules.backtest import History

pytestmark = pytest.mark.django_db
#: What hardly any healthy scope reaches.
RARELY_REACHED = {
    "availability": 0.9998,
    "first_contact_resolution_rate": 0.75,
    "csat_mean": 4.5,
    "nps": 0.6,
    "mood_index": 90.0,
}
RULES = sorted(rule.id for rule in load_pack([PACK]).rules)


@dataclass(frozen=True, slots=True)
class Known:
    """A world, what was counted in it, and how the pack as it is does there."""

    world: Troubled
    pack: RulePack
    counted: History
    scores: dict[str, Score]


@pytest.fixture(scope="module")
def known(django_db_setup: Any, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Known:
    """One world, pulled once; the state forgets it again."""
    pack, world = load_pack([PACK]), troubled(7)
    file: Path = tmp_path_factory.mktemp("world") / "warehouse.duckdb"
    with django_db_blocker.unblock(), transaction.atomic():
        found = counted(world, pack.rules, name="world", file=file)
        transaction.set_rollback(True)
    return Known(world, pack, found, scores_of(world, pack.rules, found))


def test_what_it_finds_is_bad_and_what_is_bad_it_finds(known: Known) -> None:
    *rules, together = summed([known.scores])
    for one in (*rules, together):
        print(f"{one.rule_id}: {one.right} right, {len(one.wrong)} wrong; {len(one.found)} of {one.troubles} found")
    assert [one.rule_id for one in rules if not one.troubles] == []
    assert 0.7 <= there(together.precision) < 1  # what only wavers is found now and then, too
    assert there(together.recall) >= 0.9


@pytest.mark.parametrize("rule_id", RULES)
def test_each_rule_finds_its_troubles(known: Known, rule_id: str) -> None:
    one = known.scores[rule_id]
    assert there(one.recall) >= 0.6, one.missed
    assert there(one.precision) >= 0.35, one.wrong


@pytest.mark.parametrize("rule_id", RULES)
def test_a_rule_whose_target_was_lost_finds_nothing(known: Known, rule_id: str) -> None:
    rule = known.pack.rule(rule_id)
    broken = scores_of(known.world, [replace(rule, target=_lost(rule.target), overrides=())], known.counted)[rule_id]
    assert broken.recall == 0


@pytest.mark.parametrize("rule_id", RULES)
def test_a_rule_whose_target_is_too_strict_cries_wolf(known: Known, rule_id: str) -> None:
    rule = known.pack.rule(rule_id)
    strict = replace(rule, target=_too_strict(rule), overrides=())
    broken = scores_of(known.world, [strict], known.counted)[rule_id]
    assert there(broken.precision) < 0.75 * there(known.scores[rule_id].precision)


def there(share: float | None) -> float:
    assert share is not None
    return share


def _lost(target: Target) -> Target:
    if target.kind is TargetKind.MIN:
        return replace(target, value=-abs(target.value) - 1)
    return replace(target, value=target.value * 1000)


def _too_strict(rule: Rule) -> Target:
    target = rule.target
    if target.kind is TargetKind.WORSE_THAN_OWN:
        return replace(target, value=0.0)
    return replace(target, value=target.value * 0.25 if target.kind is TargetKind.MAX else RARELY_REACHED[rule.metric])
