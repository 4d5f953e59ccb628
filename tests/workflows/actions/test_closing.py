"""How the record of an ended action may be closed is proposed by work note, and sent as fields once it has ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connectors.config import ConnectionConfig
from tests.workflows.build import OPENED, an_action, an_approver, an_owner, live, looked
from workflows.actions import commands, planning
from workflows.deliveries import outbox
from workflows.models import Action, Delivery, LookKind, Person

pytestmark = pytest.mark.django_db
LATER = OPENED + timedelta(weeks=30)
FIELDS = ("closure", "gain", "close_notes")


@pytest.fixture
def olga(home: object) -> Person:
    return an_owner()


def judged(olga: Person, verdict: str, **changes: Any) -> Action:
    action = live(an_action(olga, **changes), an_approver())
    for kind in (LookKind.LOOK, LookKind.LOOK, LookKind.FINAL):
        looked(action, verdict=verdict, kind=kind)
    action.refresh_from_db()
    return action


def notes(action: Action) -> list[str]:
    rows = Delivery.objects.filter(action=action, key__contains="/note/closure").order_by("id")
    return [str(outbox.content(row).text) for row in rows]


def sent(action: Action) -> dict[str, Any]:
    """What the newest update carries of the closure."""
    newest = action.deliveries.filter(verb="update").order_by("-id")[0]
    return {name: value for name, value in outbox.content(newest).fields.items() if name in FIELDS}


@pytest.mark.parametrize(
    ("verdict", "closure"),
    [("no change", "unsuccessful"), ("worse", "unsuccessful"), ("not enough data", "withdrawn")],
)
def test_a_stopped_action_proposes_what_its_verdict_bears(olga: Person, verdict: str, closure: str) -> None:
    action = judged(olga, verdict)
    assert (notes(action), sent(action)) == ([], {})
    commands.decide(olga, action.code, "stop", at=LATER, reason="Enough.")
    action.refresh_from_db()
    (note,) = notes(action)
    assert f"Regelkreis proposes: {closure.capitalize()}. The verdict: {verdict}." in note
    told = sent(action)
    assert (told["closure"], told["gain"]) == (closure, None)
    assert told["close_notes"].startswith(f"{action.code}, verdict: {verdict}. http")


def test_a_standard_is_proposed_as_successful_only_once_it_has_lasted(olga: Person) -> None:
    action = judged(olga, "improved")
    commands.decide(olga, action.code, "standardise", at=LATER)
    for _ in range(3):
        assert (notes(action), sent(action)) == ([], {})
        looked(action, kind=LookKind.SUSTAIN)
    last = action.looks.order_by("-due_at")[0].due_at
    commands.acknowledge(olga, action.code, at=last)
    action.refresh_from_db()
    assert action.state == "closed"
    assert sent(action)["closure"] == "successful"
    assert sent(action)["gain"] == "time"
    assert "proposes: Successful" in notes(action)[0]


def test_what_nobody_can_call_a_success_of_the_action_is_left_to_people(olga: Person) -> None:
    action = judged(olga, "recovered")
    commands.decide(olga, action.code, "stop", at=LATER, reason="It came back by itself.")
    action.refresh_from_db()
    assert sent(action) == {}
    assert "proposes no closure code for this record: the verdict is “recovered”" in notes(action)[0]


def test_a_cancelled_action_proposes_to_withdraw_unless_people_cancelled_its_record(olga: Person) -> None:
    action = an_action(olga)
    commands.cancel(olga, action.code, at=OPENED, reason="No money.")
    action.refresh_from_db()
    assert "is cancelled. For the closure of this record Regelkreis proposes: Withdrawn." in notes(action)[0]
    assert sent(action)["closure"] == "withdrawn"
    other = an_action(olga, scope_key="customer=Globex", scope={"customer": "Globex"})
    Action.objects.filter(pk=other.pk).update(platform_state="cancelled")
    commands.cancel(olga, other.code, at=OPENED, reason="No money.")
    assert notes(other) == []


def test_an_adopted_record_is_told_by_note_alone(olga: Person) -> None:
    action = an_action(olga, origin="adopted")
    commands.cancel(olga, action.code, at=OPENED, reason="No money.")
    action.refresh_from_db()
    assert len(notes(action)) == 1
    assert sent(action) == {}


def a_connection(platform: str, **parts: Any) -> ConnectionConfig:
    raw = {"name": "snow", "platform": platform, "url": "https://a.example", "user": "u", "password": "p", **parts}
    return ConnectionConfig.model_validate(raw)


def test_a_closure_is_called_as_the_connection_calls_it_and_jira_is_resolved_by_us(olga: Person, settings: Any) -> None:
    named = a_connection("servicenow", resolutions={"dropped": "Given up"})
    settings.REGELKREIS = settings.REGELKREIS.model_copy(update={"connections": {"snow": named}})
    action = an_action(olga)
    commands.cancel(olga, action.code, at=OPENED, reason="No money.")
    assert "proposes: Given up." in notes(action)[0]
    settings.REGELKREIS = settings.REGELKREIS.model_copy(update={"connections": {"snow": a_connection("jira")}})
    other = an_action(olga, scope_key="customer=Globex", scope={"customer": "Globex"})
    commands.cancel(olga, other.code, at=OPENED, reason="No money.")
    assert notes(other) == []


def test_the_notes_of_an_installation_in_german(olga: Person, settings: Any) -> None:
    settings.REGELKREIS = settings.REGELKREIS.model_copy(update={"language": "de"})
    action = judged(olga, "no change")
    commands.decide(olga, action.code, "stop", at=LATER, reason="Genug.")
    action.refresh_from_db()
    (note,) = notes(action)
    assert note == (
        f"{action.code}: abgeschlossen. Für den Abschluss dieses Datensatzes schlägt Regelkreis vor: Unsuccessful. "
        "Der Befund: keine Veränderung."
    )
    assert planning.closing_fields(action)["close_notes"].startswith(f"{action.code}, Befund: keine Veränderung.")
