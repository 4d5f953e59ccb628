"""Which target applies to whom on a day, who has none, and what a date in the past restates."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from improvement.errors import InputError
from improvement.rules import Scope
from tests.workflows.conftest import RULE
from tests.workflows.platform import MemoryPlatform
from workflows import cycle
from workflows.cli.main import build
from workflows.models import Connection, Finding, LedgerEntry, Point, RuleVersion
from workflows.rules import targets_in_force as targets

pytestmark = pytest.mark.django_db
MAIL = "country=CH,customer=Acme,service=Mail"


@pytest.fixture
def platform() -> MemoryPlatform:
    return MemoryPlatform(scopes={"Mail": {0: 0.05, 74: 0.26}, "Quiet": {0: 0.05}})


@pytest.fixture
def judged(home: Path, monday: datetime, platform: MemoryPlatform) -> datetime:
    """A first version with a target for Switzerland from May on, and half a year of values judged by it."""
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    written(home, "{when: {country: CH}, target: {max: 12%}, from: 2025-05-01}")
    assert cycle.run_with([platform], as_of=monday).errors == []
    return monday


def written(home: Path, *overrides: str) -> None:
    listed = "".join(f"    - {one}\n" for one in overrides)
    text = RULE.replace("  trigger:", f"  overrides:\n{listed}  trigger:") if overrides else RULE
    (home / "rules" / "sla.yaml").write_text(text, encoding="utf-8")


def ran(*arguments: object) -> Result:
    return CliRunner().invoke(build(), ["targets", *map(str, arguments)])


def told(*arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ran(*arguments, "--json").stdout)
    return found


def test_a_date_decides_which_target_is_in_force(judged: datetime) -> None:
    for day, text, level in (("2025-04-30", "max 15%", "global"), ("2025-05-01", "max 12%", "country")):
        found = told("--on", day, "--scope", MAIL, "--as-of", judged.isoformat())
        assert [(one["target"], one["level"]) for one in found["targets"]] == [(text, level)]
    ahead = told("--on", "2027-01-01", "--scope", MAIL, "--as-of", judged.isoformat())
    assert ahead["targets"][0]["target"] == "max 12%"


def test_people_read_which_target_won_and_why_the_others_did_not(judged: datetime) -> None:
    lines = ran("--on", "2025-04-30", "--scope", "service=Mail", "--as-of", judged.isoformat()).stdout.splitlines()
    assert lines[0] == f"sla [{MAIL}] on snow, 2025-04-30"
    assert lines[1].strip() == "max 15% (from target): applies where nothing else does"
    assert lines[2].split(None, 1)[0] == "override"
    assert lines[2].endswith("max 12%  not in force on 2025-04-30")
    summary = ran("--as-of", judged.isoformat()).stdout
    assert "max 12%  override {country: CH} from 2025-05-01  2 scopes" in summary


def test_a_scope_without_records_is_answered_where_it_is_whole(judged: datetime) -> None:
    whole = told("--scope", "country=CH,customer=Newcomer,service=Chat", "--as-of", judged.isoformat())
    assert [one["target"] for one in whole["targets"]] == ["max 12%"]
    assert told("--scope", "country=AT", "--as-of", judged.isoformat())["targets"] == []
    assert "there is no target for it" in ran("--scope", "country=AT", "--as-of", judged.isoformat()).stdout


def test_values_are_judged_by_the_target_in_force_at_their_windows_end(judged: datetime) -> None:
    for point in Point.objects.filter(finding__scope_key=MAIL):
        day = date.fromisocalendar(1970, 1, 1) + timedelta(weeks=point.week, days=6)
        found = targets.report(day, as_of=judged, scope=Scope.parse(MAIL))
        assert found.applied[0].target.target.value == point.target_value


def test_whoever_has_no_target_is_a_gap_and_exit_1(judged: datetime, home: Path) -> None:
    fine = ran("--gaps", "--as-of", judged.isoformat())
    assert fine.exit_code == 0, fine.output
    assert fine.stdout.splitlines()[1].strip() == "nobody"
    narrow = RULE.replace("where: {kind: incident,", "where: {kind: incident, service: [Mail],")
    (home / "rules" / "sla.yaml").write_text(narrow, encoding="utf-8")
    found = ran("--gaps", "--as-of", judged.isoformat())
    assert found.exit_code == 1
    without, above = found.stdout.split("Only a target of a level above")
    assert "service  Quiet" in without
    assert "Mail" not in without
    assert {"CH", "Acme", "Mail"} <= set(above.split())
    gap = next(one for one in told("--gaps", "--as-of", judged.isoformat())["gaps"] if one["value"] == "Quiet")
    assert (gap["target"], gap["missing_metrics"]) == ("none", ["sla_breach_rate"])
    assert gap["records"] > 100


def test_names_that_look_alike_are_told(home: Path, monday: datetime) -> None:
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    written(home)
    platform = MemoryPlatform(scopes={"Büro": {0: 0.05}, "Bu\u0308ro": {0: 0.05}, "Mail": {0: 0.05}})
    assert cycle.run_with([platform], as_of=monday).errors == []
    (pair,) = told("--as-of", monday.isoformat())["alike"]
    assert pair == {"connection": "snow", "dimension": "service", "values": ["Bu\u0308ro", "Büro"]}
    sentence = "“Bu\u0308ro” (Bu\\u0308ro) and “Büro” look alike, but are 2 different values of service to every rule."
    for asked in ((), ("--gaps",)):
        assert f"snow: {sentence}" in ran(*asked, "--as-of", monday.isoformat()).stdout
    checked = CliRunner().invoke(build(), ["rules", "check"]).stdout
    assert f"warning: {sentence} Give them one name on the platform" in checked


def test_countries_that_others_count_in_business_hours_and_they_do_not_are_listed(
    judged: datetime, home: Path, settings: Any
) -> None:
    from config.settings import load

    assert told("--gaps", "--as-of", judged.isoformat())["countries_by_the_wall_clock"] == []
    calendar = '[metrics]\nbusiness = ["time_to_resolve"]\n[calendars.{}]\nhours = {{ mon-fri = "08:00-17:00" }}\n'
    for country, listed in (("DE", ["CH"]), ("CH", [])):
        (home / "regelkreis.toml").write_text(calendar.format(country), encoding="utf-8")
        settings.REGELKREIS = load()
        assert told("--gaps", "--as-of", judged.isoformat())["countries_by_the_wall_clock"] == listed
        text = ran("--gaps", "--as-of", judged.isoformat()).stdout
        assert ("Without business hours, counted by the wall clock: CH" in text) == bool(listed)


def test_a_target_dated_back_restates_values_and_changes_none(
    judged: datetime, home: Path, platform: MemoryPlatform
) -> None:
    before = list(Point.objects.order_by("pk").values_list("target_value", "is_breaching"))
    written(
        home,
        "{when: {country: CH}, target: {max: 12%}, from: 2025-05-01}",
        "{when: {service: Quiet}, target: {max: 1%}, from: 2025-06-01}",
    )
    later = judged + timedelta(weeks=1)
    assert cycle.run_with([platform], as_of=later).errors == []
    entry = json.loads(bytes(LedgerEntry.objects.get(type="targets.restated").data))
    assert (entry["subject"], entry["payload"]["from"], entry["payload"]["to"]) == ("sla", "2025-W22", "2025-W26")
    assert (entry["payload"]["points"], entry["payload"]["turned"]) == (5, 5)
    assert list(Point.objects.order_by("pk").values_list("target_value", "is_breaching"))[: len(before)] == before
    (restated,) = told("--as-of", later.isoformat())["restatements"]
    assert {(at["old_target"], at["new_target"]) for at in restated["points"]} == {("max 12%", "max 1%")}
    then = told("--on", "2025-06-08", "--scope", "service=Quiet", "--as-of", later.isoformat())["targets"][0]
    assert then["target"] == "max 12%"  # what those days were judged by
    assert then["restated"] == "max 1% by the live version's override {service: Quiet} from 2025-06-01"


def test_a_target_from_now_on_restates_nothing(judged: datetime, home: Path, platform: MemoryPlatform) -> None:
    written(
        home,
        "{when: {country: CH}, target: {max: 12%}, from: 2025-05-01}",
        "{when: {service: Quiet}, target: {max: 1%}, from: 2025-07-07}",
    )
    assert cycle.run_with([platform], as_of=judged + timedelta(weeks=1)).errors == []
    (home / "rules" / "sla.yaml").write_text(RULE.replace("max: 15%", "max: 14%").replace(
        "  trigger:", "  overrides:\n    - {when: {country: CH}, target: {max: 12%}, from: 2025-05-01}\n  trigger:"
    ), encoding="utf-8")  # fmt: skip
    assert cycle.run_with([platform], as_of=judged + timedelta(weeks=1, days=1)).errors == []
    assert not LedgerEntry.objects.filter(type="targets.restated").exists()
    assert Finding.objects.count() == 2


def test_a_scope_of_what_no_rule_is_about_is_refused(judged: datetime) -> None:
    refused = ran("--scope", "planet=x", "--as-of", judged.isoformat()).exception
    assert isinstance(refused, InputError)
    assert "Targets have no “planet”. Known: " in str(refused)
    near = ran("--scope", "custmer=Acme", "--as-of", judged.isoformat()).exception
    assert str(near) == "Targets have no “custmer”. Did you mean customer?"
    assert len(told("--scope", f"{MAIL},kind=incident", "--as-of", judged.isoformat())["targets"]) == 1


def test_of_one_rule_it_is_no_matter_that_an_old_version_of_another_cannot_be_read_any_more(
    judged: datetime, home: Path, platform: MemoryPlatform
) -> None:
    other = RULE.replace("id: sla", "id: other")
    for number, target in enumerate(("max: 20%", "max: 25%")):
        (home / "rules" / "other.yaml").write_text(other.replace("max: 15%", target), encoding="utf-8")
        assert cycle.run_with([platform], as_of=judged + timedelta(weeks=number + 1)).errors == []
    RuleVersion.objects.filter(rule_id="other", is_live=False).update(document={"spec": {}})
    asked = ("--on", f"{judged:%Y-%m-%d}", "--scope", MAIL, "--as-of", (judged + timedelta(weeks=2)).isoformat())
    assert "cannot be read any more" in str(ran(*asked).exception)
    assert [one["target"] for one in told(*asked, "--rule", "sla")["targets"]] == ["max 12%"]
