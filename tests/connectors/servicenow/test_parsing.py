"""Texts as the platform stores them, columns as we keep them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.servicenow.parsing import parsed
from improvement.records import SCHEMAS, UTC_MICROSECONDS, RecordKind

AT = pa.field("opened_at", UTC_MICROSECONDS)
GOAL = pa.field("goal_s", pa.int64())
COUNT = pa.field("reopen_count", pa.int64())
SCORE = pa.field("score", pa.float64())
FLAG = pa.field("is_breached", pa.bool_())


def values(texts: list[str | None], wanted: pa.Field) -> tuple[list[object], list[int]]:
    column, unread = parsed(pa.array(texts, pa.string()), wanted)
    assert column.type == wanted.type
    return column.to_pylist(), [] if unread is None else [i for i, bad in enumerate(unread.to_pylist()) if bad]


@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2199, 1, 1)).map(lambda at: at.replace(microsecond=0))))
def test_every_stored_time_is_read_as_utc(times: list[datetime]) -> None:
    found, bad = values([f"{at:%Y-%m-%d %H:%M:%S}".rjust(19, "0") for at in times], AT)
    assert found == [at.replace(tzinfo=UTC) for at in times]
    assert bad == []


@given(st.integers(min_value=0, max_value=400 * 86_400))
def test_a_duration_counts_from_the_epoch_and_may_run_past_a_year(seconds: int) -> None:
    text = f"{datetime(1970, 1, 1) + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}"
    assert values([text], GOAL) == ([seconds], [])


@pytest.mark.parametrize(
    ("texts", "wanted", "good", "bad"),
    [
        (["2025-06-02 10:00:00", "soon", "", "2025-13-02 10:00:00"], AT, [True, False, False, False], [1, 3]),
        (["2025-06-02", None], AT, [True, False], []),
        (["3", "three", ""], COUNT, [True, False, False], [1]),
        (["4.5", "-1", "n/a", "1e2"], SCORE, [True, True, False, True], [2]),
        (["true", "0", "maybe", ""], FLAG, [True, True, False, False], [2]),
        (["1970-01-01 04:00:00", "4 hours"], GOAL, [True, False], [1]),
    ],
)
def test_one_bad_value_costs_one_row(
    texts: list[str | None], wanted: pa.Field, good: list[bool], bad: list[int]
) -> None:
    found, unread = values(texts, wanted)
    assert [value is not None for value in found] == good
    assert unread == bad


def test_text_stays_text_and_empty_is_unknown() -> None:
    title = SCHEMAS[RecordKind.TICKET].field("title")
    assert values(["=SUM(A1)", "", "<b>שלום</b> 🙂"], title) == (["=SUM(A1)", None, "<b>שלום</b> 🙂"], [])
