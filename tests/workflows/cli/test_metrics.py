"""`metrics`: what is counted is told, and a customer's mood is taken apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from improvement.errors import InputError
from improvement.metrics import CATALOGUE
from tests.improvement.metrics.build import load
from tests.improvement.metrics.test_mood import unhappy
from workflows.cli.main import build
from workflows.models import Connection
from workflows.warehouse import Warehouse

MOOD_RULE = """
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: low, title: Low mood, owner: service-owner}
spec: {mode: observe, metric: mood_index, by: [customer], window: 1w, target: {min: 60}}
"""
AS_OF = "2026-03-10T06:00Z"  # W10 is over everywhere


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(build(), ["metrics", *arguments])


@pytest.fixture
def acme(home: Path, db: None, settings: Any) -> Path:
    """A warehouse that knows an unhappy Acme."""
    Connection.objects.create(name="snow", platform="servicenow")
    with Warehouse.open(settings.REGELKREIS.warehouse) as warehouse:
        load(warehouse, *unhappy())
    return home


@pytest.mark.parametrize("name", ["availability", "mood_index"])
def test_show_prints_definition_example_and_sql(name: str) -> None:
    told = ran("show", name).stdout
    metric = CATALOGUE[name]
    assert all(text in told for text in (metric.definition, metric.example, metric.least_sample, "SELECT"))
    assert ("escalations per incident" in told) == (name == "mood_index")


CALENDARS = """
[metrics]
business = ["time_to_resolve"]
[calendars.CH]
hours = { mon-fri = "08:00-12:00, 13:00-17:00" }
subdivision = "ZH"
[calendars.DE]
hours = { mon-fri = "09:00-17:00" }
holidays = false
"""


def test_show_tells_which_calendar_each_country_is_counted_by(home: Path, settings: Any) -> None:
    from config.settings import load

    assert json.loads(ran("show", "time_to_resolve", "--json").stdout)["time"].startswith("by the wall clock")
    (home / "regelkreis.toml").write_text(CALENDARS, encoding="utf-8")
    settings.REGELKREIS = load()
    told = json.loads(ran("show", "time_to_resolve", "--json").stdout)
    assert told["time"] == "business hours where a country has a calendar; elsewhere the wall clock"
    assert told["calendar CH"] == "mon-fri 08:00-12:00, 13:00-17:00; Europe/Zurich; holidays of CH-ZH"
    assert told["calendar DE"] == "mon-fri 09:00-17:00; Europe/Berlin; no holidays"
    assert '"calendar_steps"' in told["sql"]
    assert json.loads(ran("show", "time_to_respond", "--json").stdout)["time"].startswith("by the wall clock")
    assert "time" not in json.loads(ran("show", "availability", "--json").stdout)


def test_list_names_every_metric() -> None:
    assert [one["id"] for one in json.loads(ran("list", "--json").stdout)] == list(CATALOGUE)


def test_a_mood_is_told_part_by_part_with_what_is_missing(acme: Path) -> None:
    told = ran("mood", "Acme", "--as-of", AS_OF).stdout
    assert "Acme on snow, end of 2026-W10: 53.8 of 100" in told
    lines = {line.split("\t")[0]: line.split("\t")[1:4] for line in told.splitlines() if "\t" in line}
    assert lines["csat"] == ["0.0", "30", "46 %"]
    assert lines["nps"] == ["missing", "15", "–"]
    (parts,) = json.loads(ran("mood", "Acme", "--as-of", AS_OF, "--json").stdout)
    assert sum(part["share"] for part in parts["parts"] if part["share"] is not None) == pytest.approx(1)


def test_the_weights_of_the_settings_count(acme: Path, settings: Any) -> None:
    from config.settings import load as load_settings

    (acme / "regelkreis.toml").write_text("[metrics]\nmood_weights = { csat = 0, nps = 0 }\n", encoding="utf-8")
    settings.REGELKREIS = load_settings()
    assert "2026-W10: 100.0 of 100" in ran("mood", "Acme", "--as-of", AS_OF).stdout


def test_a_customer_nobody_knows_is_told_who_is_known(acme: Path) -> None:
    result = ran("mood", "Acne", "--as-of", AS_OF)
    assert isinstance(result.exception, InputError)
    assert "Acne" in result.exception.what
    assert "Acme" in result.exception.mend


def test_a_low_mood_is_explained_by_its_parts(acme: Path) -> None:
    (acme / "rules" / "mood.yaml").write_text(MOOD_RULE, encoding="utf-8")
    told = CliRunner().invoke(build(), ["rules", "explain", "low", "--scope", "customer=Acme", "--as-of", AS_OF])
    assert told.exit_code == 0, told.output
    rows = {line.split()[0]: line.split()[2:4] for line in told.stdout.splitlines() if "2026-W10" in line}
    assert rows["csat"] == ["0", "30"]
    assert rows["complaints"] == ["missing", "missing"]
