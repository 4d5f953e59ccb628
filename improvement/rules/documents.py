"""The documents people write (``Rule``, ``Defaults``, ``RuleTest``) as models: shape, units and bounds.

What needs the metric catalogue (names, units, directions) is judged by ``compiling.py``.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from improvement.errors import InputError
from improvement.rules.units import Amount, Duration, Effect, UnitError, parse_amount, parse_duration, parse_effect
from improvement.weeks import label, parse_label

API_VERSION = "regelkreis/v1"
ID = r"^[a-z0-9][a-z0-9-]{0,99}(@[a-z_]{1,40})?$"  # the part behind @ is given to derived rules only
MAX_TEST_WEEKS = 520

Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]


def refusal(what: str, mend: str) -> PydanticCustomError:
    """An error in our own words."""
    return PydanticCustomError("said", "{what}", {"what": what, "mend": mend})


def _amount(raw: object) -> Amount:
    try:
        return parse_amount(raw)
    except UnitError as error:
        raise refusal(error.what, error.mend) from error


def _effect(raw: object) -> Effect:
    try:
        return parse_effect(raw)
    except UnitError as error:
        raise refusal(error.what, error.mend) from error


def _duration(raw: object) -> Duration:
    try:
        return parse_duration(raw)
    except UnitError as error:
        raise refusal(error.what, error.mend) from error


def _weeks(raw: object) -> int:
    duration = _duration(raw)
    if duration.weeks is None:
        raise refusal(f"{duration.days}d are no whole weeks.", f"Did you mean {max(1, round(duration.days / 7))}w?")
    return duration.weeks


def _date(raw: object) -> date:
    try:
        if isinstance(raw, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", raw):
            return date.fromisoformat(raw)
    except ValueError as error:
        raise refusal(f'"{raw}" is not a date: {error}.', "Write it like 2026-01-31.") from error
    raise refusal(f'"{str(raw)[:60]}" is not a date.', "Write it like 2026-01-31.")


def _values(raw: object) -> tuple[str | int, ...]:
    values = raw if isinstance(raw, list) else [raw]
    if not values:
        raise refusal("The list is empty.", "Name at least one value, or remove the key.")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise refusal(f'"{str(value)[:60]}" is not a text or a whole number.', "Write one value or a list of them.")
    if len(set(values)) != len(values):
        raise refusal("A value is there twice.", "Name each value once.")
    return tuple(values)


def _names(raw: object) -> tuple[str, ...]:
    values = raw if isinstance(raw, list) else [raw]
    for value in values:
        if not isinstance(value, str) or not value:
            raise refusal(f'"{str(value)[:60]}" is not a name.', "Write one name or a list of them, like [customer, country].")
    if len(set(values)) != len(values):
        raise refusal("A name is there twice.", "Name each one once.")
    return tuple(values)


def _when(raw: object) -> str:
    if isinstance(raw, bool) or not isinstance(raw, str | int) or raw == "":
        raise refusal(f'"{str(raw)[:60]}" is not a text.', 'Write a value or a pattern, like "Auto*".')
    return str(raw)


def _level(raw: object) -> int:
    words = {"high": 1, "medium": 2, "low": 3}
    if isinstance(raw, str) and raw in words:
        return words[raw]
    if isinstance(raw, int) and not isinstance(raw, bool) and 1 <= raw <= 3:
        return raw
    raise refusal(f'"{str(raw)[:60]}" is not a level.', "Write high, medium, low, or leave it out to have it derived.")


def _span(raw: object) -> tuple[int, int]:
    if not isinstance(raw, str):
        raise refusal(f'"{str(raw)[:60]}" is not a span of weeks.', "Write it like 2026-W01..2026-W06.")
    first, _, last = raw.partition("..")
    try:
        span = parse_label(first.strip()), parse_label((last or first).strip())
    except InputError as error:
        raise refusal(error.what, "Write it like 2026-W01..2026-W06.") from error
    if span[1] < span[0]:
        raise refusal(f"{raw} ends before it begins.", f"Did you mean {label(span[1])}..{label(span[0])}?")
    if span[1] - span[0] >= MAX_TEST_WEEKS:
        raise refusal(f"{raw} is longer than ten years.", "Shorten it.")
    return span


def _week(raw: object) -> int:
    try:
        return parse_label(raw if isinstance(raw, str) else str(raw))
    except InputError as error:
        raise refusal(error.what, error.mend) from error


def _scalar_schema(pattern: str, example: str, description: str, *, number: bool = False) -> WithJsonSchema:
    text: dict[str, Any] = {"type": "string", "pattern": pattern}
    shape: dict[str, Any] = {"anyOf": [{"type": "number"}, text]} if number else text
    return WithJsonSchema({**shape, "examples": [example], "description": description})


AmountField = Annotated[
    Amount,
    BeforeValidator(_amount),
    _scalar_schema(r"^[-+]?[0-9.]+\s*(%|[a-zA-Z]+)?$", "5%", "A number, a percentage, or a number with its unit.", number=True),
]
EffectField = Annotated[
    Effect,
    BeforeValidator(_effect),
    _scalar_schema(r"^[-+]?[0-9.]+\s*%?$", "-50%", "A share of the reference, or points, with its sign.", number=True),
]
DurationField = Annotated[
    Duration, BeforeValidator(_duration), _scalar_schema(r"^[0-9]+\s*[dw]$", "30d", "Whole days or weeks.")
]


def weeks_field(least: int, most: int) -> Any:
    """A duration in whole weeks, at least ``least``, at most ``most``."""

    def bounded(raw: object) -> int:
        number = _weeks(raw)
        if not least <= number <= most:
            raise refusal(f"{number}w is out of bounds.", f"Use {least}w to {most}w.")
        return number

    return Annotated[int, BeforeValidator(bounded), _scalar_schema(r"^[0-9]+\s*[dw]$", "4w", "Whole weeks.")]


DateField = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
WhereValues = Annotated[
    tuple[str | int, ...],
    BeforeValidator(_values),
    WithJsonSchema({"anyOf": [{"type": ["string", "integer"]}, {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1}]}),
]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(_names),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
WhenText = Annotated[str, BeforeValidator(_when), WithJsonSchema({"type": ["string", "integer"]})]
LevelField = Annotated[int, BeforeValidator(_level), WithJsonSchema({"enum": ["high", "medium", "low", 1, 2, 3]})]
SpanField = Annotated[
    tuple[int, int], BeforeValidator(_span), _scalar_schema(r"^\d{4}-W\d{2}(\.\.\d{4}-W\d{2})?$", "2026-W01..2026-W06", "ISO weeks.")
]
WeekField = Annotated[int, BeforeValidator(_week), _scalar_schema(r"^\d{4}-W\d{2}$", "2026-W07", "An ISO week.")]


class Part(BaseModel):
    """A mapping in a document; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WorseThanOwn(Part):
    """Worse than the scope's own past by so much: a percentage of it, or a number in the metric's unit."""

    by: AmountField
    reference: weeks_field(13, 156) = 52  # type: ignore[valid-type]


