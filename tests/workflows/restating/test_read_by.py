"""A mapping that was changed: its digest, the look that says so, and published values that name it as a cause."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from typer.testing import CliRunner

from improvement.records import SCHEMAS, RecordKind
from tests.workflows.platform import MemoryPlatform
from tests.workflows.steps.test_late_cycles import a_platform, an_action_that_is_live, ran
from workflows.actions import planning
from workflows.cli.main import build
from workflows.evidence import verifying
from workflows.models import Action, LedgerEntry, Look, Plan, ReviewRecord
from workflows.restating.read_by import digests
from workflows.steps import restate_points

pytestmark = pytest.mark.django_db
SNOW = '[connections.snow]\nplatform = "servicenow"\nurl = "https://snow.example.com"\nuser = "rk"\npassword = "x"\n'
FRENCH = SNOW + '[connections.snow.mapping.incident.fields]\ncountry = { constant = "FR" }\n'


@pytest.fixture
def platform(home: Path, settings: Any) -> MemoryPlatform:
    set_to(home, settings, SNOW)
    return a_platform()


def set_to(home: Path, settings: Any, text: str) -> None:
    from config.settings import load

    (home / "regelkreis.toml").write_text(text, encoding="utf-8")
    settings.REGELKREIS = load()


def read_by(home: Path, settings: Any, text: str) -> dict[str, str]:
    set_to(home, settings, text)
    return digests("snow")


def final_of(action: Action) -> Look:
    return action.looks.get(kind="final")


def moved(platform: MemoryPlatform, at: datetime, *weeks: int) -> None:
    """Clocks of Mail are read anew, by a mapping that takes those of some weeks for kept."""
    begins = tuple(f"Mail-{week}-" for week in weeks)
    rows = platform._tables[RecordKind.SLA].to_pylist()
    for row in rows:
        if row["ticket_id"].startswith(begins):
            row |= {"is_breached": False, "updated_at": at}
    table = pa.Table.from_pylist(rows, schema=SCHEMAS[RecordKind.SLA])
    assert pc.sum(table["is_breached"]) != pc.sum(platform._tables[RecordKind.SLA]["is_breached"])
    platform._tables = {**platform._tables, RecordKind.SLA: table}


# --- the digest -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('customer = "u_a"\ncountry = "u_b"', 'country = "u_b"\ncustomer = "u_a"'),
        ('supplier = "vendor"', 'supplier = ["vendor"]'),
        ('supplier = "vendor"', 'supplier = { field = "vendor" }'),
        ("risk = { field = 'r', values = { A = 1, B = 2 } }", "risk = { field = 'r', values = { b = 2, a = 1 } }"),
        ('supplier = "vendor"', 'supplier = { field = "vendor", is_optional = true }'),
    ],
)  # fmt: skip
def test_the_same_mapping_written_otherwise_has_the_same_digest(
    home: Path, settings: Any, one: str, other: str
) -> None:
    table = "[connections.snow.mapping.incident.fields]\n"
    first = read_by(home, settings, SNOW + table + one)
    assert read_by(home, settings, SNOW + table + other) == first
    assert first["ticket"] != read_by(home, settings, SNOW)["ticket"]


def test_what_equals_the_default_changes_nothing(home: Path, settings: Any) -> None:
    from connectors.servicenow.defaults import DEFAULT

    plain = read_by(home, settings, SNOW)
    assert set(plain) == set(RecordKind)
    usual = DEFAULT.sources["incident"]
    assert read_by(home, settings, f'{SNOW}[connections.snow.mapping.incident]\nsource = "{usual.source}"\n') == plain


def test_the_order_of_fields_counts_because_the_first_with_a_value_does(home: Path, settings: Any) -> None:
    table = "[connections.snow.mapping.incident.fields]\n"
    first = read_by(home, settings, f'{SNOW}{table}supplier = ["a", "b"]')
    assert first["ticket"] != read_by(home, settings, f'{SNOW}{table}supplier = ["b", "a"]')["ticket"]


def test_only_the_kind_that_is_read_otherwise_has_another_digest(home: Path, settings: Any) -> None:
    plain = read_by(home, settings, SNOW)
    other = read_by(home, settings, SNOW + '[connections.snow.mapping.sla]\nfilter = "active=true"\n')
    assert [kind for kind in plain if plain[kind] != other[kind]] == ["sla"]
    country = read_by(home, settings, SNOW + 'default_country = "CH"\n')
    assert [kind for kind in plain if plain[kind] == country[kind]] == ["sla"]  # it has no country of its own


def test_nothing_is_said_of_a_mapping_that_is_not_there_or_invalid(home: Path, settings: Any) -> None:
    assert read_by(home, settings, "") == {}
    assert read_by(home, settings, SNOW + "[connections.snow.mapping.incident]\ncolour = 1\n") == {}


# --- the look ---------------------------------------------------------------------------------------------------


def test_a_look_says_that_the_mapping_was_changed_and_credits_nothing(
    home: Path, monday: datetime, platform: MemoryPlatform, settings: Any
) -> None:
    action = an_action_that_is_live(platform, monday)
    final = final_of(action)
    set_to(home, settings, FRENCH)
    ran(platform, final.due_at + timedelta(days=1))
    final.refresh_from_db()
    assert final.result is not None
    assert final.verdict == "improved, not attributable"
    assert final.result["read_otherwise"] == ["ticket"]
    assert (
        "mapping of tickets was changed since the plan was frozen (any change of it counts)" in final.result["sentence"]
    )
    assert "Zuordnung (Tickets) wurde geändert" in final.result["sentence_de"]
    (alone,) = [guard for guard in final.result["guards"] if guard["number"] == 8]
    assert alone["status"] == "failed"
    assert ReviewRecord.objects.get(kind="final").document["results"]["read_otherwise"] == ["ticket"]
    assert verifying.verify().failures == []


def test_a_mapping_of_records_that_the_metric_does_not_read_is_no_matter(
    home: Path, monday: datetime, platform: MemoryPlatform, settings: Any
) -> None:
    action = an_action_that_is_live(platform, monday)
    set_to(home, settings, SNOW + "[connections.snow.mapping.outage]\nis_enabled = false\n")
    ran(platform, final_of(action).due_at + timedelta(days=1))
    assert final_of(action).verdict == "improved"


def test_a_mapping_that_was_put_back_is_the_frozen_one(
    home: Path, monday: datetime, platform: MemoryPlatform, settings: Any
) -> None:
    action = an_action_that_is_live(platform, monday)
    plan = Plan.objects.get()
    set_to(home, settings, FRENCH)
    assert planning.read_otherwise(action, plan) == ("ticket",)
    set_to(home, settings, SNOW)
    ran(platform, final_of(action).due_at + timedelta(days=1))
    assert final_of(action).verdict == "improved"


def test_a_plan_of_an_earlier_version_is_not_accused(
    home: Path, monday: datetime, platform: MemoryPlatform, settings: Any
) -> None:
    action = an_action_that_is_live(platform, monday)
    plan = Plan.objects.get()
    del plan.document["data_source"]["read_by"]
    set_to(home, settings, FRENCH)
    assert plan.document["data_source"]["mapping_sha256"] != planning.mapping_sha256("snow")
    assert planning.read_otherwise(action, plan) == ()


# --- what was published -----------------------------------------------------------------------------------------


def test_restated_values_name_the_mapping(
    home: Path, monday: datetime, platform: MemoryPlatform, settings: Any
) -> None:
    ran(platform, monday)
    assert restate_points.restate_all(as_of=monday) == []
    set_to(home, settings, SNOW + '[connections.snow.mapping.sla]\nfilter = "active=true"\n')
    later = monday + timedelta(weeks=1)
    moved(platform, later - timedelta(days=1), 76)
    ran(platform, later)
    assert restate_points.restate_all(as_of=later)
    (entry,) = [json.loads(bytes(row.data)) for row in LedgerEntry.objects.filter(type="points.restated")]
    assert entry["payload"]["causes"] == ["mapping", "sla is_breached"]
    told = CliRunner().invoke(build(), ["rules", "restated"])
    assert "published values, by mapping, sla is_breached" in told.stdout
    moved_back = monday + timedelta(weeks=2)
    ran(platform, moved_back)
    assert restate_points.restate_all(as_of=moved_back) == []  # said once


def test_a_mapping_is_named_when_its_records_were_read_and_not_before(
    home: Path, monday: datetime, platform: MemoryPlatform, settings: Any
) -> None:
    from workflows import cycle

    ran(platform, monday)
    restate_points.restate_all(as_of=monday)
    set_to(home, settings, SNOW + '[connections.snow.mapping.sla]\nfilter = "active=true"\n')
    later = monday + timedelta(weeks=1)
    moved(platform, later - timedelta(days=1), 76)
    platform.unreadable = {RecordKind.SLA}
    assert cycle.run_with([platform], as_of=later).errors
    assert restate_points.restate_all(as_of=later) == []
    platform.unreadable = set()
    again = later + timedelta(weeks=1)
    ran(platform, again)
    assert restate_points.restate_all(as_of=again)
    (entry,) = [json.loads(bytes(row.data)) for row in LedgerEntry.objects.filter(type="points.restated")]
    assert entry["payload"]["causes"] == ["mapping", "sla is_breached"]


def test_an_addendum_names_the_mapping_and_keeps_what_the_review_said_of_it(
    home: Path, monday: datetime, platform: MemoryPlatform, settings: Any
) -> None:
    action = an_action_that_is_live(platform, monday)
    due = final_of(action).due_at
    ran(platform, due + timedelta(days=1))
    assert final_of(action).verdict == "improved"
    set_to(home, settings, SNOW + '[connections.snow.mapping.sla]\nfilter = "active=true"\n')
    moved(platform, due + timedelta(days=3), *range(40, 60))
    ran(platform, due + timedelta(days=8))
    addendum = ReviewRecord.objects.get(kind="addendum").document
    assert addendum["restated_by"]["mapping"] == 1
    assert addendum["results"]["read_otherwise"] == []
