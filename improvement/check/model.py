"""The values the check takes and gives. Weeks are ISO weeks as integers (improvement.weeks)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from improvement.check.goals import Goal
from improvement.schedule import LOOKS
from improvement.vocabulary import Verdict

LISTS = (
    "other_actions",
    "concurrent_change_numbers",
    "high_risk_change_numbers",
    "marked_change_numbers",
    "read_otherwise",
)
Family = Literal["proportion", "count", "time", "score"]
Floats = NDArray[np.float64]


class Direction(StrEnum):
    """Which way is good."""

    LOWER = "lower"
    HIGHER = "higher"

    @property
    def sign(self) -> int:
        """+1 when higher is better, −1 when lower is."""
        return 1 if self is Direction.HIGHER else -1


class Status(StrEnum):
    """How a guard ended; *not computed* is neither passed nor failed."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_COMPUTED = "not computed"


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Weekly cells of one scope; with ``stratum``, several rows a week, one per stratum."""

    week: NDArray[np.int64]
    numerator: Floats
    denominator: Floats
    stratum: NDArray[np.object_] | None = None

    def weekly(self) -> Series:
        """The same with one row a week, weeks without volume left out."""
        weeks, place = np.unique(self.week, return_inverse=True)
        numerator, denominator = np.zeros(len(weeks)), np.zeros(len(weeks))
        np.add.at(numerator, place, self.numerator)
        np.add.at(denominator, place, self.denominator)
        keep = denominator > 0
        return Series(weeks[keep], numerator[keep], denominator[keep])

    def between(self, first: int, last: int) -> Series:
        """The rows of some weeks, both ends included."""
        keep = (self.week >= first) & (self.week <= last)
        stratum = self.stratum[keep] if self.stratum is not None else None
        return Series(self.week[keep], self.numerator[keep], self.denominator[keep], stratum)


@dataclass(frozen=True, slots=True)
class Windows:
    """The four windows as inclusive week spans; *after* begins with ``after_from``; spans may be empty (None)."""

    reference: tuple[int, int]
    trigger: tuple[int, int]
    confirmation: tuple[int, int] | None
    after_from: int


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a count is told per: so many (``per``) of ``unit``, those of the scopes ``of``.

    ``controls_without`` have no number and count every week the same. With ``known_from`` the number begins too late to
    be used: the scope counts every week the same, too.
    """

    unit: str
    per: int = 0
    of: tuple[str, ...] = ()
    controls_without: tuple[str, ...] = ()
    known_from: str = ""

    @property
    def text(self) -> str:
        """``per 1 000 users``; '' where it is not used."""
        return f"per {self.per:,} {self.unit}".replace(",", " ") if self.per else ""


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """What was fixed before the change went live."""

    action: str
    metric: str
    family: Family | None
    direction: Direction
    unit: str
    windows: Windows
    goal: Goal
    min_effect: Goal | None = None
    exposure: Exposure | None = None  # counts: None counts every week the same
    rule: str = ""  # the one that opened the action; '' where people did
    metric_version: int = 1
    looks: tuple[int, ...] = LOOKS
    controls: tuple[str, ...] = ()
    controls_excluded: tuple[tuple[str, str], ...] = ()
    is_late: bool = False
    recording_delay_days: int = 0
    tau_weeks: int = 0
    is_adjusted: bool = False  # the effect is that of all cycles together

    @property
    def plain_unit(self) -> str:
        """The unit of a plain comparison, which knows no exposure."""
        return self.unit.removesuffix(self.exposure.text).rstrip() if self.exposure is not None else self.unit


@dataclass(frozen=True, slots=True)
class OtherAction:
    """Another action whose effect falls into the same records: its code, and its scope as people read it."""

    code: str
    scope: str
    is_same_scope: bool = True

    def __str__(self) -> str:
        return f"{self.code}: {self.scope}"


