"""The spreadsheet door from the command line: anybody's own weekly numbers, no platform, no home."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from workflows.cli.main import build

FIRST = date(2024, 1, 1)
SCOPES = ("mail", "chat", "vpn", "print")


def some_cells(path: Path, weeks: int = 80) -> Path:
    """Weekly breaches of four scopes; *mail* halves its rate from week 61 on."""
    lines = ["action,scope,week,numerator,denominator"]
    for week in range(weeks):
        monday = FIRST + timedelta(weeks=week)
        for place, scope in enumerate(SCOPES):
            rate = 20 + (week * 7 + place * 3) % 5
            is_better = scope == "mail" and week >= 61
            lines.append(f"A-1,{scope},{monday},{rate // 3 if is_better else rate},100")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def some_plans(path: Path, *rows: str) -> Path:
    header = "action,scope,metric,trigger_from,trigger_to,implemented_on,as_of,goal"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


A_PLAN = (
    f"A-1,mail,sla_breach_rate,{FIRST + timedelta(weeks=53)},{FIRST + timedelta(weeks=57)},"
    f"{FIRST + timedelta(weeks=61)},{FIRST + timedelta(weeks=79)},-30%"
)


def computed(plans: Path, cells: Path, *options: str) -> Result:
    return CliRunner().invoke(build(), ["checks", "compute", "--plans", str(plans), "--cells", str(cells), *options])


def test_one_plan_gives_one_result_with_every_promised_field(tmp_path: Path) -> None:
    ran = computed(some_plans(tmp_path / "p.csv", A_PLAN), some_cells(tmp_path / "c.csv"), "--json")
    assert ran.exit_code == 0, ran.output
    (result,) = json.loads(ran.stdout)
    promised = {"action", "verdict", "reason", "effect", "low", "high", "unit", "look", "goal_met", "sentence"}
    assert promised <= set(result)
    assert (result["action"], result["verdict"], result["look"]) == ("A-1", "improved", 13)
    assert result["low"] <= result["effect"] <= result["high"] < 1


def test_a_table_is_printed_for_people(tmp_path: Path) -> None:
    ran = computed(some_plans(tmp_path / "p.csv", A_PLAN), some_cells(tmp_path / "c.csv"))
    header, line = ran.stdout.splitlines()[:2]
    assert header.startswith("action\tverdict")
    assert line.startswith("A-1\timproved")


def test_a_broken_plan_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    broken = A_PLAN.replace("A-1", "A-2").replace("-30%", "soon")
    plans = some_plans(tmp_path / "p.csv", broken, A_PLAN)
    ran = computed(plans, some_cells(tmp_path / "c.csv"), "--json")
    assert ran.exit_code == 1
    assert [result["action"] for result in json.loads(ran.stdout)] == ["A-1"]
    assert f"{plans}:2" in ran.stderr


def test_a_missing_file_is_an_error_of_the_caller(tmp_path: Path) -> None:
    ran = computed(tmp_path / "none.csv", some_cells(tmp_path / "c.csv"))
    assert ran.exception is not None
    assert "none.csv" in str(ran.exception)


@pytest.mark.parametrize("column", ["goal", "scope"])
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    plans = some_plans(tmp_path / "p.csv", A_PLAN)
    plans.write_text(plans.read_text().replace(column, "colour", 1))
    ran = computed(plans, some_cells(tmp_path / "c.csv"))
    assert column in str(ran.exception)
