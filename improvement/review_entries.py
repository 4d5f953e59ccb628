"""What people and platforms append to a review: entries that cite its verdict digest, and how they are published.

Texts that are not known are ``""``; instants are ISO 8601 with their offset, days local to the scope.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

Instant = Annotated[str, Field(pattern=r"^(\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$")]
Day = Annotated[str, Field(pattern=r"^(\d{4}-\d\d-\d\d)?$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Sha256OrNone = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]


class Part(BaseModel):
    """A frozen part of a review record; fields it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Entry(Part):
    at: Instant
    actor: str = Field(min_length=1, description="Pseudonymous id, or engine.")
    verdict_sha256: Sha256


class PublishedDecision(Part):
    """A decision as the document shows it."""

    decision: Literal["standardise", "adjust", "stop"]
    decided_by: str = Field(description="Pseudonymous id.")
    decided_at: Instant
    reason_sha256: Sha256OrNone
    verdict_sha256: Sha256


class PublishedOverride(Part):
    """An override as the document shows it."""

    reason: str
    by: str = Field(description="Pseudonymous id of who gave the reason.")
    second_by: str = Field(description="Pseudonymous id of who agreed.")
    at: Instant
    verdict_sha256: Sha256


class Decision(_Entry):
    """What the owner decided after the verdict."""

    kind: Literal["decision"] = "decision"
    decision: Literal["standardise", "adjust", "stop"]
    reason_sha256: Sha256OrNone = ""

    def published(self) -> PublishedDecision:
        """As the document shows it."""
        return PublishedDecision(
            decision=self.decision,
            decided_by=self.actor,
            decided_at=self.at,
            reason_sha256=self.reason_sha256,
            verdict_sha256=self.verdict_sha256,
        )


class OverrideProposal(_Entry):
    """One person would overrule the verdict; nothing changes until a second one agrees."""

    kind: Literal["override_proposed"] = "override_proposed"
    reason: str = Field(min_length=1)


class Override(_Entry):
    """Two people overrule the verdict, with a reason; the verdict stays beside it."""

    kind: Literal["override"] = "override"
    reason: str = Field(min_length=1)
    second_by: str = Field(min_length=1)

    @model_validator(mode="after")
    def _takes_two_people(self) -> Self:
        if not self.reason.strip():
            raise ValueError("an override takes a reason")
        if self.second_by == self.actor or {self.actor, self.second_by} & {"engine", "platform"}:
            raise ValueError("an override takes two different people")
        return self

    def published(self) -> PublishedOverride:
        """As the document shows it."""
        return PublishedOverride(
            reason=self.reason,
            by=self.actor,
            second_by=self.second_by,
            at=self.at,
            verdict_sha256=self.verdict_sha256,
        )


class FollowUp(_Entry):
    """Something still to be done; a later entry of the same ``no`` replaces it (who, until when, done with what)."""

    kind: Literal["follow_up"] = "follow_up"
    no: int = Field(ge=1)
    what: str = Field(min_length=1)
    who: str
    due: Day
    done_ref: str = ""


class Acknowledgement(_Entry):
    """The owner has seen a sustaining look."""

    kind: Literal["acknowledgement"] = "acknowledgement"


class Receipt(Part):
    """What the platform answered when the review was written to it, and what a read-back showed."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: Literal["receipt"] = "receipt"
    at: Instant
    actor: str
    verdict_sha256: Sha256 | None = None
    key: str
    record: str
    number: str
    status: int
    request_sha256: str
    differences: list[str] = []


Entry = Annotated[
    Decision | OverrideProposal | Override | FollowUp | Acknowledgement | Receipt, Field(discriminator="kind")
]
ENTRIES: TypeAdapter[list[Entry]] = TypeAdapter(list[Entry])
