"""Figures that a cycle or a command kept for pages, cut to what a person may see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from workflows.models import KeptFigures, Person
from workflows.web.visibility import SEE_ALL

Sees = Callable[[str, Mapping[str, str]], bool]  # a connection and a scope on it


def figures(name: str) -> tuple[dict[str, Any], datetime] | None:
    """What was kept under a name, and of when; None before it was counted."""
    row = KeptFigures.objects.filter(name=name).first()
    return None if row is None else (row.document, row.as_of)


def sight_of(person: Person) -> Sees:
    """What a person's grants cover; the same limits as for findings."""
    grants = list(person.grants.all())
    if any(grant.role in SEE_ALL or grant.narrowness == 0 for grant in grants):
        return lambda connection, scope: True
    return lambda connection, scope: any(grant.covers(connection, dict(scope)) for grant in grants)
