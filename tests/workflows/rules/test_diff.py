"""`rules diff`: live rules, files and recorded versions against each other."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from improvement.errors import InputError
from tests.workflows.conftest import RULE
from tests.workflows.platform import MemoryPlatform
from workflows import cycle
from workflows.cli.main import build
from workflows.models import Connection, RuleVersion

pytestmark = pytest.mark.django_db


@pytest.fixture
def later(home: Path, monday: datetime) -> datetime:
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    cycle.run_with([MemoryPlatform(scopes={"Mail": {0: 0.05, 60: 0.3}, "Quiet": {0: 0.12}})], as_of=monday)
    return monday + timedelta(days=1)


def ran(at: datetime, *arguments: object) -> Result:
    return CliRunner().invoke(build(), ["rules", "diff", *map(str, arguments), "--as-of", at.isoformat()])


def told(at: datetime, *arguments: object) -> Any:
    result = ran(at, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["rules"]


def test_a_draft_tells_which_findings_it_adds(later: datetime, tmp_path: Path) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_text(RULE.replace("max: 15%", "max: 8%"), encoding="utf-8")
    (rule,) = told(later, "live", draft)
    assert rule["changes"] == [{"key": "spec.target.max", "before": 0.15, "after": 0.08}]
    new = [one["scope"]["service"] for one in rule["findings"] if one["what"] == "new"]
    assert new == ["Quiet"]
    lines = ran(later, "live", draft).stdout.splitlines()
    assert lines[0].startswith(f"the live rules → {draft}, findings of 2025-W01 to 2025-W26")
    assert any(line.split() == ["spec.target.max", "0.15", "→", "0.08"] for line in lines)
    assert any(line.startswith("  + country=CH,customer=Acme,service=Quiet on snow: fires in") for line in lines)


def test_a_version_is_named_by_the_beginning_of_its_digest(later: datetime, home: Path) -> None:
    old = RuleVersion.objects.get().sha256
    (home / "rules" / "sla.yaml").write_text(RULE.replace("max: 15%", "max: 14%"), encoding="utf-8")
    (rule,) = told(later, old[:12], "live")
    assert (rule["before"], rule["same"], rule["changes"][0]["after"]) == (old, False, 0.14)


def test_the_same_rules_are_said_to_be_the_same(later: datetime, home: Path) -> None:
    assert [rule["same"] for rule in told(later, "live", home / "rules")] == [True]
    assert ran(later, "live", home / "rules").stdout.splitlines()[-1] == "The same in both: sla"


def test_a_rule_that_goes_and_one_that_comes(later: datetime, home: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(RULE.replace("id: sla", f"id: {name}"), encoding="utf-8")
    folder = tmp_path / "new"
    folder.mkdir()
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").rename(folder / f"{name}.yaml")
    rules = {rule["rule"]: rule for rule in told(later, "live", folder)}
    assert {name: (rule["before"] is None, rule["after"] is None) for name, rule in rules.items()} == {
        "sla": (False, True),
        "one": (True, False),
        "two": (True, False),
    }


def test_what_is_neither_is_refused(later: datetime) -> None:
    refused = ran(later, "live", "nothing.yaml").exception
    assert isinstance(refused, InputError)
    assert "is no file, folder or version" in refused.what
