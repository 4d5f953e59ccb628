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
from improvement.periods import Period, period, quarter_of
from tests.workflows.small_worlds import two_small_platforms
from workflows import access, cycle
from workflows.clocks import attribution, dispositions, minutes, quarters
from workflows.models import Connection, KeptFigures
from workflows.rules import kept_targets
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


def test_what_the_page_shows_of_a_quarter_adds_up_and_is_counted_once_a_day(
    now: datetime, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispositions, "configured", lambda name: opened(sandbox, name))
    quarters.keep_current(as_of=now)
    this = quarter_of(now.date())
    before = quarters.quarter_before(this)
    assert set(KeptFigures.objects.values_list("name", flat=True)) == {f"account/{this}", f"account/{before}"}
    running = dispositions.report(
        period(this), as_of=now, ask=dispositions.platform_count(lambda name: opened(sandbox, name))
    )
    assert [gap for part in running.parts for gap in part.gaps] == []  # its clocks that still run are no breaches yet
    document = KeptFigures.objects.get(pk=f"account/{before}").document
    whole = dispositions.report(period(before), as_of=now).parts
    told = minutes.report(
        period(before), as_of=now, tell=dispositions.waits_told(lambda name: opened(sandbox, name))
    ).totals
    for part, kept in zip(whole, document["connections"], strict=True):
        rows = kept["rows"]
        assert sum(sum(row["dispositions"].values()) for row in rows) == kept["population"] == len(part.disposed) > 0
        assert kept["platform"] == kept["here"]
        total = told[part.name]
        assert sum(row["overrun_s"] for row in rows) == total.overrun_s > 0
        for party in Party:
            assert sum(row["parties"].get(party.value, 0) for row in rows) == total.by_party[party]
    quarters.keep_current(as_of=now + timedelta(hours=1))
    assert set(KeptFigures.objects.values_list("as_of", flat=True)) == {now}
    quarters.keep_current(as_of=now + timedelta(days=1))
    newest = KeptFigures.objects.order_by("-as_of")[0]
    assert (newest.name, newest.as_of) == (f"account/{this}", now + timedelta(days=1))


def test_a_platform_whose_pull_failed_is_not_asked_once_more(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispositions, "configured", lambda name: pytest.fail(f"{name} was asked"))
    Connection.objects.update(last_error="no answer")
    quarters.keep_current(as_of=now)
    kept = KeptFigures.objects.get(pk=f"account/{quarter_of(now.date())}").document["connections"][0]
    assert kept["platform"] is None
    assert "its last pull failed" in kept["waiting_untold"]
    assert "its last pull failed" in kept["gaps"][0]


def test_targets_are_kept_for_the_page_as_rules_write_them(now: datetime) -> None:
    kept_targets.keep(as_of=now)
    document = KeptFigures.objects.get(pk="targets").document
    assert len(document["targets"]) == len(targets.report(now.date(), as_of=now).applied) > 0
    assert {tuple(one["part"]) for one in document["targets"]} <= {("max",), ("min",), ("worse_than_own",)}


def test_a_cycle_for_the_past_leaves_newer_targets_alone(now: datetime) -> None:
    kept_targets.keep(as_of=now)
    kept_targets.keep(as_of=now - timedelta(days=7))
    assert KeptFigures.objects.get(pk="targets").as_of == now


def test_a_quarter_that_does_not_add_up_is_never_settled(now: datetime) -> None:
    quarters.keep_current(as_of=now)
    ended = KeptFigures.objects.get(pk=f"account/{quarters.quarter_before(quarter_of(now.date()))}")
    late = period(ended.name.removeprefix(quarters.PREFIX)).last + timedelta(weeks=5)
    ended.as_of = now.replace(year=late.year, month=late.month, day=late.day)
    for one in ended.document["connections"]:
        one["gaps"] = []
    much_later = ended.as_of + timedelta(days=3)
    assert not quarters.is_due(ended, much_later)
    ended.document["connections"][0]["gaps"] = ["the platform was not asked"]
    assert quarters.is_due(ended, much_later)


def test_everybody_on_both_platforms_has_a_target_or_is_listed(now: datetime) -> None:
    report = targets.report(now.date(), as_of=now)
    assert {one.connection for one in report.applied} == set(PLATFORMS)
    held = {(one.connection, one.target.scope.get("customer")) for one in report.applied}
    listed = {(gap.connection, gap.value) for gap in report.gaps if gap.dimension == "customer"}
    assert held - {(name, "(none)") for name in PLATFORMS} <= listed  # no override names any: only a general one
    suppliers = [gap for gap in report.without if gap.dimension == "supplier"]
    assert {gap.connection for gap in suppliers} >= {"acme"}  # the rule groups by no supplier
