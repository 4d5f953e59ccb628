"""The documents people write (``Rule``, ``Defaults``, ``RuleTest``) as models: shape, units and bounds.

What needs the metric catalogue (names, units, directions) is judged by ``compiling.py``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from improvement.rules.fields import (
    AmountField,
    Count,
    DateField,
    DurationField,
    EffectField,
    LevelField,
    Line,
    Names,
    SpanField,
    Text,
    WeekField,
    WhenText,
    WhereValues,
    refusal,
    weeks_field,
)
from improvement.rules.units import Duration
from improvement.schedule import LOOKS

API_VERSION = "regelkreis/v1"
TIGHTEN = 0.8  # of a flow-down that names no factor
ID = r"^[a-z0-9][a-z0-9-]{0,99}(@[a-z_]{1,40})?$"  # the part behind @ is given to derived rules only


class Part(BaseModel):
    """A mapping in a document; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WorseThanOwn(Part):
    """Worse than the scope's own past by so much: a percentage of it, or a number in the metric's unit."""

    by: AmountField
    reference: weeks_field(13, 156) = 52  # type: ignore[valid-type]


class TargetPart(Part):
    """Exactly one of the three."""

    max: AmountField | None = Field(default=None, description="The value may not rise above this.")
    min: AmountField | None = Field(default=None, description="The value may not fall below this.")
    worse_than_own: WorseThanOwn | None = None

    @model_validator(mode="after")
    def _one(self) -> TargetPart:
        given = [name for name in ("max", "min", "worse_than_own") if getattr(self, name) is not None]
        if len(given) != 1:
            stated = " and ".join(given) or "nothing"
            raise refusal(f"A target is one of max, min or worse_than_own; here: {stated}.", "Keep one of them.")
        return self


class OverridePart(Part):
    """Another target for some scopes, from a date or between two."""

    when: dict[str, WhenText] = Field(min_length=1)
    target: TargetPart
    valid_from: DateField | None = Field(default=None, alias="from")
    valid_to: DateField | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> OverridePart:
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise refusal(
                f"The override ends ({self.valid_to}) before it begins ({self.valid_from}).", "Swap from and to."
            )
        return self


class WhilePart(Part):
    """Another metric of the same scope that must hold for the rule to fire."""

    metric: Line
    where: dict[str, WhereValues] | None = Field(
        None, description="Default: the rule's own, as far as the metric knows the keys."
    )
    max: AmountField | None = None
    min: AmountField | None = None
    min_samples: Count | None = Field(
        None, description="Default: limits.min_people of answers and of assignment groups, else 0."
    )

    @model_validator(mode="after")
    def _one(self) -> WhilePart:
        if (self.max is None) == (self.min is None):
            raise refusal("A while states one of max or min.", "Keep one of them.")
        return self


class TriggerPart(Part):
    """How long, on how many samples, before a finding fires."""

    hold: weeks_field(1, 52) = Field(default=1, alias="for")  # type: ignore[valid-type]
    min_samples: Count | None = None


class ClearPart(Part):
    """Hysteresis: when a firing finding is resolved."""

    ratio: Annotated[float, Field(gt=0, le=1)] | None = None
    max: AmountField | None = None
    min: AmountField | None = None
    hold: weeks_field(1, 52) = Field(default=4, alias="for")  # type: ignore[valid-type]

    @model_validator(mode="after")
    def _one(self) -> ClearPart:
        if sum(part is not None for part in (self.ratio, self.max, self.min)) > 1:
            raise refusal("Clear states one of ratio, max or min.", "Keep one of them.")
        return self


class FlowDownPart(Part):
    """The same demand passed on to every supplier, as a derived rule."""

    by: Names = ("supplier",)
    agreement: Names | None = None
    tighten: Annotated[float, Field(gt=0, le=1)] = TIGHTEN
    target: TargetPart | None = Field(default=None, description="Needed where no factor can tighten the target.")


