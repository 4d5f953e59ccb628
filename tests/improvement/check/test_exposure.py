"""A count told per so many users: its unit, its sentence, and what a growing customer would else be blamed for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from improvement.check import Exposure, Series, Verdict
from improvement.check.model import CheckPlan
from tests.improvement.check.build import AFTER, CONFIRMATION, HISTORY, START, TRIGGER, a_plan, looked

WEEKS = HISTORY + TRIGGER + CONFIRMATION + AFTER
USERS = Exposure("users", 1000, ("customer=Acme",), ("control-3",))


def a_count(level: float, after: float, *, seed: int = 1, grows: float = 1.0) -> Series:
    """Incidents a week around one level and another since go-live, with thousands of users in the denominator."""
    is_after = np.arange(WEEKS) >= WEEKS - AFTER
    y = np.random.default_rng(seed).poisson(np.where(is_after, after, level)).astype(float)
    return Series(START + np.arange(WEEKS), y, np.where(is_after, grows, 1.0))


def others() -> dict[str, Series]:
    return {f"control-{number}": a_count(40, 40, seed=50 + number) for number in range(5)}


def plan(exposure: Exposure | None) -> CheckPlan:
    unit = f"tickets {exposure.text}".strip() if exposure is not None else "tickets"
    return a_plan(metric="incident_count", family="count", unit=unit, exposure=exposure)


def test_half_as_many_users_more_report_half_as_much_more_and_nothing_is_worse() -> None:
    by_week = a_count(40, 60)
    per_user = replace(by_week, denominator=a_count(40, 60, grows=1.5).denominator)
    assert looked(by_week, others(), plan(None)).verdict is Verdict.WORSE
    found = looked(per_user, others(), plan(USERS))
    assert found.effect == pytest.approx(1.0, abs=0.1)
    assert found.verdict is not Verdict.WORSE


def test_the_pre_trend_is_one_per_user_as_well() -> None:
    """Incidents fall as users leave; per user nothing was improving before."""
    users = np.linspace(1.4, 0.8, WEEKS)
    falling = Series(START + np.arange(WEEKS), np.random.default_rng(2).poisson(40 * users).astype(float), users)
    by_week = replace(falling, denominator=np.ones(WEEKS))

    def slope(series: Series, exposure: Exposure | None) -> float:
        figures = next(guard for guard in looked(series, others(), plan(exposure)).guards if guard.number == 3).figures
        return float(figures["slope_a_year"])

    assert slope(by_week, None) < -0.2
    assert abs(slope(falling, USERS)) < 0.12


def test_it_is_told_per_what_and_how_many_there_were() -> None:
    found = looked(a_count(40, 40, grows=1.5), others(), plan(USERS))
    assert found.exposure["reference"] == 1000
    assert found.exposure["after"] == 1500
    assert found.metric_unit == "tickets per 1 000 users"
    assert "Counted per 1 000 users: on average 1 000 in the reference, 1 500 after" in found.sentence
    assert "1 control without a number counts every week the same" in found.sentence
    assert "Gezählt je 1 000 Nutzer: im Mittel 1 000 in der Referenz, 1 500 danach" in found.sentence_de
    assert found.as_dict()["exposure"]["of"] == ["customer=Acme"]


def test_the_plain_comparison_counts_by_the_week_like_a_dashboard() -> None:
    found = looked(a_count(40, 60, grows=1.5), others(), plan(USERS))
    assert found.naive["effect"] == pytest.approx(1.5, rel=0.1)
    assert found.naive["after"] == pytest.approx(60, rel=0.1)
    assert found.naive_text.split(" (")[0].endswith("tickets")


def test_a_number_that_begins_too_late_is_told_and_not_used() -> None:
    late = Exposure("assets", known_from="2025-03-01")
    found = looked(a_count(40, 40), others(), plan(late))
    assert "Assets are known from 2025-03-01 on only" in found.sentence
    assert "Assets sind erst ab 2025-03-01 bekannt" in found.sentence_de
    assert found.exposure["reference"] is None
    assert found.metric_unit == "tickets"


def test_without_exposure_nothing_is_told() -> None:
    found = looked(a_count(40, 40), others(), plan(None))
    assert found.exposure == {}
    assert "ounted per" not in found.sentence
    assert found.windows["after"].first_week  # type: ignore[union-attr]
    assert found.windows["after"].n == AFTER == found.windows["after"].weeks  # type: ignore[union-attr]
