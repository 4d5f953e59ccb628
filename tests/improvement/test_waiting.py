"""How long a clock ran while the customer was waited for: told only where there is no doubt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from improvement.waiting import Span, waited_s

BEGIN = datetime(2026, 2, 2, 8, tzinfo=UTC)
HOUR = 3600


def at(hours: float) -> datetime:
    return BEGIN + timedelta(hours=hours)


def a_span(first: float, last: float | None, is_customer: bool | None = True) -> Span:
    return Span(at(first), at(last) if last is not None else None, is_customer)


def test_a_ticket_that_never_waited_for_the_customer_waited_no_second() -> None:
    assert waited_s(BEGIN, at(10), 4 * HOUR, []) == 0
    assert waited_s(BEGIN, at(10), 4 * HOUR, [a_span(2, 5, is_customer=False)]) == 0
    assert waited_s(BEGIN, None, 4 * HOUR, [a_span(2, 5, is_customer=False)]) == 0
    assert waited_s(at(3), at(10), 4 * HOUR, [a_span(1, 3), a_span(10, 12)]) == 0  # before and after the clock


def test_a_clock_that_stood_still_on_hold_has_no_waiting_on_it() -> None:
    assert waited_s(BEGIN, at(10), 7 * HOUR + 20, [a_span(2, 5)]) == 0
    assert waited_s(BEGIN, at(10), 6 * HOUR, [a_span(2, 5), a_span(6, 7, is_customer=None)]) == 0
    assert waited_s(BEGIN, at(10), 7 * HOUR, [a_span(2, 5), a_span(6, 7, is_customer=False)]) == 0


def test_a_clock_that_never_stood_still_ran_through_all_waiting() -> None:
    assert waited_s(BEGIN, at(10), 10 * HOUR, [a_span(2, 5), a_span(6, 7, is_customer=False)]) == 3 * HOUR
    assert waited_s(BEGIN, at(10), 10 * HOUR, [a_span(8, None)]) == 2 * HOUR


def test_in_doubt_nobody_can_tell() -> None:
    assert waited_s(BEGIN, at(30), 8 * HOUR, [a_span(2, 5)]) is None  # business hours
    assert waited_s(BEGIN, at(10), 10 * HOUR, [a_span(2, 5, is_customer=None)]) is None  # nobody said what it means
    assert waited_s(BEGIN, None, 10 * HOUR, [a_span(2, 5)]) is None  # it still runs


@given(
    st.floats(0.1, 100),
    st.integers(0, 400_000),
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100), st.sampled_from([True, False, None])), max_size=4),
)
def test_it_is_never_more_than_the_time_on_hold(
    ended: float, elapsed: int, drawn: list[tuple[float, float, bool | None]]
) -> None:
    edges = sorted(value for first, last, _ in drawn for value in (first, last))
    spans = [a_span(edges[2 * n], edges[2 * n + 1], one[2]) for n, one in enumerate(drawn)]
    found = waited_s(BEGIN, at(ended), elapsed, spans)
    held = sum((span.end - span.begin).total_seconds() for span in spans if span.end and span.is_customer)
    assert found is None or 0 <= found <= held + 1
