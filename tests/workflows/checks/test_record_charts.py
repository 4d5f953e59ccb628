"""What single records tell: curves of tickets that stayed open, shares of answers; counted from the warehouse."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from improvement import weeks
from improvement.charts import Band
from improvement.records import Survey, Ticket
from tests.improvement.metrics.build import CONNECTION, a_survey, a_ticket, a_warehouse
from tests.improvement.metrics.test_business_hours import BUSINESS, CALENDARS
from tests.workflows.build import GOLIVE, TRIGGER_ENDS, an_action
from workflows.checks import charting, measuring, record_charts
from workflows.checks.drawing import Studio
from workflows.models import Action, Chart
from workflows.warehouse import Calendars

pytestmark = pytest.mark.django_db
LIVE = weeks.week_of(GOLIVE)
LAST = LIVE + 12
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_band(name: str, first: int, last: int) -> Band:
    return Band(name, weeks.monday(first), weeks.monday(last + 1))


BANDS = [
    a_band("reference", TRIGGER_ENDS - 56, TRIGGER_ENDS - 5),
    a_band("trigger", TRIGGER_ENDS - 4, TRIGGER_ENDS),
    a_band("confirmation", TRIGGER_ENDS + 1, LIVE - 1),
    a_band("after", LIVE, LAST),
]


def on(week: int, *, hours: float = 12) -> datetime:
    """An hour of a week, counted from its Monday."""
    monday = weeks.monday(week)
    return datetime(monday.year, monday.month, monday.day, tzinfo=UTC) + hours * HOUR


def a_solved(number: int, week: int, hours: float | None, **fields: object) -> Ticket:
    """A ticket of a week that took so many hours; None: it is open still."""
    opened = on(week)
    resolved = opened + hours * HOUR if hours is not None else None
    state = "in_progress" if hours is None else "resolved"
    return a_ticket(f"t{number}", opened_at=opened, resolved_at=resolved, state=state, **fields)


def an_action_on(metric: str) -> Action:
    measurement = {
        "where": [], "by": ["customer", "country"], "tau_weeks": 1, "controls": [], "looks": [4, 8, 13],
        "windows": {"reference": {}, "trigger": {}}, "earliest_week": TRIGGER_ENDS - 60, "sustain": [4, 8, 13],
        "recording_delay_days": 1, "detectable": {"link": 0.3}, "baseline": 20.0,
    }  # fmt: skip
    assert CONNECTION == "snow"
    return an_action(None, metric=metric, goal="", measurement=measurement, implemented_on=GOLIVE)


def test_open_tickets_are_censored_and_those_of_other_weeks_and_scopes_left_out(tmp_path: Path) -> None:
    before, after = TRIGGER_ENDS - 10, LIVE + 2
    records = (
        a_solved(1, before, 10), a_solved(2, before, 50), a_solved(3, before, None), a_solved(4, before, 400),
        a_solved(5, after, 5), a_solved(6, after, 8),
        a_solved(7, TRIGGER_ENDS, 1), a_solved(8, LIVE - 1, 1), a_solved(9, after, 1, customer="Globex"),
    )  # fmt: skip
    action = an_action_on("time_to_resolve")
    with a_warehouse(tmp_path, *records) as warehouse:
        data = record_charts.still_open(action, warehouse, BANDS, is_improved=True, last=LAST, as_of=NOW)
    assert data is not None
    assert data.tau_hours == 168
    assert (data.before.n, data.before.done) == (4, 2)  # one open, one done only after a week: both seen for a week
    assert [(step.hours, step.share) for step in data.before.steps] == [(10, 0.75), (50, pytest.approx(0.5))]
    assert data.before.seen_for[-1] == 168
    assert (data.after.n, data.after.median) == (2, 5)
    assert data.as_of == weeks.sunday(LAST)


def test_hours_are_those_of_the_wall_clock_also_where_business_hours_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_the_wall = measuring.query_of
    monkeypatch.setattr(measuring, "query_of", lambda action: replace(by_the_wall(action), options=BUSINESS))
    records = (a_solved(1, TRIGGER_ENDS - 10, 50), a_solved(2, TRIGGER_ENDS - 10, None), a_solved(3, LIVE + 2, 30))
    with a_warehouse(tmp_path, *records) as warehouse:
        warehouse.use_calendars(Calendars(BUSINESS.calendars, lambda: CALENDARS))
        data = record_charts.still_open(
            an_action_on("time_to_resolve"), warehouse, BANDS, is_improved=None, last=LAST, as_of=NOW
        )
    assert data is not None
    assert (data.before.seen_for, data.after.seen_for) == ((50, 168), (30,))


def test_before_go_live_there_is_nothing_to_compare(tmp_path: Path) -> None:
    action = an_action_on("time_to_resolve")
    with a_warehouse(tmp_path, a_solved(1, TRIGGER_ENDS - 10, 10)) as warehouse:
        ask = {"is_improved": None, "last": LAST, "as_of": NOW}
        assert record_charts.still_open(action, warehouse, BANDS[:2], **ask) is None
        assert record_charts.still_open(action, warehouse, BANDS, **ask) is None


def an_answer(number: int, week: int, score: float | None, **fields: object) -> Survey:
    sent = on(week)
    answered = sent + HOUR if score is not None else None
    return a_survey(
        f"s{number}", customer="Acme", country="CH", ticket_id=None, sent_at=sent, answered_at=answered, score=score,
        **fields,
    )  # fmt: skip


def test_answers_are_counted_by_score_and_told_with_who_was_asked(tmp_path: Path) -> None:
    before, after = TRIGGER_ENDS - 10, LIVE + 2
    records = (
        an_answer(1, before, 1.0), an_answer(2, before, 3.0), an_answer(3, before, 3.0), an_answer(4, before, None),
        an_answer(5, after, 5.0), an_answer(6, after, 10.0, scale_min=0.0, scale_max=10.0),
        an_answer(7, after, None), an_answer(8, after, None),
    )  # fmt: skip
    action = an_action_on("csat_mean")
    with a_warehouse(tmp_path, *records) as warehouse:
        data = record_charts.answers(action, warehouse, BANDS, last=LAST, as_of=NOW)
    assert data is not None
    found = {period.band.name: period for period in data.periods}
    assert list(found) == ["reference", "trigger", "confirmation", "after"]
    assert found["reference"].counts == (1, 0, 2, 0, 0)
    assert found["reference"].response_rate == 0.75
    assert found["after"].counts == (0, 0, 0, 0, 2)  # ten of ten is five of five
    assert found["after"].response_rate == 0.5
    assert (found["trigger"].n, found["trigger"].response_rate) == (0, None)


def test_without_any_answer_there_is_no_chart(tmp_path: Path) -> None:
    action = an_action_on("csat_mean")
    with a_warehouse(tmp_path, an_answer(1, LIVE, None)) as warehouse:
        assert record_charts.answers(action, warehouse, BANDS, last=LAST, as_of=NOW) is None


@pytest.mark.parametrize(
    ("metric", "kind", "word"),
    [("time_to_resolve", charting.STILL_OPEN, "noch offen"), ("csat_mean", charting.ANSWERS, "Note 5")],
)
def test_the_cycle_draws_and_keeps_them(tmp_path: Path, metric: str, kind: str, word: str) -> None:
    spread = range(TRIGGER_ENDS - 40, LAST + 1)
    records = [
        record
        for number, week in enumerate(spread)
        for record in (a_solved(number, week, 10 + number), an_answer(number, week, 1.0 + number % 5))
    ]
    action = an_action_on(metric)
    with a_warehouse(tmp_path, *records) as warehouse, Studio(expected=1) as studio:
        assert charting.render(action, warehouse, studio, as_of=NOW)
    drawn = Chart.objects.filter(action=action, kind=kind)
    assert {(chart.theme, chart.language) for chart in drawn} == {
        (theme, language) for theme in ("light", "dark") for language in ("en", "de")
    }
    german = drawn.get(theme="light", language="de")
    assert word in f"{german.alternative} {german.spec['usermeta']['columns']}"
    assert german.spec["usermeta"]["rows"]
    other = charting.ANSWERS if kind == charting.STILL_OPEN else charting.STILL_OPEN
    assert not Chart.objects.filter(action=action, kind=other).exists()
