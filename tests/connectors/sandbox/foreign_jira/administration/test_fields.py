"""Custom fields come to issues by way of a screen; options come, change and go."""

from __future__ import annotations

from typing import Any

import pytest
from jira import JIRA
from jira.exceptions import JIRAError

from tests.connectors.sandbox.foreign_jira.clients import refused

TYPES = "com.atlassian.jira.plugin.system.customfieldtypes:"
SCREEN = "3"  # of projects made for business
TAB = "300"


def a_field(client: Any, name: str, kind: str) -> str:
    id = str(client.create_custom_field(name, TYPES + kind)["id"])
    client.add_field(id, SCREEN, TAB)
    return id


def add_options(client: Any, id: str, texts: list[str]) -> list[dict[str, Any]]:
    """Of Cloud: through the field's context."""
    context = client.get(f"rest/api/3/field/{id}/context")["values"][0]["id"]
    added: list[dict[str, Any]] = client.add_custom_field_option(id, context, texts)["options"]
    return added


@pytest.mark.parametrize(
    ("kind", "value", "wrong", "clause"),
    [
        ("textfield", "Hello there", 5, "~ Hello"),
        ("float", 2.5, "two", "> 2"),
        ("datepicker", "2024-07-01", "soon", "= 2024-07-01"),
        ("labels", ["red", "blue"], "red", "= blue"),
        ("grouppicker", {"name": "jira-users"}, "jira-users", "= jira-users"),
    ],
)
def test_a_new_field_is_set_read_and_found(
    atlassian: Any, jira: JIRA, project: str, key: str, name: str, kind: str, value: Any, wrong: Any, clause: str
) -> None:
    id = atlassian.create_custom_field(name, TYPES + kind, description="Why")["id"]
    assert id in {field["id"] for field in jira.fields()}
    with pytest.raises(JIRAError, match="not on the appropriate screen"):
        jira.issue(key).update(fields={id: value})
    atlassian.add_field(id, SCREEN, TAB)
    with pytest.raises(JIRAError):
        jira.issue(key).update(fields={id: wrong})
    jira.issue(key).update(fields={id: value})
    shown = jira.issue(key, expand="changelog")
    read = shown.raw["fields"][id]
    assert (read["name"] if isinstance(read, dict) else read) == (value["name"] if isinstance(value, dict) else value)
    assert [one.key for one in jira.search_issues(f"{name} {clause}")] == [key]
    assert shown.changelog.histories[-1].items[-1].field == name
    jira.issue(key).update(fields={id: None})
    assert jira.search_issues(f"{name} {clause}") == []


def test_a_person_in_a_field(atlassian: Any, jira: JIRA, key: str, name: str, claudia: str, is_cloud: bool) -> None:
    id = a_field(atlassian, name, "userpicker")
    jira.issue(key).update(fields={id: {"accountId" if is_cloud else "name": claudia}})
    assert jira.issue(key).raw["fields"][id]["displayName"] == "Claudia Braun"
    assert [one.key for one in jira.search_issues(f'{name} = "{claudia}"')] == [key]


def test_a_deleted_field_leaves_the_issues(atlassian: Any, jira: JIRA, key: str, name: str, is_cloud: bool) -> None:
    id = a_field(atlassian, name, "textfield")
    jira.issue(key).update(fields={id: "Hello"})
    if is_cloud:
        atlassian.put(f"rest/api/3/field/{id}", data={"name": f"{name}x"})
        assert f"{name}x" in {field["name"] for field in jira.fields()}
        atlassian.delete(f"rest/api/3/field/{id}")
        assert refused(atlassian.delete, f"rest/api/3/field/{id}") == 404
        assert refused(atlassian.delete, "rest/api/3/field/customfield_10010") == 400
    else:
        told = atlassian.delete("rest/api/2/customFields", params={"ids": f"{id},customfield_10010"})
        assert (told["deletedCustomFields"], list(told["notDeletedCustomFields"])) == ([id], ["customfield_10010"])
    assert id not in jira.issue(key).raw["fields"]
    with pytest.raises(JIRAError, match=name):
        jira.search_issues(f"{name} = Hello")


def test_only_administrators_make_fields_and_screens(atlassian: Any, nobody: Any, name: str) -> None:
    assert refused(nobody.create_custom_field, name, f"{TYPES}textfield") == 403
    assert refused(nobody.add_field, "duedate", "2", "200") == 403
    assert refused(atlassian.create_custom_field, name, "something") == 400
    assert refused(atlassian.add_field, "customfield_99999", SCREEN, TAB) == 400


