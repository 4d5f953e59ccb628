"""`rules` for people and for programs: what is wrong, where, and how it came there."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from workflows.cli.main import build

RULE = """\
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: sla, title: Too many}
spec:
  metric: sla_breach_rate
  by: [customer]
  target: {max: 5%}
  trigger: {for: 2w, min_samples: 30}
"""
TEST = """\
---
apiVersion: regelkreis/v1
kind: RuleTest
rule: sla
tests:
  - name: two bad weeks
    given:
      - {weeks: 2026-W01..2026-W06, scope: {customer: Acme}, tickets: 40, breached: 1}
      - {weeks: 2026-W07..2026-W08, scope: {customer: Acme}, tickets: 40, breached: 8}
    expect:
      - {as_of: 2026-W07, finding: pending}
      - {as_of: 2026-W08, finding: STATE, value: VALUE}
"""


def a_file(folder: Path, state: str = "firing", value: str = "11.25%") -> Path:
    path = folder / "sla.yaml"
    path.write_text(RULE + TEST.replace("STATE", state).replace("VALUE", value), encoding="utf-8")
    return path


def ran(*arguments: object) -> Result:
    return CliRunner().invoke(build(), ["rules", *map(str, arguments)])


def test_a_test_that_holds_is_a_line(tmp_path: Path) -> None:
    result = ran("test", a_file(tmp_path))
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == ["sla", "  ok    two bad weeks", "1 passed, 0 failed (2 expectations)"]


def test_a_difference_is_shown_as_expected_and_found_with_the_weeks_before(tmp_path: Path) -> None:
    path = a_file(tmp_path, "ok", "12%")
    result = ran("test", path)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[1] == "  FAIL  two bad weeks"
    assert lines[2].strip() == f"{path}:20:9, tests[0].expect[1]: at the end of 2026-W08 [customer=Acme]"
    assert [line.strip() for line in lines[3:7]] == [
        "- finding: ok   (expected)",
        "+ finding: firing   (found)",
        "- value: 12%   (expected)",
        "+ value: 11.25%   (found)",
    ]
    assert [line.split() for line in lines[-4:-1]] == [
        ["2026-W06", "2.5%", "target", "5%", "ok"],
        ["2026-W07", "6.875%", "target", "5%", "pending"],
        ["2026-W08", "11.25%", "target", "5%", "firing"],
    ]
    assert lines[-1] == "0 passed, 1 failed (2 expectations)"


def test_programs_get_the_same_as_json(tmp_path: Path) -> None:
    result = ran("test", a_file(tmp_path, "ok"), "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["passed"], told["failed"]) == (1, 0, 1)
    wrong = told["expectations"][1]
    assert wrong["differences"] == {"finding": {"expected": "ok", "found": "firing"}}
    assert (wrong["as_of"], wrong["line"], wrong["course"][-1]["finding"]) == ("2026-W08", 20, "firing")


def test_a_rule_that_nothing_tests_is_named(tmp_path: Path) -> None:
    path = tmp_path / "sla.yaml"
    path.write_text(RULE, encoding="utf-8")
    result = ran("test", path)
    assert (result.exit_code, result.stdout) == (0, "0 passed, 0 failed (0 expectations); without a test: sla\n")
