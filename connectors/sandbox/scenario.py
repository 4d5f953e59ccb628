"""What is true in the sandbox's world: the scopes, what happens to them, and who acts when.

This table is the *known truth* the demo joins to the verdicts after its last cycle; the engine never reads it.
Weeks count from the world's start (week 0 begins Monday 2024-01-01). A course is a list of knots (week, level),
interpolated on the link scale (logit, log, identity); equal neighbours make plateaus, neighbouring weeks make steps.

The reference of a check ends *before* the trigger. So a scope whose action works has a course that is better after
go-live than it was a year earlier (odds ratio ≤ .40), not merely back to normal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

START = datetime(2024, 1, 1, tzinfo=UTC)
WEEKS = 130
FIRST_CYCLE_WEEK = 78  # the demo's clock first stands on this week's Monday, 12:00 UTC

ZONES: dict[str, str] = {
    "DE": "Europe/Berlin",
    "CH": "Europe/Zurich",
    "GB": "Europe/London",
    "US": "America/New_York",
    "JP": "Asia/Tokyo",
}


class Truth(StrEnum):
    """What really happened to a scope. Any scope not in the table that opens an action is ``REGRESSION``."""

    EFFECT = "effect"
    PLACEBO = "placebo"
    REGRESSION = "regression"
    TREND = "trend"
    WORSE = "worse"
    FEW = "few"
    QUIET = "quiet"


BREACH, CSAT, HOURS = "sla_breach_rate", "csat_mean", "time_to_resolve"
RULE_OF = {BREACH: "incident-resolution-sla", CSAT: "customer-satisfaction", HOURS: "time-to-resolve"}

Knots = tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class ScenarioScope:
    """One scope, its usual levels, and the course of the one metric that something happens to.

    ``breach`` is the usual share of breached resolution SLAs, ``csat`` the usual mean score (1 to 5), ``hours`` the
    usual restricted mean time to resolve (τ 336 h). ``course`` replaces the level of ``metric``.
    """

    platform: str
    customer: str
    country: str
    service: str
    supplier: str | None
    per_week: float
    truth: Truth
    owner: str
    approver: str
    breach: float = 0.075
    csat: float = 4.25
    hours: float = 23.0
    metric: str | None = None
    course: Knots = ()
    golive_week: int | None = None
    goal: str = ""
    hypothesis: str = ""
    tasks: tuple[str, ...] = ()
    change_ref: str = ""
    accepts_undetectable: str = ""  # the logged reason for a goal that the check cannot see

    @property
    def rule_id(self) -> str | None:
        """The starter rule that opens its action."""
        return RULE_OF[self.metric] if self.metric is not None else None

    @property
    def golive_on(self) -> date | None:
        """The Monday on which its change goes live (local date)."""
        return week_monday(self.golive_week) if self.golive_week is not None else None

    @property
    def effect_from(self) -> date | None:
        """The first day of the true effect; None where the change has none."""
        return self.golive_on if self.truth is Truth.EFFECT else None

    @property
    def acts(self) -> bool:
        """Whether its owner acts on it by script."""
        return self.golive_week is not None

    @property
    def key(self) -> str:
        """The scope as text, dimensions sorted: ``country=CH,customer=Alpenbank,service=Payments``."""
        return f"country={self.country},customer={self.customer},service={self.service}"


def week_monday(week: int) -> date:
    """The Monday that begins this week of the scenario."""
    return START.date() + timedelta(weeks=week)


def scopes_of(platform: str) -> tuple[ScenarioScope, ...]:
    """The scopes of one platform (``servicenow`` or ``jira``), in the table's order."""
    return tuple(scope for scope in SCOPES if scope.platform == platform)


def find_scope(platform: str, scope_key: str) -> ScenarioScope | None:
    """The scope with this key, None where the scenario has none."""
    return next((scope for scope in SCOPES if scope.platform == platform and scope.key == scope_key), None)


