"""After a whole cycle with every way to sign in, no secret is in the state, the ledger, the warehouse, a log or a page.

A home of its own, the real sandbox over HTTP, the command as people run it. What is searched for is every secret of
every connection in each form HTTP carries it, and every token that was handed out meanwhile.
"""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import requests

from config.settings import load
from connectors.sandbox.generator import generate
from connectors.sandbox.jira.oauth import CLIENT_ID, CLIENT_SECRET, CLOUD_ID
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.sealing import Seal
from connectors.tokens import TokenFile
from tests.command import regelkreis
from tests.workflows.deliveries.test_killed_delivery import Home

pytestmark = pytest.mark.timeout(300)

QUEUE = """
from improvement.records import Outbound, Verb
from workflows.actions import opening
for name in ("snow", "dc", "cloud", "threelo"):
    action = Action.objects.create(
        origin="person", connection=name, scope_key="service=Mail", scope={"service": "Mail"}, is_accepted=True,
        metric="sla_breach_rate", title="Fewer breaches", state="proposed", opened_at=now, last_moved_at=now,
    )
    opening.log_opening(action, actor="admin", at=now)
    fields = {"title": action.title, "description": "Too many.", "due": "2025-09-30", "url": "https://rk.example/x"}
    outbox.queue(
        action, Outbound(verb=Verb.CREATE, key=f"{action.code}/create", action_id=action.code, fields=fields), at=now
    )
"""
FOUND = """
print(*Delivery.objects.order_by("id").values_list("connection", "state"))
print(Connection.objects.get(name="broken").last_error)
"""
PAGES = """
from django.conf import settings
from django.test import Client
from workflows import access
settings.ALLOWED_HOSTS = ["*"]
client = Client()
client.force_login(access.local_admin())
actions = [f"/actions/{action.code}/" for action in Action.objects.all()]
for path in ["/", "/register/", "/register.csv", "/rules/", "/targets/", "/breaches/", "/suppliers/", *actions]:
    answer = client.get(path, follow=True, secure=True)
    print(path, answer.status_code)
    print(answer.content.decode())
"""
SECRETS = {
    "snow": "sandbox-auckland",
    "cloud": "sandbox-honolulu",
    "dc": "sandbox-regelkreis",
    "broken": "wr0ng-passw0rd!",
}


@pytest.fixture(scope="module")
def platforms() -> Iterator[RunningSandbox]:
    """A few tickets on each."""
    worlds = {name: generate(name, size="small") for name in ("servicenow", "jira")}
    for world in worlds.values():
        world.tickets = world.tickets[::40]
    with running_sandbox(worlds=worlds) as running:
        yield running


def granted(url: str) -> str:
    """The first refresh token of our app."""
    code = {"grant_type": "authorization_code", "code": "sandbox-regelkreis"}
    client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    answer = requests.post(f"{url}/oauth/token", json={**client, **code}, timeout=30)
    return str(answer.json()["refresh_token"])


def settings_of(running: RunningSandbox, refresh: str) -> str:
    """regelkreis.toml with a password, an API token, a personal access token, OAuth, and a password that is wrong."""
    snow, cloud, dc = running.servicenow_url, running.jira_cloud_url, running.jira_dc_url
    return f"""
log_level = "debug"
[connections.snow]
platform = "servicenow"
url = "{snow}"
user = "auckland"
password = "{SECRETS["snow"]}"
[connections.broken]
platform = "servicenow"
url = "{snow}"
user = "regelkreis"
password = "{SECRETS["broken"]}"
[connections.cloud]
platform = "jira"
url = "{cloud}"
user = "honolulu@example.com"
token = "{SECRETS["cloud"]}"
[connections.dc]
platform = "jira"
url = "{dc}"
token = "{SECRETS["dc"]}"
[connections.threelo]
platform = "jira"
url = "{cloud}/ex/jira/{CLOUD_ID}"
[connections.threelo.oauth]
client_id = "{CLIENT_ID}"
client_secret = "{CLIENT_SECRET}"
grant = "refresh_token"
refresh_token = "{refresh}"
token_url = "{cloud}/oauth/token"
"""


