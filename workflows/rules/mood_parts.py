"""The mood of one customer, part by part: what is known with its share, what is missing as missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from improvement import weeks
from improvement.errors import InputError
from improvement.metrics import CellQuery
from improvement.rules.suggestions import did_you_mean
from workflows.complete_weeks import last_week
from workflows.rules.sources import connection_names
from workflows.warehouse import Warehouse, our_warehouse


@dataclass(frozen=True, slots=True)
class PartTold:
    """A part of a mood: its score (0–100) and its share of all known weights; both None where it is missing."""

    name: str
    what: str
    weight: float
    score: float | None
    share: float | None


@dataclass(frozen=True, slots=True)
class MoodTold:
    """A customer's mood at a week's end; None where too little is known."""

    customer: str
    connection: str
    week: str
    mood: float | None
    parts: tuple[PartTold, ...]


def told(customer: str, *, as_of: datetime, connection: str | None = None) -> list[MoodTold]:
    """The customer's mood on each connection that knows it, at the end of the last complete week."""
    week = last_week(as_of)
    span = {"as_of": as_of, "first_week": week, "last_week": week}
    found, known = [], set()
    with our_warehouse() as warehouse:
        for name in connection_names(connection):
            query = CellQuery("mood_index", name, by=("customer",), options=settings.REGELKREIS.metrics.options)
            rows = warehouse.contributing(query, scope={"customer": customer}, **span).to_pylist()  # type: ignore[arg-type]
            if not rows:
                known |= set(_customers(warehouse, name))
                continue
            cells = warehouse.cells(query, **span).to_pylist()  # type: ignore[arg-type]
            moods = [cell["numerator"] / cell["denominator"] for cell in cells if cell["customer"] == customer]
            parts = _parts(query, {row["id"]: (row["numerator"], row["denominator"]) for row in rows})
            found.append(MoodTold(customer, name, weeks.label(week), moods[0] if moods else None, parts))
    if not found:
        what = f"Nothing is known of a customer “{customer[:60]}”."
        raise InputError(what, mend=did_you_mean(customer, sorted(known)) if known else "Run `regelkreis pull` first.")
    return found


def _parts(query: CellQuery, scored: dict[str, tuple[float | None, float | None]]) -> tuple[PartTold, ...]:
    total = sum(weight or 0.0 for _, weight in scored.values())
    told = []
    for part in query.options.mood:
        points, weight = scored[part.name]
        is_known = points is not None and weight is not None
        score = points / weight if points is not None and weight is not None else None
        told.append(PartTold(part.name, part.what, part.weight, score, part.weight / total if is_known else None))
    return tuple(told)


def _customers(warehouse: Warehouse, connection: str) -> list[str]:
    sql = "SELECT DISTINCT customer FROM live_tickets WHERE connection = ? AND customer IS NOT NULL"
    return [str(value) for value in warehouse.arrow(sql, [connection])["customer"].to_pylist()]
