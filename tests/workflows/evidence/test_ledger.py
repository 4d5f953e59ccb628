"""The log on SQLite: numbers without gaps under two processes, no way to change it, nothing personal in it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction

from tests.command import regelkreis
from tests.workflows.build import an_action, an_approver, an_owner, live
from workflows import access
from workflows.evidence import ledger, verifying
from workflows.models import Checkpoint, ErasableText, LedgerEntry, Plan

NOW = datetime(2025, 6, 30, 12, tzinfo=UTC)
ENTRIES = 40
APPEND = f"""
import sys, time, django
django.setup()
from datetime import datetime, UTC
from django.db import transaction
from workflows.evidence import ledger
print("ready", flush=True)
sys.stdin.readline()
for number in range({ENTRIES}):
    with transaction.atomic():
        ledger.append("owner.told", subject=sys.argv[1], actor="engine", at=datetime(2025, 6, 30, tzinfo=UTC),
                      payload={{"number": number}})
    time.sleep(0.01)  # SQLite gives its lock to whoever asks next
"""


def test_two_processes_that_append_at_once_leave_no_gap(tmp_path: Path) -> None:
    assert regelkreis(tmp_path, "init").returncode == 0
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REGELKREIS_")}
    settings = {"REGELKREIS_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.django_settings"}
    pipe = subprocess.PIPE
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", APPEND, name],
            env={**clean, **settings},
            cwd=Path(__file__).parents[3],
            text=True,
            stdin=pipe,
            stdout=pipe,
        )
        for name in ("one", "two")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=100)
        assert writer.returncode == 0
    with sqlite3.connect(tmp_path / "state.sqlite3") as raw:
        rows = raw.execute(
            "SELECT \"index\", subject FROM workflows_ledgerentry WHERE type = 'owner.told' ORDER BY 1"
        ).fetchall()
    raw.close()
    first = rows[0][0]
    assert [index for index, _ in rows] == list(range(first, first + 2 * ENTRIES))
    order = [subject for _, subject in rows]
    assert order not in (sorted(order), sorted(order, reverse=True))  # they did write at the same time
    assert regelkreis(tmp_path, "evidence", "verify").returncode == 0


@pytest.mark.django_db
def test_an_entry_commits_with_its_effect_or_not_at_all() -> None:
    with transaction.atomic():
        ledger.append("owner.told", subject="lost", actor="engine", at=NOW, payload={})
        transaction.set_rollback(True)
    assert ledger.append("owner.told", subject="kept", actor="engine", at=NOW, payload={}) == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    "table",
    ["ledgerentry", "checkpoint", "reviewrecord", "reviewentry"],
)
@pytest.mark.parametrize("statement", ["UPDATE workflows_{} SET {} = {}", "DELETE FROM workflows_{}"])
def test_the_database_refuses_to_change_what_is_append_only(home: object, table: str, statement: str) -> None:
    from tests.workflows.build import looked
    from workflows.actions import commands

    olga = an_owner()
    action = live(an_action(olga), an_approver())
    for kind in ("look", "look", "final"):
        looked(action, kind=kind)
    commands.decide(olga, action.code, "adjust", at=datetime(2026, 6, 1, tzinfo=UTC))
    ledger.sign_checkpoint(NOW)
    column = {"ledgerentry": "subject", "checkpoint": "note", "reviewrecord": "kind", "reviewentry": "actor"}[table]
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        connection.cursor().execute(statement.format(table, column, column))


@pytest.mark.django_db
def test_a_frozen_plan_is_never_changed(home: object) -> None:
    live(an_action(an_owner()), an_approver())
    plan = Plan.objects.get()
    plan.document = {**plan.document, "goal": "-1%"}
    with pytest.raises(DatabaseError, match="frozen plan"), transaction.atomic():
        plan.save()
    with pytest.raises(DatabaseError, match="frozen plan"), transaction.atomic():
        connection.cursor().execute("DELETE FROM workflows_plan")


@pytest.mark.django_db
def test_a_checkpoint_is_signed_once_for_every_size(home: object) -> None:
    ledger.append("owner.told", subject="one", actor="engine", at=NOW, payload={})
    assert ledger.sign_checkpoint(NOW) is not None
    assert ledger.sign_checkpoint(NOW) is None
    ledger.append("owner.told", subject="two", actor="engine", at=NOW, payload={})
    assert ledger.sign_checkpoint(NOW) is not None
    assert list(Checkpoint.objects.values_list("size", flat=True)) == [1, 2]


@pytest.mark.django_db
def test_the_same_text_is_sealed_differently_each_time_and_can_be_erased(home: object) -> None:
    one, two = ledger.sealed("Mrs Muster complained."), ledger.sealed("Mrs Muster complained.")
    assert one != two
    assert ledger.sealed("") == ""
    ledger.append("owner.told", subject="one", actor="engine", at=NOW, payload={"text_sha256": one})
    ErasableText.objects.get(digest=one).delete()
    assert verifying.verify().is_ok


@pytest.mark.django_db
def test_people_are_in_the_log_by_their_id_only(home: object) -> None:
    admin = access.local_admin()
    person = access.add_person("ida", name="Ida Muster", email="ida@example.com", at=NOW, by=admin)
    access.new_token(person, label="Ida's laptop", at=NOW, by=admin)
    access.link_account(person, "snow", "ida.muster", at=NOW, by=admin)
    log = [json.loads(bytes(entry.data)) for entry in LedgerEntry.objects.all()]
    assert {entry["subject"] for entry in log} == {person.uid}
    for text in ("ida", "Ida", "Muster", "example.com", "laptop"):
        assert text not in json.dumps(log)


@pytest.mark.django_db(transaction=True)
def test_nobody_holds_the_ledger_outside_a_transaction() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        ledger.hold()
    with transaction.atomic():
        ledger.hold()
