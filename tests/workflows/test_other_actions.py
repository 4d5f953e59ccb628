"""Guard 8: which other actions on a scope stand in the way of crediting ours."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from improvement import weeks
from improvement.check import Windows
from tests.workflows.build import an_action
from workflows import measuring

pytestmark = pytest.mark.django_db
LIVE = date(2025, 9, 15)
AFTER = weeks.week_of(LIVE)
WINDOWS = Windows((AFTER - 60, AFTER - 9), (AFTER - 8, AFTER - 4), (AFTER - 3, AFTER - 1), AFTER)


@pytest.mark.parametrize(
    ("weeks_after", "is_other"),
    [(-61, False), (-40, False), (-9, False), (-8, True), (-2, True), (0, True), (12, True), (13, False)],
)
def test_it_gates_when_it_went_live_after_the_reference(weeks_after: int, is_other: bool) -> None:
    ours = an_action(None, implemented_on=LIVE)
    an_action(None, implemented_on=LIVE + timedelta(weeks=weeks_after), rule_id="another")
    assert measuring.other_action(ours, WINDOWS, last_week=AFTER + 12) is is_other


@pytest.mark.parametrize(
    ("scope", "is_other"),
    [
        ({"country": "CH"}, True),  # a parent
        ({"country": "CH", "customer": "Globex"}, False),
    ],
)
def test_it_gates_on_the_same_scope_and_on_parents_of_it(scope: dict[str, str], is_other: bool) -> None:
    ours = an_action(None, implemented_on=LIVE)
    an_action(None, implemented_on=LIVE, rule_id="another", scope=scope)
    assert measuring.other_action(ours, WINDOWS, last_week=AFTER + 12) is is_other


def test_our_own_and_another_metric_do_not_gate() -> None:
    ours = an_action(None, implemented_on=LIVE)
    an_action(None, implemented_on=LIVE, rule_id="another", metric="reopen_rate")
    assert not measuring.other_action(ours, WINDOWS, last_week=AFTER + 12)
