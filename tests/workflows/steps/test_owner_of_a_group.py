"""A group's action belongs to somebody who may act on all of its parent, or to nobody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import translation

from tests.workflows.build import a_connection, a_person, an_action
from tests.workflows.platform import MemoryPlatform
from workflows import access, cycle
from workflows.actions import commands
from workflows.models import Action, Finding, Person, Role
from workflows.web.reasons import translated

pytestmark = pytest.mark.django_db
SERVICES = ("Mail", "ERP", "Shop", "Net")
BUDGET = "kind: Defaults\napiVersion: regelkreis/v1\nspec: {limits: {budget: 1}}\n---\n"
Lived = Callable[[], None]


@pytest.fixture
def mia(home: Path) -> Person:
    """Owns Acme's Mail, the worst of all, and nothing else."""
    return an_owner("mia", customer="Acme", service="Mail")


def an_owner(name: str, **limits: str) -> Person:
    person = a_person(name)
    access.grant(person, Role.SERVICE_OWNER, at=person.date_joined, by=access.local_admin(), **limits)
    return person


@pytest.fixture
def lived(home: Path, monday: datetime) -> Lived:
    """Two cycles; in the second four services of Acme have fired long enough."""

    def live() -> None:
        rates = {name: {0: 0.05, 70: 1.0 if name == "Mail" else 0.35} for name in SERVICES}
        a_connection()
        for week in range(2):
            platform = MemoryPlatform(scopes=rates)
            assert cycle.run_with([platform], as_of=monday + timedelta(weeks=week)).errors == []

    return live


def test_it_is_whoever_owns_the_parent_and_they_can_act(lived: Lived, mia: Person, monday: datetime) -> None:
    olga = an_owner("olga", customer="Acme")
    lived()
    action = Action.objects.get()
    assert (action.scope, action.trigger["scopes"][0]) == (
        {"customer": "Acme"},
        "country=CH,customer=Acme,service=Mail",
    )
    assert action.owner == olga
    at = monday + timedelta(weeks=1, hours=1)
    planned = commands.plan(olga, action.code, at=at, hypothesis="A second shift.", golive=date(2025, 9, 1))
    assert planned.hypothesis == "A second shift."


def test_where_nobody_owns_the_parent_it_has_no_owner_and_says_why(lived: Lived, mia: Person) -> None:
    lived()
    action = Action.objects.get()
    assert action.owner is None
    (opened,) = action.transitions.filter(event="open")
    assert opened.note == "no one person's rights fit all of customer=Acme, so it has no owner"


def test_where_the_actions_of_nobody_are_too_many_the_queue_says_both(lived: Lived, mia: Person, home: Path) -> None:
    file = home / "rules" / "sla.yaml"
    file.write_text(BUDGET + file.read_text(encoding="utf-8"), encoding="utf-8")
    an_action(None)
    Action.objects.update(platform_id="")  # it waits to be written
    lived()
    assert Action.objects.count() == 1
    firing = Finding.objects.filter(rule_id="sla", state="firing")
    (reason,) = set(firing.values_list("queue_reason", flat=True))
    assert firing.count() == 4
    assert reason == (
        "no one person's rights fit all of customer=Acme, so it has no owner; actions without an owner: 1 open "
        "action; the budget is 1"
    )


@pytest.mark.parametrize(
    ("reason", "german"),
    [
        (
            "no one person's rights fit all of customer=Acme, so it has no owner; actions without an owner: 7 open "
            "actions; the budget is 7",
            "niemandes Rechte allein passen auf ganz Acme, daher hat sie keinen Eigner; Maßnahmen ohne "
            "Eigner: 7 offen, das Budget ist 7",
        ),
        (
            "actions without an owner: 7 open actions; the budget is 7",
            "Maßnahmen ohne Eigner: 7 offen; das Budget ist 7",
        ),
        ("olga has 7 open actions; the budget is 7", "olga hat 7 offene Maßnahmen; das Budget ist 7"),
        ("5 new actions in this cycle are enough", "5 neue Maßnahmen in diesem Zyklus sind genug"),
        ("cooling down until 2026-W03 after the last action", "ruht bis 2026-W03 nach der letzten Maßnahme"),
    ],
)
def test_why_it_waits_is_told_in_german_too(reason: str, german: str) -> None:
    with translation.override("de"):
        assert translated(reason) == german
