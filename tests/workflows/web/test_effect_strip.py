"""The effect strip: what the look found, what a plain comparison says, and what came of firings nobody acted on."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import translation

from tests.workflows.web.conftest import Visit
from tests.workflows.web.stage import Stage
from workflows.models import Look, LookKind
from workflows.web.drawings import cited_lines, effect_strip, extent_of

RESULT: dict[str, Any] = {
    "effect": 0.5, "low": 0.3, "high": 0.8, "unit": "odds ratio", "naive": {"before": 0.2, "after": 0.1, "effect": 0.4},
}  # fmt: skip
LINE = {"firings": 9, "effect": 0.7, "low": 0.5, "high": 1.1, "unit": "odds ratio"}


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    """Whatever language a page was shown in before."""
    with translation.override("en"):
        yield


def place(value: float, extent: float) -> float:
    """Where a ratio lies on the strip of 200 pixels, lower being better and to the right."""
    return 100 + 92 * (-math.log(value)) / extent


def number_of(name: str, drawing: str) -> list[float]:
    return [float(found) for found in re.findall(rf'{name}="([\d.]+)"', drawing)]


def test_the_band_lies_where_past_firings_do_and_their_mean_is_a_line() -> None:
    result = {**RESULT, "untreated": LINE}
    extent = extent_of([result])
    assert extent == pytest.approx(-math.log(0.3))
    drawing = effect_strip(result, extent, -1)
    band = re.search(r'<rect class="strip-band" x="([\d.]+)" y="2" width="([\d.]+)"', drawing)
    assert band is not None
    left, width = float(band[1]), float(band[2])
    assert left == pytest.approx(place(1.1, extent), abs=0.1)
    assert left + width == pytest.approx(place(0.5, extent), abs=0.2)
    mean = re.search(r'<line class="strip-untreated" x1="([\d.]+)"', drawing)
    assert mean is not None
    assert float(mean[1]) == pytest.approx(place(0.7, extent), abs=0.1)
    assert "past firings that nobody acted on: 0.70 (0.50 … 1.10)" in drawing


def test_the_plain_figure_is_a_hollow_mark_of_its_own_shape() -> None:
    drawing = effect_strip(RESULT, 2.0, -1)
    points = re.search(r'<polygon class="strip-plain" points="([^"]+)"', drawing)
    assert points is not None
    across = [float(pair.split(",")[0]) for pair in points[1].split()]
    assert sum(across) / 4 == pytest.approx(place(0.4, 2.0), abs=0.1)
    assert "plain before–after comparison: 0.40" in drawing
    assert "strip-plain" not in effect_strip({**RESULT, "naive": {"effect": None}}, 2.0, -1)


def test_without_a_cited_line_there_is_no_band_and_the_strip_says_so() -> None:
    for untreated in ({}, {"firings": 0, "effect": None, "low": None, "high": None}):
        drawing = effect_strip({**RESULT, "untreated": untreated}, 2.0, -1)
        assert "strip-band" not in drawing
        assert "strip-untreated" not in drawing
        assert "no line of past firings is cited" in drawing
        with translation.override("de"):
            assert "keine Linie früherer Auslösungen zitiert" in effect_strip(RESULT, 2.0, -1)


def test_a_line_counted_before_bands_were_kept_is_a_line_alone() -> None:
    drawing = effect_strip({**RESULT, "untreated": {"firings": 4, "effect": 0.7}}, 2.0, -1)
    assert "strip-untreated" in drawing
    assert "strip-band" not in drawing
    assert "past firings that nobody acted on: 0.70" in drawing


def test_points_are_drawn_as_they_are_and_ratios_by_their_logarithm() -> None:
    points = {"effect": 0.2, "low": -0.1, "high": 0.5, "unit": "points", "naive": {"effect": 0.4}, "untreated": {}}
    assert extent_of([points]) == 0.5
    drawing = effect_strip(points, 0.5, 1)
    assert number_of("cx", drawing) == [pytest.approx(100 + 92 * 0.2 / 0.5, abs=0.1)]
    assert effect_strip({**RESULT, "low": 0.0}, 1.0, -1) == effect_strip(None, 1.0, -1)
    assert extent_of([None, {}, {**RESULT, "effect": None}]) == 1.0


def test_every_figure_that_is_drawn_fits_the_common_scale() -> None:
    wide = {**RESULT, "untreated": {**LINE, "high": 4.0}}
    assert extent_of([RESULT, wide]) == pytest.approx(math.log(4.0))
    assert cited_lines([RESULT, wide, None]) == 1


@pytest.mark.django_db
def test_the_page_explains_the_band_or_why_there_is_none(stage: Stage, as_person: Visit) -> None:
    code = stage.code("improved")
    look = Look.objects.get(action=stage.actions["improved"], kind=LookKind.FINAL)
    without = as_person("olga").get(f"/actions/{code}/").content.decode()
    assert "There is no band of past firings that nobody acted on: nobody has counted yet" in without
    assert "strip-band" not in without
    look.result = {**(look.result or {}), "untreated": LINE}
    look.save()
    cited = as_person("olga", language="de").get(f"/actions/{code}/").content.decode()
    assert "strip-band" in cited
    assert "acht von zehn liegen im Band" in cited
    assert "Ein Band früherer Auslösungen" not in cited
