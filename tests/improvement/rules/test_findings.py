"""pending → firing → resolved: the fold and its invariants."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from improvement.rules import FindingMemory, FindingState, Rule, advance, fold
from tests.improvement.rules.build import a_point, a_rule

BAD, GOOD, CLEAR, FEW = "bad", "good", "clear", "few"


@pytest.fixture(scope="module")
def rule(tmp_path_factory: pytest.TempPathFactory) -> Rule:
    """For two weeks, cleared by two clear ones."""
    return a_rule(tmp_path_factory.mktemp("rules"))


def told(rule: Rule, values: list[str], *, first_week: int = 100) -> list[FindingMemory]:
    """The memory after each value."""
    memory: FindingMemory | None = None
    found = []
    for week, value in enumerate(values, first_week):
        breaching = {BAD: True, GOOD: False, CLEAR: False, FEW: None}[value]
        memory = advance(
            memory, a_point(week, breaching=breaching, clear=value == CLEAR if breaching is False else None), rule
        )
        found.append(memory)
    return found


@pytest.mark.parametrize(
    ("values", "states"),
    [
        ([CLEAR, BAD, BAD], "ok pending firing"),
        ([BAD, CLEAR, BAD, BAD], "pending ok pending firing"),
        ([BAD, FEW, BAD], "pending pending firing"),  # one value without samples neither counts nor breaks the run
        ([BAD, FEW, FEW, BAD, BAD], "pending pending no_data pending firing"),  # two in a row do
        ([FEW, CLEAR, FEW], "no_data ok no_data"),  # too few is never ok
        ([BAD, BAD, CLEAR, CLEAR, CLEAR], "pending firing firing resolved resolved"),
        ([BAD, BAD, CLEAR, GOOD, CLEAR, CLEAR], "pending firing firing firing firing resolved"),  # hysteresis
        ([BAD, BAD, CLEAR, FEW, CLEAR], "pending firing firing firing resolved"),
        ([BAD, BAD, CLEAR, FEW, FEW, CLEAR, CLEAR], "pending firing firing firing firing firing resolved"),
        ([BAD, BAD, FEW, FEW, FEW], "pending firing firing firing firing"),  # silence resolves nothing
        ([BAD, BAD, CLEAR, CLEAR, BAD, BAD], "pending firing firing resolved pending firing"),
    ],
)
def test_a_finding_goes_through_its_states(rule: Rule, values: list[str], states: str) -> None:
    assert [memory.state.value for memory in told(rule, values)] == states.split()


def test_the_trigger_window_runs_from_the_first_pending_to_the_firing_value(rule: Rule) -> None:
    memory = told(rule, [CLEAR, BAD, FEW, BAD, BAD])[-1]
    assert (memory.first_pending_week, memory.fired_week) == (101, 103)
    assert (memory.trigger_first_week, memory.trigger_last_week) == (98, 103)  # a window of four weeks
    assert (memory.trigger_value, memory.trigger_n, memory.trigger_target, memory.trigger_source) == (
        0.2,
        40,
        0.1,
        "target",
    )


def test_window_four_for_two_looks_at_five_weeks(rule: Rule) -> None:
    memory = told(rule, [BAD, BAD])[-1]
    assert memory.trigger_last_week is not None
    assert memory.trigger_first_week is not None
    assert memory.trigger_last_week - memory.trigger_first_week + 1 == 5


def test_a_firing_finding_keeps_the_value_it_fired_on(rule: Rule) -> None:
    memory = fold(
        [a_point(1, breaching=True), a_point(2, breaching=True, value=0.3), a_point(3, breaching=True, value=0.9)], rule
    )
    assert memory is not None
    assert (memory.trigger_value, memory.times_fired) == (0.3, 1)


def test_the_same_point_twice_changes_nothing(rule: Rule) -> None:
    once = advance(None, a_point(1, breaching=True), rule)
    assert advance(once, a_point(1, breaching=True), rule) == once
    assert advance(once, a_point(0, breaching=False), rule) == once


def test_weeks_nobody_evaluated_count_as_no_samples(rule: Rule) -> None:
    pending = advance(None, a_point(1, breaching=True), rule)
    assert advance(pending, a_point(3, breaching=True), rule).state is FindingState.FIRING
    assert advance(pending, a_point(4, breaching=True), rule).state is FindingState.PENDING


def test_a_rule_that_counts_something_else_starts_over(rule: Rule, tmp_path: Path) -> None:
    firing = told(rule, [BAD, BAD])[-1]
    wider = a_rule(tmp_path, "window: 8w")
    assert advance(firing, a_point(102, breaching=True), wider).state is FindingState.PENDING


def test_a_rule_with_another_target_goes_on(rule: Rule, tmp_path: Path) -> None:
    pending = told(rule, [BAD])[-1]
    stricter = a_rule(tmp_path, "target: {max: 9%}")
    assert advance(pending, a_point(101, breaching=True), stricter).state is FindingState.FIRING


def test_for_one_week_fires_at_once(tmp_path: Path) -> None:
    at_once = a_rule(tmp_path, "trigger: {for: 1w}")
    memory = told(at_once, [BAD])[-1]
    assert memory.state is FindingState.FIRING
    assert (memory.trigger_first_week, memory.trigger_last_week) == (97, 100)


LEGAL = {
    "ok": {"ok", "pending", "no_data"},
    "pending": {"pending", "firing", "ok", "no_data"},
    "firing": {"firing", "resolved"},
    "resolved": {"resolved", "pending", "no_data"},
    "no_data": {"no_data", "ok", "pending"},
}


@given(st.lists(st.sampled_from([BAD, GOOD, CLEAR, FEW]), max_size=40))
def test_no_sequence_takes_an_illegal_step(rule: Rule, values: list[str]) -> None:
    memories = told(rule, values)
    states = ["no_data", *(memory.state.value for memory in memories)]
    assert all(after in LEGAL[before] for before, after in pairwise(states))
    for memory, value in zip(memories, values, strict=True):
        assert 0 <= memory.run <= rule.for_values
        assert memory.clear_run < rule.clear.values
        assert (memory.state is FindingState.FIRING) == (memory.run == rule.for_values)
        assert value != FEW or memory.state is not FindingState.OK
        if memory.state is FindingState.FIRING:
            assert memory.trigger_first_week is not None
            assert memory.trigger_last_week == memory.fired_week


@given(st.lists(st.sampled_from([BAD, GOOD, CLEAR, FEW]), max_size=30), st.integers(0, 30))
def test_a_memory_survives_being_stored(rule: Rule, values: list[str], cut: int) -> None:
    """The live cycle stores the memory each week; a back-test keeps it: both end the same, byte for byte."""
    whole = told(rule, values)
    memory: FindingMemory | None = None
    for week, value in enumerate(values, 100):
        if memory is not None and week % 3 == cut % 3:
            memory = msgspec.convert(msgspec.json.decode(msgspec.json.encode(memory)), FindingMemory)
        breaching = {BAD: True, GOOD: False, CLEAR: False, FEW: None}[value]
        memory = advance(
            memory, a_point(week, breaching=breaching, clear=value == CLEAR if breaching is False else None), rule
        )
    assert not values or msgspec.json.encode(memory) == msgspec.json.encode(whole[-1])
