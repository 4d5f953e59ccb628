"""Settings of the site and the log of what its administrators did."""

from __future__ import annotations

from typing import Any

from jira import JIRA

from tests.connectors.sandbox.foreign_jira.clients import refused


def test_a_property_of_the_application_is_set(atlassian: Any, nobody: Any, jira: JIRA) -> None:
    atlassian.set_property("jira.title", "Ours")
    try:
        assert atlassian.get_server_info()["serverTitle"] == "Ours"
        assert jira.application_properties(key="jira.title")["value"] == "Ours"  # type: ignore[call-overload]
    finally:
        jira.set_application_property("jira.title", "Jira of the sandbox")
    found = atlassian.get_property(key_filter="jira.date.*")
    assert {one["key"].rpartition(".")[0] for one in found} >= {"jira.date.picker.java"}
    assert refused(atlassian.set_property, "no.such.key", "1") == 404
    assert refused(atlassian.set_property, "jira.bulk.edit.limit.issue.count", "many") == 400
    assert refused(nobody.set_property, "jira.title", "Mine") == 403


def test_time_tracking(atlassian: Any, nobody: Any, is_cloud: bool) -> None:
    path = "rest/api/2/configuration/timetracking/options"
    before = atlassian.get_time_tracking_settings()
    atlassian.put(path, data={**before, "workingHoursPerDay": 7.5})
    try:
        assert atlassian.get_time_tracking_settings()["workingHoursPerDay"] == 7.5
        assert atlassian.get_configurations_of_jira()["timeTrackingConfiguration"]["workingHoursPerDay"] == 7.5
    finally:
        atlassian.put(path, data=before)
    assert refused(atlassian.put, path, data={**before, "defaultUnit": "year"}) == 400
    assert refused(nobody.put, path, data=before) == 403
    if is_cloud:
        assert atlassian.get_selected_time_tracking_provider()["key"] == "JIRA"


def test_a_day_of_work_is_as_long_as_it_is_set(atlassian: Any, jira: JIRA, key: str) -> None:
    path = "rest/api/2/configuration/timetracking/options"
    before = atlassian.get_time_tracking_settings()
    atlassian.put(path, data={**before, "workingHoursPerDay": 6})
    try:
        logged = jira.add_worklog(key, timeSpent="1d")
    finally:
        atlassian.put(path, data=before)
    assert jira.worklog(key, logged.id).timeSpentSeconds == 6 * 3_600


def test_the_log_of_administration(atlassian: Any, nobody: Any, name: str, is_cloud: bool) -> None:
    atlassian.create_group(name)
    (record,) = atlassian.get_audit_records(filter=name)["records"]
    assert (record["summary"], record["objectItem"]["name"]) == ("Group created", name)
    assert refused(nobody.get_audit_records) == 403
    stored = {"summary": f"Exported {name}", "category": "export", "objectItem": {"name": "all", "typeName": "FILE"}}
    if is_cloud:
        assert refused(atlassian.post_audit_record, stored) == 404
        return
    atlassian.post_audit_record(stored)
    newest = atlassian.get_audit_records(limit=1)["records"][0]
    assert (newest["summary"], newest["objectItem"]["typeName"]) == (f"Exported {name}", "FILE")
    assert refused(atlassian.post_audit_record, {"category": "export"}) == 400


def test_who_may_use_an_application(atlassian: Any, nobody: Any, name: str, is_cloud: bool) -> None:
    shown = atlassian.get_application_role("jira-software")
    assert (shown["groups"], shown["hasUnlimitedSeats"]) == (["jira-users"], True)
    assert refused(atlassian.get_application_role, "jira-none") == 404
    assert refused(nobody.get_all_application_roles) == 403
    if is_cloud:
        return
    atlassian.create_group(name)
    change = {"key": "jira-software", "groups": ["jira-users", name], "defaultGroups": [name]}
    assert refused(atlassian.update_application_roles, [change]) == 400  # the client encodes the list twice
    path = "rest/api/2/applicationrole"
    (told,) = atlassian.put(path, data=[change])
    try:
        assert told["defaultGroups"] == [name]
        assert refused(atlassian.put, path, data=[{**change, "groups": ["none"]}]) == 400
        stale = {**atlassian.default_headers, "If-Match": '"old"'}
        assert refused(atlassian.put, path, data=[change], headers=stale) == 412
        atlassian.add_user_to_application("claudia.braun", "jira-software")
        assert [one["name"] for one in atlassian.get_all_users_from_group(name)["values"]] == ["claudia.braun"]
    finally:
        atlassian.put(path, data=[{**change, "groups": ["jira-users"], "defaultGroups": ["jira-users"]}])


def test_no_accounts_of_two_directories(atlassian: Any) -> None:
    assert atlassian.duplicated_account_checks_count() == {"count": 0}
    assert not atlassian.duplicated_account_checks_detail()
