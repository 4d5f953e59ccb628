"""Another calendar or zone counts the past otherwise: told beside what was published, with its cause and its reach."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from improvement.errors import InputError
from improvement.records import SCHEMAS, RecordKind
from tests.workflows.platform import MemoryPlatform
from tests.workflows.steps.test_late_cycles import a_platform, an_action_that_is_live, ran
from workflows.cli.main import build
from workflows.evidence import verifying
from workflows.models import Connection, LedgerEntry, Point, ReviewRecord
from workflows.steps import restate_points

pytestmark = pytest.mark.django_db
TIMES = """
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: times, title: Time to resolve, owner: service-owner}
spec:
  mode: observe
  metric: time_to_resolve
  where: {kind: incident}
  by: [service]
  window: 4w
  every: 1w
  target: {max: 300 h}
  trigger: {for: 2w, min_samples: 10}
action: {title: "Faster {service}"}
check: {goal: -20%}
"""
OFFICE = '[calendars.CH]\nhours = { mon-fri = "08:00-17:00" }\n'
BUSINESS = '[metrics]\nbusiness = ["time_to_resolve"]\n' + OFFICE


@pytest.fixture
def platform() -> MemoryPlatform:
    return a_platform()


def set_to(home: Path, settings: Any, text: str) -> None:
    from config.settings import load

    (home / "regelkreis.toml").write_text(text, encoding="utf-8")
    settings.REGELKREIS = load()


def cycled(platform: MemoryPlatform, at: datetime) -> list[str]:
    ran(platform, at)
    return restate_points.restate_all(as_of=at)


def entries() -> list[dict[str, Any]]:
    rows = LedgerEntry.objects.filter(type="points.restated").order_by("index")
    return [json.loads(bytes(row.data)) for row in rows]


def told(*arguments: str) -> str:
    result = CliRunner().invoke(build(), ["rules", "restated", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_another_calendar_restates_what_was_counted_by_it_and_changes_nothing_published(
    home: Path, monday: datetime, platform: MemoryPlatform, settings: Any
) -> None:
    (home / "rules" / "times.yaml").write_text(TIMES, encoding="utf-8")
    set_to(home, settings, BUSINESS)
    assert cycled(platform, monday) == []
    published = dict(Point.objects.values_list("pk", "value"))
    set_to(home, settings, BUSINESS.replace("17:00", "16:00"))
    lines = cycled(platform, monday + timedelta(weeks=1))
    assert lines
    assert {line.split(" ")[0] for line in lines} == {"times"}  # breach rates know no business hours
    assert {point.pk: point.value for point in Point.objects.filter(pk__in=published)} == published
    (entry,) = entries()
    assert (entry["subject"], entry["payload"]["causes"]) == ("times", ["business calendars"])
    moved = Point.objects.filter(later_at__isnull=False)
    assert entry["payload"]["points"] == len(lines) == moved.count()
    assert all(point.later_value < point.value for point in moved)
    report = json.loads(told("--json"))["restatements"][0]
    assert [(one["old"], one["new"]) for one in report["values"]] == [
        (point.value, point.later_value) for point in moved.order_by("week", "finding__scope_key")
    ]
    assert cycled(platform, monday + timedelta(weeks=2)) == []  # said once
    assert verifying.verify().failures == []


def test_business_time_that_is_chosen_later_restates_too(
    home: Path, monday: datetime, platform: MemoryPlatform, settings: Any
) -> None:
    (home / "rules" / "times.yaml").write_text(TIMES, encoding="utf-8")
    set_to(home, settings, OFFICE)
    assert cycled(platform, monday) == []
    set_to(home, settings, BUSINESS)
    assert cycled(platform, monday + timedelta(weeks=1))
    assert entries()[0]["payload"]["causes"] == ["business time"]
    text = told("times")
    assert text.splitlines()[0].endswith("published values, by business time")
    assert " h  →  " in text


def test_a_calendar_that_nothing_is_counted_by_restates_nothing(
    home: Path, monday: datetime, platform: MemoryPlatform, settings: Any
) -> None:
    (home / "rules" / "times.yaml").write_text(TIMES, encoding="utf-8")
    assert cycled(platform, monday) == []
    set_to(home, settings, OFFICE)
    assert cycled(platform, monday + timedelta(weeks=1)) == []
    assert told().splitlines()[0] == "Every published value is what its records say now."
    refused = CliRunner().invoke(build(), ["rules", "restated", "time"]).exception
    assert str(refused) == "No rule “time” was ever live. Did you mean times?"
    assert isinstance(CliRunner().invoke(build(), ["rules", "restated", "--connection", "x"]).exception, InputError)


def test_another_zone_moves_records_to_other_weeks_and_is_a_cause_of_its_own(
    home: Path, monday: datetime, platform: MemoryPlatform, settings: Any
) -> None:
    assert cycled(platform, monday) == []
    set_to(home, settings, '[zones]\nCH = "Pacific/Pago_Pago"\n')  # Monday's first hours are Sunday's last ones there
    moved = cycled(platform, monday + timedelta(weeks=1))
    assert moved
    assert entries()[0]["payload"]["causes"] == ["time zones"]


def test_what_is_restated_names_the_actions_and_reviews_it_touches(
    home: Path, monday: datetime, platform: MemoryPlatform, settings: Any
) -> None:
    action = an_action_that_is_live(platform, monday)
    due = action.looks.get(kind="final").due_at
    assert cycled(platform, due + timedelta(days=1)) == []
    final = ReviewRecord.objects.get(kind="final")
    repaired(platform, due + timedelta(days=3))
    assert cycled(platform, due + timedelta(days=8))
    payload = entries()[0]["payload"]
    assert payload["causes"] == ["sla is_breached"]
    assert payload["open_actions"] == [action.code]
    assert final.code in payload["published_reviews"]
    assert f"Touches {action.code}, " in told()
    assert Connection.objects.get().counted_by.keys() == {"points", "reviews", "marks", "taken up"}


def test_a_published_review_gets_an_addendum_where_another_zone_makes_it_say_something_else(
    home: Path, monday: datetime, platform: MemoryPlatform, settings: Any
) -> None:
    action = an_action_that_is_live(platform, monday)
    due = action.looks.get(kind="final").due_at
    ran(platform, due + timedelta(days=1))
    final = ReviewRecord.objects.get(kind="final")
    set_to(home, settings, '[zones]\nCH = "Pacific/Pago_Pago"\n')
    ran(platform, due + timedelta(days=8))
    addendum = ReviewRecord.objects.get(kind="addendum")
    assert addendum.document["addendum_to"] == final.code
    assert addendum.document["restated_by"] == {"time zones": 1}
    assert addendum.document["results"]["effect_text"] != final.document["results"]["effect_text"]
    ran(platform, due + timedelta(days=15))
    assert ReviewRecord.objects.filter(kind="addendum").count() == 1


def repaired(platform: MemoryPlatform, at: datetime) -> None:
    """Clocks of Mail in the trigger window were kept after all."""
    rows = platform._tables[RecordKind.SLA].to_pylist()
    for row in rows:
        if row["ticket_id"].startswith("Mail-76-"):
            row |= {"is_breached": False, "updated_at": at}
    table = pa.Table.from_pylist(rows, schema=SCHEMAS[RecordKind.SLA])
    platform._tables = {**platform._tables, RecordKind.SLA: table}  # not in place: other stories share the rest
