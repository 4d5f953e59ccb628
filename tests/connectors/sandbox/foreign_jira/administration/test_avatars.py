"""Pictures of projects and people are uploaded, chosen and deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jira import JIRA
from jira.exceptions import JIRAError

from tests.connectors.sandbox.foreign_jira.clients import refused


def chosen(shown: dict[str, Any]) -> str:
    (one,) = (one for part in ("system", "custom") for one in shown[part] if one["isSelected"])
    return str(one["id"])


def test_a_project_chooses_a_picture(jira: JIRA, nobody: Any, project: str) -> None:
    assert len(jira.avatars("project")) == 8
    jira.set_project_avatar(project, "10203")
    assert chosen(jira.project_avatars(project)) == "10203"
    with pytest.raises(JIRAError):
        jira.set_project_avatar(project, "1")
    assert refused(nobody.put, f"rest/api/2/project/{project}/avatar", data={"id": "10201"}) == 403
    with pytest.raises(JIRAError):
        jira.delete_project_avatar(project, "10203")  # the product's own


@pytest.mark.parametrize("flavour", ["jira_dc"])
def test_data_center_uploads_in_two_steps(jira: JIRA, project: str, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG")
    with pytest.raises(JIRAError):
        jira.confirm_project_avatar(project, {})
    made = jira.create_temp_project_avatar(project, str(picture), 4, b"\x89PNG", "image/png", auto_confirm=True)
    jira.set_project_avatar(project, made["id"])
    assert chosen(jira.project_avatars(project)) == made["id"]
    jira.delete_project_avatar(project, made["id"])
    assert chosen(jira.project_avatars(project)) == "10200"


@pytest.mark.parametrize("flavour", ["jira_dc"])
def test_a_persons_picture_on_data_center(jira: JIRA, nobody: Any, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG")
    made = jira.create_temp_user_avatar("claudia.braun", str(picture), 4, b"\x89PNG", "image/png", auto_confirm=True)
    jira.set_user_avatar("claudia.braun", made["id"])
    assert chosen(jira.user_avatars("claudia.braun")) == made["id"]
    assert refused(nobody.put, "rest/api/2/user/avatar?username=admin", data={"id": "10331"}) == 403
    jira.delete_user_avatar("claudia.braun", made["id"])
    assert chosen(jira.user_avatars("claudia.braun")) == "10330"


@pytest.mark.parametrize("flavour", ["jira_cloud"])
def test_cloud_uploads_in_one_step(atlassian: Any, jira: JIRA, project: str) -> None:
    made = jira._session.post(
        f"{jira.server_url}/rest/api/3/project/{project}/avatar2",
        data=b"\x89PNG",
        headers={"X-Atlassian-Token": "no-check", "Content-Type": "image/png"},
    ).json()
    jira.set_project_avatar(project, made["id"])
    assert chosen(jira.project_avatars(project)) == made["id"]
    assert refused(atlassian.put, "rest/api/3/user/avatar", data={"id": "10331"}) == 404
