"""The documents of the rule language as models; unknown keys are errors."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from improvement.evidence.canonical import digest
from improvement.metrics import CATALOGUE, DIMENSIONS, CellQuery, Metric, where_from
from improvement.rules.units import Days, GoalText, Share, Weeks, WeeksOrNone

API_VERSION = "regelkreis/v1"
Scalar = str | int | bool
PERSON_WORDS = ("caller", "assignee", "assigned_to", "opened_by", "user", "person", "owner", "reporter")


class Document(BaseModel):
    """Base of all parts: closed to unknown keys, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Metadata(Document):
    """Who the rule is."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9@_-]*$", max_length=120)
    title: str = ""
    description: str = ""
    owner: str = "service-owner"
    objective: str = ""
    tags: dict[str, str] = {}


class OwnReference(Document):
    """A target relative to the scope's own past: worse by this share than over the reference."""

    by: Share
    reference: Weeks = 52


class Target(Document):
    """What good looks like: exactly one of a maximum, a minimum, or the scope's own past."""

    max: Share | None = None
    min: Share | None = None
    worse_than_own: OwnReference | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Target:
        given = [name for name in ("max", "min", "worse_than_own") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("a target has exactly one of max, min and worse_than_own")
        return self


class Override(Document):
    """A target for part of the organisation, from a date on."""

    when: dict[str, str] = Field(min_length=1)
    target: Target
    valid_from: date | None = Field(default=None, alias="from")
    valid_to: date | None = Field(default=None, alias="to")

    @field_validator("when")
    @classmethod
    def _dimensions(cls, when: dict[str, str]) -> dict[str, str]:
        for key in when:
            if key not in DIMENSIONS:
                raise ValueError(f'"{key}" is no dimension. Known: {", ".join(DIMENSIONS)}')
        return when


class While(Document):
    """Fire only while another metric of the same scope holds."""

    metric: str
    max: Share | None = None
    min: Share | None = None
    where: dict[str, Scalar | list[Scalar]] = {}

    @model_validator(mode="after")
    def _known(self) -> While:
        _known_metric(self.metric)
        if (self.max is None) == (self.min is None):
            raise ValueError("a condition has exactly one of max and min")
        return self


class Trigger(Document):
    """How long, and on how much, a breach must hold."""

    for_weeks: Weeks = Field(default=2, alias="for")
    min_samples: int = Field(default=30, ge=0)


class Clear(Document):
    """When a finding is resolved: stricter than the target, for some weeks."""

    ratio: float = Field(default=0.8, gt=0, le=1)
    for_weeks: Weeks = Field(default=4, alias="for")


class FlowDown(Document):
    """The same demand passed on to every supplier."""

    by: Literal["supplier"] = "supplier"
    agreement: list[Literal["ola", "uc"]] = ["ola", "uc"]
    tighten: float = Field(default=0.8, gt=0, le=1)
    target: Target | None = None


class Limits(Document):
    """How much a rule may ask of people."""

    budget: int = Field(default=7, ge=1)
    max_new_actions: int = Field(default=5, ge=1)
    group_above: int = Field(default=3, ge=1)
    min_people: int = Field(default=5, ge=1)


class Spec(Document):
    """What is measured, compared and when it fires."""

    mode: Literal["observe", "propose", "open"] = "propose"
    metric: str
    where: dict[str, Scalar | list[Scalar]] = {}
    by: list[str] = Field(min_length=1)
    window: Weeks = 4
    every: Weeks = 1
    target: Target
    overrides: list[Override] = []
    while_: list[While] = Field(default=[], alias="while")
    trigger: Trigger = Trigger()
    clear: Clear = Clear()
    cooldown: WeeksOrNone = 8
    flow_down: FlowDown | None = None
    limits: Limits = Limits()

    @field_validator("metric")
    @classmethod
    def _metric(cls, name: str) -> str:
        return _known_metric(name)

    @field_validator("by")
    @classmethod
    def _by(cls, by: list[str]) -> list[str]:
        for key in by:
            if key in PERSON_WORDS:
                raise ValueError(f'"{key}" is a person: people are never scopes. Use {", ".join(DIMENSIONS)}')
            if key not in DIMENSIONS:
                raise ValueError(f'"{key}" is no dimension.{_meant(key, DIMENSIONS)} Known: {", ".join(DIMENSIONS)}')
        if len(set(by)) != len(by):
            raise ValueError("a dimension is named twice")
        return by

    @field_validator("every")
    @classmethod
    def _every(cls, every: int) -> int:
        if every != 1:
            raise ValueError("values are computed every week: write 1w")
        return every

    @model_validator(mode="after")
    def _where_known(self) -> Spec:
        known = CATALOGUE[self.metric].where_keys
        for key in self.where:
            if key in PERSON_WORDS:
                raise ValueError(f'where.{key} is a person: people are never scopes')
            if key not in known:
                raise ValueError(f'where has "{key}", which {self.metric} does not know.{_meant(key, known)} Known: {", ".join(known)}')
        return self


class Priority(Document):
    """How the action's priority is made."""

    impact: Literal["from-scope"] | int = "from-scope"
    urgency: Literal["from-size"] | int = "from-size"


class ActionPart(Document):
    """What an action opened by this rule looks like."""

    title: str = "{metric} for {scope}"
    hypothesis: str = "ask"
    priority: Priority = Priority()
    due: Days = 30
    playbook: list[str] = []
    register_name: str = Field(default="default", alias="register")


class Controls(Document):
    """Which scopes may serve as controls."""

    same: list[str] = []
    max: int = Field(default=10, ge=0, le=50)


class CheckPart(Document):
    """What success would be, and when it is looked for."""

    goal: GoalText = "-30%"
    min_effect: GoalText | None = None
    looks: list[Weeks] = [4, 8, 13]
    sustain: list[Weeks] = [4, 8, 13]
    controls: Controls = Controls()

    @field_validator("looks", "sustain")
    @classmethod
    def _ascending(cls, weeks: list[int]) -> list[int]:
        if not weeks or sorted(set(weeks)) != weeks:
            raise ValueError("weeks must ascend, like [4w, 8w, 13w]")
        return weeks


class Rule(Document):
    """One rule. Its version is the SHA-256 of its canonical form."""

    apiVersion: Literal["regelkreis/v1"]
    kind: Literal["Rule"]
    metadata: Metadata
    spec: Spec
    action: ActionPart = ActionPart()
    check: CheckPart = CheckPart()

    def canonical(self) -> dict[str, Any]:
        """The rule as plain JSON with every default filled in."""
        return self.model_dump(mode="json", by_alias=True)

    @cached_property
    def sha256(self) -> str:
        """The rule's version."""
        return digest(self.canonical())

    @property
    def id(self) -> str:
        """The stable id that findings and actions refer to."""
        return self.metadata.id

    @property
    def metric(self) -> Metric:
        """What is measured."""
        return CATALOGUE[self.spec.metric]

    def query(self, connection: str, *, stratum: str | None = None, tau_h: float | None = None) -> CellQuery:
        """The cells this rule reads on a connection."""
        return CellQuery(
            metric=self.spec.metric,
            connection=connection,
            where=where_from(self.spec.where),
            by=tuple(self.spec.by),
            stratum=stratum,
            tau_h=tau_h or self.metric.tau_h,
        )

    def while_queries(self, connection: str) -> list[tuple[While, CellQuery]]:
        """The cells of the metrics that must hold meanwhile."""
        return [
            (
                condition,
                CellQuery(
                    metric=condition.metric,
                    connection=connection,
                    where=where_from(condition.where),
                    by=tuple(self.spec.by),
                    tau_h=CATALOGUE[condition.metric].tau_h,
                ),
            )
            for condition in self.spec.while_
        ]


class DefaultsSpec(Document):
    """Anything a rule may set, for a whole folder."""

    limits: Limits = Limits()
    rule: dict[str, Any] = {}


class GivenWeeks(Document):
    """Made-up cells of a rule test: per week of the range, so much of so many."""

    weeks: str
    scope: dict[str, str]
    tickets: float | None = None
    breached: float | None = None
    count: float | None = None
    hours: float | None = None
    responses: float | None = None
    score: float | None = None
    value: float | None = None


class ExpectedFinding(Document):
    """What a rule test expects after a week."""

    as_of: str
    scope: dict[str, str] | None = None
    finding: Literal["ok", "pending", "firing", "resolved", "no data"]
    action: Literal["opened", "none"] | None = None
    value: Share | None = None


class TestCase(Document):
    """One story of a rule test."""

    __test__ = False
    name: str
    given: list[GivenWeeks] = Field(min_length=1)
    while_given: dict[str, list[GivenWeeks]] = Field(default={}, alias="while")
    expect: list[ExpectedFinding] = Field(min_length=1)


class RuleTest(Document):
    """Tests of one rule."""

    __test__ = False
    apiVersion: Literal["regelkreis/v1"]
    kind: Literal["RuleTest"]
    rule: str
    tests: list[TestCase] = Field(min_length=1)


def _known_metric(name: str) -> str:
    if name not in CATALOGUE:
        raise ValueError(f'unknown metric "{name}".{_meant(name, tuple(CATALOGUE))} Known: {", ".join(sorted(CATALOGUE))}')
    return name


def _meant(word: str, known: tuple[str, ...]) -> str:
    import difflib

    near = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean {near[0]}?" if near else ""
