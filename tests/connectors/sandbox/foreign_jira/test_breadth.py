"""Every public method of the foreign Jira clients is called once: none meets a wrong address or a broken server.

Arguments are plausible, not right: a 400 or a 404 that names what is missing is an answer. What those do who run the
server itself (plug-ins, nodes, backups) is not served, and listed here by address; so is what the other product has.
"""

from __future__ import annotations

import inspect
import io
import logging
import re
from pathlib import Path
from typing import Any

import pytest
import requests
from atlassian import Jira, JiraServiceManagement, JiraSoftware, ServiceDesk

from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from tests.connectors.sandbox.foreign_jira.clients import a_jira, an_atlassian

TASK = {"project": {"key": "CIP"}, "issuetype": {"name": "Task"}, "summary": "Slow"}
API = r"/rest/api/[^/]+"
CHANGE = "(?:POST|PUT|DELETE)"
#: Addresses that are not served, and what they are for.
NOT_SERVED: dict[str, str] = {
    r"\w+ /(?:secure|plugins|sr)/": "pages of the web interface",
    r"\w+ /rest/(?:plugins|troubleshooting|backup|project-templates|internal|indexanalyzer)": "the server",
    r"\w+ /rest/(?:bitbucket|idalko-igrid|tempo-|scriptrunner)": "other products and add-ons",
    r"\w+ /rest/(?:builds|deployments|devinfo|devopscomponents|featureflags|operations|remotelinks|security)/": (
        "what other tools report to Jira Software"
    ),
    r"\w+ /rest/servicedesk/": "what the agents' screens call, of no documentation",
    r"PUT /rest/agile/1\.0/board/\d+/features": "features of team-managed boards: it has none",
    r"POST /rest/servicedeskapi/(?:request/validate|servicedesk/\d+/requesttype/permissions)": "trials of the portal",
    r"PUT /rest/servicedeskapi/customer/user/": "the organisation's own administration of accounts",
    r"GET /rest/servicedeskapi/queues/": "no address of the vendor's documentation",
    rf"\w+ {API}/(?:cluster|reindex)": "nodes and index",
    rf"GET {API}/1$": "no address of the vendor's",
}
#: Addresses that only the other product has, and what they are for.
OTHER_PRODUCT: dict[Flavour, dict[str, str]] = {
    "jira_cloud": {
        rf"PUT {API}/(?:user|applicationrole|project/\w+/archive)$": "people, licences and archive are kept otherwise",
        rf"{CHANGE} {API}/user/(?:avatar|application)": "people keep their pictures and licences elsewhere",
        rf"POST {API}/project/\w+/avatar$": "pictures are uploaded in one step",
        rf"PUT {API}/issue/[^/]+/(?:archive|restore|comment/\d+/pin)$": "lists of issues are archived; no pins",
        rf"POST {API}/(?:issuetypescheme/\d+/associations|priorityschemes|auditing/record)$": "other addresses",
        r"DELETE /rest/auth/1/websudo$": "sessions of the web interface",
        rf"GET {API}/customFields/\d+/options$": "options are in contexts",
    },
    "jira_dc": {
        rf"\w+ {API}/field/\d+/context": "fields have options, not contexts",
        rf"(?:POST {API}/comment/list|GET {API}/configuration/timetracking|DELETE {API}/screens/\d+)$": "none",
        rf"POST {API}/dashboard": "made in the browser",
    },
}


