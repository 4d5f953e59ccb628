"""What a platform is told, in the installation's language."""

from __future__ import annotations

import re
from datetime import timedelta
from string import Formatter
from typing import Any

import msgspec
import pytest

from improvement.records import Outbound
from tests.workflows.build import OPENED, an_action, an_approver, an_owner, live, looked, planned
from workflows.actions import commands, planning
from workflows.deliveries import notes
from workflows.models import Action, Delivery
from workflows.steps import check

pytestmark = pytest.mark.django_db


@pytest.fixture
def german(settings: Any) -> None:
    settings.REGELKREIS = settings.REGELKREIS.model_copy(update={"language": "de"})


def told(action: Action) -> str:
    """Every note queued for an action, a line each."""
    rows = Delivery.objects.filter(action=action, verb="note").order_by("id")
    return "\n".join(msgspec.json.decode(bytes(row.outbound), type=Outbound).text or "" for row in rows)


@pytest.mark.parametrize("name", sorted(notes.NOTES))
def test_every_note_has_the_same_blanks_in_both_languages(name: str) -> None:
    said = notes.NOTES[name]
    english, german = ({blank for _, blank, _, _ in Formatter().parse(text) if blank} for text in (said.en, said.de))
    assert english == german
    assert said.en != said.de or english == {"owner", "note"}


@pytest.mark.usefixtures("german")
def test_plan_and_decision_are_told_in_german() -> None:
    owner, approver = an_owner(), an_approver()
    action, _ = looked(live(an_action(owner), approver))
    commands.decide(owner, action.code, "standardise", at=OPENED + timedelta(weeks=20), reason="Es wirkt.")
    text = told(action)
    assert "Planversion 1 genehmigt. Ihr Maßstab ist eingefroren: SHA-256 " in text
    assert "Befund: verbessert." in text
    assert "Entscheidung: zum Standard machen, von olga. Es wirkt." in text
    assert not re.search(r"\b(the|verdict|decision|approved|yardstick)\b", text, re.IGNORECASE)


@pytest.mark.usefixtures("german")
def test_an_overruled_verdict_is_told_in_german() -> None:
    owner, approver = an_owner(), an_approver()
    action, _ = looked(live(an_action(owner), approver), verdict="no change")
    commands.override(owner, action.code, at=OPENED + timedelta(weeks=20), reason="Umbau")
    commands.second_override(approver, action.code, at=OPENED + timedelta(weeks=20))
    assert "Zwei Menschen überstimmten den Befund „keine Veränderung“" in told(action)


@pytest.mark.usefixtures("german")
def test_a_slipped_go_live_is_told_in_german() -> None:
    owner, approver = an_owner(), an_approver()
    action = planned(an_action(owner))
    commands.approve(approver, action.code, at=OPENED)
    assert check.slip("snow", OPENED + timedelta(weeks=12)) == [action.code]
    assert "Der geplante Go-live, 2025-09-15, und die 4 Wochen danach sind vorbei" in told(action)


@pytest.mark.usefixtures("german")
def test_what_is_missing_is_named_in_german() -> None:
    assert notes.reasons_of("approval, a go-live and a verdict") == "die Genehmigung, ein Go-live und ein Befund"


@pytest.mark.usefixtures("german")
def test_why_an_action_exists_is_told_in_german() -> None:
    trigger = {"value_text": "24.0 %", "target_text": "15.0 %", "n": 310, "from_week": 2900, "to_week": 2904}
    text = planning.description(an_action(an_owner(), trigger=trigger))
    assert (
        "Gemessen von 2025-07-28 bis 2025-08-31: 24,0 % bei einem Ziel von 15,0 %, aus 310 Datensätzen (Regel sla)."
        in text
    )
    assert "records" not in text
