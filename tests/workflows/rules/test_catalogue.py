"""`rules docs`: what is live, since when, and what fires now."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.workflows.platform import MemoryPlatform
from workflows import cycle
from workflows.cli.main import build
from workflows.models import Connection

pytestmark = pytest.mark.django_db


def ran(*arguments: object) -> Result:
    result = CliRunner().invoke(build(), ["rules", "docs", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result


def test_a_live_rule_tells_its_version_its_day_and_what_fires(home: Path, monday: datetime) -> None:
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    platform = MemoryPlatform(scopes={"Mail": {0: 0.05, 74: 0.26}, "Quiet": {0: 0.05}})
    for week in range(2):
        cycle.run_with([platform], as_of=monday + timedelta(weeks=week))
    (told,) = json.loads(ran("--json").stdout)["rules"]
    assert (told["id"], told["applied_at"], told["applied_by"]) == ("sla", "2025-06-30", "the engine")
    assert (told["firing"], told["open_actions"], told["document"]["metadata"]["id"]) == (1, 1, "sla")
    text = ran().stdout
    assert "sla: Resolution SLA" in text
    assert f"version {told['version'][:12]}, live since 2025-06-30 by the engine; 1 scope firing, 1 action open" in text


def test_a_page_is_written_to_a_file(home: Path, tmp_path: Path) -> None:
    page = tmp_path / "rules.md"
    ran("--output", page)
    assert page.read_text(encoding="utf-8") == ran("--markdown").stdout
    assert page.read_text(encoding="utf-8").startswith("# Rules\n")
