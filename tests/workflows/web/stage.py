"""A small organisation to look at: people with rights, actions in every phase, looks, reviews and drawn charts.

Built through the commands and the check itself, from weekly cells made here: what the pages show is what the loop
writes, without a warehouse and within a second or two.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np

from improvement import weeks
from improvement.charts import WeekPoint
from improvement.check import CheckResult, Series, compute_look
from improvement.pdca import Event
from workflows import access
from workflows.actions import commands, loop, opening
from workflows.checks import charting, measuring
from workflows.checks.drawing import Studio
from workflows.evidence import ledger
from workflows.models import (
    Action,
    ActionComment,
    ActionTask,
    Connection,
    Delivery,
    Finding,
    KeptFigures,
    Look,
    LookKind,
    Origin,
    Person,
    Point,
    ReviewRecord,
    Role,
    RuleVersion,
)
from workflows.steps.check import log_look
from workflows.steps.looking import Reading
from workflows.steps.review import record_addendum, record_look, record_missed

TRIGGER = (weeks.week_of(date(2025, 6, 2)), weeks.week_of(date(2025, 6, 30)))
OPENED = datetime(2025, 7, 7, 12, tzinfo=UTC)
LIVE = date(2025, 8, 25)
NOW = datetime(2025, 12, 1, 12, tzinfo=UTC)
PASSWORD = "sandbox"
FIRST_WEEK = TRIGGER[0] - 52
LAST_WEEK = weeks.week_of(LIVE) + 12
_RESULTS: dict[tuple[float, int], CheckResult] = {}  # the same cells give the same result
CONTROLS = [f"country=CH,customer=Acme,service=Quiet{number}" for number in range(6)]
RULE = {
    "metadata": {"id": "sla", "title": "Resolution SLA breached too often", "tags": {"factor": "hard"}},
    "spec": {"metric": "sla_breach_rate"},
}
MOOD_RULE = {
    "metadata": {"id": "mood", "title": "Customers are not satisfied", "tags": {"factor": "soft"}},
    "spec": {"metric": "csat_mean"},
}


WHOLE_RULE = {
    "metadata": {
        "id": "sla", "title": "Resolution SLA breached too often", "description": "", "owner": "service-owner",
        "objective": "", "tags": {"factor": "hard"},
    },
    "spec": {
        "mode": "propose", "metric": "sla_breach_rate",
        "where": {"kind": ["incident"], "priority": [1, 2], "sla.agreement": ["sla"], "sla.target": ["resolution"]},
        "by": ["customer", "country", "service"], "window": "4w", "every": "1w", "target": {"max": 0.15},
        "overrides": [{"when": {"country": "CH"}, "target": {"max": 0.12}, "from": "2025-07-01"}],
        "while": [{"metric": "csat_mean", "where": {}, "max": 4.0}], "trigger": {"for": "2w", "min_samples": 20},
        "clear": {"ratio": 0.8, "for": "4w"}, "cooldown": "8w",
        "flow_down": {"by": ["supplier"], "tighten": 0.8, "agreement": ["ola", "uc"]},
    },
    "action": {"due": "30d", "playbook": [], "hypothesis": "ask"},
    "check": {"goal": "-50%", "looks": ["4w", "8w", "13w"], "sustain": ["4w", "8w", "13w"]},
}  # fmt: skip


@dataclass
class Stage:
    """Who and what is there, by name."""

    people: dict[str, Person] = field(default_factory=dict)
    actions: dict[str, Action] = field(default_factory=dict)

    def code(self, name: str) -> str:
        """The id of an action."""
        return self.actions[name].code


def a_stage(*, is_signed_in: bool = False) -> Stage:
    """Two customers; Acme has an action in every phase, Globex one. Olga owns Acme's, Gustav Globex's; Paul approves.

    With ``is_signed_in`` people get a password and the charts are drawn: both take their time.
    """
    stage = Stage()
    Connection.objects.create(
        name="snow", platform="servicenow", may_write=True, integration_account="bot", last_pull_as_of=NOW
    )
    for document in (RULE, MOOD_RULE):
        RuleVersion.objects.create(
            rule_id=document["metadata"]["id"], sha256="a" * 64, document=document, mode="open", applied_at=OPENED,
            applied_by="engine",
        )  # fmt: skip
    _people(stage)
    for person in stage.people.values() if is_signed_in else ():
        person.set_password(PASSWORD)
        person.save()
    stage.actions["proposed"] = an_action(stage, "Proposed", owner="olga")
    planned = stage.actions["planned"] = an_action(stage, "Planned", owner="olga")
    plan(stage, planned)
    commands.submit(stage.people["olga"], planned.code, at=OPENED)
    checking = stage.actions["checking"] = an_action(stage, "Checking", owner="olga")
    bring_live(stage, checking)
    improved = stage.actions["improved"] = an_action(stage, "Mail", owner="olga")
    bring_live(stage, improved)
    look_at(improved, 4)
    look_at(improved, 8)
    look_at(improved, 13)
    closed = stage.actions["closed"] = an_action(stage, "Closed", owner="olga", after=0.2)
    bring_live(stage, closed)
    look_at(closed, 13)
    commands.decide(stage.people["olga"], closed.code, "stop", at=NOW, reason="It did not help.")
    stage.actions["foreign"] = an_action(stage, "Shop", owner="gustav", customer="Globex")
    _platform_side(improved)
    if is_signed_in:
        draw(improved)
        figures()
    for action in stage.actions.values():
        action.refresh_from_db()
    return stage


def a_person(name: str, role: Role, *, customer: str = "", display: str = "") -> Person:
    """A person with one grant."""
    admin = access.local_admin()
    person = access.add_person(name, name=display or name.title(), at=OPENED, by=admin)
    access.grant(person, role, at=OPENED, by=admin, customer=customer)
    return person


def an_action(
    stage: Stage, service: str, *, owner: str, customer: str = "Acme", title: str = "", after: float = 0.03
) -> Action:
    """A proposed action that the rule opened on one service; ``after`` is its breach rate once it is live."""
    scope = {"country": "CH", "customer": customer, "service": service}
    key = f"country=CH,customer={customer},service={service}"
    finding = Finding.objects.create(
        rule_id="sla", rule_sha256="a" * 64, connection="snow", scope_key=key, scope=scope, state="firing", memory={},
        fired_week=TRIGGER[1], value=0.24, target_value=0.15, n=310, sql="SELECT 1",
    )  # fmt: skip
    for week in range(TRIGGER[0], LAST_WEEK + 1):
        Point.objects.create(
            finding=finding, week=week, value=0.2, numerator=60, denominator=300, n=300, target_value=0.15,
            is_breaching=True,
        )  # fmt: skip
    action = Action.objects.create(
        origin=Origin.RULE, rule_id="sla", rule_sha256="a" * 64, finding=finding, connection="snow", scope_key=key,
        scope=scope, metric="sla_breach_rate", title=title or f"Fewer breaches for {service}", state="proposed",
        owner=stage.people[owner], goal="-50%", due=date(2025, 8, 6), opened_at=OPENED, last_moved_at=OPENED,
        platform_mode="cim", platform_id=f"id-{service}", platform_number=f"CIM-{service}",
        platform_url=f"https://snow.example/{service}",
        trigger={
            "value": 0.24, "target": 0.15, "target_source": "target", "value_text": "24.0 %", "target_text": "15.0 %",
            "n": 310, "rows_sha256": "b" * 64, "from_week": TRIGGER[0], "to_week": TRIGGER[1],
        },
        measurement={
            "where": [["kind", ["incident"]]], "by": ["customer", "country", "service"], "baseline": 0.1,
            "earliest_week": FIRST_WEEK, "controls": CONTROLS,
            "controls_excluded": [{"scope": "service=Old", "reason": "has an action of its own"}],
            "looks": [4, 8, 13], "sustain": [4, 8, 13], "method": "did-quasi-glm/1", "recording_delay_days": 1,
            "detectable": {"link": 0.4, "text": "odds ratio 0.67"}, "after_rate": after,
            "windows": {
                "reference": {"from": "2024-06-03", "to": "2025-06-01"},
                "trigger": {"from": "2025-06-02", "to": "2025-07-06"},
            },
        },
    )  # fmt: skip
    action.findings.set([finding])
    opening.log_opening(action, actor=ledger.ENGINE, at=OPENED)
    return action


def plan(stage: Stage, action: Action) -> None:
    """Give it a hypothesis and a planned go-live."""
    owner = action.owner or stage.people["olga"]
    commands.plan(owner, action.code, at=OPENED, hypothesis="A second shift takes over.", golive=LIVE)


def bring_live(stage: Stage, action: Action) -> None:
    """Plan, submit, approve, start, go live."""
    owner = action.owner or stage.people["olga"]
    plan(stage, action)
    commands.submit(owner, action.code, at=OPENED)
    commands.approve(stage.people["paul"], action.code, at=OPENED + timedelta(days=7))
    commands.start(owner, action.code, at=OPENED + timedelta(days=14))
    live = datetime(LIVE.year, LIVE.month, LIVE.day, 18, tzinfo=UTC)
    commands.golive(owner, action.code, at=live, on=LIVE, ref="CHG1")
    action.refresh_from_db()


def look_at(action: Action, week: int) -> Look:
    """Compute a planned look with the real check and record its review."""
    look = action.looks.get(week_no=week, kind=LookKind.FINAL if week == 13 else LookKind.LOOK)
    key = (action.measurement["after_rate"], week)
    if key not in _RESULTS:
        _RESULTS[key] = compute_look(
            measuring.check_plan(action, look.plan),
            cells(action),
            {name: quiet(number) for number, name in enumerate(CONTROLS)},
            look=week,
            kind=look.kind,
            last_week=weeks.week_of(LIVE) + week - 1,
        )
    found = replace(_RESULTS[key], action=action.code)
    look.result, look.verdict = found.as_dict(), found.verdict.value
    look.computed_at, look.data_as_of, look.inputs_sha256 = look.due_at, look.due_at, "c" * 64
    look.held_at = look.due_at if look.kind == LookKind.LOOK else None
    look.save()
    log_look(look, at=look.due_at)
    record_look(look, at=look.due_at)
    if look.kind == LookKind.FINAL:
        loop.move(action, Event.FINAL_LOOK, actor=ledger.ENGINE, at=NOW, verdict=look.verdict)
    return look


def restate(action: Action) -> ReviewRecord:
    """Later data: the final look, read once more, finds that nothing changed."""
    published = action.reviews.get(kind="final")
    final = action.looks.get(kind=LookKind.FINAL)
    found = compute_look(
        measuring.check_plan(action, final.plan),
        _series(*_weeks_at(0.1), seed=3),
        {name: quiet(number) for number, name in enumerate(CONTROLS)},
        look=final.week_no,
        kind=final.kind,
        last_week=LAST_WEEK,
    )
    return record_addendum(
        published, Reading(found, "e" * 64, LAST_WEEK), causes={"sla is_breached": 9}, known_at=NOW, at=NOW
    )


def miss(look: Look) -> None:
    """Nobody held this look in time."""
    look.is_missed = True
    look.save()
    record_missed(look, at=NOW)


def cells(action: Action) -> Series:
    """Weekly results of the action's scope: a bad trigger, and the rate of ``after_rate`` once it is live."""
    return _series(*_weeks_at(action.measurement["after_rate"]), seed=3)


