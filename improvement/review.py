"""The review record: what the engine found, frozen, and what people and platforms appended to it.

The engine's part never changes once it is computed; its SHA-256 (RFC 8785) is the *verdict digest*. Decision,
override, follow-ups, acknowledgement and receipts are entries that cite this digest. The published document is the
fold of both: the engine's fields as they were hashed, and beside them the fields of ``APPENDED``. Whoever takes those
away again and hashes the rest gets the digest. The JSON Schema of the document is made from the models below.

Texts that are not known are ``""``; instants are ISO 8601 with their offset, days local to the scope.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from improvement.errors import Place, RegelkreisError
from improvement.evidence.canonical import digest
from improvement.review_entries import (
    ENTRIES,
    Acknowledgement,
    Day,
    Decision,
    Entry,
    FollowUp,
    Instant,
    Override,
    Part,
    PublishedDecision,
    PublishedOverride,
    Receipt,
    Sha256,
    Sha256OrNone,
)
from improvement.review_results import Number, Results
from improvement.review_words import words
from improvement.vocabulary import Verdict

SCHEMA_VERSION = "regelkreis.review-record/v1"
SCHEMA_FILE = Path("docs/reference/review-record.schema.json")

VerdictOrNone = Verdict | Literal[""]
T = TypeVar("T")


class ReviewError(RegelkreisError):
    """A review record is malformed, or an entry does not answer the verdict it is appended to."""


class ReviewKind(StrEnum):
    """Which reading a record speaks of."""

    LOOK = "look"
    FINAL = "final"
    SUSTAIN = "sustain"
    MISSED = "missed"
    ADDENDUM = "addendum"


class Trigger(BaseModel):
    """What an action was opened on; of one a person opened, only the window is known, of an adopted one its record."""

    model_config = ConfigDict(extra="allow", frozen=True)

    value: Number = Field(default=None, description="In the metric's unit; of a group that of its largest scope.")
    target: Number = None
    target_kind: str = ""
    target_source: str = Field(default="", description="`target`, or which override of the rule won.")
    value_text: str = ""
    target_text: str = ""
    n: int = Field(default=0, description="How many records the value rests on.")
    rows_sha256: Sha256OrNone = ""
    first_day: Day = Field(default="", alias="from", description="The Monday the trigger window begins with.")
    last_day: Day = Field(default="", alias="to", description="The Sunday it ends with.")
    scopes: list[str] = Field(default=[], description="The scopes that fired; several: a group on one parent.")
    endangers: list[str] = Field(default=[], description="Of a supplier's action: the scopes that suffer from it.")
    adopted_record: str = Field(default="", description="The record that people had made and that was taken over.")
    adopted_opened_at: Instant = Field(default="", description="When people had opened it; its window ends before.")


class RestatedTarget(Part):
    """A published value that a target dated into the past would have been held against."""

    scope: dict[str, str]
    week: str = Field(description="The ISO week its window ends with.")
    value: Number
    old_target: str = Field(description="What it was held against when it was published.")
    new_target: str
    was_breaching: bool | None = Field(description="Null: it did not count.")
    would_be_breaching: bool | None = Field(description="Null: it did not count, or is compared with its own past.")


def approvers(document: Mapping[str, Any]) -> list[str]:
    """Who approved the plan of a review, in records of every version."""
    return _listed(document["approved_by"])


def _listed(value: str | list[str]) -> list[str]:
    """Version 0.1.0 named one approver as a text."""
    if isinstance(value, str):
        return [value] if value else []
    return value


class EnginePart(Part):
    """What the engine found, as it was frozen and hashed."""

    schema_version: Literal["regelkreis.review-record/v1"] = Field(alias="schema")
    action: str = Field(description="The improvement action, like ACT-7.")
    cycle_no: int = Field(ge=1)
    kind: ReviewKind
    look_no: int = Field(ge=0, description="Weeks after go-live; sustaining looks: after the decision.")
    due_at: Instant
    computed_at: Instant = ""
    rule: str = Field(description="Empty for an action a person opened.")
    rule_sha256: Sha256OrNone
    trigger: Trigger = Field(description="What the action was opened on.")
    scope: dict[str, str]
    connection: str
    plan_sha256: Sha256OrNone
    plan_version: int = Field(ge=0)
    plan_frozen_at: Instant
    owner: str = Field(description="Pseudonymous id of the owner.")
    approved_by: Annotated[list[str], BeforeValidator(_listed)] = Field(
        description="Pseudonymous ids of those who approved the plan."
    )
    rolls_up_to: str = Field(default="", description="Of a supplier's action: the customer-facing one it serves.")
    approval_source: str = Field(description="regelkreis, or connection and native approval.")
    implemented_on: Day
    implemented_ref: str
    data_as_of: Instant
    inputs_sha256: Sha256OrNone
    restatement_seq: int = Field(ge=0)
    restated_by: dict[str, int] = Field(
        default={}, description="Addenda: what happened to how many records since, like `sla is_breached`."
    )
    restated_targets: list[RestatedTarget] = Field(
        default=[], description="Addenda: values of the weeks it tells of whose target was dated into the past since."
    )
    next_look_at: Instant = Field(
        default="", description="When the next look falls due; empty: none is planned, as before a decision."
    )
    results: Results | None = Field(description="Every number of the check; null for a missed review.")
    verdict: VerdictOrNone = Field(description="Empty for a missed review.")
    reason: str
    sentence: str
    is_late: bool = False
    addendum_to: str = ""

    @model_validator(mode="after")
    def _verdict_fits_the_kind(self) -> Self:
        is_missed = self.kind is ReviewKind.MISSED
        if is_missed and (self.verdict or self.results is not None):
            raise ValueError("a missed review has no verdict and no results")
        if not is_missed and (not self.verdict or self.results is None):
            raise ValueError("a review that was held has a verdict and its results")
        if self.results is not None and self.results.verdict != self.verdict:
            raise ValueError(f"the results say {self.results.verdict}, the record {self.verdict}")
        if (self.kind is ReviewKind.ADDENDUM) != bool(self.addendum_to):
            raise ValueError("an addendum, and only an addendum, names the record it belongs to")
        return self


class ReviewDocument(EnginePart):
    """The published document: the engine's part, and what was appended to it since."""

    model_config = ConfigDict(title="Regelkreis review record")

    verdict_sha256: Sha256 = Field(description="SHA-256 of the RFC 8785 form of everything but the appended fields.")
    held_at: Instant = Field(description="Empty while nobody has held this review.")
    decision: PublishedDecision | None
    override: PublishedOverride | None
    follow_ups: list[FollowUp]
    receipts: list[Receipt]


