"""The published values of what a rule counts now: earlier versions of its id may have counted something else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import dropwhile, takewhile
from typing import Any

from django.db.models import Q, QuerySet

from improvement import weeks
from improvement.errors import RegelkreisError
from improvement.rules import Rule, rule_from_document
from improvement.rules.canonical import series_of
from workflows.complete_weeks import last_week
from workflows.models import LedgerEntry, Point, RuleVersion


def of_series(rule: Rule) -> QuerySet[Point]:
    """The values that versions with this rule's series published.

    One that names no version was published by an earlier release: it belongs to the series that was live in its week.
    """
    versions = list(RuleVersion.objects.filter(rule_id=rule.id).only("sha256", "document"))
    same = {row.pk: row.sha256 for row in _alike(rule, versions)}
    begins = 0 if len(same) == len(versions) else _begins(rule, set(same.values()))
    belongs = Q(version__in=same)
    if begins is not None:
        belongs |= Q(version=None, week__gte=begins)
    return Point.objects.filter(belongs, finding__rule_id=rule.id)


def taken_up(rule: Rule) -> tuple[int, datetime] | None:
    """By which entry of the ledger, and when, a rule counted again what it counts now, after it was removed or counted
    otherwise; None: it always did.

    The values of before stay as they were published, although the rule looks back on their weeks once more.
    """
    versions = RuleVersion.objects.filter(rule_id=rule.id).only("sha256", "document")
    same = {row.sha256 for row in _alike(rule, versions)}
    told = LedgerEntry.objects.filter(type__in=("rule.applied", "rule.removed"), subject=rule.id).order_by("-index")
    taken: tuple[int, datetime] | None = None
    for index, kind, data in told.values_list("index", "type", "data"):
        said = json.loads(bytes(data))
        if kind == "rule.removed" or said["payload"]["sha256"] not in same:
            return taken
        taken = index, datetime.fromisoformat(said["at"])
    return None


def versions_of_other_series(live: Mapping[str, Mapping[str, Any]]) -> list[int]:
    """The keys of versions that count something else than the live one of their rule (``live``: documents by id)."""
    rows = RuleVersion.objects.filter(rule_id__in=live, is_live=False).only("rule_id", "document")
    return [row.pk for row in rows if series_of(row.document) != series_of(live[row.rule_id])]


def moment_of(at: datetime) -> datetime:
    """When something was done that says so itself. What is still to come was done by a clock that was ahead: it counts
    as of a day ago, before today's cycles.
    """
    now = datetime.now(UTC)
    return at if at <= now else now - timedelta(days=1)


def readable(version: RuleVersion) -> Rule | None:
    """The rule of a version; None where this release cannot read it any more."""
    try:
        return rule_from_document(version.document)
    except RegelkreisError:
        return None


def last_live(rule_id: str) -> RuleVersion | None:
    """The version that is live, or was last, by the ledger."""
    applied = LedgerEntry.objects.filter(type="rule.applied", subject=rule_id).order_by("-index").first()
    if applied is None:
        return None
    sha256 = json.loads(bytes(applied.data))["payload"]["sha256"]
    return RuleVersion.objects.filter(rule_id=rule_id, sha256=sha256).first()


def last_alike(rule: Rule) -> RuleVersion | None:
    """The version that was live last of those that count what a rule counts, by the ledger."""
    alike = {row.sha256: row for row in _alike(rule, RuleVersion.objects.filter(rule_id=rule.id))}
    applied = LedgerEntry.objects.filter(type="rule.applied", subject=rule.id).order_by("-index")
    digests = (json.loads(bytes(data))["payload"]["sha256"] for data in applied.values_list("data", flat=True))
    return next((alike[sha256] for sha256 in digests if sha256 in alike), None)


@dataclass(frozen=True, slots=True)
class Life:
    """The last time that a rule was live, by the ledger.

    ``versions`` are the digests of what was applied then, oldest first; ``began`` is None where it was never removed
    before. ``removed_at`` is None while it is live; ``first_weeks`` is from which week it was evaluated, by connection,
    as its removal tells (those of earlier releases do not).
    """

    versions: tuple[str, ...]
    began: datetime | None
    removed_at: datetime | None
    first_weeks: Mapping[str, int] = field(default_factory=dict)


def last_life(rule_id: str) -> Life | None:
    """The life that a rule lives, or lived last; None of one that was never applied."""
    rows = LedgerEntry.objects.filter(type__in=("rule.applied", "rule.removed"), subject=rule_id).order_by("-index")
    told = [(kind, json.loads(bytes(data))) for kind, data in rows.values_list("type", "data")]
    alive = list(dropwhile(_is_removal, told))
    applied = [entry for _, entry in takewhile(lambda one: not _is_removal(one), alive)][::-1]
    if not applied:
        return None
    removed = told[0][1] if len(alive) < len(told) else None
    came_back = len(applied) < len(alive)
    return Life(
        tuple(entry["payload"]["sha256"] for entry in applied),
        datetime.fromisoformat(applied[0]["at"]) if came_back else None,
        datetime.fromisoformat(removed["at"]) if removed is not None else None,
        _first_weeks(removed["payload"]) if removed is not None else {},
    )


def _first_weeks(payload: Mapping[str, Any]) -> dict[str, int]:
    return {name: weeks.parse_label(label) for name, label in payload.get("first_weeks", {}).items()}


def _alike(rule: Rule, versions: Iterable[RuleVersion]) -> list[RuleVersion]:
    """The versions that count what the rule counts."""
    return [row for row in versions if series_of(row.document) == rule.series_sha256]


def _is_removal(told: tuple[str, Any]) -> bool:
    return told[0] == "rule.removed"


def _begins(rule: Rule, same: set[str]) -> int | None:
    """The first week whose value the present series gave, by the ledger: of a version that was live twice the row knows
    the second time only. None where the present series was not live last.
    """
    begins: int | None = None
    applied = LedgerEntry.objects.filter(type="rule.applied", subject=rule.id).order_by("-index")
    for data in applied.values_list("data", flat=True):
        said = json.loads(bytes(data))
        if said["payload"]["sha256"] not in same:
            return begins
        begins = last_week(datetime.fromisoformat(said["at"])) - rule.lag_weeks
    return 0 if begins is not None else None  # it was never counted otherwise: what was back-filled belongs to it too
