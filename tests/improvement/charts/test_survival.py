"""Kaplan–Meier: published estimates, the same as another implementation, and what the chart and its words show."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import altair as alt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.duration.survfunc import SurvfuncRight

from improvement import charts
from improvement.charts import Band, Curve, StillOpen, kaplan_meier
from improvement.charts.still_open import ticks
from tests.improvement.check import published

START = date(2024, 6, 3)
Group = list[tuple[int, int, int]]


def spread(group: Group) -> tuple[list[float], list[bool]]:
    """Times with their deaths and censored ones as one row each."""
    times, is_done = [], []
    for time, done, censored in group:
        times += [float(time)] * (done + censored)
        is_done += [True] * done + [False] * censored
    return times, is_done


def a_chart(*, is_improved: bool | None = True, tau_hours: int = 168, offset: float = 0.0) -> StillOpen:
    def curve(step: float) -> Curve:
        hours = [min(step * number, tau_hours) for number in range(1, 101)]
        return kaplan_meier(hours, [value < tau_hours for value in hours])

    return StillOpen(
        title="Faster solutions",
        tau_hours=tau_hours,
        before=curve(2.0),
        after=curve(1.0 + offset),
        reference=Band("reference", START, START + timedelta(weeks=52)),
        after_band=Band("after", START + timedelta(weeks=60), START + timedelta(weeks=73)),
        is_improved=is_improved,
        as_of=START + timedelta(weeks=73, days=-1),
    )


def test_the_published_estimates_of_6mp() -> None:
    """Freireich et al. 1963: share in remission and Greenwood's standard error, at every relapse."""
    curve = kaplan_meier(*spread(published._LEUKEMIA_6MP))
    assert [(step.hours, round(step.share, 4), round(step.error, 4)) for step in curve.steps] == [
        (6, 0.8571, 0.0764),
        (7, 0.8067, 0.0869),
        (10, 0.7529, 0.0963),
        (13, 0.6902, 0.1068),
        (16, 0.6275, 0.1141),
        (22, 0.5378, 0.1282),
        (23, 0.4482, 0.1346),
    ]
    assert [curve.at_risk(time) for time in (6, 7, 10, 13, 16, 22, 23)] == [21, 17, 15, 12, 11, 7, 6]
    assert (curve.n, curve.done) == (21, 9)


@pytest.mark.parametrize(
    ("group", "median"),
    [(published._LEUKEMIA_6MP, 23), (published._LEUKEMIA_PLACEBO, 8)],
)
def test_the_published_medians(group: Group, median: int) -> None:
    assert kaplan_meier(*spread(group)).median == median


def test_the_median_of_waltons_flies() -> None:
    both = [*published._WALTONS_MIR137, *published._WALTONS_CONTROL]
    assert kaplan_meier(*spread(both)).median == 56


@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=2, max_size=60))
def test_it_is_what_statsmodels_computes(rows: list[tuple[int, bool]]) -> None:
    if not any(is_done for _, is_done in rows):
        rows = [*rows, (31, True)]
    curve = kaplan_meier([float(time) for time, _ in rows], [is_done for _, is_done in rows])
    other = SurvfuncRight([time for time, _ in rows], [int(is_done) for _, is_done in rows])
    assert [step.hours for step in curve.steps] == list(other.surv_times)
    assert [step.share for step in curve.steps] == pytest.approx(list(other.surv_prob), abs=1e-9)
    known = [step for step in curve.steps if step.share > 0]
    assert [step.error for step in known] == pytest.approx(list(other.surv_prob_se[: len(known)]), abs=1e-9)
    for step in curve.steps:
        assert 0 <= step.low <= step.share <= step.high <= 1


def test_what_is_still_open_counts_as_long_as_it_was_seen() -> None:
    """Leaving open tickets out would halve the time; counting them as done at the end would be wrong as well."""
    curve = kaplan_meier([1.0, 2.0, 10.0, 10.0], [True, True, False, False])
    assert curve.at(0.5).share == 1.0
    assert curve.at(2.0).share == 0.5
    assert curve.at(10.0).share == 0.5
    assert curve.at_risk(10.0) == 2
    assert kaplan_meier([1.0, 2.0], [False, False]).median is None


