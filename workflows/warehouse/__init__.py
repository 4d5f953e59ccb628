"""The warehouse: canonical records in one DuckDB file, read through Ibis.

Everything that only DuckDB can do lives in this folder. One process at a time: the file is opened under a lease and
a second opener waits with a message. A load is one transaction, so a killed process leaves nothing half-written.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from django.conf import settings

from improvement.evidence.rows import rows_sha256 as digest_of
from workflows.warehouse.loading import LoadReport, Zones
from workflows.warehouse.store import CellsAsked, Pinned, Warehouse, sql_of

__all__ = ["CellsAsked", "LoadReport", "Pinned", "Warehouse", "Zones", "digest_of", "our_warehouse", "sql_of"]


def our_warehouse() -> AbstractContextManager[Warehouse]:
    """The warehouse of this installation, opened with the memory that its settings give it."""
    return Warehouse.open(settings.REGELKREIS.warehouse, memory_limit=settings.REGELKREIS.warehouse_memory)