class SpecPart(Part):
    """What is counted, and when it is bad."""

    mode: Literal["observe", "propose", "open"] = "propose"
    metric: Line
    where: dict[str, WhereValues] = Field(default_factory=dict)
    by: Names = ()
    window: weeks_field(1, 52) = 4  # type: ignore[valid-type]
    every: DurationField = Duration(7)
    target: TargetPart
    overrides: list[OverridePart] = Field(default_factory=list, max_length=2000)
    conditions: list[WhilePart] = Field(default_factory=list, alias="while", max_length=10)
    trigger: TriggerPart = TriggerPart()
    clear: ClearPart = ClearPart()
    cooldown: weeks_field(0, 104) = 8  # type: ignore[valid-type]
    flow_down: FlowDownPart | None = None


class PriorityPart(Part):
    """Impact and urgency of the action."""

    impact: Literal["from-scope"] | LevelField = "from-scope"
    urgency: Literal["from-size"] | LevelField = "from-size"


class ActionPart(Part):
    """What an action opened by the rule starts with."""

    title: Line | None = None
    hypothesis: Text = "ask"
    priority: PriorityPart = PriorityPart()
    due: DurationField = Duration(30)
    playbook: list[Text] = Field(default_factory=list, max_length=50)
    register_as: Line = Field(default="default", alias="register")


class ControlsPart(Part):
    """Which other scopes the check compares with."""

    same: Names = ()
    max: Annotated[int, Field(strict=True, ge=0, le=100)] = 10


class CheckPart(Part):
    """How the action's effect will be measured."""

    goal: EffectField | None = None
    min_effect: EffectField | None = None
    looks: list[weeks_field(1, 104)] = Field(default=list(LOOKS), min_length=1, max_length=12)  # type: ignore[valid-type]
    sustain: list[weeks_field(1, 104)] = Field(default=list(LOOKS), max_length=12)  # type: ignore[valid-type]
    controls: ControlsPart = ControlsPart()


class MetadataPart(Part):
    """What the rule is called, and whose it is."""

    id: Annotated[str, StringConstraints(pattern=ID)]
    title: Line
    description: Annotated[str, StringConstraints(max_length=5000)] = ""
    owner: Line = "service-owner"
    objective: Annotated[str, StringConstraints(max_length=200)] = ""
    tags: dict[str, Line] = Field(default_factory=dict)


class RuleDocument(Part):
    """One rule."""

    apiVersion: Literal["regelkreis/v1"]  # noqa: N815 (the document's own spelling)
    kind: Literal["Rule"]
    metadata: MetadataPart
    spec: SpecPart
    action: ActionPart = ActionPart()
    check: CheckPart = CheckPart()


class LimitsPart(Part):
    """How much noise a folder of rules may make."""

    budget: Annotated[int, Field(strict=True, ge=0, le=1000)] = 7
    max_new_actions: Annotated[int, Field(strict=True, ge=0, le=1000)] = 5
    group_above: Annotated[int, Field(strict=True, ge=1, le=1000)] = 3
    min_people: Annotated[int, Field(strict=True, ge=2, le=1000)] = 5


class GivenPart(BaseModel):
    """Cells of a rule test: weeks, scope, and counts in the metric's own words."""

    model_config = ConfigDict(extra="allow", frozen=True)

    weeks: SpanField
    scope: dict[str, WhenText] = Field(default_factory=dict)
    metric: Line | None = None


class ExpectPart(Part):
    """What a rule test expects after an evaluation."""

    as_of: WeekField
    scope: dict[str, WhenText] | None = None
    finding: Literal["ok", "pending", "firing", "resolved", "no data"] | None = None
    action: Literal["opened", "open", "none"] | None = None
    value: AmountField | None = None


class TestPart(Part):
    """One story."""

    name: Line
    given: list[GivenPart] = Field(min_length=1, max_length=500)
    expect: list[ExpectPart] = Field(min_length=1, max_length=500)


class RuleTestDocument(Part):
    """Unit tests of a rule."""

    apiVersion: Literal["regelkreis/v1"]  # noqa: N815
    kind: Literal["RuleTest"]
    rule: Line
    tests: list[TestPart] = Field(min_length=1, max_length=200)
