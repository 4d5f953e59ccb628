"""How our words map to columns of an improvement record, in each write-back mode."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.config import ConnectionConfig
from improvement.records import CLOSURE_FIELDS, CLOSURE_OUTCOMES, OUTBOUND_FIELDS, SET_THERE, Closure, Gain

Columns = dict[str, tuple[str, ...]]  # our field → column names and labels to try, in this order

TASK_COLUMNS: Columns = {
    "title": ("short_description", "Short description"),
    "description": ("description", "Description"),
    "service": ("business_service", "Service"),
    "offering": ("service_offering", "Service offering"),
    "owner": ("assigned_to", "Assigned to"),
    "due": ("due_date", "Due date"),
    "priority": ("priority", "Priority"),
}
CIM_COLUMNS: Columns = {
    **TASK_COLUMNS,
    "hypothesis": ("business_justification", "Business justification"),
    "owner": ("coordinator", "CIM Coordinator"),
    "baseline": ("base_value", "Base value"),
    "target": ("target_value", "Target value"),
    "next_review": ("target_review_date", "Target review date"),
    "planned_start": ("planned_start_date", "Planned start date"),
    "planned_end": ("planned_end_date", "Planned end date"),
    "method": ("success_measurement_method", "Success measurement method"),
    "closure": ("closure_code", "Closure code"),
    "gain": ("achieved_outcome_category", "Achieved outcome category"),
    "close_notes": ("close_notes", "Close notes"),
    "approver_group": ("approver_group", "Approver group"),
    "strategies": ("strategic_objective", "Strategies"),
    "percent_complete": ("percent_complete", "Percent complete"),
}
_USUAL = TASK_COLUMNS | {name: CIM_COLUMNS[name] for name in (*CLOSURE_FIELDS, *SET_THERE)}
CUSTOM_COLUMNS: Columns = {
    name: (f"u_{name}", *_USUAL.get(name, ()), name.replace("_", " ").capitalize())
    for name in (*OUTBOUND_FIELDS, "offering", *SET_THERE)
}

MEASURED = frozenset({"baseline", "target", "next_review", "method", "verdict", "state"})
"""Fields in which what we measured wins; in every other a person's change on the platform wins."""

NEVER = {
    "state": "the platform's own flow moves it; it is followed, never written",
    "verdict": "it is told by work note and attachment",
    "url": "it stands in the description, or in a note",
}
NEVER_WRITTEN = frozenset({"state", "approval", "active", "percent_complete", "percentage_improvement"})
"""Columns the platform's own flow moves or computes: whatever is configured, they are followed and never written."""

GAINS: dict[Gain, str] = {
    Gain.TIME: "Time Savings",
    Gain.SATISFACTION: "Customer Satisfaction",
    Gain.QUALITY: "Quality Improvement",
}
"""Improvement of what → the vendor's label of *Achieved outcome category*, unless ``gains`` names another."""


def closure_name(config: ConnectionConfig, closure: Closure) -> str:
    """Label or stored value of a closure code: the connection's own, else the vendor's label."""
    return config.resolutions.get(CLOSURE_OUTCOMES[closure], closure.capitalize())


def gain_name(config: ConnectionConfig, gain: Gain) -> str:
    """Label or stored value of an achieved outcome category."""
    return config.gains.get(gain, GAINS[gain])


NO_PLACE = "this platform has no column for it"

AUTOMATED = "automated"
"""Success measurement method by which Performance Analytics fills in a record: its stored value, and how the usual
label (*Automated: PA Indicator*) begins."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One way of keeping an improvement record.

    ``roles``: the integration user needs one of them; ``creation``: fields a new record gets besides ours;
    ``by_indicator``: our fields that Performance Analytics fills in where the record is measured so.
    """

    name: str
    table: str
    columns: Columns
    roles: tuple[str, ...]
    task_table: str | None = None
    task_parent: str = "parent"
    link_table: str | None = None
    creation: tuple[tuple[str, str], ...] = ()
    by_indicator: tuple[str, ...] = ()

    @property
    def owner_columns(self) -> tuple[str, ...]:
        """Where the owner may stand."""
        return self.columns.get("owner", ("assigned_to",))


CIM = Mode(
    "cim",
    "sn_cim_register",
    CIM_COLUMNS,
    ("sn_cim.improvement_requester", "sn_cim.improvement_coordinator", "sn_cim.improvement_manager"),
    "sn_cim_task",
    "cim_register",
    "sn_cim_inbound_m2m",
    (("method", "Manual"),),
    ("baseline", "target"),
)
PROBLEM = Mode(
    "problem",
    "problem",
    TASK_COLUMNS,
    ("problem_coordinator", "problem_manager", "problem_admin", "itil"),
    "problem_task",
    "problem",
)
TASK_MIN = Mode("task_min", "task", TASK_COLUMNS, ())


def mode_named(name: str, config: ConnectionConfig) -> Mode | None:
    """The mode of this name; None for ``custom`` where no table is configured, and for names that are none."""
    if name == "custom":
        return Mode("custom", config.custom_table, CUSTOM_COLUMNS, ()) if config.custom_table else None
    return {mode.name: mode for mode in (CIM, PROBLEM, TASK_MIN)}.get(name)


def modes_in_order(config: ConnectionConfig) -> list[str]:
    """Which modes are tried, best first."""
    return ["cim", *(name for name in ("custom", "problem", "task_min") if name in config.fallback_modes)]


STATE_OF_LABEL = {
    "new": "new",
    "open": "new",
    "accepted": "accepted",
    "assess": "assess",
    "approved": "approved",
    "in progress": "in_progress",
    "implement": "in_progress",
    "work in progress": "in_progress",
    "root cause analysis": "in_progress",
    "fix in progress": "in_progress",
    "monitor/review": "review",
    "review": "review",
    "resolved": "review",
    "on hold": "on_hold",
    "pending": "on_hold",
    "closed": "closed",
    "closed complete": "closed",
    "closed incomplete": "cancelled",
    "closed skipped": "cancelled",
    "canceled": "cancelled",
    "cancelled": "cancelled",
    "rejected": "cancelled",
}
"""Labels of states, in any case → our words for a platform's state (PlatformState.state)."""

DONE_LABELS = frozenset({"closed", "closed complete", "closed incomplete", "closed skipped", "canceled", "cancelled"})