def truth_of(platform: str, scope_key: str, metric: str) -> Truth:
    """What is true of an action on this scope and metric: its script, or regression to the mean."""
    scope = find_scope(platform, scope_key)
    if scope is None or scope.metric != metric:
        return Truth.REGRESSION
    return scope.truth


def acting_services(platform: str) -> frozenset[str]:
    """Services on which somebody acts: no High-risk change disturbs them."""
    return frozenset(scope.service for scope in scopes_of(platform) if scope.truth is not Truth.QUIET)


_SERVICENOW: tuple[ScenarioScope, ...] = (
    ScenarioScope(
        "servicenow", "Alpenbank", "CH", "Payments", "Nimbus Hosting", 110, Truth.EFFECT,
        owner="anna.frei", approver="martin.keller", hours=20, metric=BREACH,
        course=((0, 0.105), (76, 0.105), (77, 0.24), (85, 0.24), (86, 0.035)), golive_week=86, goal="-50%",
        hypothesis="Payment incidents wait for a database specialist who is called only after the second escalation. "
        "Routing them straight to the database team on call removes that wait.",
        tasks=("Route payment incidents to the database team on call", "Train the service desk on the new routing"),
        change_ref="CHG0030017",
    ),
    ScenarioScope(
        "servicenow", "Rheinwerk Maschinen", "DE", "ERP", "Nimbus Hosting", 90, Truth.EFFECT,
        owner="jonas.weber", approver="sabine.vogt", metric=CSAT,
        course=((0, 4.0), (76, 4.0), (77, 3.35), (85, 3.35), (86, 4.68)), golive_week=86, goal="+0.4",
        hypothesis="Users do not hear from us between opening and solution. A call back within a working day, by the "
        "person who solves the ticket, makes the work visible.",
        tasks=("Introduce the call back within one working day", "Agree a monthly talk with the key users"),
        change_ref="CHG0030018",
    ),
    ScenarioScope(
        "servicenow", "Harbour Foods", "GB", "Web Shop", "Nimbus Hosting", 70, Truth.PLACEBO,
        owner="emily.clarke", approver="martin.keller", hours=20, metric=BREACH,
        course=((0, 0.18), (130, 0.18)), golive_week=85, goal="-50%",
        hypothesis="A new dashboard shows the team which tickets are about to breach; they will pick these up first.",
        tasks=("Build the dashboard of tickets about to breach",),
        change_ref="CHG0030014",
    ),
    ScenarioScope(
        "servicenow", "Harbour Foods", "GB", "Network", "Bergfunk Telecom", 60, Truth.REGRESSION,
        owner="emily.clarke", approver="martin.keller", hours=20, metric=BREACH,
        course=((0, 0.085), (75, 0.085), (76, 0.27), (82, 0.27), (86, 0.085)), golive_week=85, goal="-50%",
        hypothesis="Two members of the network team left in spring. A weekly backlog meeting sets priorities.",
        tasks=("Hold a weekly backlog meeting",),
        change_ref="CHG0030015",
    ),
    ScenarioScope(
        "servicenow", "Rheinwerk Maschinen", "DE", "Workplace", "Shared Services", 80, Truth.TREND,
        owner="jonas.weber", approver="sabine.vogt", hours=20, metric=BREACH,
        course=((0, 0.42), (130, 0.105)), golive_week=85, goal="-50%",
        hypothesis="A spare-device pool at each site replaces broken notebooks on the same day.",
        tasks=("Set up spare-device pools", "Publish the swap procedure"),
        change_ref="CHG0030016",
    ),
    ScenarioScope(
        "servicenow", "Prairie Health", "US", "Data Platform", "Nimbus Hosting", 65, Truth.WORSE,
        owner="olivia.reed", approver="sabine.vogt", hours=19, metric=BREACH,
        course=((0, 0.10), (77, 0.10), (78, 0.22), (86, 0.22), (87, 0.33)), golive_week=87, goal="-50%",
        hypothesis="Moving second-level work to a central team shortens the queue.",
        tasks=("Move second-level work to the central team",),
        change_ref="CHG0030021",
    ),
    ScenarioScope(
        "servicenow", "Sakura Logistics", "JP", "Warehouse System", None, 9, Truth.FEW,
        owner="haruto.sato", approver="martin.keller", hours=20, metric=BREACH,
        course=((0, 0.05), (76, 0.05), (77, 0.34), (85, 0.34), (87, 0.05)), golive_week=87, goal="-50%",
        hypothesis="A second key user per shift can answer questions at once.",
        tasks=("Train a second key user per shift",),
        change_ref="CHG0030022",
        accepts_undetectable="Volume is too low to prove it; the customer asked for the measure all the same.",
    ),
    ScenarioScope("servicenow", "Alpenbank", "CH", "E-Mail", "Nimbus Hosting", 70, Truth.QUIET,
                  owner="anna.frei", approver="martin.keller"),
    ScenarioScope("servicenow", "Alpenbank", "CH", "Workplace", "Shared Services", 60, Truth.QUIET,
                  owner="anna.frei", approver="martin.keller", breach=0.07),
    ScenarioScope("servicenow", "Rheinwerk Maschinen", "DE", "Network", "Bergfunk Telecom", 56, Truth.QUIET,
                  owner="jonas.weber", approver="sabine.vogt", breach=0.07),
    ScenarioScope("servicenow", "Harbour Foods", "GB", "E-Mail", "Nimbus Hosting", 54, Truth.QUIET,
                  owner="emily.clarke", approver="martin.keller", breach=0.07),
    ScenarioScope("servicenow", "Prairie Health", "US", "E-Mail", "Nimbus Hosting", 52, Truth.QUIET,
                  owner="olivia.reed", approver="sabine.vogt", breach=0.07),
    ScenarioScope("servicenow", "Prairie Health", "US", "Telephony", "Bergfunk Telecom", 50, Truth.QUIET,
                  owner="olivia.reed", approver="sabine.vogt", breach=0.07),
    ScenarioScope("servicenow", "Sakura Logistics", "JP", "Workplace", "Shared Services", 50, Truth.QUIET,
                  owner="haruto.sato", approver="martin.keller", breach=0.07),
)

