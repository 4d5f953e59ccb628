"""A platform's hint makes the next pull read, once, and only if it proves itself; it is never data."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from structlog.testing import capture_logs
from typer.testing import CliRunner

from improvement.records import RecordKind
from tests.workflows.platform import MemoryPlatform
from workflows.cli.main import build
from workflows.hooks import hints
from workflows.models import Connection, Hint
from workflows.steps.pull import pull
from workflows.warehouse import Warehouse
from workflows.web.rooms import hooks

pytestmark = pytest.mark.django_db
OLD, NEW = "an-old-secret-of-the-platform", "the-new-secret-of-the-platform"
BODY = b'{"timestamp": 1, "webhookEvent": "jira:issue_updated"}'
CONNECTIONS = f"""
[connections.acme]
platform = "jira"
url = "https://acme.atlassian.net"
user = "regelkreis@acme.example"
password = "p4ssw0rd-of-jira"
hook_secret = "{NEW} {OLD}"

[connections.snow]
platform = "servicenow"
url = "https://acme.service-now.com"
user = "regelkreis"
password = "p4ssw0rd-of-snow"
hook_secret = "{NEW}"

[connections.shut]
platform = "jira"
url = "https://shut.atlassian.net"
user = "regelkreis@acme.example"
password = "p4ssw0rd-of-shut"
"""


@pytest.fixture(autouse=True)
def configured(home: Path, settings: Any) -> Path:
    from config.settings import load

    (home / "regelkreis.toml").write_text(CONNECTIONS, encoding="utf-8")
    settings.REGELKREIS = load()
    return home


def signed(body: bytes, secret: str = NEW) -> dict[str, str]:
    return {"X-Hub-Signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def post(name: str, body: bytes = BODY, headers: dict[str, str] | None = None, path: str = "") -> HttpResponse:
    """As a platform does: no cookies, no token of ours, from outside."""
    client = Client(enforce_csrf_checks=True)
    answer: HttpResponse = client.post(
        path or f"/hooks/{name}/", data=body, content_type="application/json", headers=headers or {}
    )
    return answer


def hinted(name: str) -> datetime | None:
    return Connection.objects.filter(name=name).values_list("hinted_at", flat=True).first()


def test_a_signed_hint_of_jira_marks_its_connection(settings: Any) -> None:
    before = timezone.now()
    answer = post("acme", headers={**signed(BODY), "X-Atlassian-Webhook-Identifier": "w-1"})
    assert (answer.status_code, answer.json()) == (202, {"hint": "taken"})
    told = hinted("acme")
    assert told is not None
    assert before <= told <= timezone.now()
    assert hinted("snow") is None
    assert "sessionid" not in answer.cookies


def test_the_secret_of_servicenow_comes_in_a_header() -> None:
    assert post("snow", headers={"X-Regelkreis-Secret": NEW}).status_code == 202
    assert hinted("snow") is not None


def test_an_old_secret_goes_on_until_it_is_taken_away() -> None:
    assert post("acme", headers=signed(BODY, OLD)).status_code == 202


FORGED: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "no signature": ("acme", BODY, {}),
    "another secret": ("acme", BODY, signed(BODY, "some-other-secret-of-somebody")),
    "another body": ("acme", BODY + b" ", signed(BODY)),
    "a weaker method": ("acme", BODY, {"X-Hub-Signature": signed(BODY)["X-Hub-Signature"].replace("sha256", "sha1")}),
    "no method": ("acme", BODY, {"X-Hub-Signature": signed(BODY)["X-Hub-Signature"].removeprefix("sha256=")}),
    "no hex": ("acme", BODY, {"X-Hub-Signature": "sha256=\xe4\xf6\xfc"}),
    "the secret itself instead of a signature": ("acme", BODY, {"X-Regelkreis-Secret": NEW}),
    "a signature instead of the secret": ("snow", BODY, signed(BODY)),
    "a part of the secret": ("snow", BODY, {"X-Regelkreis-Secret": NEW[:-1]}),
    "both secrets at once": ("acme", BODY, signed(BODY, f"{NEW} {OLD}")),
    "an empty secret": ("snow", BODY, {"X-Regelkreis-Secret": ""}),
    "a connection without a secret": ("shut", BODY, signed(BODY, "")),
    "a connection that is none": ("none", BODY, signed(BODY)),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_does_not_prove_itself_learns_nothing_and_changes_nothing(name: str) -> None:
    connection, body, headers = FORGED[name]
    with capture_logs() as logs:
        answer = post(connection, body, headers)
    assert (answer.status_code, answer.json()) == (401, {"hint": "not accepted"})
    assert not Hint.objects.exists()
    assert not Connection.objects.exclude(hinted_at=None).exists()
    assert NEW not in str(logs)


def test_a_signature_over_nothing_proves_nothing() -> None:
    answer = Client().generic("POST", "/hooks/acme/", b"", headers=signed(b""), CONTENT_LENGTH="0")
    assert answer.status_code == 401


def test_every_secret_is_compared_in_constant_time_and_to_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def compare(known: bytes, given: bytes) -> bool:
        compared.append(known)
        return known == given

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert post("acme", headers=signed(BODY)).status_code == 202  # the first one fits, the second is compared as well
    assert len(compared) == 2


def test_a_delivery_that_is_repeated_is_taken_once() -> None:
    assert post("acme", headers={**signed(BODY), "X-Atlassian-Webhook-Identifier": "w-1"}).status_code == 202
    Connection.objects.update(hinted_at=None)  # pulled meanwhile
    later = BODY.replace(b"1", b"2")
    again = [
        post("acme", headers={**signed(BODY), "X-Atlassian-Webhook-Identifier": "w-1"}),
        post("acme", later, {**signed(later), "X-Atlassian-Webhook-Identifier": "w-1"}),  # the identifier tells
    ]
    assert [(answer.status_code, answer.json()["hint"]) for answer in again] == [(200, "known already")] * 2
    assert hinted("acme") is None


def test_a_captured_hint_cannot_be_replayed_under_another_identifier() -> None:
    assert post("acme", headers={**signed(BODY), "X-Atlassian-Webhook-Identifier": "w-1"}).status_code == 202
    Connection.objects.update(hinted_at=None)
    replayed = post("acme", headers={**signed(BODY), "X-Atlassian-Webhook-Identifier": "w-2"})
    assert (replayed.status_code, hinted("acme")) == (200, None)


def test_the_same_body_of_two_connections_is_two_hints() -> None:
    assert post("acme", headers=signed(BODY)).status_code == 202
    assert post("snow", headers={"X-Regelkreis-Secret": NEW}).status_code == 202


def test_a_flood_is_turned_away_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "MOST_A_MINUTE", 3)
    bodies = [f'{{"hint": {number}}}'.encode() for number in range(5)]
    answers = [post("snow", body, {"X-Regelkreis-Secret": NEW}) for body in bodies]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
    assert answers[-1]["Retry-After"] == "60"
    assert Hint.objects.count() == 3
    Hint.objects.update(at=timezone.now() - timedelta(minutes=2))
    assert post("snow", bodies[4], {"X-Regelkreis-Secret": NEW}).status_code == 202


def test_what_was_taken_is_forgotten_after_a_while() -> None:
    assert post("acme", headers=signed(BODY)).status_code == 202
    Hint.objects.update(at=timezone.now() - hints.REMEMBERED - timedelta(days=1))
    later = BODY + b" "
    assert post("acme", later, signed(later)).status_code == 202
    assert Hint.objects.count() == 1


def test_a_body_is_bounded_and_has_a_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "MOST_BYTES", len(BODY))
    large = BODY + b" "
    assert post("acme", large, signed(large)).status_code == 413
    assert post("acme", headers=signed(BODY)).status_code == 202
    chunked = Client().generic("POST", "/hooks/acme/", b"", headers={**signed(BODY)}, CONTENT_LENGTH="")
    assert chunked.status_code == 411


def test_a_large_body_is_read_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "PIECE", 7)
    assert post("acme", headers=signed(BODY)).status_code == 202


def test_only_a_post_is_a_hint_and_the_last_slash_may_be_left_out() -> None:
    assert Client().get("/hooks/acme/").status_code == 405
    assert post("acme", headers=signed(BODY), path="/hooks/acme").status_code == 202
    assert post("acme", path="/hooks/../login/").status_code in (401, 403, 404)


def test_the_body_is_never_read_as_anything() -> None:
    nonsense = b"\x00\xff<xml>{not json"
    assert post("acme", nonsense, signed(nonsense)).status_code == 202


# --- what a hint does -----------------------------------------------------------------------------------------


def said(*arguments: str) -> str:
    result = CliRunner().invoke(build(), list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def pulled_names(monkeypatch: pytest.MonkeyPatch) -> list[list[str] | None]:
    """What `pull` was asked for; nothing is really pulled."""
    from workflows import cycle

    asked: list[list[str] | None] = []

    def pull_all(*, names: list[str] | None = None, **_options: Any) -> list[Any]:
        asked.append(names)
        return []

    monkeypatch.setattr(cycle, "pull_all", pull_all)
    return asked


def later(minutes: float) -> str:
    return (timezone.now() + timedelta(minutes=minutes)).isoformat()


def test_pull_hinted_pulls_what_was_hinted_at_and_nothing_else(pulled_names: list[list[str] | None]) -> None:
    assert said("pull", "--hinted") == "Nothing was hinted at.\n"
    assert json.loads(said("pull", "--hinted", "--json")) == []
    assert pulled_names == []
    post("snow", headers={"X-Regelkreis-Secret": NEW})
    said("pull", "--hinted", "--as-of", later(1))
    assert pulled_names == [["snow"]]
    said("pull", "acme", "--hinted", "--as-of", later(1))
    assert pulled_names == [["snow"]]


def test_hints_make_us_pull_only_so_often(pulled_names: list[list[str] | None]) -> None:
    post("snow", headers={"X-Regelkreis-Secret": NEW})
    Connection.objects.update(last_pull_as_of=timezone.now())
    said("pull", "--hinted", "--as-of", later(1))
    assert pulled_names == []
    said("pull", "--hinted", "--as-of", later(6))
    assert pulled_names == [["snow"]]


def a_pull(home: Path, platform: MemoryPlatform, at: datetime) -> None:
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        pull(platform, warehouse, as_of=at)


def test_a_pull_answers_the_hint_and_one_that_came_meanwhile_waits(configured: Path) -> None:
    post("snow", headers={"X-Regelkreis-Secret": NEW})
    at = timezone.now()
    Connection.objects.update(hinted_at=at + timedelta(seconds=5))
    platform = MemoryPlatform(scopes={})
    a_pull(configured, platform, at)
    assert hinted("snow") == at + timedelta(seconds=5)
    a_pull(configured, platform, at + timedelta(minutes=1))
    assert hinted("snow") is None


def test_a_pull_that_failed_leaves_the_hint(configured: Path) -> None:
    post("snow", headers={"X-Regelkreis-Secret": NEW})
    platform = MemoryPlatform(scopes={}, unreadable={RecordKind.TICKET})
    a_pull(configured, platform, timezone.now() + timedelta(minutes=1))
    assert hinted("snow") is not None


# --- for administrators ---------------------------------------------------------------------------------------


def test_the_recipe_names_the_address_and_no_secret(home: Path) -> None:
    shown = said("hooks", "show", "snow")
    assert "http://127.0.0.1:8600/hooks/snow/" in shown
    assert "X-Regelkreis-Secret" in shown
    assert "new sn_ws.RESTMessageV2()" in shown
    assert NEW not in shown
    assert shown.startswith("Careful: public_url is no https address.")
    assert "secrets/connections__shut__hook_secret" in said("hooks", "show", "shut")
    assert "X-Hub-Signature" in said("hooks", "show", "acme")


def test_the_list_says_who_is_open_and_what_came() -> None:
    post("snow", headers={"X-Regelkreis-Secret": NEW})
    rows = {one["connection"]: one for one in json.loads(said("hooks", "list", "--json"))}
    assert {name: row["is_open"] for name, row in rows.items()} == {"acme": True, "snow": True, "shut": False}
    assert rows["snow"]["last_at"] is not None
    assert rows["acme"]["hinted_at"] is None


def test_a_fresh_secret_is_long_enough_and_new(home: Path, settings: Any) -> None:
    from connectors.config import ConnectionConfig

    one, other = said("hooks", "secret").strip(), said("hooks", "secret").strip()
    assert one != other
    raw = {"name": "x", "platform": "jira", "url": "https://x.example", "user": "u", "password": "p"}
    assert ConnectionConfig(**raw, hook_secret=one).hook_secrets == (one,)
    with pytest.raises(ValueError, match="at least 16"):
        ConnectionConfig(**raw, hook_secret=f"{one} short")


def test_hook_secrets_are_among_those_that_are_never_shown(settings: Any) -> None:
    known: Callable[[], tuple[str, ...]] = settings.REGELKREIS.secrets
    assert {NEW, OLD} <= set(known())
    assert NEW not in repr(settings.REGELKREIS.connections["acme"])


def test_the_page_shows_the_rule_that_is_printed(settings: Any) -> None:
    settings.REGELKREIS.public_url = "https://regelkreis.acme.example"
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "hints.md").read_text(encoding="utf-8")
    shown = said("hooks", "show", "snow").replace("/hooks/snow/", "/hooks/acme/")
    rule = shown[shown.index("(function") : shown.index("})(current);")]
    assert rule in page


def test_doctor_says_where_hints_are_taken_and_whether_their_secret_is_safe(settings: Any) -> None:
    from workflows import health

    config = settings.REGELKREIS.connections
    (line,) = health._hints("snow", config["snow"])
    assert (line.is_ok, line.detail) == (True, "hints are taken at http://127.0.0.1:8600/hooks/snow/")
    settings.REGELKREIS.public_url = "http://regelkreis.acme.example"
    (line,) = health._hints("snow", config["snow"])
    assert not line.is_ok
    assert "in the clear" in line.detail
    assert list(health._hints("shut", config["shut"])) == []