def test_options_are_added_renamed_and_deleted_on_cloud(
    atlassian: Any, jira: JIRA, key: str, name: str, is_cloud: bool
) -> None:
    if not is_cloud:
        assert refused(atlassian.add_custom_field_option, "customfield_10010", "20010", ["New"]) == 404
        return
    id = a_field(atlassian, name, "select")
    first, second = add_options(atlassian, id, ["Red", "Blue"])
    jira.issue(key).update(fields={id: {"value": "Red"}})
    context = atlassian.get(f"rest/api/3/field/{id}/context")["values"][0]["id"]
    path = f"rest/api/3/field/{id}/context/{context}/option"
    atlassian.put(path, data={"options": [{"id": first["id"], "value": "Scarlet"}]})
    assert jira.issue(key).raw["fields"][id]["value"] == "Scarlet"
    assert [one.key for one in jira.search_issues(f"{name} = Scarlet")] == [key]
    assert refused(atlassian.delete, f"{path}/{first['id']}") == 400
    atlassian.put(path, data={"options": [{"id": second["id"], "value": "Blue", "disabled": True}]})
    with pytest.raises(JIRAError, match="'Blue' is not valid"):
        jira.issue(key).update(fields={id: {"value": "Blue"}})
    atlassian.put(f"{path}/move", data={"customFieldOptionIds": [second["id"]], "position": "First"})
    values = atlassian.get_custom_field_option_context(id, context)["values"]
    assert [(one["value"], one["disabled"]) for one in values] == [("Blue", True), ("Scarlet", False)]
    atlassian.delete(f"{path}/{second['id']}")
    assert len(atlassian.get_custom_field_option_context(id, context)["values"]) == 1
    assert refused(atlassian.add_custom_field_option, id, context, ["Scarlet"]) == 400
    assert refused(atlassian.get_custom_field_option_context, id, "1") == 404


def test_several_options_at_once(atlassian: Any, jira: JIRA, key: str, name: str, is_cloud: bool) -> None:
    id = a_field(atlassian, name, "multiselect")
    if not is_cloud:
        with pytest.raises(JIRAError, match="not valid"):
            jira.issue(key).update(fields={id: [{"value": "Red"}]})
        return
    add_options(atlassian, id, ["Red", "Blue", "Green"])
    jira.issue(key).update(fields={id: [{"value": "Red"}, {"value": "Green"}]})
    assert [one["value"] for one in jira.issue(key).raw["fields"][id]] == ["Red", "Green"]
    assert [one.key for one in jira.search_issues(f"{name} = Green")] == [key]


def test_data_center_lists_fields_and_options(atlassian: Any, is_cloud: bool) -> None:
    if is_cloud:
        assert refused(atlassian.get_custom_field_options, "10011", "10001") == 404
        return
    (found,) = atlassian.get_custom_fields("Country", start=0)["values"]
    assert found["id"] == "customfield_10011"
    told = atlassian.get_custom_field_options(found["numericId"], "10001", query="CH")
    assert (told["total"], told["options"][0]["value"]) == (1, "CH")
    assert refused(atlassian.get_custom_field_options, "10020", "10001") == 400


def test_a_screen_gives_and_takes_fields(atlassian: Any, jira: JIRA, key: str, name: str) -> None:
    id = str(atlassian.create_custom_field(name, f"{TYPES}textfield")["id"])
    assert id in {one["id"] for one in atlassian.get_all_available_screen_fields(SCREEN)}
    atlassian.add_field(id, SCREEN, TAB)
    fields = f"rest/api/2/screens/{SCREEN}/tabs/{TAB}/fields"
    atlassian.post(f"{fields}/{id}/move", data={"position": "First"})
    assert [one["id"] for one in atlassian.get_screen_tab_fields(SCREEN, TAB)][:3] == ["issuetype", "summary", id]
    assert id in jira.editmeta(key)["fields"]
    assert refused(atlassian.add_field, id, SCREEN, TAB) == 400
    atlassian.delete(f"{fields}/{id}")
    assert id not in jira.editmeta(key)["fields"]
    assert refused(atlassian.delete, f"{fields}/summary") == 400
    tab = atlassian.post(f"rest/api/2/screens/{SCREEN}/tabs", data={"name": name})
    assert name in {one["name"] for one in atlassian.get_screen_tabs(SCREEN)}
    atlassian.delete(f"rest/api/2/screens/{SCREEN}/tabs/{tab['id']}")
    assert refused(atlassian.delete, f"rest/api/2/screens/{SCREEN}/tabs/{TAB}") == 400


def test_cloud_makes_and_deletes_screens(atlassian: Any, jira: JIRA, name: str, is_cloud: bool) -> None:
    if not is_cloud:
        assert refused(atlassian.post, "rest/api/2/screens", data={"name": name}) == 404
        return
    made = atlassian.post("rest/api/3/screens", data={"name": name})
    assert name in {one["name"] for one in atlassian.get_all_screens()["values"]}
    atlassian.delete(f"rest/api/3/screens/{made['id']}")
    assert name not in {one["name"] for one in atlassian.get_all_screens()["values"]}
    with pytest.raises(JIRAError, match="used by projects"):
        jira.delete_screen(SCREEN)
