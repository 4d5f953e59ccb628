"""Every trap of the Jira sandbox over plain HTTP, alone and together: what a client is shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox

NOW = datetime(2024, 7, 29, 12, tzinfo=UTC)
INCIDENTS = "issuetype = Incident ORDER BY updated ASC, key ASC"
ORDINARY: dict[str, Any] = {
    "index_lag": 0,
    "transition_names": {},
    "missing_transitions": [],
    "demanded_fields": {},
    "screen_lacks": {},
    "max_links": 2_000,
    "unlinkable": [],
    "duplicate_fields": [],
    "limits_issue_writes": False,
}


@pytest.fixture(params=("jira_cloud", "jira_dc"))
def flavour(request: pytest.FixtureRequest) -> Flavour:
    chosen: Flavour = request.param
    return chosen


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningSandbox]:
    with running_sandbox(platforms=("jira_cloud", "jira_dc"), now=NOW) as running:
        yield running


@pytest.fixture
def sandbox(shared: RunningSandbox) -> Iterator[RunningSandbox]:
    """Both flavours; faults and options are taken back afterwards."""
    yield shared
    for flavour in shared.urls:
        shared.set_faults(flavour)
        shared.set_options(flavour, **ORDINARY)


class Site:
    """Jira as one user sees it."""

    def __init__(self, sandbox: RunningSandbox, flavour: Flavour, user: str = "admin") -> None:
        self.url = sandbox.urls[flavour]
        self.is_cloud = flavour == "jira_cloud"
        self.auth = (f"{user}@example.com" if self.is_cloud else user, "sandbox")

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            session.auth = self.auth
            return session.request(method, f"{self.url}/rest/api/2{path}", timeout=30, **options)

    def search(self, jql: str, **body: Any) -> requests.Response:
        path = "/search/jql" if self.is_cloud else "/search"
        return self.send("POST", path, json={"jql": jql, "fields": ["summary", "updated"], **body})

    def issues(self, jql: str, **body: Any) -> list[dict[str, Any]]:
        answer = self.search(jql, **body)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["issues"]
        return found

    def task(self, **fields: Any) -> dict[str, Any]:
        given = {"project": {"key": "CIP"}, "issuetype": {"name": "Task"}, "summary": "Fewer breaches", **fields}
        answer = self.send("POST", "/issue", json={"fields": given})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def ways(self, key: str) -> dict[str, dict[str, Any]]:
        params = {"expand": "transitions.fields"}
        return {
            way["id"]: way for way in self.send("GET", f"/issue/{key}/transitions", params=params).json()["transitions"]
        }


def test_where_a_bare_list_is_asked_for_only_the_error_comes(sandbox: RunningSandbox, flavour: Flavour) -> None:
    sandbox.set_faults(flavour, {"kind": "error_in_200"})
    fields = Site(sandbox, flavour).send("GET", "/field")
    assert (fields.status_code, set(fields.json())) == (200, {"error", "status"})


def test_a_page_token_is_repeated_or_expires(sandbox: RunningSandbox) -> None:
    site = Site(sandbox, "jira_cloud")
    token = site.search(INCIDENTS, maxResults=10).json()["nextPageToken"]
    sandbox.set_faults("jira_cloud", {"kind": "repeat_token"})
    repeated = site.search(INCIDENTS, maxResults=10, nextPageToken=token).json()
    sandbox.set_faults("jira_cloud", {"kind": "expired_token"})
    first = site.search(INCIDENTS, maxResults=10)
    expired = site.search(INCIDENTS, maxResults=10, nextPageToken=token)

    assert (repeated["nextPageToken"], repeated["isLast"]) == (token, False)
    assert first.status_code == 200
    assert expired.status_code == 400
    assert "expired" in expired.json()["errorMessages"][0]


def test_offsets_skip_issues_while_others_change(sandbox: RunningSandbox) -> None:
    site = Site(sandbox, "jira_dc")
    total = site.search(INCIDENTS, maxResults=0).json()["total"]
    sandbox.set_faults("jira_dc", {"kind": "changing", "path": "/search", "times": None, "records": 10})
    seen: set[str] = set()
    for start in range(0, total, 250):
        seen |= {issue["id"] for issue in site.issues(INCIDENTS, startAt=start, maxResults=250)}
    assert len(seen) < total


def test_an_expired_login_sees_fewer_issues_and_200(sandbox: RunningSandbox, flavour: Flavour) -> None:
    site = Site(sandbox, flavour)
    sandbox.set_faults(flavour, {"kind": "anonymous", "times": None})
    assert site.issues(INCIDENTS) == []
    assert site.send("GET", "/myself").status_code == 401


def test_after_failed_logins_a_captcha_is_demanded(sandbox: RunningSandbox, flavour: Flavour) -> None:
    sandbox.set_faults(flavour, {"kind": "captcha"})
    refused = Site(sandbox, flavour).send("GET", "/myself")
    assert refused.status_code == 403
    assert refused.headers["X-Authentication-Denied-Reason"].startswith("CAPTCHA_CHALLENGE")


def test_a_limit_warns_first_and_then_tells_its_reason(sandbox: RunningSandbox, flavour: Flavour) -> None:
    site = Site(sandbox, flavour)
    sandbox.set_faults(flavour, {"kind": "near_limit"}, {"kind": "rate_limit", "seconds": 7, "after": 1})
    warned, limited = site.send("GET", "/field"), site.send("GET", "/field")
    assert (warned.status_code, warned.headers["X-RateLimit-NearLimit"]) == (200, "true")
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "7")
    assert "RateLimit-Reason" in limited.headers


def test_a_new_issue_is_found_late(sandbox: RunningSandbox, flavour: Flavour) -> None:
    site = Site(sandbox, flavour)
    sandbox.set_options(flavour, index_lag=2)
    made = site.task(labels=["rk-late"])
    seen = [len(site.issues('labels = "rk-late"')) for _ in range(3)]
    assert seen == [0, 0, 1]
    if flavour == "jira_cloud":
        again = site.task(labels=["rk-known"])
        assert site.issues('labels = "rk-known"', reconcileIssues=[int(again["id"])])
    assert site.send("GET", f"/issue/{made['key']}").status_code == 200


def test_a_changed_issue_is_found_by_what_it_was(sandbox: RunningSandbox, flavour: Flavour) -> None:
    site = Site(sandbox, flavour)
    first, second = site.task(labels=["rk-old"]), site.task(labels=["rk-old"])
    sandbox.set_options(flavour, index_lag=3)
    changed = {"fields": {"labels": ["rk-new"], "summary": "Renamed"}}
    assert site.send("PUT", f"/issue/{first['key']}", json=changed).status_code == 204
    query = 'labels = "{}" ORDER BY updated ASC, key ASC'
    shown = [issue["fields"]["summary"] for issue in site.issues(query.format("rk-old"))]
    assert shown[0] == "Renamed"  # in its old place, with what it is now
    assert len(shown) == 2
    assert site.issues(query.format("rk-new")) == []
    if flavour == "jira_cloud":
        asked = [int(first["id"])]
        assert [one["key"] for one in site.issues(query.format("rk-new"), reconcileIssues=asked)] == [first["key"]]
    else:
        assert len(site.issues('summary ~ "Renamed"')) == 0
    assert [one["key"] for one in site.issues(query.format("rk-new"))] == [first["key"]]
    assert [one["key"] for one in site.issues(query.format("rk-old"))] == [second["key"]]


def test_a_deleted_issue_counts_for_a_while(sandbox: RunningSandbox, flavour: Flavour) -> None:
    site = Site(sandbox, flavour)
    gone, stays = site.task(labels=["rk-gone"]), site.task(labels=["rk-gone"])
    sandbox.set_options(flavour, index_lag=2)
    assert site.send("DELETE", f"/issue/{gone['key']}").status_code == 204
    assert site.send("GET", f"/issue/{gone['key']}").status_code == 404
    query = 'labels = "rk-gone" ORDER BY key ASC'
    assert [one["key"] for one in site.issues(query, fields=["summary"])] == [stays["key"]]
    if flavour == "jira_cloud":
        assert [one["key"] for one in site.issues(query, fields=["key"])] == [gone["key"], stays["key"]]
    else:
        assert site.send("GET", "/search", params={"jql": query, "maxResults": 0}).json()["total"] == 2
    assert [one["key"] for one in site.issues(query, fields=["key"])] == [stays["key"]]


def test_transitions_are_localised_missing_or_demand_fields(sandbox: RunningSandbox, flavour: Flavour) -> None:
    site = Site(sandbox, flavour)
    key = site.task()["key"]
    ordinary = site.ways(key)
    sandbox.set_options(
        flavour,
        transition_names={"121": "Arbeit beginnen"},
        missing_transitions=["131"],
        demanded_fields={"161": ["customfield_10023"]},
    )
    now = site.ways(key)
    refused = site.send("POST", f"/issue/{key}/transitions", json={"transition": {"id": "161"}})
    lost = site.send("POST", f"/issue/{key}/transitions", json={"transition": {"id": "131"}})
    begun = site.send("POST", f"/issue/{key}/transitions", json={"transition": {"id": "121"}})

    assert (ordinary["121"]["name"], now["121"]["name"]) == ("Start work", "Arbeit beginnen")
    assert "131" in ordinary
    assert "131" not in now
    assert now["161"]["fields"]["customfield_10023"]["required"] is True
    assert (refused.status_code, lost.status_code, begun.status_code) == (400, 400, 204)
    assert "customfield_10023" in refused.json()["errors"]


def test_screens_lack_fields_and_issues_are_full_of_links(sandbox: RunningSandbox, flavour: Flavour) -> None:
    site = Site(sandbox, flavour)
    keys = [site.task()["key"] for _ in range(3)]
    sandbox.set_options(flavour, screen_lacks={"create": ["duedate"], "edit": ["description"]}, max_links=1)
    task = {"project": {"key": "CIP"}, "issuetype": {"name": "Task"}, "summary": "S", "duedate": "2025-01-01"}
    created = site.send("POST", "/issue", json={"fields": task})
    edited = site.send("PUT", f"/issue/{keys[0]}", json={"fields": {"description": "D"}})
    screen = site.send("GET", f"/issue/{keys[0]}/editmeta").json()["fields"]
    link = {"type": {"name": "Relates"}, "inwardIssue": {"key": keys[0]}}
    linked = [site.send("POST", "/issueLink", json={**link, "outwardIssue": {"key": key}}) for key in keys[1:]]

    assert (created.status_code, edited.status_code) == (400, 400)
    assert "duedate" in created.json()["errors"]
    assert "description" not in screen
    assert [one.status_code for one in linked] == [201, 413]
    assert site.send("DELETE", f"/issue/{keys[1]}").status_code == 204  # and its link with it
    again = site.send("POST", "/issueLink", json={**link, "outwardIssue": {"key": keys[2]}})
    assert again.status_code == 201


def test_who_may_not_link_is_answered_as_each_flavour_does(sandbox: RunningSandbox, flavour: Flavour) -> None:
    site = Site(sandbox, flavour)
    ours, theirs = site.task()["key"], site.issues(INCIDENTS, maxResults=1)[0]["key"]
    link = {"type": {"name": "Relates"}, "inwardIssue": {"key": theirs}, "outwardIssue": {"key": ours}}
    answers = []
    for projects in (["CIP"], ["OPS"], []):
        sandbox.set_options(flavour, unlinkable=projects)
        answers.append(site.send("POST", "/issueLink", json=link).status_code)
    assert answers == ([404, 201, 201] if flavour == "jira_cloud" else [201, 401, 201])


def test_a_field_name_is_there_twice(sandbox: RunningSandbox, flavour: Flavour) -> None:
    sandbox.set_options(flavour, duplicate_fields=["Customer"])
    twins = [f for f in Site(sandbox, flavour).send("GET", "/field").json() if f["name"] == "Customer"]
    assert len(twins) == 2
    assert twins[0]["schema"]["custom"] == twins[1]["schema"]["custom"]
    assert twins[0]["id"] != twins[1]["id"]


def test_a_conflict_changes_nothing(sandbox: RunningSandbox, flavour: Flavour) -> None:
    site = Site(sandbox, flavour)
    key = site.task()["key"]
    sandbox.set_faults(flavour, {"kind": "refuse", "status": 409, "method": "PUT"})
    refused = site.send("PUT", f"/issue/{key}", json={"fields": {"summary": "Other"}})
    assert refused.status_code == 409
    assert site.send("GET", f"/issue/{key}").json()["fields"]["summary"] == "Fewer breaches"


def test_the_same_minute_means_other_instants_in_honolulu_and_auckland(
    sandbox: RunningSandbox, flavour: Flavour
) -> None:
    jql = 'issuetype = Incident AND created >= "2024-07-28 12:00"'
    counts = {}
    for user in ("honolulu", "admin", "auckland"):
        site = Site(sandbox, flavour, user)
        counts[user] = len(site.issues(jql, maxResults=100))
        assert site.send("GET", "/myself").json()["timeZone"]
    assert counts["honolulu"] < counts["admin"] < counts["auckland"]


def test_slas_are_rebuilt_with_other_goals_and_the_issue_may_not_show_it(flavour: Flavour) -> None:
    with running_sandbox(platforms=(flavour,), now=NOW) as sandbox:
        site = Site(sandbox, flavour)

        def first(ids: list[str] | None = None) -> dict[str, tuple[str, Any]]:
            found = site.issues(INCIDENTS, fields=["updated", "customfield_10031"], maxResults=100)
            return {
                issue["id"]: (issue["fields"]["updated"], issue["fields"]["customfield_10031"]["completedCycles"])
                for issue in found
                if issue["fields"]["customfield_10031"]
            }

        before = first()
        rebuilt = sandbox.happen(flavour, "rebuild_slas", count=50, factor=0.01)["ids"]
        after = first()

    changed = {id for id in before if before[id][1] != after[id][1]}
    assert changed
    assert changed <= set(rebuilt)
    assert all(before[id][0] == after[id][0] for id in changed)
    assert any(cycle["breached"] for id in changed for cycle in after[id][1])


def test_a_moved_issue_has_another_key_and_the_same_id(flavour: Flavour) -> None:
    with running_sandbox(platforms=(flavour,), now=NOW) as sandbox:
        site = Site(sandbox, flavour)
        before = {issue["id"]: issue["key"] for issue in site.issues(INCIDENTS, maxResults=5)}
        moved = sandbox.happen(flavour, "move", count=5)["ids"]
        for id in moved:
            now = site.send("GET", f"/issue/{id}").json()
            assert now["key"].startswith("OPSA-")
            if id in before:
                assert site.send("GET", f"/issue/{before[id]}").json()["id"] == id


def test_mass_updates_share_an_instant_and_deleted_issues_are_gone(flavour: Flavour) -> None:
    with running_sandbox(platforms=(flavour,), now=NOW) as sandbox:
        site = Site(sandbox, flavour)
        sandbox.happen(flavour, "mass_update", count=300)
        recent = site.issues('updated >= "2024-07-29 12:00" ORDER BY updated ASC', maxResults=100)
        (gone,) = sandbox.happen(flavour, "delete", count=1)["ids"]
        assert len({issue["fields"]["updated"] for issue in recent}) == 1
        assert len(recent) == 100
        assert site.send("GET", f"/issue/{gone}").status_code == 404


def test_a_property_of_32769_characters_is_refused_and_a_remote_link_nulls_what_is_left_out(
    sandbox: RunningSandbox, flavour: Flavour
) -> None:
    site = Site(sandbox, flavour)
    key = site.task()["key"]
    fits = site.send("PUT", f"/issue/{key}/properties/regelkreis", json="x" * 32_766)
    too_long = site.send("PUT", f"/issue/{key}/properties/regelkreis", json="x" * 32_767)
    link = {"globalId": "g", "object": {"url": "https://example.com", "title": "A", "summary": "B"}}
    site.send("POST", f"/issue/{key}/remotelink", json=link)
    del link["object"]["summary"]  # type: ignore[attr-defined]
    site.send("POST", f"/issue/{key}/remotelink", json=link)
    (kept,) = site.send("GET", f"/issue/{key}/remotelink").json()

    assert (fits.status_code, too_long.status_code) == (201, 400)
    assert kept["object"].get("summary") is None


def test_the_writes_that_an_issue_takes_are_counted_anew_when_their_limit_is_set(sandbox: RunningSandbox) -> None:
    site = Site(sandbox, "jira_cloud")
    sandbox.set_options("jira_cloud", limits_issue_writes=True)

    def written(key: str) -> int:
        return site.send("PUT", f"/issue/{key}/properties/others", json={"n": 1}).status_code

    often, once = site.task()["key"], site.task()["key"]
    statuses = [written(often) for _ in range(21)]
    assert {*statuses[:20], written(once)} <= {200, 201}
    assert statuses[20] == 429
    sandbox.set_options("jira_cloud", limits_issue_writes=True)
    assert written(often) == 200


def test_a_search_of_nobody_is_answered_and_shows_nothing(sandbox: RunningSandbox, flavour: Flavour) -> None:
    sandbox.set_faults(flavour, {"kind": "anonymous"})
    site = Site(sandbox, flavour)
    assert [site.issues(INCIDENTS) != [] for _ in range(2)] == [False, True]
