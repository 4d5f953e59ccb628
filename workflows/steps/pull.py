"""Pull: stream pages of canonical records from a connection into the warehouse, and remember how far we came.

When every kind is read, what is gone from the platform becomes a tombstone (:mod:`workflows.steps.departures`).
"""

from __future__ import annotations

from datetime import datetime

from connectors.base import Connector
from workflows.steps.backfill import Reached
from workflows.steps.pulling import Progress, Pulling, PullResult
from workflows.steps.reading import Loading, Reading, grouped, zones
from workflows.warehouse import Warehouse

__all__ = ["Loading", "Progress", "PullResult", "Pulling", "Reached", "Reading", "grouped", "pull", "zones"]


def pull(
    connector: Connector,
    warehouse: Warehouse,
    *,
    as_of: datetime,
    on_progress: Progress | None = None,
    loading: Loading | None = None,
    since: datetime | None = None,
    is_counted: bool = False,
    is_reconciled: bool = False,
) -> PullResult:
    """Pull every mapped record kind up to ``as_of`` (aware). One kind's failure does not stop the others.

    Parameters
    ----------
    loading
        One that began earlier, for the same moment, with this connector among its readings; without it each kind is
        read and loaded when its turn comes.
    since
        Read again what was updated since then (aware), or, of a kind never read before, only that.
    is_counted
        Hold the platform's count against ours also where that is not due.
    is_reconciled
        Look for everything that is gone or was rewritten now, also where it is not due.
    """
    pulling = Pulling.begin(connector, warehouse, as_of=as_of, on_progress=on_progress, loading=loading)
    if loading is None:
        pulling.read_all(since)
    for kind in pulling.kinds if loading is not None else ():
        pulling.note_loaded(kind)
    return pulling.finish(is_counted=is_counted, is_reconciled=is_reconciled)
