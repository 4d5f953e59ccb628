"""Two installations on one machine and one platform: each delivers its ACT-1, and each follows its own record.

Two homes made by `init`, processes of their own, the real sandbox over HTTP.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from tests.command import regelkreis
from tests.workflows.small_worlds import small_platforms

ROOT = Path(__file__).parents[3]
PULL = ("pull", "there", "--as-of", "2024-03-01")
FLAVOURS: tuple[Flavour, ...] = ("servicenow", "jira_cloud", "jira_dc")

pytestmark = pytest.mark.timeout(300)  # a dozen processes, each with a platform to itself

START = """
import sys, django
django.setup()
from contextlib import closing
from datetime import UTC, datetime
from django.conf import settings
from connectors.registry import connector
from improvement.records import Outbound, Verb
from workflows.actions import opening
from workflows.deliveries import outbox
from workflows.models import Action, ActionComment
from workflows.steps import deliver, follow
now = datetime.now(UTC)
"""
DELIVER = """
action = Action.objects.create(
    origin="person", connection="there", scope_key="service=Mail", scope={"service": "Mail"},
    metric="sla_breach_rate", title=sys.argv[1], state="proposed", opened_at=now, last_moved_at=now,
)
opening.log_opening(action, actor="admin", at=now)
def queue(verb, name, **content):
    outbox.queue(action, Outbound(verb=verb, key=f"{action.code}/{name}", action_id=action.code, **content), at=now)
fields = {"title": action.title, "url": "https://rk.example/ACT-1"}
queue(Verb.CREATE, "create", fields=fields)
queue(Verb.TASK, "playbook/1", fields={"title": "Hire", "due": None})
queue(Verb.NOTE, "note/opened", text="Opened.")
with closing(connector(settings.REGELKREIS.connections["there"])) as one:
    done = deliver.deliver(one, as_of=now)
action.refresh_from_db()
print(action.code, done.sent, done.found, done.refused, done.waiting, action.platform_id, action.platform_url)
"""
FOLLOW = """
with closing(connector(settings.REGELKREIS.connections["there"])) as one:
    follow.follow(one, as_of=now)
