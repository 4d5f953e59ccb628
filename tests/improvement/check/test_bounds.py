"""How far an effect must lie from zero at each look."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

from improvement.check.bounds import bounds, quantile


def test_the_planned_looks_have_the_published_bounds() -> None:
    assert list(bounds((4, 8, 13)).values()) == pytest.approx([3.597, 2.544, 1.995], abs=1e-3)


def test_five_equal_looks_have_obrien_and_flemings_constant() -> None:
    """2.040 for five looks at two-sided 5 % (Jennison & Turnbull 2000, table 2.3)."""
    found = bounds((1, 2, 3, 4, 5))
    assert found[5] == pytest.approx(2.040, abs=2e-3)
    assert found[1] == pytest.approx(2.040 * np.sqrt(5), abs=5e-3)


def test_one_look_is_an_ordinary_test() -> None:
    assert bounds((13,)) == {13: pytest.approx(1.95996, abs=1e-5)}


def test_looking_three_times_at_nothing_is_wrong_in_five_percent() -> None:
    """Sums of noise, looked at after 4, 8 and 13 weeks."""
    steps = np.random.default_rng(1).standard_normal((100_000, 13)).cumsum(axis=1)
    crossed = np.zeros(len(steps), dtype=bool)
    for look, bound in bounds((4, 8, 13)).items():
        crossed |= np.abs(steps[:, look - 1] / np.sqrt(look)) >= bound
    assert crossed.mean() == pytest.approx(0.05, abs=0.003)


def test_the_t_quantile_has_the_tail_of_the_z_bound() -> None:
    assert t.sf(quantile(2.544, 63), 63) == pytest.approx(norm.sf(2.544), rel=1e-9)
