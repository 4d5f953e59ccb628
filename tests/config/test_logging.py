"""Logs: one form for people, one for machines, secrets in neither."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from config.logging import configure

PASSWORD = "correct-horse-battery"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_machines_get_one_json_object_a_line() -> None:
    stream = io.StringIO()
    configure("json", "info", stream=stream)
    structlog.get_logger("regelkreis").info("pull.done", connection="snow", read=5000)
    logging.getLogger("library").warning("slow answer from %s", "snow")
    ours, theirs = lines(stream)
    assert (ours["event"], ours["connection"], ours["read"], ours["level"]) == ("pull.done", "snow", 5000, "info")
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("slow answer from snow", "library", "warning")


def test_people_get_a_line_without_colour_codes_when_it_is_no_terminal() -> None:
    stream = io.StringIO()
    configure("console", "info", stream=stream)
    structlog.get_logger().info("pull.done", connection="snow")
    assert "pull.done" in stream.getvalue()
    assert "connection=snow" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_what_is_piped_is_json_unless_told_otherwise() -> None:
    stream = io.StringIO()
    configure("auto", "info", stream=stream)
    structlog.get_logger().info("pull.done")
    assert lines(stream)[0]["event"] == "pull.done"


def test_lines_below_the_level_are_left_out() -> None:
    stream = io.StringIO()
    configure("json", "warning", stream=stream)
    structlog.get_logger().info("pull.done")
    structlog.get_logger().error("pull.failed")
    assert [line["event"] for line in lines(stream)] == ["pull.failed"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_secrets_are_hidden_by_key_shape_and_text(form: str) -> None:
    stream = io.StringIO()
    configure(form, "info", secrets=[PASSWORD], stream=stream)
    log = structlog.get_logger()
    log.info("request", headers={"Authorization": "Basic c25vdzpwdw=="}, api_key="k-1", nested=[{"token": "t-1"}])
    log.info(f"connected as snow with {PASSWORD}")
    log.info("curl https://snow:hunter2@acme.example/api", body="grant_type=password&password=hunter2&client=x")
    log.info("sent Bearer eyJhbGciOiJIUzI1NiJ9.payload")
    log.info("as rk_0123456789abcdefghijKLMNOP")
    logging.getLogger("library").warning("token=abc123 refused")
    text = stream.getvalue()
    for secret in (PASSWORD, "c25vdzpwdw", "k-1", "t-1", "hunter2", "eyJhbGci", "rk_0123", "abc123"):
        assert secret not in text
    assert "acme.example/api" in text
    assert "client=x" in text


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(
    "said",
    [
        {"answer": {"result": [{"user": {"name": "snow", "client_secret": "s3cr3t-Value"}}]}},
        {"rows": ({"a": frozenset({"https://snow:s3cr3t-Value@acme.example/"})},)},
        {"error": ConnectionError("GET https://acme.example/?access_token=s3cr3t-Value&limit=1: refused")},
        {"headers": {"X-Auth-Token": "s3cr3t-Value", "Set-Cookie": "JSESSIONID=s3cr3t-Value"}},
        {"sent": "POST / HTTP/1.1\nAuthorization: Token s3cr3t-Value\nHost: acme.example"},
        {"sent": "Cookie: JSESSIONID=s3cr3t-Value; theme=s3cr3t-Value\nHost: acme.example"},
        {"body": b'{"user": "snow", "password": "s3cr3t-Value"}'},
        {"body": "{'user': 'snow', 'api_key': 's3cr3t-Value'}"},
        {"address": "postgresql://rk:s3cr3t-Value@db.acme.example:5432/state"},
        {"known": "p%40ss%2Fword%3A1 and p@ss/word:1"},
    ],
    ids=lambda said: next(iter(said)),
)
def test_a_secret_is_hidden_however_deep_it_lies(form: str, said: dict[str, object]) -> None:
    stream = io.StringIO()
    configure(form, "info", secrets=["p@ss/word:1"], stream=stream)
    structlog.get_logger().info("request", **said)
    text = stream.getvalue()
    assert "request" in text
    assert "[redacted]" in text
    for secret in ("s3cr3t-Value", "p@ss/word:1", "p%40ss%2Fword%3A1"):
        assert secret not in text


def test_what_is_no_secret_stays_readable() -> None:
    stream = io.StringIO()
    configure("json", "info", stream=stream)
    numbers = {"read": 5000, "seconds": 1.5, "is_full": False, "next": None}
    structlog.get_logger().info("the basic idea: a page of 5000 rows", page=numbers, path="/api/now/table/incident?x=1")
    (line,) = lines(stream)
    assert line["event"] == "the basic idea: a page of 5000 rows"
    assert (line["page"], line["path"]) == (numbers, "/api/now/table/incident?x=1")


def test_secrets_in_a_traceback_are_hidden_too() -> None:
    stream = io.StringIO()
    configure("json", "info", secrets=[PASSWORD], stream=stream)
    try:
        raise ValueError(f"login with {PASSWORD} failed")
    except ValueError:
        structlog.get_logger().exception("pull.failed")
        logging.getLogger("library").exception("and the library says so too")
    assert PASSWORD not in stream.getvalue()
    assert all("ValueError" in str(line["exception"]) for line in lines(stream))


def test_a_short_secret_does_not_blot_out_every_word_like_it() -> None:
    stream = io.StringIO()
    configure("json", "info", secrets=["sandbox", ""], stream=stream)
    structlog.get_logger().info("sandbox ready")
    assert lines(stream)[0]["event"] == "sandbox ready"


def test_a_request_under_a_foreign_name_is_a_warning_without_a_traceback() -> None:
    stream = io.StringIO()
    configure("json", "info", stream=stream)
    try:
        raise ValueError("Invalid HTTP_HOST header: 'evil.example'")
    except ValueError as error:
        logging.getLogger("django.security.DisallowedHost").error(str(error), exc_info=error)
    (line,) = lines(stream)
    assert (line["event"], line["level"]) == ("Invalid HTTP_HOST header: 'evil.example'", "warning")
    assert "exception" not in line
