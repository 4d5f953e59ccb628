"""The settings of one site, as its administrators leave them."""

from __future__ import annotations

import hashlib
from typing import Any

from connectors.sandbox.jira.administration.groups import USERS

TITLE = "jira.title"
#: Key → what it is, of which type, and its default.
PROPERTIES: dict[str, tuple[str, str, str]] = {
    TITLE: ("Title", "string", "Jira of the sandbox"),
    "jira.clone.prefix": ("The prefix added to the Summary field of cloned issues", "string", "CLONE -"),
    "jira.comment.collapsing.minimum.hidden": ("Comments hidden at least", "number", "4"),
    "jira.date.picker.java.format": ("Format of dates, Java", "string", "d/MMM/yy"),
    "jira.date.picker.javascript.format": ("Format of dates, JavaScript", "string", "%e/%b/%y"),
    "jira.date.time.picker.java.format": ("Format of times, Java", "string", "dd/MMM/yy h:mm a"),
    "jira.issue.actions.order": ("Order of comments", "string", "asc"),
    "jira.view.issue.links.sort.order": ("Order of links", "string", "type, status, priority"),
    "jira.bulk.edit.limit.issue.count": ("Issues changed at once", "number", "1000"),
    "jira.option.allowvoting": ("Voting", "boolean", "true"),
}
PROVIDER = {"key": "JIRA", "name": "JIRA provided time tracking"}
TIME_FORMATS = ("pretty", "days", "hours")
UNITS = ("minute", "hour", "day", "week")
APPLICATIONS = {"jira-software": "Jira Software", "jira-servicedesk": "Jira Service Management"}


class Settings:
    """Application properties that were changed, time tracking, and which groups may use which application."""

    def __init__(self) -> None:
        self.properties: dict[str, str] = {}
        self.tracking: dict[str, Any] = {
            "workingHoursPerDay": 8.0,
            "workingDaysPerWeek": 5.0,
            "timeFormat": "pretty",
            "defaultUnit": "minute",
        }
        self.applications: dict[str, dict[str, list[str]]] = {
            key: {"groups": [USERS], "defaultGroups": [USERS]} for key in APPLICATIONS
        }

    @property
    def title(self) -> str:
        """What the site is called."""
        return self.properties.get(TITLE, PROPERTIES[TITLE][2])

    def worklog_seconds(self) -> tuple[float, ...]:
        """How long a week, a day, an hour and a minute of work are."""
        day = self.tracking["workingHoursPerDay"] * 3_600
        return (self.tracking["workingDaysPerWeek"] * day, day, 3_600, 60)

    def tag(self) -> str:
        """Changes with the application roles."""
        return f'"{hashlib.sha256(repr(self.applications).encode()).hexdigest()[:16]}"'
