"""Dashboards and their gadgets; on Cloud they are made through the API."""

from __future__ import annotations

from typing import Any

import pytest
from jira import JIRA
from jira.exceptions import JIRAError

from tests.connectors.sandbox.foreign_jira.clients import refused

ASSIGNED = "com.atlassian.jira.gadgets:assigned-to-me-gadget"


@pytest.mark.parametrize("flavour", ["jira_cloud"])
def test_a_dashboard_lives(jira: JIRA, atlassian: Any, nobody: Any, name: str) -> None:
    made = jira.create_dashboard(name, description="Ours")
    assert atlassian.get_dashboard(made.id)["name"] == name
    assert refused(nobody.get_dashboard, made.id) == 404
    made.update(name=f"{name}x", sharePermissions=[{"type": "authenticated"}])
    assert nobody.get_dashboard(made.id)["name"] == f"{name}x"
    assert refused(nobody.put, f"rest/api/3/dashboard/{made.id}", data={"name": "Mine"}) == 403
    assert made.id in {one.id for one in jira.dashboards(filter="my")}
    copied = jira.copy_dashboard(made.id, f"{name}y")
    assert copied.name == f"{name}y"
    made.delete()
    assert refused(atlassian.get_dashboard, made.id) == 404
    assert atlassian.get_dashboards()["total"] >= 1
    copied.delete()


@pytest.mark.parametrize("flavour", ["jira_cloud"])
def test_gadgets_and_what_they_keep(jira: JIRA, atlassian: Any, name: str) -> None:
    board = jira.create_dashboard(name)
    assert ASSIGNED in {one.moduleKey for one in jira.all_dashboard_gadgets()}
    path = f"rest/api/3/dashboard/{board.id}"
    gadget = atlassian.post(f"{path}/gadget", data={"moduleKey": ASSIGNED, "color": "red"})
    kept = jira.set_dashboard_item_property(board.id, gadget["id"], "config", {"rows": 5})
    assert kept.value.rows == 5
    (shown,) = jira.dashboard(board.id).gadgets
    assert (shown.title, shown.color, shown.item_properties[0].key) == ("Assigned to me", "red", "config")
    shown.update(board.id, color="blue", title="Mine")
    (changed,) = jira.dashboard_gadgets(board.id)
    assert (changed.title, changed.color) == ("Mine", "blue")
    kept.delete(board.id, gadget["id"])
    with pytest.raises(JIRAError):
        jira.dashboard_item_property(board.id, gadget["id"], "config")
    changed.delete(board.id)
    assert jira.dashboard_gadgets(board.id) == []
    assert refused(atlassian.post, f"{path}/gadget", data={"moduleKey": "none"}) == 400
    assert refused(atlassian.post, f"{path}/gadget", data={"moduleKey": ASSIGNED, "color": "beige"}) == 400
    board.delete()


@pytest.mark.parametrize("flavour", ["jira_dc"])
def test_data_center_reads_dashboards_only(atlassian: Any, name: str) -> None:
    assert atlassian.get_dashboards()["dashboards"] == []
    assert refused(atlassian.post, "rest/api/2/dashboard", data={"name": name}) == 404
    assert refused(atlassian.get_dashboard, "1") == 404
