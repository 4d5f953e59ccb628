"""The published values of what a rule counts now: earlier versions of its id may have counted something else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

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
    same = {row.pk: row.sha256 for row in versions if series_of(row.document) == rule.series_sha256}
    begins = 0 if len(same) == len(versions) else _begins(rule, set(same.values()))
    belongs = Q(version__in=same)
    if begins is not None:
        belongs |= Q(version=None, week__gte=begins)
    return Point.objects.filter(belongs, finding__rule_id=rule.id)


def versions_of_other_series(live: Mapping[str, Mapping[str, Any]]) -> list[int]:
    """The keys of versions that count something else than the live one of their rule (``live``: documents by id)."""
    rows = RuleVersion.objects.filter(rule_id__in=live, is_live=False).only("rule_id", "document")
    return [row.pk for row in rows if series_of(row.document) != series_of(live[row.rule_id])]


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


def applied_since_removal(rule_id: str) -> list[str]:
    """The versions that were applied since a rule was removed last, or ever, oldest first, as digests."""
    found: list[str] = []
    told = LedgerEntry.objects.filter(type__in=("rule.applied", "rule.removed"), subject=rule_id).order_by("-index")
    for kind, data in told.values_list("type", "data"):
        if kind == "rule.removed":
            break
        found.append(json.loads(bytes(data))["payload"]["sha256"])
    return found[::-1]


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
