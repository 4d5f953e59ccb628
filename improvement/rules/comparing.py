"""Two versions of a rule: which keys differ, and which findings. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from improvement import weeks
from improvement.rules.replaying import Replay
from improvement.rules.rule import Rule
from improvement.rules.scope import Scope

Place = tuple[str, Scope]  # connection and scope


@dataclass(frozen=True, slots=True)
class Change:
    """A key of the document with its values before and after; None: it is not there."""

    key: str
    before: Any
    after: Any

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"key": self.key, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class Shift:
    """A scope that fires at other times; the weeks in which it began to fire under each version."""

    connection: str
    scope: Scope
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def sign(self) -> str:
        """+ new, - gone, ~ at another time."""
        return "+" if not self.before else "-" if not self.after else "~"

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "connection": self.connection,
            "scope": self.scope.as_dict(),
            "what": {"+": "new", "-": "gone", "~": "moved"}[self.sign],
            "before": [weeks.label(week) for week in self.before],
            "after": [weeks.label(week) for week in self.after],
        }


@dataclass(frozen=True, slots=True)
class RuleDiff:
    """A rule under two versions; one of them is None where the rule is new or gone."""

    before: Rule | None
    after: Rule | None
    changes: tuple[Change, ...]
    shifts: tuple[Shift, ...]
    fired: tuple[int, int]
    opened: tuple[int, int]

    @property
    def rule_id(self) -> str:
        """The rule's id."""
        rule = self.after or self.before
        return rule.id if rule is not None else ""

    @property
    def is_same(self) -> bool:
        """Both versions are one."""
        return self.before is not None and self.after is not None and self.before.sha256 == self.after.sha256

    @property
    def starts_over(self) -> bool:
        """The new version counts something else, so its series begin anew and its findings with them."""
        both = self.before is not None and self.after is not None
        return both and self.before.series_sha256 != self.after.series_sha256  # type: ignore[union-attr]

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rule": self.rule_id,
            "before": self.before.sha256 if self.before else None,
            "after": self.after.sha256 if self.after else None,
            "same": self.is_same,
            "starts_new_series": self.starts_over,
            "changes": [change.as_dict() for change in self.changes],
            "fired": {"before": self.fired[0], "after": self.fired[1]},
            "opened": {"before": self.opened[0], "after": self.opened[1]},
            "findings": [shift.as_dict() for shift in self.shifts],
        }


def pairs(before: Sequence[Rule], after: Sequence[Rule]) -> list[tuple[Rule | None, Rule | None]]:
    """The rules of two sets by id; two single ones are a pair whatever they are called."""
    if len(before) == len(after) == 1:
        return [(before[0], after[0])]
    old, new = ({rule.id: rule for rule in rules} for rules in (before, after))
    return [(old.get(rule_id), new.get(rule_id)) for rule_id in dict.fromkeys([*old, *new])]


def changes(before: Rule, after: Rule) -> tuple[Change, ...]:
    """Every key of the canonical documents that differs."""
    old, new = dict(_flat(before.canonical())), dict(_flat(after.canonical()))
    return tuple(
        Change(key, old.get(key), new.get(key)) for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)
    )


def diff(before: Rule | None, after: Rule | None, old: Replay, new: Replay) -> RuleDiff:
    """What two versions differ in, over the weeks of two replays of the same history."""
    fired_before, fired_after = _fired(before, old), _fired(after, new)
    shifts = [
        Shift(*place, tuple(fired_before.get(place, ())), tuple(fired_after.get(place, ())))
        for place in sorted({*fired_before, *fired_after}, key=lambda place: (place[0], place[1].key))
        if fired_before.get(place) != fired_after.get(place)
    ]
    return RuleDiff(
        before,
        after,
        changes(before, after) if before is not None and after is not None else (),
        tuple(shifts),
        (sum(map(len, fired_before.values())), sum(map(len, fired_after.values()))),
        (_opened(before, old), _opened(after, new)),
    )


def _fired(rule: Rule | None, found: Replay) -> dict[Place, list[int]]:
    """Where and when a rule fired, also before the first week where it still did then."""
    fired: dict[Place, list[int]] = defaultdict(list)
    for one in found.episodes:
        is_past = one.resolved_week is not None and one.resolved_week < found.first_week
        if rule is not None and one.series.rule_id == rule.id and not is_past:
            fired[one.series.connection, one.series.scope].append(one.fired_week)
    return dict(fired)


def _opened(rule: Rule | None, found: Replay) -> int:
    return sum(rule is not None and one.rule_id == rule.id for one in found.actions)


def _flat(document: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        key = f"{above}{name}"
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{key}.")
        else:
            yield key, value
