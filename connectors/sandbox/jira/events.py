"""What administrators and migrations do to many issues at once, on demand: ``POST /sandbox/events``.

``mass_update``
    ``count`` issues get one and the same update time.
``delete``
    ``count`` issues vanish.
``rebuild_slas``
    The finished clocks of ``count`` issues are recalculated with ``factor`` times the goal, as the vendor's
    reconstruction does; whether that moves ``updated`` is not documented: ``touches`` says.
``move``
    ``count`` tickets, or the issues of these ``keys``, move to another project: new keys, the same ids; the old keys
    lead on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from connectors.sandbox.jira import catalogue
from connectors.sandbox.jira.model import Issue
from connectors.sandbox.jira.site import Site

Event = Mapping[str, Any]


def happen(site: Site, event: Event) -> dict[str, Any]:
    """Let an event happen; answers the ids it touched. Raises ValueError for an unknown kind."""
    kind = event.get("kind")
    if kind not in EVENTS:
        raise ValueError(f"There is no event “{kind}”; there are {', '.join(sorted(EVENTS))}.")
    return {"ids": [str(issue.id) for issue in EVENTS[kind](site, event)]}


def touch_first(site: Site, count: int) -> list[Issue]:
    """Somebody changes the issues that come first in the order of their update time."""
    issues = list(islice(site.ordered(), count))
    for issue in issues:
        site.touch(issue)
    return issues


def _mass_update(site: Site, event: Event) -> list[Issue]:
    return touch_first(site, int(event["count"]))


def _delete(site: Site, event: Event) -> list[Issue]:
    issues = list(islice(site.ordered(), int(event["count"])))
    for issue in issues:
        site.delete(issue)
    return issues


def _rebuild_slas(site: Site, event: Event) -> list[Issue]:
    factor = float(event.get("factor", 0.5))
    with_clocks = (issue for issue in site.ordered() if issue.ticket is not None and issue.ticket.slas)
    issues = list(islice(with_clocks, int(event["count"])))
    for issue in issues:
        assert issue.ticket is not None
        for clock in issue.ticket.slas:
            if clock.stop is None or clock.stop > site.now:
                continue
            goal = round(clock.goal_s * factor)
            clock.breach_at += goal - clock.goal_s
            clock.goal_s, clock.breached = goal, clock.elapsed_s > goal
        if event.get("touches"):
            site.touch(issue)
    site.version += 1
    return issues


def _move(site: Site, event: Event) -> list[Issue]:
    tickets = (issue for issue in site.ordered() if issue.project.id == catalogue.OPS.id)
    named = [issue for key in event.get("keys", ()) if (issue := site.issue(key)) is not None]
    issues = named or list(islice(tickets, int(event["count"])))
    for issue in issues:
        site.move(issue, site.projects.named(catalogue.ARCHIVE.id) or catalogue.ARCHIVE)
    return issues


EVENTS: dict[str, Callable[[Site, Event], list[Issue]]] = {
    "mass_update": _mass_update,
    "delete": _delete,
    "rebuild_slas": _rebuild_slas,
    "move": _move,
}
