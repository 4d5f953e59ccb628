"""The real event log, replayed: the facts its README states, and no look into the future."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import requests

from connectors.sandbox.replay import replay
from connectors.sandbox.testing import running_sandbox
from connectors.sandbox.world import World, WorldTicket
from improvement.errors import InputError

LOG = Path(__file__).resolve().parents[3].parent / "shared/data/servicenow-incidents/incident_event_log.csv"
needs_log = pytest.mark.skipif(not LOG.exists(), reason=f"the real event log is not at {LOG}")

HEADER = (
    "number,incident_state,reassignment_count,reopen_count,made_sla,caller_id,opened_at,sys_updated_at,location,"
    "category,u_symptom,priority,assignment_group,assigned_to,resolved_at,closed_at\n"
)


@lru_cache(maxsize=1)
def the_log() -> World:
    return replay(LOG)


def resolved_at(ticket: WorldTicket) -> int | None:
    """As a platform shows it: the last time in state resolved, unless the event says that it stays empty."""
    ends = (e.at for e in ticket.events if e.changes.get("state") == "resolved" and "resolved_at" not in e.changes)
    return max(ends, default=None)


def last(ticket: WorldTicket, name: str) -> object:
    return next(event.changes[name] for event in reversed(ticket.events) if name in event.changes)


@needs_log
def test_the_log_has_890_incidents_395_breached_10_reopened() -> None:
    tickets = the_log().tickets
    assert len(tickets) == 890
    assert len({ticket.number for ticket in tickets}) == 890
    assert sum(sla.breached for ticket in tickets for sla in ticket.slas) == 395
    assert all(len(ticket.slas) == 1 for ticket in tickets)
    assert sum(int(str(last(ticket, "reopen_count"))) > 0 for ticket in tickets) == 10
    assert sum(resolved_at(ticket) is None for ticket in tickets) == 29


@needs_log
def test_priorities_and_their_met_shares_match() -> None:
    tickets = the_log().tickets
    priorities = Counter(int(str(last(ticket, "priority"))) for ticket in tickets)
    assert priorities == {3: 757, 4: 85, 2: 33, 1: 15}
    met = Counter(int(str(last(ticket, "priority"))) for ticket in tickets if not ticket.slas[0].breached)
    shares = {priority: round(100 * met[priority] / count) for priority, count in priorities.items()}
    assert shares == {3: 60, 4: 45, 2: 0, 1: 7}


@needs_log
def test_hours_to_resolve_match() -> None:
    ends = ((ticket.opened, resolved_at(ticket)) for ticket in the_log().tickets)
    hours = np.array([(end - opened) / 3600 for opened, end in ends if end is not None])
    assert len(hours) == 861
    quantiles = np.percentile(hours, [10, 25, 50, 75, 90, 99])
    assert quantiles.tolist() == pytest.approx([1.9, 22.4, 54.5, 320, 762, 3786], rel=0.002, abs=0.06)
    assert hours.mean() == pytest.approx(316, abs=0.5)


@needs_log
def test_reassignments_match() -> None:
    counts = [int(str(last(ticket, "reassignment_count"))) for ticket in the_log().tickets]
    shares = [round(100 * counts.count(number) / len(counts)) for number in range(4)]
    assert shares == [56, 23, 10, 4]
    assert max(counts) == 18


@needs_log
def test_nothing_is_known_before_its_own_update() -> None:
    """Incident 45 was set to Resolved at 08:53, finally at 11:29, and closed on 5 March."""
    ticket = next(ticket for ticket in the_log().tickets if ticket.number == "INC0000045")
    states = [(event.at, event.changes["state"]) for event in ticket.events if "state" in event.changes]

    def at(day: int, month: int, hour: int, minute: int) -> int:
        return int(datetime(2016, month, day, hour, minute, tzinfo=UTC).timestamp())

    assert states == [
        (at(29, 2, 1, 23), "new"),
        (at(29, 2, 8, 53), "resolved"),
        (at(29, 2, 11, 29), "resolved"),
        (at(5, 3, 12, 0), "closed"),
    ]
    for other in the_log().tickets:
        assert [event.at for event in other.events] == sorted(event.at for event in other.events)


@needs_log
def test_missing_dimensions_stay_missing() -> None:
    tickets = the_log().tickets
    assert {(ticket.customer, ticket.country, ticket.service) for ticket in tickets} == {(None, None, None)}
    assert "?" not in {value for ticket in tickets for value in (ticket.location, ticket.category)}
    assert sum(ticket.location is not None for ticket in tickets) > 850
    assert the_log().start == int(datetime(2016, 2, 29, tzinfo=UTC).timestamp())


def test_a_clock_breaches_at_the_first_false(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(
        HEADER
        + "INC1,New,0,0,TRUE,Caller 1,01-03-2016 08:00,01-03-2016 08:05,?,?,?,3 - Moderate,?,?,?,?\n"
        + "INC1,Active,0,0,FALSE,Caller 1,01-03-2016 08:00,01-03-2016 12:00,?,?,?,2 - High,Group 1,Resolver 2,?,?\n"
        + "INC1,Closed,0,0,FALSE,Caller 1,01-03-2016 08:00,02-03-2016 08:00,?,?,?,2 - High,Group 1,Resolver 2,?,?\n",
        encoding="latin-1",
    )
    ticket = replay(path).tickets[0]
    sla = ticket.slas[0]
    assert (sla.breached, sla.goal_s, sla.elapsed_s) == (True, 4 * 3600, 24 * 3600)
    assert ticket.priority == 3
    assert last(ticket, "priority") == 2
    assert ticket.location is None
    assert last(ticket, "assignee") == "resolver-2"


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("INC1,Lost,0,0,TRUE,C,01-03-2016 08:00,01-03-2016 08:05,?,?,?,3 - Moderate,?,?,?,?\n", "incident_state"),
        ("INC1,New,0,0,TRUE,C,01-03-2016 08:00,2016-03-01 08:05,?,?,?,3 - Moderate,?,?,?,?\n", "sys_updated_at"),
        ("INC1,New,0,0,TRUE,C,01-03-2016 08:00,01-03-2016 08:05,?,?,?,Moderate,?,?,?,?\n", "priority"),
    ],
)
def test_a_line_that_cannot_be_read_names_its_field(tmp_path: Path, line: str, field: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(HEADER + line, encoding="latin-1")
    with pytest.raises(InputError, match=field):
        replay(path)


def test_another_csv_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="columns number"):
        replay(path)
    with pytest.raises(InputError, match="cannot be read"):
        replay(tmp_path / "none.csv")


@needs_log
def test_at_every_moment_the_platform_shows_what_the_log_knew_by_then() -> None:
    """Final values that stand in an incident's first line are served when its own update reaches them, not before."""
    lines: dict[str, list[tuple[datetime, dict[str, str]]]] = defaultdict(list)
    with LOG.open(encoding="latin-1", newline="") as file:
        for line in csv.DictReader(file):
            at = datetime.strptime(line["sys_updated_at"], "%d-%m-%Y %H:%M").replace(tzinfo=UTC)
            lines[line["number"]].append((at, line))
    for updates in lines.values():
        updates.sort(key=lambda update: update[0])  # stable: of one minute's updates the last counts
    moments = [datetime(2016, 2, 29, hour, 7, tzinfo=UTC) for hour in (3, 9, 12, 15)]
    moments += [datetime(2016, 3, day, 13, 1, tzinfo=UTC) for day in (1, 2, 5, 9, 20, 31)]
    moments.append(datetime(2017, 3, 1, tzinfo=UTC))
    with running_sandbox(platforms=("servicenow",), replay=LOG, now=moments[0]) as sandbox:
        for now in moments:
            sandbox.set_clock(now)
            served = {row["number"]: row for row in served_incidents(sandbox.servicenow_url)}
            known = {
                number: [line for at, line in updates if at <= now][-1]
                for number, updates in lines.items()
                if updates[0][0] <= now
            }
            assert served.keys() == known.keys()
            stamp = now.strftime("%Y-%m-%d %H:%M:%S")
            for number, row in served.items():
                assert row["resolved_at"] <= stamp
                assert row["closed_at"] <= stamp
                is_over = known[number]["incident_state"] in ("Resolved", "Closed")
                assert bool(row["closed_at"]) == (known[number]["incident_state"] == "Closed"), number
                assert is_over or not row["resolved_at"], number
                assert int(row["reopen_count"]) == int(known[number]["reopen_count"]), number


def served_incidents(url: str) -> list[dict[str, str]]:
    params = {"sysparm_fields": "number,resolved_at,closed_at,reopen_count", "sysparm_limit": "2000"}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(f"{url}/api/now/table/incident", params=params, auth=("admin", "sandbox"), timeout=60)
    rows: list[dict[str, str]] = answer.json()["result"]
    return rows
