"""Control limits: those of shares follow each week's n, others are natural process limits; few weeks are a trial."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improvement import charts
from improvement.charts import Band, Trigger, WeekPoint, natural_limits, share_limits
from improvement.charts.limits import Limits, ShareLimits
from improvement.charts.trigger import kinds, reference_limits
from tests.improvement.check.published import ORANGE_JUICE

START = date(2024, 6, 3)


def week(number: int) -> date:
    return START + timedelta(weeks=number)


def a_trigger(events: list[tuple[int, int]], *, reference: int, is_proportion: bool = True) -> Trigger:
    """Weeks of ``(events, n)``, the first ``reference`` of them the reference."""
    return Trigger(
        title="Fewer breaches",
        unit="%",
        points=[WeekPoint(week(number), 100 * y / n, n) for number, (y, n) in enumerate(events)],
        bands=[Band("reference", week(0), week(reference)), Band("trigger", week(reference), week(len(events)))],
        target=15.0,
        is_lower_better=True,
        has_floor=True,
        is_proportion=is_proportion,
        fired="",
        as_of=week(len(events)) - timedelta(days=1),
    )


def layers_of(spec: dict[str, Any], mark: str) -> list[dict[str, Any]]:
    return [layer for layer in spec["vconcat"][0]["layer"] if layer["mark"]["type"] == mark]


def said(spec: dict[str, Any]) -> list[str]:
    return [str(row["label"]) for rows in spec["datasets"].values() for row in rows if "label" in row]


def test_laneys_limits_by_hand() -> None:
    """Shares .1, .2, .1, .2 of 100, 100, 400, 400: p̄ = .15, z = -1.4003, 1.4003, -2.8006, 2.8006."""
    limits = share_limits([10.0, 20.0, 10.0, 20.0], [100, 100, 400, 400])
    assert limits is not None
    root = math.sqrt(0.15 * 0.85)
    ranges = [0.1 / (root / 10), 0.05 / (root / 10) + 0.05 / (root / 20), 0.1 / (root / 20)]
    assert limits.mean == pytest.approx(15.0)
    assert limits.sigma_z == pytest.approx(sum(ranges) / 3 / 1.128)
    assert limits.sigma_z == pytest.approx(3.7242, abs=1e-4)
    low, high = limits.at(400)
    assert high == pytest.approx(15 + 100 * 3 * 3.7242 * root / 20, abs=1e-3)
    assert low == 0.0
    assert limits.at(100)[1] > high  # fewer records, wider limits
    assert limits.at(1) == (0.0, 100.0)


def test_with_sigma_z_of_one_they_are_the_published_p_chart() -> None:
    """Montgomery's orange juice: .23133 (.05243, .41024), points 15 and 23 outside."""
    shares = [100 * cans / 50 for cans in ORANGE_JUICE]
    found = share_limits(shares, [50] * 30)
    assert found is not None
    plain = ShareLimits(found.mean, 1.0, found.n)
    assert (plain.mean, *plain.at(50)) == pytest.approx((23.133, 5.243, 41.024), abs=5e-4)
    assert [place for place, share in enumerate(shares, 1) if not plain.at(50)[0] <= share <= plain.at(50)[1]] == [
        15,
        23,
    ]
    moving_range = 162 / 29 / 50  # the 29 steps from can count to can count add up to 162
    assert found.sigma_z == pytest.approx(moving_range / 0.05964 / 1.128, abs=1e-3)  # more than the counts allow


@given(st.lists(st.integers(1, 39), min_size=3, max_size=40))
def test_where_all_n_are_the_same_they_are_the_natural_limits(events: list[int]) -> None:
    """3 / 1.128 is 2.66: Laney's limits then are those of the XmR chart, up to the rounding of that factor."""
    values = [100 * y / 40 for y in events]
    shares, natural = share_limits(values, [40] * len(values)), natural_limits(values)
    assert shares is not None
    assert natural is not None
    low, high = shares.at(40)
    assert shares.mean == pytest.approx(natural.mean)
    assert high == pytest.approx(min(100.0, natural.high), rel=1e-3)
    assert low == pytest.approx(max(0.0, natural.low), abs=0.1)


def test_shares_get_limits_by_n_and_all_else_natural_ones() -> None:
    events = [(8 + number % 5, 80 + 20 * (number % 3)) for number in range(52)] + [(30, 100), (30, 20)]
    assert isinstance(reference_limits(a_trigger(events, reference=52)), ShareLimits)
    assert isinstance(reference_limits(a_trigger(events, reference=52, is_proportion=False)), Limits)


