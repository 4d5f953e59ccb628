"""The charts: they show what was measured, in both themes and languages, and can be read without being seen."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from typing import Any

import altair as alt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import ValidationError

from improvement import charts
from improvement.charts import Band, BeforeAfter, Marker, Trigger, WeekPoint
from improvement.charts.trigger import kinds, reference_limits
from improvement.errors import RegelkreisError

START = date(2024, 6, 3)


def week(number: int) -> date:
    return START + timedelta(weeks=number)


def a_story(*, is_improved: bool | None = True, live: int = 62) -> BeforeAfter:
    points = [WeekPoint(week(n), 4.0 if n >= live else 25.0 if n >= 52 else 10.0 + n % 3, 90 + n) for n in range(80)]
    return BeforeAfter(
        title="Fewer breaches",
        unit="%",
        points=points,
        bands=[
            Band("reference", week(0), week(52)),
            Band("trigger", week(52), week(57)),
            Band("confirmation", week(57), week(live)),
            Band("after", week(live), week(live + 13)),
        ],
        markers=[Marker("P", week(57)), Marker("D", week(58)), Marker("C", week(live)), Marker("A", week(76))],
        target=15.0,
        expected=[(week(live), 10.6), (week(live + 13), 10.6)],
        is_improved=is_improved,
        as_of=week(80) - timedelta(days=1),
    )


def a_trigger(*, is_lower_better: bool = True, is_proportion: bool = False) -> Trigger:
    values = [10.0 + n % 3 for n in range(52)] + [11.0, 25.0, 26.0, 5.0, 30.0]
    return Trigger(
        title="Fewer breaches",
        unit="%",
        points=[WeekPoint(week(n), value, 100) for n, value in enumerate(values)],
        bands=[Band("reference", week(0), week(52)), Band("trigger", week(52), week(57))],
        target=15.0,
        is_lower_better=is_lower_better,
        has_floor=True,
        is_proportion=is_proportion,
        fired="24.0 % / 15.0 %",
        as_of=week(57) - timedelta(days=1),
    )


def marks(spec: dict[str, Any]) -> dict[str, int]:
    """How many layers of each kind of mark the upper plot has."""
    found: dict[str, int] = {}
    for layer in spec["vconcat"][0]["layer"]:
        found[layer["mark"]["type"]] = found.get(layer["mark"]["type"], 0) + 1
    return found


def said(spec: dict[str, Any]) -> list[str]:
    return [row["label"] for rows in spec["datasets"].values() for row in rows if "label" in row]


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("improved", [True, False, None])
def test_every_spec_keeps_the_vega_lite_schema(language: str, improved: bool | None) -> None:
    for spec in (
        charts.before_after(a_story(is_improved=improved), language=language),
        charts.trigger(a_trigger(), language=language),
    ):
        alt.Chart.from_dict(spec)  # raises where the schema is broken
        assert spec["$schema"].endswith(f"/{alt.SCHEMA_VERSION.split('.')[0]}.json")


def test_a_spec_that_breaks_the_schema_would_be_noticed() -> None:
    spec = charts.before_after(a_story())
    spec["vconcat"][0]["layer"][0]["mark"]["typ"] = "bar"
    with pytest.raises(ValidationError):
        alt.Chart.from_dict(spec)


def test_the_chart_has_the_windows_the_counterfactual_the_markers_and_n() -> None:
    spec = charts.before_after(a_story())
    assert marks(spec)["rect"] == 1
    texts = said(spec)
    assert {"Reference", "Trigger", "Confirmation", "After", "Target 15.0 %"} <= set(texts)
    assert "Expected without the action: 10.6 %" in texts
    assert "C: live, 2025-08-11" in texts
    assert "2024-W23: 10.0 %, n = 90" in texts
    assert [row["n"] for row in spec["datasets"][spec["vconcat"][1]["data"]["name"]]] == [90 + n for n in range(80)]


@pytest.mark.parametrize(
    ("improved", "colour", "shape"),
    [(True, "#00b0f0", "diamond"), (False, "#e46c0a", "triangle-down"), (None, "#490092", "square")],
)
def test_better_and_worse_differ_in_colour_and_shape(improved: bool | None, colour: str, shape: str) -> None:
    spec = charts.before_after(a_story(is_improved=improved))
    point = next(layer for layer in spec["vconcat"][0]["layer"] if "shape" in layer["encoding"])
    assert point["encoding"]["color"]["scale"]["range"] == ["#a6a6a6", colour]
    assert point["encoding"]["shape"]["scale"]["range"] == ["circle", shape]


def test_dark_is_the_light_drawing_in_other_colours() -> None:
    """Rendering the dark spec gives what exchanging the colours of the light drawing gives."""
    light = charts.before_after(a_story())
    dark = charts.in_theme(light, "dark")
    assert charts.svg(dark) == charts.in_theme(charts.svg(light), "dark")
    assert charts.in_theme(light, "light") == light
    used = set(re.findall(r"#[0-9a-f]{6}", json.dumps(dark)))
    assert used.isdisjoint(set(charts.THEMES["light"].values()) - {"#490092"})


@pytest.mark.parametrize("theme", list(charts.THEMES))
def test_no_two_names_of_a_theme_share_a_colour(theme: str) -> None:
    colours = list(charts.THEMES[theme].values())
    assert len(set(colours)) == len(colours)
    assert charts.THEMES[theme].keys() == charts.THEMES["light"].keys()


def test_the_german_chart_is_german() -> None:
    drawing = charts.svg(charts.before_after(a_story(), language="de"), language="de")
    for word in ("Referenz", "Auslöser", "Bestätigung", "Danach", "Ziel 15,0 %", "Okt 24", "Plan genehmigt"):
        assert word in drawing, word
    for word in ("Reference", "Target", "Oct", "15.0"):
        assert word not in drawing, word


def test_the_words_tell_the_chart() -> None:
    words = charts.alternative(a_story())
    for part in (
        "Reference 2024-06-03 – 2025-06-01: mean 11.0 %, 52 weeks.",
        "After 2025-08-11 – 2025-11-09: mean 4.0 %, 13 weeks.",
        "Target: 15.0 %.",
        "Expected without the action: 10.6 %.",
        "D, plan approved: 2025-07-14.",
        "Data to 2025-12-14.",
    ):
        assert part in words
    table = charts.table(a_story(), language="de")
    assert table.columns == ("Woche", "Fenster", "Wert (%)", "n")
    assert table.rows[0] == ("2024-W23", "Referenz", "10,00", "90")
    assert table.rows[-1][1] == "Dazwischen"


def test_the_limits_are_those_of_the_reference_alone() -> None:
    limits = reference_limits(a_trigger())
    assert limits is not None
    moving = [1.0 if n % 3 else 2.0 for n in range(1, 52)]
    reach = 2.66 * sum(moving) / len(moving)
    assert limits.mean == pytest.approx(sum(10.0 + n % 3 for n in range(52)) / 52)
    assert limits.high == pytest.approx(limits.mean + reach)
    assert limits.low == pytest.approx(limits.mean - reach)
    assert not limits.is_trial


@pytest.mark.parametrize(
    ("lower_better", "last"), [(True, "common bad bad good bad"), (False, "common good good bad good")]
)
def test_beyond_a_limit_is_good_or_bad_by_the_metrics_direction(lower_better: bool, last: str) -> None:
    data = a_trigger(is_lower_better=lower_better)
    assert kinds(data, reference_limits(data))[-5:] == last.split()


def test_the_trigger_is_told_in_words() -> None:
    assert "3 of 5 weeks of the trigger lie beyond the limit on the bad side." in charts.trigger_alternative(
        a_trigger()
    )
    assert charts.trigger_table(a_trigger()).rows[53] == (
        "2025-W24", "Trigger", "25.00", "100", "7.43", "14.53", "beyond the limit on the bad side",
    )  # fmt: skip


def test_wheelers_numbers_give_wheelers_limits() -> None:
    """Moving ranges of 2 on average, 2.66 · 2 on both sides of the mean."""
    limits = charts.natural_limits([10, 12, 10, 12, 10, 12])
    assert limits is not None
    assert (limits.mean, limits.low, limits.high) == pytest.approx((11, 11 - 5.32, 11 + 5.32))
    assert limits.is_trial
    assert charts.natural_limits([1.0]) is None
    floored = charts.natural_limits([1, 9, 1, 9], has_floor=True)
    assert floored is not None
    assert floored.low == 0


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60))
def test_the_mean_lies_within_its_limits(values: list[float]) -> None:
    limits = charts.natural_limits(values)
    assert limits is not None
    assert limits.low <= limits.mean + 1e-6
    assert limits.mean <= limits.high + 1e-6


@pytest.mark.parametrize("live", [57, 58, 62])
def test_short_windows_and_close_markers_are_drawn(live: int) -> None:
    story = a_story(live=live)
    bands = [band for band in story.bands if band.start < band.end]
    drawing = charts.svg(
        charts.before_after(
            BeforeAfter(**{**{name: getattr(story, name) for name in story.__dataclass_fields__}, "bands": bands})
        )
    )
    assert drawing.startswith("<svg")
    assert "NaN" not in drawing


def test_what_cannot_be_drawn_is_an_error_of_ours() -> None:
    with pytest.raises(RegelkreisError, match=r"A chart cannot be drawn: .*layer"):
        charts.svg({"layer": 5})