@pytest.fixture(scope="module")
def ran(platforms: RunningSandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A home after a cycle that read, wrote and failed, with all that was said, and the refresh token it began with."""
    folder = tmp_path_factory.mktemp("home")
    home = Home(folder, platforms.servicenow_url, "servicenow")
    refresh = granted(platforms.jira_cloud_url)
    (folder / "regelkreis.toml").write_text(settings_of(platforms, refresh))
    (folder / "regelkreis.toml").chmod(0o600)
    said = [regelkreis(folder, "init")]
    said += [regelkreis(folder, "connect", name, "--write", "on") for name in ("snow", "dc", "cloud", "threelo")]
    home.run(QUEUE)
    said += [regelkreis(folder, *command) for command in (("cycle",), ("doctor",), ("deliveries", "list"), ("pull",))]
    told = "\n".join(done.stdout + done.stderr for done in said)
    return {"folder": folder, "home": home, "refresh": refresh, "told": told}


@pytest.fixture(scope="module")
def secrets(ran: dict[str, Any]) -> set[str]:
    """Everything that must be found nowhere: what was configured, in each form of HTTP, and the tokens of now."""
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("REGELKREIS_HOME", str(ran["folder"]))
    try:
        settings = load()
        kept = TokenFile(ran["folder"] / "tokens" / "threelo.token", Seal(settings.token_keys())).read()
    finally:
        monkeypatch.undo()
    assert kept is not None
    assert kept.access
    assert kept.refresh not in (None, ran["refresh"])  # the first one was used, and another came in its place
    known = {*SECRETS.values(), ran["refresh"], kept.access, str(kept.refresh)}
    forms = {form for one in settings.connections.values() for form in one.secret_forms()}
    return known | (forms - {CLIENT_SECRET, *one_of_a_client(CLIENT_SECRET)})


def one_of_a_client(secret: str) -> set[str]:
    """A client secret that is an ordinary word here cannot be looked for by itself; only as it travels in Basic."""
    return {base64.b64encode(f":{secret}".encode()).decode()}


def test_the_cycle_read_wrote_and_failed(ran: dict[str, Any]) -> None:
    """Otherwise nothing was to be found in the first place."""
    found = ran["home"].run(FOUND)
    assert found.count("'sent'") == 4
    assert "refused the credentials" in found
    assert "refused the credentials" in ran["told"]


def test_no_secret_is_in_the_state_or_the_ledger(ran: dict[str, Any], secrets: set[str]) -> None:
    (file,) = ran["folder"].glob("*.sqlite3")
    with closing(sqlite3.connect(file)) as state:  # or it goes some time, and a file beside it with it
        dump = "\n".join(state.iterdump())
        blobs = b"".join(
            bytes(value) if isinstance(value, bytes) else str(value).encode()
            for (table,) in state.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for row in state.execute(f'SELECT * FROM "{table}"')
            for value in row
        )
    assert "workflows_ledgerentry" in dump
    assert [secret for secret in secrets if secret in dump or secret.encode() in blobs] == []


def test_no_secret_is_in_any_file_but_those_that_are_for_it(ran: dict[str, Any], secrets: set[str]) -> None:
    every = [path for path in ran["folder"].rglob("*") if path.is_file()]
    files = [path for path in every if path.name != "regelkreis.toml" and path.suffix != ".key"]
    assert {"threelo.token", "threelo.points"} <= {path.name for path in files}
    assert [(path.name, secret) for path in files for secret in secrets if secret.encode() in path.read_bytes()] == []


def test_no_secret_is_in_what_was_said_or_logged(ran: dict[str, Any], secrets: set[str]) -> None:
    assert "pull.failed" in ran["told"]
    assert [secret for secret in secrets if secret in ran["told"]] == []


def test_no_secret_is_on_a_page(ran: dict[str, Any], secrets: set[str]) -> None:
    shown = ran["home"].run(PAGES)
    assert shown.count(" 200\n") >= 10
    assert [secret for secret in secrets if secret in shown] == []
