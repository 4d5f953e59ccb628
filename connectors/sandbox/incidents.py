"""The lives of a scope's incidents: from opening to closure, with their clocks and surveys.

Everything random is drawn for the whole scope at once; the loop below only puts the numbers into objects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from connectors.sandbox import levels
from connectors.sandbox.arrivals import DAY_S, Floats, Ints, local_week, opening_times, weekly_volumes
from connectors.sandbox.clocks import Changes, Clocks
from connectors.sandbox.scenario import ZONES, ScenarioScope
from connectors.sandbox.titles import CATEGORIES, ODD
from connectors.sandbox.world import TicketEvent, WorldSurvey, WorldTicket

MAJOR_SHARE = 0.0003
CANCELLED_SHARE = 0.015
NEVER_RESOLVED_SHARE = 0.0003
REOPENED_SHARE = 0.011  # as in the real log
SUPPLIER_SHARE = 0.22
SUPPLIER_LATE_SHARE = 0.15  # of the incidents that breach and have a supplier
SURVEY_SHARE = 0.80
ODD_TITLE_SHARE = 0.0005
CLOSES_AFTER_S = 5 * DAY_S  # as in the real log
REASSIGNMENTS = np.array([0.56, 0.23, 0.10, 0.04, 0.03, 0.02, 0.01, 0.005, 0.003, 0.002])  # 0 … 9, as in the log
CATEGORY_SHARES = np.array([0.24, 0.18, 0.28, 0.14, 0.16])

SERVICE_DESK = "Service Desk"


@dataclass(slots=True)
class Draws:
    """A scope's random numbers, an element a ticket. Instants in epoch seconds, durations in seconds."""

    opened: Ints
    priority: Ints
    is_major: Ints
    fate: Ints  # 0 resolved · 1 cancelled · 2 never resolved
    is_breached: Ints
    work: Ints  # without the pause
    respond: Ints  # work time until somebody begins
    hold_from: Ints  # work time at which the pause begins
    pause: Ints
    reassignments: Ints
    has_supplier: Ints
    supplier_is_late: Ints
    supplier_part: Floats
    is_reopened: Ints
    reopen_after: Ints
    rework: Ints
    is_surveyed: Ints
    answer_after: Ints  # −1: never answered
    score: Ints
    category: Ints
    title: Ints
    odd: Ints  # −1: an ordinary title
    caller: Ints
    agent: Ints
    group: Ints

    def rows(self) -> Any:
        """The same numbers as one tuple of plain Python values a ticket, in field order."""
        return zip(*(getattr(self, field.name).tolist() for field in fields(self)), strict=True)


def incidents_of(
    rng: np.random.Generator,
    scope: ScenarioScope,
    shared: levels.Shared,
    *,
    start: int,
    first_week: int,
    per_week: float,
    agents: list[str],
) -> list[WorldTicket]:
    """All incidents of one scope, by opening time; uids are given later."""
    level = levels.levels_of(rng, scope, shared, first_week=first_week)
    return incidents_at(rng, scope, level, per_week=per_week, start=start, agents=agents)


def incidents_at(
    rng: np.random.Generator,
    scope: ScenarioScope,
    level: levels.Levels,
    *,
    per_week: float | Floats,
    start: int,
    agents: list[str],
    altered: Callable[[Draws, Ints], None] | None = None,
) -> list[WorldTicket]:
    """All incidents of one scope at these levels, one a week; ``altered`` changes the draws, given their weeks."""
    weeks = len(level.breach)
    volumes = weekly_volumes(rng, per_week, weeks, phase=0.05)
    opened, week = opening_times(rng, volumes, start=start, zone=ZONES[scope.country])
    draws = _draw(rng, scope, level, opened, week, start=start, agents=len(agents))
    if altered is not None:
        altered(draws, week)
    return _build(scope, draws, agents, end=start + weeks * 7 * DAY_S)


