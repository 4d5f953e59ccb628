"""A rule has one goal for all its scopes; on the reference of one of them it may have no meaning."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from django.utils.translation import override

from improvement.errors import GuardRefused, InputError
from tests.workflows.build import GOLIVE, OPENED, a_person, an_action, planned
from tests.workflows.platform import MemoryPlatform
from workflows import access, cycle
from workflows.actions import commands, planning
from workflows.evidence import verifying
from workflows.models import Action, Connection, Person, ReviewRecord, Role
from workflows.web import reasons

pytestmark = pytest.mark.django_db
FLAWLESS, BAD = {0: 0.0, 74: 0.3, 86: 0.0}, {0: 0.1, 74: 0.26}


def test_a_scope_that_was_flawless_and_turns_bad_gets_its_action_and_holds_up_nobody(
    home: Path, monday: datetime
) -> None:
    platform = MemoryPlatform(scopes={"Mail": FLAWLESS, "ERP": BAD, **{f"Quiet{number}": {0: 0.08} for number in "12"}})
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    olga, paul = a_person("olga", Role.SERVICE_OWNER), a_person("paul", Role.APPROVER)

    def ran(first: datetime, weeks: int) -> None:
        for number in range(weeks):
            assert cycle.run_with([platform], as_of=first + timedelta(weeks=number)).errors == []

    ran(monday, 2)
    assert sorted(action.scope["service"] for action in Action.objects.all()) == ["ERP", "Mail"]
    code = next(action.code for action in Action.objects.all() if action.scope["service"] == "Mail")
    at, live = monday + timedelta(weeks=1), monday + timedelta(weeks=8)
    commands.plan(olga, code, at=at, hypothesis="A second shift.", golive=live.date())
    with pytest.raises(GuardRefused, match=r"A goal of -50% would take a rate of 0.0% to 0.0%: .* give a reason"):
        commands.submit(olga, code, at=at)
    commands.plan(olga, code, at=at, accept_detectable="It was flawless, and shall be again.")
    commands.submit(olga, code, at=at)
    commands.approve(paul, code, at=at)
    commands.start(olga, code, at=at)
    ran(at + timedelta(weeks=1), 7)
    commands.golive(olga, code, at=live, on=live.date(), ref="CHG1")
    ran(live + timedelta(weeks=1), 15)
    action = commands.find(code)
    assert (action.state, action.verdict) == ("acting", "not enough data")
    assert ReviewRecord.objects.get(kind="final", action=action).document["results"]["verdict"] == "not enough data"
    assert "target" not in {name for name, value in planning.outbound_fields(action).items() if value}
    assert verifying.verify().is_ok


@pytest.fixture
def satisfied(olga: Person) -> Action:
    action = an_action(olga, metric="first_contact_resolution_rate", goal="+30%")
    action.measurement |= {"baseline": 0.8}
    action.save()
    return action


def test_a_goal_beyond_all_is_told_before_the_plan_is_handed_in(olga: Person, satisfied: Action) -> None:
    commands.plan(olga, satisfied.code, at=OPENED, hypothesis="Trained.", golive=GOLIVE)
    with pytest.raises(GuardRefused, match=r"would take a rate of 80.0% to 104.0%: set another goal"):
        commands.submit(olga, satisfied.code, at=OPENED)
    assert planning.target_text(commands.find(satisfied.code)) is None
    with pytest.raises(InputError, match=r"would take a rate of 80.0% to 104.0%"):
        commands.plan(olga, satisfied.code, at=OPENED, goal="+30%")
    commands.plan(olga, satisfied.code, at=OPENED, goal="+10%")
    assert commands.submit(olga, satisfied.code, at=OPENED).state == "planned"


def test_a_reader_of_german_is_told_in_german(olga: Person, satisfied: Action) -> None:
    with pytest.raises(GuardRefused) as refused:
        commands.submit(olga, satisfied.code, at=OPENED)
    with override("de"):
        (told,) = [reasons.translated(one) for one in refused.value.reasons if "rate" in one]
    assert told.startswith("Ein Ziel von +30% brächte einen Anteil von 80,0% auf 104,0%: setzen Sie ein anderes Ziel")


def test_a_least_effect_that_cannot_be_expressed_is_told_too(olga: Person, satisfied: Action) -> None:
    Action.objects.filter(pk=satisfied.pk).update(goal="+10%", min_effect="+26%", hypothesis="x", golive_planned=GOLIVE)
    with pytest.raises(GuardRefused, match=r"A goal of \+26% would take"):
        commands.submit(olga, satisfied.code, at=OPENED)


def test_what_is_written_meanwhile_is_kept_where_another_goal_is_refused(olga: Person, satisfied: Action) -> None:
    commands.plan(olga, satisfied.code, at=OPENED, hypothesis="Trained.", golive=date(2025, 9, 22), goal="+10%")
    with pytest.raises(InputError):
        commands.plan(olga, satisfied.code, at=OPENED, hypothesis="Others.", goal="+26%")
    assert commands.find(satisfied.code).hypothesis == "Trained."


def test_no_plan_becomes_by_a_change_what_could_not_have_been_handed_in(home: Path) -> None:
    olga, paul = a_person("olga", Role.SERVICE_OWNER), a_person("paul", Role.APPROVER)
    action = planned(an_action(olga))
    with pytest.raises(GuardRefused) as refused:
        commands.plan(olga, action.code, at=OPENED, goal="-2%", hypothesis="")
    assert "the hypothesis is missing" in refused.value.reasons
    assert any("smaller than the smallest detectable effect" in reason for reason in refused.value.reasons)
    commands.plan(olga, action.code, at=OPENED, goal="-2%", accept_detectable="It is worth trying.")
    with pytest.raises(GuardRefused, match="give a reason to go on nevertheless"):
        commands.plan(olga, action.code, at=OPENED, accept_detectable="")
    commands.approve(paul, action.code, at=OPENED)
    document = Action.objects.get(pk=action.pk).plans.get().document
    assert (document["goal"], document["detectable_accepted"]) == ("-2%", True)


def test_what_was_missing_before_does_not_stand_in_the_way_of_another_change(home: Path) -> None:
    action = planned(an_action(a_person("olga", Role.SERVICE_OWNER)))
    Action.objects.filter(pk=action.pk).update(owner=None, hypothesis="")  # as people may do it on the platform
    commands.plan(access.local_admin(), action.code, at=OPENED, goal="-40%")
    assert Action.objects.get(pk=action.pk).plans.get().document["goal"] == "-40%"
