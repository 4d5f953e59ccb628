"""Of many verdicts some look significant by chance: each is held against the others of its quarter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from improvement.errors import InputError
from tests.workflows import build
from workflows.checks.many_verdicts import final_verdicts
from workflows.models import Action, Look, LookKind

pytestmark = pytest.mark.django_db


@pytest.fixture
def decided(django_user_model: Any) -> Any:
    owner, approver = build.an_owner(), build.an_approver()

    def one(p_value: float | None, at: datetime) -> Look:
        country = f"X{Action.objects.count()}"  # only one action may run on a scope
        action = build.an_action(owner, scope={"country": country}, scope_key=f"country={country}")
        look = build.looked(build.live(action, approver), at=at)[1].look
        assert look is not None
        look.result = {**(look.result or {}), "p_value": p_value}
        look.save()
        return look

    return one


def test_a_verdict_that_is_significant_alone_may_not_be_among_many(decided: Any) -> None:
    may = datetime(2026, 5, 4, tzinfo=UTC)
    looks = [decided(p, may) for p in (0.001, 0.04, 0.3, 0.6, None)]
    found = {one.look.pk: one for one in final_verdicts("2026Q2")}
    assert [found[look.pk].q_value for look in looks] == pytest.approx([0.004, 0.08, 0.4, 0.6, None])
    assert [found[look.pk].stands for look in looks] == [True, False, False, False, None]
    assert {one.among for one in found.values()} == {4}


def test_each_quarter_is_for_itself_and_looks_that_are_not_final_do_not_count(decided: Any) -> None:
    decided(0.04, datetime(2026, 3, 31, 23, 59, tzinfo=UTC))
    decided(0.9, datetime(2026, 4, 1, tzinfo=UTC))
    provisional = decided(0.01, datetime(2026, 4, 1, tzinfo=UTC))
    provisional.kind = LookKind.LOOK
    provisional.week_no = 5
    provisional.save()
    assert [(one.quarter, one.among, one.q_value) for one in final_verdicts()] == [
        ("2026Q1", 1, 0.04),
        ("2026Q2", 1, 0.9),
    ]
    assert final_verdicts("2030Q1") == []


def test_at_an_earlier_moment_a_verdict_stands_among_those_known_then(decided: Any) -> None:
    decided(0.04, datetime(2026, 1, 12, tzinfo=UTC))
    decided(0.9, datetime(2026, 2, 9, tzinfo=UTC))
    (alone,) = final_verdicts("2026Q1", datetime(2026, 1, 31, tzinfo=UTC))
    assert (alone.among, alone.stands) == (1, True)
    assert [one.stands for one in final_verdicts("2026Q1")] == [False, False]


@pytest.mark.parametrize("text", ["2026", "2026Q5", "26Q1", "2026q1", "", "٢٠٢٦Q1"])
def test_what_is_no_quarter_is_told(text: str) -> None:
    with pytest.raises(InputError, match="Write it like 2026Q1"):
        final_verdicts(text)


@pytest.mark.parametrize("text", ["0000Q1", "1989Q4", "2101Q1", "9999Q4"])
def test_a_quarter_outside_our_time_is_refused_as_a_period_would_be(text: str) -> None:
    with pytest.raises(InputError, match="outside 1990 to 2100") as refused:
        final_verdicts(text)
    assert (str(refused.value.where), refused.value.mend) == ("--quarter", "Write it like 2026Q1.")
