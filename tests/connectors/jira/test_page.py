"""A page is decoded once, as whoever searches wants it, and tells how far all was delivered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.jira.page import HEADS, UNREADABLE, Seen, page_decoder, reached
from connectors.jira.wire import issue_type

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DECODER = page_decoder(issue_type([("updated", str), ("summary", str)], None))


def a_page(*summaries: Any, **beside: Any) -> bytes:
    issues = [
        {"id": str(number), "key": f"OPS-{number}", "fields": {"updated": NOON.isoformat(), "summary": summary}}
        for number, summary in enumerate(summaries)
    ]
    return msgspec.json.encode({"issues": issues, **beside})


def test_a_page_of_readable_issues_is_delivered_as_decoded_and_tells_how_it_goes_on() -> None:
    seen = Seen.of(a_page("Mail", "Print", nextPageToken="t1", isLast=False, total=7), DECODER)
    assert (seen.page.next_page_token, seen.page.is_last, seen.page.total, seen.page.error) == ("t1", False, 7, None)
    delivered = seen.delivered(None)
    assert [(issue.id, issue.fields.summary) for issue in delivered.issues] == [("0", "Mail"), ("1", "Print")]
    assert (delivered.reached, delivered.undecoded) == (NOON, None)


def test_a_page_with_an_issue_of_another_shape_is_handed_on_undecoded_and_goes_on_all_the_same() -> None:
    body = a_page("Mail", 7, nextPageToken="t1")
    seen = Seen.of(body, DECODER)
    assert seen.page.next_page_token == "t1"
    delivered = seen.delivered(None)
    assert [issue.id for issue in delivered.issues] == ["0", "1"]
    assert (delivered.reached, delivered.undecoded) == (NOON, body)


@pytest.mark.parametrize(
    "body",
    [a_page("Mail")[:-1], b"<html>", b'{"issues":[{"id":"1","key":"OPS-1","fields":{}}]}'],
    ids=["cut", "no JSON", "an issue without its update time"],
)
def test_what_is_no_page_is_told(body: bytes) -> None:
    with pytest.raises(UNREADABLE):
        Seen.of(body, DECODER)
    with pytest.raises(UNREADABLE):
        Seen.of(body, HEADS)


# --- how far all was delivered ------------------------------------------------------------------------------------

moments = st.builds(
    lambda seconds, ms: NOON + timedelta(seconds=seconds, milliseconds=ms), st.integers(-120, 120), st.integers(0, 999)
)
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-3))])


def text(moment: datetime, zone: Any) -> str:
    """As Jira writes it."""
    return moment.astimezone(zone).strftime(f"%Y-%m-%dT%H:%M:%S.{moment.microsecond // 1000:03}%z")


@given(st.lists(moments, max_size=6), st.lists(zones, min_size=6, max_size=6) | zones, st.none() | moments)
def test_how_far_is_the_last_but_one_in_order_else_the_first_of_those_in_their_place(
    found: list[datetime], zone: Any, bound: datetime | None
) -> None:
    written = [text(at, zone[number] if isinstance(zone, list) else zone) for number, at in enumerate(found)]
    in_place = [at for at in found if bound is None or at < bound]
    expected = None
    if in_place:
        is_ordered = all(one.replace(microsecond=0) <= other for one, other in pairwise(in_place))
        expected = min(in_place[-2:] if is_ordered else in_place)
    assert reached(written, bound) == expected


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=2))], ids=str)
def test_issues_of_one_second_are_in_the_order_of_their_keys_whatever_their_milliseconds(zone: Any) -> None:
    """So a bulk edit does not look like issues in old places; one that is in one still does."""
    early, *edited = NOON, NOON + timedelta(seconds=5.9), NOON + timedelta(seconds=5.1), NOON + timedelta(seconds=5.5)
    later = NOON + timedelta(minutes=3)
    written = [text(at, zone) for at in (early, *edited, later)]
    assert reached(written, None) == edited[-1]
    assert reached([*written[1:], text(early, UTC)], None) == early
    assert reached(written[:3], None) == edited[1]


def test_times_written_in_one_way_are_compared_as_they_stand() -> None:
    """One that cannot be read costs its own row, where the rows are made; it does not stop the search."""
    odd = "2026-03-02T12:99:00.000+0000"
    later = [text(NOON + timedelta(hours=hours), UTC) for hours in (2, 3)]
    assert reached([text(NOON, UTC), odd, *later], None) == NOON + timedelta(hours=2)
