"""Two small platforms for stories that need both, each with a part of its tickets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connectors.sandbox.generator import generate
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.sandbox.world import World


@contextmanager
def two_small_platforms(*, every: int) -> Iterator[RunningSandbox]:
    """ServiceNow and Jira Cloud with every so-manieth ticket of their small worlds, and no contacts."""
    worlds = {platform: _a_part_of(platform, every) for platform in ("servicenow", "jira")}
    with running_sandbox(platforms=("servicenow", "jira_cloud"), worlds=worlds) as running:
        yield running


def _a_part_of(platform: str, every: int) -> World:
    world = generate(platform, size="small")  # type: ignore[arg-type]
    world.tickets, world.contacts = world.tickets[::every], []
    return world
