"""What `rules restated` prints."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from improvement.metrics import metric_named
from workflows.models import Finding, Point
from workflows.restating.restated_values import Restatement


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [(0.25, 0.26, "25.0 %  →  26.0 %"), (0.0137, 0.0141, "0.0137  →  0.0141"), (None, 0.01, "–  →  1.0 %")],
)
def test_values_that_rounding_would_make_the_same_are_told_apart(old: float | None, new: float, told: str) -> None:
    point = Point(finding=Finding(scope_key="customer=Acme"), week=2900, value=old, later_value=new)
    at = datetime(2026, 3, 2, tzinfo=UTC)
    metric = metric_named("reopen_rate")
    lines = Restatement("reopened", "snow", at, 1, ("ticket resolved_at",), (point,), metric, (), ()).lines()
    assert any(line.text.endswith(told) for line in lines)
