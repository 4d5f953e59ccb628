"""How far later data were held against what was published, and back from there where something is loaded for before."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from workflows.models import Connection

HELD = ("restated_until", "points_restated_until")
JUST_BEFORE = timedelta(microseconds=1)


def step_back(connection: str, at: datetime) -> None:
    """Let what is loaded from now on as seen at a moment (aware) count as late; call it while holding the warehouse.

    What was held until that moment or a later one is held again: a cycle may be run once more for the same moment, a
    file imported for an earlier one, and whoever waited for the warehouse is behind whoever had it. What was held
    already may then be named once more among the causes.
    """
    with transaction.atomic():
        for name in HELD:
            rows = Connection.objects.filter(name=connection, **{f"{name}__gte": at})
            rows.update(**{name: at - JUST_BEFORE})
