"""A warehouse put back from before a mapping changed: what was read with the old one is read anew."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.config import ConnectionConfig
from connectors.registry import connector
from connectors.sandbox.testing import running_sandbox
from workflows.models import Connection
from workflows.steps import pull
from workflows.warehouse import Warehouse

pytestmark = pytest.mark.django_db
NOW = datetime(2024, 7, 29, 12, tzinfo=UTC)
CHANGED = {"mapping": {"incident": {"fields": {"category": {"constant": "all"}}}}}
OURS = "SELECT DISTINCT category = 'all' AS is_new FROM tickets WHERE vanished_at IS NULL AND kind = 'incident'"


def read_categories(platform: str, url: str, file: Path, at: datetime, **more: Any) -> tuple[str, set[bool]]:
    """Pull, and tell whether something was lost and which incidents stand: of the new mapping, of the old."""
    config = {"name": "acme", "platform": platform, "url": url, "user": "regelkreis", "password": "sandbox"}
    opened = connector(ConnectionConfig.model_validate({**config, "hourly_points": 0, **more}))
    try:
        with Warehouse.open(file) as warehouse:
            result = pull.pull(opened, warehouse, as_of=at)
            assert not result.errors
            return result.lost, set(warehouse.arrow(OURS)["is_new"].to_pylist())
    finally:
        opened.close()


@pytest.mark.parametrize(("platform", "flavour"), [("jira", "jira_dc"), ("servicenow", "servicenow")])
def test_a_backup_of_before_is_brought_up_to_the_new_mapping(tmp_path: Path, platform: str, flavour: Any) -> None:
    Connection.objects.create(name="acme", platform=platform)
    file = tmp_path / "w.duckdb"
    with running_sandbox(platforms=(flavour,), now=NOW) as sandbox:
        url = sandbox.urls[flavour]
        assert read_categories(platform, url, file, NOW) == ("", {False})
        backup = shutil.copy(file, tmp_path / "backup.duckdb")
        assert read_categories(platform, url, file, NOW + timedelta(hours=1), **CHANGED) == ("", {True})
        shutil.copy(backup, file)
        lost, found = read_categories(platform, url, file, NOW + timedelta(hours=2), **CHANGED)
    assert "older than what was read" in lost
    assert found == {True}