def _draw(
    rng: np.random.Generator,
    scope: ScenarioScope,
    level: levels.Levels,
    opened: Ints,
    week: Ints,
    *,
    start: int,
    agents: int,
) -> Draws:
    count = len(opened)
    is_major = rng.random(count) < MAJOR_SHARE
    priority = np.where(is_major, 1, rng.choice(5, size=count, p=levels.PRIORITY_SHARES) + 1)
    goal_h = np.array([0, *levels.GOAL_H.values()], dtype=np.float64)[priority]
    is_breached = rng.random(count) < level.breach[week]
    work = np.maximum(levels.work_hours(rng, goal_h, is_breached) * 3600, 120)
    pause = levels.pause_hours(rng, level.pause_h[week]) * 3600
    response_goal = np.array([0, *levels.RESPONSE_GOAL_S.values()], dtype=np.float64)[priority]
    respond = np.minimum(response_goal * np.exp(rng.normal(-1.75, 1.0, size=count)), work * 0.6)
    hold_from = respond + (work - respond) * rng.uniform(0.1, 0.9, size=count)
    resolved = opened + work + pause
    answered = rng.random(count) < rng.uniform(0.32, 0.38)
    answer_after = 3600 + 3600 * np.exp(rng.normal(2.8, 0.9, size=count))
    answer_week = local_week(
        (resolved + answer_after).astype(np.int64), start=start, weeks=len(level.breach), zone=ZONES[scope.country]
    )
    groups = 1 + 3
    return Draws(
        opened=opened,
        priority=priority,
        is_major=is_major.astype(np.int64),
        fate=rng.choice(
            3,
            size=count,
            p=[1 - CANCELLED_SHARE - NEVER_RESOLVED_SHARE, CANCELLED_SHARE, NEVER_RESOLVED_SHARE],
        ),
        is_breached=is_breached.astype(np.int64),
        work=work.astype(np.int64),
        respond=np.maximum(respond, 30).astype(np.int64),
        hold_from=np.maximum(hold_from, 31).astype(np.int64),
        pause=pause.astype(np.int64),
        reassignments=rng.choice(len(REASSIGNMENTS), size=count, p=REASSIGNMENTS / REASSIGNMENTS.sum()),
        has_supplier=(rng.random(count) < (SUPPLIER_SHARE if scope.supplier else 0.0)).astype(np.int64),
        supplier_is_late=(rng.random(count) < SUPPLIER_LATE_SHARE).astype(np.int64),
        supplier_part=rng.uniform(0.1, 0.9, size=count),
        is_reopened=(rng.random(count) < REOPENED_SHARE).astype(np.int64),
        reopen_after=rng.integers(4 * 3600, 72 * 3600, size=count),
        rework=(goal_h * 3600 * rng.uniform(0.05, 0.9, size=count)).astype(np.int64),
        is_surveyed=(rng.random(count) < SURVEY_SHARE).astype(np.int64),
        answer_after=np.where(answered, answer_after, -1).astype(np.int64),
        score=levels.scores(rng, level.score_centre[answer_week]),
        category=rng.choice(len(CATEGORIES), size=count, p=CATEGORY_SHARES),
        title=rng.integers(0, 1 << 30, size=count),
        odd=np.where(rng.random(count) < ODD_TITLE_SHARE, rng.integers(0, len(ODD), size=count), -1),
        caller=rng.integers(0, 80, size=count),
        agent=rng.integers(0, agents, size=count),
        group=rng.integers(0, groups, size=count),
    )


def _build(scope: ScenarioScope, draws: Draws, agents: list[str], *, end: int) -> list[WorldTicket]:
    changes = Changes(groups=[SERVICE_DESK, f"{scope.service} Operations", f"{scope.service} Support", "Field Service"])
    categories = list(CATEGORIES)
    titles = {name: [text.format(service=scope.service) for text in texts] for name, texts in CATEGORIES.items()}
    caller_prefix = scope.customer.lower().replace(" ", "-")
    callers = [f"{caller_prefix}.user{number:02d}" for number in range(80)]
    clocks = Clocks(scope.supplier)
    tickets: list[WorldTicket] = []
    for (
        opened, priority, is_major, fate, is_breached, work, respond, hold_from, pause, reassignments, has_supplier,
        supplier_is_late, supplier_part, is_reopened, reopen_after, rework, is_surveyed, answer_after, score, category,
        title, odd, caller, agent, group,
    ) in draws.rows():  # fmt: skip
        begin = opened + respond
        assignee = agents[agent]
        events = [
            TicketEvent(opened, changes.opening(priority, bool(is_major))),
            TicketEvent(begin, changes.begin(assignee)),
        ]
        if reassignments:
            step = (hold_from - respond) / (reassignments + 1)
            for number in range(1, reassignments + 1):
                who = agents[(agent + number) % len(agents)]
                at = begin + int(step * number)
                events.append(TicketEvent(at, changes.reassign((group + number) % 4, who, number)))
        survey: WorldSurvey | None = None
        if fate == 0:
            ended = opened + work + pause
            if pause:
                events.append(TicketEvent(opened + hold_from, changes.hold))
                events.append(TicketEvent(opened + hold_from + pause, changes.resume))
            events.append(TicketEvent(ended, changes.resolve))
            slas = clocks.resolved(
                opened, priority, bool(is_breached), work, respond, hold_from, pause,
                bool(has_supplier), bool(supplier_is_late), supplier_part,
            )  # fmt: skip
            if is_reopened:
                again = ended + reopen_after
                ended = again + rework
                events.append(TicketEvent(again, changes.reopen))
                events.append(TicketEvent(ended, changes.resolve))
                slas.append(clocks.reopened(again, priority, rework))
            events.append(TicketEvent(ended + CLOSES_AFTER_S, changes.close))
            if is_surveyed:
                sent = ended + 600
                is_answered = answer_after >= 0
                survey = WorldSurvey(
                    sent, ended + answer_after if is_answered else None, score if is_answered else None
                )
        elif fate == 1:
            ended = begin + max(60, work // 4)
            events = [event for event in events if event.at < ended]
            events.append(TicketEvent(ended, changes.cancel))
            slas = clocks.cancelled(opened, priority, ended)
        else:
            slas = clocks.endless(opened, priority, respond, end)
        name = categories[category]
        texts = titles[name]
        ticket = WorldTicket(
            0, "incident", ODD[odd] if odd >= 0 else texts[title % len(texts)], scope.customer, scope.country,
            scope.service, scope.supplier if has_supplier else None, name, callers[caller], priority,
            bool(is_major), opened, events, slas, survey, None, None,
        )  # fmt: skip
        tickets.append(ticket)
    return tickets
