"""Funnel plots: limits that follow n and the spread between the units, and nothing that ranks them."""

from __future__ import annotations

import math
from datetime import date

import altair as alt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from improvement import charts
from improvement.charts import Funnel, Unit
from improvement.charts.funnel import limits_of, place_of
from improvement.charts.funnel_limits import INNER, OUTER, funnel_limits
from improvement.charts.words import WORDS

NAMES = ("Delta", "Alpha", "Echo", "Bravo", "Charlie", "Foxtrot")


def a_funnel(values: tuple[float, ...], records: tuple[int, ...], *, is_lower_better: bool = True) -> Funnel:
    units = [Unit(name, value, n) for name, value, n in zip(NAMES, values, records, strict=False)]
    return Funnel("Breaches by supplier", "%", units, is_lower_better, date(2025, 7, 28), date(2025, 10, 26))


def test_the_limits_by_hand_where_counts_explain_it_all() -> None:
    """Three units at 10 %, 100 records each: .1 ± 1.96 · √(.09 / 100) and ± 3.09 · the same."""
    limits = funnel_limits([10, 9, 11], [100, 100, 100])
    assert limits is not None
    assert (limits.centre, limits.tau) == (pytest.approx(0.1), 0.0)
    assert limits.at(100, INNER) == pytest.approx((0.1 - 1.959964 * 0.03, 0.1 + 1.959964 * 0.03))
    assert limits.at(100, OUTER) == pytest.approx((0.1 - 3.090232 * 0.03, 0.1 + 3.090232 * 0.03))
    assert limits.at(400, OUTER)[1] == pytest.approx(0.1 + 3.090232 * 0.015)
    assert limits.at(4, OUTER)[0] == 0.0


def test_the_spread_between_units_by_hand() -> None:
    """Five units of 400 at 4, 8, 10, 12, 16 %: s = .015, z = -4, -4/3, 0, 4/3, 4, winsorised to ∓44/15.

    The 10 % quantiles lie .4 of the way from the last to the last but one: 4 - .4 · (4 - 4/3) = 44/15. Then
    Σz² = 2 · (44/15)² + 2 · (4/3)² = 20.764, and with equal weights τ² = (Σz² - 4) / (4w), w = 1/.015².
    """
    limits = funnel_limits([16, 32, 40, 48, 64], [400] * 5)
    assert limits is not None
    squares = 2 * (44 / 15) ** 2 + 2 * (4 / 3) ** 2
    assert limits.tau == pytest.approx(math.sqrt((squares - 4) / (4 / 0.015**2)))
    assert limits.tau == pytest.approx(0.0307, abs=1e-4)
    assert limits.at(400, INNER)[1] == pytest.approx(0.1 + 1.959964 * math.sqrt(0.015**2 + limits.tau**2))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(60, 900)), min_size=4, max_size=30))
def test_it_is_what_arrays_compute(rows: list[tuple[int, int]]) -> None:
    """The same formula once more, with numpy's quantiles."""
    y, n = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    limits = funnel_limits(list(y), list(n))
    if y.sum() == 0:
        assert limits is None
        return
    assert limits is not None
    centre = y.sum() / n.sum()
    w = n / (centre * (1 - centre))
    z = np.clip((z := (y / n - centre) * np.sqrt(w)), *np.quantile(z, [0.1, 0.9]))
    tau2 = max(0.0, (float((z**2).sum()) - (len(n) - 1)) / float(w.sum() - (w**2).sum() / w.sum()))
    assert limits.tau == pytest.approx(math.sqrt(tau2), abs=1e-9)


def test_units_that_differ_anyway_are_no_outliers() -> None:
    """Twelve large units between 8 and 12 %: plain limits would call most of them out, adjusted ones none."""
    shares = [0.08, 0.12, 0.09, 0.11, 0.085, 0.115, 0.1, 0.1, 0.095, 0.105, 0.088, 0.112]
    limits = funnel_limits([share * 20_000 for share in shares], [20_000] * 12)
    assert limits is not None
    plain = 1.959964 * math.sqrt(0.09 / 20_000)
    assert sum(abs(share - 0.1) > plain for share in shares) >= 8
    low, high = limits.at(20_000, INNER)
    assert all(low <= share <= high for share in shares)
    assert not limits.is_rough


