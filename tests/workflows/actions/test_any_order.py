"""Whatever people, platform and engine do in whatever order: no illegal state, no guard skipped, the log whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from improvement.check import Verdict
from improvement.errors import RegelkreisError
from improvement.pdca import State
from tests.workflows.build import GOLIVE, OPENED, a_person, an_action, an_approver, looked
from workflows.actions import commands, loop
from workflows.evidence import verifying
from workflows.models import Action, LookKind, Person, Role
from workflows.steps.check import slip

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]
Deed = Callable[["World"], Any]
APPROVED = {State.DOING, State.CHECKING, State.ACTING, State.SUSTAINING}
LIVE = {State.CHECKING, State.ACTING, State.SUSTAINING}


class World:
    """One action, its people, and a clock that only runs forward."""

    def __init__(self, olga: Person, paul: Person) -> None:
        self.olga, self.paul = olga, paul
        self.code = an_action(olga).code
        self.at = OPENED

    @property
    def action(self) -> Action:
        return Action.objects.get()

    def look(self, kind: str, verdict: str) -> None:
        """The next look of this kind, if one is due, gives this verdict (late work is never *improved*)."""
        found = self.action.looks.filter(kind=kind, computed_at__isnull=True, is_dropped=False)
        if found.exists():
            allowed = "improved, not attributable" if self.action.is_late and verdict == "improved" else verdict
            looked(self.action, kind=kind, verdict=allowed)
            self.at = max(self.at, self.action.last_moved_at)


def owner(name: str, **options: Any) -> Deed:
    return lambda world: getattr(commands, name)(world.olga, world.code, at=world.at, **options)


def approver(name: str, **options: Any) -> Deed:
    return lambda world: getattr(commands, name)(world.paul, world.code, at=world.at, **options)


def a_look(kind: str) -> st.SearchStrategy[Deed]:
    verdicts = st.sampled_from([verdict.value for verdict in Verdict])
    return verdicts.map(lambda verdict: lambda world: world.look(kind, verdict))


def planned_for(weeks: int) -> Deed:
    return lambda world: commands.plan(
        world.olga, world.code, at=world.at, hypothesis="A shift.", golive=GOLIVE + timedelta(weeks=weeks)
    )


def later(weeks: int) -> Deed:
    def pass_by(world: World) -> None:
        world.at += timedelta(weeks=weeks)

    return pass_by


def go_live_today(world: World) -> Any:
    return commands.golive(world.olga, world.code, at=world.at, on=world.at.date())


DEEDS: st.SearchStrategy[Deed] = st.one_of(
    st.integers(0, 40).map(planned_for),
    st.integers(1, 6).map(later),
    st.sampled_from([owner("submit"), approver("approve"), owner("approve"), approver("reject", reason="No.")]),
    st.sampled_from([owner("start"), lambda world: slip("snow", world.at), go_live_today]),
    st.sampled_from(
        [
            *(owner("hold", reason="Wait."), owner("resume", reason="Go.")),
            *(owner("reapprove", reason="More."), owner("cancel", reason="No.")),
        ]
    ),
    st.sampled_from(
        [
            *(owner("decide", decision=name, reason="So.") for name in ("standardise", "adjust", "stop")),
            *(owner("acknowledge"), owner("override", reason="Wrong.")),
            *(approver("second_override"), owner("second_override")),
        ]
    ),
    a_look(LookKind.LOOK),
    a_look(LookKind.FINAL),
    a_look(LookKind.SUSTAIN),
)
#: The usual way, so that random deeds also start from deep inside the loop.
WAY: list[Deed] = [
    planned_for(0),
    owner("submit"),
    approver("approve"),
    owner("start"),
    later(4),
    go_live_today,
    lambda world: world.look(LookKind.LOOK, "improved"),
    lambda world: world.look(LookKind.FINAL, "improved"),
    owner("decide", decision="standardise", reason="So."),
    lambda world: world.look(LookKind.SUSTAIN, "improved"),
]


def done(world: World, deed: Deed) -> None:
    """Do it; a refusal changes nothing."""
    before = facts(world.action)
    try:
        with transaction.atomic():
            deed(world)
    except RegelkreisError:
        assert facts(world.action) == before


def facts(action: Action) -> tuple[Any, ...]:
    return loop.facts_of(action), action.transitions.count(), action.reviews.count(), action.deliveries.count()


def check_invariants(action: Action) -> None:
    state = loop.facts_of(action).standing
    plan = loop.current_plan(action)
    if state in APPROVED:
        assert plan is not None
        assert plan.sha256
    for frozen in action.plans.exclude(sha256=""):
        assert frozen.approved_by is not None
        assert frozen.approved_by != action.owner
    if state in LIVE:
        assert action.implemented_on is not None
    if state is State.ACTING:
        assert action.verdict
    assert not (action.is_late and action.verdict == "improved")
    assert (action.state == State.ON_HOLD) == bool(action.held_from)
    assert (action.closed_at is not None) == (action.state in (State.CLOSED, State.CANCELLED))


def test_the_usual_way_leads_to_sustaining(home: object) -> None:
    world = World(a_person("olga", Role.SERVICE_OWNER, Role.APPROVER), an_approver())
    for deed in WAY:
        deed(world)
    assert world.action.state == "sustaining"
    assert world.action.looks.filter(kind=LookKind.SUSTAIN, computed_at__isnull=False).count() == 1


@given(st.sampled_from([0, 2, 2, 2, 3, 5, 6, 8, 8, 9, 10]), st.lists(DEEDS, min_size=5, max_size=14))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_order_of_deeds_leads_astray(home: object, way: int, deeds: list[Deed]) -> None:
    with transaction.atomic():
        world = World(a_person("olga", Role.SERVICE_OWNER, Role.APPROVER), an_approver())
        for deed in [*WAY[:way], *deeds]:
            was_over = world.action.state in (State.CLOSED, State.CANCELLED)
            state = world.action.state
            done(world, deed)
            check_invariants(world.action)
            assert not was_over or world.action.state == state
        steps = list(world.action.transitions.order_by("id").values_list("from_state", "to_state"))
        assert all(before[1] == after[0] for before, after in pairwise(steps))
        assert verifying.verify().is_ok
        transaction.set_rollback(True)
