"""A body of another kind than the API wants may be refused or read as far as it goes; it never breaks the server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from tests.connectors.sandbox.foreign_jira.clients import FLAVOURS, NOW, login

WRITES = (
    "POST search/jql",
    "POST issue",
    "PUT issue/{key}",
    "PUT issue/{key}/assignee",
    "POST issue/{key}/transitions",
    "POST issue/{key}/comment",
    "POST issue/{key}/worklog",
    "POST jql/match",
    "POST issueLink",
    "POST worklog/list",
    "POST comment/list",
    "POST changelog/bulkfetch",
    "PUT issue/archive",
    "POST user",
    "POST group",
    "POST project",
    "PUT project/{project}",
    "POST project/{project}/role/10101",
    "PUT project/{project}/role/10101",
    "PUT project/{project}/permissionscheme",
    "POST role",
    "POST permissionscheme",
    "POST permissionscheme/0/permission",
    "POST priorityschemes",
    "POST issuetype",
    "POST issuetypescheme",
    "PUT issuetypescheme/10101",
    "POST issueLinkType",
    "POST field",
    "POST field/customfield_10010/context/20010/option",
    "PUT field/customfield_10010/context/20010/option/move",
    "POST screens/3/tabs/300/fields",
    "POST screens/3/tabs/300/fields/duedate/move",
    "POST filter",
    "PUT filter/10000",
    "POST filter/10000/permission",
    "POST dashboard",
    "PUT application-properties/jira.title",
    "PUT configuration/timetracking/options",
    "PUT applicationrole",
    "PUT applicationrole/jira-software",
    "POST auditing/record",
)
NAMES = (
    "actors",
    "categorisedActors",
    "defaultIssueTypeId",
    "fields",
    "group",
    "groups",
    "holder",
    "ids",
    "idsOrKeys",
    "inwardIssue",
    "issueIdsOrKeys",
    "issueTypeIds",
    "issuetype",
    "jql",
    "key",
    "name",
    "objectItem",
    "optionIds",
    "options",
    "permissions",
    "position",
    "project",
    "projectTypeKey",
    "sharePermissions",
    "transition",
    "type",
    "update",
    "user",
    "value",
    "customFieldOptionIds",
    "workingHoursPerDay",
    "after",
    "editPermissions",
    "defaultGroups",
    "properties",
    "comment",
    "timeSpentSeconds",
    "issueIds",
    "jqls",
)
ODD: tuple[Any, ...] = (
    *(1, -0.5, "x", "²", True, [], {}, [1], ["x"], ["²"], [{}], [[]], {"a": 1}, {"type": "group"}),
    [{"key": "jira-software", "groups": 1}],
    [{"key": "sd.public.comment", "value": "x"}],
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    """One of its own: what is made of odd bodies would be in the way of others."""
    with running_sandbox(platforms=FLAVOURS, now=NOW) as running:
        yield running


@pytest.mark.parametrize("write", WRITES)
def test_odd_bodies_break_nothing(
    sandbox: RunningSandbox, flavour: Flavour, project: str, key: str, write: str
) -> None:
    method, _, path = write.partition(" ")
    url = f"{sandbox.urls[flavour]}/rest/api/2/{path.format(key=key, project=project)}"
    with requests.Session() as session:
        session.trust_env = False
        session.auth = (login(flavour), "sandbox")
        for body in (*ODD, *(dict.fromkeys(NAMES, odd) for odd in ODD)):
            answer = session.request(method, url, json=body, timeout=30)
            assert answer.status_code < 500, (body, answer.status_code, answer.text)
