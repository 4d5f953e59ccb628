"""A warehouse that is new, or of another day than the state: what was read into the one before is not in it."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from django.db import transaction

from improvement.records import RecordKind
from workflows.models import Connection, PullCursor, PullReport
from workflows.warehouse import Warehouse

log = structlog.get_logger()


def begin_again_where_lost(row: Connection, warehouse: Warehouse, kinds: Iterable[RecordKind]) -> bool:
    """Forget how far a connection was read where none of its records is in the warehouse, though there once were some.

    Otherwise only what changed from now on would be read, and rules would count next to nothing.
    """
    if any(warehouse.holds(kind, row.name) for kind in kinds):
        return False
    if not PullReport.objects.filter(connection=row, new__gt=0).exists():
        return False  # there never was anything: an empty platform
    with transaction.atomic():
        were, _ = PullCursor.objects.filter(connection=row).delete()
        if not were:
            return False
        row.reconciled = {}
        row.save(update_fields=["reconciled"])
    log.warning("pull.begins_again", connection=row.name, why="the warehouse holds none of its records any more")
    return True
