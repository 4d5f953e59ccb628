"""Writing to a platform is switched on by an administrator who wrote none of the rules that write through it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from improvement.errors import GuardRefused, PermissionMissing
from tests.workflows.build import OPENED, a_connection, a_person
from tests.workflows.conftest import RULE
from workflows import access
from workflows.actions import commands
from workflows.models import Connection, LedgerEntry, Person, Role
from workflows.rules import applying, writers

pytestmark = pytest.mark.django_db
LATER = OPENED + timedelta(days=1)
PROPOSING = RULE.replace("mode: open", "mode: propose")


@pytest.fixture
def admin(home: Path) -> Person:
    (home / "rules" / "sla.yaml").write_text(PROPOSING, encoding="utf-8")
    a_connection("snow", may_write=False)
    return access.local_admin()


def switched() -> dict[str, Any]:
    entry = LedgerEntry.objects.filter(type="connection.write").order_by("-index")[0]
    return dict(json.loads(bytes(entry.data))["payload"])


def may_write() -> bool:
    return Connection.objects.get(name="snow").may_write


def test_whoever_wrote_a_rule_does_not_switch_on_what_it_writes_through(admin: Person) -> None:
    applying.apply(admin, None, at=OPENED)
    with pytest.raises(GuardRefused) as caught:
        commands.set_write(admin, "snow", True, at=LATER)
    assert "admin wrote rules that write through it (sla)" in str(caught.value)
    assert "users grant NAME --role admin" in str(caught.value)
    assert "allow_own_approval" in str(caught.value)
    assert not may_write()
    assert not LedgerEntry.objects.filter(type="connection.write").exists()
    commands.set_write(a_person("ada", Role.ADMIN), "snow", True, at=LATER)
    assert may_write()
    assert switched() == {"write": "on"}


def test_it_is_switched_off_by_any_administrator(admin: Person) -> None:
    applying.apply(admin, None, at=OPENED)
    Connection.objects.update(may_write=True)
    commands.set_write(admin, "snow", False, at=LATER)
    assert not may_write()
    assert switched() == {"write": "off"}


def test_a_small_team_waives_the_second_person_and_the_ledger_says_so(admin: Person, settings: Any) -> None:
    applying.apply(admin, None, at=OPENED)
    settings.REGELKREIS = settings.REGELKREIS.model_copy(update={"allow_own_approval": True})
    commands.set_write(admin, "snow", True, at=LATER)
    assert may_write()
    assert switched() == {"write": "on", "second_person": "waived"}


def test_who_applied_what_another_wrote_may_switch_it_on(admin: Person) -> None:
    ada = a_person("ada", Role.ADMIN)
    applying.apply(admin, None, at=OPENED, author="ada")
    with pytest.raises(GuardRefused, match="ada wrote rules"):
        commands.set_write(ada, "snow", True, at=LATER)
    commands.set_write(admin, "snow", True, at=LATER)
    assert switched() == {"write": "on"}


def test_applying_it_again_with_other_limits_takes_no_rule_from_its_author(admin: Person, home: Path) -> None:
    applying.apply(admin, None, at=OPENED)
    limits = "apiVersion: regelkreis/v1\nkind: Defaults\nspec: {limits: {budget: 2}}\n"
    (home / "rules" / "defaults.yaml").write_text(limits, encoding="utf-8")
    a_person("ada", Role.ADMIN)
    applying.apply(admin, None, at=LATER, author="ada")
    with pytest.raises(GuardRefused, match="admin wrote rules"):
        commands.set_write(admin, "snow", True, at=LATER)


def test_a_rule_that_only_observes_writes_nothing(admin: Person, home: Path) -> None:
    (home / "rules" / "sla.yaml").write_text(RULE.replace("mode: open", "mode: observe"), encoding="utf-8")
    applying.apply(admin, None, at=OPENED)
    commands.set_write(admin, "snow", True, at=LATER)
    assert switched() == {"write": "on"}


def test_of_a_rule_that_only_a_file_made_live_nobody_knows_who_wrote_it(admin: Person) -> None:
    assert writers.of_nobody_known() == ["sla"]
    commands.set_write(admin, "snow", True, at=LATER)
    assert switched() == {"write": "on", "second_person": "unknown"}


def test_who_is_no_administrator_switches_nothing(admin: Person) -> None:
    with pytest.raises(PermissionMissing, match="is no administrator"):
        commands.set_write(a_person("olga", Role.SERVICE_OWNER), "snow", True, at=LATER)


def test_many_rules_are_named_in_a_sentence() -> None:
    assert writers.named(list("abcdefg")) == "a, b, c, d, e and 2 more"
    assert writers.named(["a", "b"]) == "a, b"
