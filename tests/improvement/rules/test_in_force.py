"""Targets in force: one winner for every scope and day, and a version restates only by its dates."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from time import process_time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from improvement import weeks
from improvement.rules import Rule, Scope
from improvement.rules.in_force import Holding, Judged, all_in_force, holding, in_force, restatements
from improvement.rules.rule import Target
from improvement.rules.targets import Winners
from tests.improvement.rules.build import a_rule

SPEC = """
overrides:
  - {when: {country: CH}, target: {max: 8%}}
  - {when: {customer: "Auto*"}, target: {max: 6%}, from: 2026-01-01}
  - {when: {customer: Auto AG}, target: {max: 4%}, from: 2026-01-01, to: 2026-06-30}
  - {when: {service: Mail}, target: {max: 2%}, to: 2025-12-31}
"""
SMALL = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
DAYS = st.dates(date(2025, 6, 1), date(2026, 12, 31))
SCOPES = st.builds(
    lambda customer, country, service: Scope.of({"customer": customer, "country": country, "service": service}),
    st.sampled_from(["Auto AG", "Autohaus", "Bank", None]),
    st.sampled_from(["CH", "DE"]),
    st.sampled_from(["Mail", "Chat"]),
)


@pytest.fixture
def rule(tmp_path: Path) -> Rule:
    return a_rule(tmp_path, SPEC)


def two(folder: Path, before: str, after: str) -> tuple[Rule, Rule]:
    """Two versions of one rule."""
    return a_rule(folder, before), a_rule(folder, after)


def a_scope(customer: str = "Bank", country: str = "DE", service: str = "Chat") -> Scope:
    return Scope.of({"customer": customer, "country": country, "service": service})


@pytest.mark.parametrize(
    ("scope", "day", "text", "level"),
    [
        (a_scope(), "2026-03-01", "max 10%", "global"),
        (a_scope(country="CH"), "2026-03-01", "max 8%", "country"),
        (a_scope("Autohaus", "CH"), "2025-12-31", "max 8%", "country"),  # not yet
        (a_scope("Autohaus", "CH"), "2026-01-01", "max 6%", "customer"),
        (a_scope("Auto AG", "CH"), "2026-06-30", "max 4%", "customer"),  # exact over pattern
        (a_scope("Auto AG", "CH"), "2026-07-01", "max 6%", "customer"),  # a gap in the dates: the level above
        (a_scope("Auto AG", "CH", "Mail"), "2025-12-31", "max 2%", "service"),
    ],
)
def test_level_then_exactness_then_dates_decide(rule: Rule, scope: Scope, day: str, text: str, level: str) -> None:
    found = in_force(rule, scope, date.fromisoformat(day))
    assert (found.text, found.level) == (text, level)
    assert sum(step.has_won for step in found.steps) == 1


def walked(rule: Rule, scope: Scope, day: date) -> tuple[Target, str]:
    """The target in force, found by asking every override."""
    held = [one for one in rule.overrides if one.is_valid_on(day) and one.matches(scope)]
    best = max(held, key=lambda one: (one.level, one.is_exact), default=None)
    return (rule.target, "target") if best is None else (best.target, best.label)


@SMALL
@given(scope=SCOPES, day=DAYS)
def test_it_is_the_target_that_values_are_judged_by(tmp_path: Path, scope: Scope, day: date) -> None:
    rule = a_rule(tmp_path, SPEC)
    found = in_force(rule, scope, day)
    assert (found.target, found.source) == Winners(rule, day).target_of(scope) == walked(rule, scope, day)
    assert all_in_force(rule, [scope], day) == [found]
    assert [step.label for step in found.steps if step.has_won] == [found.source]
    assert found.because


@SMALL
@given(scope=SCOPES, day=DAYS, value=st.none() | st.floats(0, 1))
def test_a_version_restates_nothing_against_itself(
    tmp_path: Path, scope: Scope, day: date, value: float | None
) -> None:
    rule = a_rule(tmp_path, SPEC)
    assert restatements(rule, rule, [Judged(scope, weeks.week_of(day), value, None)]) == []


def test_many_overrides_are_looked_up_and_not_walked(tmp_path: Path) -> None:
    when = (f"{{customer: C{number}, country: CH}}" for number in range(2000))
    overrides = "\n".join(f"  - {{when: {one}, target: {{max: 5%}}}}" for one in when)
    rule, day = a_rule(tmp_path, f"overrides:\n{overrides}"), date(2026, 3, 1)
    scopes = [a_scope(f"C{number}", "CH") for number in range(2000)]
    began = process_time()
    found = all_in_force(rule, scopes, day)
    assert holding(found, "customer") is Holding.OWN
    assert process_time() - began < 1  # walked it takes two seconds here, and 20 with the reasons of all that lost
    assert [one.source for one in found] == [override.label for override in rule.overrides]


def test_whose_target_it_is_is_told_by_what_the_override_names(rule: Rule) -> None:
    day = date(2026, 3, 1)
    swiss, german = in_force(rule, a_scope(country="CH"), day), in_force(rule, a_scope(), day)
    assert holding([swiss, german], "country") is Holding.OWN
    assert holding([german], "country") is Holding.GENERAL
    assert holding([swiss], "customer") is Holding.GENERAL
    assert holding([], "customer") is Holding.NONE


def test_a_date_in_the_past_restates_the_weeks_from_then_on(tmp_path: Path) -> None:
    undated = "overrides:\n  - {when: {country: CH}, target: {max: 8%}}"
    dated = "overrides:\n  - {when: {country: CH}, target: {max: 5%}, from: 2026-02-01}"
    before, after = two(tmp_path, undated, dated)
    first = weeks.week_of(date(2026, 1, 26))  # its Sunday is the first of February
    published = [Judged(a_scope(country="CH"), first + n, 0.06, False) for n in (-1, 0, 1)]
    found = restatements(before, after, [*published, Judged(a_scope(), first, 0.06, False)])
    assert [(one.judged.week - first, one.before, one.after, one.turns) for one in found] == [
        (0, "max 8%", "max 5%", True),
        (1, "max 8%", "max 5%", True),
    ]


def test_a_target_without_dates_restates_nothing(tmp_path: Path) -> None:
    before, after = two(tmp_path, "", "target: {max: 5%}")
    assert restatements(before, after, [Judged(a_scope(), weeks.week_of(date(2026, 1, 26)), 0.06, False)]) == []


def test_a_target_against_the_own_past_is_told_without_a_verdict(tmp_path: Path) -> None:
    own = (
        "overrides:\n  - {when: {country: CH}, target: {worse_than_own: {by: 0.02, reference: 26w}}, from: 2026-01-01}"
    )
    before, after = two(tmp_path, "", own)
    judged = Judged(a_scope(country="CH"), weeks.week_of(date(2026, 1, 26) + timedelta(days=7)), 0.06, False)
    (found,) = restatements(before, after, [judged])
    assert (found.is_breaching, found.turns) == (None, False)
    assert "own 26 weeks" in found.after
