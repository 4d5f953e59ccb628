"""The worked example of every metric in the reference is what the warehouse computes from such records."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from improvement import weeks
from improvement.metrics import CATALOGUE
from improvement.rules import Cells
from tests.improvement.metrics.build import (
    LATER,
    a_clock,
    a_contact,
    a_query,
    a_survey,
    a_ticket,
    a_warehouse,
    an_outage,
    at,
)

WEEK = weeks.parse_label("2026-W10")  # Monday 2026-03-02 to Sunday 2026-03-08
MONDAYS = [at("2026-02-09") + timedelta(weeks=number) for number in range(4)]
Records = list[msgspec.Struct]


def opened(*counts: int, **fields: Any) -> Records:
    """So many tickets in each of the four weeks up to W10."""
    return [
        a_ticket(f"t{week}-{number}", opened_at=MONDAYS[week], **fields)
        for week, count in enumerate(counts)
        for number in range(count)
    ]


def resolved(total: int, events: int, **event: Any) -> Records:
    """Tickets resolved in W10, some of which something happened to."""
    fields = {"resolved_at": at("2026-03-05"), "state": "resolved"}
    return [a_ticket(str(number), **fields, **(event if number < events else {})) for number in range(total)]


def answers(*scores: float, kind: str = "csat") -> Records:
    scale = {"scale_min": 0.0, "scale_max": 10.0} if kind == "nps" else {}
    scored = enumerate(scores)
    return [a_ticket("t1"), *(a_survey(f"s{number}", kind=kind, score=score, **scale) for number, score in scored)]


def sent(total: int, answered: int, when: str) -> Records:
    """Surveys sent at a time, of which some were answered two days later with 4 of 5."""
    silent = {"score": None, "answered_at": None}
    ago = at(when)
    return [
        a_survey(
            f"s{number}",
            **{"sent_at": ago, "answered_at": ago + timedelta(days=2), **(silent if number >= answered else {})},
        )
        for number in range(total)
    ]


def still_open(*days: int, **fields: Any) -> Records:
    return [
        a_ticket(f"o{number}", opened_at=at("2026-03-08") - timedelta(days=age), **fields)
        for number, age in enumerate(days)
    ]


def hours(*spent: int) -> Records:
    begin = at("2026-03-02")
    done = [
        a_ticket(str(one), opened_at=begin, resolved_at=begin + timedelta(hours=one), state="closed") for one in spent
    ]
    return [*done, a_ticket("open", opened_at=begin)]


def clocks(total: int, breached: int) -> Records:
    rows = [a_clock(f"k{number}", sla_id=f"a{number}", is_breached=number < breached) for number in range(total)]
    return [a_ticket("t1"), *rows]


def responses(*seconds: int) -> Records:
    rows = [a_clock(f"k{one}", sla_id=f"a{one}", target="response", elapsed_s=one) for one in seconds]
    return [a_ticket("t1"), *rows]


def changes(total: int, failed: int) -> Records:
    fields = {"kind": "change", "state": "closed", "closed_at": at("2026-03-06")}
    return [a_ticket(str(number), is_successful=number >= failed, **fields) for number in range(total)]


def repeats() -> Records:
    """Forty incidents, each on a subject of its own but for six, which repeat one of the week before."""
    earlier = [a_ticket(f"e{number}", category=f"c{number}", opened_at=at("2026-02-28")) for number in range(6)]
    return [*earlier, *(a_ticket(f"n{number}", category=f"c{number}") for number in range(40))]


def gaps() -> Records:
    two = [a_ticket("1", opened_at=at("2025-12-01")), a_ticket("2", customer="Bolt", opened_at=at("2025-12-01"))]
    ago = [at("2026-03-08") - timedelta(days=days) for days in (10, 30)]
    return [*two, a_contact("a", at=ago[0]), a_contact("b", customer="Bolt", at=ago[1])]


def said(kind: str, *counts: int) -> Records:
    return [
        a_contact(f"{kind}{week}-{number}", kind=kind, at=MONDAYS[week] + timedelta(hours=9))
        for week, count in enumerate(counts)
        for number in range(count)
    ]


def outages() -> Records:
    begin = at("2026-03-03T10:00")
    first = an_outage("o1", begin_at=begin, end_at=begin + timedelta(minutes=60))
    return [first, an_outage("o2", begin_at=begin + timedelta(minutes=30), end_at=begin + timedelta(minutes=120))]


def moods() -> Records:
    return [
        a_ticket("t1", opened_at=at("2025-12-01")),
        *sent(25, 5, "2026-02-21"),  # answered on 23 February, 13 days before the end of W10
        *resolved(100, 3, reopen_count=1),
    ]


# metric → (records, weeks in the window, how the reference writes the value)
EXAMPLES: dict[str, tuple[Records, int, str]] = {
    "incident_count": (opened(40, 44, 38, 42), 4, "41 tickets a week"),
    "major_incident_count": ([*opened(1, is_major=True), *opened(0, 3)], 4, "0.25 a week"),
    "sla_breach_rate": (clocks(40, 8), 1, "20 %"),
    "time_to_respond": (responses(1800, 5400), 1, "1.0 h"),
    "time_to_resolve": (hours(4, 20), 1, "120 h"),
    "reopen_rate": (resolved(60, 3, reopen_count=1), 1, "5 %"),
    "reassignment_rate": (resolved(60, 18, reassignment_count=1), 1, "30 %"),
    "first_contact_resolution_rate": (resolved(60, 18, reassignment_count=2), 1, "70 %"),
    "repeat_incident_rate": (repeats(), 1, "15 %"),
    "backlog_open": ([*still_open(*range(16)), *resolved(104, 0)], 1, "16 open"),
    "backlog_age_p90": (still_open(1, 2, 3, 4, 30), 1, "19.6 days"),
    "change_failure_rate": (changes(16, 2), 1, "12.5 %"),
    "availability": (outages(), 1, "98.8 %"),
    "problem_age_p90": ([*still_open(10, 110, kind="problem"), a_ticket("other")], 1, "100 days"),
    "csat_mean": (answers(5, 4, 3), 1, "4.00 points"),
    "csat_low_share": (answers(5, 4, 4, 2), 1, "25 %"),
    "nps": (answers(10, 9, 8, 3, kind="nps"), 1, "0.25 points"),
    "survey_response_rate": ([a_ticket("t1"), *sent(80, 12, "2026-03-03")], 1, "15 %"),
    "contact_gap": (gaps(), 1, "20 days"),
    "complaint_count": ([*opened(1), *said("complaint", 2, 0, 1, 3)], 4, "1.5 a week"),
    "escalation_rate": ([*opened(40, 10, 10, 20), *said("escalation", 1, 0, 0, 1)], 4, "2.5 %"),
    "mood_index": (moods(), 1, "77.69"),
}


def test_every_metric_has_an_example_that_is_computed() -> None:
    assert set(EXAMPLES) == set(CATALOGUE)


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_the_example_is_what_is_computed(tmp_path: Path, name: str) -> None:
    records, span, text = EXAMPLES[name]
    metric = CATALOGUE[name]
    by = () if name == "contact_gap" else ("customer",)
    with a_warehouse(tmp_path, *records) as warehouse:
        query = a_query(name, by, tau_h=metric.tau_h)
        cells = warehouse.cells(query, as_of=LATER, first_week=WEEK - span + 1, last_week=WEEK)
        scope = dict.fromkeys(by, "Acme")
        pinned = warehouse.pinned(query, scope=scope, as_of=LATER, first_week=WEEK - span + 1, last_week=WEEK)
    assert {pinned.rows.schema.field(one).type for one in ("numerator", "denominator")} == {pa.float64()}
    assert pinned.rows.num_rows > 0
    found = Cells.of(cells, by).window(
        WEEK - span + 1, WEEK, is_snapshot=metric.is_snapshot, is_count=metric.family == "count"
    )
    (value,) = (np.asarray(found.value) * (100 if metric.is_share else 1)).tolist()
    number = text.split()[0]
    digits = len(number.partition(".")[2])
    assert f"{value:.{digits}f}" == number
    assert text in metric.example
