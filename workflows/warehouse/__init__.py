"""The warehouse: canonical records in one DuckDB file, read through Ibis.

Everything that only DuckDB can do lives in this folder. One process at a time: the file is opened under a lease and
a second opener waits with a message. A load is one transaction, so a killed process leaves nothing half-written.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from improvement.evidence.rows import rows_sha256 as digest_of
from workflows.warehouse.business_hours import Calendars
from workflows.warehouse.loading import NOTHING, LoadReport, Zones
from workflows.warehouse.passes import CellsAsked
from workflows.warehouse.store import KEPT_FROM, Pinned, Warehouse, sql_of

__all__ = [
    "KEPT_FROM",
    "NOTHING",
    "Calendars",
    "CellsAsked",
    "LoadReport",
    "Pinned",
    "Warehouse",
    "Zones",
    "digest_of",
    "our_warehouse",
    "sql_of",
]


@contextmanager
def our_warehouse() -> Iterator[Warehouse]:
    """The warehouse of this installation, opened with the memory, threads and business calendars of its settings."""
    from workflows.models import our_installation  # the state: whoever opens a file by its path needs none

    ours = settings.REGELKREIS
    memory, threads = ours.warehouse_memory, ours.warehouse_threads
    whose = our_installation()
    with Warehouse.open(ours.warehouse, memory_limit=memory, threads=threads, installation=whose) as warehouse:
        warehouse.claim(whose)
        warehouse.use_calendars(Calendars(ours.calendars_sha256, ours.business_calendars))
        yield warehouse