def quiet(number: int) -> Series:
    """Weekly results of a scope in which nothing happens."""
    week = np.arange(FIRST_WEEK, LAST_WEEK + 1)
    return _series(week, np.full(len(week), 0.1), seed=20 + number)


def figures() -> None:
    """What a cycle keeps for pages: targets in force with a gap, and the account of a quarter; and the rule in full."""
    scope = {"country": "CH", "customer": "Acme", "service": "Mail"}
    RuleVersion.objects.filter(rule_id="sla").update(
        document=WHOLE_RULE, mode="propose", applied_by=Person.objects.get(username="audrey").uid
    )
    target = {
        "connection": "snow", "rule": "sla", "metric": "sla_breach_rate", "scope": scope, "part": {"max": 0.12},
        "from": "override", "level": "country", "valid_from": "2025-07-01", "valid_to": None,
    }  # fmt: skip
    gap = {"connection": "snow", "dimension": "customer", "value": "Acme", "records": 17, "missing_metrics": ["nps"]}
    kept = {
        "targets": {
            "on": "2025-12-01", "targets": [target], "gaps": [gap | {"target": "none"}, gap | {"target": "general"}],
            "unknown": [{"connection": "snow", "dimension": "country", "tickets": 3}],
            "countries_in_the_default_zone": ["XX"], "countries_by_the_wall_clock": ["XX"],
            "alike": [{"connection": "snow", "dimension": "customer", "values": ["ACME", "Acme"]}],
        },
        "account/2025Q4": {
            "from": "2025-10-01", "to": "2025-12-01", "order": ["customer_wait", "supplier", "own"], "order_version": 0,
            "connections": [
                {
                    "connection": "snow", "population": 36, "counted_as": "rows", "here": 36, "platform": 37,
                    "rejected": 0, "waiting_untold": "the platform was not asked", "gaps": ["another number"],
                    "undated": {"clocks": 2, "first": ["id-1", "id-2"]},
                    "rows": [
                        {
                            "scope": scope, "clocks": 28, "unknown": 2, "overrun_s": 36_600,
                            "dispositions": {
                                "excluded": 1, "duplicate": 2, "covered": 3, "customer_wait": 4, "supplier": 5,
                                "too_few_samples": 6, "below_threshold": 7, "no_rule": 8,
                            },
                            "parties": {"customer_wait": 600, "supplier": 9000, "own": 18_000, "unattributed": 9000},
                            "suppliers": {"Hoster": 9000},
                        }
                    ],
                }
            ],
        },
    }  # fmt: skip
    for name, document in kept.items():
        KeptFigures.objects.update_or_create(name=name, defaults={"as_of": NOW, "document": document})


