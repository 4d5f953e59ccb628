"""Satisfaction as shares of the answers: every window adds up, and says how many answered of those asked."""

from __future__ import annotations

from datetime import date, timedelta

import altair as alt
import pytest

from improvement import charts
from improvement.charts import Answers, Band, Period

START = date(2024, 6, 3)


def a_period(name: str, first: int, weeks: int, counts: tuple[int, ...], asked: int, answered: int) -> Period:
    start = START + timedelta(weeks=first)
    return Period(Band(name, start, start + timedelta(weeks=weeks)), counts, asked, answered)


def some_answers() -> Answers:
    return Answers(
        title="Happier users",
        scores=(1, 2, 3, 4, 5),
        periods=[
            a_period("reference", 0, 52, (20, 40, 140, 300, 500), 4000, 980),
            a_period("trigger", 52, 4, (5, 2, 2, 1, 0), 0, 0),
            a_period("confirmation", 56, 4, (0, 0, 0, 0, 0), 30, 0),
            a_period("after", 60, 13, (1, 3, 16, 80, 100), 900, 190),
        ],
        as_of=START + timedelta(weeks=73, days=-1),
    )


def test_the_parts_of_a_window_follow_each_other_and_add_up() -> None:
    spec = charts.answers(some_answers())
    alt.Chart.from_dict(spec)
    parts = [row for row in spec["datasets"]["parts"] if row["window"] == "Reference"]
    assert [(row["from"], row["to"]) for row in parts] == [(0, 2), (2, 6), (6, 20), (20, 50), (50, 100)]
    assert [row["said"] for row in parts] == ["", "2", "3", "4", "5"]  # the scores stand in the bars, where room is
    assert parts[3]["label"] == "Reference, Score 4: 30.0 %, n = 300"


def test_each_window_says_how_many_answered_of_those_asked() -> None:
    ends = {row["window"]: row["label"] for row in charts.answers(some_answers())["datasets"]["ends"]}
    assert ends == {
        "Reference": "n = 1000, 24 % of 4000 answered",
        "Trigger": "n = 10, response rate not known",
        "Confirmation": "",
        "After": "n = 200, 21 % of 900 answered",
    }


def test_a_window_without_answers_says_so_and_draws_no_bar() -> None:
    spec = charts.answers(some_answers(), language="de")
    assert spec["datasets"]["empty"] == [{"window": "Bestätigung", "label": "keine Antworten"}]
    assert "Bestätigung" not in {row["window"] for row in spec["datasets"]["parts"]}
    drawing = charts.svg(spec, language="de")
    assert drawing.index("Referenz") < drawing.index("Bestätigung") < drawing.index("Danach")
    assert "NaN" not in drawing


def test_worst_and_best_are_orange_and_blue_and_no_answer_is_red_or_green() -> None:
    spec = charts.answers(some_answers())
    colours = spec["vconcat"][0]["layer"][0]["encoding"]["color"]["scale"]
    assert colours["domain"] == [1, 2, 3, 4, 5]
    assert (colours["range"][0], colours["range"][-1]) == ("#e46c0a", "#00b0f0")
    dark = charts.in_theme(spec, "dark")
    assert dark["vconcat"][0]["layer"][0]["encoding"]["color"]["scale"]["range"] == colours["range"]


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "After 2025-07-28 – 2025-10-26: Score 1: 0 %, Score 2: 2 %, Score 3: 8 %, Score 4: 40 %, Score 5: 50 %; "
               "n = 200, 21 % of 900 answered."),
        ("de", "Danach 2025-07-28 – 2025-10-26: Note 1: 0 %, Note 2: 2 %, Note 3: 8 %, Note 4: 40 %, Note 5: 50 %; "
               "n = 200, 21 % von 900 antworteten."),
    ],
)  # fmt: skip
def test_the_bars_are_told_in_words(language: str, told: str) -> None:
    assert told in charts.answers_alternative(some_answers(), language=language)


def test_the_bars_are_told_as_a_table() -> None:
    table = charts.answers_table(some_answers(), language="de")
    assert table.columns[1] == "Note 1 (%)"
    assert table.rows[0] == ("Referenz", "2,0", "4,0", "14,0", "30,0", "50,0", "1000", "24,5")
    assert table.rows[2] == ("Bestätigung", "–", "–", "–", "–", "–", "0", "0,0")
    assert table.rows[1][-1] == "–"
