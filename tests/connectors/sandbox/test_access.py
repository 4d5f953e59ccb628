"""Who may see and change what, and how tokens come and go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from connectors.sandbox.testing import RunningSandbox

TOKEN_REQUEST = {"client_id": "regelkreis", "client_secret": "sandbox"}


def bearer(api: Any, token: str) -> requests.Response:
    return requests.get(
        f"{api.url}/api/now/table/sys_user",
        params={"sysparm_limit": "1"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )


def issue(api: Any, **form: str) -> requests.Response:
    return requests.post(f"{api.url}/oauth_token.do", data={**TOKEN_REQUEST, **form}, timeout=30)


def test_wrong_passwords_are_refused(api: Any) -> None:
    refused = type(api)(api.url, "admin", "wrong").send("GET", "/api/now/table/incident")

    assert refused.status_code == 401
    assert refused.json()["error"]["message"] == "User Not Authenticated"
    assert "WWW-Authenticate" in refused.headers


def test_tokens_of_users_work(api: Any) -> None:
    assert bearer(api, "sandbox").status_code == 200
    assert bearer(api, "sandbox-reader").status_code == 200
    assert bearer(api, "nonsense").status_code == 401


def test_oauth_grants_refreshes_and_expires(api: Any, small: RunningSandbox) -> None:
    granted = issue(api, grant_type="password", username="reader", password="sandbox").json()
    assert granted["token_type"] == "Bearer"
    assert bearer(api, granted["access_token"]).status_code == 200

    small.set_options("servicenow", expire_tokens=True)
    assert bearer(api, granted["access_token"]).status_code == 401
    renewed = issue(api, grant_type="refresh_token", refresh_token=granted["refresh_token"]).json()
    assert bearer(api, renewed["access_token"]).status_code == 200


def test_client_credentials_have_no_refresh_token(api: Any) -> None:
    granted = issue(api, grant_type="client_credentials").json()

    assert "refresh_token" not in granted
    assert bearer(api, granted["access_token"]).status_code == 200
    assert issue(api, grant_type="password", username="reader", password="wrong").status_code == 401


def test_hidden_rows_make_pages_short_but_totals_stay(api: Any) -> None:
    reader = api.as_user("reader")
    query = "priority<=2^ORDERBYsys_updated_on^ORDERBYsys_id"
    full = api.list("incident", query, limit=50)
    page = reader.page("incident", query, limit=50)

    visible = [record["sys_id"] for record in full if record["priority"] != "1"]
    assert [record["sys_id"] for record in page.json()["result"]] == visible
    assert len(visible) < 50
    assert int(page.headers["X-Total-Count"]) == api.count("incident", query)
    assert 'rel="next"' in page.headers["Link"]


def test_what_hangs_on_records_can_be_hidden_by_itself(serve: Any, a_world: Any, a_ticket: Any) -> None:
    _, api = serve(a_world(a_ticket()), hidden_rows={"regelkreis": {"sys_journal_field": "element=work_notes"}})
    incident = api.list("incident", "", limit=1)[0]["sys_id"]
    api.change("incident", incident, work_notes="Internal", comments="For the caller")
    query = f"element_id={incident}^valueINInternal,For the caller"

    shown = api.as_user("regelkreis").list("sys_journal_field", query)

    assert [row["element"] for row in shown] == ["comments"]
    assert len(api.list("sys_journal_field", query)) == 2


def test_a_hidden_record_does_not_exist_for_its_reader(api: Any) -> None:
    hidden = api.list("incident", "priority=1", limit=1)[0]

    refused = api.as_user("reader").send("GET", f"/api/now/table/incident/{hidden['sys_id']}")

    assert refused.status_code == 404
    assert "ACL restricts" in refused.json()["error"]["detail"]


def test_what_hangs_on_a_hidden_record_is_hidden_with_it(api: Any) -> None:
    hidden, shown = (api.list("incident", f"priority={priority}", limit=1)[0]["sys_id"] for priority in (1, 3))
    files = {}
    for incident in (hidden, shown):
        named = {"table_name": "incident", "table_sys_id": incident, "file_name": "a\r\nb.txt"}
        made = api.send("POST", "/api/now/attachment/file", params=named, data=b"abc").json()["result"]
        files[incident] = made["sys_id"]
        api.change("incident", incident, work_notes="Confidential")

    def told(caller: Any, incident: str) -> list[Any]:
        query = f"sys_id={files[incident]}"
        listed = caller.send("GET", "/api/now/attachment", params={"sysparm_query": query}).json()["result"]
        rows = [
            len(caller.list(*one))
            for one in (("sys_attachment", query), ("sys_journal_field", f"element_id={incident}"))
        ]
        paths = (f"/api/now/attachment/{files[incident]}{end}" for end in ("", "/file"))
        return [len(listed), *rows, *(caller.send("GET", path).status_code for path in paths)]

    for caller in (api, api.as_user("regelkreis")):
        assert told(caller, hidden) == told(caller, shown) == [1, 1, 1, 200, 200]
    reader = api.as_user("reader")
    assert (told(reader, hidden), told(reader, shown)) == ([0, 0, 0, 404, 404], [1, 1, 1, 200, 200])


def test_readers_and_the_integration_user_may_not_write_incidents(api: Any) -> None:
    incident = api.list("incident", "priority=3", limit=1)[0]["sys_id"]

    for user in ("reader", "regelkreis"):
        refused = api.as_user(user).patch("incident", incident, short_description="changed")
        assert refused.status_code == 403
        assert "ACL Exception Update Failed" in refused.json()["error"]["detail"]
    assert api.as_user("reader").send("POST", "/api/now/table/problem", json={}).status_code == 403


def test_audit_tables_are_not_for_everybody(api: Any) -> None:
    assert api.as_user("reader").send("GET", "/api/now/table/sys_audit_delete").status_code == 403
    assert api.as_user("regelkreis").send("GET", "/api/now/table/sys_audit_delete").status_code == 200


def test_rights_can_be_taken_away(serve: Callable[..., Any], a_world: Any, a_ticket: Any) -> None:
    sandbox, api = serve(a_world(a_ticket()), denied={"regelkreis": ("task_sla:read", "sn_cim_task:write")})
    integration = api.as_user("regelkreis")

    assert integration.send("GET", "/api/now/table/task_sla").status_code == 403
    assert integration.send("POST", "/api/now/table/sn_cim_task", json={}).status_code == 403
    sandbox.set_options("servicenow", denied={})
    assert integration.send("GET", "/api/now/table/task_sla").status_code == 200


def test_a_field_that_may_not_be_read_is_left_out_of_answers(
    serve: Callable[..., Any], a_world: Any, a_ticket: Any
) -> None:
    _, api = serve(a_world(a_ticket()), denied={"regelkreis": ("task.company", "core_company.name:read")})
    fields = "number,company,company.name,company.country,vendor.name,location.country"

    for display in ("false", "true", "all"):
        (row,) = api.as_user("regelkreis").list("incident", fields=fields, display_value=display)
        assert set(row) == {"number", "location.country"}
    (row,) = api.as_user("regelkreis").list("incident")
    assert "company" not in row
    assert "priority" in row
    (row,) = api.as_user("reader").list("incident", fields=fields)
    assert row["company.name"] == "Acme"
