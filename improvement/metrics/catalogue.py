"""The metric catalogue: what is counted, of what, in which unit, and which way is good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from improvement.records import RecordKind

Family = Literal["proportion", "count", "time", "score"]
Direction = Literal["lower", "higher"]

DIMENSIONS = ("customer", "country", "service", "supplier", "category", "assignment_group", "priority")
TICKET_WHERE = ("kind", *DIMENSIONS)
SLA_WHERE = (*TICKET_WHERE, "sla.target", "sla.agreement")
SURVEY_WHERE = (*TICKET_WHERE, "survey.kind")
CONTACT_WHERE = ("customer", "country", "service")
OUTAGE_WHERE = CONTACT_WHERE
READS = {  # which records a metric is counted from, by what it can be filtered by
    TICKET_WHERE: (RecordKind.TICKET,),
    SLA_WHERE: (RecordKind.TICKET, RecordKind.SLA),
    SURVEY_WHERE: (RecordKind.TICKET, RecordKind.SURVEY),
    CONTACT_WHERE: (RecordKind.TICKET, RecordKind.SURVEY, RecordKind.CONTACT),
}
NONE = "(none)"  # the scope value of a missing dimension
DEFAULT_TAU_H = 336.0  # two weeks


class Fill(Enum):
    """What a week says in which no row of a scope falls."""

    ABSENT = "absent"  # nothing: rates and means have no value then
    ZERO = "zero"  # a count of zero over one week of exposure
    RUNNING_SUM = "running sum"  # the level left by all changes so far
    SINCE_LAST = "since last"  # days since the last event of each account
    AT_END = "at the end"  # the state at its end, counted anew each week; nothing where there is none


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the catalogue.

    ``rows`` maps the canonical tables and a query to the rows that count (improvement/metrics/cells.py): the weekly
    cells are their sums, or what ``gathered`` makes of them, and the rows behind a point are these rows. ``unit`` is
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
    rows: Callable[[Any, Any], Any] = field(repr=False)
    gathered: Callable[[Any, Any], Any] | None = field(default=None, repr=False)
    version: int = 1
    fill: Fill = Fill.ABSENT
    is_share: bool = False
    tau_h: float | None = None
    example: str = ""
    of_rows: Callable[[Any], str] | None = None  # for a query, where it is not what the fill says: `value_of_rows`
    beside: str = ""  # the id of a share that is always told with it (improvement/metrics/beside.py)
    min_sample: str = ""  # where it is not what most metrics need
    counted_from: tuple[RecordKind, ...] = ()  # where it is not what `where_keys` suggests

    @property
    def is_snapshot(self) -> bool:
        """Whether a value is the state at a week's end, so that a window's value is that of its last week."""
        return self.fill in (Fill.RUNNING_SUM, Fill.SINCE_LAST, Fill.AT_END)

    @property
    def reads(self) -> tuple[RecordKind, ...]:
        """The kinds of records it is counted from."""
        return self.counted_from or READS[self.where_keys]

    @property
    def least_sample(self) -> str:
        """How much a value must rest on to count."""
        is_any = self.family == "count" or self.is_snapshot
        return self.min_sample or ("none unless a rule says so" if is_any else "10 unless a rule says otherwise")

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