class Unanswered:
    """Requests that no function of the sandbox answered, or that broke it."""

    def __init__(self, flavour: Flavour) -> None:
        self._expected = re.compile("|".join((*NOT_SERVED, *OTHER_PRODUCT[flavour])))
        self.found: set[str] = set()

    def __call__(self, response: requests.Response, *_: Any, **__: Any) -> None:
        is_unknown = response.status_code == 405 or (response.status_code == 404 and "null for uri" in response.text)
        is_unknown |= response.status_code == 404 and "does not represent any resource" in response.text
        asked = f"{response.request.method} {response.request.path_url.partition('?')[0]}"
        if response.status_code >= 500 or (is_unknown and not self._expected.match(asked)):
            self.found.add(f"{asked} → {response.status_code}")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some methods leave files where they are called."""
    monkeypatch.chdir(tmp_path)


def a_task(project: str) -> dict[str, Any]:
    return {**TASK, "project": {"key": project}}


def call_all(client: Any, known: dict[str, Any], *, but: tuple[str, ...]) -> int:
    """Call each public method once with the arguments it demands, those that delete last; answers how many."""
    called = 0
    methods = inspect.getmembers(client, inspect.ismethod)
    for name, method in sorted(methods, key=lambda one: one[0].startswith(("archive", "delete", "remove"))):
        if name.startswith("_") or name in but:
            continue
        demanded = [
            one.name
            for one in inspect.signature(method).parameters.values()
            if one.default is one.empty and one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
        ]
        called += 1
        try:
            method(**{name: known.get(name, "1") for name in demanded})
        except Exception as error:  # what a client makes of an answer is its own affair
            logging.getLogger(__name__).debug("%s: %s", name, error)
    return called


def test_every_method_of_jira_is_answered(sandbox: RunningSandbox, flavour: Flavour) -> None:
    client = a_jira(sandbox, flavour)
    client.create_project("BREA", "All of jira", ptype="business")
    task = a_task("BREA")
    issue, other = (client.create_issue(fields=task) for _ in range(2))
    comment = client.add_comment(issue, "a comment")
    me = client.myself()
    known = {
        "issue": issue.key,
        "inwardIssue": issue.key,
        "outwardIssue": other.key,
        "comment": comment.id,
        "project": "BREA",
        "projectIdOrKey": "BREA",
        "prj": "BREA",
        "pid": "BREA",
        "user": me.get("accountId") or me["name"],
        "jql_str": "project = BREA",
        "field_list": [task],
        "attachment": io.BytesIO(b"a"),
        "data": {"a": 1},
    }
    unanswered = Unanswered(flavour)
    client._session.hooks["response"].append(unanswered)
    assert call_all(client, known, but=("close", "kill_session", "async_do", "reindex", "backup")) > 150
    assert "\n".join(sorted(unanswered.found)) == ""


@pytest.mark.parametrize("client_type", [Jira, ServiceDesk])
def test_every_method_of_atlassian_python_api_is_answered(
    sandbox: RunningSandbox, flavour: Flavour, is_cloud: bool, client_type: Any
) -> None:
    jira = an_atlassian(sandbox, flavour)
    me = jira.myself()
    project = f"BR{client_type.__name__.upper()[:8]}"
    lead = {"leadAccountId": me["accountId"]} if is_cloud else {"lead": me["name"]}
    jira.create_project_from_raw_json({"key": project, "name": project, "projectTypeKey": "business", **lead})
    key, other = (jira.create_issue(fields=a_task(project))["key"] for _ in range(2))
    known = {
        "issue_key": key,
        "issue_id_or_key": other,
        "issue": key,
        "key": project,
        "project": project,
        "project_key": project,
        "username": me.get("accountId") or me["name"],
        "account_id": me.get("accountId") or me["name"],
        "comment_id": jira.issue_add_comment(key, "a comment")["id"],
        "jql": f"project = {project}",
        "fields": {"summary": "Slower"},
        "comment": "another",
        "query": "a",
        "property_key": "p",
        "data": {"a": 1},
        "status_name": "In Progress",
    }
    client, unanswered = an_atlassian(sandbox, flavour, kind=client_type), Unanswered(flavour)
    client._session.hooks["response"].append(unanswered)
    plain = ("close", "request", "get", "post", "put", "delete", "patch", "create_issue")
    assert call_all(client, known, but=plain) > 30
    assert "\n".join(sorted(unanswered.found)) == ""


@pytest.mark.parametrize("client_type", [JiraSoftware, JiraServiceManagement])
def test_every_method_of_the_clients_for_cloud_alone_is_answered(sandbox: RunningSandbox, client_type: Any) -> None:
    client, unanswered = an_atlassian(sandbox, "jira_cloud", kind=client_type), Unanswered("jira_cloud")
    client._session.hooks["response"].append(unanswered)
    assert call_all(client, {}, but=("close", "request", "get", "post", "put", "delete", "patch")) > 70
    assert "\n".join(sorted(unanswered.found)) == ""


def test_a_request_of_service_management_is_read_commented_and_moved(sandbox: RunningSandbox, flavour: Flavour) -> None:
    desk, jira = an_atlassian(sandbox, flavour, kind=ServiceDesk), an_atlassian(sandbox, flavour)
    kind = next(one for one in jira.get_project("IMP", expand="issueTypes")["issueTypes"] if one["name"] == "Task")
    made_request = desk.create_customer_request("2", kind["id"], {"summary": "Faster mail"})
    key = made_request["issueKey"]

    shown = desk.get_customer_request(key)
    desk.create_request_comment(key, "for the team", public=False)
    (comment,) = desk.get_request_comments(key)
    desk.perform_transition(key, desk.get_customer_transitions(key)["values"][0]["id"])

    assert (shown["issueKey"], shown["requestFieldValues"][0]["value"]) == (key, "Faster mail")
    assert (comment["body"], comment["public"]) == ("for the team", False)
    assert desk.get_customer_request_status(key) not in ({}, shown["currentStatus"]["status"])
    assert key in {one["issueKey"] for one in desk.get_my_customer_requests()}
    assert desk.get_organisations(start=0, limit=50)["values"] == []
