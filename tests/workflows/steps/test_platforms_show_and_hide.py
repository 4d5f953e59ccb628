"""Over HTTP: what a platform hid is read once it shows it, and what leaves the mapping's filter counts no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.base import Connector
from connectors.config import ConnectionConfig
from connectors.registry import connector
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from improvement.records import RecordKind
from tests.workflows.small_worlds import small_platforms
from workflows.models import Connection, PullReport
from workflows.steps import pull
from workflows.warehouse import Warehouse

pytestmark = pytest.mark.django_db
TICKET, SLA = RecordKind.TICKET, RecordKind.SLA
FLAVOURS: tuple[Flavour, ...] = ("servicenow", "jira_cloud", "jira_dc")
FILTER = {"servicenow": "priority!=5", "jira": "priority != 5"}


@dataclass
class Place:
    """A platform, a connection to it, and a warehouse."""

    flavour: Flavour
    running: RunningSandbox
    connector: Connector
    warehouse: Warehouse
    now: datetime
    results: list[pull.PullResult] = field(default_factory=list)

    def pull(self, **options: Any) -> PullReport:
        """A pull a week after the one before; the report about tickets."""
        if self.results:
            self.now += timedelta(weeks=1)
            self.running.set_clock(self.now)
        self.results.append(pull.pull(self.connector, self.warehouse, as_of=self.now, **options))
        assert self.results[-1].errors == []
        report = self.results[-1].of(TICKET)
        assert report is not None
        return report

    def hide(self, *priorities: str) -> None:
        """Hide the incidents of these priorities from the integration user."""
        if self.flavour == "servicenow":
            rows = {"regelkreis": {"incident": f"priorityIN{','.join(priorities)}"}} if priorities else {}
            self.running.set_options(self.flavour, hidden_rows=rows)
        else:
            self.running.set_options(self.flavour, hidden_priorities=list(priorities))

    def give_priority(self, ids: list[str], priority: str) -> None:
        """Somebody gives incidents another priority."""
        url = self.running.urls[self.flavour]
        login = "admin@example.com" if self.flavour == "jira_cloud" else "admin"
        for id in ids:
            if self.flavour == "servicenow":
                path, body = f"/api/now/table/incident/{id}", {"priority": priority}
            else:
                path, body = f"/rest/api/2/issue/{id}", {"fields": {"priority": {"id": priority}}}  # type: ignore[dict-item]
            answer = requests.put(f"{url}{path}", json=body, auth=(login, "sandbox"), timeout=30)
            answer.raise_for_status()

    def ids(self, where: str) -> list[str]:
        """Of tickets that stand."""
        sql = f"SELECT id FROM tickets WHERE vanished_at IS NULL AND {where} ORDER BY id"
        found: list[str] = self.warehouse.arrow(sql)["id"].to_pylist()
        return found

    def clocks(self, of: list[str]) -> int:
        """How many clocks of these tickets stand."""
        named = ", ".join(f"'{id}'" for id in of)
        sql = f"SELECT id FROM slas WHERE vanished_at IS NULL AND ticket_id IN ({named})"
        return int(self.warehouse.arrow(sql).num_rows)


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> Flavour:
    chosen: Flavour = request.param
    return chosen


@pytest.fixture
def at(home: Path, flavour: Flavour) -> Callable[..., Any]:
    """A place with a mapping of its own: ``with at(incident=…) as place``."""

    @contextmanager
    def opened(**mapping: Any) -> Iterator[Place]:
        platform = "servicenow" if flavour == "servicenow" else "jira"
        Connection.objects.create(name="acme", platform=platform)
        user = "regelkreis@example.com" if flavour == "jira_cloud" else "regelkreis"
        with (
            small_platforms(flavour, every=10) as running,
            Warehouse.open(home / "warehouse.duckdb") as warehouse,
        ):
            raw = {"name": "acme", "platform": platform, "url": running.urls[flavour], "user": user}
            one = connector(ConnectionConfig.model_validate({**raw, "password": "sandbox", "mapping": mapping}))
            yield Place(flavour, running, one, warehouse, running.clock())
            one.close()

    return opened


def test_what_was_hidden_is_read_with_its_clocks_once_it_is_shown(at: Callable[..., Any], flavour: Flavour) -> None:
    with at() as place:
        place.hide("2")
        first = place.pull()
        assert place.ids("kind = 'incident' AND priority = 2") == []
        if flavour == "servicenow":  # its own count includes what it hides
            assert "hidden from us" in first.notes
            assert "hidden from us" in place.pull().notes
        place.hide()
        report = place.pull(is_reconciled=flavour == "servicenow")
        shown = place.ids("kind = 'incident' AND priority = 2")
        assert len(shown) > 20
        assert "were not here" in report.notes
        assert report.platform_count == report.warehouse_count
        assert place.clocks(shown) >= len(shown)
        assert place.pull().notes == ""


def test_what_leaves_the_filter_counts_no_more_until_it_matches_again(at: Callable[..., Any], flavour: Flavour) -> None:
    with at(incident={"filter": FILTER["servicenow" if flavour == "servicenow" else "jira"]}) as place:
        place.pull()
        leaving = place.ids("kind = 'incident' AND state = 'closed'")[:8]
        clocks = place.clocks(leaving)
        assert clocks
        place.give_priority(leaving, "5")
        report = place.pull()
        assert report.deleted == 8
        assert "8 records are there, but no longer match the mapping" in report.notes
        assert set(leaving).isdisjoint(place.ids("true"))
        if flavour != "servicenow":
            assert place.clocks(leaving) == 0
        assert place.pull().notes == ""
        place.give_priority(leaving, "4")
        back = place.pull()
        assert (back.notes, back.platform_count) == ("", back.warehouse_count)
        assert set(leaving) <= set(place.ids("priority = 4"))
        assert place.clocks(leaving) == clocks


def test_a_filter_that_was_narrowed_and_widened_again_loses_nothing(at: Callable[..., Any]) -> None:
    with at() as place:
        place.pull()
        everything = place.ids("true")
        config = place.connector.config
        is_jira = place.flavour != "servicenow"
        for mapping in ({"incident": {"filter": "priority != 3" if is_jira else "priority!=3"}}, {}):
            place.connector.close()
            place.connector = connector(ConnectionConfig.model_validate({**config.model_dump(), "mapping": mapping}))
            place.pull(is_reconciled=True)
        assert set(everything) <= set(place.ids("true"))
