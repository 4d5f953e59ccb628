"""What a Jira administrator configured: projects, issue types, statuses, priorities, fields and workflows.

Ids are fixed, so that tests and documentation can name them; option ids are counted per site. Everything here is one
object, so identity is equality (``eq=False``): texts are looked up by these objects, and hashing one by all its parts
would cost more than its text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Flavour(StrEnum):
    """Which Jira a port plays; the values are those of ``deploymentType`` in serverInfo."""

    CLOUD = "Cloud"
    DATA_CENTER = "Server"


@dataclass(frozen=True, slots=True, eq=False)
class Category:
    """A status category: what colour a status has, in every language and workflow."""

    id: int
    key: str
    name: str
    colour: str


TO_DO = Category(2, "new", "To Do", "blue-gray")
IN_PROGRESS = Category(4, "indeterminate", "In Progress", "yellow")
DONE = Category(3, "done", "Done", "green")


@dataclass(frozen=True, slots=True, eq=False)
class Status:
    """A step of a workflow."""

    id: str
    name: str
    category: Category


@dataclass(frozen=True, slots=True, eq=False)
class Transition:
    """A way from one step to another; ``sources`` None means from everywhere."""

    id: str
    name: str
    to: Status
    sources: tuple[str, ...] | None
    required: tuple[str, ...] = ()  # field ids that its screen demands


@dataclass(frozen=True, slots=True, eq=False)
class IssueType:
    """A kind of issue; ``kind`` is the canonical ticket kind it renders, if any."""

    id: str
    name: str
    is_subtask: bool = False
    kind: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Project:
    """A project with its issue types and the one workflow all of them share; ``screen`` is the id of its screen."""

    id: str
    key: str
    name: str
    type_key: str
    types: tuple[IssueType, ...]
    workflow: tuple[Transition, ...]
    start: Status
    rank: int  # order of keys of different projects
    screen: str = "3"

    @property
    def statuses(self) -> list[Status]:
        """The steps of its workflow, the first one first."""
        return list({status.id: status for status in (self.start, *(way.to for way in self.workflow))}.values())


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A field as ``GET /field`` tells it. ``attribute`` is where an issue keeps a custom value."""

    id: str
    name: str
    type: str
    custom: str = ""
    items: str = ""
    attribute: str = ""
    clauses: tuple[str, ...] = ()
    is_writable: bool = True
    description: str = ""

    @property
    def is_custom(self) -> bool:
        """Whether an administrator added it."""
        return bool(self.custom)


# --- statuses and workflows -----------------------------------------------------------------------------------

OPEN = Status("1", "Open", TO_DO)
WORKING = Status("3", "In Progress", IN_PROGRESS)
RESOLVED = Status("5", "Resolved", DONE)
CLOSED = Status("6", "Closed", DONE)
PENDING = Status("10001", "Pending", IN_PROGRESS)
CANCELED = Status("10002", "Canceled", DONE)
BACKLOG = Status("10010", "To Do", TO_DO)
ON_HOLD = Status("10011", "On Hold", IN_PROGRESS)
IN_REVIEW = Status("10012", "In Review", IN_PROGRESS)
DONE_STATUS = Status("10013", "Done", DONE)
CANCELLED = Status("10014", "Cancelled", DONE)
WAITING = Status("10015", "Waiting for approval", IN_PROGRESS)
APPROVED = Status("10016", "Approved", IN_PROGRESS)

STATUSES = (
    OPEN,
    WORKING,
    RESOLVED,
    CLOSED,
    PENDING,
    CANCELED,
    BACKLOG,
    ON_HOLD,
    IN_REVIEW,
    DONE_STATUS,
    CANCELLED,
    WAITING,
    APPROVED,
)

#: Canonical ticket state → status of project OPS.
TICKET_STATUS: dict[str, Status] = {
    "new": OPEN,
    "in_progress": WORKING,
    "on_hold": PENDING,
    "resolved": RESOLVED,
    "closed": CLOSED,
    "cancelled": CANCELED,
}