HELD_BY: dict[ReviewKind, tuple[type[Part], ...]] = {
    ReviewKind.FINAL: (Decision,),
    ReviewKind.SUSTAIN: (Acknowledgement, Decision),
}
APPENDED = ("verdict_sha256", "held_at", "decision", "override", "follow_ups", "receipts")


def fold(document: Mapping[str, Any], verdict_sha256: str, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The published document of an engine's part and its entries (oldest first), as JSON values.

    Raises :class:`ReviewError` when the engine's part is malformed or no longer has its digest, or when an entry is
    malformed or cites another verdict.
    """
    where = Place(record=str(document.get("action", "")))
    try:
        part = EnginePart.model_validate(document)
        appended = ENTRIES.validate_python([dict(entry) for entry in entries])
    except ValidationError as error:
        raise ReviewError(f"The review record is malformed: {_first(error)}.", where=where) from error
    if digest(document) != verdict_sha256:
        raise ReviewError("The engine's part was changed after it was frozen.", where=where)
    for entry in appended:
        if entry.verdict_sha256 not in (None, verdict_sha256):
            raise ReviewError(f"A {entry.kind} cites another verdict than the one it is appended to.", where=where)
    decision = _last(entry for entry in appended if isinstance(entry, Decision))
    override = _last(entry for entry in appended if isinstance(entry, Override))
    follow_ups = {entry.no: entry for entry in appended if isinstance(entry, FollowUp)}
    return {
        **document,
        "verdict_sha256": verdict_sha256,
        "held_at": _held_at(part, appended),
        "decision": _plain(decision.published() if decision is not None else None),
        "override": _plain(override.published() if override is not None else None),
        "follow_ups": [_plain(follow_ups[no]) for no in sorted(follow_ups)],
        "receipts": [_plain(entry) for entry in appended if isinstance(entry, Receipt)],
    }


def is_intact(document: Mapping[str, Any]) -> bool:
    """Whether the engine's part of a published document still has the digest the document states."""
    part = {key: value for key, value in document.items() if key not in APPENDED}
    return digest(part) == document.get("verdict_sha256")


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the published document."""
    schema = ReviewDocument.model_json_schema(by_alias=True, mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://regelkreis.example/schemas/review-record/v1.json",
        **schema,
    }


def export_schema(root: Path) -> Path:
    """Write the schema below the root of the source tree; returns the file."""
    file = root / SCHEMA_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def plain_words(document: Mapping[str, Any], *, language: str = "en") -> str:
    """The review in plain words for a work note, in English or German."""
    return words(document, language, str(document.get("verdict_sha256") or digest(document)))


def _held_at(part: EnginePart, entries: Sequence[Entry]) -> str:
    """Interim looks are held when computed, final ones when decided, sustaining ones when acknowledged or decided."""
    if part.kind is ReviewKind.LOOK:
        return part.computed_at
    return next((entry.at for entry in entries if isinstance(entry, HELD_BY.get(part.kind, ()))), "")


def _last(entries: Iterable[T]) -> T | None:
    found = None
    for entry in entries:
        found = entry
    return found


def _plain(entry: BaseModel | None) -> dict[str, Any] | None:
    return None if entry is None else entry.model_dump(mode="json")


def _first(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    path = ".".join(str(part) for part in problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{path}: {message}" if path else message
