"""Which other actions stand in the way of crediting ours (guard 8), and which scopes they spoil as controls."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from improvement import weeks
from improvement.check import Windows
from improvement.errors import InputError
from improvement.metrics import DIMENSIONS
from improvement.rules import Scope
from tests.workflows.build import OPENED, an_action
from workflows.actions import opening
from workflows.checks import measuring
from workflows.models import Action

pytestmark = pytest.mark.django_db
LIVE = date(2025, 9, 15)
AFTER = weeks.week_of(LIVE)
WINDOWS = Windows((AFTER - 60, AFTER - 9), (AFTER - 8, AFTER - 4), (AFTER - 3, AFTER - 1), AFTER)


def on(key: str, **fields: object) -> Action:
    """Another action on this scope."""
    scope = Scope.parse(key)
    return an_action(None, rule_id="another", scope=scope.as_dict(), scope_key=scope.key, **fields)


def gating(ours: Action) -> list[str]:
    return [str(other) for other in measuring.other_actions(ours, WINDOWS, last_week=AFTER + 12)]


@pytest.mark.parametrize(
    ("weeks_after", "is_other"),
    [(-61, False), (-40, False), (-9, False), (-8, True), (-2, True), (0, True), (12, True), (13, False)],
)
def test_it_gates_when_it_went_live_after_the_reference(weeks_after: int, is_other: bool) -> None:
    ours = an_action(None, implemented_on=LIVE)
    an_action(None, implemented_on=LIVE + timedelta(weeks=weeks_after), rule_id="another")
    assert bool(gating(ours)) is is_other


@pytest.mark.parametrize(
    ("scope", "is_other"),
    [
        ("country=CH,customer=Acme", True),  # the same
        ("country=CH", True),  # above
        ("", True),  # everything
        ("country=CH,customer=Acme,service=Mail", True),  # inside
        ("customer=Acme,service=Mail", True),  # across: Acme's mail in Switzerland belongs to both
        ("service=Mail", True),
        ("country=CH,customer=Globex", False),
        ("customer=Globex,service=Mail", False),
        ("country=DE,customer=Acme,service=Mail", False),
    ],
)
def test_it_gates_on_every_scope_that_shares_records(scope: str, is_other: bool) -> None:
    ours = an_action(None, implemented_on=LIVE)
    on(scope, implemented_on=LIVE)
    assert bool(gating(ours)) is is_other


def test_it_is_told_by_code_and_scope() -> None:
    ours = an_action(None, implemented_on=LIVE)
    other = on("customer=Acme,service=Mail", implemented_on=LIVE)
    assert gating(ours) == [f"{other.code}: customer=Acme,service=Mail"]


def test_our_own_and_another_metric_do_not_gate() -> None:
    ours = an_action(None, implemented_on=LIVE)
    an_action(None, implemented_on=LIVE, rule_id="another", metric="reopen_rate")
    assert not gating(ours)


@pytest.mark.parametrize(
    ("scope", "dropped"),
    [
        ("country=CH,customer=Globex", ["Globex"]),
        ("country=CH,customer=Globex,service=Mail", ["Globex"]),  # inside a control
        ("customer=Initech,service=Mail", ["Initech"]),  # across it
        ("country=CH", ["Globex", "Initech"]),  # above both
        ("service=Mail", []),  # works in ours as in every control
        ("country=CH,customer=Acme,service=Mail", []),  # inside ours
    ],
)
def test_a_control_in_whose_records_others_act_is_dropped(scope: str, dropped: list[str]) -> None:
    ours = an_action(None, implemented_on=LIVE)
    on(scope)
    controls = {name: {"country": "CH", "customer": name} for name in ("Globex", "Initech")}
    assert sorted(measuring.acting_controls(ours, controls, first_week=AFTER - 60, at=OPENED)) == dropped


@pytest.mark.parametrize("text", ["", "customer", "customer=Acme,", "person=Anna"])
def test_a_scope_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="scope"):
        opening.pairs(text, "scope", DIMENSIONS)


def test_a_name_in_a_scope_may_have_commas_and_equals_signs() -> None:
    assert opening.pairs(r"customer=Acme\, Inc., service = a\=b", "scope", DIMENSIONS) == {
        "customer": "Acme, Inc.",
        "service": "a=b",
    }