OPS_WORKFLOW = (
    Transition("11", "Start progress", WORKING, ("1", "10001", "5")),
    Transition("21", "Wait for customer", PENDING, ("1", "3")),
    Transition("31", "Resolve", RESOLVED, ("1", "3", "10001"), ("resolution",)),
    Transition("41", "Close", CLOSED, ("5",)),
    Transition("51", "Cancel", CANCELED, ("1", "3", "10001")),
)

CIP_WORKFLOW = (
    Transition("111", "Back to backlog", BACKLOG, ("3", "10011")),
    Transition("121", "Start work", WORKING, ("10010", "10011", "10012", "10013", "10014")),
    Transition("131", "Put on hold", ON_HOLD, ("10010", "3", "10012")),
    Transition("141", "Ask for review", IN_REVIEW, ("3",)),
    Transition("151", "Finish", DONE_STATUS, ("3", "10012"), ("resolution",)),
    Transition("161", "Cancel", CANCELLED, ("10010", "3", "10011", "10012")),
)

#: Waiting for approval is left by an answer (approvals.py), or withdrawn by hand.
IMP_WORKFLOW = (
    Transition("211", "Ask for approval", WAITING, ("10010",)),
    Transition("221", "Withdraw", BACKLOG, ("10015",)),
    Transition("231", "Start work", WORKING, ("10016", "10011")),
    Transition("241", "Put on hold", ON_HOLD, ("10010", "10016", "3")),
    Transition("251", "Finish", DONE_STATUS, ("3",), ("resolution",)),
    Transition("261", "Cancel", CANCELLED, ("10010", "10015", "10016", "3", "10011")),
)

# --- issue types and projects ---------------------------------------------------------------------------------

INCIDENT = IssueType("10100", "Incident", kind="incident")
SERVICE_REQUEST = IssueType("10101", "Service Request", kind="request")
PROBLEM = IssueType("10102", "Problem", kind="problem")
CHANGE = IssueType("10103", "Change", kind="change")
CONTACT = IssueType("10104", "Customer contact")
TASK = IssueType("10002", "Task")
SUBTASK = IssueType("10003", "Sub-task", is_subtask=True)
EPIC = IssueType("10000", "Epic")

TYPE_OF_KIND: dict[str, IssueType] = {kind.kind: kind for kind in (INCIDENT, SERVICE_REQUEST, PROBLEM, CHANGE)}

CIP = Project("10000", "CIP", "Continual improvement", "business", (TASK, SUBTASK, EPIC), CIP_WORKFLOW, BACKLOG, 0)
OPS = Project(
    "10001",
    "OPS",
    "Operations",
    "service_desk",
    (INCIDENT, SERVICE_REQUEST, PROBLEM, CHANGE, CONTACT),
    OPS_WORKFLOW,
    OPEN,
    1,
    "1",
)
ARCHIVE = Project("10002", "OPSA", "Operations archive", "service_desk", OPS.types, OPS_WORKFLOW, OPEN, 2, "2")
IMP = Project(
    "10003", "IMP", "Improvement requests", "service_desk", (TASK, SUBTASK), IMP_WORKFLOW, BACKLOG, 3
)  # improvements as requests, with native approvals
PROJECTS = (CIP, OPS, ARCHIVE, IMP)
ISSUE_TYPES = (*OPS.types, *CIP.types)

# --- priorities, resolutions, links ---------------------------------------------------------------------------

PRIORITIES: dict[str, str] = {"1": "Highest", "2": "High", "3": "Medium", "4": "Low", "5": "Lowest"}
RESOLUTIONS: dict[str, str] = {"10000": "Done", "10001": "Won't Do", "10002": "Canceled", "10003": "Inconclusive"}
LINK_TYPES: dict[str, tuple[str, str, str]] = {
    "10000": ("Blocks", "is blocked by", "blocks"),
    "10003": ("Relates", "relates to", "relates to"),
}

ROLES: dict[str, str] = {"10002": "Administrators", "10101": "Service Desk Team"}
FILTERS = {"10000": ("All incidents", "project = OPS AND issuetype = Incident ORDER BY created DESC")}

