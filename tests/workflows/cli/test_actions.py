"""A person works on an action from the command line, as themselves."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from improvement import weeks
from improvement.errors import GuardRefused, InputError, PermissionMissing
from improvement.pdca import State
from workflows import access
from workflows.cli.main import build
from workflows.models import Action, Connection, LedgerEntry, Origin, Person, Role

pytestmark = pytest.mark.django_db
OPENED = datetime(2025, 8, 18, 12, tzinfo=UTC)
TRIGGER_ENDS = weeks.week_of(date(2025, 8, 17))


@pytest.fixture
def admin() -> Person:
    return access.local_admin()


@pytest.fixture
def tokens(admin: Person) -> dict[str, str]:
    """Olga owns, Adam approves; each with a token."""
    found = {}
    for name, role in (("olga", Role.SERVICE_OWNER), ("adam", Role.APPROVER)):
        person = access.add_person(name, at=OPENED, by=admin)
        access.grant(person, role, at=OPENED, by=admin)
        found[name] = access.new_token(person, label="test", at=OPENED, by=admin)
    return found


@pytest.fixture
def action(tokens: dict[str, str]) -> Action:
    """An action that fired in August, measured and ready to be planned."""
    Connection.objects.create(name="snow", platform="servicenow")
    return Action.objects.create(
        origin=Origin.RULE,
        rule_id="incident-resolution-sla",
        connection="snow",
        scope_key="country=CH,customer=Acme",
        scope={"country": "CH", "customer": "Acme"},
        metric="sla_breach_rate",
        title="Late resolutions for Acme",
        state=State.PROPOSED.value,
        owner=Person.objects.get(username="olga"),
        trigger={"from_week": TRIGGER_ENDS - 4, "to_week": TRIGGER_ENDS},
        measurement={
            "baseline": 0.12,
            "windows": {"reference": {}},
            "controls": ["country=CH,customer=Globex"],
            "detectable": {"link": 0.3},
            "earliest_week": TRIGGER_ENDS - 60,
        },
        opened_at=OPENED,
        last_moved_at=OPENED,
    )


def said(monkeypatch: pytest.MonkeyPatch, token: str | None, *arguments: str) -> Result:
    """Run a command as the person of a token (None: the local administrator)."""
    if token is None:
        monkeypatch.delenv("REGELKREIS_TOKEN", raising=False)
    else:
        monkeypatch.setenv("REGELKREIS_TOKEN", token)
    return CliRunner().invoke(build(), list(arguments))


def test_an_action_is_planned_approved_and_goes_live(
    action: Action, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ran(who: str, *arguments: str, days: int) -> str:
        at = (OPENED + timedelta(days=days)).isoformat()
        result = said(monkeypatch, tokens[who], "actions", *arguments, "--as-of", at)
        assert result.exception is None, result.exception
        return result.stdout

    planned = ran(
        "olga", "plan", "ACT-" + str(action.pk), "--hypothesis", "The night desk is not staffed.", "--goal", "-30%",
        "--golive", "2025-09-15", days=1,
    )  # fmt: skip
    assert planned == f"{action.code} is proposed: Late resolutions for Acme\n"
    ran("olga", "plan", action.code, "--golive", "2025-09-22", "--due", "", days=1)
    action.refresh_from_db()
    assert (action.golive_planned, action.due) == (date(2025, 9, 22), None)
    ran("olga", "plan", action.code, "--golive", "2025-09-15", "--due", "2025-12-24", days=1)
    assert "is planned" in ran("olga", "submit", action.code, days=2)
    assert "is planned" in ran("adam", "approve", action.code, days=3)
    assert "is doing" in ran("olga", "start", action.code, days=4)
    live = ran("olga", "golive", action.code, "--on", "2025-09-15", "--ref", "CHG0030012", "--json", days=30)
    assert (json.loads(live)["state"], json.loads(live)["is_late"]) == ("checking", False)
    action.refresh_from_db()
    adam = Person.objects.get(username="adam")
    assert action.plans.get().approved_by == adam
    assert b"plan.frozen" in b"".join(bytes(entry.data) for entry in LedgerEntry.objects.all())


def test_nobody_approves_their_own_plan(
    action: Action, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    action.state = State.PLANNED.value
    action.save()
    for token in (tokens["olga"], None):
        refused = said(monkeypatch, token, "actions", "approve", action.code)
        assert isinstance(refused.exception, PermissionMissing | GuardRefused)


def test_a_refusal_names_every_reason(action: Action, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    refused = said(monkeypatch, tokens["olga"], "actions", "submit", action.code)
    assert isinstance(refused.exception, GuardRefused)
    assert "the hypothesis is missing" in refused.exception.reasons
    assert "the planned go-live is missing" in refused.exception.reasons


def test_a_hold_needs_a_reason(action: Action, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch, tokens["olga"], "actions", "hold", action.code).exit_code == 2
    held = said(monkeypatch, tokens["olga"], "actions", "hold", action.code, "--reason", "change freeze")
    assert held.stdout.startswith(f"{action.code} is on hold")


def test_the_register_is_listed_and_filtered(
    action: Action, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = said(monkeypatch, None, "actions", "list").stdout.splitlines()
    assert listed[1].split("\t")[:4] == [action.code, "proposed", "", "olga"]
    assert json.loads(said(monkeypatch, None, "actions", "list", "--state", "closed", "--json").stdout) == []
    wrong = said(monkeypatch, None, "actions", "list", "--state", "done")
    assert isinstance(wrong.exception, InputError)


def test_one_action_is_shown_with_what_can_happen_next(action: Action, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[str, Any] = json.loads(said(monkeypatch, None, "actions", "show", str(action.pk), "--json").stdout)
    assert (shown["id"], shown["owner"]) == (action.code, "olga")
    assert "submit" in shown["may"]


def test_a_wrong_day_is_told(action: Action, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = said(monkeypatch, tokens["olga"], "actions", "golive", action.code, "--on", "Monday")
    assert isinstance(wrong.exception, InputError)


def test_users_are_added_granted_and_listed(admin: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch, None, "users", "add", "eva", "--name", "Eva Muster").exit_code == 0
    given = said(monkeypatch, None, "users", "grant", "eva", "--role", "approver", "--country", "CH")
    assert given.stdout == "eva is approver (country CH).\n"
    eva = next(
        row for row in json.loads(said(monkeypatch, None, "users", "list", "--json").stdout) if row["user"] == "eva"
    )
    assert (eva["name"], eva["roles"]) == ("Eva Muster", ["approver (country CH)"])
    token = said(monkeypatch, None, "users", "token", "eva").stdout.strip()
    refused = said(monkeypatch, token, "users", "add", "mallory")
    assert isinstance(refused.exception, PermissionMissing)


def test_a_weak_password_is_refused_before_anybody_is_added(admin: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGELKREIS_TOKEN", raising=False)
    weak = CliRunner().invoke(build(), ["users", "add", "eva", "--password"], input="password\npassword\n")
    assert isinstance(weak.exception, InputError)
    assert not Person.objects.filter(username="eva").exists()


def test_a_golive_before_the_approval_says_what_that_means(
    action: Action, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    action.hypothesis, action.golive_planned = "The night desk is not staffed.", date(2025, 9, 15)
    action.goal = "-30%"
    action.save()
    at = (OPENED + timedelta(days=2)).isoformat()
    assert said(monkeypatch, tokens["olga"], "actions", "submit", action.code, "--as-of", at).exception is None
    done = said(monkeypatch, tokens["olga"], "actions", "golive", action.code, "--on", "2025-08-20", "--as-of", at)
    assert "is planned" in done.stdout
    assert "is not approved yet" in done.stderr


def test_an_action_tells_what_triggered_it_and_from_which_base(action: Action, monkeypatch: pytest.MonkeyPatch) -> None:
    action.rule_sha256 = "ab" * 32
    action.trigger |= {"value_text": "18.2 %", "target_text": "15.0 %", "n": 192, "rows_sha256": "5a" * 32}
    action.measurement["windows"] = {"reference": {"from": "2024-07-15", "to": "2025-07-13"}}
    action.save()
    shown = said(monkeypatch, None, "actions", "show", action.code).output
    lines = dict(line.split("\t", 1) for line in shown.splitlines() if "\t" in line)
    assert lines["rule"] == f"incident-resolution-sla, sha256 {'ab' * 6}"
    assert lines["trigger"] == "2025-07-14 to 2025-08-17"
    assert lines["its records"] == f"sha256 {'5a' * 32}: `regelkreis evidence rows {action.code}`"
    assert lines["base value"] == "12.0 %, 2024-07-15 to 2025-07-13"
