"""Several workers on one PostgreSQL state: numbers without gaps, and no write sent twice."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import requests

from connectors.sandbox.testing import RunningSandbox, running_sandbox
from tests.command import regelkreis
from tests.postgresql_server import PostgresServer
from tests.workflows.rules.test_applying import PROPOSING

ROOT = Path(__file__).parents[2]
WORKERS, ENTRIES, ACTIONS = 4, 25, 6
NOW = datetime(2025, 6, 30, 12, tzinfo=UTC)

START = f"""
import sys, django
django.setup()
from datetime import datetime, UTC
from django.db import transaction
from workflows import cycle
from workflows.deliveries import outbox
from workflows.evidence import ledger
from workflows.models import Action, Connection, Delivery, LedgerEntry
now = datetime({NOW.year}, {NOW.month}, {NOW.day}, {NOW.hour}, tzinfo=UTC)
print("ready", flush=True)
sys.stdin.readline()
"""
APPEND = """
for number in range(int(sys.argv[2])):
    with transaction.atomic():
        ledger.append("owner.told", subject=sys.argv[1], actor="engine", at=now, payload={"number": number})
"""
APPEND_AND_DIE = """
import os
with transaction.atomic():
    print(ledger.append("owner.told", subject="lost", actor="engine", at=now, payload={}), flush=True)
    os._exit(9)
"""
QUEUE = """
from improvement.records import Outbound, Verb
Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
for number in range(int(sys.argv[1])):
    action = Action.objects.create(
        origin="person", connection="snow", scope_key="service=Mail", scope={"service": "Mail"},
        metric="sla_breach_rate", title=f"Improvement {number}", state="proposed", opened_at=now, last_moved_at=now,
    )
    fields = {"title": action.title}
    outbox.queue(action, Outbound(verb=Verb.CREATE, key=f"{action.code}/create", action_id=action.code, fields=fields),
                 at=now)
    outbox.note(action, "opened", "It was opened.", at=now)
"""
DELIVER = """
from workflows.steps import deliver
with cycle.connectors() as (one,):
    result = deliver.deliver(one, as_of=now)
print(result.sent, result.found, result.refused, result.errors)
"""
#: A platform that is down, and a pause between the commit that an attempt begins and whatever is asked next.
DELIVER_TO_NOBODY = """
from types import SimpleNamespace
from django.db import connection
from connectors import doubt
from improvement.errors import ConnectionFailed
from workflows.steps import deliver
began = False
def pausing(execute, query, values, many, context):
    global began
    if began:
        began = False
        print("begun", flush=True)
        sys.stdin.readline()
    done = execute(query, values, many, context)
    began = query.startswith("UPDATE") and '"begun_at" = ' in query and values[0] is not None
    return done
def write(outbound, ref):
    doubt.wait_until_settled(outbound, "snow")
    raise ConnectionFailed("The platform is down.")
with connection.execute_wrapper(pausing):
    result = deliver.deliver(SimpleNamespace(name="snow", write=write), as_of=now)
print(result.waiting, result.errors, flush=True)
"""


APPLY = """
from pathlib import Path
from workflows import access
from workflows.rules import applying
real = applying._must_be_two
def planned(*arguments):
    print("planned", flush=True)  # the plan is made; what follows is its effect
    sys.stdin.readline()
    return real(*arguments)
applying._must_be_two = planned
try:
    applying.apply(access.person_named(sys.argv[1]), [Path(sys.argv[2])], at=now)
    print("applied")
except applying.AppliedMeanwhile as error:
    print("refused", error)
"""
ADD_STEPS = """
from workflows import access
from workflows.actions import commands
for number in range(int(sys.argv[2])):
    commands.add_task(access.local_admin(), "ACT-1", f"{sys.argv[1]} {number}", at=now)
"""
QUEUE_UPDATE = """
from workflows.actions import loop
Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
action = Action.objects.create(
    origin="person", connection="snow", scope_key="service=Mail", scope={"service": "Mail"}, platform_id="1",
    metric="sla_breach_rate", title="Improvement", state="proposed", opened_at=now, last_moved_at=now,
)
loop.queue_update(action, now)
"""
#: A platform that takes or refuses what it is sent, and a pause where the delivery, or its action, is kept.
DELIVER_AND_PAUSE = """
from types import SimpleNamespace
from django.db import connection
from improvement.errors import WriteRefused
from improvement.records import Receipt
from workflows.steps import deliver
is_sent = False
def pausing(execute, query, values, many, context):
    global is_sent
    done = execute(query, values, many, context)
    if is_sent and sys.argv[2] in query and ("FOR UPDATE" in query or "FOR NO KEY UPDATE" in query):
        is_sent = False
        print("kept", flush=True)
        sys.stdin.readline()
    return done