_JIRA: tuple[ScenarioScope, ...] = (
    ScenarioScope(
        "jira", "Helvetic Rail", "CH", "Ticketing", "Limmat Cloud", 110, Truth.EFFECT,
        owner="luca.meier", approver="petra.huber", hours=20, metric=BREACH,
        course=((0, 0.105), (77, 0.105), (78, 0.25), (86, 0.25), (87, 0.035)), golive_week=87, goal="-50%",
        hypothesis="Most breaches are ticket machines that need a visit. Grouping visits by line and dispatching in "
        "the morning gets the technician there within the agreed time.",
        tasks=("Dispatch visits by line every morning", "Agree spare parts per depot"),
        change_ref="OPS-CHANGE-118",
    ),
    ScenarioScope(
        "jira", "Lindenhof Kliniken", "DE", "Patient Records", "Limmat Cloud", 90, Truth.EFFECT,
        owner="claudia.braun", approver="stefan.koch", breach=0.07, metric=HOURS,
        course=((0, 32.0), (75, 32.0), (76, 62.0), (86, 62.0), (87, 14.5)), golive_week=87, goal="-40%",
        hypothesis="Tickets wait days for an answer from the wards. Asking by phone instead of by mail, once a day at "
        "a fixed hour, ends the waiting.",
        tasks=("Fix a daily phone hour with the wards", "Close tickets without an answer after two reminders"),
        change_ref="OPS-CHANGE-121",
    ),
    ScenarioScope(
        "jira", "Thames Insurance", "GB", "Claims Portal", "Limmat Cloud", 70, Truth.PLACEBO,
        owner="oliver.hughes", approver="petra.huber", hours=20, metric=BREACH,
        course=((0, 0.18), (130, 0.18)), golive_week=85, goal="-50%",
        hypothesis="A reminder by mail two hours before the goal runs out makes everybody hurry.",
        tasks=("Send reminders two hours before the goal runs out",),
        change_ref="OPS-CHANGE-109",
    ),
    ScenarioScope(
        "jira", "Lindenhof Kliniken", "DE", "Telephony", "Sprechfunk AG", 60, Truth.REGRESSION,
        owner="claudia.braun", approver="stefan.koch", hours=20, metric=BREACH,
        course=((0, 0.085), (76, 0.085), (77, 0.27), (82, 0.27), (87, 0.085)), golive_week=86, goal="-50%",
        hypothesis="After the move of the switchboard everything queues at one person. A deputy shares the load.",
        tasks=("Name a deputy for the switchboard",),
        change_ref="OPS-CHANGE-112",
    ),
    ScenarioScope(
        "jira", "Thames Insurance", "GB", "Workplace", "Desk Partners", 80, Truth.TREND,
        owner="oliver.hughes", approver="petra.huber", hours=20, metric=BREACH,
        course=((0, 0.42), (130, 0.105)), golive_week=85, goal="-50%",
        hypothesis="A self-service for passwords takes the easy tickets away and leaves time for the others.",
        tasks=("Open the password self-service",),
        change_ref="OPS-CHANGE-110",
    ),
    ScenarioScope(
        "jira", "Lakeside Retail", "US", "Point of Sale", "Limmat Cloud", 65, Truth.WORSE,
        owner="grace.miller", approver="stefan.koch", hours=19, metric=BREACH,
        course=((0, 0.10), (77, 0.10), (78, 0.22), (86, 0.22), (87, 0.33)), golive_week=87, goal="-50%",
        hypothesis="One hotline for all stores replaces the regional ones.",
        tasks=("Merge the regional hotlines",),
        change_ref="OPS-CHANGE-123",
    ),
    ScenarioScope(
        "jira", "Hikari Electronics", "JP", "Factory Control", None, 9, Truth.FEW,
        owner="yui.tanaka", approver="petra.huber", hours=20, metric=BREACH,
        course=((0, 0.05), (77, 0.05), (78, 0.34), (86, 0.34), (88, 0.05)), golive_week=88, goal="-50%",
        hypothesis="A checklist at shift handover keeps open faults from being forgotten.",
        tasks=("Introduce the handover checklist",),
        change_ref="OPS-CHANGE-125",
        accepts_undetectable="So few tickets cannot prove it; the factory wants the checklist anyway.",
    ),
    ScenarioScope("jira", "Helvetic Rail", "CH", "E-Mail", "Limmat Cloud", 70, Truth.QUIET,
                  owner="luca.meier", approver="petra.huber"),
    ScenarioScope("jira", "Helvetic Rail", "CH", "Network", "Sprechfunk AG", 60, Truth.QUIET,
                  owner="luca.meier", approver="petra.huber", breach=0.07),
    ScenarioScope("jira", "Lindenhof Kliniken", "DE", "Workplace", "Desk Partners", 56, Truth.QUIET,
                  owner="claudia.braun", approver="stefan.koch", breach=0.07),
    ScenarioScope("jira", "Thames Insurance", "GB", "E-Mail", "Limmat Cloud", 54, Truth.QUIET,
                  owner="oliver.hughes", approver="petra.huber", breach=0.07),
    ScenarioScope("jira", "Lakeside Retail", "US", "E-Mail", "Limmat Cloud", 52, Truth.QUIET,
                  owner="grace.miller", approver="stefan.koch", breach=0.07),
    ScenarioScope("jira", "Lakeside Retail", "US", "Network", "Sprechfunk AG", 50, Truth.QUIET,
                  owner="grace.miller", approver="stefan.koch", breach=0.07),
    ScenarioScope("jira", "Hikari Electronics", "JP", "Workplace", "Desk Partners", 50, Truth.QUIET,
                  owner="yui.tanaka", approver="petra.huber", breach=0.07),
)

SCOPES: tuple[ScenarioScope, ...] = (*_SERVICENOW, *_JIRA)
