"""Rule tests as people read them: every story a line, every difference as expected and found, and how it came there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from improvement import weeks
from improvement.rules import Outcome
from workflows.rules.lines import BAD, GOOD, HEAD, QUIET, Line, columns


@dataclass(frozen=True, slots=True)
class TestReport:
    """The outcomes of a run, and the rules that nothing tests."""

    outcomes: tuple[Outcome, ...]
    untested: tuple[str, ...] = ()

    @property
    def failed(self) -> list[Outcome]:
        """The expectations that were not met."""
        return [outcome for outcome in self.outcomes if not outcome.is_met]

    @property
    def tests(self) -> int:
        """How many stories ran."""
        return len({(outcome.rule_id, outcome.test) for outcome in self.outcomes})

    @property
    def failed_tests(self) -> int:
        """How many stories did not go as expected."""
        return len({(outcome.rule_id, outcome.test) for outcome in self.failed})

    @property
    def only_failed(self) -> TestReport:
        """The stories that did not go as expected, without the others."""
        failed = {(outcome.rule_id, outcome.test) for outcome in self.failed}
        return TestReport(tuple(one for one in self.outcomes if (one.rule_id, one.test) in failed), self.untested)

    @property
    def summary(self) -> str:
        """The run in a sentence."""
        passed = self.tests - self.failed_tests
        text = f"{passed} passed, {self.failed_tests} failed ({len(self.outcomes)} expectations)"
        return f"{text}; without a test: {', '.join(self.untested)}" if self.untested else text

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "passed": self.tests - self.failed_tests,
            "failed": self.failed_tests,
            "untested": list(self.untested),
            "expectations": [outcome.as_dict() for outcome in self.outcomes],
        }

    def lines(self) -> Iterator[Line]:
        """The report, rule by rule."""
        for rule_id, of_rule in groupby(self.outcomes, key=lambda outcome: outcome.rule_id):
            yield Line(rule_id, HEAD)
            for test, of_test in groupby(of_rule, key=lambda outcome: outcome.test):
                yield from _story(test, list(of_test))
        yield Line(self.summary, BAD if self.failed else GOOD)


def _story(test: str, outcomes: Sequence[Outcome]) -> Iterable[Line]:
    failed = [outcome for outcome in outcomes if not outcome.is_met]
    if not failed:
        yield Line(f"  ok    {test}", GOOD)
        return
    yield Line(f"  FAIL  {test}", BAD)
    for outcome in failed:
        yield Line(f"        {outcome.place}: at the end of {weeks.label(outcome.week)} [{outcome.scope}]")
        for name, (expected, found) in outcome.differences.items():
            yield Line(f"        - {name}: {expected}   (expected)", BAD)
            yield Line(f"        + {name}: {found}   (found)", GOOD)
        if outcome.course:
            yield Line("          how it came there:", QUIET)
        rows = [
            (weeks.label(step.week), step.value, step.reason or f"target {step.target}", step.finding)
            for step in outcome.course
        ]
        yield from (Line(text, QUIET) for text in columns(rows, indent=10, right=frozenset({1})))


def report_of(outcomes: Sequence[Outcome], rule_ids: Iterable[str]) -> TestReport:
    """The report of a run over these rules; derived rules count as tested with the rule they come from."""
    tested = {outcome.rule_id for outcome in outcomes}
    untested = tuple(rule_id for rule_id in rule_ids if rule_id not in tested and "@" not in rule_id)
    return TestReport(tuple(outcomes), untested)
