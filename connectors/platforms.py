"""Which platforms there are: ours, and those of packages that are installed beside us.

A package adds a platform by an entry point of the group ``regelkreis.connectors``: its name is the platform's, its
value the class, ``package.module:Class``, whose only argument is a :class:`connectors.config.ConnectionConfig`.
"""

from __future__ import annotations

from importlib.metadata import entry_points

GROUP = "regelkreis.connectors"
BUILT_IN: dict[str, str] = {
    "servicenow": "connectors.servicenow.connector:ServiceNowConnector",
    "jira": "connectors.jira.connector:JiraConnector",
}


def platforms() -> dict[str, str]:
    """Every platform → where its connector is; nobody replaces one of ours."""
    return {point.name: point.value for point in entry_points(group=GROUP)} | BUILT_IN


def is_known(platform: str) -> bool:
    """Whether there is a connector for it. Packages are looked through only for a platform that is not ours."""
    return platform in BUILT_IN or platform in platforms()
