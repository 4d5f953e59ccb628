"""What the owner of an action says and plans: from the scenario where it has a script, else a plain default."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from connectors.sandbox.scenario import ScenarioScope, find_scope, scopes_of

MIN_WEEKS_TO_GOLIVE = 2  # a week to be approved, a week to prepare
USUAL_WEEKS_TO_GOLIVE = 5  # a week to be approved, four to do it

GENERIC_HYPOTHESIS = (
    "The weeks behind this finding show no single cause. We review the open tickets with the team every Monday and "
    "remove the most frequent cause first."
)
GENERIC_ACCEPTANCE = "The goal may be too small to be proven with this volume; we want the measure all the same."


@dataclass(frozen=True, slots=True)
class ActionView:
    """An improvement action as the register shows it to everybody."""

    code: str
    platform: str  # servicenow | jira
    state: str
    scope: tuple[tuple[str, str], ...]
    metric: str
    owner: str | None
    golive_planned: date | None
    implemented_on: date | None
    verdict: str | None
    record: str | None  # the number of its record on the platform
    cycle_no: int = 1
    goal: str = ""

    @property
    def scope_key(self) -> str:
        """``country=CH,customer=Alpenbank,service=Payments``."""
        return ",".join(f"{name}={value}" for name, value in self.scope)


@dataclass(frozen=True, slots=True)
class Script:
    """Who does what for one action; dates are local to its scope."""

    owner: str
    approver: str
    hypothesis: str
    golive: date
    tasks: tuple[str, ...]
    change_ref: str
    goal: str = ""  # empty: the rule's goal stays
    accepts_undetectable: str = ""


def script_for(action: ActionView, today: date) -> Script | None:
    """The script of an action, None where nobody is responsible for its scope.

    A scripted go-live that can no longer be met (approval takes a week) becomes the usual five weeks from now.
    """
    responsible = _responsible(action)
    if responsible is None:
        return None
    usual = _next_monday(today + timedelta(weeks=USUAL_WEEKS_TO_GOLIVE))
    if responsible.metric != action.metric or responsible.golive_on is None:
        return Script(
            owner=action.owner or responsible.owner,
            approver=responsible.approver,
            hypothesis=GENERIC_HYPOTHESIS,
            golive=usual,
            tasks=("Review the open tickets with the team every Monday",),
            change_ref="",
        )
    earliest = today + timedelta(weeks=MIN_WEEKS_TO_GOLIVE)
    return Script(
        owner=action.owner or responsible.owner,
        approver=responsible.approver,
        hypothesis=responsible.hypothesis,
        golive=responsible.golive_on if responsible.golive_on >= earliest else usual,
        tasks=responsible.tasks,
        change_ref=responsible.change_ref,
        goal=responsible.goal,
        accepts_undetectable=responsible.accepts_undetectable,
    )


def _responsible(action: ActionView) -> ScenarioScope | None:
    """The scope itself, else any scope that agrees with the dimensions the action has (contact gaps: a customer)."""
    exact = find_scope(action.platform, action.scope_key)
    if exact is not None:
        return exact
    wanted = {name: value for name, value in action.scope if name in ("customer", "country", "service")}
    for scope in scopes_of(action.platform):
        here = {"customer": scope.customer, "country": scope.country, "service": scope.service}
        if wanted and all(here[name] == value for name, value in wanted.items()):
            return scope
    return None


def _next_monday(day: date) -> date:
    return day + timedelta(days=-day.weekday() % 7)