# --- fields ---------------------------------------------------------------------------------------------------

_SELECT = "com.atlassian.jira.plugin.system.customfieldtypes:select"
_GROUP = "com.atlassian.jira.plugin.system.customfieldtypes:grouppicker"
_DATE = "com.atlassian.jira.plugin.system.customfieldtypes:datepicker"
_TEXT = "com.atlassian.jira.plugin.system.customfieldtypes:textfield"
SLA_FIELD = "com.atlassian.servicedesk:sd-sla-field"
FEEDBACK_FIELD = "com.atlassian.servicedesk:sd-request-feedback"
FEEDBACK_DATE_FIELD = "com.atlassian.servicedesk:sd-request-feedback-date"

SYSTEM_FIELDS = (
    Field("issuetype", "Issue Type", "issuetype", clauses=("issuetype", "type")),
    Field("project", "Project", "project", clauses=("project",)),
    Field("summary", "Summary", "string", clauses=("summary",)),
    Field("status", "Status", "status", clauses=("status",), is_writable=False),
    Field("statusCategory", "Status Category", "statusCategory", clauses=("statusCategory",), is_writable=False),
    Field("priority", "Priority", "priority", clauses=("priority",)),
    Field("resolution", "Resolution", "resolution", clauses=("resolution",)),
    Field("description", "Description", "string", clauses=("description",)),
    Field("labels", "Labels", "array", items="string", clauses=("labels",)),
    Field("assignee", "Assignee", "user", clauses=("assignee",)),
    Field("reporter", "Reporter", "user", clauses=("reporter",), is_writable=False),
    Field("creator", "Creator", "user", clauses=("creator",), is_writable=False),
    Field("created", "Created", "datetime", clauses=("created", "createdDate"), is_writable=False),
    Field("updated", "Updated", "datetime", clauses=("updated", "updatedDate"), is_writable=False),
    Field("resolutiondate", "Resolved", "datetime", clauses=("resolved", "resolutiondate"), is_writable=False),
    Field("duedate", "Due date", "date", clauses=("due", "duedate")),
    Field("comment", "Comment", "comments-page", clauses=("comment",), is_writable=False),
    Field("attachment", "Attachment", "array", items="attachment", clauses=("attachments",), is_writable=False),
    Field("issuelinks", "Linked Issues", "array", items="issuelinks", is_writable=False),
    Field("parent", "Parent", "issuelink", clauses=("parent",)),
    Field("subtasks", "Sub-tasks", "array", items="issuelinks", clauses=("subtasks",), is_writable=False),
    Field("watches", "Watchers", "watches", clauses=("watchers",), is_writable=False),
    Field("votes", "Votes", "votes", clauses=("votes",), is_writable=False),
)

SLA_RESPONSE = Field("customfield_10030", "Time to first response", "sd-servicelevelagreement", SLA_FIELD)
SLA_RESOLUTION = Field("customfield_10031", "Time to resolution", "sd-servicelevelagreement", SLA_FIELD)
OLA_RESPONSE = Field("customfield_10032", "OLA time to first response", "sd-servicelevelagreement", SLA_FIELD)
OLA_RESOLUTION = Field("customfield_10033", "OLA time to resolution", "sd-servicelevelagreement", SLA_FIELD)
UC_RESPONSE = Field("customfield_10034", "Supplier time to first response", "sd-servicelevelagreement", SLA_FIELD)
UC_RESOLUTION = Field("customfield_10035", "Supplier time to resolution", "sd-servicelevelagreement", SLA_FIELD)
SATISFACTION = Field("customfield_10040", "Satisfaction", "sd-feedback", FEEDBACK_FIELD, is_writable=False)
SATISFACTION_DATE = Field("customfield_10041", "Satisfaction date", "datetime", FEEDBACK_DATE_FIELD, is_writable=False)

#: (agreement, target) of a world clock → the SLA field that shows it.
SLA_FIELDS: dict[tuple[str, str], Field] = {
    ("sla", "response"): SLA_RESPONSE,
    ("sla", "resolution"): SLA_RESOLUTION,
    ("ola", "response"): OLA_RESPONSE,
    ("ola", "resolution"): OLA_RESOLUTION,
    ("uc", "response"): UC_RESPONSE,
    ("uc", "resolution"): UC_RESOLUTION,
}

