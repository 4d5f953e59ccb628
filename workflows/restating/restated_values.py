"""`regelkreis rules restated`: published values that say something else now, why, and what rests on them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from improvement import weeks
from improvement.errors import InputError
from improvement.metrics import CATALOGUE, Metric
from improvement.rules import Rule
from improvement.rules.suggestions import did_you_mean
from workflows.models import LedgerEntry, Point, RuleVersion
from workflows.rules.lines import HEAD, QUIET, Line, columns
from workflows.rules.published import of_series, readable
from workflows.rules.sources import connection_names

LISTED = 12
UNTOLD = "later data"  # entries of versions that did not say which


@dataclass(frozen=True, slots=True)
class Restatement:
    """What one cycle found of the published values of a rule on a connection.

    ``number`` is how many values it moved, as the ledger says; ``points`` are those of which it is the last word.
    """

    rule_id: str
    connection: str
    at: datetime
    number: int
    causes: tuple[str, ...]
    points: tuple[Point, ...]
    metric: Metric | None
    actions: tuple[str, ...]
    reviews: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rule": self.rule_id,
            "connection": self.connection,
            "at": self.at.isoformat(),
            "number": self.number,
            "causes": list(self.causes),
            "values": [
                {
                    "scope": point.finding.scope,
                    "week": weeks.label(point.week),
                    "old": point.value,
                    "new": point.later_value,
                    "target": point.target_value,
                }
                for point in self.points
            ],
            "open_actions": list(self.actions),
            "published_reviews": list(self.reviews),
        }

    def lines(self) -> Iterator[Line]:
        """For people."""
        values = "1 published value" if self.number == 1 else f"{self.number} published values"
        yield Line(
            f"{self.rule_id} on {self.connection}, {self.at:%Y-%m-%d}: {values}, by {', '.join(self.causes)}", HEAD
        )
        shown = self.points[:LISTED]
        rows = [
            (weeks.label(point.week), point.finding.scope_key, old, "→", new)
            for point in shown
            for old, new in [self._told_apart(point.value, point.later_value)]
        ]
        yield from (Line(text) for text in columns(rows))
        if len(self.points) > len(shown):
            yield Line(f"  … and {len(self.points) - len(shown)} more: --json", QUIET)
        if self.number > len(self.points):
            yield Line(
                f"  Of {self.number - len(self.points)} something later was found since, or as published.", QUIET
            )
        touched = [*self.actions, *self.reviews]
        if touched:
            yield Line(f"  Touches {', '.join(touched)}: what they say stays; a review gets an addendum.", QUIET)

    def _told_apart(self, old: float | None, new: float | None) -> tuple[str, str]:
        """Both as people read them; with all their digits where rounding would make them the same."""
        texts = self._shown(old), self._shown(new)
        return (str(old), str(new)) if texts[0] == texts[1] and old != new else texts

    def _shown(self, value: float | None) -> str:
        return self.metric.shown(value) if self.metric is not None else str(value)


@dataclass(frozen=True, slots=True)
class Report:
    """Every restatement that is asked for, the newest first."""

    restatements: tuple[Restatement, ...]

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"restatements": [one.as_dict() for one in self.restatements]}

    def lines(self) -> Iterator[Line]:
        """For people."""
        for one in self.restatements:
            yield from one.lines()
            yield Line()
        if not self.restatements:
            yield Line("Every published value is what its records say now.")
        yield Line("Values that a target dated back would hold against another one: `regelkreis targets`.", QUIET)


def report(*, as_of: datetime, rule_id: str | None = None, connection: str | None = None) -> Report:
    """What the ledger tells of restated values up to a moment, with those values.

    :class:`InputError` for a rule that never was live, or a connection that is none.
    """
    if rule_id is not None:
        known = set(RuleVersion.objects.values_list("rule_id", flat=True))
        if rule_id not in known:
            mend = did_you_mean(rule_id, known) if known else "Run `regelkreis cycle` first."
            raise InputError(f"No rule “{rule_id[:100]}” was ever live.", mend=mend)
    names = connection_names(connection)
    rows = LedgerEntry.objects.filter(type="points.restated").order_by("-index").values_list("data", flat=True)
    found = []
    for data in rows:
        entry = json.loads(bytes(data))
        of, payload, at = entry["subject"], entry["payload"], datetime.fromisoformat(entry["at"])
        if at <= as_of and rule_id in (None, of) and payload["connection"] in names:
            found.append(_restatement(of, payload, at))
    return Report(tuple(found))


def _restatement(rule_id: str, payload: dict[str, Any], at: datetime) -> Restatement:
    connection, rule = payload["connection"], _counting(rule_id, payload.get("rule_sha256"))
    is_told = "rule_sha256" in payload  # not by an earlier release, whose entries may be of any series of the rule
    published = of_series(rule) if rule is not None and is_told else Point.objects.filter(finding__rule_id=rule_id)
    points = published.filter(finding__connection=connection, later_at=at)
    return Restatement(
        rule_id,
        connection,
        at,
        payload["points"],
        tuple(payload.get("causes") or (UNTOLD,)),
        tuple(points.select_related("finding").order_by("week", "finding__scope_key")),
        CATALOGUE.get(rule.metric) if rule is not None else None,
        tuple(payload.get("open_actions", ())),
        tuple(payload.get("published_reviews", ())),
    )


def _counting(rule_id: str, sha256: str | None) -> Rule | None:
    """The version that counts the values, or the newest; None where this release cannot read it any more."""
    rows = RuleVersion.objects.filter(rule_id=rule_id, **({"sha256": sha256} if sha256 is not None else {}))
    row = rows.order_by("-applied_at").first()
    return readable(row) if row is not None else None
