"""Issues in the archive, pinned comments, what is read of many issues at once, and what an archive holds."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from jira import JIRA
from jira.exceptions import JIRAError

from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from tests.connectors.sandbox.foreign_jira.clients import refused


def test_an_archived_issue_is_read_and_not_found(
    atlassian: Any, nobody: Any, jira: JIRA, project: str, key: str, is_cloud: bool
) -> None:
    if is_cloud:
        sent = {"issueIdsOrKeys": [key, "CIP-99999"]}
        told = atlassian.put("rest/api/3/issue/archive", data=sent)
        assert (told["numberOfIssuesUpdated"], told["errors"]["issuesNotFound"]["count"]) == (1, 1)
        assert refused(nobody.put, "rest/api/3/issue/archive", data=sent) == 403
    else:
        assert refused(nobody.issue_archive, key) == 403
        atlassian.issue_archive(key)
        assert refused(atlassian.issue_archive, key) == 409
    assert jira.search_issues(f"project = {project}") == []
    assert jira.search_issues(f"key = {key}") == []
    assert jira.issue(key).fields.summary == "Slow"
    assert refused(atlassian.issue_add_comment, key, "Still?") == 403
    if is_cloud:
        atlassian.put("rest/api/3/issue/unarchive", data={"issueIdsOrKeys": [key]})
    else:
        atlassian.issue_restore(key)
        assert refused(atlassian.issue_restore, key) == 409
    assert [one.key for one in jira.search_issues(f"project = {project}")] == [key]
    atlassian.issue_add_comment(key, "Still")


@pytest.mark.parametrize("flavour", ["jira_dc"])
def test_comments_are_pinned_on_data_center(atlassian: Any, jira: JIRA, key: str) -> None:
    pins = f"rest/api/2/issue/{key}/pinned-comments"
    first, second = (jira.add_comment(key, text) for text in ("First", "Second"))
    atlassian.issue_pin_comment(key, first.id)
    jira.pin_comment(key, second.id, True)
    assert [one.comment.body for one in jira.pinned_comments(key)] == ["First", "Second"]
    atlassian.issue_unpin_comment(key, first.id)
    assert [one["comment"]["id"] for one in atlassian.get(pins)] == [second.id]
    second.delete()
    assert jira.pinned_comments(key) == []
    assert refused(atlassian.issue_pin_comment, key, "1") == 404


@pytest.mark.parametrize("flavour", ["jira_cloud"])
def test_comments_are_read_by_their_ids_on_cloud(atlassian: Any, jira: JIRA, key: str) -> None:
    made = [jira.add_comment(key, text) for text in ("First", "Second", "Third")]
    made[1].delete()
    told = atlassian.issues_get_comments_by_id(*(int(one.id) for one in reversed(made)))
    assert [one["body"] for one in told["values"]] == ["Third", "First"]
    assert refused(atlassian.post, "rest/api/3/comment/list", data={"ids": "all"}) == 400


@pytest.mark.parametrize("flavour", ["jira_cloud"])
def test_changelogs_of_many_issues_are_read_page_by_page(atlassian: Any, jira: JIRA, project: str, key: str) -> None:
    other = jira.create_issue(project=project, summary="Other", issuetype={"name": "Task"})
    for issue in (jira.issue(key), other):
        issue.update(fields={"summary": "Changed"})
        issue.update(fields={"labels": ["a"]})
    told: list[tuple[str, str]] = []
    token = None
    while True:
        page = atlassian.get_changelogs_bulk([key, other.key], next_page_token=token, max_results=3)
        for issue in page["issueChangeLogs"]:
            told += [(issue["issueId"], change["items"][0]["field"]) for change in issue["changeHistories"]]
        token = page.get("nextPageToken")
        if token is None:
            break
    ids = [jira.issue(key).id, other.id]
    assert told == [(id, field) for id in ids for field in ("summary", "labels")]
    assert page["issueChangeLogs"][0]["changeHistories"][0]["created"] == 1_722_254_400_000
    only = atlassian.post("rest/api/3/changelog/bulkfetch", data={"issueIdsOrKeys": [key], "fieldIds": ["labels"]})[
        "issueChangeLogs"
    ]
    assert [change["items"][0]["field"] for change in only[0]["changeHistories"]] == ["labels"]
    assert refused(atlassian.get_changelogs_bulk, []) == 400
    assert refused(atlassian.get_changelogs_bulk, [key], next_page_token="none") == 400


def test_changelogs_in_bulk_agree_with_those_one_by_one(atlassian: Any, jira: JIRA, is_cloud: bool) -> None:
    if not is_cloud:
        assert refused(atlassian.post, "rest/api/2/changelog/bulkfetch", data={"issueIdsOrKeys": ["OPS-1"]}) == 404
        return
    keys = [one.key for one in jira.search_issues("issuetype = Incident ORDER BY created", maxResults=20)]
    told = {one["issueId"]: one["changeHistories"] for one in atlassian.get_changelogs_bulk(keys)["issueChangeLogs"]}
    for key in keys:
        issue = jira.issue(key, expand="changelog")
        singly = [[item.field for item in change.items] for change in issue.changelog.histories]
        assert [[item["field"] for item in change["items"]] for change in told.get(issue.id, [])] == singly


def test_of_a_long_history_cloud_shows_the_newest_changes(jira: JIRA, key: str, is_cloud: bool) -> None:
    issue = jira.issue(key)
    for number in range(105):
        issue.update(fields={"summary": f"Title {number}"})
    (found,) = jira.search_issues(f"key = {key}", expand="changelog")
    for shown, most in ((found, 40), (jira.issue(key, expand="changelog"), 100)):
        titles = [entry.items[0].toString for entry in shown.changelog.histories]
        assert titles == [f"Title {number}" for number in range(105)][-most if is_cloud else 0 :]
        assert shown.changelog.total == 105


def test_an_attached_archive_shows_what_it_holds(atlassian: Any, jira: JIRA, key: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("reports/july.txt", "x" * 2_048)
        archive.writestr("read.me", "short")
    attached = jira.add_attachment(key, io.BytesIO(packed.getvalue()), filename="all.zip")
    human = atlassian.get_attachment_expand_human(attached.id)
    assert [(one["path"], one["label"], one["size"]) for one in human["entries"]] == [
        ("reports/july.txt", "july.txt", "2.0 kB"),
        ("read.me", "read.me", "5 B"),
    ]
    raw = atlassian.get_attachment_expand_raw(attached.id)
    assert [(one["name"], one["size"]) for one in raw["entries"]] == [("reports/july.txt", 2_048), ("read.me", 5)]
    plain = jira.add_attachment(key, io.BytesIO(b"text"), filename="a.txt")
    assert refused(atlassian.get_attachment_expand_raw, plain.id) == 409
    with pytest.raises(JIRAError):
        jira.attachment("1")


def test_deleted_worklogs_are_told(atlassian: Any, jira: JIRA, key: str) -> None:
    logged = jira.add_worklog(key, timeSpent="1h")
    logged.delete()
    told = atlassian.get("rest/api/2/worklog/deleted", params={"since": 1_722_254_400_000})
    assert int(logged.id) in {one["worklogId"] for one in told["values"]}
    assert atlassian.get("rest/api/2/worklog/deleted", params={"since": 1_722_254_400_001})["values"] == []


def test_nothing_tells_of_an_issue_that_security_hides(
    sandbox: RunningSandbox, flavour: Flavour, atlassian: Any, nobody: Any, jira: JIRA, is_cloud: bool
) -> None:
    urgent = {"project": "CIP", "summary": "Secret", "issuetype": {"name": "Task"}, "priority": {"id": "1"}}
    issue = jira.create_issue(fields=urgent)
    comment, logged = jira.add_comment(issue, "Psst"), jira.add_worklog(issue, timeSpent="1h")

    def told(client: Any) -> list[Any]:
        worklogs = client.post("rest/api/2/worklog/list", data={"ids": [int(logged.id)]})
        since = client.get("rest/api/2/worklog/updated", params={"since": 0})["values"]
        path = f"rest/api/2/comment/{comment.id}/properties"
        status = client.get(path, advanced_mode=True).status_code
        told: list[Any] = [len(worklogs), int(logged.id) in {one["worklogId"] for one in since}, status]
        if is_cloud:
            sent = {"issueIds": [int(issue.id)], "jqls": [f"project = CIP AND key = {issue.key}"]}
            told.append(client.post("rest/api/3/jql/match", data=sent)["matches"][0]["matchedIssues"])
        return told

    shown = [1, True, 200, [int(issue.id)]] if is_cloud else [1, True, 200]
    hidden = [0, False, 404, []] if is_cloud else [0, False, 404]
    assert told(nobody) == shown
    sandbox.set_options(flavour, hidden_priorities=["1"])
    try:
        assert (told(nobody), told(atlassian)) == (hidden, shown)
    finally:
        sandbox.set_options(flavour, hidden_priorities=[])


def test_values_are_suggested_for_queries(atlassian: Any, project: str) -> None:
    path = "rest/api/2/jql/autocompletedata/suggestions"
    found = atlassian.get(path, params={"fieldName": "project", "fieldValue": f"project {project.lower()}"})
    assert [one["value"] for one in found["results"]] == [project]