def test_one_that_stands_out_does_not_hide_itself() -> None:
    data = a_funnel((10.0, 10.5, 9.5, 10.2, 9.8, 40.0), (500, 400, 600, 500, 450, 300))
    limits = limits_of(data)
    assert limits is not None
    places = {unit.name: place_of(unit, data, limits) for unit in data.units}
    assert places["Foxtrot"] == "bad_998"
    assert {place for name, place in places.items() if name != "Foxtrot"} == {"inside"}


@pytest.mark.parametrize(("is_lower_better", "side"), [(True, "bad"), (False, "good")])
def test_the_side_is_the_metrics(is_lower_better: bool, side: str) -> None:
    data = a_funnel((10.0,) * 5 + (40.0,), (500,) * 6, is_lower_better=is_lower_better)
    limits = limits_of(data)
    assert place_of(data.units[-1], data, limits).startswith(side)


def test_two_units_have_no_funnel_but_are_shown() -> None:
    data = a_funnel((10.0, 30.0), (100, 100))
    assert limits_of(data) is None
    spec = charts.funnel(data)
    alt.Chart.from_dict(spec)
    assert [row["kind"] for row in spec["datasets"]["units"]] == ["inside", "inside"]
    assert charts.funnel_table(data).rows[0][3:5] == ("–", "–")
    for language, words in (("en", "no limits: too few"), ("de", "ohne Grenzen: zu wenige")):
        told = charts.funnel_alternative(data, language=language)
        assert told.count(words) == 2
        assert WORDS[language]["inside"] not in told  # nobody can say so
        assert words in charts.funnel_table(data, language=language).rows[0][5]


def test_the_drawing_has_both_limits_the_centre_and_every_unit() -> None:
    spec = charts.funnel(a_funnel((10.0, 12.0, 9.0, 10.2, 9.8, 45.0), (500, 400, 600, 40, 450, 3000)))
    alt.Chart.from_dict(spec)
    assert {"limit-0", "limit-1", "centre", "units"} <= set(spec["datasets"])
    lines = [layer["mark"] for layer in spec["vconcat"][0]["layer"] if layer.get("mark", {}).get("type") == "line"]
    assert [mark["strokeDash"] for mark in lines] == [[5, 4], [1, 0]]
    assert [row["label"] for row in spec["datasets"]["ends"]] == ["95 %", "99.8 %"]
    marks = next(layer for layer in spec["vconcat"][0]["layer"] if layer.get("data") == {"name": "units"})
    shapes = dict(
        zip(marks["encoding"]["shape"]["scale"]["domain"], marks["encoding"]["shape"]["scale"]["range"], strict=True)
    )
    assert len({shapes["inside"], shapes["bad_998"], shapes["good_998"]}) == 3  # shape as well as colour
    rows = {row["name"]: row["label"] for row in spec["datasets"]["units"]}
    assert rows["Bravo"].startswith("Bravo: 10.2 %, n = 40, ")
    low, high = marks["encoding"]["y"]["scale"]["domain"]
    assert all(low <= row["value"] <= high for row in spec["datasets"]["units"])


def test_no_name_covers_another() -> None:
    data = a_funnel((10.0, 10.1, 10.2, 9.9, 10.05, 10.0), (500, 501, 502, 503, 504, 505))
    datasets = charts.funnel(data)["datasets"]
    shown = [row["name"] for side in ("above", "below") for row in datasets[f"names-{side}"]]
    assert len(shown) < 6
    assert len(set(shown)) == len(shown)
    assert {row["name"] for row in datasets["units"]} == set(NAMES)  # the marks are all there and tell their name


def test_words_and_table_are_alphabetical_in_both_languages() -> None:
    data = a_funnel((10.0, 10.5, 9.5, 10.2, 9.8, 45.0), (500, 400, 600, 500, 450, 3000))
    assert [row[0] for row in charts.funnel_table(data).rows] == sorted(NAMES)
    english = charts.funnel_alternative(data)
    assert english.index("Alpha") < english.index("Bravo") < english.index("Foxtrot")
    assert "fewer than 10: the limits are rough" in english
    assert "Data to 2025-10-26." in english
    german = charts.funnel_alternative(data, language="de")
    assert "alle zusammen: " in german
    assert "im Rahmen des Zufalls" in german
    assert "99,8 %" in charts.svg(charts.funnel(data, language="de"), language="de")