def test_a_small_week_is_not_called_out_where_a_large_one_is() -> None:
    """15 % of 200 lies outside, 15 % of 20 does not; an XmR chart would call both."""
    events = [(9 + number % 3, 100) for number in range(52)] + [(40, 200), (4, 20)]
    data = a_trigger(events, reference=52)
    assert kinds(data, reference_limits(data))[-2:] == ["bad", "bad"]
    assert kinds(data, ShareLimits(10.0, 1.0, 52))[-2:] == ["bad", "common"]
    natural = a_trigger(events, reference=52, is_proportion=False)
    assert kinds(natural, reference_limits(natural))[-2:] == ["bad", "bad"]


def test_without_any_event_there_is_nothing_to_scale() -> None:
    assert share_limits([0.0, 0.0, 0.0], [10, 20, 30]) is None
    assert share_limits([5.0], [10]) is None
    data = a_trigger([(0, 50)] * 20 + [(3, 50)], reference=20)
    limits = reference_limits(data)
    assert isinstance(limits, Limits)
    assert (limits.low, limits.high) == (0.0, 0.0)
    assert kinds(data, limits)[-1] == "bad"


@pytest.mark.parametrize(("weeks", "is_trial"), [(11, True), (12, False)])
def test_trial_limits_are_drawn_dashed_and_called_so(weeks: int, is_trial: bool) -> None:
    events = [(8 + number % 5, 80 + 20 * (number % 3)) for number in range(weeks)] + [(30, 100)]
    data = a_trigger(events, reference=weeks)
    for language, word in (("en", "trial limit"), ("de", "vorläufig")):
        spec = charts.trigger(data, language=language)
        lines = [layer["mark"] for layer in layers_of(spec, "line") if layer["mark"].get("interpolate") == "step-after"]
        assert len(lines) == 2
        mean = next(layer["mark"] for layer in layers_of(spec, "rule"))
        assert all((mark["strokeDash"] == [5, 4]) is is_trial for mark in (*lines, mean))
        named = [text for text in said(spec) if text.endswith(word)]
        assert len(named) == (2 if is_trial else 0)
        assert any(text.startswith("Ø") and ("11" in text) is is_trial for text in said(spec))
        assert (word in charts.svg(spec, language=language)) is is_trial


def test_the_limits_of_each_week_stand_in_words_and_in_the_table() -> None:
    events = [(8 + number % 5, 80 + 20 * (number % 3)) for number in range(52)] + [(30, 100), (30, 40)]
    data = a_trigger(events, reference=52)
    limits = reference_limits(data)
    assert limits is not None
    low, high = limits.at(40)
    assert f"(p′, by each week's n): {low:.1f} … {high:.1f} % at n = 40." in charts.trigger_alternative(data)
    assert "(p′, nach dem n jeder Woche)" in charts.trigger_alternative(data, language="de")
    table = charts.trigger_table(data, language="de")
    assert table.columns == ("Woche", "Fenster", "Wert (%)", "n", "Untere Grenze", "Obere Grenze", "")
    wide, narrow = table.rows[-1], table.rows[-2]
    assert float(wide[5].replace(",", ".")) > float(narrow[5].replace(",", "."))


def test_only_the_trigger_is_hatched() -> None:
    """The hatching is one mark that lies over the trigger window and nothing else, in both themes."""
    events = [(8 + number % 5, 100) for number in range(52)] + [(30, 100)] * 4
    spec = charts.trigger(a_trigger(events, reference=52))
    hatched = [layer for layer in layers_of(spec, "point") if str(layer["mark"].get("shape", "")).startswith("M")]
    assert len(hatched) == 1
    assert [row["day"] for row in spec["datasets"][hatched[0]["data"]["name"]]] == [week(52).isoformat()]
    numbers = [part.split(",") for part in hatched[0]["mark"]["shape"].replace("M", " ").replace("L", " ").split()]
    across = [float(x) for x, _ in numbers]
    down = [float(y) for _, y in numbers]
    assert (min(across), min(down), max(down)) == (0, 0, 280)
    assert max(across) == pytest.approx(700 * 4 / 56, abs=1)
    for theme in charts.THEMES:
        assert charts.THEMES[theme]["hatch"] in charts.in_theme(charts.svg(spec), theme)


def test_a_chart_without_a_trigger_window_has_no_hatching() -> None:
    data = a_trigger([(8 + number % 5, 100) for number in range(20)], reference=20)
    spec = charts.trigger(Trigger(**{name: getattr(data, name) for name in data.__slots__} | {"bands": data.bands[:1]}))
    assert charts.THEMES["light"]["hatch"] not in charts.svg(spec)