def draw(action: Action) -> None:
    """The charts, as a cycle draws them."""
    series = cells(action)
    points = [
        WeekPoint(weeks.monday(int(week)), 100 * float(up / down), int(down))
        for week, up, down in zip(series.week, series.numerator, series.denominator, strict=True)
    ]
    with Studio(expected=1) as studio:
        assert charting.draw(action, points, studio, last=LAST_WEEK, as_of=NOW)


def _weeks_at(after: float) -> tuple[np.ndarray, np.ndarray]:
    week = np.arange(FIRST_WEEK, LAST_WEEK + 1)
    rate = np.full(len(week), 0.1)
    rate[(week >= TRIGGER[0]) & (week < weeks.week_of(LIVE))] = 0.25
    rate[week >= weeks.week_of(LIVE)] = after
    return week, rate


def _series(week: np.ndarray, rate: np.ndarray, *, seed: int) -> Series:
    rng = np.random.default_rng(seed)
    volume = rng.poisson(90, len(week)) + 10
    return Series(week, rng.binomial(volume, rate).astype(float), volume.astype(float))


def _people(stage: Stage) -> None:
    for name, role, customer, display in (
        ("olga", Role.SERVICE_OWNER, "Acme", "Olga Owner"),
        ("gustav", Role.SERVICE_OWNER, "Globex", "Gustav Globex"),
        ("paul", Role.APPROVER, "", "Paul Approver"),
        ("audrey", Role.AUDITOR, "", "Audrey Auditor"),
        ("vera", Role.VIEWER, "Acme", "Vera Viewer"),
    ):
        stage.people[name] = a_person(name, role, customer=customer, display=display)
    stage.people["admin"] = access.local_admin()
    access.link_account(stage.people["olga"], "snow", "olga.o", at=OPENED, by=stage.people["admin"])
    mood = Finding.objects.create(
        rule_id="mood", rule_sha256="a" * 64, connection="snow", scope_key="country=CH,customer=Acme",
        scope={"country": "CH", "customer": "Acme"}, state="ok", memory={},
    )  # fmt: skip
    for week in range(LAST_WEEK - 20, LAST_WEEK + 1):
        Point.objects.create(
            finding=mood, week=week, value=3.9 + 0.02 * (week - LAST_WEEK + 20), numerator=80, denominator=20, n=20,
            target_value=3.8, is_breaching=False,
        )  # fmt: skip


def _platform_side(action: Action) -> None:
    ActionTask.objects.create(action=action, number="CIMT1", title="Train the night shift", assignee="olga.o")
    ActionComment.objects.create(action=action, platform_id="1", author="olga.o", at=OPENED, text="Live since Monday.")
    for delivery in Delivery.objects.filter(action=action):
        delivery.state, delivery.sent_at = "sent", NOW
        delivery.save()
    final = action.reviews.get(kind="final")
    final.entries.create(
        kind="receipt", at=NOW, actor="engine",
        payload={
            "key": f"{action.code}/note/final-1-13", "record": "id-Mail", "number": "CIM-Mail", "status": 201,
            "request_sha256": "d" * 64, "was_found": False, "differences": [],
            "verdict_sha256": final.verdict_sha256,
        },
    )  # fmt: skip
