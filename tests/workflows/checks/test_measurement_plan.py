"""What a measurement plan states of where its numbers come from."""

from __future__ import annotations

from datetime import date

import pytest

from tests.workflows.build import GOLIVE, an_action
from workflows.actions import planning

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("metric", "table"),
    [("sla_breach_rate", "slas"), ("reopen_rate", "tickets"), ("csat_mean", "surveys"), ("contact_gap", "contacts")],
)
def test_the_table_that_is_counted_is_named(metric: str, table: str) -> None:
    plan = planning.document(an_action(None, metric=metric, goal="", golive_planned=GOLIVE))
    assert plan["data_source"]["table"] == table
    assert plan["data_source"]["connection"] == "snow"


def test_windows_are_dates_from_monday_to_sunday() -> None:
    windows = planning.document(an_action(None, golive_planned=GOLIVE))["windows"]
    for name in ("reference", "trigger", "confirmation"):
        first, last = (date.fromisoformat(windows[name][end]) for end in ("from", "to"))
        assert (first.isoweekday(), last.isoweekday()) == (1, 7)
        assert first < last
