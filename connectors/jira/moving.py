"""Moving an improvement issue through its workflow: discovered, never forced, never against a person.

We move an issue only while it stands where our last state put it. A person who moved it elsewhere is followed, not
overruled. Transition names are localised and differ per workflow, so only the status it leads to counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from connectors.answers import Declined
from connectors.config import ConnectionConfig
from connectors.jira import tracing
from connectors.jira.issues import ActionIssue, comments_of, is_read_by_customers, read_action
from connectors.jira.opened import Jira
from connectors.jira.project import Allowed, ScreenField
from connectors.jira.sending import Sender
from connectors.jira.shaping import Shaped
from connectors.jira.site import ask, who_am_i
from connectors.jira.wire import StatusValue
from improvement.errors import PermissionMissing, WriteRefused
from improvement.records import SUSTAINED_VERDICTS, Outbound, State

#: Name of a status of the improvement project → canonical platform state; others follow their category.
PLATFORM_STATES: dict[str, str] = {
    "to do": "new",
    "backlog": "new",
    "open": "new",
    "new": "new",
    "accepted": "accepted",
    "selected for development": "accepted",
    "assess": "assess",
    "waiting for approval": "assess",
    "approved": "approved",
    "in progress": "in_progress",
    "in review": "review",
    "review": "review",
    "on hold": "on_hold",
    "blocked": "on_hold",
    "pending": "on_hold",
    "done": "closed",
    "closed": "closed",
    "resolved": "closed",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "rejected": "cancelled",
    "declined": "cancelled",
    "won't do": "cancelled",
}
_BY_CATEGORY = {"new": "new", "indeterminate": "in_progress", "done": "closed"}

#: Our state → where its issue belongs.
WANTED: dict[str, str] = {
    State.PROPOSED: "new",
    State.PLANNED: "new",
    State.DOING: "in_progress",
    State.CHECKING: "in_progress",
    State.ACTING: "in_progress",
    State.SUSTAINING: "in_progress",
    State.ON_HOLD: "on_hold",
    State.CLOSED: "closed",
    State.CANCELLED: "cancelled",
}
#: What a closing transition may be resolved as. *Done* is for success alone.
SUCCESS = ("done", "fixed", "resolved", "completed")
NO_SUCCESS = ("inconclusive", "incomplete", "unsuccessful", "won't do", "won't fix", "cannot reproduce")
DROPPED = ("cancelled", "canceled", "won't do", "won't fix", "declined")
USUAL_RESOLUTIONS: dict[str, tuple[str, ...]] = {"success": SUCCESS, "no_success": NO_SUCCESS, "dropped": DROPPED}
CONFLICT = 409
STATUS = "status"  # in what our property says that we are about to do


class _Way(msgspec.Struct, frozen=True):
    id: str
    to: StatusValue
    name: str = ""
    fields: dict[str, ScreenField] = {}


class _Ways(msgspec.Struct, frozen=True):
    transitions: list[_Way]


def platform_state(status: StatusValue, config: ConnectionConfig, resolution: str | None = None) -> str:
    """The canonical platform state of a status: as the connection says (by id or name), else by its usual English
    name, else by its category. A done one with a dropping resolution counts as cancelled.
    """
    name, said = status.name or "", config.statuses
    category = status.status_category.key if status.status_category is not None else None
    state = (
        said.get(status.id)
        or said.get(name)
        or PLATFORM_STATES.get(name.casefold())
        or _BY_CATEGORY.get(category or "", "in_progress")
    )
    if state == "closed" and resolution is not None and resolution.casefold() in DROPPED:
        return "cancelled"
    return state


def is_success(resolution: str, config: ConnectionConfig) -> bool:
    """Whether a resolution claims success: the configured one alone, else a usual one."""
    said = config.resolutions.get("success")
    return resolution.casefold() in ((said.casefold(),) if said is not None else SUCCESS)


def follow_state(
    jira: Jira,
    sender: Sender,
    outbound: Outbound,
    issue: ActionIssue,
    form: Shaped,
    edited: Callable[[], frozenset[str]],
) -> str | None:
    """Move the issue to where our state belongs, if a transition leads there and no person moved it meanwhile.

    Answers the last of our states that the issue followed, to be kept in its property. ``edited``: the fields that
    somebody else changed last, the status among them.
    """
    ours = outbound.fields.get("state")
    placed: str | None = issue.kept.get("placed")
    if ours is None or str(ours) not in WANTED:
        return placed
    wanted = WANTED[str(ours)]
    current = _stands(jira, issue)
    if wanted == current:
        return str(ours)
    is_intended = issue.kept.get("about", {}).get(STATUS) == tracing.fingerprint(current)  # and we did not note it
    if current != WANTED.get(placed or "proposed", "new") and not (is_intended and STATUS not in edited()):
        form.unwritten["state"] = f"a person moved the issue to {issue.fields['status'].get('name')}; it stays there"
        return placed
    for way in _ways(jira, issue.id):
        if platform_state(way.to, jira.config) != wanted:
            continue
        fields = _filled(way, wanted, outbound, jira.config)
        if fields is None:
            continue
        about = {**issue.kept.get("about", {}), STATUS: tracing.fingerprint(wanted)}
        sender.set_property(issue.id, tracing.PROPERTY, {**issue.kept, **tracing.whose(outbound), "about": about})
        try:
            sender.transition(issue.id, way.id, fields)
        except (WriteRefused, PermissionMissing, Declined) as refused:
            if isinstance(refused, Declined) and refused.status != CONFLICT:
                raise
            if _stands(jira, read_action(jira, issue.id)) == wanted:  # somebody else moved it just now
                return str(ours)
            who_am_i(jira.reader, jira.config)  # to an expired token no way is open
            if isinstance(refused, Declined):
                raise  # the issue was changed while we moved it: read again at the next delivery
            form.unwritten["state"] = f"Jira refused the transition “{way.name}”: {refused.what}"
            return placed
        return str(ours)
    _tell(jira, sender, outbound, issue, wanted, form)
    return placed


def _ways(jira: Jira, issue_id: str) -> list[_Way]:
    params = {"expand": "transitions.fields"}
    found: _Ways = ask(jira.reader, f"/issue/{issue_id}/transitions", _Ways, what="transitions", params=params)
    return found.transitions


def _stands(jira: Jira, issue: ActionIssue) -> str:
    return platform_state(msgspec.convert(issue.fields["status"], StatusValue), jira.config, _resolution(issue))


def _filled(way: _Way, wanted: str, outbound: Outbound, config: ConnectionConfig) -> dict[str, Any] | None:
    """What the transition's screen demands, or None where we cannot give it."""
    fields: dict[str, Any] = {}
    for field_id, field in way.fields.items():
        if field_id == "resolution" and (field.required or wanted in ("closed", "cancelled")):
            chosen = _choose(field.allowed_values, wanted, outbound, config)
            if chosen is None:
                return None
            fields["resolution"] = {"id": chosen}
        elif field.required and not field.has_default_value:
            return None
    return fields


