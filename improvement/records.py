"""Canonical records: what every platform's data becomes, and what we send back.

Bulk records (tickets, SLA rows, surveys, contacts, outages) travel as Arrow batches whose schema is derived
from the structs below, so there is one definition of each column. Canonical columns are signed integers,
doubles, booleans, UTC timestamps (microseconds) and strings, nothing else: every Ibis engine agrees on these.

All times are UTC. ``None`` means *the platform does not say*. Durations are whole seconds (``_s``).
"""

from __future__ import annotations

import types
import typing
from datetime import date, datetime
from enum import StrEnum

import msgspec
import pyarrow as pa

from improvement.vocabulary import CLOSURE_OUTCOMES as CLOSURE_OUTCOMES
from improvement.vocabulary import SUSTAINED_VERDICTS as SUSTAINED_VERDICTS  # spoken by connectors too
from improvement.vocabulary import Closure as Closure
from improvement.vocabulary import Gain as Gain
from improvement.vocabulary import State as State
from improvement.vocabulary import Verdict as Verdict


class RecordKind(StrEnum):
    """The canonical tables, in the order a pull reads them."""

    TICKET = "ticket"
    SLA = "sla"
    SURVEY = "survey"
    CONTACT = "contact"
    OUTAGE = "outage"


class Ticket(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An incident, request, problem or change. Natural key: (connection, id)."""

    connection: str
    id: str  # the platform's stable id: ServiceNow sys_id, Jira issue id (never the key, which moves)
    number: str  # what people call it: INC0010001, OPS-17
    kind: str  # incident | request | problem | change
    title: str | None
    state: str  # new | in_progress | on_hold | resolved | closed | cancelled
    priority: int | None  # 1 (critical) … 5 (planning)
    is_major: bool
    customer: str | None
    country: str | None  # ISO 3166-1 alpha-2 where the platform has it
    service: str | None
    supplier: str | None
    category: str | None
    assignment_group: str | None
    opened_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    reopen_count: int
    reassignment_count: int
    risk: str | None  # changes only: high | moderate | low
    is_successful: bool | None  # changes only: the close code; None while undecided


class SlaRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One clock of one agreement on one ticket. Natural key: (connection, ticket_id, sla_id, start_at, n).

    ``n`` (added by the warehouse) orders clocks that share their start, because ServiceNow's *retroactive start*
    copies it from the task; ``id`` is kept but is no key, because *SLA repair* recreates rows with new ids.
    """

    connection: str
    id: str
    ticket_id: str
    sla_id: str
    sla_name: str | None
    target: str | None  # response | resolution
    agreement: str  # sla | ola | uc
    supplier: str | None
    stage: str  # in_progress | paused | completed | cancelled
    is_breached: bool
    start_at: datetime | None
    end_at: datetime | None
    breach_at: datetime | None  # when the goal ran (or will run) out
    goal_s: int | None
    elapsed_s: int | None  # business time where the platform computes it
    updated_at: datetime | None


class Survey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One satisfaction survey sent to a person, answered or not. Natural key: (connection, id)."""

    connection: str
    id: str
    kind: str  # csat | nps
    ticket_id: str | None
    customer: str | None
    country: str | None
    service: str | None
    sent_at: datetime | None
    answered_at: datetime | None
    score: float | None
    scale_min: float | None
    scale_max: float | None
    updated_at: datetime | None


class Contact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One conversation with a customer, or what a customer told us unasked. Natural key: (connection, id)."""

    connection: str
    id: str
    kind: str  # review | call | visit | mail | chat | complaint | escalation
    customer: str | None
    country: str | None
    service: str | None
    at: datetime | None
    updated_at: datetime | None


class Outage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A time in which a service was not, or not fully, available. Natural key: (connection, id)."""

    connection: str
    id: str
    kind: str  # outage | degradation | planned
    service: str | None
    customer: str | None
    country: str | None
    begin_at: datetime | None
    end_at: datetime | None
    updated_at: datetime | None


Record = Ticket | SlaRecord | Survey | Contact | Outage

STRUCTS: dict[RecordKind, type[msgspec.Struct]] = {
    RecordKind.TICKET: Ticket,
    RecordKind.SLA: SlaRecord,
    RecordKind.SURVEY: Survey,
    RecordKind.CONTACT: Contact,
    RecordKind.OUTAGE: Outage,
}

NATURAL_KEYS: dict[RecordKind, tuple[str, ...]] = {
    RecordKind.TICKET: ("connection", "id"),
    RecordKind.SLA: ("connection", "ticket_id", "sla_id", "start_at", "n"),
    RecordKind.SURVEY: ("connection", "id"),
    RecordKind.CONTACT: ("connection", "id"),
    RecordKind.OUTAGE: ("connection", "id"),
}

WORDS: dict[RecordKind, dict[str, frozenset[str]]] = {
    RecordKind.TICKET: {
        "kind": frozenset({"incident", "request", "problem", "change"}),
        "state": frozenset({"new", "in_progress", "on_hold", "resolved", "closed", "cancelled"}),
        "risk": frozenset({"high", "moderate", "low"}),
    },
    RecordKind.SLA: {
        "target": frozenset({"response", "resolution"}),
        "agreement": frozenset({"sla", "ola", "uc"}),
        "stage": frozenset({"in_progress", "paused", "completed", "cancelled"}),
    },
    RecordKind.SURVEY: {"kind": frozenset({"csat", "nps"})},
    RecordKind.CONTACT: {
        "kind": frozenset({"review", "call", "visit", "mail", "chat", "complaint", "escalation"}),
    },
    RecordKind.OUTAGE: {"kind": frozenset({"outage", "degradation", "planned"})},
}
"""What a connector may enter in columns that hold words of ours."""

IMPORTED = "import:"
"""Ids that begin so are of records a person brought in a file: no platform knows them, and none can miss them."""

UTC_MICROSECONDS = pa.timestamp("us", tz="UTC")

_ARROW_TYPES: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    datetime: UTC_MICROSECONDS,
}


def arrow_schema(kind: RecordKind) -> pa.Schema:
    """The Arrow schema of one canonical table, one column per field of its struct, in the same order."""
    hints = typing.get_type_hints(STRUCTS[kind])
    columns = []
    for name, hint in hints.items():
        optional = isinstance(hint, types.UnionType)
        plain = next(part for part in typing.get_args(hint) if part is not types.NoneType) if optional else hint
        columns.append(pa.field(name, _ARROW_TYPES[plain], nullable=optional))
    return pa.schema(columns)


SCHEMAS: dict[RecordKind, pa.Schema] = {kind: arrow_schema(kind) for kind in RecordKind}


# --- what goes back to a platform, and what people changed there ---------------------------------------------


class Verb(StrEnum):
    """The kinds of write an outbox row can ask for."""

    CREATE = "create"
    UPDATE = "update"
    NOTE = "note"
    ATTACH = "attach"
    TASK = "task"
    LINK = "link"


class RecordRef(msgspec.Struct, frozen=True, kw_only=True):
    """Where an improvement record lives on its platform."""

    connection: str
    mode: str  # cim | custom | problem | task_min | jira
    id: str  # sys_id or Jira issue id
    number: str  # CIM0001001, CIP-12
    url: str


class OutboundFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file to attach; ``name`` carries the content's digest, so the same file is found again."""

    name: str
    media_type: str
    content: bytes


class Outbound(msgspec.Struct, frozen=True, kw_only=True):
    """One write to a platform in our own words; the connector translates it.

    ``key`` is unique per intended effect (``ACT-7/note/final-1``): a connector searches for its trace before it
    writes, so that sending twice has the effect of sending once. Keys are those of one ``installation``: another has
    an ACT-7 of its own, so a trace names both. ``fields`` uses the names of
    :data:`OUTBOUND_FIELDS`; values are text, number, ISO date or None.
    """

    verb: Verb
    key: str
    action_id: str
    fields: dict[str, str | int | float | None] = {}
    text: str | None = None  # the body of a note
    file: OutboundFile | None = None
    trigger_ids: tuple[str, ...] = ()  # platform ids of triggering tickets (LINK)
    known: dict[str, str] = {}  # our field → what was read there last, of fields that both sides change
    is_adopted: bool = False  # people made the record: what they put in any field stays, also in what we measure
    unanswered_s: float | None = None  # so long ago it was sent without an answer that says whether it took effect
    installation: str = ""  # the identity of whose write it is, told when it is sent
    may_stand_unnamed: bool = False  # a version whose traces named no installation may have made it already


OUTBOUND_FIELDS: tuple[str, ...] = (
    "title",
    "description",
    "hypothesis",
    "service",
    "owner",  # platform account
    "due",
    "baseline",
    "target",
    "next_review",
    "planned_start",
    "planned_end",
    "method",
    "state",  # a State, for platforms with a mapped field or property
    "verdict",  # a Verdict
    "url",  # our page of the action
    "closure",  # a Closure
    "gain",  # a Gain
    "close_notes",
)
CLOSURE_FIELDS: tuple[str, ...] = ("closure", "gain", "close_notes")
"""How an ended action's record may be closed: sent once it has ended, written only where a connection says so."""
ADOPTED_FIELDS: tuple[str, ...] = ("baseline", "target", "next_review", "verdict", "url")
"""All that is kept current on a record that people made: what is measured, and the way to our page."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What the platform said to one write, and what a read-back showed."""

    ref: RecordRef
    status: int  # HTTP status; 0 when an earlier write was found and nothing was sent
    was_found: bool  # True: the effect was already there
    request_sha256: str
    written: dict[str, str] = {}  # platform field → value as read back
    differences: dict[str, str] = {}  # platform field → "sent … , found …" where they differ
    unwritten: dict[str, str] = {}  # our field → why it has no place on this platform
    replaced: dict[str, str] = {}  # platform field → the value of somebody else's that we were told to write over


class PreviewRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request a write would send (dry run); never carries credentials.

    ``may_follow`` says what is sent besides, and when, where that depends on the platform's answer.
    """

    method: str
    url: str
    body: str
    may_follow: str = ""


class PlatformTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task below an improvement record."""

    id: str
    number: str
    title: str
    is_done: bool
    assignee: str | None
    due: date | None


class PlatformApproval(msgspec.Struct, frozen=True, kw_only=True):
    """One approval row as the platform stores it (requested, approved, rejected, cancelled …)."""

    id: str
    approver: str  # platform account
    state: str
    at: datetime | None


class PlatformComment(msgspec.Struct, frozen=True, kw_only=True):
    """A comment or work note written on the platform."""

    id: str
    author: str
    at: datetime
    text: str


class PlatformField(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in one field, as people read it there. ``changed_by``: by whom its last change was, where told."""

    value: str
    changed_by: str | None = None


EDITED_THERE: tuple[str, ...] = ("title", "hypothesis", "service")
"""Fields we write until a person edits them on the platform; from then on they come from there."""
SET_THERE: tuple[str, ...] = ("priority", "approver_group", "strategies", "percent_complete")
"""Fields that only the platform sets."""


UNKNOWN_STATE = "unknown"
"""A platform's state whose meaning nobody told us: it moves nothing."""


class PlatformState(msgspec.Struct, frozen=True, kw_only=True):
    """An improvement record as people left it on the platform (read by *follow*)."""

    ref: RecordRef
    state: str  # new | accepted | assess | approved | in_progress | review | on_hold | closed | cancelled | unknown
    state_changed_by: str | None  # platform account, from its own history; None where it does not tell
    state_changed_at: datetime | None
    close_code: str | None
    owner: str | None
    due: date | None
    owner_changed_by: str | None = None  # as state_changed_by, of the owner's and the due date's last change
    due_changed_by: str | None = None
    is_closed_as_success: bool = False  # what close_code claims
    close_code_changed_by: str | None = None
    fields: dict[str, PlatformField] = {}  # by EDITED_THERE and SET_THERE; one that is not named is not told
    tasks: tuple[PlatformTask, ...] = ()
    approvals: tuple[PlatformApproval, ...] = ()
    comments: tuple[PlatformComment, ...] = ()
    is_missing: bool = False  # the record was deleted or is hidden from us
