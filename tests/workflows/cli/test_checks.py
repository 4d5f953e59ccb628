"""The spreadsheet door from the command line: anybody's own weekly numbers, no platform, no home."""

from __future__ import annotations

import json
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from improvement.review_results import Results
from workflows.cli.errors import run
from workflows.cli.main import build

DOCS = Path(__file__).parents[3] / "docs"
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


def ended(plans: Path, cells: Path, *options: str) -> int:
    """The exit code, as the console script gives it."""
    return run(build(), ["checks", "compute", "--plans", str(plans), "--cells", str(cells), *options])


def test_exit_codes_tell_computed_refused_and_unreadable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = some_cells(tmp_path / "c.csv")
    good, bad = some_plans(tmp_path / "p.csv", A_PLAN), some_plans(tmp_path / "b.csv", A_PLAN.replace("-30%", "30%"))
    assert [ended(good, cells), ended(bad, cells), ended(tmp_path / "none.csv", cells)] == [0, 1, 2]
    assert "none.csv" in capsys.readouterr().err


def test_a_name_cannot_drive_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plans = some_plans(tmp_path / "p.csv", A_PLAN.replace("A-1", "A-\x1b[31m9"))
    ended(plans, some_cells(tmp_path / "c.csv"))
    assert "\x1b" not in capsys.readouterr().err


def test_the_json_is_the_results_of_a_review_record(tmp_path: Path) -> None:
    ran = computed(some_plans(tmp_path / "p.csv", A_PLAN), some_cells(tmp_path / "c.csv"), "--json")
    (result,) = json.loads(ran.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    record = Results.model_validate(result)
    assert record.verdict == "improved"
    assert [guard.number for guard in record.guards] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_what_is_left_unread_is_remarked_and_no_error(tmp_path: Path) -> None:
    cells = some_cells(tmp_path / "c.csv")
    cells.write_text(cells.read_text() + f"A-7,mail,{FIRST},1,2\n")
    ran = computed(some_plans(tmp_path / "p.csv", A_PLAN), cells)
    assert ran.exit_code == 0
    assert "note: " in ran.stderr
    assert "A-7" in ran.stderr


def test_the_worked_example_of_the_documentation_is_what_comes_out() -> None:
    examples = DOCS / "examples"
    page = (DOCS / "how-to" / "check-your-own-numbers.md").read_text(encoding="utf-8")
    ran = computed(examples / "plans.csv", examples / "cells.csv")
    assert ran.exit_code == 0, ran.stderr
    rows = [line.split("\t") for line in ran.stdout.splitlines()]
    assert [row[0] for row in rows[1:]] == ["ACT-1", "ACT-2", "ACT-3"]
    for row in rows:
        assert f"| {' | '.join(row[:8])} |" in page
    assert (examples / "plans.csv").read_text(encoding="utf-8").strip() in page


def test_the_figures_told_in_the_worked_example_are_those_of_the_result() -> None:
    examples = DOCS / "examples"
    page = (DOCS / "how-to" / "check-your-own-numbers.md").read_text(encoding="utf-8")
    ran = computed(examples / "plans.csv", examples / "cells.csv", "--json")
    first, second, third = json.loads(ran.stdout)
    told = " ".join(page.split())
    assert f"fell from {first['naive']['before']:.1%}".replace("%", " %") in told
    assert f"to {first['naive']['after']:.1%}. A dashboard".replace("%", " %") in told
    assert f"the year before was at {first['windows']['reference']['rate']:.1%}".replace("%", " %") in told
    assert f"{-first['absolute']['difference'] * 100:.1f} percentage points" in told
    assert f"about {-first['absolute']['amount']:.0f} breaches" in told
    assert second["naive"]["after"] / second["naive"]["before"] < 0.5  # "by more than half"
    assert third["provisional"] is True


def test_a_thousand_plans_take_less_than_two_minutes(tmp_path: Path) -> None:
    one = some_cells(tmp_path / "c.csv").read_text().splitlines()
    plans = some_plans(tmp_path / "p.csv", *(A_PLAN.replace("A-1", f"B-{number}") for number in range(50)))
    cells = [row.replace("A-1", f"B-{number}") for number in range(50) for row in one[1:]]
    (tmp_path / "c.csv").write_text("\n".join([one[0], *cells]) + "\n")
    began = time.process_time()  # the machine may be busy with other things
    ran = computed(plans, tmp_path / "c.csv", "--json")
    assert len(json.loads(ran.stdout)) == 50
    assert (time.process_time() - began) * 1_000 / 50 < 120
