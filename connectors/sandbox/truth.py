"""How a scope of the sandbox's world is described: its usual levels, its truth, and who acts when.

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
