"""The Jira sandbox over HTTP: what its two flavours answer to readers, traps included."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from jira import JIRA
from jira.exceptions import JIRAError

from connectors.sandbox.testing import RunningSandbox, running_sandbox

NOW = datetime(2024, 7, 29, 12, tzinfo=UTC)
INCIDENTS = "project = OPS AND issuetype = Incident ORDER BY updated ASC, key ASC"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(platforms=("jira_cloud", "jira_dc"), now=NOW) as running:
        yield running


class Caller:
    """A plain HTTP client as one user."""

    def __init__(self, url: str, user: str | None = "admin@example.com", password: str = "sandbox") -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        if user is not None:
            self.session.auth = (user, password)

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.session.get(self.url + path, params=params, timeout=30)

    def post(self, path: str, body: Any) -> requests.Response:
        return self.session.post(self.url + path, json=body, timeout=30)


@pytest.fixture
def cloud(sandbox: RunningSandbox) -> Caller:
    return Caller(sandbox.jira_cloud_url)


@pytest.fixture
def dc(sandbox: RunningSandbox) -> Caller:
    return Caller(sandbox.jira_dc_url, "admin")


def test_the_flavours_tell_themselves_apart(cloud: Caller, dc: Caller) -> None:
    assert cloud.get("/rest/api/2/serverInfo").json()["deploymentType"] == "Cloud"
    assert dc.get("/rest/api/2/serverInfo").json()["deploymentType"] == "Server"


def test_the_old_search_is_gone_on_cloud(cloud: Caller) -> None:
    for version in "23":
        answer = cloud.get(f"/rest/api/{version}/search", jql=INCIDENTS)
        assert answer.status_code == 410
        assert "/rest/api/3/search/jql" in answer.json()["errorMessages"][0]


def test_cloud_pages_by_token_and_tells_no_total(cloud: Caller) -> None:
    keys: list[str] = []
    token = None
    while True:
        body = {"jql": INCIDENTS, "fields": ["summary"], "maxResults": 1_000}
        answer = cloud.post("/rest/api/3/search/jql", body | ({"nextPageToken": token} if token else {})).json()
        assert "total" not in answer
        assert len(answer["issues"]) <= 100  # cut, because fields were asked for
        keys += [issue["key"] for issue in answer["issues"]]
        token = answer.get("nextPageToken")
        if answer["isLast"]:
            break
    assert token is None
    assert len(keys) == len(set(keys))
    counted = cloud.post("/rest/api/3/search/approximate-count", {"jql": INCIDENTS}).json()
    assert counted == {"count": len(keys)}


def test_cloud_gives_ids_only_unless_fields_are_named(cloud: Caller) -> None:
    answer = cloud.get("/rest/api/3/search/jql", jql=INCIDENTS, maxResults=5_000).json()
    assert len(answer["issues"]) > 100
    assert set(answer["issues"][0]) == {"id"}


def test_cloud_refuses_unbounded_queries_and_foreign_tokens(cloud: Caller) -> None:
    for unbounded in ("", "  ", "order by created DESC", " ORDER\tBY key"):
        assert cloud.get("/rest/api/3/search/jql", jql=unbounded).status_code == 400
        assert cloud.post("/rest/api/3/search/approximate-count", {"jql": unbounded}).status_code == 400
    first = cloud.get("/rest/api/3/search/jql", jql=INCIDENTS, maxResults=10).json()
    other = cloud.get("/rest/api/3/search/jql", jql="project = OPS", nextPageToken=first["nextPageToken"])
    assert other.status_code == 400
    assert "token" in other.json()["errorMessages"][0]


@pytest.mark.parametrize("size", [-1, 0, 5_001])
def test_a_page_on_cloud_holds_between_one_and_5000_issues(cloud: Caller, size: int) -> None:
    asked = [cloud.get("/rest/api/3/search/jql", jql=INCIDENTS, maxResults=size)]
    asked.append(cloud.post("/rest/api/3/search/jql", {"jql": INCIDENTS, "maxResults": size}))
    assert [answer.status_code for answer in asked] == [400, 400]
    assert "between 1 and 5,000" in asked[0].json()["errorMessages"][0]


def test_a_list_begins_at_its_first_member_whoever_asks_for_one_before(cloud: Caller, dc: Caller) -> None:
    for caller, path in ((dc, "search"), (cloud, "project/search"), (dc, "user/assignable/search")):
        asked = [caller.get(f"/rest/api/2/{path}", startAt=start, maxResults=2, project="CIP") for start in (0, -1)]
        assert (asked[1].status_code, asked[1].json()) == (200, asked[0].json())


def test_data_center_pages_by_offset_with_a_total(dc: Caller) -> None:
    first = dc.get("/rest/api/2/search", jql=INCIDENTS, maxResults=30, fields="summary").json()
    second = dc.get("/rest/api/2/search", jql=INCIDENTS, maxResults=30, startAt=30, fields="summary").json()
    assert (first["startAt"], second["startAt"], first["maxResults"]) == (0, 30, 30)
    assert first["total"] == second["total"] > 60
    assert not {issue["id"] for issue in first["issues"]} & {issue["id"] for issue in second["issues"]}
    assert dc.get("/rest/api/3/search", jql=INCIDENTS).status_code == 404


def test_an_unknown_path_and_field_are_told_in_jiras_words(cloud: Caller) -> None:
    assert set(cloud.get("/rest/api/3/nothing").json()) == {"errorMessages", "errors"}
    wrong = cloud.get("/rest/api/3/search/jql", jql="customer = Acme AND colour = blue")
    assert wrong.status_code == 400
    assert wrong.json()["errors"] == {}


def test_a_wrong_token_on_cloud_answers_200_with_fewer_issues(sandbox: RunningSandbox, cloud: Caller) -> None:
    expired = Caller(sandbox.jira_cloud_url, "admin@example.com", "expired")
    query = {"jql": "project = OPS", "maxResults": 5_000}
    answer = expired.get("/rest/api/3/search/jql", **query)
    assert answer.status_code == 200
    assert 0 < len(answer.json()["issues"]) < len(cloud.get("/rest/api/3/search/jql", **query).json()["issues"])
    assert answer.headers["X-Seraph-LoginReason"] == "AUTHENTICATED_FAILED"
    assert expired.get("/rest/api/3/myself").status_code == 401


def test_data_center_takes_passwords_and_tokens(sandbox: RunningSandbox) -> None:
    url = sandbox.jira_dc_url
    assert Caller(url, "regelkreis").get("/rest/api/2/myself").json()["name"] == "regelkreis"
    assert Caller(url, "regelkreis", "wrong").get("/rest/api/2/myself").status_code == 401
    bearer = Caller(url, None)
    bearer.session.headers["Authorization"] = "Bearer sandbox-honolulu"
    assert bearer.get("/rest/api/2/myself").json()["timeZone"] == "Pacific/Honolulu"


def test_people_have_account_ids_on_cloud_and_names_on_data_center(cloud: Caller, dc: Caller) -> None:
    (there,) = cloud.get("/rest/api/3/user/search", query="claudia").json()
    (here,) = dc.get("/rest/api/2/user/search", username="claudia").json()
    assert "accountId" in there
    assert "emailAddress" not in there
    assert here["name"] == "claudia.braun"


def test_sla_fields_have_cycles_and_times_in_the_readers_zone(sandbox: RunningSandbox, cloud: Caller) -> None:
    query = {
        "jql": '"Time to resolution" = completed() ORDER BY key',
        "fields": "created,customfield_10031",
        "maxResults": 1,
    }
    (issue,) = cloud.get("/rest/api/3/search/jql", **query).json()["issues"]
    (cycle, *_) = issue["fields"]["customfield_10031"]["completedCycles"]
    assert cycle["breached"] is (cycle["remainingTime"]["millis"] < 0)
    assert cycle["goalDuration"]["millis"] - cycle["elapsedTime"]["millis"] == cycle["remainingTime"]["millis"]
    honolulu = Caller(sandbox.jira_cloud_url, "honolulu@example.com")
    (same,) = honolulu.get("/rest/api/3/search/jql", **query).json()["issues"]
    assert same["fields"]["created"].endswith(".000-1000")
    assert datetime.fromisoformat(same["fields"]["created"]) == datetime.fromisoformat(issue["fields"]["created"])
    listed = cloud.get(f"/rest/servicedeskapi/request/{issue['key']}/sla").json()["values"]
    assert "Time to resolution" in [sla["name"] for sla in listed]


def test_feedback_is_404_until_the_customer_answered(cloud: Caller) -> None:
    answered = cloud.get(
        "/rest/api/3/search/jql", jql='"Satisfaction date" is not EMPTY', fields="customfield_10040", maxResults=1
    ).json()["issues"][0]
    feedback = cloud.get(f"/rest/servicedeskapi/request/{answered['key']}/feedback").json()
    assert feedback["rating"] == answered["fields"]["customfield_10040"]["rating"]
    silent = cloud.get("/rest/api/3/search/jql", jql='"Satisfaction date" is EMPTY', fields="key").json()["issues"][0]
    assert cloud.get(f"/rest/servicedeskapi/request/{silent['id']}/feedback").status_code == 404


def test_changelog_is_paged_on_cloud_and_expanded_on_both(cloud: Caller, dc: Caller) -> None:
    for caller, path in ((cloud, "/rest/api/3/search/jql"), (dc, "/rest/api/2/search")):
        issue = caller.get(
            path, jql="status = Closed AND issuetype = Incident", fields="status", expand="changelog", maxResults=1
        )
        entries = issue.json()["issues"][0]["changelog"]["histories"]
        changed = [item["toString"] for entry in entries for item in entry["items"] if item["field"] == "status"]
        assert changed[-1] == "Closed"
    page = cloud.get(f"/rest/api/3/issue/{issue.json()['issues'][0]['key']}/changelog", maxResults=1).json()
    assert page["total"] == len(entries)
    assert (len(page["values"]), page["isLast"]) == (1, page["total"] == 1)


def test_the_jira_library_reads_both_flavours(sandbox: RunningSandbox) -> None:
    cloud = JIRA(sandbox.jira_cloud_url, basic_auth=("admin@example.com", "sandbox"), max_retries=0)
    assert cloud.current_user().startswith("712020:")
    found = cloud.search_issues(INCIDENTS, maxResults=150, fields="summary,status,customfield_10010")
    assert len(found) >= 100
    assert found[0].fields.customfield_10010.value
    assert cloud.approximate_issue_count(INCIDENTS) > 100
    data_center = JIRA(sandbox.jira_dc_url, token_auth="sandbox", max_retries=0)
    issues = data_center.search_issues(INCIDENTS, maxResults=False, fields="summary")
    assert issues.total == len(issues) == cloud.approximate_issue_count(INCIDENTS)
    assert {field["name"] for field in data_center.fields()} >= {"Customer", "Time to resolution", "Satisfaction"}
    assert [kind.name for kind in data_center.project_issue_types("CIP")] == ["Task", "Sub-task", "Epic"]
    with pytest.raises(JIRAError) as missing:
        data_center.issue("OPS-999999")
    assert missing.value.status_code == 404
