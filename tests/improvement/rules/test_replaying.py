"""Replaying history: the same judgement as a live cycle, and actions that stay open as long as somebody says."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from improvement.rules import Cells, Limits, Rule, Scope
from improvement.rules.backtesting import months, placebo, tally, workload
from improvement.rules.replaying import CellsOf, Replay, replay
from improvement.rules.rule import Target, TargetKind
from improvement.rules.stricter import scaled, scaled_target
from improvement.rules.untreated import _band
from tests.improvement.rules.build import ACME, a_rule, some_cells

FIRST = 2900
GOOD, BAD = (1, 40), (12, 40)


def nobody_acted(*_: object) -> bool:
    return False


def replayed(
    rule: Rule,
    courses: dict[Scope, Sequence[tuple[float, float]]],
    *,
    begin: int = 4,
    lasting: int | None = None,
    limits: Limits | None = None,
) -> Replay:
    """From week ``begin`` of the given ones to their end, on one connection."""
    last = FIRST + max(map(len, courses.values())) - 1
    return replay(
        [rule],
        the_cells(rule, courses),
        span=range(FIRST + begin, last + 1),
        limits=limits or Limits(),
        owner_of=lambda connection, scope, owner: f"{owner} of {scope.get('service')}",
        lasting=lambda rule: lasting,
    )


def the_cells(rule: Rule, courses: dict[Scope, Sequence[tuple[float, float]]]) -> CellsOf:
    return {"snow": {rule.key: Cells.of(some_cells(courses, first_week=FIRST), rule.by)}}


def mail(service: str = "Mail") -> Scope:
    return Scope.of({**ACME.as_dict(), "service": service})


def test_what_fires_in_history_opens_with_the_second_cycle(tmp_path: Path) -> None:
    found = replayed(a_rule(tmp_path), {ACME: [GOOD, *[BAD] * 9]})
    (episode,) = found.episodes
    assert (episode.is_old, episode.fired_week) == (True, FIRST + 2)  # bad in the second week and the third
    assert [action.week for action in found.actions] == [FIRST + 5]
    assert found.queue[0].waiting == 1


def test_a_finding_inside_the_span_opens_at_once_and_is_resolved(tmp_path: Path) -> None:
    found = replayed(a_rule(tmp_path), {ACME: [*[GOOD] * 8, *[BAD] * 4, *[GOOD] * 8]})
    (episode,) = found.episodes
    assert (episode.is_old, episode.opened_week == episode.fired_week) == (False, True)
    assert episode.resolved_week is not None
    assert episode.resolved_week > episode.fired_week


def test_a_closed_action_is_followed_by_another_after_the_cooldown(tmp_path: Path) -> None:
    rule = a_rule(tmp_path, "cooldown: 3w")
    opened = [action.week for action in replayed(rule, {ACME: [BAD] * 30}, lasting=5).actions]
    assert opened[0] == FIRST + 5
    assert [later - before for before, later in pairwise(opened)] == [9, 9]  # 5 open, 3 rest
    assert len(replayed(rule, {ACME: [BAD] * 30}, lasting=None).actions) == 1


def test_the_budget_of_an_owner_holds_over_the_weeks(tmp_path: Path) -> None:
    rule = a_rule(tmp_path)
    courses = {mail(name): [BAD] * 12 for name in ("A", "B", "C")}
    found = replayed(rule, courses, limits=Limits(max_new_actions=1))
    assert [action.week for action in found.actions] == [FIRST + 5, FIRST + 6, FIRST + 7]
    assert [one.waiting for one in found.queue[:4]] == [3, 2, 1, 0]
    (a, b, c) = workload(found, budget=1)
    assert (a.owner, a.opened, a.most_open) == ("service-owner of A", 1, 1)
    assert (a.weeks_at_budget, b.weeks_at_budget, c.weeks_at_budget) == (7, 6, 5)


def test_many_scopes_of_a_customer_are_one_action(tmp_path: Path) -> None:
    courses = {mail(name): [BAD] * 12 for name in ("A", "B", "C", "D")}
    (action,) = replayed(a_rule(tmp_path), courses).actions
    assert (action.scope, len(action.members)) == (Scope.of({"customer": "Acme"}), 4)


def test_what_cleared_by_itself_is_counted_where_it_could_be_followed(tmp_path: Path) -> None:
    rule = a_rule(tmp_path)
    courses = {
        mail("clears"): [*[GOOD] * 8, *[BAD] * 4, *[GOOD] * 20],
        mail("stays"): [*[GOOD] * 8, *[BAD] * 24],
        mail("young"): [*[GOOD] * 26, *[BAD] * 6],
        mail("quick"): [*[GOOD] * 22, *[BAD] * 3, *[GOOD] * 7],
        mail("old"): [BAD] * 32,
    }
    found = replayed(rule, courses)
    told = tally(rule, found, the_cells(rule, courses), acted=nobody_acted)
    assert (told.firing_at_start, told.fired, told.resolved, told.firing_at_end) == (1, 4, 2, 3)
    assert (told.placebo.followed, told.placebo.cleared, told.placebo.too_new) == (2, 1, 2)
    assert told.placebo.share == 0.5
    assert sum(month.fired for month in months(found)) == 4
    acted_on = placebo(found.episodes, last_week=found.last_week, acted=lambda *_: True)
    assert (acted_on.followed, acted_on.acted) == (0, 5)


def test_a_fifth_stricter_means_stricter_on_every_side(tmp_path: Path) -> None:
    assert scaled_target(Target(TargetKind.MAX, 0.1), 0.8, True).value == 0.08
    assert scaled_target(Target(TargetKind.MAX, 0.9), 1.2, True).value == 1.0
    assert scaled_target(Target(TargetKind.MIN, 0.9), 0.8, True).value == 0.92
    assert scaled_target(Target(TargetKind.MIN, 4.0), 0.8, False).value == 5.0
    assert scaled_target(Target(TargetKind.WORSE_THAN_OWN, 0.5, True, 52), 1.2, True).value == 0.6
    rule = a_rule(tmp_path, "overrides:\n  - {when: {country: DE}, target: {max: 5%}}")
    other = scaled(rule, 0.8)
    assert (other.target.value, other.overrides[0].target.value) == (0.08, 0.04)
    assert other.series_sha256 == rule.series_sha256
    assert other.sha256 != rule.sha256


def test_left_alone_a_scope_looks_better_by_itself(tmp_path: Path) -> None:
    rule = a_rule(tmp_path)
    after = [(6, 40)] * 30
    courses = {mail("calms"): [*[GOOD] * 8, *[BAD] * 3, *after], mail("stays"): [*[GOOD] * 8, *[BAD] * 33]}
    found = replayed(rule, courses)
    line = tally(rule, found, the_cells(rule, courses), acted=nobody_acted).untreated
    by_name = {one.series.scope.get("service"): one for one in found.episodes}
    assert (line.firings, line.unit, line.delay_weeks) == (2, "odds ratio", 5)

    def odds_ratio(name: str, fired: int, first: int) -> float:
        def pooled(start: int, end: int) -> tuple[float, float]:
            part = courses[mail(name)][start - FIRST : end - FIRST + 1]
            return sum(top for top, _ in part), sum(bottom for _, bottom in part)

        (y, n), (z, m) = pooled(first, fired), pooled(fired + 6, fired + 18)
        return ((z + 0.5) / (m - z + 0.5)) / ((y + 0.5) / (n - y + 0.5))

    each = [odds_ratio(name, one.fired_week, one.fired_week - 4) for name, one in by_name.items() if name]
    assert line.effect == pytest.approx((each[0] * each[1]) ** 0.5)
    assert "2 firings that nobody acted on" in line.sentence
    acted_on = tally(rule, found, the_cells(rule, courses), acted=lambda *_: True).untreated
    assert (acted_on.firings, acted_on.effect) == (0, None)
    assert (line.low, line.high) == (None, None)  # two firings show no spread


def test_eight_in_ten_firings_lie_in_the_band(tmp_path: Path) -> None:
    """Six scopes that calm down to different levels: six are few, so the band ends .3 of a step past the outermost."""
    rule = a_rule(tmp_path)
    levels = [4, 6, 8, 10, 12, 14]
    courses = {mail(f"s{y}"): [*[GOOD] * 8, *[BAD] * 3, *[(y, 40)] * 30] for y in levels}
    line = tally(rule, replayed(rule, courses), the_cells(rule, courses), acted=nobody_acted).untreated
    assert line.firings == 6
    ratios = [
        tally(rule, replayed(rule, one), the_cells(rule, one), acted=nobody_acted).untreated.effect
        for one in ({scope: course} for scope, course in courses.items())
    ]
    links = sorted(math.log(ratio) for ratio in ratios if ratio is not None)
    assert line.low == pytest.approx(math.exp(1.3 * links[0] - 0.3 * links[1]))
    assert line.high == pytest.approx(math.exp(1.3 * links[-1] - 0.3 * links[-2]))
    assert line.effect == pytest.approx(math.exp(sum(links) / 6))


@pytest.mark.parametrize("firings", [3, 4, 6, 9, 12, 25])
def test_one_more_firing_would_lie_in_the_band_about_eight_times_in_ten(firings: int) -> None:
    chosen = random.Random(firings)
    inside = 0
    for _ in range(2000):
        *known, another = (chosen.gauss(-0.4, 0.3) for _ in range(firings + 1))
        low, high = _band(known)
        assert sum(low - 1e-9 <= one <= high + 1e-9 for one in known) >= 0.8 * firings
        inside += low <= another <= high
    assert inside / 2000 == pytest.approx(0.8, abs=0.17 if firings < 6 else 0.05)  # three hardly show a spread
