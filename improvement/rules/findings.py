"""From points to findings: a pure fold, one step per value.

``ok → pending → firing → resolved``, and ``no_data`` where there are too few samples (never *ok*). A value without
enough samples neither counts nor breaks a run; two in a row do. The same memory and point give the same result, and a
point that was already seen changes nothing, so a cycle may be repeated.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec.structs import replace

from improvement.rules.judging import Point
from improvement.rules.rule import Rule

BREAKS_A_RUN = 2  # values without enough samples in a row


class FindingState(StrEnum):
    """What a rule knows about a scope."""

    OK = "ok"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"
    NO_DATA = "no_data"


class FindingMemory(msgspec.Struct, frozen=True, kw_only=True):
    """All a finding remembers between two values. Weeks are ISO weeks as integers (improvement/weeks.py).

    The trigger window, never used for estimation, is ``trigger_first_week … trigger_last_week``: from the first week of
    the first pending value's window to the last week of the firing value's window.
    """

    state: FindingState
    series: str  # Rule.series_sha256: another one starts over
    last_week: int  # of the last value seen
    run: int = 0  # consecutive breaching values
    missing: int = 0  # consecutive values without enough samples
    clear_run: int = 0  # consecutive clear values while firing
    first_pending_week: int | None = None
    pending_window_first: int | None = None
    fired_week: int | None = None
    resolved_week: int | None = None
    times_fired: int = 0
    trigger_first_week: int | None = None
    trigger_last_week: int | None = None
    trigger_value: float | None = None
    trigger_n: int | None = None
    trigger_target_kind: str | None = None
    trigger_target: float | None = None
    trigger_source: str | None = None  # the winning override, pinned


def advance(memory: FindingMemory | None, point: Point, rule: Rule) -> FindingMemory:
    """The memory after one more value. Values come in the order of their weeks; an old one changes nothing."""
    if memory is None or memory.series != rule.series_sha256:
        memory = FindingMemory(
            state=FindingState.NO_DATA, series=rule.series_sha256, last_week=point.week - rule.every_weeks
        )
    elif point.week <= memory.last_week:
        return memory
    skipped = (point.week - memory.last_week) // rule.every_weeks - 1
    if skipped > 0:
        memory = _without_samples(memory, skipped)
    if point.is_breaching is None:
        memory = _without_samples(memory, 1)
    elif point.is_breaching:
        memory = _breaching(memory, point, rule)
    else:
        memory = _kept(memory, point, rule)
    return replace(memory, last_week=point.week)


def fold(points: list[Point], rule: Rule, memory: FindingMemory | None = None) -> FindingMemory | None:
    """All values of one scope in order."""
    for point in points:
        memory = advance(memory, point, rule)
    return memory


def _without_samples(memory: FindingMemory, values: int) -> FindingMemory:
    missing = memory.missing + values
    if missing < BREAKS_A_RUN:
        is_running = memory.state in (FindingState.FIRING, FindingState.PENDING)
        return replace(memory, missing=missing, state=memory.state if is_running else FindingState.NO_DATA)
    if memory.state is FindingState.FIRING:  # silence resolves nothing
        return replace(memory, missing=missing, clear_run=0)
    return replace(_run_broken(memory), missing=missing, state=FindingState.NO_DATA)


def _breaching(memory: FindingMemory, point: Point, rule: Rule) -> FindingMemory:
    memory = replace(memory, missing=0, clear_run=0)
    if memory.state is FindingState.FIRING:
        return memory
    run = memory.run + 1
    if run == 1:
        memory = replace(memory, first_pending_week=point.week, pending_window_first=point.first_week)
    if run < rule.for_values:
        return replace(memory, run=run, state=FindingState.PENDING)
    return replace(
        memory,
        run=run,
        state=FindingState.FIRING,
        fired_week=point.week,
        resolved_week=None,
        times_fired=memory.times_fired + 1,
        trigger_first_week=memory.pending_window_first,
        trigger_last_week=point.week,
        trigger_value=point.value,
        trigger_n=point.n,
        trigger_target_kind=point.target.kind,
        trigger_target=point.target.value,
        trigger_source=point.target.source,
    )


def _kept(memory: FindingMemory, point: Point, rule: Rule) -> FindingMemory:
    memory = replace(memory, missing=0)
    if memory.state is FindingState.FIRING:
        clear_run = memory.clear_run + 1 if point.is_clear else 0
        if clear_run < rule.clear.values:
            return replace(memory, clear_run=clear_run)
        cleared = _run_broken(memory)
        return replace(cleared, state=FindingState.RESOLVED, resolved_week=point.week, clear_run=0)
    state = FindingState.RESOLVED if memory.state is FindingState.RESOLVED else FindingState.OK
    return replace(_run_broken(memory), state=state)


def _run_broken(memory: FindingMemory) -> FindingMemory:
    return replace(memory, run=0, first_pending_week=None, pending_window_first=None)
