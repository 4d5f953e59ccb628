"""`deliver`, killed with SIGKILL after every single write took effect and before it was committed, doubles nothing.

A process of its own, the real sandbox over HTTP. A stalled answer keeps the process between *sent* and *committed*
until it is killed there.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from tests.command import regelkreis

ROOT = Path(__file__).parents[3]
NOW = datetime(2025, 6, 30, 12, tzinfo=UTC)
FLAVOURS: tuple[Flavour, ...] = ("servicenow", "jira_cloud", "jira_dc")
#: Writing requests; searches by POST are none.
WRITES = r"^(?!.*/search).*/(table|attachment|v1/batch|issue|issueLink)\b"
MOST_KILLS = 30

pytestmark = pytest.mark.timeout(300)  # a dozen processes, each with a platform to itself

START = f"""
import sys, django
django.setup()
from datetime import datetime, UTC
from workflows.deliveries import outbox
from workflows.models import Action, Connection, Delivery
now = datetime({NOW.year}, {NOW.month}, {NOW.day}, {NOW.hour}, tzinfo=UTC)
"""
QUEUE = """
from improvement.records import Outbound, OutboundFile, Verb
from workflows.actions import opening
action = Action.objects.create(
    origin="person", connection="there", scope_key="service=Mail", scope={"service": "Mail"},
    metric="sla_breach_rate", title="Fewer breaches", state="proposed", opened_at=now, last_moved_at=now,
)
opening.log_opening(action, actor="admin", at=now)
def queue(verb, name, **content):
    outbox.queue(action, Outbound(verb=verb, key=f"{action.code}/{name}", action_id=action.code, **content), at=now)
fields = {"title": action.title, "description": "Too many.", "due": "2025-09-30", "url": "https://rk.example/ACT-1"}
queue(Verb.CREATE, "create", fields=fields)
queue(Verb.TASK, "playbook/1", fields={"title": "Hire", "due": None})
queue(Verb.LINK, "triggers", trigger_ids=tuple(sys.argv[1:]))
queue(Verb.UPDATE, "update/1", fields={**fields, "description": "Far too many."})
queue(Verb.NOTE, "note/final-1-13", text="Improved.")
queue(Verb.ATTACH, "attach/final-1-13-json",
      file=OutboundFile(name="rev-1-0123456789ab.json", media_type="application/json", content=b"{}"))