class TargetPart(Part):
    """Exactly one of the three."""

    max: AmountField | None = Field(None, description="The value may not rise above this.")
    min: AmountField | None = Field(None, description="The value may not fall below this.")
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
    valid_from: DateField | None = Field(None, alias="from")
    valid_to: DateField | None = Field(None, alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> OverridePart:
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise refusal(f"The override ends ({self.valid_to}) before it begins ({self.valid_from}).", "Swap from and to.")
        return self


class WhilePart(Part):
    """Another metric of the same scope that must hold for the rule to fire."""

    metric: Line
    where: dict[str, WhereValues] | None = Field(None, description="Default: the rule's own, as far as the metric knows the keys.")
    max: AmountField | None = None
    min: AmountField | None = None

    @model_validator(mode="after")
    def _one(self) -> WhilePart:
        if (self.max is None) == (self.min is None):
            raise refusal("A while states one of max or min.", "Keep one of them.")
        return self


class TriggerPart(Part):
    """How long, on how many samples, before a finding fires."""

    hold: weeks_field(1, 52) = Field(1, alias="for")  # type: ignore[valid-type]
    min_samples: Count | None = None


class ClearPart(Part):
    """Hysteresis: when a firing finding is resolved."""

    ratio: Annotated[float, Field(gt=0, le=1)] | None = None
    max: AmountField | None = None
    min: AmountField | None = None
    hold: weeks_field(1, 52) = Field(4, alias="for")  # type: ignore[valid-type]

    @model_validator(mode="after")
    def _one(self) -> ClearPart:
        if sum(part is not None for part in (self.ratio, self.max, self.min)) > 1:
            raise refusal("Clear states one of ratio, max or min.", "Keep one of them.")
        return self


class FlowDownPart(Part):
    """The same demand passed on to every supplier, as a derived rule."""

    by: Names = ("supplier",)
    agreement: Names | None = None
    tighten: Annotated[float, Field(gt=0, le=1)] = 0.8
    target: TargetPart | None = Field(None, description="Needed where a target cannot be tightened by a factor.")


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
    register_as: Line = Field("default", alias="register")


class ControlsPart(Part):
    """Which other scopes the check compares with."""

    same: Names = ()
    max: Annotated[int, Field(strict=True, ge=0, le=100)] = 10


class CheckPart(Part):
    """How the action's effect will be measured."""

    goal: EffectField | None = None
    min_effect: EffectField | None = None
    looks: list[weeks_field(1, 104)] = Field([4, 8, 13], min_length=1, max_length=12)  # type: ignore[valid-type]
    sustain: list[weeks_field(1, 104)] = Field([4, 8, 13], max_length=12)  # type: ignore[valid-type]
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
