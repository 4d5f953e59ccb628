"""Whose minutes: every second of an overrun has one party, and none is guessed."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improvement.errors import InputError
from improvement.minutes import ORDERED, Known, Order, Party, attribute, order_of, overrun_s

HOUR = 3600
SECONDS = st.integers(0, 10**8)
KNOWN = st.builds(
    Known,
    waited_s=st.none() | SECONDS,
    suppliers=st.dictionaries(st.sampled_from(["Nordlicht", "Kabelwerk", "Wolke"]), SECONDS),
    internal_s=SECONDS,
)
ORDERS = st.sampled_from([Order(parties) for parties in permutations(sorted(ORDERED))])


@given(SECONDS, KNOWN, ORDERS)
def test_the_parts_sum_to_the_overrun_whatever_is_known_and_in_any_order(
    overrun: int, known: Known, order: Order
) -> None:
    minutes = attribute(overrun, known, order)
    assert sum(share.seconds for share in minutes.shares) == overrun
    assert all(share.seconds > 0 for share in minutes.shares)
    assert sum(minutes.of(party) for party in Party) == overrun


@given(SECONDS, KNOWN, ORDERS)
def test_nobody_gets_more_than_records_tell_of_them(overrun: int, known: Known, order: Order) -> None:
    minutes = attribute(overrun, known, order)
    assert minutes.of(Party.CUSTOMER_WAIT) <= (known.waited_s or 0)
    assert all(seconds <= known.suppliers[who] for who, seconds in minutes.suppliers.items())
    if known.waited_s is None:
        assert minutes.of(Party.OWN) <= known.internal_s
    else:
        assert minutes.of(Party.UNATTRIBUTED) == 0


def test_a_supplier_takes_what_it_was_late_and_the_rest_stays_open() -> None:
    minutes = attribute(5 * HOUR, Known(suppliers={"Nordlicht": 2 * HOUR}), Order())
    assert minutes.suppliers == {"Nordlicht": 2 * HOUR}
    assert (minutes.of(Party.OWN), minutes.of(Party.UNATTRIBUTED)) == (0, 3 * HOUR)


def test_where_waiting_is_known_the_rest_is_our_own() -> None:
    minutes = attribute(5 * HOUR, Known(waited_s=HOUR, suppliers={"Nordlicht": 2 * HOUR}), Order())
    assert [minutes.of(party) for party in Party] == [HOUR, 2 * HOUR, 2 * HOUR, 0]


def test_the_order_decides_who_takes_what_two_claim() -> None:
    known = Known(waited_s=4 * HOUR, suppliers={"Nordlicht": 4 * HOUR})
    usual = attribute(5 * HOUR, known, Order())
    other = attribute(5 * HOUR, known, Order(order_of("supplier, customer_wait, own"), 1))
    assert (usual.of(Party.CUSTOMER_WAIT), usual.of(Party.SUPPLIER)) == (4 * HOUR, HOUR)
    assert (other.of(Party.CUSTOMER_WAIT), other.of(Party.SUPPLIER)) == (HOUR, 4 * HOUR)


def test_of_two_suppliers_the_one_that_was_later_is_first() -> None:
    minutes = attribute(3 * HOUR, Known(suppliers={"Aare": HOUR, "Nordlicht": 2 * HOUR + 60}), Order())
    assert minutes.suppliers == {"Nordlicht": 2 * HOUR + 60, "Aare": HOUR - 60}
    assert minutes.mostly(Party.SUPPLIER)


def test_a_breach_by_rounding_has_no_overrun_and_an_unknown_clock_has_none_to_tell() -> None:
    assert overrun_s(elapsed_s=35_999, goal_s=36_000) == 0
    assert overrun_s(None, 36_000) is None
    assert overrun_s(36_000, None) is None


@pytest.mark.parametrize("text", ["own", "own,own,supplier", "customer,supplier,own", "unattributed,supplier,own", ""])
def test_an_order_names_every_party_once(text: str) -> None:
    with pytest.raises(InputError):
        order_of(text)
