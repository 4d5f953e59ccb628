"""pysnow, a client that nobody here wrote, makes its ordinary calls."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pysnow
import pytest

from connectors.sandbox.testing import RunningSandbox


@pytest.fixture
def client(small: RunningSandbox) -> Any:
    return pysnow.Client(host=urlsplit(small.servicenow_url).netloc, user="admin", password="sandbox", use_ssl=False)


def test_query_and_stream(client: Any, api: Any) -> None:
    incidents = client.resource(api_path="/table/incident")
    query = pysnow.QueryBuilder().field("priority").equals("2").AND().field("number").order_descending()

    buffered = incidents.get(query=query, limit=30, fields=["number", "sys_id"]).all()
    streamed = list(incidents.get(query=query, limit=30, fields=["number", "sys_id"], stream=True).all())

    assert buffered == streamed
    assert len(buffered) == min(30, api.count("incident", "priority=2"))
    assert incidents.get(query={"number": buffered[0]["number"]}).one()["sys_id"] == buffered[0]["sys_id"]


def test_dates_of_its_query_builder(client: Any, api: Any) -> None:
    since = datetime(2024, 4, 1)
    found = client.resource(api_path="/table/incident").get(
        query=pysnow.QueryBuilder().field("opened_at").greater_than(since), fields=["sys_id"]
    )

    assert len(found.all()) == api.count("incident", "opened_at>2024-04-01 00:00:00")


def test_no_result(client: Any) -> None:
    response = client.resource(api_path="/table/incident").get(query={"number": "INC9999999"})

    assert response.one_or_none() is None
    assert response.all() == []


def test_create_update_delete(client: Any) -> None:
    problems = client.resource(api_path="/table/problem")

    created = problems.create(payload={"short_description": "by pysnow", "correlation_id": "pysnow-1"}).one()
    updated = problems.update(query={"sys_id": created["sys_id"]}, payload={"short_description": "changed"}).one()
    deleted = problems.delete(query={"sys_id": created["sys_id"]})

    assert updated["short_description"] == "changed"
    assert deleted["status"] == "record deleted"
    assert problems.get(query={"correlation_id": "pysnow-1"}).all() == []


def test_attachments(client: Any, tmp_path: Path) -> None:
    problems = client.resource(api_path="/table/problem")
    record = problems.create(payload={"short_description": "with a file"}).one()
    file = tmp_path / "note.txt"
    file.write_text("hello")

    uploaded = problems.attachments.upload(sys_id=record["sys_id"], file_path=str(file)).one()
    fresh = client.resource(api_path="/table/problem").attachments
    listed = fresh.get(sys_id=record["sys_id"])

    assert uploaded["file_name"] == "note.txt"
    assert [attachment["sys_id"] for attachment in listed] == [uploaded["sys_id"]]
    fresh.delete(uploaded["sys_id"])
    assert client.resource(api_path="/table/problem").attachments.get(sys_id=record["sys_id"]) == []


def test_errors_are_http_errors_with_the_platforms_words(client: Any) -> None:
    with pytest.raises(Exception, match="400"):
        client.resource(api_path="/table/nosuch").get().all()


def test_display_values_and_links(client: Any) -> None:
    incidents = client.resource(api_path="/table/incident")
    incidents.parameters.display_value = "all"
    incidents.parameters.exclude_reference_link = True

    company = incidents.get(limit=1, stream=True).first()["company"]

    assert set(company) == {"display_value", "value"}


def test_statistics_by_a_custom_path(client: Any, api: Any) -> None:
    stats = client.resource(api_path="/stats/incident")
    stats.parameters.add_custom({"sysparm_count": "true"})

    assert stats.get().one()["stats"]["count"] == str(api.count("incident"))


def test_oauth_with_a_password(small: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    oauth = pysnow.OAuthClient(
        client_id="regelkreis",
        client_secret="sandbox",
        host=urlsplit(small.servicenow_url).netloc,
        use_ssl=False,
    )

    oauth.set_token(oauth.generate_token("regelkreis", "sandbox"))

    assert oauth.resource(api_path="/table/incident").get(limit=2).all()[0]["number"].startswith("INC")
