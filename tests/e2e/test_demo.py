"""The whole idea at once: a year of the loop over HTTP on two platforms, and the truth beside the verdicts."""

from __future__ import annotations

import csv
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.truth import Truth
from improvement.vocabulary import Verdict

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "how-to" / "verify-the-evidence.md"
LOG = ROOT.parent / "shared" / "data" / "servicenow-incidents" / "incident_event_log.csv"
pytestmark = pytest.mark.timeout(900)


def demo(home: Path, *options: str) -> dict[str, Any]:
    """Run ``regelkreis demo`` as a script would; returns the object it prints."""
    command = [sys.executable, "-c", "from config.entry import main; main()", "demo", "--no-serve", "--json"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("REGELKREIS_")}
    done = subprocess.run(
        [*command, "--home", str(home), *options], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "home"


@pytest.fixture(scope="module")
def summary_file(home: Path) -> Path:
    return home.with_name("kept") / "summary.json"


@pytest.fixture(scope="module")
def year(home: Path, summary_file: Path) -> dict[str, Any]:
    return demo(home, "--json-file", str(summary_file))


def verdicts(year: dict[str, Any], truth: str) -> set[str | None]:
    return {action["verdict"] for action in year["actions"] if action["truth"] == truth}


def test_nothing_goes_wrong_in_a_year(year: dict[str, Any]) -> None:
    assert year["errors"] == []
    assert year["evidence_ok"] is True
    assert year["tickets"] > 100_000
    # One for each Monday, and one for what later data changed, which is listed at the end.
    assert any(fact.startswith("54 signed checkpoints") for fact in year["evidence"])


def test_an_auditor_reads_what_the_guide_shows_whatever_the_numbers(year: dict[str, Any]) -> None:
    shown = re.findall(r"^✓ (.*)$", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert [without_numbers(fact) for fact in year["evidence"]] == [without_numbers(fact) for fact in shown[:3]]


def without_numbers(fact: str) -> str:
    return re.sub(r"\d[\d,]*", "n", fact)


def test_a_script_reads_its_figures(year: dict[str, Any]) -> None:
    """Numbers, and of every action who, where, what is true, what was said (some wait for it still), by how much."""
    for name in ("findings", "seconds", "loop_seconds"):
        assert isinstance(year[name], (int, float)), name
        assert year[name] > 0, name
    assert year["loop_seconds"] <= year["seconds"]
    ids = [action["id"] for action in year["actions"]]
    assert len(set(ids)) == len(ids) > 0
    assert {action["verdict"] is None for action in year["actions"]} == {True, False}
    for action in year["actions"]:
        assert re.fullmatch(r"ACT-\d+", action["id"])
        assert re.fullmatch(r"[a-z]+=[^,=]+(,[a-z]+=[^,=]+)*", action["scope"])
        assert action["platform"] in {"servicenow", "jira"}
        assert action["truth"] in {truth.value for truth in Truth}
        assert action["verdict"] is None or action["verdict"] in {verdict.value for verdict in Verdict}
        assert action["record_url"].startswith("http://127.0.0.1:")
        size = [action[name] for name in ("low", "effect", "high")]
        assert size == [None, None, None] or size == sorted(size)
        assert action["verdict"] is not None or size == [None, None, None]
        assert None not in size or action["verdict"] not in {Verdict.IMPROVED, Verdict.WORSE, Verdict.NO_CHANGE}


def test_the_file_holds_the_object_that_is_printed(year: dict[str, Any], summary_file: Path) -> None:
    assert json.loads(summary_file.read_text(encoding="utf-8")) == year


def test_real_effects_are_found_on_both_platforms_and_only_those_are_called_improved(year: dict[str, Any]) -> None:
    improved = [action for action in year["actions"] if action["verdict"] == "improved"]
    assert {action["truth"] for action in improved} == {"effect"}
    found = defaultdict(int)
    for action in improved:
        found[action["platform"]] += 1
        if action["metric"] == "sla_breach_rate":
            assert action["effect"] < 0.6
            assert action["low"] < action["effect"] < action["high"] < 1
    assert found["servicenow"] >= 1
    assert found["jira"] >= 1
    assert sum(found.values()) >= 3


def test_chance_trend_and_too_little_data_are_never_credited(year: dict[str, Any]) -> None:
    for truth in ("placebo", "regression", "trend", "worse", "few"):
        assert verdicts(year, truth), f"no action on a scope whose truth is {truth}"
        assert "improved" not in verdicts(year, truth)
    assert "worse" in verdicts(year, "worse")
    assert verdicts(year, "few") <= {"not enough data", "no change", "recovered", None}


def test_every_verdict_reached_the_platform_it_came_from(year: dict[str, Any]) -> None:
    judged = [action for action in year["actions"] if action["verdict"] is not None]
    assert judged
    assert year["reviews_written"] >= len(judged)
    assert all(action["record_url"].startswith("http://127.0.0.1:") for action in judged)
    assert {action["platform"] for action in judged} == {"servicenow", "jira"}


def test_what_we_wrote_ourselves_is_nobodys_comment(year: dict[str, Any], home: Path) -> None:
    with closing(sqlite3.connect(home / "state.sqlite3")) as state:
        ours = dict(state.execute("SELECT name, integration_account FROM workflows_connection"))
        written = state.execute(
            "SELECT a.connection, c.author FROM workflows_actioncomment c JOIN workflows_action a ON a.id = c.action_id"
        ).fetchall()
    assert {connection for connection, _ in written} == {"servicenow", "jira"}  # people did comment
    assert not [author for connection, author in written if author == ours[connection]]
    assert "@" not in ours["jira"]  # the account that Jira names as author, not the address we sign in with


def test_every_final_verdict_cites_what_came_of_firings_that_nobody_acted_on(home: Path, year: dict[str, Any]) -> None:
    with closing(sqlite3.connect(home / "state.sqlite3")) as state:
        results = state.execute("SELECT result FROM workflows_look WHERE kind = 'final' AND result IS NOT NULL")
        cited = [json.loads(result)["untreated"] for (result,) in results]
    assert len(cited) >= len([action for action in year["actions"] if action["verdict"] is not None])
    assert all(line["is_same_version"] for line in cited)
    assert any(line["firings"] and line["effect"] for line in cited)  # some of the past year's cleared by themselves


def test_a_real_log_is_pulled_evaluated_opened_and_written_back(tmp_path: Path) -> None:
    if not LOG.exists():
        pytest.skip("the real incident log is not beside the project")
    final: dict[str, dict[str, str]] = {}
    with LOG.open(encoding="latin-1", newline="") as file:
        for line in csv.DictReader(file):
            final[line["number"]] = line
    summary = demo(tmp_path / "home", "--replay", str(LOG))
    assert summary["incidents"] == len(final)
    assert summary["sla_breached"] == sum(line["made_sla"].upper() == "FALSE" for line in final.values())
    assert summary["reopened"] == sum(int(line["reopen_count"]) > 0 for line in final.values())
    assert summary["errors"] == []
    assert summary["evidence_ok"] is True
    assert summary["actions"]
    assert all(action["record_url"] for action in summary["actions"])


def test_a_log_that_is_none_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n", encoding="utf-8")
    command = [sys.executable, "-c", "from config.entry import main; main()", "demo", "--no-serve", "--replay"]
    done = subprocess.run(
        [*command, str(other), "--home", str(tmp_path / "home")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "other.csv:1" in done.stderr
    assert "are missing" in done.stderr
    assert not (tmp_path / "home").exists()
