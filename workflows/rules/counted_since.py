"""Since when a live rule counts what it counts now: earlier versions of its id may have counted something else."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

from improvement.rules import Rule
from improvement.rules.canonical import series_of
from workflows.models import LedgerEntry, RuleVersion


def counted_since(rule: Rule) -> date:
    """The day (UTC) on which a version with this rule's series took the place of one with another; else ``date.min``.

    By the log: of a version that was live twice the row knows the second time only.
    """
    versions = RuleVersion.objects.filter(rule_id=rule.id).values_list("sha256", "document")
    same = {sha256 for sha256, document in versions if series_of(document) == rule.series_sha256}
    if len(same) == len(versions):
        return date.min
    since = date.min
    applied = LedgerEntry.objects.filter(type="rule.applied", subject=rule.id).order_by("-index")
    for data in applied.values_list("data", flat=True):
        said = json.loads(bytes(data))
        if said["payload"]["sha256"] not in same:
            return since
        since = datetime.fromisoformat(said["at"]).astimezone(UTC).date()
    return date.min
