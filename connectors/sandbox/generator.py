"""A seeded world of tickets: 130 weeks of a platform, with the scenario's truth built in.

Fast because everything random is drawn with numpy per scope, and reproducible because every scope has its own stream
of random numbers: the same seed, platform and size give the same world, to the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from connectors.sandbox import companions, levels, scenario
from connectors.sandbox.arrivals import WEEK_S
from connectors.sandbox.incidents import incidents_of
from connectors.sandbox.world import World, WorldPerson, WorldTicket, no_garbage_collection

Platform = Literal["servicenow", "jira"]
Size = Literal["small", "demo", "large"]

DEFAULT_SEED = 7


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of the scenario a world shows: from which of its weeks, how many, at which volume.

    ``per_week`` caps the volume of a scope, ``factor`` multiplies it.
    """

    first_week: int
    weeks: int
    per_week: float | None = None
    factor: float = 1.0


EXTENTS: dict[str, Extent] = {
    "small": Extent(first_week=60, weeks=30, per_week=8.0),  # the weeks around the deterioration, few tickets
    "demo": Extent(first_week=0, weeks=scenario.WEEKS),
    "large": Extent(first_week=0, weeks=scenario.WEEKS, factor=8.5),  # about a million tickets
}

AGENTS: dict[str, tuple[str, ...]] = {
    "servicenow": ("agent.ada", "agent.ben", "agent.chloe", "agent.dmitri", "agent.elif", "agent.farid"),
    "jira": ("agent.gita", "agent.hugo", "agent.ines", "agent.jamal", "agent.kira", "agent.leon"),
}


def generate(platform: Platform, *, seed: int = DEFAULT_SEED, size: Size = "demo") -> World:
    """The world of one platform. A small one begins, whatever its dates, where the scenario's week 60 does."""
    extent = EXTENTS[size]
    start = int(scenario.START.timestamp())
    streams = np.random.SeedSequence([seed, list(AGENTS).index(platform)]).spawn(len(scenario.SCOPES) + 3)
    shared = levels.shared_noise(np.random.default_rng(streams[0]), extent.weeks)
    agents = list(AGENTS[platform])
    tickets: list[WorldTicket] = []
    with no_garbage_collection():
        for index, scope in enumerate(scenario.scopes_of(platform)):
            rng = np.random.default_rng(streams[index + 3])
            per_week = scope.per_week * extent.factor
            if extent.per_week is not None:
                per_week = min(per_week, extent.per_week)
            tickets += incidents_of(
                rng,
                scope,
                shared,
                start=start,
                first_week=extent.first_week,
                per_week=per_week,
                agents=agents,
            )
            tickets += companions.requests_problems_changes(
                rng, scope, start=start, weeks=extent.weeks, share=extent.factor, agents=agents
            )
        tickets.sort(key=lambda ticket: ticket.opened)
        for uid, ticket in enumerate(tickets, start=1):
            ticket.uid = uid
    return World(
        platform=platform,
        start=start,
        weeks=extent.weeks,
        tickets=tickets,
        contacts=companions.contacts(np.random.default_rng(streams[1]), platform, start=start, weeks=extent.weeks),
        outages=companions.outages(
            np.random.default_rng(streams[2]), tickets, platform, start=start, weeks=extent.weeks
        ),
        customers=companions.customers_of(platform),
        services=list(dict.fromkeys(scope.service for scope in scenario.scopes_of(platform))),
        suppliers=list(dict.fromkeys(scope.supplier for scope in scenario.scopes_of(platform) if scope.supplier)),
        people=people_of(platform),
    )


def people_of(platform: str) -> list[WorldPerson]:
    """Owners and approvers of the scenario (in their country's zone), and the agents."""
    scopes = scenario.scopes_of(platform)
    zones = {scope.owner: scenario.ZONES[scope.country] for scope in reversed(scopes)}
    roles = dict.fromkeys((scope.owner for scope in scopes), "owner")
    roles |= dict.fromkeys((scope.approver for scope in scopes), "approver")
    roles |= dict.fromkeys(AGENTS.get(platform, ()), "agent")
    return [
        WorldPerson(
            username=username,
            name=username.replace(".", " ").title(),
            email=f"{username}@example.com",
            time_zone=zones.get(username, "Europe/Berlin"),
            roles=(role,),
        )
        for username, role in roles.items()
    ]


def end_of(world: World) -> int:
    """The instant (epoch seconds UTC) at which the world's last week is over."""
    return world.start + world.weeks * WEEK_S
