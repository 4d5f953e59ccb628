"""No secret in any log line, error, traceback or repr, on every path that fails, on every platform."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import responses

from connectors.base import Connector
from connectors.config import ConnectionConfig
from connectors.registry import connector
from connectors.sandbox.plugin import FLAVOURS, Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from improvement.errors import RegelkreisError
from improvement.records import Outbound, RecordKind, RecordRef, Verb

SECRET = "sandbox-regelkreis"  # the integration user's token, which the sandbox takes as a password too
NOW = datetime(2024, 7, 29, 12, tzinfo=UTC)
FAULTS: list[dict[str, Any]] = [
    {"kind": kind, "times": None, "seconds": 0}
    for kind in (
        "reset_before",
        "reset_after",
        "html_page",
        "cut_body",
        "cut_connection",
        "unauthorised",
        "unavailable",
        "server_error",
        "rate_limit",
        "error_in_200",
    )
]
CREATE = Outbound(verb=Verb.CREATE, key="ACT-1/create", action_id="ACT-1", fields={"title": "t"})
NOTE = Outbound(verb=Verb.NOTE, key="ACT-1/note", action_id="ACT-1", text="text")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(now=NOW) as running:
        yield running


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest, sandbox: RunningSandbox) -> Iterator[Flavour]:
    chosen: Flavour = request.param
    yield chosen
    sandbox.set_faults(chosen)


def opened(sandbox: RunningSandbox, flavour: Flavour, **parts: Any) -> Connector:
    raw = {
        "name": "acme",
        "platform": "servicenow" if flavour == "servicenow" else "jira",
        "url": sandbox.urls[flavour],
        "user": "regelkreis@example.com" if flavour == "jira_cloud" else "regelkreis",
        "password": SECRET,
        "max_attempts": 2,
        "max_wait_s": 0,
        **parts,
    }
    return connector(ConnectionConfig.model_validate(raw))


def forms(user: str, secret: str) -> list[str]:
    """The secret as it may travel."""
    return [secret, base64.b64encode(f"{user}:{secret}".encode()).decode()]


def everything(errors: list[BaseException], *texts: str) -> str:
    """All a person or a log could see of these errors, causes and contexts included."""
    seen: list[str] = [*texts]
    for error in errors:
        link: BaseException | None = error
        while link is not None:
            seen += [str(link), repr(link), repr(vars(link))]
            link = link.__cause__
        seen += traceback.format_exception(error)
    return "\n".join(seen)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault["kind"]))
def test_no_failing_path_tells_the_secret(
    sandbox: RunningSandbox,
    flavour: Flavour,
    fault: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    learnt, fresh = opened(sandbox, flavour), opened(sandbox, flavour)
    ref = learnt.write(CREATE, None).ref
    sandbox.set_faults(flavour, fault)
    calls = [
        fresh.describe,
        lambda: list(fresh.pull(RecordKind.TICKET, None, until=NOW)),
        lambda: learnt.write(NOTE, ref),
        lambda: learnt.states([ref]),
        lambda: learnt.count(RecordKind.TICKET, until=NOW),
    ]
    errors: list[BaseException] = []
    for call in calls:
        try:
            call()
        except RegelkreisError as error:
            errors.append(error)
    assert errors
    printed = capsys.readouterr()
    text = everything(errors, caplog.text, printed.out, printed.err, repr(fresh.__dict__), repr(learnt.__dict__))
    user = "regelkreis@example.com" if flavour == "jira_cloud" else "regelkreis"
    for form in forms(user, SECRET):
        assert form not in text
    assert all(error.mend for error in errors if isinstance(error, RegelkreisError))


def test_wrong_credentials_are_refused_without_showing_them(
    sandbox: RunningSandbox, flavour: Flavour, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    wrong = opened(sandbox, flavour, password="hunter22-wrong")
    ref = RecordRef(connection="acme", mode="cim" if flavour == "servicenow" else "jira", id="1", number="", url="")
    errors: list[BaseException] = []
    for call in (wrong.describe, lambda: wrong.write(NOTE, ref), lambda: wrong.states([ref])):
        with pytest.raises(RegelkreisError, match="refused the credentials") as caught:
            call()
        errors.append(caught.value)
    printed = capsys.readouterr()
    text = everything(errors, caplog.text, printed.out, printed.err)
    for form in forms("regelkreis", "hunter22-wrong") + forms("regelkreis@example.com", "hunter22-wrong"):
        assert form not in text


@pytest.mark.parametrize("answer", [401, 503, "reset", "web page"])
@responses.activate
def test_a_token_endpoint_that_fails_tells_no_secret(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    secrets = {"client_secret": "cl1ent-s3cret", "refresh_token": "r3fresh-tok3n"}
    url = "https://acme.service-now.com/oauth_token.do"
    echo = {"error": "invalid_client", "error_description": "cl1ent-s3cret r3fresh-tok3n hunter22"}
    if answer == "reset":
        responses.post(url, body=requests.ConnectionError("reset while sending cl1ent-s3cret"))
    elif answer == "web page":
        responses.post(url, body="<html>cl1ent-s3cret</html>")
    else:
        responses.post(url, status=answer, json=echo)
    config = ConnectionConfig.model_validate(
        {
            "name": "acme",
            "platform": "servicenow",
            "url": "https://acme.service-now.com",
            "user": "rk",
            "password": "hunter22",
            "max_attempts": 1,
            "oauth": {"client_id": "id", "grant": "password", **secrets},
        }
    )
    with pytest.raises(RegelkreisError) as caught:
        connector(config).describe()
    text = everything([caught.value], caplog.text, repr(config), str(config))
    for secret in (*secrets.values(), "hunter22"):
        assert secret not in text


def test_a_proxy_with_a_password_is_not_told_when_it_cannot_be_reached(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    config = ConnectionConfig.model_validate(
        {
            "name": "acme",
            "platform": "jira",
            "url": "https://acme.example.invalid",
            "token": "t0ken-abc",
            "proxy": "http://rk:pr0xy-pass@127.0.0.1:9",
            "max_attempts": 1,
        }
    )
    with pytest.raises(RegelkreisError, match="could not be reached") as caught:
        connector(config).describe()
    text = everything([caught.value], caplog.text, repr(config))
    assert "pr0xy-pass" not in text
    assert "t0ken-abc" not in text
