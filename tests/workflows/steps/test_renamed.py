"""Tickets that read otherwise than before although nobody touched them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.config import ConnectionConfig
from connectors.registry import connector
from improvement.records import Ticket
from tests.improvement.metrics.build import CONNECTION, ZONES, a_ticket, arrow, at
from tests.workflows.small_worlds import small_platforms
from tests.workflows.steps.departing import RECORDS, TICKET, WEEK, Reader, Story, a_story
from workflows.models import Connection
from workflows.steps import pull
from workflows.steps.renamed import SAMPLE
from workflows.warehouse import Warehouse

LONG_AGO = at("2026-01-05T08:00")


def old(ticket_id: str, **fields: Any) -> Ticket:
    """One that nobody touched for months."""
    return a_ticket(ticket_id, **{"title": "Old", "updated_at": LONG_AGO, **fields})


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Two hundred tickets that nobody touched for months, and a platform that calls customers by these names now."""
    with a_story(tmp_path) as told:
        tickets = [old(f"t{number}") for number in range(RECORDS)]
        told.warehouse.load(TICKET, arrow(TICKET, tickets), seen_at=told.now - WEEK, zones=ZONES)
        told.platform = Reader()
        yield told


def renaming(story: Story, monkeypatch: pytest.MonkeyPatch, **now: Any) -> list[Sequence[str]]:
    """From now on the platform shows tickets with these values; what is asked for by ids."""
    asked: list[Sequence[str]] = []

    def read(ids: Sequence[str]) -> int:
        asked.append(ids)
        shown = [old(id, **now) for id in ids]
        story.warehouse.load(TICKET, arrow(TICKET, shown), seen_at=story.now, zones=ZONES)
        return 0

    monkeypatch.setattr(story, "read_by_ids", read)
    return asked


def test_a_customer_who_is_called_otherwise_is_told_with_what_reads_all_anew(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = renaming(story, monkeypatch, customer="Acme International", category="x" * 60)
    (note,) = story.look().notes
    assert len(asked[0]) == SAMPLE
    assert note.startswith(f"{SAMPLE} of {SAMPLE} tickets that nobody touched read otherwise than before: ")
    assert "customer “Acme” is now “Acme International”" in note
    assert f"is now “{'x' * 39}…”" in note
    assert f"`regelkreis pull {CONNECTION} --since 2026-01-05`" in note
    assert len(story.look().notes) == 1  # the others still have the old name
    assert set(asked[0]) != set(asked[1])


def test_tickets_that_read_as_before_say_nothing_and_are_asked_for_once_a_week(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = renaming(story, monkeypatch)
    assert story.look().notes == []
    story.now -= WEEK - timedelta(days=1)
    assert story.look().notes == []
    assert len(asked) == 1


def test_what_was_updated_lately_or_just_read_is_not_asked_for(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = renaming(story, monkeypatch, customer="Acme International")
    everything = [f"t{number}" for number in range(RECORDS)]
    young = [a_ticket(id, title="Young", updated_at=story.now - timedelta(hours=20)) for id in everything[:50]]
    just_read = [old(id, priority=2) for id in everything[50:]]
    story.warehouse.load(TICKET, arrow(TICKET, young), seen_at=story.now - WEEK, zones=ZONES)
    story.warehouse.load(TICKET, arrow(TICKET, just_read), seen_at=story.now, zones=ZONES)
    assert (story.look().notes, asked) == ([], [])


def test_what_this_pull_read_otherwise_is_no_difference(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    renaming(story, monkeypatch)
    moved = [a_ticket(f"t{number}", updated_at=story.now, customer="Other") for number in range(50)]
    story.warehouse.load(TICKET, arrow(TICKET, moved), seen_at=story.now, zones=ZONES)
    assert story.look().notes == []


@pytest.mark.django_db
def test_a_company_that_is_renamed_on_servicenow_is_noticed_within_the_week(home: Path) -> None:
    Connection.objects.create(name="acme", platform="servicenow")
    with small_platforms("servicenow", every=10) as running, Warehouse.open(home / "warehouse.duckdb") as warehouse:
        url, now = running.urls["servicenow"], running.clock()
        raw = {"name": "acme", "platform": "servicenow", "url": url, "user": "regelkreis", "password": "sandbox"}
        one = connector(ConnectionConfig.model_validate(raw))

        def pulled(**options: object) -> list[str]:
            nonlocal now
            now += WEEK
            running.set_clock(now)
            result = pull.pull(one, warehouse, as_of=now, **options)  # type: ignore[arg-type]
            assert result.errors == []
            return [note for note in result.notes if "nobody touched" in note]

        assert pulled() + pulled() == []
        customers = warehouse.arrow("SELECT customer, count(*) FROM tickets GROUP BY 1 ORDER BY 2 DESC")["customer"]
        old = customers[0].as_py()
        admin = ("admin", "sandbox")
        companies = requests.get(
            f"{url}/api/now/table/core_company", params={"sysparm_query": f"name={old}"}, auth=admin, timeout=30
        ).json()["result"]
        address = f"{url}/api/now/table/core_company/{companies[0]['sys_id']}"
        requests.patch(address, json={"name": "Renamed AG"}, auth=admin, timeout=30).raise_for_status()
        (note,) = pulled()
        assert f"customer “{old}” is now “Renamed AG”" in note
        since = warehouse.oldest_update("acme")
        assert f"--since {since:%Y-%m-%d}`" in note
        pulled(since=since.replace(hour=0, minute=0, second=0))
        left = warehouse.arrow("SELECT id FROM tickets WHERE customer = ? AND vanished_at IS NULL", [old])
        assert (left.num_rows, pulled()) == (0, [])
        one.close()
