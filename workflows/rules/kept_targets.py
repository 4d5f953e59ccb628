"""The targets in force today, kept for the page that shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from improvement.rules.canonical import target_part
from workflows.models import KeptFigures
from workflows.rules import targets_in_force

NAME = "targets"


def keep(*, as_of: datetime) -> None:
    """Find the targets in force on the day of ``as_of``, and keep them."""
    keep_report(targets_in_force.report(as_of.date(), as_of=as_of), as_of=as_of)


def keep_report(report: targets_in_force.Report, *, as_of: datetime) -> None:
    """Keep a report on every scope of every rule; one of an earlier moment than what is kept changes nothing."""
    if KeptFigures.objects.filter(name=NAME, as_of__gt=as_of).exists():
        return
    found = {"on": str(report.on), "targets": [_short(one) for one in report.applied], **report.besides()}
    KeptFigures.objects.update_or_create(name=NAME, defaults={"as_of": as_of, "document": found})


def _short(one: targets_in_force.Applied) -> dict[str, Any]:
    """Without the targets that lost (`regelkreis targets --scope …` tells of them), and as rules write a target."""
    told = {name: value for name, value in one.facts().items() if name not in ("kind", "value")}
    return told | {"part": target_part(one.target.target)}
