"""A mapping that changes: everything is read anew with it, whatever else happens meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Connector
from connectors.config import ConnectionConfig
from connectors.registry import connector
from connectors.sandbox.testing import running_sandbox
from workflows.models import Connection
from workflows.steps import pull
from workflows.steps.pull import PullResult, Reading
from workflows.warehouse import Warehouse

pytestmark = pytest.mark.django_db
NOW = datetime(2024, 7, 29, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CHANGED = {"mapping": {"incident": {"fields": {"category": {"constant": "all"}}}}}
OURS = "SELECT DISTINCT category = 'all' AS is_new FROM tickets WHERE vanished_at IS NULL AND kind = 'incident'"
MISSED = (
    "DELETE FROM tickets WHERE id IN (SELECT id FROM tickets WHERE kind = 'incident' AND vanished_at IS NULL "
    "ORDER BY id LIMIT 20)"
)
on_both = pytest.mark.parametrize("platform", ["jira", "servicenow"])


class Site:
    """A platform, and what we read of it into one file."""

    def __init__(self, platform: str, url: str, file: Path) -> None:
        self.platform, self.url, self.file = platform, url, file
        self.now = NOW
        Connection.objects.create(name="acme", platform=platform)

    def opened(self, **more: Any) -> Connector:
        config = {"name": "acme", "platform": self.platform, "url": self.url, "user": "regelkreis", "hourly_points": 0}
        return connector(ConnectionConfig.model_validate({**config, "password": "sandbox", **more}))

    def pulled(self, *, misses: str = "", since: datetime | None = None, **more: Any) -> tuple[PullResult, set[bool]]:
        """Pull an hour later; the result, and which incidents stand: of the new mapping, of the old."""
        self.now += HOUR
        with closing(self.opened(**more)) as opened, Warehouse.open(self.file) as warehouse:
            if misses:
                warehouse._raw.execute(misses)
            result = pull.pull(opened, warehouse, as_of=self.now, since=since, is_reconciled=bool(misses))
            assert not result.errors
            return result, set(warehouse.arrow(OURS)["is_new"].to_pylist())

    def tickets(self) -> int:
        with Warehouse.open(self.file) as warehouse:
            return int(warehouse.arrow("SELECT count(*) AS n FROM tickets WHERE vanished_at IS NULL")["n"][0].as_py())


@contextmanager
def serving(platform: str, folder: Path) -> Iterator[Site]:
    flavour: Any = "jira_dc" if platform == "jira" else "servicenow"
    with running_sandbox(platforms=(flavour,), now=NOW) as sandbox:
        yield Site(platform, sandbox.urls[flavour], folder / "w.duckdb")


@on_both
def test_a_backup_of_before_is_brought_up_to_the_new_mapping(tmp_path: Path, platform: str) -> None:
    with serving(platform, tmp_path) as site:
        assert site.pulled()[1] == {False}
        backup = shutil.copy(site.file, tmp_path / "backup.duckdb")
        assert site.pulled(**CHANGED)[1] == {True}
        shutil.copy(backup, site.file)
        result, found = site.pulled(**CHANGED)
    assert "older than what was read" in result.lost
    assert found == {True}


@on_both
def test_also_where_the_last_write_of_before_read_by_ids(tmp_path: Path, platform: str) -> None:
    with serving(platform, tmp_path) as site:
        site.pulled()
        assert any("were not here" in note for note in site.pulled(misses=MISSED)[0].notes)
        backup = shutil.copy(site.file, tmp_path / "backup.duckdb")
        site.pulled(**CHANGED)
        shutil.copy(backup, site.file)
        assert site.pulled(**CHANGED)[1] == {True}


@on_both
def test_a_pull_since_some_day_leaves_the_rest_to_the_next_one(tmp_path: Path, platform: str) -> None:
    with serving(platform, tmp_path) as site:
        site.pulled()
        site.pulled(since=NOW - timedelta(days=2), **CHANGED)
        assert site.pulled(**CHANGED)[1] == {True}


def test_what_a_person_left_out_when_it_began_is_wanted_once_all_was_read(tmp_path: Path) -> None:
    with serving("jira", tmp_path) as site:
        site.pulled(since=NOW - timedelta(days=30))
        few = site.tickets()
        assert Connection.objects.get().reconciled["ticket"]["is_whole"] is False
        site.pulled(**CHANGED)
        assert site.tickets() > 2 * few
        assert Connection.objects.get().reconciled["ticket"]["is_whole"] is True


def test_what_is_read_by_ids_leaves_out_what_is_not_mapped(tmp_path: Path) -> None:
    more = {"mapping": {"satisfaction": {"is_enabled": False}}}
    with serving("jira", tmp_path) as site:
        site.pulled(**more)
        before = site.tickets()
        site.pulled(misses=MISSED, **more)
        assert site.tickets() == before


def test_whoever_reads_anew_is_not_taken_for_one_with_little_to_tell(tmp_path: Path) -> None:
    with serving("jira", tmp_path) as site:
        site.pulled()
        with Warehouse.open(site.file) as warehouse:
            for more, expected in (({}, True), (CHANGED, False)):
                with closing(site.opened(**more)) as opened, closing(Reading(opened, warehouse, as_of=site.now)) as one:
                    assert one.is_catching_up is expected
