"""The numbers of a check as the review record publishes them (shape of ``improvement.check.CheckResult``).

Kept apart from the check itself: reading a record needs pydantic only, no statistics. Fields that a later version
of the method adds are kept and published; those named here are what a reader may rely on.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

VerdictText = Literal[
    "not computed",
    "not enough data",
    "worse",
    "faded",
    "improved, not attributable",
    "no change",
    "improved",
    "recovered",
]
Number = float | None


class _Numbers(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Guard(_Numbers):
    """One guard with its figures; *not computed* is neither passed nor failed."""

    number: int
    name: str
    status: Literal["passed", "failed", "not computed"]
    detail: str = ""
    figures: dict[str, float | int | str] = {}


class WindowFacts(_Numbers):
    """What a window of the plan holds: its ISO weeks, those with volume, those without, events and volume."""

    first_week: str
    last_week: str
    weeks: int
    gaps: int
    events: float
    n: float
    rate: Number = None


class Results(_Numbers):
    """Every number of one look. ``effect``, ``low`` and ``high`` are in ``unit``; null: not computed."""

    verdict: VerdictText
    reason: str = ""
    sentence: str = ""
    provisional: bool = False
    metric: str = ""
    metric_version: int = 1
    unit: str = ""
    effect: Number = None
    low: Number = None
    high: Number = None
    goal: str = ""
    min_effect: str = ""
    goal_met: bool | None = None
    look: int | None = Field(default=None, description="Weeks after go-live.")
    link_effect: Annotated[Number, Field(description="The effect on the link scale of the model.")] = None
    link_se: Annotated[Number, Field(description="Its standard error, inflated for autocorrelation.")] = None
    bound: Annotated[Number, Field(description="The O'Brien–Fleming bound of this look, as |z|.")] = None
    phi: Annotated[Number, Field(description="Dispersion.")] = None
    rho: Annotated[Number, Field(description="Lag-1 autocorrelation of the residuals, corrected and clipped.")] = None
    df: int | None = None
    naive: Annotated[dict[str, Number], Field(description="The plain before–after figures, for comparison.")] = {}
    windows: dict[str, WindowFacts | None] = {}
    controls: list[str] = []
    controls_excluded: Annotated[list[list[str]], Field(description="Scope and reason.")] = []
    guards: list[Guard] = []
    notes: list[str] = []
    concurrent_changes: int = 0
    conclusive_by: str = ""
    method: str = ""
    versions: dict[str, str] = {}
