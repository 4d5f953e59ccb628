"""Whatever the numbers are: one verdict, an interval that holds its estimate, plain JSON, and in good time."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from improvement.check import Direction, Goal, Series, detectable
from improvement.check.model import Family
from improvement.check.verdict import TABLE
from tests.improvement.check.build import (
    AFTER,
    CONFIRMATION,
    HISTORY,
    START,
    TRIGGER,
    a_plan,
    a_scope,
    controls,
    looked,
)

WEEKS = HISTORY + TRIGGER + CONFIRMATION + AFTER
GOALS = {"proportion": "-30%", "count": "-30%", "time": "-30%", "score": "-0.25"}


@st.composite
def series(draw: st.DrawFn, family: Family) -> Series:
    """Any weeks at all: gaps, weeks of nothing, of events only, of enormous numbers."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    scale = draw(st.sampled_from([1.0, 7.0, 80.0, 1e6]))
    n = np.round(rng.gamma(1.0, scale, WEEKS)) if draw(st.booleans()) else np.full(WEEKS, scale)
    kind = draw(st.sampled_from(["some", "none", "all", "spikes"]))
    share = {"none": 0.0, "all": 1.0, "some": draw(st.floats(0.01, 0.9)), "spikes": 0.05}[kind]
    y = rng.binomial(n.astype(int), share).astype(float)
    if family != "proportion":
        y = y * draw(st.sampled_from([0.001, 1.0, 300.0]))
    keep = rng.random(WEEKS) < draw(st.sampled_from([1.0, 0.9, 0.5]))
    return Series(START + np.arange(WEEKS)[keep], y[keep], n[keep])


@st.composite
def cases(draw: st.DrawFn) -> tuple[Family, Series, dict[str, Series]]:
    family: Family = draw(st.sampled_from(["proportion", "count", "time", "score"]))
    others = {f"c{n}": draw(series(family)) for n in range(draw(st.integers(0, 4)))}
    return family, draw(series(family)), others


@given(cases())
@settings(max_examples=60, deadline=None)
def test_any_numbers_get_one_verdict_and_plain_json(case: tuple[Family, Series, dict[str, Series]]) -> None:
    family, scope, others = case
    plan = a_plan(family=family, direction=Direction.LOWER, goal=Goal.parse(GOALS[family]))
    found = looked(scope, others, plan)
    assert found.verdict in {row.verdict for row in TABLE}
    assert found.reason
    assert found.sentence
    if found.effect is not None:
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.effect <= found.high
        assert all(math.isfinite(number) for number in (found.low, found.effect, found.high))
    json.dumps(found.as_dict(), allow_nan=False)


def test_a_full_check_takes_a_tenth_of_a_second_at_most() -> None:
    scope, others = a_scope(after=0.08), controls(9)
    looked(scope, others)  # loads statsmodels
    begin = time.process_time()
    for _ in range(10):
        looked(scope, others)
    assert (time.process_time() - begin) / 10 < 0.1


@pytest.mark.parametrize(("volume", "about"), [(20, 0.42), (40, 0.53), (80, 0.61), (150, 0.70)])
def test_more_tickets_show_smaller_effects(volume: int, about: float) -> None:
    found = detectable(a_plan(), a_scope(before=0.15, volume=volume), controls())
    assert found.link is not None
    assert math.exp(-found.link) == pytest.approx(about, abs=0.08)
    assert f"odds ratio {math.exp(-found.link):.2f}" == found.text


@pytest.mark.parametrize(("before", "volume"), [(0.02, 4), (0.05, 4), (0.2, 1)])
def test_where_even_no_event_at_all_would_not_show_nothing_is_detectable(before: float, volume: int) -> None:
    found = detectable(a_plan(), a_scope(before=before, volume=volume), controls())
    assert found.text == "no effect of this kind is detectable with these numbers"
    assert found.link is not None
    spared = looked(a_scope(before=before, after=1e-9, volume=volume), controls())
    assert spared.verdict.value != "improved"  # the best there can be, and it does not show


@pytest.mark.parametrize("volume", range(1, 30))
def test_no_ratio_is_told_with_digits_that_do_not_tell_it(volume: int) -> None:
    for before in (0.01, 0.1, 0.5):
        assert not detectable(a_plan(), a_scope(before=before, volume=volume), controls()).text.endswith(
            ("0.00", "0.01")
        )


def test_the_detectable_effect_is_found_in_four_of_five() -> None:
    """The formula against the check itself: effects of that size are significant in about 80 % of 60 actions."""
    size = detectable(a_plan(), a_scope(before=0.2, volume=80), controls()).link
    assert size is not None
    odds = 0.25 * math.exp(-size)
    hits = [
        (looked(a_scope(0.2, odds / (1 + odds), bad=0.2, seed=seed), controls(seed=1000 + 10 * seed)).high or 2) < 1
        for seed in range(60)
    ]
    assert 0.6 < sum(hits) / len(hits) < 0.97
