"""The sandbox's world: what really happened, before any platform renders it.

A world is a list of facts with their instants, independent of ServiceNow and Jira. The sandbox shows the part of
it that its clock has reached: an event is visible from its ``at`` on, a clock from its ``start`` on, its end from
``stop`` on. All instants are epoch seconds UTC (int), all durations whole seconds.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

Value = str | int | bool | None

TICKET_KINDS = ("incident", "request", "problem", "change")
STATES = ("new", "in_progress", "on_hold", "resolved", "closed", "cancelled")
AGREEMENTS = ("sla", "ola", "uc")
TARGETS = ("response", "resolution")
CONTACT_KINDS = ("review", "call", "visit", "mail", "chat")
GRIEVANCE_KINDS = ("complaint", "escalation")
OUTAGE_KINDS = ("outage", "degradation", "planned")
RISKS = ("high", "moderate", "low")


class TicketEvent(msgspec.Struct, gc=False):
    """Fields of a ticket that changed at one instant.

    ``changes`` uses canonical names: state (one of :data:`STATES`), assignment_group, assignee, reopen_count,
    reassignment_count, priority, is_major. State ``resolved`` sets the platform's resolved_at to ``at``, ``closed``
    its closed_at, also when repeated; but ``resolved_at: None`` beside a state leaves resolved_at empty (a replayed
    log has tickets in state Resolved that were never resolved). Many events share one ``changes`` dict: treat it as
    read-only.
    """

    at: int
    changes: dict[str, Value]


class WorldSla(msgspec.Struct, gc=False):
    """One clock of one agreement on one ticket.

    ``stop`` is None where the ticket never ends; it may lie beyond the world's end. ``breached`` and ``elapsed_s``
    are the final truth; before ``stop`` a renderer derives them: breached from ``breach_at`` on, if ``breached`` at
    all. The clock stands still while the ticket is on hold, so ``stop − start`` may be longer than ``elapsed_s``.
    ``cancelled``: the ticket was cancelled at ``stop`` and the clock with it; such a clock counts nowhere.
    """

    target: str
    agreement: str
    name: str
    goal_s: int
    start: int
    stop: int | None
    breach_at: int
    breached: bool
    elapsed_s: int
    supplier: str | None
    cancelled: bool = False


class WorldSurvey(msgspec.Struct, gc=False):
    """A satisfaction survey about a ticket; ``score`` is 1 to 5, None where nobody answered."""

    sent: int
    answered: int | None
    score: int | None


class WorldTicket(msgspec.Struct):
    """An incident, request, problem or change with all that will ever happen to it.

    ``events`` are in time order; the first is the opening (state new, group, counts 0) at or after ``opened`` (a
    replayed log has a few tickets that were opened after their first row). ``priority`` and ``is_major`` are as
    opened. ``risk`` and ``is_successful`` are set for changes only; ``is_successful`` becomes visible with the
    closure. ``number`` and ``location`` are what the platform shows where the world knows them (a replayed log);
    None: the renderer counts, and takes the country as location.
    """

    uid: int
    kind: str
    title: str
    customer: str | None
    country: str | None
    service: str | None
    supplier: str | None
    category: str | None
    caller: str
    priority: int
    is_major: bool
    opened: int
    events: list[TicketEvent]
    slas: list[WorldSla]
    survey: WorldSurvey | None
    risk: str | None
    is_successful: bool | None
    number: str | None = None
    location: str | None = None


class WorldContact(msgspec.Struct):
    """One conversation with a customer (kinds: :data:`CONTACT_KINDS`), or what a customer holds against us.

    Kinds of the latter: :data:`GRIEVANCE_KINDS`. Only the ServiceNow flavour shows them.
    """

    uid: int
    kind: str
    customer: str
    country: str
    service: str | None
    at: int


class WorldRecommendation(msgspec.Struct):
    """A survey that asks a customer's people whether they would recommend us; ``score`` is 0 to 10.

    Only the ServiceNow flavour shows them. ``answered`` and ``score`` are None where nobody answered.
    """

    uid: int
    customer: str
    country: str
    sent: int
    answered: int | None
    score: int | None


class WorldOutage(msgspec.Struct):
    """A time in which a service was not, or not fully, available (kinds: :data:`OUTAGE_KINDS`)."""

    uid: int
    kind: str
    service: str
    customer: str
    country: str
    begin: int
    end: int | None


@dataclass(slots=True)
class WorldPerson:
    """A platform account of a person: owner, approver or agent.

    ``roles`` holds any of ``owner``, ``approver``, ``agent``. Password and token are those of the sandbox.
    """

    username: str
    name: str
    email: str
    time_zone: str
    roles: tuple[str, ...]


@dataclass(slots=True)
class World:
    """Everything that happens on one platform from ``start`` on, for ``weeks`` weeks.

    ``tickets`` are ordered by ``opened``, uids count from 1 in that order. ``customers`` are (name, ISO country).
    """

    platform: str
    start: int
    weeks: int
    tickets: list[WorldTicket] = field(default_factory=list)
    contacts: list[WorldContact] = field(default_factory=list)
    outages: list[WorldOutage] = field(default_factory=list)
    customers: list[tuple[str, str]] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    suppliers: list[str] = field(default_factory=list)
    people: list[WorldPerson] = field(default_factory=list)
    recommendations: list[WorldRecommendation] = field(default_factory=list)


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Collecting garbage while millions of long-lived objects are made takes half of the time and frees nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
