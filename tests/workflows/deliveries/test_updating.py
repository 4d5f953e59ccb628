"""A state of a version whose traces named no installation is brought up to this one: what it had written is found.

Each story is a process with a state of its own, so that the database is really migrated.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command import regelkreis

ROOT = Path(__file__).parents[3]
STORY = """
import json
import django
django.setup()
from datetime import UTC, datetime
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

now = datetime(2026, 11, 2, tzinfo=UTC)
call_command("migrate", "workflows", "0022", verbosity=0)
before = MigrationExecutor(connection).loader.project_state([("workflows", "0022_deliveries_are_withdrawn")]).apps
action = before.get_model("workflows", "Action").objects.create(
    origin="person", connection="there", scope_key="service=Mail", scope={"service": "Mail"},
    metric="sla_breach_rate", title="Fewer breaches", state="proposed", opened_at=now, last_moved_at=now,
)
def delivery(key, **more):
    given = {"verb": "create", "state": "waiting", "connection": "there", "outbound": b"{}", "queued_at": now}
    before.get_model("workflows", "Delivery").objects.create(action=action, key=key, **{**given, **more})
delivery("never begun")  # in this state: it may be a backup, and sent since
delivery("refused before it was sent", attempts=3, last_error="The platform is down.")
delivery("killed", begun_at=now)
delivery("in doubt, a note", verb="note", begun_at=now, attempts=1, last_error="No answer.")
delivery("dead in doubt", state="dead", begun_at=now, attempts=1, last_error="Not found within a day.")
delivery("dead, refused", state="dead", attempts=1, last_error="Forbidden.")
delivery("discarded in doubt", state="discarded", begun_at=now, attempts=1, last_error="Not found within a day.")
delivery("sent again by a person", last_error="Not found within a day.")
delivery("sent again by a person, then not let in", attempts=1, last_error="Our credentials are refused.")
delivery("of a proposal that was cancelled", state="withdrawn")
delivery("made, and newer content came", attempts=1, receipt={"status": 201})
delivery("changes only what differs", verb="update", begun_at=now)
delivery("sent", state="sent", sent_at=now, attempts=1, receipt={"status": 201})

call_command("migrate", verbosity=0)
from workflows.deliveries import outbox
from workflows.models import Delivery, Installation, our_installation
flagged = sorted(Delivery.objects.filter(may_stand_unnamed=True).values_list("key", flat=True))
call_command("migrate", verbosity=0)  # as every `init` does
one = Installation.objects.get()
print(json.dumps({"flagged": flagged, "identity": one.identity, "ours": our_installation()}))
"""
MAY_STAND_UNNAMED = [
    "dead in doubt",
    "dead, refused",
    "discarded in doubt",
    "in doubt, a note",
    "killed",
    "made, and newer content came",
    "never begun",
    "of a proposal that was cancelled",
    "refused before it was sent",
    "sent again by a person",
    "sent again by a person, then not let in",
]


def updated(home: Path, story: str = STORY, **environment: str) -> dict[str, Any]:
    """What became of a state that was of a version before, as its story tells."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REGELKREIS_")}
    settings = {"REGELKREIS_HOME": str(home), "DJANGO_SETTINGS_MODULE": "config.django_settings", **environment}
    done = subprocess.run(
        [sys.executable, "-c", story], env={**clean, **settings}, cwd=ROOT, text=True, capture_output=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_all_that_is_not_known_to_be_sent_is_looked_for_as_it_was_marked_then(tmp_path: Path) -> None:
    found = updated(tmp_path)
    assert found["flagged"] == MAY_STAND_UNNAMED
    assert re.fullmatch(r"[a-z2-7]{8}", found["identity"])
    assert found["ours"] == found["identity"]


def test_two_homes_are_two_installations_and_init_changes_neither(tmp_path: Path) -> None:
    told = []
    for name in ("one", "other", "one"):
        assert regelkreis(tmp_path / name, "init").returncode == 0
        lines = json.loads(regelkreis(tmp_path / name, "doctor", "--json").stdout)
        told += [line["detail"].partition(",")[0] for line in lines if line["check"] == "installation"]
    assert told[0] == told[2] != told[1]


@pytest.mark.django_db
def test_a_state_that_lost_its_identity_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from improvement.errors import RegelkreisError
    from workflows.models import Installation, installation

    monkeypatch.setattr(installation, "_KNOWN", {})
    Installation.objects.all().delete()
    with pytest.raises(RegelkreisError, match="does not say which installation") as told:
        installation.our_installation()
    assert "Restore the table" in told.value.mend