def test_the_chart_has_both_curves_their_intervals_and_how_many_they_rest_on() -> None:
    spec = charts.still_open(a_chart())
    alt.Chart.from_dict(spec)
    top, below = spec["vconcat"]
    lines = [layer for layer in top["layer"] if layer["mark"]["type"] == "line"]
    assert [layer["mark"]["strokeDash"] for layer in lines] == [[1, 0], [7, 3]]  # told apart without colour
    assert len([layer for layer in top["layer"] if layer["mark"]["type"] == "area"]) == 2
    rows = spec["datasets"]["before"]
    assert (rows[0]["share"], rows[-1]["hours"]) == (100.0, 168.0)
    assert all(row["low"] <= row["share"] <= row["high"] for row in rows)
    assert spec["datasets"]["before-told"][14]["label"] == "84.0 h: 58.0 %, n = 59"
    assert [row["n"] for row in spec["datasets"]["at-risk"] if row["row"] == "Before"][:2] == ["100", "89"]
    assert below["data"] == {"name": "at-risk"}


@pytest.mark.parametrize(("improved", "colour"), [(True, "#00b0f0"), (False, "#e46c0a"), (None, "#490092")])
def test_the_curve_after_has_the_verdicts_colour(improved: bool | None, colour: str) -> None:
    spec = charts.still_open(a_chart(is_improved=improved))
    lines = [layer["mark"] for layer in spec["vconcat"][0]["layer"] if layer["mark"]["type"] == "line"]
    assert [mark["color"] for mark in lines] == ["#5b6773", colour]


def test_names_of_curves_that_end_together_do_not_cover_each_other() -> None:
    def shifts(data: StillOpen) -> list[int]:
        layers = charts.still_open(data)["vconcat"][0]["layer"]
        return [layer["mark"]["dy"] for layer in layers if layer["mark"]["type"] == "text"]

    before, after = shifts(a_chart(offset=1.0))
    assert abs(before - after) >= 14
    assert shifts(a_chart()) == [0, 0]


def test_the_curves_are_told_in_both_languages() -> None:
    words = charts.still_open_alternative(a_chart())
    assert (
        "Before (2024-06-03 – 2025-06-01): n = 100, half of them done after 100.0 h, open after 168 h: 17.0 %" in words
    )
    assert "After (2025-07-28 – 2025-10-26): n = 100, half of them done after 50.0 h" in words
    assert words.endswith("Data to 2025-10-26.")
    german = charts.still_open_alternative(a_chart(), language="de")
    assert "die Hälfte erledigt nach 100,0 Std., offen nach 168 Std.: 17,0 %" in german
    table = charts.still_open_table(a_chart(), language="de")
    assert table.columns[:4] == ("Stunden seit Eröffnung", "Davor: noch offen (%)", "95-%-Intervall", "n")
    assert [row[0] for row in table.rows] == ["0", "24", "48", "72", "96", "120", "144", "168"]
    assert table.rows[1][1] == "88,0"
    drawing = charts.svg(charts.still_open(a_chart(), language="de"), language="de")
    for word in ("Davor, n = 100", "Danach, n = 100", "bis dahin noch offene Tickets", "Stunden seit Eröffnung"):
        assert word in drawing, word


@pytest.mark.parametrize(("tau", "step"), [(168, 24), (336, 48), (672, 96)])
def test_the_axis_counts_in_whole_days(tau: int, step: int) -> None:
    assert ticks(tau)[:2] == [0, step]
    assert ticks(tau)[-1] == tau


def test_dark_is_the_same_drawing() -> None:
    light: dict[str, Any] = charts.still_open(a_chart())
    dark = charts.in_theme(light, "dark")
    assert charts.svg(dark) == charts.in_theme(charts.svg(light), "dark")
    assert charts.THEMES["light"]["muted"] not in json.dumps(dark)
