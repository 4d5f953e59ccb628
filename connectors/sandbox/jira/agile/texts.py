"""Sprints, epics and the fields of Jira Software as the APIs show them: each flavour in its own way."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from connectors.sandbox.jira.agile.planning import Sprint, rank_of
from connectors.sandbox.jira.catalogue import EPIC_LINK, FLAGGED, RANK, SPRINT, Field, Flavour
from connectors.sandbox.jira.model import Issue
from connectors.sandbox.jira.parts import Parts
from connectors.sandbox.jira.sight import Sight
from connectors.sandbox.jira.site import Site

AGILE = "/rest/agile/1.0"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def sprint(base: str, site: Site, sprint: Sprint) -> dict[str, Any]:
    """A sprint; times that it has not reached are left out."""
    times = {"startDate": sprint.start, "endDate": sprint.end, "completeDate": sprint.completed}
    is_cloud = site.flavour is Flavour.CLOUD
    times |= {"createdDate": sprint.created} if is_cloud else {"activatedDate": sprint.activated}
    return {
        "id": sprint.id,
        "self": f"{base}{AGILE}/sprint/{sprint.id}",
        "state": sprint.state,
        "name": sprint.name,
        **{name: instant_text(at) for name, at in times.items() if at is not None},
        "originBoardId": sprint.board,
        "goal": sprint.goal,
        **({} if is_cloud else {"synced": False, "autoStartStop": False}),
    }


def epic(base: str, issue: Issue) -> dict[str, Any]:
    """An epic: an issue with a name, a colour and a mark of its own for being done."""
    return {
        "id": issue.id,
        "key": issue.key,
        "self": f"{base}{AGILE}/epic/{issue.id}",
        "name": issue.value("epic_name") or issue.summary,
        "summary": issue.summary,
        "color": {"key": issue.value("epic_colour") or "color_1"},
        "done": bool(issue.value("epic_done")),
    }


def field_value(parts: Parts, field: Field, sight: Sight) -> Callable[[Issue], Any] | None:
    """What the platform's API shows of a field of Jira Software; None for any other field."""
    site = parts.site
    table: dict[str, Callable[[Issue], Any]] = {
        SPRINT.id: lambda issue: [_in_field(site, one) for one in site.planning.sprints_of(issue)] or None,
        RANK.id: lambda issue: _lexo_rank(rank_of(issue)),
        FLAGGED.id: lambda issue: [_impediment(parts)] if issue.value("flagged") else None,
        EPIC_LINK.id: lambda issue: _epic_key(sight, issue),
    }
    return table.get(field.id)


def _in_field(site: Site, sprint: Sprint) -> dict[str, Any] | str:
    """A sprint in the field of an issue: an object on Cloud, on Data Center what Java prints."""
    times = {"startDate": sprint.start, "endDate": sprint.end, "completeDate": sprint.completed}
    if site.flavour is Flavour.CLOUD:
        shown = {"id": sprint.id, "name": sprint.name, "state": sprint.state, "boardId": sprint.board}
        told = {name: instant_text(at) for name, at in times.items() if at is not None}
        return {**shown, "goal": sprint.goal, **told}
    times["activatedDate"] = sprint.activated
    told = {name: instant_text(at) if at is not None else "<null>" for name, at in times.items()}
    members = {"id": sprint.id, "rapidViewId": sprint.board, "state": sprint.state.upper(), "name": sprint.name}
    members |= {**told, "sequence": sprint.id, "goal": sprint.goal, "synced": "false", "autoStartStop": "false"}
    inner = ",".join(f"{name}={value}" for name, value in members.items())
    return f"com.atlassian.greenhopper.service.sprint.Sprint@{sprint.id:x}[{inner}]"


def _impediment(parts: Parts) -> dict[str, str]:
    return {"self": f"{parts.api}/customFieldOption/10019", "value": "Impediment", "id": "10019"}


def _epic_key(sight: Sight, issue: Issue) -> str | None:
    above = sight.by_id(issue.value("epic"))
    return above.key if above is not None else None


def _lexo_rank(rank: int | Fraction) -> str:
    """A rank as text that sorts as the ranks do: bucket, whole part, and the fraction in base 36."""
    whole = math.floor(rank)
    text, rest = "", Fraction(rank) - whole
    while rest:
        rest *= 36
        text += _DIGITS[math.floor(rest)]
        rest -= math.floor(rest)
    digits = ""
    while whole:
        whole, digit = divmod(whole, 36)
        digits = _DIGITS[digit] + digits
    return f"0|i{digits:0>6}:{text}"


def instant_text(at: int) -> str:
    """An instant as Jira Software writes it, in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}.000Z"
