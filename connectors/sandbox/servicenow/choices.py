"""Stored values and labels of the choice lists, as an instance has them out of the box.

The values of the states of com.sn_cim are the sandbox's own: no public source tells them, so a client must resolve
labels through ``sys_choice`` (which is what these odd numbers make sure of).
"""

from __future__ import annotations

from typing import Final

Choices = tuple[tuple[str, str], ...]

TASK_STATE: Final[Choices] = (
    ("-5", "Pending"),
    ("1", "Open"),
    ("2", "Work in Progress"),
    ("3", "Closed Complete"),
    ("4", "Closed Incomplete"),
    ("7", "Closed Skipped"),
)
INCIDENT_STATE: Final[Choices] = (
    ("1", "New"),
    ("2", "In Progress"),
    ("3", "On Hold"),
    ("6", "Resolved"),
    ("7", "Closed"),
    ("8", "Canceled"),
)
PROBLEM_STATE: Final[Choices] = (
    ("101", "New"),
    ("102", "Assess"),
    ("103", "Root Cause Analysis"),
    ("104", "Fix in Progress"),
    ("106", "Resolved"),
    ("107", "Closed"),
)
PROBLEM_TASK_STATE: Final[Choices] = (
    ("151", "New"),
    ("152", "Assess"),
    ("154", "Work in Progress"),
    ("157", "Closed"),
)
CHANGE_STATE: Final[Choices] = (
    ("-5", "New"),
    ("-4", "Assess"),
    ("-3", "Authorize"),
    ("-2", "Scheduled"),
    ("-1", "Implement"),
    ("0", "Review"),
    ("3", "Closed"),
    ("4", "Canceled"),
)
CIM_STATE: Final[Choices] = (
    ("1", "New"),
    ("20", "Accepted"),
    ("21", "Assess"),
    ("22", "Approved"),
    ("2", "In Progress"),
    ("23", "On Hold"),
    ("24", "Monitor/Review"),
    ("3", "Closed"),
    ("4", "Canceled"),
)
PRIORITY: Final[Choices] = (
    ("1", "1 - Critical"),
    ("2", "2 - High"),
    ("3", "3 - Moderate"),
    ("4", "4 - Low"),
    ("5", "5 - Planning"),
)
IMPACT: Final[Choices] = (("1", "1 - High"), ("2", "2 - Medium"), ("3", "3 - Low"))
HOLD_REASON: Final[Choices] = (
    ("1", "Awaiting Caller"),
    ("5", "Awaiting Change"),
    ("3", "Awaiting Problem"),
    ("4", "Awaiting Vendor"),
)
CIM_HOLD_REASON: Final[Choices] = (("1", "Awaiting funding"), ("2", "Awaiting resources"), ("3", "Other"))
APPROVAL_STATE: Final[Choices] = (
    ("not requested", "Not Yet Requested"),
    ("requested", "Requested"),
    ("approved", "Approved"),
    ("rejected", "Rejected"),
    ("cancelled", "Cancelled"),
    ("not_required", "No Longer Required"),
    ("skipped", "Skipped"),
)
SLA_STAGE: Final[Choices] = (
    ("starting", "Starting"),
    ("in_progress", "In progress"),
    ("paused", "Paused"),
    ("completed", "Completed"),
    ("achieved", "Achieved"),
    ("breached", "Breached"),
    ("cancelled", "Cancelled"),
)
SLA_TYPE: Final[Choices] = (("SLA", "SLA"), ("OLA", "OLA"), ("Underpinning contract", "Underpinning contract"))
SLA_TARGET: Final[Choices] = (("response", "Response"), ("resolution", "Resolution"))
RISK: Final[Choices] = (("2", "High"), ("3", "Moderate"), ("4", "Low"))
CHANGE_TYPE: Final[Choices] = (("standard", "Standard"), ("normal", "Normal"), ("emergency", "Emergency"))
CHANGE_CLOSE: Final[Choices] = (
    ("successful", "Successful"),
    ("successful_issues", "Successful with issues"),
    ("unsuccessful", "Unsuccessful"),
)
CIM_CLOSE: Final[Choices] = (
    ("successful", "Successful"),
    ("unsuccessful", "Unsuccessful"),
    ("withdrawn", "Withdrawn"),
)
CIM_METHOD: Final[Choices] = (
    ("automated", "Automated: PA Indicator"),
    ("report", "Report"),
    ("survey", "Survey"),
    ("manual", "Manual"),
)
CIM_OUTCOME: Final[Choices] = (
    ("cost_reduction", "Cost Reduction"),
    ("revenue_generation", "Revenue Generation"),
    ("time_savings", "Time Savings"),
    ("customer_satisfaction", "Customer Satisfaction"),
    ("quality_improvement", "Quality Improvement"),
)
MAJOR_INCIDENT: Final[Choices] = (
    ("proposed", "Proposed"),
    ("accepted", "Accepted"),
    ("rejected", "Rejected"),
    ("canceled", "Canceled"),
)
INTERACTION_STATE: Final[Choices] = (
    ("new", "New"),
    ("work_in_progress", "Work in Progress"),
    ("closed_complete", "Closed Complete"),
    ("closed_abandoned", "Closed Abandoned"),
)
INTERACTION_TYPE: Final[Choices] = (
    ("phone", "Phone"),
    ("email", "Email"),
    ("chat", "Chat"),
    ("walkup", "Walk-up"),
    ("review", "Service review"),
)
OUTAGE_TYPE: Final[Choices] = (("outage", "Outage"), ("degradation", "Degradation"), ("planned", "Planned Outage"))
ASSESSMENT_STATE: Final[Choices] = (
    ("ready", "Ready to take"),
    ("wip", "In progress"),
    ("complete", "Complete"),
    ("canceled", "Canceled"),
)
CONTACT_TYPE: Final[Choices] = (
    ("email", "Email"),
    ("phone", "Phone"),
    ("self-service", "Self-service"),
    ("walk-in", "Walk-in"),
)


def value_of(choices: Choices, label: str) -> str:
    """The stored value of a label. Raises KeyError for a label that is none."""
    return {name: value for value, name in choices}[label]
