"""How our words map to columns of an improvement record, in each write-back mode."""

from __future__ import annotations

from dataclasses import dataclass

#: our field → (column to try first, label to resolve it by), for Continual Improvement Management
CIM_COLUMNS: dict[str, tuple[str, str]] = {
    "title": ("short_description", "Short description"),
    "description": ("description", "Description"),
    "hypothesis": ("business_justification", "Business justification"),
    "service": ("business_service", "Service"),
    "owner": ("coordinator", "CIM Coordinator"),
    "due": ("due_date", "Due date"),
    "baseline": ("base_value", "Base value"),
    "target": ("target_value", "Target value"),
    "next_review": ("target_review_date", "Target review date"),
    "planned_start": ("planned_start_date", "Planned start date"),
    "planned_end": ("planned_end_date", "Planned end date"),
    "method": ("success_measurement_method", "Success measurement method"),
}
TASK_COLUMNS: dict[str, tuple[str, str]] = {
    "title": ("short_description", "Short description"),
    "description": ("description", "Description"),
    "service": ("business_service", "Service"),
    "owner": ("assigned_to", "Assigned to"),
    "due": ("due_date", "Due date"),
}
NO_PLACE = "this platform has no column for it"
NEVER = {
    "state": "the platform's own flow moves it; it is followed, never written",
    "verdict": "it is told by work note and attachment",
    "url": "it stands in the description",
}


@dataclass(frozen=True, slots=True)
class Mode:
    """One way of keeping an improvement record."""

    name: str
    table: str
    columns: dict[str, tuple[str, str]]
    task_table: str | None = None
    task_parent: str = "parent"


MODES: dict[str, Mode] = {
    "cim": Mode("cim", "sn_cim_register", CIM_COLUMNS, "sn_cim_task", "cim_register"),
    "problem": Mode("problem", "problem", TASK_COLUMNS, "problem_task", "problem"),
    "task_min": Mode("task_min", "task", TASK_COLUMNS),
}

#: labels of CIM states → our words for a platform's state
STATE_OF_LABEL = {
    "new": "new",
    "accepted": "accepted",
    "assess": "assess",
    "approved": "approved",
    "in progress": "in_progress",
    "implement": "in_progress",
    "work in progress": "in_progress",
    "monitor/review": "review",
    "review": "review",
    "on hold": "on_hold",
    "pending": "on_hold",
    "closed": "closed",
    "closed complete": "closed",
    "resolved": "review",
    "canceled": "cancelled",
    "cancelled": "cancelled",
    "closed incomplete": "cancelled",
    "closed skipped": "cancelled",
    "open": "new",
    "fix in progress": "in_progress",
    "root cause analysis": "in_progress",
}
