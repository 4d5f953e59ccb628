"""A target with a date in the past: which published values it would have judged otherwise, and what rests on them.

Published values keep the target they were judged by. What another version says of them is recorded beside, as a
restatement, with the open actions and the published reviews that tell of them; a final or sustaining review gets an
addendum.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from improvement import weeks
from improvement.errors import RegelkreisError
from improvement.evidence.canonical import digest
from improvement.rules import Rule, Scope, rule_from_document
from improvement.rules.in_force import Judged, Restated, restatements
from workflows.evidence import ledger
from workflows.models import LedgerEntry, LookKind, Point, RuleVersion
from workflows.restating.touching import Touching, Value


@dataclass(frozen=True, slots=True)
class Backdated:
    """What one application of a rule restated. ``points`` by connection."""

    rule_id: str
    at: datetime
    points: tuple[tuple[str, Restated], ...]
    actions: tuple[str, ...]
    reviews: tuple[str, ...]

    @property
    def turned(self) -> int:
        """How many values would be judged the other way."""
        return sum(one.turns for _, one in self.points)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rule": self.rule_id,
            "at": self.at.isoformat(),
            "turned": self.turned,
            "points": [{"connection": name, **one.as_dict()} for name, one in self.points],
            "open_actions": list(self.actions),
            "published_reviews": list(self.reviews),
        }


def record(before: RuleVersion | None, rule: Rule, *, actor: str, at: datetime) -> Backdated | None:
    """Tell the ledger what a new version restates; None where it restates nothing. Inside the caller's transaction."""
    old = _read(before)
    found = compared(old, rule, at=at) if old is not None else None
    if found is None or before is None:
        return None
    of_weeks = [one.judged.week for _, one in found.points]
    ledger.append(
        "targets.restated",
        subject=rule.id,
        actor=actor,
        at=at,
        payload={
            "before_sha256": before.sha256,
            "after_sha256": rule.sha256,
            "from": weeks.label(min(of_weeks)),
            "to": weeks.label(max(of_weeks)),
            "points": len(found.points),
            "turned": found.turned,
            "points_sha256": digest(found.as_dict()["points"]),
            "open_actions": list(found.actions),
            "published_reviews": list(found.reviews),
        },
    )
    _add_addenda(found)
    return found


def compared(before: Rule, after: Rule, *, at: datetime) -> Backdated | None:
    """What ``after``, applied at a moment, says otherwise of values that ``before`` had judged; None for nothing."""
    if before.series_sha256 != after.series_sha256 or not any(one.valid_from or one.valid_to for one in
                                                              (*before.overrides, *after.overrides)):  # fmt: skip
        return None
    day = at.date()
    rows = Point.objects.filter(finding__rule_id=after.id, week__lt=weeks.week_of(day)).select_related("finding")
    points = []
    for row in rows.order_by("finding__connection", "finding__scope_key", "week").iterator(chunk_size=2000):
        judged = Judged(Scope.of(row.finding.scope), row.week, row.value, row.is_breaching)
        points += [(row.finding.connection, one) for one in restatements(before, after, [judged])]
    if not points:
        return None
    touching = _touching(after.id, points)
    reviews = tuple(review.code for review in touching.reviews(at))
    return Backdated(after.id, at, tuple(points), tuple(touching.open_actions), reviews)


def _touching(rule_id: str, points: Iterable[tuple[str, Restated]]) -> Touching[Restated]:
    values = (Value(name, one.judged.scope.key, one.judged.week, one) for name, one in points)
    return Touching(rule_id, values)


def _add_addenda(found: Backdated) -> None:
    """One to each published review that a target dated back concerns. Interim looks get none: a final one follows."""
    touching = _touching(found.rule_id, found.points)
    for review in touching.reviews(found.at):
        if review.kind in (LookKind.FINAL, LookKind.SUSTAIN):
            from workflows.steps.review import record_restated_targets  # loads the check: rarely, and not to list rules

            record_restated_targets(review, [one.as_dict() for one in touching.told_by(review)], at=found.at)


def recorded(*, as_of: datetime) -> Iterator[Backdated]:
    """Every restatement by a target that the ledger tells of, oldest first, with its values computed again."""
    rows = LedgerEntry.objects.filter(type="targets.restated").order_by("index").values_list("data", flat=True)
    for data in rows:
        entry = json.loads(bytes(data))
        at, payload = datetime.fromisoformat(entry["at"]), entry["payload"]
        if at > as_of:
            continue
        both = [_version(entry["subject"], payload[name]) for name in ("before_sha256", "after_sha256")]
        found = compared(both[0], both[1], at=at) if both[0] is not None and both[1] is not None else None
        points = found.points if found is not None else ()
        yield Backdated(
            entry["subject"], at, points, tuple(payload["open_actions"]), tuple(payload["published_reviews"])
        )


def _version(rule_id: str, sha256: str) -> Rule | None:
    return _read(RuleVersion.objects.filter(rule_id=rule_id, sha256=sha256).first())


def _read(row: RuleVersion | None) -> Rule | None:
    """The rule of a version; None where there is none, or this release cannot read it any more."""
    try:
        return rule_from_document(row.document) if row is not None else None
    except RegelkreisError:
        return None
