"""One at a time: whoever changes an action, or a connection, keeps its row first, then the ledger, then the rest.

In this order everywhere: on PostgreSQL two who took them in different orders would wait for each other, and one would
be broken off. On SQLite a transaction that writes has the whole state to itself.
"""

from __future__ import annotations

from django.db import connection
from django.db.models import QuerySet

from workflows.models import Action, Connection


def kept() -> QuerySet[Action]:
    """Actions, each of them kept until the transaction ends by whoever reads it; others may add rows that name it."""
    return Action.objects.select_for_update(no_key=True)


def keep(action: Action) -> None:
    """Keep an action's row until the transaction ends. What was read of it before is not read anew."""
    if connection.features.has_select_for_update:
        kept().values_list("pk").get(pk=action.pk)


def keep_connection(name: str) -> None:
    """Keep a connection's row until the transaction ends. What was read of it before is not read anew."""
    if connection.features.has_select_for_update:
        Connection.objects.select_for_update(no_key=True).values_list("pk").get(name=name)
