"""Who may open, own and approve: the right on the scope is asked everywhere, and nobody owns what they approved."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from improvement.errors import GuardRefused, InputError, PermissionMissing
from tests.workflows.build import OPENED, a_connection, a_person, an_action, an_approver, an_owner, planned
from workflows import access
from workflows.actions import commands, opening
from workflows.models import Action, Person, Role

pytestmark = pytest.mark.django_db
LATER = OPENED + timedelta(days=2)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR, Role.APPROVER])
def test_who_is_no_service_owner_of_the_scope_opens_nothing(home: Path, role: Role, settings: Any) -> None:
    a_connection()
    settings.REGELKREIS = settings.REGELKREIS.model_copy(update={"connections": {"snow": object()}})
    person = a_person("alma", role)
    access.grant(person, Role.SERVICE_OWNER, at=OPENED, by=access.local_admin(), customer="Globex")
    with pytest.raises(PermissionMissing, match="alma is no service owner for customer=Acme"):
        opening.open_by_person(
            person,
            connection="snow",
            metric="sla_breach_rate",
            scope="customer=Acme",
            goal="-30%",
            title="",
            where="sla.target=resolution",
            at=OPENED,
        )
    assert not Action.objects.exists()


def test_a_connection_that_left_the_settings_is_none_to_open_an_action_on(home: Path, settings: Any) -> None:
    olga = an_owner()
    for name in ("snow", "gone"):
        a_connection(name)

    def opened_on(connection: str) -> None:
        what = {"metric": "sla_breach_rate", "scope": "customer=Acme", "goal": "-30%", "title": "", "where": ""}
        opening.open_by_person(olga, connection=connection, at=OPENED, **what)

    settings.REGELKREIS = settings.REGELKREIS.model_copy(update={"connections": {"snow": object(), "new": object()}})
    for name in ("nosuch", "gone"):
        with pytest.raises(InputError, match=rf"no connection “{name}”\. Connections in regelkreis\.toml: new, snow\."):
            opened_on(name)
    with pytest.raises(InputError, match=r"Nothing was read from new yet\. Run `regelkreis pull new` first"):
        opened_on("new")
    with pytest.raises(InputError, match=r"Connections in regelkreis\.toml: new, snow\."):
        commands.set_write(access.local_admin(), "nosuch", True, at=OPENED)


def test_an_owner_whose_right_was_taken_away_does_nothing_any_more(home: Path) -> None:
    olga = an_owner()
    action = an_action(olga)
    access.revoke(olga, Role.SERVICE_OWNER, at=OPENED, by=access.local_admin())
    with pytest.raises(PermissionMissing, match=f"olga is no service owner for {action.code}"):
        commands.plan(olga, action.code, at=LATER, hypothesis="It was mine.")


def test_a_rule_makes_nobody_the_owner_who_has_no_right_on_the_scope(home: Path) -> None:
    vera, olga = a_person("vera", Role.VIEWER), an_owner()
    assert access.owner_for("snow", {"customer": "Acme"}, vera.username) is None
    assert access.owner_for("snow", {"customer": "Acme"}, olga.username) == olga


def test_a_rules_role_is_the_one_person_whose_right_fits_closest_and_of_two_alike_nobody(home: Path) -> None:
    scope = {"customer": "Acme", "service": "Mail"}
    assert access.owner_for("snow", scope, Role.SERVICE_OWNER) is None  # the local administrator is nobody's owner
    olga = an_owner()
    assert access.owner_for("snow", scope, Role.SERVICE_OWNER) == olga
    closer = a_person("mia")
    access.grant(closer, Role.SERVICE_OWNER, at=OPENED, by=access.local_admin(), customer="Acme", service="Mail")
    assert access.owner_for("snow", scope, Role.SERVICE_OWNER) == closer
    assert access.owner_for("snow", {"customer": "Globex"}, Role.SERVICE_OWNER) == olga
    alike = a_person("nora")
    access.grant(alike, Role.SERVICE_OWNER, at=OPENED, by=access.local_admin(), customer="Acme", service="Mail")
    assert access.owner_for("snow", scope, Role.SERVICE_OWNER) is None


def test_somebody_of_another_role_owns_only_what_they_could_act_on(home: object) -> None:
    scope, admin = {"customer": "Acme"}, access.local_admin()
    paul = a_person("paul")
    access.grant(paul, Role.APPROVER, at=paul.date_joined, by=admin)
    assert access.owner_for("snow", scope, Role.APPROVER) is None
    access.grant(paul, Role.SERVICE_OWNER, at=paul.date_joined, by=admin, customer="Acme")
    assert access.owner_for("snow", scope, Role.APPROVER) == paul
    assert access.owner_for("snow", {"customer": "Globex"}, Role.APPROVER) is None


@pytest.fixture
def both(home: Path) -> Person:
    """Paul approves, and could own as well."""
    person = an_approver()
    access.grant(person, Role.SERVICE_OWNER, at=OPENED, by=access.local_admin())
    return person


def test_whoever_approved_the_plan_cannot_be_made_its_owner(both: Person) -> None:
    olga = an_owner()
    action = planned(an_action(olga))
    commands.approve(both, action.code, at=LATER)
    with pytest.raises(GuardRefused, match="whoever approved the plan cannot own the action"):
        commands.assign(olga, action.code, both, at=LATER)
    commands.reapprove(olga, commands.start(olga, action.code, at=LATER).code, at=LATER, reason="We want more.")
    commands.assign(olga, action.code, both, at=LATER)
    with pytest.raises(GuardRefused, match="the owner cannot approve their own plan"):
        commands.approve(both, action.code, at=LATER)


def test_whoever_approved_the_plan_does_not_own_it_by_nobody_else_doing_so(both: Person) -> None:
    action = planned(an_action(an_owner()))
    commands.approve(both, action.code, at=LATER)
    Action.objects.filter(pk=action.pk).update(owner=None)
    with pytest.raises(PermissionMissing, match="does not own"):
        commands.start(both, action.code, at=LATER)