def write(outbound, ref):
    global is_sent
    is_sent = True
    if sys.argv[1] == "refused":
        raise WriteRefused("No robots.")
    return Receipt(ref=ref, status=200, was_found=False, request_sha256="", written={}, differences={}, unwritten={})
with connection.execute_wrapper(pausing):
    result = deliver.deliver(SimpleNamespace(name="snow", write=write), as_of=now)
print(result.sent, result.refused, flush=True)
"""
PLAN = """
from workflows import access
from workflows.actions import commands
commands.plan(access.local_admin(), "ACT-1", at=now, hypothesis="Another one.")
"""
DISCARD = """
from improvement.errors import GuardRefused
from workflows import access
from workflows.deliveries import dead_letters
Delivery.objects.update(attempts=1)
print("tried", flush=True)
sys.stdin.readline()
try:
    print(len(dead_letters.discard(access.local_admin(), "ACT-1/update/0", reason="not that", at=now)))
except GuardRefused as refused:
    print(refused)
"""
HIRE = """
from workflows import access
from workflows.models import Role
admin = access.local_admin()
for name in sys.argv[1:]:
    access.grant(access.add_person(name, at=now, by=admin), Role.ADMIN, at=now, by=admin)
"""


class State:
    """A home whose state is a PostgreSQL database of its own; ``start`` runs code there as another process."""

    def __init__(self, home: Path, address: str) -> None:
        self.address = address
        clean = {name: value for name, value in os.environ.items() if not name.startswith("REGELKREIS_")}
        self.environment = {
            **clean,
            "REGELKREIS_HOME": str(home),
            "REGELKREIS_DATABASE": address,
            "DJANGO_SETTINGS_MODULE": "config.django_settings",
        }

    def start(self, code: str, *arguments: object) -> subprocess.Popen[str]:
        """A process that has loaded everything and waits for ``all_ended`` to let it go on."""
        command = [sys.executable, "-c", START + code, *map(str, arguments)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command, env=self.environment, cwd=ROOT, text=True, stdin=pipe, stdout=pipe, stderr=pipe
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def run(self, code: str, *arguments: object) -> str:
        return all_ended([self.start(code, *arguments)])[0]

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.address) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]


def all_ended(processes: list[subprocess.Popen[str]], *, code: int = 0) -> list[str]:
    """Let waiting processes go on together; what each of them said."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=100) for process in processes]
    for process, (_, err) in zip(processes, said, strict=True):
        assert process.returncode == code, err
    return [out for out, _ in said]


@pytest.fixture
def state(tmp_path: Path, postgresql_server: PostgresServer) -> State:
    address = postgresql_server.new_database()
    made = regelkreis(tmp_path, "init", REGELKREIS_DATABASE=address)
    assert made.returncode == 0, made.stderr
    return State(tmp_path, address)


def test_numbers_have_no_gaps_whoever_writes_and_dies(state: State, tmp_path: Path) -> None:
    before = state.rows("SELECT count(*) FROM workflows_ledgerentry")[0][0]
    assert isinstance(before, int)
    writers = [state.start(APPEND, f"writer-{number}", ENTRIES) for number in range(WORKERS)]
    (number,) = all_ended([state.start(APPEND_AND_DIE)], code=9)
    assert number.strip() == str(before)
    all_ended(writers)
    found = state.rows("SELECT index, subject FROM workflows_ledgerentry ORDER BY index")
    assert [index for index, _ in found] == list(range(before + WORKERS * ENTRIES))
    assert "lost" not in {subject for _, subject in found}
    order = [subject for _, subject in found[before:]]
    assert order != sorted(order)  # they did write at the same time
    verified = regelkreis(tmp_path, "evidence", "verify", REGELKREIS_DATABASE=state.address)
    assert verified.returncode == 0, verified.stdout


