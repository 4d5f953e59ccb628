"""Small platforms for stories that need no more, each with a part of its tickets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connectors.sandbox.generator import generate
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.sandbox.world import World


@contextmanager
def small_platforms(*platforms: Flavour, every: int) -> Iterator[RunningSandbox]:
    """These with every so-manieth ticket of their small worlds, and no contacts."""
    names = {"servicenow" if platform == "servicenow" else "jira" for platform in platforms}
    worlds = {name: _a_part_of(name, every) for name in names}
    with running_sandbox(platforms=platforms, worlds=worlds) as running:
        yield running


@contextmanager
def two_small_platforms(*, every: int) -> Iterator[RunningSandbox]:
    """ServiceNow and Jira Cloud, each with a part of its tickets."""
    with small_platforms("servicenow", "jira_cloud", every=every) as running:
        yield running


def _a_part_of(platform: str, every: int) -> World:
    world = generate(platform, size="small")  # type: ignore[arg-type]
    world.tickets, world.contacts = world.tickets[::every], []
    return world
