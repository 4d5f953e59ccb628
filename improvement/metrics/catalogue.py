"""The metric catalogue: what is counted, of what, in which unit, and which way is good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Family = Literal["proportion", "count", "time", "score"]
Direction = Literal["lower", "higher"]

DIMENSIONS = ("customer", "country", "service", "supplier", "category", "assignment_group", "priority")
TICKET_WHERE = ("kind", *DIMENSIONS)
SLA_WHERE = (*TICKET_WHERE, "sla.target", "sla.agreement")
SURVEY_WHERE = (*TICKET_WHERE, "survey.kind")
NONE = "(none)"  # the scope value of a missing dimension


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the catalogue.

    ``expression`` maps the canonical tables and a query to weekly cells (improvement/metrics/cells.py). ``unit`` is
    that of the value shown; ``is_share`` values are shown as percentages. ``tau_h`` restricts times (hours).
    """

    id: str
    title: str
    definition: str
    unit: str
    direction: Direction
    date_basis: str
    numerator: str
    denominator: str
    family: Family | None
    where_keys: tuple[str, ...]
    expression: Callable[[Any, Any], Any] = field(repr=False)
    version: int = 1
    is_snapshot: bool = False
    is_share: bool = False
    tau_h: float | None = None
    example: str = ""

    @property
    def sign(self) -> int:
        """+1 when higher is better, −1 when lower is."""
        return 1 if self.direction == "higher" else -1

    @property
    def lag_weeks(self) -> int:
        """Weeks that must pass after a week before its restricted times are known."""
        return int(-(-self.tau_h // 168)) if self.tau_h else 0

    def shown(self, value: float | None) -> str:
        """A value as people read it, with its unit."""
        if value is None:
            return "–"
        return f"{value * 100:.1f} %" if self.is_share else f"{value:.2f} {self.unit}".strip()
