"""Findings that end without being resolved: their rule is removed, or counts something else from now on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from improvement import weeks
from workflows.evidence import ledger
from workflows.models import Finding

RULE_REMOVED = "its rule was removed"
COUNTED_OTHERWISE = "its rule counts something else"


def end(findings: Iterable[Finding], *, because: str, actor: str, at: datetime) -> None:
    """Let findings start over; the ledger tells of those that fire, and of the last week they spoke for.

    It is kept before they are (:mod:`workflows.actions.holding`).
    """
    ended = list(findings)
    for finding in (one for one in ended if one.state == "firing"):
        payload = {"week": weeks.label(finding.memory["last_week"]), "because": because}
        name = f"{finding.rule_id}/{finding.connection}/{finding.scope_key}"
        ledger.append("finding.ended", subject=name, actor=actor, at=at, payload=payload)
    for finding in ended:
        finding.state, finding.memory, finding.first_pending_week = "no_data", {}, None
        finding.queue_reason = ""
        finding.save(update_fields=["state", "memory", "first_pending_week", "queue_reason"])
