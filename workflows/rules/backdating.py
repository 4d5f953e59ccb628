"""A target with a date in the past: which published values it would have judged otherwise, and what rests on them.

Published values keep the target they were judged by. What another version says of them is recorded beside, as a
restatement, with the open actions and the published reviews that tell of them; a final or sustaining review gets an
addendum.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db.models import Max, Min

from improvement import weeks
from improvement.evidence.canonical import digest
from improvement.rules import Rule, Scope
from improvement.rules.in_force import Judged, Restated, restatements
from workflows.evidence import ledger
from workflows.models import LedgerEntry, LookKind, RuleVersion
from workflows.restating.touching import Touching, Value
from workflows.rules.published import of_series, readable


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
    """Tell the ledger what a new version restates; None where it restates nothing. Inside the caller's transaction.

    ``before``: the version that was live last of those that count the same, also if the rule was removed, or counted
    something else, since.
    """
    old = readable(before) if before is not None else None
    published = _published(rule)
    found = compared(old, rule, at=at, published=published) if old is not None else None
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
            "published_from": {name: weeks.label(first) for name, (first, _) in published.items()},
            "published_to": {name: weeks.label(last) for name, (_, last) in published.items()},
            "open_actions": list(found.actions),
            "published_reviews": list(found.reviews),
        },
    )
    _add_addenda(rule, found)
    return found


def _published(rule: Rule) -> dict[str, tuple[int, int]]:
    """The first and the last week whose values were published of what a rule counts, by connection."""
    by_connection = (
        of_series(rule).order_by().values("finding__connection").annotate(first=Min("week"), last=Max("week"))
    )
    rows = by_connection.order_by("finding__connection").values_list("finding__connection", "first", "last")
    return {name: (first, last) for name, first, last in rows}


def compared(
    before: Rule, after: Rule, *, at: datetime, published: Mapping[str, tuple[int, int]] | None = None
) -> Backdated | None:
    """What ``after``, applied at a moment, says otherwise of values that had been judged before; None for nothing.

    ``published``: the first and the last week of which values were published by then, by connection; None where an
    entry of an earlier release does not tell. What a rule that came back looked back on since is none of them.
    """
    if before.series_sha256 != after.series_sha256 or not any(one.valid_from or one.valid_to for one in
                                                              (*before.overrides, *after.overrides)):  # fmt: skip
        return None
    rows = of_series(after).select_related("finding")
    if published is None:
        rows = rows.filter(week__lt=weeks.week_of(at.date()))
    points: list[tuple[str, Restated]] = []
    ordered = rows.order_by("finding__connection", "finding__scope_key", "week").iterator(chunk_size=2000)
    for name, of_connection in groupby(ordered, key=lambda row: row.finding.connection):
        first, last = published.get(name, (0, -1)) if published is not None else (0, None)
        judged = (
            Judged(Scope.of(row.finding.scope), row.week, row.value, row.is_breaching)
            for row in of_connection
            if last is None or first <= row.week <= last  # else it was published since
        )
        points += [(name, one) for one in restatements(before, after, judged)]
    if not points:
        return None
    touching = _touching(after, points)
    reviews = tuple(review.code for review in touching.reviews(at))
    return Backdated(after.id, at, tuple(points), tuple(touching.open_actions), reviews)


def _touching(rule: Rule, points: Iterable[tuple[str, Restated]]) -> Touching[Restated]:
    values = (Value(name, one.judged.scope.key, one.judged.week, one) for name, one in points)
    return Touching(rule, values)


def _add_addenda(rule: Rule, found: Backdated) -> None:
    """One to each published review that a target dated back concerns. Interim looks get none: a final one follows."""
    touching = _touching(rule, found.points)
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
        before, after = (_version(entry["subject"], payload[name]) for name in ("before_sha256", "after_sha256"))
        found = None
        if before is not None and after is not None:
            found = compared(before, after, at=at, published=_told_as_published(payload))
        points = found.points if found is not None else ()
        yield Backdated(
            entry["subject"], at, points, tuple(payload["open_actions"]), tuple(payload["published_reviews"])
        )


def _told_as_published(payload: Mapping[str, Any]) -> dict[str, tuple[int, int]] | None:
    """The weeks of which an entry says that they were published; those of earlier releases do not tell the first."""
    if "published_to" not in payload:
        return None
    first = {name: weeks.parse_label(label) for name, label in payload.get("published_from", {}).items()}
    return {name: (first.get(name, 0), weeks.parse_label(label)) for name, label in payload["published_to"].items()}


def _version(rule_id: str, sha256: str) -> Rule | None:
    row = RuleVersion.objects.filter(rule_id=rule_id, sha256=sha256).first()
    return readable(row) if row is not None else None
