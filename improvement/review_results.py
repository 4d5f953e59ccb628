"""The numbers of a check as the review record publishes them (shape of ``improvement.check.CheckResult``).

Kept apart from the check itself: reading a record needs pydantic only, no statistics. Fields that a later version
of the method adds are kept and published; those named here are what a reader may rely on.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from improvement.vocabulary import Verdict

Number = float | None


class _Numbers(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Guard(_Numbers):
    """One guard with its figures; *not computed* is neither passed nor failed."""

    number: int
    name: str
    status: Literal["passed", "failed", "not computed"]
    detail: str = ""
    detail_de: str = ""
    is_asked: Annotated[bool, Field(description="False: this kind of look does not ask for it.")] = True
    figures: dict[str, float | int | str] = {}


class WindowFacts(_Numbers):
    """What a window of the plan holds: its ISO weeks and days, weeks with volume, those without, events, volume."""

    first_week: str
    last_week: str
    first_day: Annotated[str, Field(description="The Monday the window begins with.")] = ""
    last_day: Annotated[str, Field(description="The Sunday it ends with.")] = ""
    weeks: int
    gaps: int
    events: float
    n: float
    rate: Number = None


class Results(_Numbers):
    """Every number of one look. ``effect``, ``low`` and ``high`` are in ``unit``; null: not computed."""

    action: str = ""
    kind: str = ""
    verdict: Verdict
    reason: str = ""
    sentence: str = ""
    sentence_de: str = ""
    provisional: bool = False
    metric: str = ""
    metric_version: int = 1
    metric_unit: str = ""
    direction: Annotated[str, Field(description="Which way is better: lower or higher.")] = ""
    unit: str = ""
    effect: Number = None
    low: Number = None
    high: Number = None
    effect_text: str = ""
    interval_text: str = ""
    goal: str = ""
    min_effect: str = ""
    goal_met: bool | None = None
    look: int | None = Field(default=None, description="Weeks after go-live.")
    link_effect: Annotated[Number, Field(description="The effect on the link scale of the model.")] = None
    link_se: Annotated[Number, Field(description="Its standard error, inflated for autocorrelation.")] = None
    bound: Annotated[Number, Field(description="The O'Brien–Fleming bound of this look, as |z|.")] = None
    quantile: Annotated[Number, Field(description="The t quantile with the same tail as the bound.")] = None
    p_value: Annotated[Number, Field(description="Two-sided; knows nothing of the other looks.")] = None
    phi: Annotated[Number, Field(description="Dispersion.")] = None
    rho: Annotated[Number, Field(description="Lag-1 autocorrelation of the residuals, corrected and clipped.")] = None
    df: int | None = None
    control_tau: Annotated[Number, Field(description="How far the controls disagree (DerSimonian–Laird).")] = None
    tau_weeks: Annotated[int, Field(description="At how many weeks times are restricted; 0: they are not.")] = 0
    recording_delay_days: Annotated[int, Field(description="How long the look waited for late records.")] = 0
    absolute: Annotated[dict[str, Number], Field(description="The effect in the metric's own unit.")] = {}
    naive: Annotated[dict[str, Number], Field(description="The plain before–after figures, and their effect.")] = {}
    naive_text: str = ""
    untreated: Annotated[
        dict[str, float | int | str | bool | None],
        Field(description="What past firings of the rule came to that nobody acted on; empty: not counted yet."),
    ] = {}
    untreated_text: Annotated[str, Field(description="The same in words, to stand beside the plain figures.")] = ""
    untreated_text_de: str = ""
    windows: dict[str, WindowFacts | None] = {}
    controls: list[str] = []
    controls_excluded: Annotated[list[list[str]], Field(description="Scope and reason.")] = []
    guards: list[Guard] = []
    notes: list[str] = []
    other_actions: Annotated[list[str], Field(description="Actions on overlapping scopes, live meanwhile: gate.")] = []
    concurrent_changes: Annotated[int, Field(description="Other changes of the service that went live meanwhile.")] = 0
    concurrent_change_numbers: list[str] = []
    high_risk_change_numbers: Annotated[list[str], Field(description="Those of high risk: they gate.")] = []
    marked_change_numbers: Annotated[list[str], Field(description="Those a person marked: they gate.")] = []
    read_otherwise: Annotated[
        list[str], Field(description="Kinds of records whose mapping is no longer the one frozen with the plan: gate.")
    ] = []
    exposure: Annotated[
        dict[str, float | int | str | list[str] | None],
        Field(description="Counts: what they are told per, like 1 000 users; empty: every week counts the same."),
    ] = {}
    response_rate: Annotated[
        dict[str, Number], Field(description="Scores: answered of sent surveys, reference and after; null: unknown.")
    ] = {}
    open_share: Annotated[
        dict[str, Number], Field(description="Times: tickets still open at τ, reference and after; null: unknown.")
    ] = {}
    conclusive_by: str = ""
    method: str = ""
    versions: Annotated[dict[str, str], Field(description="Of the libraries it was computed with.")] = {}
    data_sha256: str = ""