"""
#: Everything is loaded once; each line on standard input forks a process that delivers, eleven minutes after the last:
#: one that was killed just before it sent is waited for, because what it sent might still come.
DELIVERERS = """
import os
from datetime import timedelta
from django.conf import settings
from connectors.registry import connector
from workflows.steps import deliver
print("ready", flush=True)
later = timedelta()
while sys.stdin.readline():
    later += timedelta(minutes=11)
    pid = os.fork()
    if pid == 0:
        one = connector(settings.REGELKREIS.connections["there"])
        result = deliver.deliver(one, as_of=now, clock=lambda: datetime.now(UTC) + later)
        print("done", result.waiting, result.refused, result.errors, flush=True)
        os._exit(0)
    print(pid, flush=True)
    print("ended", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> Flavour:
    found: Flavour = request.param
    return found


@pytest.fixture
def platform(flavour: Flavour) -> Iterator[RunningSandbox]:
    with running_sandbox(platforms=(flavour,), now=NOW) as sandbox:
        yield sandbox


class Desk:
    """Somebody who looks at the platform with plain requests."""

    def __init__(self, url: str, flavour: Flavour) -> None:
        self.url = url
        self.auth = ("admin@example.com" if flavour == "jira_cloud" else "admin", "sandbox")
        self.is_servicenow = flavour == "servicenow"
        self.search = "search/jql" if flavour == "jira_cloud" else "search"

    def get(self, path: str, **params: Any) -> Any:
        answer = requests.get(f"{self.url}{path}", params=params, auth=self.auth, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def rows(self, table: str, query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/api/now/table/{table}", sysparm_query=query)["result"]
        return found

    def issues(self, jql: str, fields: str = "summary") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/rest/api/2/{self.search}", jql=jql, fields=fields)["issues"]
        return found

    def triggers(self) -> list[str]:
        """Two tickets to link."""
        if self.is_servicenow:
            return [row["sys_id"] for row in self.get("/api/now/table/incident", sysparm_limit=2)["result"]]
        return [issue["id"] for issue in self.issues("project = OPS ORDER BY id")[:2]]

    def effects(self) -> dict[str, int]:
        """What the writes left behind, counted."""
        return self._of_servicenow() if self.is_servicenow else self._of_jira()

    def _of_servicenow(self) -> dict[str, int]:
        records = self.rows("sn_cim_register", "correlation_idSTARTSWITHrk-")
        record = records[0]["sys_id"]
        return {
            "records": len(records),
            "tasks": len(self.rows("sn_cim_task", "correlation_idSTARTSWITHrk-")),
            "links": len(self.rows("sn_cim_inbound_m2m", f"cim_register={record}")),
            "updated": int(records[0]["description"] == "Far too many."),
            "notes": len(self.rows("sys_journal_field", f"element_id={record}^element=work_notes")),
            "files": len(self.rows("sys_attachment", f"table_sys_id={record}")),
        }

    def _of_jira(self) -> dict[str, int]:
        wanted = "description,comment,attachment,subtasks,issuelinks"
        records = self.issues("labels = regelkreis", wanted)
        fields = self.get(f"/rest/api/2/issue/{records[0]['id']}", fields=wanted)["fields"]
        return {
            "records": len(records),
            "tasks": len(fields["subtasks"]),
            "links": len(fields["issuelinks"]),
            "updated": int("Far too many." in fields["description"]),
            "notes": len(fields["comment"]["comments"]),
            "files": len(fields["attachment"]),
        }


@pytest.fixture
def desk(platform: RunningSandbox, flavour: Flavour) -> Desk:
    return Desk(platform.urls[flavour], flavour)


class Home:
    """A home connected to the sandbox; ``start`` runs code there as another process."""

    def __init__(self, folder: Path, url: str, flavour: Flavour) -> None:
        kind = "servicenow" if flavour == "servicenow" else "jira"
        user = "regelkreis@example.com" if flavour == "jira_cloud" else "regelkreis"
        connection = (
            f'platform = "{kind}"\nurl = "{url}"\nuser = "{user}"\npassword = "sandbox"\nlink_triggers = true\n'
        )
        (folder / "regelkreis.toml").write_text(f"[connections.there]\n{connection}")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("REGELKREIS_")}
        settings = {"REGELKREIS_HOME": str(folder), "DJANGO_SETTINGS_MODULE": "config.django_settings"}
        self.environment = {**clean, **settings}

    def start(self, code: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", START + code, *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=self.environment, cwd=ROOT, text=True, stdin=pipe, stdout=pipe)

    def run(self, code: str, *arguments: str) -> str:
        process = self.start(code, *arguments)
        out, _ = process.communicate(timeout=100)
        assert process.returncode == 0
        return out.strip()


@pytest.fixture
def home(tmp_path: Path, platform: RunningSandbox, flavour: Flavour) -> Home:
    made = Home(tmp_path, platform.urls[flavour], flavour)
    assert regelkreis(tmp_path, "init").returncode == 0
    switched = regelkreis(tmp_path, "connect", "there", "--write", "on")
    assert switched.returncode == 0, switched.stderr
    return made


class Deliverers:
    """Processes that deliver, one after the other."""

    def __init__(self, home: Home, platform: RunningSandbox, flavour: Flavour) -> None:
        self.platform, self.flavour = platform, flavour
        self.mother = home.start(DELIVERERS)
        assert self._line() == "ready"

    def kill_one_after_its_next_write(self) -> bool:
        """Let one deliver, and kill it between the effect of a write and its commit; False: it had nothing to do."""
        methods = ("POST", "PUT", "PATCH")
        rules = [{"kind": "stall", "method": method, "path": WRITES, "seconds": 60} for method in methods]
        self.platform.set_faults(self.flavour, *rules)
        assert self.mother.stdin is not None
        self.mother.stdin.write("go\n")
        self.mother.stdin.flush()
        pid = int(self._line())
        while Path(f"/proc/{pid}/exe").exists() and not self._has_written():
            time.sleep(0.05)
        if self._has_written():
            time.sleep(0.2)  # the effect is there; half an answer is on its way
            os.kill(pid, signal.SIGKILL)
            assert self._line() == f"ended {-signal.SIGKILL}"
            return True
        assert [self._line(), self._line()] == ["done 0 0 []", "ended 0"]
        return False

    def end(self) -> None:
        self.platform.set_faults(self.flavour)
        self.mother.communicate(timeout=30)

    def _has_written(self) -> bool:
        return any(rule["hits"] for rule in self.platform.control(self.flavour, "GET", "faults"))

    def _line(self) -> str:
        assert self.mother.stdout is not None
        return self.mother.stdout.readline().strip()


@pytest.fixture
def deliverers(home: Home, platform: RunningSandbox, flavour: Flavour) -> Iterator[Deliverers]:
    made = Deliverers(home, platform, flavour)
    yield made
    made.end()


def test_every_write_takes_effect_once_however_often_deliver_is_killed(
    home: Home, deliverers: Deliverers, desk: Desk, tmp_path: Path
) -> None:
    home.run(QUEUE, *desk.triggers())
    kills = 0
    while deliverers.kill_one_after_its_next_write():
        kills += 1
        assert kills < MOST_KILLS
    assert kills >= 6
    assert desk.effects() == {"records": 1, "tasks": 1, "links": 2, "updated": 1, "notes": 1, "files": 1}
    listed = home.run("print(*Delivery.objects.values_list('state', flat=True))")
    assert listed.split() == ["sent"] * 6
    verified = regelkreis(tmp_path, "evidence", "verify", "--json")
    assert json.loads(verified.stdout)["ok"] is True
