"""`rules` for people and for programs: what is wrong, where, and how it came there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner, Result

from improvement.errors import InputError, RegelkreisError
from improvement.rules import load_pack
from tests.command import regelkreis
from tests.improvement.metrics.build import a_ticket, load
from workflows.cli.main import build
from workflows.rules import drafts
from workflows.warehouse import Warehouse

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


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Path:
    from config.install import make_home
    from config.settings import load

    monkeypatch.setenv("REGELKREIS_HOME", str(tmp_path))
    make_home(tmp_path)
    settings.REGELKREIS = load()
    return tmp_path / "rules"


@pytest.mark.django_db
def test_a_new_rule_is_asked_for_and_passes_its_own_test(rules: Path) -> None:
    answers = ["3", "customer", "incident", "7%", "Mail is late", "3", "40", "", "propose"]
    result = CliRunner().invoke(build(), ["rules", "new"], input="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    path = rules / "mail-is-late.yaml"
    assert f"Written to {path}; its test passes." in result.stderr
    assert result.stdout.endswith(path.read_text(encoding="utf-8"))  # behind what was typed
    (rule,) = load_pack([path]).rules
    assert (rule.metric, rule.by, rule.target.value, rule.for_values) == ("sla_breach_rate", ("customer",), 0.07, 3)
    assert (rule.where["kind"], rule.min_samples, rule.mode.value) == (("incident",), 40, "propose")
    assert ran("test", path).exit_code == 0
    assert ran("check", rules).exit_code == 0


@pytest.mark.django_db
def test_a_new_rule_without_questions(rules: Path) -> None:
    result = ran("new", "--yes", "--metric", "csat_mean", "--target", "own 0.3", "--title", "Less happy", "--json")
    told = json.loads(result.stdout)
    assert (told["rule"], told["test_passes"], told["file"]) == ("less-happy", True, str(rules / "less-happy.yaml"))
    again = ran("new", "--yes", "--metric", "csat_mean", "--target", "4", "--title", "Less happy").exception
    assert isinstance(again, InputError)
    assert "exists already" in again.what
    taken = ran("new", "--yes", "--metric", "csat_mean", "--target", "4", "--id", "watermelon").exception
    assert isinstance(taken, InputError)
    assert "There is a rule “watermelon” already." in taken.what


@pytest.mark.django_db
def test_a_new_rule_is_not_written_where_the_answers_make_none(rules: Path) -> None:
    for arguments, what in {
        ("--target", "5%"): "has no default",
        ("--metric", "reopen_rte", "--target", "5%"): "reopen_rte",
        ("--metric", "reopen_rate", "--target", "5%", "--by", "assignee"): "is a person",
        ("--metric", "reopen_rate", "--target", "5%", "--mode", "loud"): "“loud” is no answer",
    }.items():
        refused = ran("new", "--yes", "--title", "No rule", *arguments).exception
        assert isinstance(refused, RegelkreisError), arguments
        assert what in str(refused)
    assert not (rules / "no-rule.yaml").exists()


REOPENED = ("new", "--yes", "--metric", "reopen_rate", "--target", "5%", "--title", "Again open")


@pytest.mark.django_db
def test_a_new_rule_is_written_only_where_rules_are_read(rules: Path) -> None:
    for name in ("out.txt", "out", ".out.yaml"):
        refused = ran(*REOPENED, "--output", rules / name).exception
        assert isinstance(refused, InputError)
        assert "Nothing would read this file. Let --output end in .yaml" in str(refused)
        assert not (rules / name).exists()
    assert ran(*REOPENED, "--output", rules / "deeper" / "out.yml").exit_code == 0
    assert [path.name for path in (rules / "deeper").iterdir()] == ["out.yml"]


@pytest.mark.django_db
def test_of_two_who_write_the_same_file_at_once_the_first_stays(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = rules / "again-open.yaml"
    tries = drafts.run_tests

    def meanwhile(tests: Any) -> Any:
        path.write_text("# theirs\n", encoding="utf-8")
        return tries(tests)

    monkeypatch.setattr(drafts, "run_tests", meanwhile)
    refused = ran(*REOPENED).exception
    assert isinstance(refused, InputError)
    assert "The file exists already; it is left alone." in str(refused)
    assert path.read_text(encoding="utf-8") == "# theirs\n"
    assert not list(rules.glob(".*"))


@pytest.mark.django_db
def test_what_is_wrong_with_a_new_rule_is_told_at_its_option(rules: Path) -> None:
    for option, answer in {
        "--by": "assignee",
        "--id": "Not An Id",
        "--target": "150%",
        "--title": "Late \udcff",
        "--owner": "\udcff",
    }.items():
        refused = ran(*REOPENED, option, answer).exception
        assert isinstance(refused, RegelkreisError), option
        assert str(refused).startswith(f"{option}: "), str(refused)
        assert "regelkreis-rule-" not in str(refused)
    assert not (rules / "again-open.yaml").exists()


# --- `rules check` beside the records -------------------------------------------------------------------------

AT = datetime(2026, 6, 2, tzinfo=UTC)
NOBODY, ANOTHER = "", "abcdefgh"


def a_warehouse(home: Path, installation: str = NOBODY) -> Path:
    """One that knows a single customer, Acme; of the installation that is named."""
    file = home / "warehouse.duckdb"
    with Warehouse.open(file) as warehouse:
        if installation:
            warehouse.claim(installation)
        load(warehouse, a_ticket("t1", customer="Acme", opened_at=AT, created_at=AT, updated_at=AT), seen_at=AT)
    return file


def misspelt(home: Path) -> Path:
    path = home / "rules" / "sla.yaml"
    path.write_text(RULE.replace("by: [customer]", "by: [customer]\n  where: {customer: [Acmee]}"), encoding="utf-8")
    return path


def test_a_name_that_no_record_has_is_warned_of_and_the_file_stays_nobodys(copied_home: Path) -> None:
    file, path = a_warehouse(copied_home), misspelt(copied_home)
    for paths in ((), (str(path),)):
        checked = regelkreis(copied_home, "rules", "check", *paths)
        assert (checked.returncode, "Acmee" in checked.stdout) == (0, True), checked.stdout + checked.stderr
    with duckdb.connect(str(file), read_only=True) as raw:
        assert raw.execute("SELECT * FROM duckdb_tables() WHERE table_name = 'belongs_to'").fetchall() == []


def test_rules_are_not_compared_with_the_records_of_another_installation(copied_home: Path) -> None:
    file, path = a_warehouse(copied_home, ANOTHER), misspelt(copied_home)
    with duckdb.connect(str(file)) as raw:
        raw.execute("DELETE FROM meta")  # of an earlier version, which would be brought up to this one
    before = file.read_bytes()
    for paths in ((), (str(path),)):
        checked = regelkreis(copied_home, "rules", "check", *paths)
        told = " ".join(checked.stderr.split())
        assert (checked.returncode, "Acmee" in checked.stdout) == (0, False), checked.stdout + checked.stderr
        assert "were not compared with the records: The warehouse is that of another installation (abcdefgh)" in told
    assert file.read_bytes() == before


def test_files_are_checked_where_the_state_does_not_answer(copied_home: Path) -> None:
    a_warehouse(copied_home)
    nowhere = "postgresql://rk:secret@127.0.0.1:9/rk"
    checked = regelkreis(copied_home, "rules", "check", str(misspelt(copied_home)), REGELKREIS_DATABASE=nowhere)
    assert (checked.returncode, "1 rule, " in checked.stdout) == (0, True), checked.stdout + checked.stderr
    assert "were not compared with the records: The state's database does not answer." in checked.stderr
