"""Every breached clock has exactly one disposition: the first that fits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from improvement.dispositions import BreachedClock, Disposition, RuleSays, counted, dispose
from improvement.minutes import Known, Order, attribute

NOW = datetime(2026, 4, 1, tzinfo=UTC)
START = datetime(2026, 2, 2, 8, tzinfo=UTC)
HOUR = 3600


def a_clock(**changes: Any) -> BreachedClock:
    fields: dict[str, Any] = {
        "connection": "snow",
        "id": "c1",
        "ticket_id": "t1",
        "number": "INC1",
        "sla_id": "P2",
        "sla_name": "P2 resolution",
        "agreement": "sla",
        "target": "resolution",
        "supplier": "",
        "stage": "completed",
        "n": 1,
        "ticket": "read",
        "start_at": START,
        "decided_at": START + timedelta(hours=8),
        "week": 2927,
        "minutes": attribute(2 * HOUR, Known(), Order()),
        **changes,
    }
    return BreachedClock(**fields)


def disposed(clock: BreachedClock, *says: RuleSays) -> tuple[Disposition, str]:
    (one,) = dispose([clock], lambda _: says, as_of=NOW)
    return one.disposition, one.detail


FIRED = RuleSays("sla", finding="sla [country=CH] ACT-1", judged=3)


def test_a_cancelled_clock_and_one_of_a_lost_ticket_are_excluded_with_the_reason() -> None:
    assert disposed(a_clock(stage="cancelled"), FIRED) == (Disposition.EXCLUDED, "the clock was cancelled")
    assert disposed(a_clock(ticket="gone"), FIRED) == (Disposition.EXCLUDED, "its ticket is gone from the platform")
    assert disposed(a_clock(ticket="unread"), FIRED)[0] is Disposition.EXCLUDED
    assert disposed(a_clock(week=None, decided_at=None), FIRED)[0] is Disposition.EXCLUDED
    assert disposed(a_clock(decided_at=NOW + timedelta(days=1)))[1] == "it was breached only later"


def test_the_second_clock_of_the_same_start_is_a_duplicate_of_the_first() -> None:
    found = dispose([a_clock(id="c2", n=2), a_clock(), a_clock(id="c0", n=-1, stage="cancelled")], lambda _: (FIRED,),
                    as_of=NOW)  # fmt: skip
    assert {one.clock.id: (one.disposition, one.detail) for one in found} == {
        "c0": (Disposition.EXCLUDED, "the clock was cancelled"),
        "c1": (Disposition.COVERED, "sla [country=CH] ACT-1"),
        "c2": (Disposition.DUPLICATE, "of c1"),
    }


def test_a_finding_covers_also_what_a_supplier_took() -> None:
    late = attribute(2 * HOUR, Known(suppliers={"Nordlicht": 2 * HOUR}), Order())
    assert disposed(a_clock(minutes=late), FIRED) == (Disposition.COVERED, "sla [country=CH] ACT-1")
    assert disposed(a_clock(minutes=late), RuleSays("sla", judged=3)) == (Disposition.SUPPLIER, "Nordlicht")


def test_a_suppliers_own_clock_is_the_suppliers() -> None:
    assert disposed(a_clock(agreement="uc", supplier="Nordlicht")) == (Disposition.SUPPLIER, "Nordlicht")
    assert disposed(a_clock(agreement="ola"))[0] is Disposition.NO_RULE


def test_half_of_the_overrun_is_not_more_than_half() -> None:
    half = attribute(2 * HOUR, Known(waited_s=HOUR), Order())
    more = attribute(2 * HOUR, Known(waited_s=HOUR + 1), Order())
    assert disposed(a_clock(minutes=half))[0] is Disposition.NO_RULE
    assert disposed(a_clock(minutes=more))[0] is Disposition.CUSTOMER_WAIT


def test_what_rules_looked_at_without_firing_is_too_few_or_below() -> None:
    few, below, unseen = RuleSays("few", silent=4), RuleSays("kept", judged=1, silent=3), RuleSays("new")
    assert disposed(a_clock(), few, unseen) == (Disposition.TOO_FEW_SAMPLES, "few")
    assert disposed(a_clock(), few, below) == (Disposition.BELOW_THRESHOLD, "kept")
    assert disposed(a_clock(), unseen) == (Disposition.NO_RULE, "no value published for its week by new")
    assert disposed(a_clock()) == (Disposition.NO_RULE, "no rule counts it (sla, resolution)")


CLOCKS = st.lists(
    st.builds(
        a_clock,
        id=st.text("abc", min_size=1, max_size=3),
        ticket_id=st.sampled_from(["t1", "t2"]),
        stage=st.sampled_from(["completed", "cancelled", "in_progress"]),
        n=st.integers(-2, 3),
        ticket=st.sampled_from(["read", "gone", "unread"]),
        start_at=st.sampled_from([None, START, START + timedelta(hours=1)]),
        week=st.sampled_from([None, 2927]),
        agreement=st.sampled_from(["sla", "ola", "uc"]),
        supplier=st.sampled_from(["", "Nordlicht"]),
        minutes=st.none() | st.just(attribute(2 * HOUR, Known(waited_s=2 * HOUR), Order())),
    ),
    max_size=12,
)
SAYS = st.lists(
    st.builds(
        RuleSays,
        st.sampled_from(["a", "b"]),
        finding=st.sampled_from(["", "a [x]"]),
        judged=st.integers(0, 2),
        silent=st.integers(0, 2),
    ),
    max_size=3,
)


@given(CLOCKS, SAYS)
def test_they_sum_to_the_population_whatever_it_is(clocks: list[BreachedClock], says: list[RuleSays]) -> None:
    found = dispose(clocks, lambda _: tuple(says), as_of=NOW)
    assert sum(counted(found).values()) == len(clocks)
    assert sorted(one.clock.id for one in found) == sorted(clock.id for clock in clocks)
    assert all(one.detail for one in found)