def test_a_ledger_entry_cannot_be_changed_removed_or_emptied_away(state: State) -> None:
    state.run(APPEND, "writer", 2)
    for statement in (
        "UPDATE workflows_ledgerentry SET type = 'x'",
        "DELETE FROM workflows_ledgerentry",
        "TRUNCATE workflows_ledgerentry CASCADE",
    ):
        with (
            psycopg.connect(state.address) as connection,
            pytest.raises(psycopg.errors.RaiseException, match="append-only"),
        ):
            connection.execute(statement)  # type: ignore[arg-type]
    assert len(state.rows("SELECT 1 FROM workflows_ledgerentry WHERE subject = 'writer'")) == 2


def test_of_people_who_apply_rules_at_once_one_wins_and_the_others_are_told_what_changed(
    state: State, tmp_path: Path
) -> None:
    people = ["ada", "ben", "cleo"]
    state.run(HIRE, *people)
    for number, name in enumerate(people):
        folder = tmp_path / name
        folder.mkdir()
        text = PROPOSING.replace("max: 15%", f"max: {number + 5}%")
        (folder / "sla.yaml").write_text(text, encoding="utf-8")
    appliers = {name: state.start(APPLY, name, tmp_path / name / "sla.yaml") for name in people}
    for process in appliers.values():  # all plan on what is live now
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "planned\n"
    said = dict(zip(people, all_ended(list(appliers.values())), strict=True))
    (winner,) = [name for name, text in said.items() if text == "applied\n"]
    live = state.rows(
        "SELECT v.sha256, p.username FROM workflows_ruleversion v JOIN workflows_person p ON p.uid = v.applied_by "
        "WHERE v.is_live AND v.rule_id = 'sla'"
    )
    assert [name for _, name in live] == [winner]
    for name in set(people) - {winner}:
        assert said[name].startswith("refused Nothing was applied: somebody applied rules meanwhile.")
        assert f"sla is live as {str(live[0][0])[:12]}, applied by {winner} (it was not live before)" in said[name]
    assert state.rows("SELECT count(*) FROM workflows_ledgerentry WHERE type = 'rule.applied'") == [(1,)]
    assert regelkreis(tmp_path, "evidence", "verify", REGELKREIS_DATABASE=state.address).returncode == 0


def test_steps_that_people_add_at_once_are_all_kept(state: State) -> None:
    state.run(QUEUE, 1)
    all_ended([state.start(ADD_STEPS, name, ENTRIES) for name in ("ada", "ben")])
    keys = state.rows("SELECT key FROM workflows_delivery WHERE verb = 'task' ORDER BY id")
    assert keys == [(f"ACT-1/task/{number}",) for number in range(1, 2 * ENTRIES + 1)]


def test_the_database_itself_refuses_a_second_live_version(state: State) -> None:
    made = (
        "INSERT INTO workflows_ruleversion (rule_id, sha256, document, file, mode, is_live, applied_at, applied_by, "
        "limits) VALUES ('sla', %s, '{}', '', 'propose', true, now(), 'engine', '{}')"
    )
    with psycopg.connect(state.address) as connection:
        connection.execute(made, ["a" * 64])
        with pytest.raises(psycopg.errors.UniqueViolation, match="rule_live_once"):
            connection.execute(made, ["b" * 64])


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[RunningSandbox]:
    with running_sandbox(platforms=("servicenow",), now=NOW) as sandbox:
        (tmp_path / "regelkreis.toml").write_text(
            f'[connections.snow]\nplatform = "servicenow"\nurl = "{sandbox.servicenow_url}"\n'
            'user = "admin"\npassword = "sandbox"\n'
        )
        yield sandbox


def records(sandbox: RunningSandbox, table: str) -> list[dict[str, str]]:
    answer = requests.get(f"{sandbox.servicenow_url}/api/now/table/{table}", auth=("admin", "sandbox"), timeout=30)
    found: list[dict[str, str]] = answer.json()["result"]
    return found


