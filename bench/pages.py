"""The pages that every loop of the pull benchmark reads: how they are asked for, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import requests

SN_FIELDS = (
    "sys_id",
    "sys_updated_on",
    "number",
    "short_description",
    "state",
    "priority",
    "company",
    "location",
    "business_service",
    "vendor",
    "category",
    "assignment_group",
    "opened_at",
    "resolved_at",
    "closed_at",
    "sys_created_on",
    "reopen_count",
    "reassignment_count",
    "major_incident_state",
)
JIRA_FIELDS = (
    "summary",
    "issuetype",
    "status",
    "priority",
    "created",
    "updated",
    "resolutiondate",
    "customfield_10010",
    "customfield_10011",
    "customfield_10012",
    "customfield_10013",
    "customfield_10014",
    "customfield_10015",
    "customfield_10030",
    "customfield_10031",
    "customfield_10040",
    "customfield_10041",
)
JIRA_TYPES = '(Incident, "Service Request", Problem, Change)'
JIRA_JQL = f"project = OPS AND issuetype in {JIRA_TYPES} ORDER BY updated ASC"
JIRA_USER = ("admin@example.com", "sandbox")
SN_USER = ("admin", "sandbox")


def servicenow_pages(url: str) -> Iterator[bytes]:
    """Bodies of keyset pages of 5 000 incidents."""
    with requests.Session() as session:
        session.trust_env = False
        session.auth = SN_USER
        condition = "sys_updated_on>=1970-01-01 00:00:00"
        while True:
            params = {
                "sysparm_query": f"{condition}^ORDERBYsys_updated_on^ORDERBYsys_id",
                "sysparm_fields": ",".join(SN_FIELDS),
                "sysparm_limit": "5000",
                "sysparm_exclude_reference_link": "true",
                "sysparm_no_count": "true",
            }
            body = session.get(f"{url}/api/now/table/incident", params=params, timeout=90).content
            if len(body) < 20:
                return
            yield body
            last = msgspec.json.decode(body[body.rindex(b"{") : -2])
            at = last["sys_updated_on"]
            condition = f"sys_updated_on>{at}^NQsys_updated_on={at}^sys_id>{last['sys_id']}"


def jira_pages(url: str) -> Iterator[bytes]:
    """Bodies of token pages of 100 issues with their history."""
    with requests.Session() as session:
        session.trust_env = False
        session.auth = JIRA_USER
        body: dict[str, Any] = {"jql": JIRA_JQL, "fields": list(JIRA_FIELDS), "maxResults": 100, "expand": "changelog"}
        while True:
            content = session.post(f"{url}/rest/api/3/search/jql", json=body, timeout=90).content
            yield content
            tail = content[content.rindex(b"],") + 2 :]
            token = msgspec.json.decode(b"{" + tail).get("nextPageToken")
            if token is None:
                return
            body["nextPageToken"] = token
