"""People are made, renamed, deactivated and deleted by administrators, and sign in or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from jira import JIRA

from tests.connectors.sandbox.foreign_jira.clients import refused


def test_a_new_user_signs_in_and_is_found(
    atlassian: Any, as_user: Callable[..., Any], name: str, is_cloud: bool
) -> None:
    made = atlassian.user_create(name, f"{name}@example.com", f"Nora {name}", password="secret")
    assert made["displayName"] == f"Nora {name}"
    found = atlassian.user_find_by_user_string(**({"query": name} if is_cloud else {"username": name}))
    assert [one["displayName"] for one in found] == [f"Nora {name}"]
    assert as_user(name, "secret").myself()["displayName"] == f"Nora {name}"
    assert refused(as_user(name, "wrong").myself) == 401


def test_a_name_is_given_once(jira: JIRA, atlassian: Any, name: str) -> None:
    assert jira.add_user(name, f"{name}@example.com", password="secret") is True
    assert refused(atlassian.user_create, name, f"{name}@example.com", "Again", "secret") == 400
    assert refused(atlassian.user_create, f"{name}x", "no mail", "Nobody", "secret") == 400


def test_only_an_administrator_makes_users(nobody: Any, name: str) -> None:
    assert refused(nobody.user_create, name, f"{name}@example.com", "Nora") == 403


@pytest.mark.parametrize("flavour", ["jira_dc"])
def test_a_renamed_user_keeps_the_issues(
    atlassian: Any, jira: JIRA, as_user: Callable[..., Any], project: str, name: str
) -> None:
    atlassian.user_create(name, f"{name}@example.com", "Nora", password="secret")
    made = as_user(name, "secret").create_issue(
        {"project": {"key": project}, "issuetype": {"name": "Task"}, "summary": "Mine"}
    )
    jira.rename_user(name, f"{name}.new")
    atlassian.user_update_email(f"{name}.new", f"{name}.new@example.com")
    atlassian.user_update(f"{name}.new", {"displayName": "Nora New"})

    reporter = jira.issue(made["key"]).fields.reporter
    assert (reporter.name, reporter.displayName) == (f"{name}.new", "Nora New")
    assert [one.key for one in jira.search_issues(f"reporter = {name}.new")] == [made["key"]]
    assert as_user(f"{name}.new", "secret").myself()["emailAddress"] == f"{name}.new@example.com"
    assert refused(as_user(name, "secret").myself) == 401
    assert refused(atlassian.user_update_username, f"{name}.new", "admin") == 400
    assert refused(atlassian.user_remove, f"{name}.new") == 400  # issues name the user
    atlassian.user_create(name, f"{name}@example.com", "Another", password="secret")
    assert jira.issue(made["key"]).fields.reporter.displayName == "Nora New"
    assert jira.search_issues(f"reporter = {name}") == []


@pytest.mark.parametrize("flavour", ["jira_dc"])
def test_a_deactivated_user_does_not_sign_in(atlassian: Any, as_user: Callable[..., Any], key: str, name: str) -> None:
    atlassian.user_create(name, f"{name}@example.com", "Nora", password="secret")
    assert atlassian.user_deactivate(name)["active"] is False
    assert refused(as_user(name, "secret").myself) == 401
    assert atlassian.user_find_by_user_string(username=name) == []
    assert atlassian.user(name)["active"] is False
    assert refused(atlassian.user_deactivate, "admin") == 400
    assert refused(atlassian.assign_issue, key, name) == 400
    assert atlassian.user_update(name, {"active": True})["active"] is True
    assert as_user(name, "secret").myself()["name"] == name


def test_a_deleted_user_is_gone(
    atlassian: Any, as_user: Callable[..., Any], me: str, name: str, is_cloud: bool
) -> None:
    made = atlassian.user_create(name, f"{name}@example.com", "Nora", password="secret")
    meant = {"account_id": made["accountId"]} if is_cloud else {"username": name}
    atlassian.user_remove(**meant)
    assert refused(atlassian.user, **meant) == 404
    assert refused(as_user(name, "secret").myself) == 401
    assert refused(atlassian.user_remove, **({"account_id": me} if is_cloud else {"username": me})) == 400


@pytest.mark.parametrize("flavour", ["jira_cloud"])
def test_on_cloud_the_name_of_a_deleted_user_stays(
    atlassian: Any, jira: JIRA, as_user: Callable[..., Any], project: str, name: str
) -> None:
    made = atlassian.user_create(name, f"{name}@example.com", "Nora", password="secret")
    task = {"project": {"key": project}, "issuetype": {"name": "Task"}, "summary": "Mine"}
    key = as_user(name, "secret").create_issue(task)["key"]
    atlassian.user_remove(account_id=made["accountId"])
    reporter = jira.issue(key).fields.reporter
    assert (reporter.displayName, reporter.active) == ("Nora", False)


def test_properties_of_a_user(atlassian: Any, nobody: Any, me: str, claudia: str, is_cloud: bool) -> None:
    who = {"account_id": claudia} if is_cloud else {"username": claudia}
    nobody.user_set_property(**who, key_property="regelkreis", value_property="42")
    assert [one["key"] for one in nobody.user_properties(**who)["keys"]] == ["regelkreis"]
    assert atlassian.user_property(**who, key_property="regelkreis")["value"]
    other = {"account_id": me} if is_cloud else {"username": me}
    assert refused(nobody.user_set_property, **other, key_property="regelkreis", value_property="1") == 403
    nobody.user_delete_property(**who, key_property="regelkreis")
    assert refused(atlassian.user_property, **who, key_property="regelkreis") == 404


def test_people_and_groups_of_a_user_are_shown_when_asked(atlassian: Any, me: str, is_cloud: bool) -> None:
    path = "rest/api/2/user"
    shown = atlassian.get(path, params={"accountId" if is_cloud else "username": me, "expand": "groups"})
    assert {one["name"] for one in shown["groups"]["items"]} == {"jira-administrators", "jira-users"}
    if is_cloud:
        assert atlassian.get(f"{path}/bulk", params={"accountId": me})["values"][0]["accountId"] == me
    with pytest.raises(requests.HTTPError):
        atlassian.get(path)
