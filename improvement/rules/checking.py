"""``rules check``: everything that can be said about rule files without any data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improvement.errors import InputError, RegelkreisError
from improvement.rules.flow_down import unreached, without_slack
from improvement.rules.loading import load
from improvement.rules.overlapping import overlaps
from improvement.rules.rule import Mode, Rule
from improvement.rules.testing import RuleTest
from improvement.rules.unreachable import idle_overrides, late_clear

if TYPE_CHECKING:
    from improvement.metrics.catalogue import Metric


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was found. Warnings do not keep a rule from being live."""

    files: int
    rules: tuple[Rule, ...]
    tests: tuple[RuleTest, ...]
    errors: tuple[RegelkreisError, ...]
    warnings: tuple[RegelkreisError, ...]

    @property
    def is_valid(self) -> bool:
        """No errors."""
        return not self.errors

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "files": self.files,
            "rules": [
                {"id": rule.id, "mode": rule.mode.value, "metric": rule.metric, "sha256": rule.sha256}
                for rule in self.rules
            ],
            "tests": sum(len(test.stories) for test in self.tests),
            "errors": [error.as_dict() for error in self.errors],
            "warnings": [warning.as_dict() for warning in self.warnings],
        }


def check_paths(
    paths: Sequence[Path | str],
    *,
    catalogue: Mapping[str, Metric] | None = None,
    within: Path | None = None,
    today: date | None = None,
) -> CheckReport:
    """Check rule files and folders; never raises for what they hold. ``within``: see :func:`load`.

    Of overrides that ended before ``today`` suppliers are not told.
    """
    loaded = load(paths, catalogue=catalogue, within=within)
    warnings = [
        *overlaps(loaded.rules),
        *_idle(loaded.rules, today),
        *_unreached(loaded.rules, today),
        *_untested(loaded.rules, loaded.tests, bool(loaded.errors)),
        *_goalless(loaded.rules),
    ]
    return CheckReport(loaded.files, tuple(loaded.rules), tuple(loaded.tests), tuple(loaded.errors), tuple(warnings))


def _idle(rules: list[Rule], today: date | None) -> Iterator[RegelkreisError]:
    for rule in rules:
        if rule.derived_from is None:
            yield from idle_overrides(rule, today)
            late = late_clear(rule)
            if late is not None:
                yield late


def _unreached(rules: list[Rule], today: date | None) -> list[InputError]:
    by_id = {rule.id: rule for rule in rules}
    pairs = [(by_id[below.derived_from], below) for below in rules if below.derived_from in by_id]
    found = []
    for rule, below in pairs:
        found += [*unreached(rule, below, today=today), *without_slack(rule, below, today=today)]
        if rule.conditions:
            what = f"{below.id} fires whether the while of {rule.id} holds or not: it is not passed on to suppliers."
            found.append(InputError(what, where=rule.place, mend="Give suppliers a rule of their own instead."))
    return found


def _untested(rules: list[Rule], tests: list[RuleTest], has_errors: bool) -> list[RegelkreisError]:
    if has_errors:  # its test may be among what could not be read
        return []
    tested = {test.rule.id for test in tests}
    return [
        InputError(
            f"{rule.id} has no test.", where=rule.place, mend="Add a RuleTest: two bad weeks, and what you expect."
        )
        for rule in rules
        if rule.derived_from is None and rule.id not in tested
    ]


def _goalless(rules: list[Rule]) -> list[RegelkreisError]:
    return [
        InputError(
            f"Actions of {rule.id} begin without a goal.",
            where=rule.place,
            mend="Add check.goal, or let owners set it.",
        )
        for rule in rules
        if rule.derived_from is None
        and rule.mode is not Mode.OBSERVE
        and rule.family is not None
        and rule.check.goal is None
    ]