def _choose(allowed: list[Allowed], wanted: str, outbound: Outbound, config: ConnectionConfig) -> str | None:
    """The resolution of an outcome: the configured one alone, else the first usual one that the screen offers."""
    if wanted == "cancelled":
        outcome = "dropped"
    else:
        outcome = "success" if outbound.fields.get("verdict") in SUSTAINED_VERDICTS else "no_success"
    said = config.resolutions.get(outcome)
    names = (said.casefold(),) if said is not None else USUAL_RESOLUTIONS[outcome]
    by_name = {(one.name or "").casefold(): one.id for one in allowed}
    return next((by_name[name] for name in names if by_name.get(name)), None)


def _resolution(issue: ActionIssue) -> str | None:
    return (issue.fields.get("resolution") or {}).get("name")


def _tell(jira: Jira, sender: Sender, outbound: Outbound, issue: ActionIssue, wanted: str, form: Shaped) -> None:
    """No way leads there: say so in a comment, once per state, and on the receipt."""
    shown = wanted.replace("_", " ")
    form.unwritten["state"] = f"no transition that we may take leads to {shown}"
    key = f"{outbound.action_id}/state/{outbound.fields['state']}"
    # The issue is ours, so a comment that an earlier version left on it is ours too, however it is marked.
    marks = tracing.marks_of(msgspec.structs.replace(outbound, key=key, may_stand_unnamed=True))
    if any(mark in comment.body for comment in comments_of(jira, issue.id) for mark in marks):
        return
    text = (
        f"{outbound.action_id} is now {outbound.fields['state']}. Regelkreis found no transition to {shown} that it "
        "may take, so this issue stays where it is. Please move it when it suits you."
    )
    is_internal = is_read_by_customers(jira, issue.project)
    sender.comment(issue.id, tracing.marked(text, marks[0]), is_internal=is_internal)
