"""What a site begins with of filters and of schemes: plain documents by kind and id."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira import catalogue
from connectors.sandbox.jira.administration.groups import USERS
from connectors.sandbox.jira.administration.projects import ADMINISTRATORS

Documents = dict[str, dict[str, Any]]  # id → document
DEFAULT = {
    "permissionscheme": 0,
    "notificationscheme": 10_000,
    "issuesecurityscheme": 10_000,
    "priorityscheme": 10_000,
}
#: Permissions a scheme grants, each of a project.
PERMISSIONS = (
    "ADMINISTER_PROJECTS",
    "BROWSE_PROJECTS",
    "CREATE_ISSUES",
    "EDIT_ISSUES",
    "DELETE_ISSUES",
    "ASSIGN_ISSUES",
    "ASSIGNABLE_USER",
    "TRANSITION_ISSUES",
    "RESOLVE_ISSUES",
    "CLOSE_ISSUES",
    "LINK_ISSUES",
    "MOVE_ISSUES",
    "SCHEDULE_ISSUES",
    "ADD_COMMENTS",
    "EDIT_ALL_COMMENTS",
    "DELETE_ALL_COMMENTS",
    "CREATE_ATTACHMENTS",
    "DELETE_ALL_ATTACHMENTS",
    "WORK_ON_ISSUES",
    "MANAGE_WATCHERS",
    "VIEW_VOTERS_AND_WATCHERS",
)


def first_documents() -> dict[str, Documents]:
    """What a new site has of each kind."""
    people = {"type": "group", "parameter": USERS}
    leaders = {"type": "projectRole", "parameter": ADMINISTRATORS}
    grants = {
        str(10_000 + number): {"holder": leaders if name == "ADMINISTER_PROJECTS" else people, "permission": name}
        for number, name in enumerate(PERMISSIONS)
    }
    first = "Default {} Scheme"
    return {
        "filter": {id: _filter(*named) for id, named in catalogue.FILTERS.items()},
        "share scope": {},
        "dashboard": {},
        "avatar": {"chosen": {}, "temporary": {}},
        "uploaded": {},
        "permissionscheme": {"0": {"name": first.format("Permission"), "description": "", "grants": grants}},
        "notificationscheme": {"10000": {"name": first.format("Notification"), "description": ""}},
        "issuesecurityscheme": {"10000": {"name": "Default", "description": "No levels"}},
        "workflowscheme": {},
        "priorityscheme": {
            "10000": {
                "name": first.format("Priority"),
                "description": "",
                "optionIds": list(catalogue.PRIORITIES),
                "defaultOptionId": "3",
            }
        },
        "issuetypescheme": {
            "10000": _types("Default Issue Type Scheme", catalogue.ISSUE_TYPES),
            "10100": _types("Operations issue types", catalogue.OPS.types),
            "10101": _types("Improvement issue types", catalogue.CIP.types),
        },
    }


def _filter(name: str, text: str) -> dict[str, Any]:
    """One of the administrator's, shared with everybody who signs in."""
    return {
        "name": name,
        "description": "",
        "jql": text,
        "owner": "admin",
        "favoured_by": [],
        "shares": {"10100": {"type": "loggedin"}},
        "columns": ["issuekey", "summary", "status", "assignee", "updated"],
    }


def _types(name: str, kinds: tuple[catalogue.IssueType, ...]) -> dict[str, Any]:
    return {
        "name": name,
        "description": "",
        "issueTypeIds": [kind.id for kind in kinds],
        "defaultIssueTypeId": kinds[0].id,
    }