@dataclass(frozen=True, slots=True)
class PastFirings:
    """What past firings of the action's rule came to that nobody acted on: the line to hold the plain figure against.

    ``effect`` is their mean in ``unit``, as a before–after comparison has it; None where ``firings`` is 0. It was
    counted over the weeks ``first_week`` … ``last_week`` at ``counted_at``, each firing over ``weeks`` weeks, from
    ``delay_weeks`` after it on. Not ``is_same_version``: the rule was changed between that and this action. Eight in
    ten firings lie between ``low`` and ``high``; None where there are too few, or nobody noted it then.
    """

    firings: int
    effect: float | None
    unit: str
    delay_weeks: int
    weeks: int
    first_week: str
    last_week: str
    counted_at: str
    is_same_version: bool = True
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class GuardResult:
    """One guard with its figures."""

    number: int
    name: str
    status: Status
    detail: str = ""
    detail_de: str = ""
    figures: dict[str, float | int | str] = field(default_factory=dict)
    is_asked: bool = True  # false: this kind of look does not ask for it


@dataclass(frozen=True, slots=True)
class WindowFacts:
    """What a window holds; its days are the first Monday and the last Sunday."""

    first_week: str
    last_week: str
    first_day: str
    last_day: str
    weeks: int
    gaps: int
    events: float
    n: float
    rate: float | None


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Everything a review record states about one look.

    ``effect``, ``low`` and ``high`` are in ``unit``: ``odds ratio``, ``rate ratio``, ``time ratio`` (1: no change) or
    the score's points (0: no change). ``link_effect`` and ``link_se`` are on the model's scale: logs of those ratios,
    or points. ``low`` and ``high`` use this look's bound. ``p_value`` is two-sided and knows nothing of looks.
    ``exposure`` is what a count is told per, with the mean number in the reference and *after*; empty: every week
    counts the same. ``naive`` holds the plain figures ``before`` and ``after``, and what they come to in ``unit``
    (``effect``); ``untreated`` those of :class:`PastFirings`, empty where nobody counted them.
    ``other_actions`` are those that guard 8 fails for, like ``ACT-3: country=CH,customer=Acme``; so are the kinds of
    records in ``read_otherwise``, whose mapping is no longer the one frozen with the plan.
    ``response_rate`` (scores) and ``open_share`` (times: tickets still open at τ) are shares by window, None where
    unknown; empty for other metrics.
    """

    action: str
    metric: str
    metric_version: int
    verdict: Verdict
    reason: str
    sentence: str
    sentence_de: str
    kind: str
    look: int | None
    is_provisional: bool
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    effect_text: str = ""
    interval_text: str = ""
    naive_text: str = ""
    untreated: dict[str, Any] = field(default_factory=dict)
    untreated_text: str = ""
    untreated_text_de: str = ""
    metric_unit: str = ""
    direction: str = ""
    goal: str = ""
    min_effect: str = ""
    goal_met: bool | None = None
    link_effect: float | None = None
    link_se: float | None = None
    bound: float | None = None
    quantile: float | None = None
    phi: float | None = None
    rho: float | None = None
    df: int | None = None
    p_value: float | None = None
    control_tau: float | None = None
    tau_weeks: int = 0
    recording_delay_days: int = 0
    naive: dict[str, float | None] = field(default_factory=dict)
    absolute: dict[str, float | None] = field(default_factory=dict)
    windows: dict[str, WindowFacts | None] = field(default_factory=dict)
    controls: tuple[str, ...] = ()
    controls_excluded: tuple[tuple[str, str], ...] = ()
    guards: tuple[GuardResult, ...] = ()
    notes: tuple[str, ...] = ()
    other_actions: tuple[str, ...] = ()
    concurrent_changes: int = 0
    concurrent_change_numbers: tuple[str, ...] = ()
    high_risk_change_numbers: tuple[str, ...] = ()
    marked_change_numbers: tuple[str, ...] = ()
    read_otherwise: tuple[str, ...] = ()
    exposure: dict[str, Any] = field(default_factory=dict)
    response_rate: dict[str, float | None] = field(default_factory=dict)
    open_share: dict[str, float | None] = field(default_factory=dict)
    conclusive_by: str = ""
    method: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    data_sha256: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The result as plain JSON values."""
        found = asdict(self)
        found["verdict"] = self.verdict.value
        found["provisional"] = found.pop("is_provisional")
        for guard in found["guards"]:
            guard["status"] = guard["status"].value
        found["guards"] = list(found["guards"])
        found["controls"] = list(self.controls)
        found["controls_excluded"] = [list(pair) for pair in self.controls_excluded]
        found["notes"] = list(self.notes)
        for name in LISTS:
            found[name] = list(getattr(self, name))
        return found