(action,) = Action.objects.all()
print(action.tasks.count(), *action.comments.values_list("text", flat=True))
"""


class Installation:
    """A home with a state of its own, connected to the platform and allowed to write."""

    def __init__(self, home: Path, platform: Platform) -> None:
        self.home = home
        home.mkdir()
        assert regelkreis(home, "init").returncode == 0
        (home / "regelkreis.toml").write_text(f"[connections.there]\n{platform.settings}", encoding="utf-8")
        assert regelkreis(home, "connect", "there", "--write", "on").returncode == 0
        clean = {name: value for name, value in os.environ.items() if not name.startswith("REGELKREIS_")}
        self.environment = {**clean, "REGELKREIS_HOME": str(home), "DJANGO_SETTINGS_MODULE": "config.django_settings"}

    def run(self, code: str, *arguments: str) -> str:
        command = [sys.executable, "-c", START + code, *arguments]
        done = subprocess.run(command, env=self.environment, cwd=ROOT, text=True, capture_output=True, timeout=100)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def deliver(self, title: str) -> list[str]:
        """Open its first action and deliver everything; its code, what became of the writes, and its record."""
        return self.run(DELIVER, title).split()

    def diagnosis(self) -> dict[str, dict[str, Any]]:
        found = json.loads(regelkreis(self.home, "doctor", "--json").stdout)
        return {line["check"]: line for line in found}

    @property
    def identity(self) -> str:
        with closing(sqlite3.connect(self.home / "state.sqlite3")) as state:
            return str(state.execute("SELECT identity FROM workflows_installation").fetchone()[0])


class Platform:
    """The platform, and somebody who works on it with plain requests."""

    def __init__(self, running: RunningSandbox, flavour: Flavour) -> None:
        self.url, self.flavour = running.urls[flavour], flavour
        self.is_servicenow = flavour == "servicenow"
        suffix = "@example.com" if flavour == "jira_cloud" else ""
        self.auth = (f"admin{suffix}", "sandbox")
        kind = "servicenow" if self.is_servicenow else "jira"
        lines = {"platform": kind, "url": self.url, "user": f"regelkreis{suffix}", "password": "sandbox"}
        self.settings = "".join(f'{name} = "{value}"\n' for name, value in lines.items())

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, f"{self.url}{path}", json=body, auth=self.auth, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def title(self, id: str) -> str:
        if self.is_servicenow:
            return str(self._send("GET", f"/api/now/table/sn_cim_register/{id}")["result"]["short_description"])
        return str(self._send("GET", f"/rest/api/2/issue/{id}")["fields"]["summary"])

    def comment(self, id: str, text: str) -> None:
        if self.is_servicenow:
            self._send("PATCH", f"/api/now/table/sn_cim_register/{id}", {"work_notes": text})
        else:
            self._send("POST", f"/rest/api/2/issue/{id}/comment", {"body": text})


@pytest.fixture
def platform(request: pytest.FixtureRequest) -> Iterator[Platform]:
    flavour: Flavour = request.param
    with small_platforms(flavour, every=60) as running:
        yield Platform(running, flavour)


@pytest.fixture
def production(platform: Platform, tmp_path: Path) -> Installation:
    return Installation(tmp_path / "production", platform)


@pytest.fixture
def staging(platform: Platform, tmp_path: Path) -> Installation:
    return Installation(tmp_path / "staging", platform)


@pytest.mark.parametrize("platform", FLAVOURS, indirect=True)
def test_each_writes_and_follows_a_record_of_its_own(
    platform: Platform, production: Installation, staging: Installation
) -> None:
    records = {}
    for name, one in (("production", production), ("staging", staging)):
        code, sent, found, refused, waiting, record, address = one.deliver(f"Fewer breaches in {name}")
        assert (code, sent, found, refused, waiting) == ("ACT-1", "3", "0", "0", "0")
        records[name] = record
        platform.comment(record, f"Seen in {name}.")
        refused_there = regelkreis(staging.home, "actions", "adopt", address)
        assert refused_there.returncode != 0
        told = " ".join(refused_there.stderr.split())
        whose = "ACT-1 of another installation" if one is production else "it is the record of ACT-1 already"
        assert whose in told
    assert records["production"] != records["staging"]
    for name, one in (("production", production), ("staging", staging)):
        assert platform.title(records[name]) == f"Fewer breaches in {name}"
        assert one.run(FOLLOW) == f"1 Seen in {name}."


@pytest.mark.parametrize("platform", ["servicenow"], indirect=True)
def test_the_warehouse_of_the_other_one_is_refused_until_it_is_moved_away(
    production: Installation, staging: Installation
) -> None:
    for one in (staging, production):
        assert regelkreis(one.home, *PULL).returncode == 0
    file = staging.home / "warehouse.duckdb"
    ours, theirs = staging.identity, production.identity
    assert ours != theirs
    shutil.copy(production.home / "warehouse.duckdb", file)
    before = file.read_bytes()

    refused = regelkreis(staging.home, *PULL)
    assert refused.returncode != 0
    told = " ".join(refused.stderr.split())
    assert f"The warehouse is that of another installation ({theirs}); this one is {ours}." in told
    assert "then everything is read again" in told
    lines = staging.diagnosis()
    assert lines["installation"]["detail"].startswith(ours)
    assert (lines["warehouse"]["is_ok"], "move this one away" in lines["warehouse"]["mend"]) == (False, True)
    assert file.read_bytes() == before

    file.rename(staging.home / "theirs.duckdb")
    again = regelkreis(staging.home, *PULL)
    assert (again.returncode, "is read again: " in again.stderr) == (0, True)
