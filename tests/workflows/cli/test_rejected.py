"""Records that a pull could not read are kept and shown, one by one and in the diagnosis."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from workflows import health
from workflows.cli.main import build
from workflows.models import Connection, RejectedRecord

pytestmark = pytest.mark.django_db
SEEN = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _unread(home: object) -> None:
    snow = Connection.objects.create(name="snow", platform="servicenow", last_pull_as_of=SEEN)
    for record, field, reason in (("a2", "opened_at", "“soon” is no time"), ("a1", "priority", "“P0” is no number")):
        RejectedRecord.objects.create(
            connection=snow, kind="ticket", record_id=record, field=field, reason=reason, seen_at=SEEN
        )


def doctor(*options: str) -> str:
    done = CliRunner().invoke(build(), ["doctor", *options], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_each_is_listed_with_its_field_and_reason() -> None:
    first, second = json.loads(doctor("--rejected", "--json"))
    assert (first["record"], first["field"], first["reason"]) == ("a1", "priority", "“P0” is no number")
    assert (second["record"], second["connection"], second["kind"]) == ("a2", "snow", "ticket")
    assert "a2\topened_at\t“soon” is no time" in doctor("--rejected")


def test_the_diagnosis_says_how_many_and_where_to_find_them() -> None:
    (line,) = [line for line in health._last_pull(Connection.objects.get()) if line.check == "unreadable records"]
    assert not line.is_ok
    assert line.detail.startswith("2, such as ticket a2, opened_at")
    assert "doctor --rejected" in line.mend
