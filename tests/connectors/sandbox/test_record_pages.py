"""Links to records lead somewhere: a page of the record, which shows foreign text as text."""

from __future__ import annotations

import requests

from connectors.sandbox.testing import running_sandbox

TITLE = "Fewer <script>alert(1)</script> breaches 🚒"


def test_the_page_of_an_improvement_record_shows_fields_notes_and_files() -> None:
    with running_sandbox(platforms=("servicenow",), size="small") as sandbox:
        api = f"{sandbox.servicenow_url}/api/now"
        with requests.Session() as session:
            session.auth = ("admin", "sandbox")
            made = session.post(
                f"{api}/table/sn_cim_register", json={"short_description": TITLE, "work_notes": "Why & how"}
            )
            record = made.json()["result"]
            files = {"table_name": "sn_cim_register", "table_sys_id": record["sys_id"], "file_name": "review.json"}
            session.post(
                f"{api}/attachment/file",
                params=files,
                data=b'{"verdict": "improved"}',
                headers={"Content-Type": "application/json"},
            )
        page = requests.get(
            f"{sandbox.servicenow_url}/nav_to.do",
            params={"uri": f"/sn_cim_register.do?sys_id={record['sys_id']}"},
            timeout=10,
        )
        assert page.status_code == 200
        assert record["number"] in page.text
        assert "<script>" not in page.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt; breaches 🚒" in page.text
        assert "Why &amp; how" in page.text
        assert "&quot;verdict&quot;: &quot;improved&quot;" in page.text
        nowhere = requests.get(f"{sandbox.servicenow_url}/nav_to.do?uri=x", timeout=10)
        assert nowhere.status_code == 404


def test_the_page_of_an_issue_shows_fields_comments_and_files() -> None:
    with running_sandbox(platforms=("jira_dc",), size="small") as sandbox:
        api = f"{sandbox.jira_dc_url}/rest/api/2"
        with requests.Session() as session:
            session.auth = ("admin", "sandbox")
            fields = {
                "project": {"key": "CIP"},
                "issuetype": {"name": "Task"},
                "summary": TITLE,
                "labels": ["rk-ACT-1"],
            }
            made = session.post(f"{api}/issue", json={"fields": fields})
            key = made.json()["key"]
            session.post(f"{api}/issue/{key}/comment", json={"body": "Why & how"})
        page = requests.get(f"{sandbox.jira_dc_url}/browse/{key}", timeout=10)
        assert page.status_code == 200
        assert "&lt;script&gt;alert(1)&lt;/script&gt; breaches 🚒" in page.text
        assert "Why &amp; how" in page.text
        assert "rk-ACT-1" in page.text
        assert requests.get(f"{sandbox.jira_dc_url}/browse/CIP-99999", timeout=10).status_code == 404
