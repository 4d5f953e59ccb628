"""The starter pack back-tested on the sandbox's two and a half years: it finds the scopes that are truly bad.

Counted here slowly and obviously from the world itself, so that neither platform nor warehouse can help.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from connectors.sandbox.generator import generate
from connectors.sandbox.levels import LINKS, TAU_H
from connectors.sandbox.scenario import BREACH, CSAT, HOURS, RULE_OF, SCOPES, START, WEEKS, ZONES, ScenarioScope
from connectors.sandbox.world import WorldTicket
from improvement import weeks
from improvement.rules import Cells, Rule, RulePack, Scope, load_pack
from improvement.rules.replaying import Replay, replay
from improvement.rules.rule import TargetKind
from improvement.rules.targets import winner

PACK = Path(__file__).parents[3] / "config" / "rules"
FIRST = weeks.week_of(START.date())
Counted = dict[tuple[Scope, int], list[float]]  # scope and week → numerator and denominator


@pytest.fixture(scope="module")
def pack() -> RulePack:
    return load_pack([PACK])


@pytest.fixture(scope="module")
def replays(pack: RulePack) -> dict[str, Replay]:
    """Each of the three rules whose truth the scenario knows, over all but the first half year."""
    counted: dict[str, dict[str, Counted]] = {metric: {} for metric in RULE_OF}
    for platform in ("servicenow", "jira"):
        tickets = [ticket for ticket in generate(platform).tickets if ticket.kind == "incident"]
        for metric in RULE_OF:
            counted[metric][platform] = weekly(metric, tickets)
    return {metric: replayed(pack.rule(RULE_OF[metric]), counted[metric]) for metric in RULE_OF}


def weekly(metric: str, tickets: list[WorldTicket]) -> Counted:
    cells: Counted = defaultdict(lambda: [0.0, 0.0])
    for ticket in tickets:
        scope = Scope.of({"customer": ticket.customer, "country": ticket.country, "service": ticket.service})
        for at, value in what_counts(metric, ticket):
            day = weeks.local_date(datetime.fromtimestamp(at, UTC), ZONES[ticket.country or ""])
            cell = cells[scope, weeks.week_of(day)]
            cell[0] += value
            cell[1] += 1
    return cells


def what_counts(metric: str, ticket: WorldTicket) -> Iterator[tuple[int, float]]:
    """(when, how much) of every record of a ticket that the metric counts."""
    if metric == BREACH:
        for clock in ticket.slas:
            if clock.target == "resolution" and clock.agreement == "sla" and not clock.cancelled:
                at = clock.breach_at if clock.breached else clock.stop
                if at is not None:
                    yield at, float(clock.breached)
    elif metric == CSAT and ticket.survey is not None and ticket.survey.answered is not None:
        yield ticket.survey.answered, float(ticket.survey.score or 0)
    elif metric == HOURS and not any(event.changes.get("state") == "cancelled" for event in ticket.events):
        done = [event.at for event in ticket.events if event.changes.get("state") == "resolved"]
        yield ticket.opened, min((done[-1] - ticket.opened) / 3600, TAU_H) if done else TAU_H


def replayed(rule: Rule, counted: dict[str, Counted]) -> Replay:
    def cells(of: Counted) -> Cells:
        kept = [(scope, week, *cell) for (scope, week), cell in of.items() if week < FIRST + WEEKS]
        columns = {name: pa.array([scope.get(name) for scope, *_ in kept]) for name in rule.by}
        columns["week"] = pa.array([week for _, week, *_ in kept], pa.int64())
        columns["numerator"] = pa.array([top for *_, top, _ in kept])
        columns["denominator"] = columns["n"] = pa.array([bottom for *_, bottom in kept])
        return Cells.of(pa.table(columns), rule.by)

    return replay(
        [rule],
        {platform: {rule.key: cells(of)} for platform, of in counted.items()},
        span=range(FIRST + 26, FIRST + WEEKS),
        limits=load_pack([PACK]).limits,
        owner_of=lambda *_: None,
        lasting=lambda rule: 17,
    )


def is_truly_bad(rule: Rule, scope: ScenarioScope) -> bool:
    """Whether the scope's true level, without any noise, lies beyond its target for as long as the rule asks."""
    course = true_course(rule.metric, scope)
    run = 0
    for week in range(rule.window_weeks, WEEKS):
        target, _ = winner(rule, Scope.parse(scope.key), weeks.sunday(FIRST + week))
        value = course[week - rule.window_weeks + 1 : week + 1].mean()
        run = run + 1 if (value > target.value if target.kind is TargetKind.MAX else value < target.value) else 0
        if run >= rule.for_values:
            return True
    return False


def true_course(metric: str, scope: ScenarioScope) -> npt.NDArray[np.float64]:
    """The level of every week: the scenario's knots, joined on the metric's scale; else what is usual there."""
    if scope.metric != metric:
        return np.full(WEEKS, {BREACH: scope.breach, CSAT: scope.csat, HOURS: scope.hours}[metric])
    to_link, from_link = LINKS[metric]
    at, levels = np.array(scope.course, dtype=np.float64).T
    return from_link(np.interp(np.arange(WEEKS), at, to_link(levels)))


def test_what_it_finds_is_bad_and_what_is_bad_it_finds(pack: RulePack, replays: dict[str, Replay]) -> None:
    bad, found = set(), set()
    for metric, replay_ in replays.items():
        rule = pack.rule(RULE_OF[metric])
        bad |= {(metric, scope.platform, scope.key) for scope in SCOPES if is_truly_bad(rule, scope)}
        found |= {(metric, one.series.connection, one.series.scope.key) for one in replay_.episodes}
    precision, recall = len(bad & found) / len(found), len(bad & found) / len(bad)
    print(f"\n{len(SCOPES)} scopes × {len(replays)} rules: {len(bad)} truly bad, {len(found)} found")
    print(f"precision {precision:.0%} ({len(bad & found)} of {len(found)}), recall {recall:.0%}")
    for one in sorted(found - bad):
        print("  found and not bad:", *one)
    for one in sorted(bad - found):
        print("  bad and not found:", *one)
    assert len(bad) >= 10
    assert precision >= 0.8
    assert recall >= 0.9
