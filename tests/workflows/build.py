"""Builders for stories about one action: people, and an action that fired in August, ready to be planned."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from improvement import weeks
from improvement.pdca import State
from workflows import access
from workflows.actions import commands, opening
from workflows.evidence import ledger
from workflows.models import Action, Connection, Look, LookKind, Origin, Person, ReviewRecord, Role
from workflows.steps.review import record_look

OPENED = datetime(2025, 8, 18, 12, tzinfo=UTC)  # a Monday
TRIGGER_ENDS = weeks.week_of(date(2025, 8, 17))
GOLIVE = date(2025, 9, 15)
RESULT = {
    "verdict": "improved",
    "reason": "",
    "sentence": "It works.",
    "metric": "sla_breach_rate",
    "unit": "odds ratio",
    "effect": 0.4,
    "low": 0.3,
    "high": 0.55,
    "guards": [],
    "controls": [],
}


def a_connection(name: str = "snow", *, may_write: bool = True) -> Connection:
    row, _ = Connection.objects.get_or_create(
        name=name,
        defaults={"platform": "servicenow", "may_write": may_write, "integration_account": "regelkreis"},
    )
    return row


def a_person(name: str, *roles: Role, at: datetime = OPENED) -> Person:
    """A person with these roles everywhere, and the account of the same name on ``snow``."""
    admin = access.local_admin()
    person = access.add_person(name, at=at, by=admin)
    for role in roles:
        access.grant(person, role, at=at, by=admin)
    access.link_account(person, "snow", name, at=at, by=admin)
    return person


def an_owner() -> Person:
    return a_person("olga", Role.SERVICE_OWNER)


def an_approver(name: str = "paul") -> Person:
    return a_person(name, Role.APPROVER)


def an_action(owner: Person | None, **changes: Any) -> Action:
    """Proposed by a rule; its record exists on the platform."""
    a_connection()
    fields: dict[str, Any] = {
        "origin": Origin.RULE,
        "rule_id": "sla",
        "connection": "snow",
        "scope_key": "country=CH,customer=Acme",
        "scope": {"country": "CH", "customer": "Acme"},
        "metric": "sla_breach_rate",
        "title": "Late resolutions for Acme",
        "state": State.PROPOSED.value,
        "owner": owner,
        "goal": "-50%",
        "trigger": {"from_week": TRIGGER_ENDS - 4, "to_week": TRIGGER_ENDS},
        "measurement": {
            "baseline": 0.12,
            "windows": {"reference": {}},
            "controls": ["country=CH,customer=Globex"],
            "detectable": {"link": 0.3},
            "earliest_week": TRIGGER_ENDS - 60,
            "looks": [4, 8, 13],
            "sustain": [4, 8, 13],
            "recording_delay_days": 1,
        },
        "opened_at": OPENED,
        "last_moved_at": OPENED,
        **changes,
    }
    action = Action.objects.create(**fields)
    opening.log_opening(action, actor=ledger.ENGINE, at=action.opened_at)
    Action.objects.filter(pk=action.pk).update(
        platform_id=f"id-{action.code}", platform_number=f"CIM-{action.code}", platform_mode="cim", platform_state="new"
    )
    action.refresh_from_db()
    return action


def planned(action: Action, *, at: datetime = OPENED) -> Action:
    """With a hypothesis and a date, handed in for approval."""
    assert action.owner is not None
    commands.plan(action.owner, action.code, at=at, hypothesis="A second shift.", golive=GOLIVE)
    return commands.submit(action.owner, action.code, at=at)


def live(action: Action, approver: Person, *, at: datetime = OPENED) -> Action:
    """Approved, begun, and live on the planned day."""
    assert action.owner is not None
    planned(action, at=at)
    commands.approve(approver, action.code, at=at + timedelta(days=1))
    commands.start(action.owner, action.code, at=at + timedelta(days=2))
    day = datetime(GOLIVE.year, GOLIVE.month, GOLIVE.day, 12, tzinfo=UTC)
    return commands.golive(action.owner, action.code, at=max(day, at + timedelta(days=3)), on=GOLIVE, ref="CHG1")


def looked(
    action: Action, *, verdict: str = "improved", kind: str = LookKind.FINAL, at: datetime | None = None
) -> tuple[Action, ReviewRecord]:
    """The next look of this kind was computed, when it fell due, and gave this verdict; the action moved by it."""
    from workflows.steps.check import follow_verdict, log_look

    look = action.looks.filter(kind=kind, computed_at__isnull=True, is_dropped=False).order_by("due_at").first()
    assert isinstance(look, Look)
    at = at or look.due_at
    look.data_as_of, look.computed_at = look.due_at, at
    look.result, look.verdict = {**RESULT, "verdict": verdict}, verdict
    look.save()
    log_look(look, at=at)
    record = record_look(look, at=at)
    follow_verdict(look, as_of=at)
    action.refresh_from_db()
    return action, record
