"""What is true in the sandbox's world: the scopes of both platforms and how to look them up.

The table is the *known truth* the demo joins to the verdicts after its last cycle; the engine never reads it.
"""

from __future__ import annotations

from connectors.sandbox.scenario_jira import JIRA_SCOPES
from connectors.sandbox.scenario_servicenow import SERVICENOW_SCOPES
from connectors.sandbox.truth import (
    BREACH,
    CSAT,
    FIRST_CYCLE_WEEK,
    HOURS,
    RULE_OF,
    START,
    WEEKS,
    ZONES,
    ScenarioScope,
    Truth,
    week_monday,
)

__all__ = [
    "BREACH",
    "CSAT",
    "FIRST_CYCLE_WEEK",
    "HOURS",
    "RULE_OF",
    "SCOPES",
    "START",
    "WEEKS",
    "ZONES",
    "ScenarioScope",
    "Truth",
    "acting_services",
    "find_scope",
    "scopes_of",
    "truth_of",
    "week_monday",
]

SCOPES: tuple[ScenarioScope, ...] = (*SERVICENOW_SCOPES, *JIRA_SCOPES)


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
