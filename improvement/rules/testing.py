"""Unit tests of rules: weeks are given, findings and actions are expected. The same code judges as in a live cycle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from improvement import weeks
from improvement.errors import Place
from improvement.rules.documents import ExpectPart, GivenPart, RuleTestDocument, TestPart
from improvement.rules.evaluation import points
from improvement.rules.findings import FindingMemory, FindingState, advance
from improvement.rules.given import given_cells
from improvement.rules.judging import Point, Reason
from improvement.rules.opening import Candidate, choose
from improvement.rules.problems import Path, Problems
from improvement.rules.rule import Rule, SeriesKey
from improvement.rules.scope import PRIORITIES, Scope
from improvement.rules.suggestions import did_you_mean
from improvement.rules.units import Amount, number_text
from improvement.rules.vacuous import refuse_accidental, refuse_unseen

if TYPE_CHECKING:
    from improvement.metrics.catalogue import Metric


LONGEST_STORY = 520  # weeks
HALF = 0.5
COURSE_SHOWN = 6  # values before and at an expectation that was not met


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected when ``week`` is the last complete one. None: nothing is said about it."""

    week: int
    scope: Scope
    finding: str | None
    action: str | None  # opened: now · open: now or before · none
    value: Amount | None
    place: Place


@dataclass(frozen=True, slots=True)
class Story:
    """One test: cells by what they count, and what they should lead to."""

    name: str
    cells: Mapping[SeriesKey, pa.Table]
    first_week: int
    expectations: tuple[Expectation, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class RuleTest:
    """The tests of one rule."""

    rule: Rule
    stories: tuple[Story, ...]


@dataclass(frozen=True, slots=True)
class CourseStep:
    """What one week of a story came to in one scope."""

    week: int
    value: str
    target: str
    finding: str
    reason: str  # why the value does not count; empty where it does

    def as_dict(self) -> dict[str, str]:
        """As JSON; the week as its ISO label."""
        return {
            "week": weeks.label(self.week),
            "value": self.value,
            "target": self.target,
            "finding": self.finding,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """One expectation and what was found; ``differences`` maps what differs to (expected, found).

    ``course`` is how the scope came there: its last values, oldest first.
    """

    rule_id: str
    test: str
    week: int
    scope: Scope
    found: Mapping[str, str]
    differences: Mapping[str, tuple[str, str]]
    place: Place
    course: tuple[CourseStep, ...] = ()

    @property
    def is_met(self) -> bool:
        """Nothing differs."""
        return not self.differences

    @property
    def sentence(self) -> str:
        """The outcome as one line."""
        at = f"{self.rule_id}: {self.test}, {weeks.label(self.week)} [{self.scope}]"
        if self.is_met:
            return f"{at}: as expected"
        parts = [f"{name} expected {expected}, found {found}" for name, (expected, found) in self.differences.items()]
        return f"{self.place}: {at}: {'; '.join(parts)}"

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rule": self.rule_id,
            "test": self.test,
            "as_of": weeks.label(self.week),
            "scope": self.scope.as_dict(),
            "ok": self.is_met,
            "found": dict(self.found),
            "differences": {
                name: {"expected": expected, "found": found} for name, (expected, found) in self.differences.items()
            },
            "course": [step.as_dict() for step in self.course],
            "file": self.place.file,
            "line": self.place.line,
            "column": self.place.column,
            "sentence": self.sentence,
        }


def run_tests(tests: tuple[RuleTest, ...] | list[RuleTest]) -> list[Outcome]:
    """Every expectation of every story. Stories stand alone: a safe first day and other rules do not matter."""
    return [outcome for test in tests for story in test.stories for outcome in _run(test.rule, story)]


@dataclass(slots=True)
class _Told:
    """What a story has led to in one scope so far."""

    memory: FindingMemory | None = None
    point: Point | None = None
    opened_week: int | None = None
    is_opened_now: bool = False
    course: list[CourseStep] = field(default_factory=list)


def _run(rule: Rule, story: Story) -> list[Outcome]:
    last = max(expectation.week for expectation in story.expectations)
    empty = next(iter(story.cells.values())).slice(0, 0)
    told: dict[Scope, _Told] = {expectation.scope: _Told() for expectation in story.expectations}
    outcomes = []
    for week in range(story.first_week, last + 1):
        found = points(
            rule, story.cells.get(rule.key, empty), connection="test", week=week, companions=story.cells, also=told
        )
        for point in found:
            _tell(told.setdefault(point.scope, _Told()), point, rule)
        for expectation in story.expectations:
            if expectation.week == week:
                outcomes.append(_judged(rule, story, expectation, told[expectation.scope]))
    return outcomes


def _tell(told: _Told, point: Point, rule: Rule) -> None:
    was_firing = told.memory is not None and told.memory.state is FindingState.FIRING
    told.memory, told.point = advance(told.memory, point, rule), point
    is_firing = told.memory.state is FindingState.FIRING
    told.is_opened_now = False
    told.course.append(course_step(told.memory, point, rule))
    if is_firing and not was_firing:
        candidate = Candidate(
            rule,
            "test",
            point.scope,
            point.week,
            point.size or 0.0,
            point.n,
            has_open_action=told.opened_week is not None,
        )
        if choose([candidate], owner_of=lambda *_: None, open_per_owner={}, budget=1, max_new=1).opened:
            told.opened_week, told.is_opened_now = point.week, True


def course_step(memory: FindingMemory, point: Point, rule: Rule) -> CourseStep:
    """A value and the finding it led to, as people read them."""
    state = memory.state.value.replace("_", " ")
    return CourseStep(
        point.week, value_text(point.value, rule), value_text(point.target.value, rule), state, point.reason
    )


def _judged(rule: Rule, story: Story, expectation: Expectation, told: _Told) -> Outcome:
    state = told.memory.state if told.memory is not None else FindingState.NO_DATA
    value = told.point.value if told.point is not None else None
    found = {
        "finding": "no data" if state is FindingState.NO_DATA else state.value,
        "action": "opened" if told.is_opened_now else "open" if told.opened_week is not None else "none",
        "value": value_text(value, rule),
    }
    differences = {}
    if expectation.finding is not None and expectation.finding != found["finding"]:
        differences["finding"] = (expectation.finding, found["finding"])
    met = {"opened": ("opened",), "open": ("opened", "open"), "none": ("none",)}
    if expectation.action is not None and found["action"] not in met[expectation.action]:
        differences["action"] = (expectation.action, found["action"])
    if _is_none_for_want_of_a_past(expectation, told):
        differences["action"] = ("none of a value that counts", f"none, because of {Reason.SHORT_PAST}")
    if expectation.value is not None and not _is_value(expectation.value, value):
        differences["value"] = (expectation.value.text, found["value"])
    return Outcome(
        rule.id,
        story.name,
        expectation.week,
        expectation.scope,
        found,
        differences,
        expectation.place,
        tuple(told.course[-COURSE_SHOWN:]),
    )


def _is_none_for_want_of_a_past(expectation: Expectation, told: _Told) -> bool:
    """Whether no action is all there could be: nothing ever counted, for the given weeks hold too little of a past."""
    is_alone = (expectation.finding, expectation.action, expectation.value) == (None, "none", None)
    is_short = told.point is not None and told.point.reason == Reason.SHORT_PAST
    return is_alone and is_short and all(step.reason for step in told.course)


def value_text(value: float | None, rule: Rule) -> str:
    """A value as people write it: 11.25% of a share."""
    if value is None:
        return "none"
    return f"{number_text(round(value * 100, 4))}%" if rule.is_share else number_text(round(value, 6))


def _is_value(expected: Amount, found: float | None) -> bool:
    """As exactly as it was written: 11.3% is met by 11.25 %."""
    return found is not None and abs(found - expected.number) <= expected.precision * (1 + 1e-9)


def rule_test_of(
    document: RuleTestDocument, rule: Rule, problems: Problems, catalogue: Mapping[str, Metric]
) -> RuleTest | None:
    """The tests of a document, or None after reporting what is wrong with them."""
    stories = [
        _story(part, ("tests", position), rule, problems, catalogue) for position, part in enumerate(document.tests)
    ]
    return None if problems.errors else RuleTest(rule, tuple(story for story in stories if story is not None))


def _story(part: TestPart, path: Path, rule: Rule, problems: Problems, catalogue: Mapping[str, Metric]) -> Story | None:
    before = len(problems.errors)
    keys = {key.metric: key for key in (*(condition.key for condition in rule.conditions), rule.key)}
    given: dict[SeriesKey, list[tuple[Path, GivenPart, Scope]]] = {}
    for position, entry in enumerate(part.given):
        at = (*path, "given", position)
        name = entry.metric or rule.metric
        if name not in keys:
            problems.add((*at, "metric"), f"The rule does not look at “{name[:60]}”.", did_you_mean(name, keys))
            continue
        scope = _scope(entry.scope, (*at, "scope"), rule, problems)
        if scope is not None:
            given.setdefault(keys[name], []).append((at, entry, scope))
    scopes = sorted({scope for _, _, scope in given.get(rule.key, ())}, key=lambda scope: scope.key)
    cells = {key: given_cells(entries, key.by, problems, catalogue[key.metric]) for key, entries in given.items()}
    expectations = [
        _expectation(expected, (*path, "expect", position), scopes, rule, problems)
        for position, expected in enumerate(part.expect)
    ]
    if len(problems.errors) > before or not given:
        return None
    refuse_unseen(given, rule, problems)
    is_seen = len(problems.errors) == before
    for position, (expected, expectation) in enumerate(zip(part.expect, expectations, strict=True)):
        if expectation is not None and is_seen:
            refuse_accidental(expected, expectation.scope, (*path, "expect", position), given, rule, problems)
    first_week = min(entry.weeks[0] for entries in given.values() for _, entry, _ in entries)
    known = tuple(expectation for expectation in expectations if expectation is not None)
    if any(expectation.week - first_week >= LONGEST_STORY for expectation in known):
        what = "An expectation lies more than ten years after what is given."
        problems.add((*path, "expect"), what, "Move it, or give weeks around it.")
        return None
    return Story(part.name, cells, first_week, known, problems.place((*path, "name")))


def _scope(values: Mapping[str, str], path: Path, rule: Rule, problems: Problems) -> Scope | None:
    for name in values:
        if name not in rule.by:
            problems.add(
                (*path, name), f"The rule does not group by “{name[:60]}”.", did_you_mean(name, rule.by), of_key=True
            )
        elif name == "priority" and values[name] not in PRIORITIES:
            what = "A priority is a whole number from 1 (critical) to 5 (planning)."
            problems.add((*path, name), what, "Write it like priority: 1.")
    missing = [name for name in rule.by if name not in values]
    if missing:
        problems.add(path, f"The scope lacks {', '.join(missing)}.", "Name every dimension the rule groups by.")
    return Scope.of(values) if set(values) == set(rule.by) else None


def _expectation(
    part: ExpectPart, path: Path, scopes: list[Scope], rule: Rule, problems: Problems
) -> Expectation | None:
    if part.scope is not None:
        scope = _scope(part.scope, (*path, "scope"), rule, problems)
    elif len(scopes) == 1:
        scope = scopes[0]
    else:
        scope = None
    if part.scope is None and len(scopes) > 1:
        problems.add(path, f"Which of the {len(scopes)} scopes is meant?", "Add scope: to the expectation.")
    if part.finding is None and part.action is None and part.value is None:
        problems.add(path, "Nothing is expected.", "Add finding, action or value.")
    if part.value is not None and part.value.unit:
        problems.add(
            (*path, "value"),
            "Write the value in the metric's unit, without it.",
            f"Did you mean {number_text(part.value.number)}?",
        )
    if part.value is not None and part.value.is_percent and not rule.is_share:
        problems.add(
            (*path, "value"),
            f"{rule.metric} is not a percentage.",
            f"Did you mean {number_text(part.value.number * 100)}?",
        )
    if part.value is not None and rule.is_share and not part.value.is_percent and part.value.precision >= HALF:
        what = "A share lies between 0 and 1: a whole number says nothing of it."
        problems.add((*path, "value"), what, f"Did you mean {part.value.text}%?")
    if scope is None:
        return None
    return Expectation(part.as_of, scope, part.finding, part.action, part.value, problems.place(path))