def test_workers_that_deliver_at_once_send_each_write_once(state: State, platform: RunningSandbox) -> None:
    had = len(records(platform, "sn_cim_register"))
    state.run(QUEUE, ACTIONS)
    platform.set_faults("servicenow", {"kind": "slow", "seconds": 0.3, "method": "POST", "times": None})
    workers = [state.start(DELIVER) for _ in range(WORKERS)]
    said = [line.split(maxsplit=3) for line in all_ended(workers)]
    platform.set_faults("servicenow")
    for _ in range(2):  # what a busy worker left for the next cycle
        said.append(state.run(DELIVER).split(maxsplit=3))
    assert sum(int(sent) for sent, *_ in said) == 2 * ACTIONS
    assert sum(int(found) for _, found, *_ in said) == 0  # nobody came upon a write of somebody else
    assert state.rows("SELECT state, count(*) FROM workflows_delivery GROUP BY state") == [("sent", 2 * ACTIONS)]
    assert len(records(platform, "sn_cim_register")) == had + ACTIONS
    receipts = state.rows("SELECT count(*) FROM workflows_ledgerentry WHERE type = 'delivery.receipt'")
    assert receipts == [(2 * ACTIONS,)]


def test_workers_that_meet_at_the_beginning_of_an_attempt_doubt_nothing_when_it_fails_cleanly(state: State) -> None:
    """Neither takes the other's beginning for a write that was sent and never answered."""
    state.run(QUEUE, 1)
    first, second = (state.start(DELIVER_TO_NOBODY) for _ in range(2))
    for process in (first, second):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        told = process.stdout.readline()
        assert told == ("begun\n" if process is first else "2 []\n")
    (ended,) = all_ended([first])
    assert "The platform is down." in ended
    second.communicate(timeout=100)
    assert state.rows("SELECT verb, begun_at FROM workflows_delivery ORDER BY id") == [("create", None), ("note", None)]
    assert state.rows("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


def test_the_lock_of_a_worker_that_is_killed_goes_with_it(state: State) -> None:
    state.run(QUEUE, 1)
    killed = state.start(DELIVER_TO_NOBODY)
    assert killed.stdin is not None
    assert killed.stdout is not None
    killed.stdin.write("go\n")
    killed.stdin.flush()
    assert killed.stdout.readline() == "begun\n"
    killed.kill()
    killed.communicate(timeout=100)
    ((begun,),) = state.rows("SELECT begun_at FROM workflows_delivery WHERE verb = 'create'")
    assert begun is not None  # it may have been sent, for all anybody can tell
    another = state.start(DELIVER_TO_NOBODY)
    assert another.stdin is not None
    another.stdin.write("go\n")  # and one more, for its own beginning
    (told,) = all_ended([another])
    assert "ago without an answer, and is not found" in told


@pytest.mark.parametrize(("outcome", "told"), [("taken", "1 0"), ("refused", "0 1")])
def test_whoever_changes_an_action_while_its_delivery_ends_waits_for_it(state: State, outcome: str, told: str) -> None:
    state.run(QUEUE_UPDATE)
    worker = state.start(DELIVER_AND_PAUSE, outcome, "workflows_delivery")
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write("go\n")
    worker.stdin.flush()
    assert worker.stdout.readline() == "kept\n"
    person = state.start(PLAN)
    assert person.stdin is not None
    person.stdin.write("go\n")
    person.stdin.flush()
    deadline = time.monotonic() + 30
    while not state.rows("SELECT 1 FROM pg_locks WHERE NOT granted") and time.monotonic() < deadline:
        time.sleep(0.02)
    ended, _ = all_ended([worker, person])
    assert ended.strip() == told
    assert state.rows("SELECT count(*) FROM workflows_ledgerentry WHERE type = 'action.planned'") == [(1,)]


@pytest.mark.parametrize(
    ("outcome", "told", "became"), [("taken", "1 0", "it is no dead letter: it is sent"), ("refused", "0 1", "1")]
)
def test_whoever_gives_a_delivery_up_while_it_ends_waits_for_it(
    state: State, outcome: str, told: str, became: str
) -> None:
    state.run(QUEUE_UPDATE)
    person = state.start(DISCARD)
    assert person.stdin is not None
    assert person.stdout is not None
    person.stdin.write("go\n")
    person.stdin.flush()
    assert person.stdout.readline() == "tried\n"
    worker = state.start(DELIVER_AND_PAUSE, outcome, "workflows_action")
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write("go\n")
    worker.stdin.flush()
    assert worker.stdout.readline() == "kept\n"
    person.stdin.write("go\n")
    person.stdin.flush()
    deadline = time.monotonic() + 30
    while not state.rows("SELECT 1 FROM pg_locks WHERE NOT granted") and time.monotonic() < deadline:
        time.sleep(0.02)
    ended, given_up = all_ended([worker, person])
    assert ended.strip() == told
    assert became in given_up
