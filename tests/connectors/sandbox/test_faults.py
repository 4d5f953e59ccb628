"""Faults by rule: what a client sees, and whether a write took effect."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from connectors.sandbox.testing import RunningSandbox


@pytest.fixture
def faulty(small: RunningSandbox) -> Iterator[RunningSandbox]:
    """The small sandbox, whose faults are cleared afterwards."""
    yield small
    small.set_faults("servicenow")


def read(api: Any, **sysparm: Any) -> requests.Response:
    return api.page("incident", "ORDERBYsys_updated_on^ORDERBYsys_id", **{"limit": 20, **sysparm})


def test_a_rate_limit_names_the_wait_in_seconds_or_as_a_date(api: Any, faulty: RunningSandbox) -> None:
    faulty.set_faults(
        "servicenow", {"kind": "rate_limit", "seconds": 3}, {"kind": "rate_limit", "seconds": 60, "as_date": True}
    )

    first, second, third = read(api), read(api), read(api)

    assert (first.status_code, second.status_code, third.status_code) == (429, 429, 200)
    assert first.headers["Retry-After"] == "3"
    assert "X-RateLimit-Reset" in first.headers
    assert parsedate_to_datetime(second.headers["Retry-After"]) > datetime.now(UTC) + timedelta(seconds=30)


def test_other_refusals(api: Any, faulty: RunningSandbox) -> None:
    for kind, status in (("unavailable", 503), ("server_error", 500), ("unauthorised", 401)):
        faulty.set_faults("servicenow", {"kind": kind})
        response = read(api)
        assert response.status_code == status
        assert response.json()["status"] == "failure"


def test_a_cut_body_parses_not(api: Any, faulty: RunningSandbox) -> None:
    faulty.set_faults("servicenow", {"kind": "cut_body"})

    response = read(api)

    assert response.status_code == 200
    with pytest.raises(ValueError):
        response.json()


def test_a_cut_connection_ends_before_the_announced_length(api: Any, faulty: RunningSandbox) -> None:
    faulty.set_faults("servicenow", {"kind": "cut_connection"})

    with pytest.raises(requests.RequestException):
        read(api)


def test_an_error_comes_inside_a_200(api: Any, faulty: RunningSandbox) -> None:
    faulty.set_faults("servicenow", {"kind": "error_in_200"})

    response = read(api)

    assert response.status_code == 200
    assert len(response.json()["result"]) == 10
    assert "maximum execution time" in response.json()["error"]["message"]


def test_an_error_comes_beside_a_count_of_only_a_part(api: Any, faulty: RunningSandbox) -> None:
    whole = api.count("incident")
    faulty.set_faults("servicenow", {"kind": "error_in_200"})

    body = api.send("GET", "/api/now/stats/incident", params={"sysparm_count": "true"}).json()

    assert int(body["result"]["stats"]["count"]) == whole // 2
    assert "maximum execution time" in body["error"]["message"]


def test_a_sleeping_instance_answers_html(api: Any, faulty: RunningSandbox) -> None:
    faulty.set_faults("servicenow", {"kind": "html_page"})

    response = read(api)

    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/html")


def test_a_page_comes_twice(api: Any, faulty: RunningSandbox) -> None:
    faulty.set_faults("servicenow", {"kind": "duplicate_page", "query": "sysparm_offset=20"})

    first, repeated, second = read(api), read(api, offset=20), read(api, offset=20)

    assert repeated.json() == first.json()
    assert second.json() != first.json()


def test_a_time_out_may_depend_on_the_size_of_the_page(api: Any, faulty: RunningSandbox) -> None:
    faulty.set_faults("servicenow", {"kind": "server_error", "min_limit": 100, "times": None})

    assert read(api, limit=100).status_code == 500
    assert read(api, limit=99).status_code == 200
    assert read(api, limit=1000).status_code == 500


@pytest.mark.parametrize(("kind", "is_effective"), [("reset_before", False), ("reset_after", True)])
def test_a_reset_write_took_effect_or_not(api: Any, faulty: RunningSandbox, kind: str, is_effective: bool) -> None:
    faulty.set_faults("servicenow", {"kind": kind, "method": "POST", "path": "/table/problem"})

    with pytest.raises(requests.ConnectionError):
        api.create("problem", correlation_id=f"rk-{kind}")

    assert api.count("problem", f"correlation_id=rk-{kind}") == int(is_effective)


def test_slow_and_stalled_answers_run_into_time_outs(api: Any, faulty: RunningSandbox) -> None:
    with requests.Session() as session:
        session.auth = ("admin", "sandbox")
        for kind in ("slow", "stall"):
            faulty.set_faults("servicenow", {"kind": kind, "seconds": 1.5})
            with pytest.raises((requests.ReadTimeout, requests.ConnectionError)):
                session.get(f"{api.url}/api/now/table/incident", params={"sysparm_limit": "5"}, timeout=0.4)


def test_a_slow_write_takes_effect_although_its_sender_is_gone(api: Any, faulty: RunningSandbox) -> None:
    """Also one of several parts, whose body is read as a stream."""
    record = api.create("problem", correlation_id="rk-late")["sys_id"]
    where = {"table_name": "problem", "table_sys_id": record}
    url = f"{api.url}/api/now/attachment"
    sent: list[tuple[str, dict[str, Any]]] = [
        (f"{url}/file", {"params": {**where, "file_name": "raw.txt"}, "data": b"raw"}),
        (f"{url}/upload", {"data": where, "files": {"file": ("part.txt", b"part")}}),
    ]
    for address, content in sent:
        faulty.set_faults("servicenow", {"kind": "slow", "method": "POST", "seconds": 0.6})
        with pytest.raises(requests.ReadTimeout):
            requests.post(address, auth=("admin", "sandbox"), timeout=0.2, **content)
    until = time.monotonic() + 20
    while api.count("sys_attachment", f"table_sys_id={record}") < 2 and time.monotonic() < until:
        time.sleep(0.1)
    assert api.count("sys_attachment", f"table_sys_id={record}") == 2


def test_an_answer_without_a_body_stalls_too(api: Any, faulty: RunningSandbox) -> None:
    record = api.create("problem", correlation_id="rk-silent")["sys_id"]
    faulty.set_faults("servicenow", {"kind": "stall", "method": "DELETE", "seconds": 0.2})
    with pytest.raises(requests.ConnectionError):
        api.send("DELETE", f"/api/now/table/problem/{record}")
    assert api.count("problem", f"sys_id={record}") == 0


def test_rules_wait_for_their_turn_and_count(api: Any, faulty: RunningSandbox) -> None:
    faulty.set_faults("servicenow", {"kind": "unavailable", "after": 1, "times": 2})

    assert [read(api).status_code for _ in range(4)] == [200, 503, 503, 200]
    assert faulty.control("servicenow", "GET", "faults")[0]["hits"] == 2


def test_an_unknown_fault_is_refused_by_name(faulty: RunningSandbox) -> None:
    with pytest.raises(ValueError, match="no fault “earthquake”"):
        faulty.set_faults("servicenow", {"kind": "earthquake"})


def test_what_did_not_arrive_whole_is_not_met_later_and_has_no_effect(api: Any, faulty: RunningSandbox) -> None:
    faulty.set_faults("servicenow", {"kind": "slow", "seconds": 0.1, "method": "POST"})
    before = api.count("sn_cim_register", "")
    host, port = urlsplit(faulty.servicenow_url).netloc.split(":")
    head = "POST /api/now/table/sn_cim_register HTTP/1.1\r\nHost: sandbox\r\nContent-Length: 400\r\n\r\n{"
    with socket.create_connection((host, int(port))) as sender:
        sender.sendall(head.encode())
        time.sleep(0.2)
    time.sleep(0.2)
    assert [rule["hits"] for rule in faulty.control("servicenow", "GET", "faults")] == [0]
    assert api.count("sn_cim_register", "") == before
