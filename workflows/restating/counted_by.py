"""What values are counted by, beside records: zones, business calendars, choices about metrics, mappings.

A change of these restates the past as a repair of records does: published values and reviews stay, and what they would
be now is said beside them. How a connection's published values were counted is kept with it. A mapping is named as a
whole: any change of how records of a kind are read moves the metrics that read this kind.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Literal

from django.conf import settings

from improvement.evidence.canonical import digest
from improvement.metrics import Metric
from improvement.metrics.options import CAN_BE_BUSINESS, MetricOptions
from workflows.models import Connection
from workflows.restating.read_by import digests

Of = Literal["points", "reviews"]
MAPPING = "mapping"  # one digest a kind of records, kept as ``mapping ticket``

#: What may change → the metrics whose values move with it; None: all.
MOVES: dict[str, tuple[str, ...] | None] = {
    "time zones": None,
    "business calendars": CAN_BE_BUSINESS,
    "business time": CAN_BE_BUSINESS,
    "repeat_days": ("repeat_incident_rate",),
    "mood": ("mood_index",),
}


def now(row: Connection) -> dict[str, str]:
    """What values of a connection are counted by from now on, as digests.

    The mapping of a kind is named only where the last pull read it to its end: what was not read cannot have moved.
    """
    ours = settings.REGELKREIS
    zones = tuple(sorted({"": ours.default_zone, **ours.zones}.items()))
    unread = _unread(row)
    mappings = {f"{MAPPING} {kind}": found for kind, found in digests(row.name).items() if kind not in unread}
    return {**_digests(zones, ours.calendars_sha256, ours.metrics.options), **mappings}


def _unread(row: Connection) -> frozenset[str]:
    """The kinds of records that the last pull could not read to their end."""
    if not row.last_error or row.last_pull_as_of is None:
        return frozenset()
    failed = row.pulls.filter(as_of=row.last_pull_as_of).exclude(error="")
    return frozenset(failed.values_list("kind", flat=True))


@lru_cache(maxsize=1)
def _digests(zones: tuple[tuple[str, str], ...], calendars: str, options: MetricOptions) -> Mapping[str, str]:
    return {
        "time zones": digest(dict(zones)),
        "business calendars": calendars,
        "business time": digest(list(options.business)),
        "repeat_days": str(options.repeat_days),
        "mood": digest([asdict(part) for part in options.mood]),
    }


def changed(row: Connection, of: Of) -> tuple[str, ...]:
    """What is counted otherwise than when a connection's values or reviews were last held against the records."""
    before: Mapping[str, str] = row.counted_by.get(of, {})
    return tuple(name for name, value in now(row).items() if name in before and before[name] != value)


def causes(metric: Metric, what: Collection[str]) -> tuple[str, ...]:
    """Of what changed, what moves the values of a metric."""
    read = {f"{MAPPING} {kind}" for kind in metric.reads}
    return tuple(
        dict.fromkeys(MAPPING if name in read else name for name in what if name in read or _moves(name, metric))
    )


def _moves(name: str, metric: Metric) -> bool:
    ids = MOVES.get(name, ())
    return ids is None or metric.id in ids


def remembered(row: Connection, of: Of) -> dict[str, dict[str, str]]:
    """What is to be kept with a connection once its values or reviews were held against the records as counted now."""
    return {**row.counted_by, of: {**row.counted_by.get(of, {}), **now(row)}}
