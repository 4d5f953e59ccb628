"""The mood: parts nobody recorded are missing, never good; weights are the organisation's own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from improvement import weeks
from improvement.errors import InputError
from improvement.metrics import CellQuery, MetricOptions
from tests.improvement.metrics.build import LATER, a_contact, a_query, a_survey, a_ticket, a_warehouse, at

WEEK = weeks.parse_label("2026-W10")
SPAN = {"as_of": LATER, "first_week": WEEK, "last_week": WEEK}
QUERY = a_query("mood_index")


def unhappy(count: int = 5, score: float = 1.0) -> list[msgspec.Struct]:
    """A customer with tickets, some of them closed, and answers two days after each survey."""
    sent = at("2026-02-24")
    surveys = [
        a_survey(f"s{number}", score=score, sent_at=sent, answered_at=sent + timedelta(days=2))
        for number in range(count)
    ]
    return [a_ticket("t1"), a_ticket("2", resolved_at=at("2026-03-04"), state="closed"), *surveys]


def mood_of(folder: Path, *records: msgspec.Struct, query: CellQuery = QUERY) -> float | None:
    with a_warehouse(folder, *records) as warehouse:
        cells = warehouse.cells(query, **SPAN).to_pylist()  # type: ignore[arg-type]
    return cells[0]["numerator"] / cells[0]["denominator"] if cells else None


def parts_of(folder: Path, *records: msgspec.Struct) -> dict[str, tuple[float | None, float | None]]:
    with a_warehouse(folder, *records) as warehouse:
        rows = warehouse.contributing(QUERY, scope={"customer": "Acme"}, **SPAN).to_pylist()  # type: ignore[arg-type]
    return {row["id"]: (row["numerator"], row["denominator"]) for row in rows}


def test_missing_parts_are_listed_as_missing(tmp_path: Path) -> None:
    parts = parts_of(tmp_path, *unhappy())
    assert {name for name, part in parts.items() if part == (None, None)} == {"nps", "complaints", "escalations"}
    assert parts["csat"] == (0.0, 30.0)
    assert parts["response_rate"] == (1000.0, 10.0)
    assert parts["reopened"] == (1000.0, 10.0)


def test_a_missing_part_neither_helps_nor_harms(tmp_path: Path) -> None:
    known = mood_of(tmp_path, *unhappy())
    assert known == pytest.approx((0 * 30 + 100 * 10 + 100 * 15 + 100 * 10) / 65)


def test_where_too_little_is_known_there_is_no_mood(tmp_path: Path) -> None:
    quiet = [a_ticket("t1"), a_ticket("2", resolved_at=at("2026-03-04"), state="closed"), a_contact()]
    assert mood_of(tmp_path, *quiet) is None
    parts = parts_of(tmp_path / "parts", *quiet)
    assert parts["reopened"] == (1000.0, 10.0)  # yet what is known is told


def test_a_few_answers_are_no_part_because_they_could_be_one_persons(tmp_path: Path) -> None:
    parts = parts_of(tmp_path, *unhappy(count=4))
    assert parts["csat"] == (None, None)
    assert parts["response_rate"] == (None, None)


def test_complaints_and_escalations_lower_the_mood_once_they_are_recorded(tmp_path: Path) -> None:
    said = [a_contact("a", kind="complaint"), a_contact("b", kind="escalation", customer="Bolt", at=at("2025-12-01"))]
    parts = parts_of(tmp_path, *unhappy(), *said)
    assert parts["complaints"] == (None, None)  # made on 3 March, when Acme's only tickets of these weeks were opened …
    later = a_ticket("late", opened_at=at("2026-03-06"))
    parts = parts_of(tmp_path / "later", *unhappy(), *said, later)
    assert parts["complaints"] == (0.0, 10.0)  # … so that nothing was there to compare it with before this one
    assert parts["escalations"] == (1000.0, 10.0)  # recorded on this connection, and none of Acme's


def test_parts_look_back_four_weeks(tmp_path: Path) -> None:
    ago = at("2026-02-05")  # five weeks before the end of W10
    old = [a_survey(f"s{number}", score=1.0, sent_at=ago, answered_at=ago + timedelta(days=2)) for number in range(9)]
    parts = parts_of(tmp_path, a_ticket("t1"), *old)
    assert parts["csat"] == (None, None)
    assert parts["contact_gap"] == (pytest.approx((90 - 29) / 76 * 1500), 15.0)


def test_a_reopened_share_beyond_the_worst_value_scores_nothing(tmp_path: Path) -> None:
    fields = {"resolved_at": at("2026-03-04"), "state": "closed"}
    parts = parts_of(tmp_path, a_ticket("1", reopen_count=1, **fields), a_ticket("2", **fields))
    assert parts["reopened"] == (0.0, 10.0)


def test_weights_are_chosen_and_zero_leaves_a_part_out(tmp_path: Path) -> None:
    options = MetricOptions().with_mood_weights(
        {"nps": 0, "complaints": 0, "escalations": 0, "response_rate": 0, "csat": 10}
    )
    mood = mood_of(tmp_path, *unhappy(), query=replace(QUERY, options=options))
    assert mood == pytest.approx((0 * 10 + 100 * 15 + 100 * 10) / 35)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"smile": 1}, "no part “smile”"),
        ({"csat": -1}, "is no weight of “csat”"),
        (dict.fromkeys([part.name for part in MetricOptions().mood], 0), "No part of the mood has a weight"),
    ],
)
def test_weights_that_make_no_sense_are_refused(weights: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        MetricOptions().with_mood_weights(weights)
