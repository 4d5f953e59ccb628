"""What surrounds the incidents: requests, problems, changes, contacts with customers, outages."""

from __future__ import annotations

import numpy as np

from connectors.sandbox.arrivals import DAY_S, WEEK_S, opening_times, weekly_volumes
from connectors.sandbox.incidents import CLOSES_AFTER_S, SERVICE_DESK
from connectors.sandbox.scenario import ZONES, ScenarioScope, Truth, acting_services, scopes_of
from connectors.sandbox.titles import CHANGES, PROBLEMS, REQUESTS
from connectors.sandbox.world import TicketEvent, WorldContact, WorldOutage, WorldTicket

PER_WEEK = {"request": 1.8, "problem": 0.15, "change": 0.8}
OF_FEW = 0.15  # of these in a scope that has few tickets at all
FAILED_CHANGES = 0.045
HIGH_RISK = 0.06
CONTACT_EVERY_DAYS = {"review": 28, "call": 12, "visit": 91}
LONGEST_GAP_DAYS = 75  # one gap of about this length per customer: what contact_gap is there to see


def requests_problems_changes(
    rng: np.random.Generator, scope: ScenarioScope, *, start: int, weeks: int, share: float, agents: list[str]
) -> list[WorldTicket]:
    """The scope's other tickets; ``share`` scales their volume. High-risk changes spare services somebody acts on."""
    tickets: list[WorldTicket] = []
    may_be_high = scope.service not in acting_services(scope.platform)
    if scope.truth is Truth.FEW:
        share *= OF_FEW
    for kind, texts in (("request", REQUESTS), ("problem", PROBLEMS), ("change", CHANGES)):
        volumes = weekly_volumes(rng, PER_WEEK[kind] * share, weeks, phase=0.05)
        opened, _ = opening_times(rng, volumes, start=start, zone=ZONES[scope.country])
        for at in opened.tolist():
            title = texts[int(rng.integers(len(texts)))].format(service=scope.service)
            risk, is_successful = _risk(rng, may_be_high) if kind == "change" else (None, None)
            tickets.append(
                WorldTicket(
                    0,
                    kind,
                    title,
                    scope.customer,
                    scope.country,
                    scope.service,
                    None,
                    None,
                    f"{scope.customer.lower().replace(' ', '-')}.user{int(rng.integers(80)):02d}",
                    4,
                    False,
                    at,
                    life(rng, kind, at, agents[int(rng.integers(len(agents)))]),
                    [],
                    None,
                    risk,
                    is_successful,
                )
            )
    return tickets


def contacts(rng: np.random.Generator, platform: str, *, start: int, weeks: int) -> list[WorldContact]:
    """Reviews, calls and visits with each customer, with one long silence each; uids count from 1 by time."""
    end = start + weeks * WEEK_S
    found: list[WorldContact] = []
    for customer, country in customers_of(platform):
        silent_from = start + int(rng.uniform(0.1, 0.9) * (end - start))
        silent_to = silent_from + int(LONGEST_GAP_DAYS * rng.uniform(0.7, 1.0)) * DAY_S
        for kind, every in CONTACT_EVERY_DAYS.items():
            at = start + int(rng.uniform(0, min(every, 14)) * DAY_S) + 9 * 3600
            while at < end:
                if not silent_from <= at < silent_to:
                    found.append(WorldContact(0, kind, customer, country, None, at))
                at += int(every * rng.uniform(0.7, 1.3) * DAY_S)
    found.sort(key=lambda contact: contact.at)
    for uid, contact in enumerate(found, start=1):
        contact.uid = uid
    return found


def outages(
    rng: np.random.Generator, tickets: list[WorldTicket], platform: str, *, start: int, weeks: int
) -> list[WorldOutage]:
    """An outage behind each major incident, and a planned maintenance per scope and quarter."""
    found: list[WorldOutage] = []
    for ticket in tickets:
        if ticket.is_major and ticket.service and ticket.customer and ticket.country:
            solved = next((event.at for event in ticket.events if event.changes.get("state") == "resolved"), None)
            kind = "outage" if rng.random() < 0.6 else "degradation"
            begin = ticket.opened - int(rng.integers(120, 1_200))
            found.append(WorldOutage(0, kind, ticket.service, ticket.customer, ticket.country, begin, solved))
    for scope in scopes_of(platform):
        for week in range(int(rng.integers(0, 13)), weeks, 13):
            begin = start + week * WEEK_S + 6 * DAY_S + 2 * 3600  # Sunday night
            end = begin + int(rng.integers(1, 5)) * 3600
            found.append(WorldOutage(0, "planned", scope.service, scope.customer, scope.country, begin, end))
    found.sort(key=lambda outage: outage.begin)
    for uid, outage in enumerate(found, start=1):
        outage.uid = uid
    return found


def customers_of(platform: str) -> list[tuple[str, str]]:
    """(customer, country) of a platform's scopes, without repetition, in the scenario's order."""
    return list(dict.fromkeys((scope.customer, scope.country) for scope in scopes_of(platform)))


def _risk(rng: np.random.Generator, may_be_high: bool) -> tuple[str, bool]:
    drawn = rng.random()
    risk = "high" if drawn < HIGH_RISK and may_be_high else "moderate" if drawn < 0.4 else "low"
    return risk, bool(rng.random() >= FAILED_CHANGES)


def life(rng: np.random.Generator, kind: str, opened: int, assignee: str, *, times: float = 1.0) -> list[TicketEvent]:
    """What becomes of a request, problem or change; ``times`` as long as it usually lasts."""
    days = times * {"request": 2.0, "problem": 30.0, "change": 9.0}[kind]
    begin = opened + int(rng.uniform(0.02, 0.3) * DAY_S)
    done = begin + int(days * DAY_S * np.exp(rng.normal(-0.3, 0.7)))
    events = [
        TicketEvent(
            opened,
            {
                "state": "new",
                "assignment_group": SERVICE_DESK if kind == "request" else "Change and Problem Management",
                "reopen_count": 0,
                "reassignment_count": 0,
                "priority": 4,
                "is_major": False,
            },
        ),
        TicketEvent(begin, {"state": "in_progress", "assignee": assignee}),
    ]
    if kind == "change":
        return [*events, TicketEvent(done, {"state": "closed"})]
    return [*events, TicketEvent(done, {"state": "resolved"}), TicketEvent(done + CLOSES_AFTER_S, {"state": "closed"})]
