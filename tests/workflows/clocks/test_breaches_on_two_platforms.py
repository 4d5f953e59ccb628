"""Breaches accounted for against two platforms over HTTP: dispositions, whose minutes, targets in force."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from connectors.base import Connector
from connectors.config import ConnectionConfig
from connectors.registry import connector
from connectors.sandbox.testing import RunningSandbox
from improvement.dispositions import Disposition
from improvement.minutes import Party
from improvement.periods import Period
from tests.workflows.small_worlds import two_small_platforms
from workflows import access, cycle
from workflows.clocks import attribution, dispositions, minutes
from workflows.models import Connection
from workflows.rules import targets_in_force as targets

pytestmark = pytest.mark.django_db
PLATFORMS = {
    "acme": ("servicenow", "servicenow", "regelkreis"),
    "desk": ("jira", "jira_cloud", "regelkreis@example.com"),
}


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with two_small_platforms(every=3) as running:
        yield running


def opened(sandbox: RunningSandbox, name: str) -> Connector:
    platform, flavour, user = PLATFORMS[name]
    url = sandbox.urls[flavour]  # type: ignore[index]
    raw = {"name": name, "platform": platform, "url": url, "user": user, "password": "sandbox"}
    return connector(ConnectionConfig.model_validate(raw))


@pytest.fixture
def now(home: Path, sandbox: RunningSandbox) -> datetime:
    """The moment of a cycle that pulled both."""
    moment = sandbox.clock()
    for name, (platform, _, user) in PLATFORMS.items():
        Connection.objects.create(name=name, platform=platform, integration_account=user)
        one = opened(sandbox, name)
        assert cycle.run_with([one], as_of=moment).errors == []
        one.close()
    return moment


def a_year_to(now: datetime) -> Period:
    return Period((now - timedelta(days=365)).date(), (now - timedelta(days=1)).date())


def test_both_platforms_count_what_is_here_until_one_rewrites_its_clocks(
    now: datetime, sandbox: RunningSandbox
) -> None:
    ask = dispositions.platform_count(lambda name: opened(sandbox, name))
    report = dispositions.report(a_year_to(now), as_of=now, ask=ask)
    assert [gap for part in report.parts for gap in part.gaps] == []
    acme, desk = report.parts
    assert (acme.population.basis, desk.population.basis) == ("rows", "tickets")
    assert acme.platform == sum(acme.counts.values()) > 50
    assert desk.platform == len({one.clock.ticket_id for one in desk.disposed}) > 20
    assert acme.counts[Disposition.SUPPLIER] > 0  # clocks of agreements with suppliers
    sandbox.happen("servicenow", "sla_repair", count=400, fewer=True, audited=False)
    again = dispositions.report(a_year_to(now), as_of=now, ask=ask)
    assert not again.adds_up
    assert "pull acme --reconcile" in again.parts[0].gaps[0]


def test_whose_minutes_is_told_as_far_as_the_platforms_tell_when_tickets_waited(
    now: datetime, sandbox: RunningSandbox
) -> None:
    tell = dispositions.waits_told(lambda name: opened(sandbox, name))
    told = minutes.report(a_year_to(now), as_of=now, tell=tell).totals
    for total in told.values():
        assert sum(total.by_party.values()) == total.overrun_s > 0
    acme, desk = told["acme"], told["desk"]
    assert acme.by_supplier  # underpinning contracts have clocks of their own there
    # Clocks stood still while a ticket was on hold, by the minute: what was late is the own organisation's.
    assert acme.untold == desk.untold == ""
    assert acme.by_party[Party.OWN] > 0.9 * acme.overrun_s > 0 == acme.by_party[Party.UNATTRIBUTED]
    assert desk.by_party[Party.OWN] > 0.9 * desk.overrun_s
    sandbox.set_options("servicenow", denied={"regelkreis": ("sys_audit",)})
    unread = minutes.report(a_year_to(now), as_of=now, tell=tell).totals["acme"]
    assert "sys_audit" in unread.untold
    assert unread.by_party[Party.OWN] == 0 < unread.by_party[Party.UNATTRIBUTED]
    offline = minutes.report(a_year_to(now), as_of=now).totals["desk"]
    assert offline.untold == "the platform was not asked"
    assert offline.by_party[Party.OWN] < 0.2 * desk.by_party[Party.OWN]  # what internal agreements tell, no more
    attribution.name_customer_waits(access.local_admin(), "desk", ["Pending"], at=now)
    named = minutes.report(a_year_to(now), as_of=now, tell=tell).totals["desk"]
    assert named.by_party == desk.by_party  # waiting off the clock is nobody's overrun


def test_everybody_on_both_platforms_has_a_target_or_is_listed(now: datetime) -> None:
    report = targets.report(now.date(), as_of=now)
    assert {one.connection for one in report.applied} == set(PLATFORMS)
    held = {(one.connection, one.target.scope.get("customer")) for one in report.applied}
    listed = {(gap.connection, gap.value) for gap in report.gaps if gap.dimension == "customer"}
    assert held - {(name, "(none)") for name in PLATFORMS} <= listed  # no override names any: only a general one
    suppliers = [gap for gap in report.without if gap.dimension == "supplier"]
    assert {gap.connection for gap in suppliers} >= {"acme"}  # the rule groups by no supplier
