"""A clock that goes wrong is told in words a person measures time in; a sandbox's stands where it was put."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.clocks import beside_ours

OURS = datetime(2026, 3, 2, 6, tzinfo=UTC)
REAL, SANDBOX = "https://acme.atlassian.net", "http://127.0.0.1:8602"


@pytest.mark.parametrize(
    ("skew", "said"),
    [
        (timedelta(seconds=-73_545_893), "851 days behind ours"),
        (timedelta(days=1_200), "1,200 days ahead of ours"),
        (timedelta(hours=-5), "5 hours behind ours"),
        (timedelta(minutes=3), "3 minutes ahead of ours"),
    ],
)
def test_a_clock_that_is_wrong_fails_and_says_by_how_much(skew: timedelta, said: str) -> None:
    found = beside_ours(OURS + skew, OURS, address=REAL, most_s=120)
    assert (found.is_ok, found.detail) == (False, said)
    assert "Set the clocks right" in found.mend


def test_a_clock_that_is_nearly_right_is_well() -> None:
    found = beside_ours(OURS - timedelta(seconds=40), OURS, address=REAL, most_s=120)
    assert (found.is_ok, found.detail, found.mend) == (True, "40 s behind ours", "")


@pytest.mark.parametrize("address", [SANDBOX, "http://localhost:8602", "http://[::1]:8602"])
def test_on_this_machine_it_is_a_sandbox_whose_clock_stands_where_it_was_put(address: str) -> None:
    found = beside_ours(OURS - timedelta(days=851), OURS, address=address, most_s=120)
    assert found.is_ok
    assert found.detail.startswith("851 days behind ours; ")
    assert "`regelkreis sandbox --now`" in found.detail
    assert "--as-of" in found.detail