_SOFTWARE = "com.pyxis.greenhopper.jira:gh"
_CHECKS = "com.atlassian.jira.plugin.system.customfieldtypes:multicheckboxes"
_NUMBER = "com.atlassian.jira.plugin.system.customfieldtypes:float"
SPRINT = Field("customfield_10050", "Sprint", "array", f"{_SOFTWARE}-sprint", "json", "sprints")
RANK = Field("customfield_10051", "Rank", "any", f"{_SOFTWARE}-lexo-rank", attribute="rank")
FLAGGED = Field("customfield_10052", "Flagged", "array", _CHECKS, "option", "flagged")
EPIC_LINK = Field("customfield_10053", "Epic Link", "any", f"{_SOFTWARE}-epic-link", attribute="epic")
STORY_POINTS = Field("customfield_10054", "Story Points", "number", _NUMBER, attribute="story_points")
#: What Jira Software adds (planning.py).
SOFTWARE_FIELDS = (SPRINT, RANK, FLAGGED, EPIC_LINK, STORY_POINTS)

CUSTOM_FIELDS = (
    Field("customfield_10010", "Customer", "option", _SELECT, attribute="customer"),
    Field("customfield_10011", "Country", "option", _SELECT, attribute="country"),
    Field("customfield_10012", "Affected service", "option", _SELECT, attribute="service"),
    Field("customfield_10013", "Supplier", "option", _SELECT, attribute="supplier"),
    Field("customfield_10014", "Category", "option", _SELECT, attribute="category"),
    Field("customfield_10015", "Assignment group", "group", _GROUP, attribute="group"),
    Field("customfield_10016", "Major incident", "option", _SELECT, attribute="major"),
    Field("customfield_10017", "Change risk", "option", _SELECT, attribute="risk"),
    Field("customfield_10018", "Change outcome", "option", _SELECT, attribute="outcome"),
    Field("customfield_10019", "Contact kind", "option", _SELECT, attribute="contact_kind"),
    Field("customfield_10020", "Baseline", "string", _TEXT, attribute="baseline"),
    Field("customfield_10021", "Target value", "string", _TEXT, attribute="target"),
    Field("customfield_10022", "Next review", "date", _DATE, attribute="next_review"),
    Field("customfield_10023", "Verdict", "string", _TEXT, attribute="verdict"),
    *(field for field in SLA_FIELDS.values()),
    SATISFACTION,
    SATISFACTION_DATE,
    *SOFTWARE_FIELDS,
)

FIELDS = (*SYSTEM_FIELDS, *CUSTOM_FIELDS)
FIELD_BY_ID: dict[str, Field] = {field.id: field for field in FIELDS}

#: The screens by id: what may be set, at create and afterwards, beside what each issue must have.
CREATE_REQUIRED = ("project", "issuetype", "summary")
_OPS_FIELDS = tuple(field.id for field in CUSTOM_FIELDS if field.attribute and field.id <= "customfield_10019")
_PLANNED = (SPRINT.id, EPIC_LINK.id, FLAGGED.id, STORY_POINTS.id)
_CIP_FIELDS = (*(f"customfield_{n}" for n in (10010, 10011, 10012, 10020, 10021, 10022, 10023)), *_PLANNED)
SCREENS: dict[str, tuple[str, tuple[str, ...]]] = {
    "1": ("Operations", ("priority", "description", "labels", "assignee", *_OPS_FIELDS)),
    "2": ("Operations archive", ("description",)),
    "3": (
        "Improvement",
        ("description", "labels", "assignee", "duedate", "priority", "parent", *_CIP_FIELDS),
    ),
}
RISK_OPTION = {"high": "High", "moderate": "Medium", "low": "Low"}
CONTACT_OPTION = {"review": "Review", "call": "Call", "visit": "Visit", "mail": "Mail", "chat": "Chat"}
