"""What was known of actions at an earlier moment: told by the log's entries, not by today's rows.

What never changes once it is written (title, scope, a line of the history, a frozen plan, a computed look, a review) is
read from its row, if it was there by then. What changed since and no entry tells (a due date, the measurement before
its plan was frozen) is left out: nobody could prove it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from improvement.errors import InputError, Place
from improvement.pdca import Event
from workflows.actions import marking
from workflows.evidence.logged_state import Told, ToldAction
from workflows.models import (
    Action,
    ErasableText,
    LedgerEntry,
    Look,
    LookKind,
    MarkedChange,
    Person,
    Plan,
    ReviewRecord,
    RuleVersion,
    Transition,
)

#: Looks that were still to come end with these events.
DROPS = (Event.ADJUST, Event.BAD_SUSTAINING_LOOK, Event.REAPPROVE, Event.CANCEL)


@dataclass(frozen=True, slots=True)
class ActionThen:
    """An action as it was known at ``at``; ``told`` are the entries' last words by then, by field."""

    action: Action
    at: datetime
    told: Mapping[str, Any]

    @property
    def state(self) -> str:
        """Where it stood."""
        return str(self.told["state"])

    @property
    def owner(self) -> str:
        """Whose it was; '' nobody's."""
        return str(self.told.get("owner", ""))

    @property
    def plan(self) -> Plan | None:
        """The plan that was frozen by then in the cycle it was in: the newest version."""
        frozen = self.action.plans.filter(cycle_no=self.told["cycle_no"], frozen_at__lte=self.at).exclude(sha256="")
        return frozen.select_related("approved_by").order_by("-version").first()

    @property
    def marks(self) -> list[MarkedChange]:
        """Changes that were marked by then and not taken back."""
        return marking.marks_at(self.action, self.at)

    @property
    def history(self) -> QuerySet[Transition]:
        """The lines of its history until then."""
        return self.action.transitions.filter(at__lte=self.at).order_by("id")

    def as_dict(self) -> dict[str, Any]:
        """As JSON; the names are those of the action today."""
        plan, told = self.plan, self.told
        return {
            "as_of": self.at.isoformat(),
            "id": self.action.code,
            "title": self.action.title,
            "state": self.state,
            "cycle_no": told["cycle_no"],
            "connection": self.action.connection,
            "scope": told.get("scope", self.action.scope),
            "metric": told.get("metric", ""),
            "origin": self.action.origin,
            "rule": self.action.rule_id,
            "owner": self.owner or None,
            "hypothesis": told.get("hypothesis", ""),
            "goal": told.get("goal"),
            "min_effect": told.get("min_effect"),
            "golive_planned": told.get("golive_planned") or None,
            "implemented_on": told.get("implemented_on") or None,
            "is_late": told.get("is_late", False),
            "is_accepted": told["is_accepted"],
            "is_overridden": told.get("is_overridden", False),
            "trigger": told.get("trigger", {}),
            "plan": None if plan is None else {"version": plan.version, "sha256": plan.sha256, **plan.document},
            "verdict": told.get("verdict") or None,
            "marked_changes": [
                {
                    "number": mark.number,
                    "live_on": mark.live_on.isoformat(),
                    "is_for_scope": mark.is_for_scope,
                    "marked_by": mark.marked_by.username,
                    "reason": mark.reason,
                }
                for mark in self.marks
            ],
            "record": told.get("record"),
        }


@dataclass(frozen=True, slots=True)
class LookThen:
    """A planned reading as it was known then. ``due_at`` None: it was moved since, and no entry tells from where."""

    look: Look
    due_at: datetime | None
    is_computed: bool
    is_missed: bool
    is_dropped: bool

    @property
    def verdict(self) -> str:
        """What it had found by then; '' nothing yet."""
        return self.look.verdict if self.is_computed else ""

    @property
    def result(self) -> dict[str, Any] | None:
        """Every number of it, None before it was computed."""
        return self.look.result if self.is_computed else None

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "kind": self.look.kind,
            "week": self.look.week_no,
            "due_at": self.due_at,
            "computed_at": self.look.computed_at if self.is_computed else None,
            "is_missed": self.is_missed,
            "is_dropped": self.is_dropped,
            "verdict": self.verdict or None,
            "result": self.result,
        }


def actions_at(at: datetime) -> list[ActionThen]:
    """Every action that was open or closed by then, by number."""
    told = _fold(LedgerEntry.objects.filter(subject__startswith="ACT-"), at)
    rows = {action.code: action for action in Action.objects.order_by("id")}
    return [_then(action, told.actions[code], at) for code, action in rows.items() if code in told.actions]


def action_at(action: Action, at: datetime) -> ActionThen:
    """One action; :class:`InputError` where it was not open yet."""
    told = _fold(LedgerEntry.objects.filter(subject=action.code), at).actions.get(action.code)
    if told is None:
        raise _too_early(f"{action.code} was opened on {action.opened_at:%Y-%m-%d %H:%M} UTC", at)
    return _then(action, told, at)


def looks_at(action: Action, at: datetime) -> list[LookThen]:
    """The looks that were planned or computed by then, by the day they are due."""
    action_at(action, at)
    steps = list(action.transitions.order_by("id"))
    begun = _Begun(action, steps, at)
    corrected = [step.at for step in steps if step.event == Event.CORRECT_GOLIVE and step.at > at]
    missed = set(
        ReviewRecord.objects.filter(action=action, kind="missed", recorded_at__lte=at).values_list("look", flat=True)
    )
    found = []
    for look in action.looks.select_related("plan").order_by("due_at", "id"):
        since = begun.since(look)
        if since is None or since > at:
            continue
        dropped = [step.at for step in steps if step.event in DROPS and since <= step.at <= at]
        is_moved = any(look.computed_at is None or look.computed_at > moment for moment in corrected)
        found.append(
            LookThen(
                look,
                None if is_moved else look.due_at,
                is_computed=look.computed_at is not None and look.computed_at <= at,
                is_missed=look.pk in missed,
                is_dropped=look.is_dropped and bool(dropped),
            )
        )
    return found


def reviews_at(at: datetime | None) -> QuerySet[ReviewRecord]:
    """The records that were frozen by then, oldest first; None: all, also those of cycles ahead of the clock."""
    known = ReviewRecord.objects.all() if at is None else ReviewRecord.objects.filter(recorded_at__lte=at)
    return known.select_related("action").order_by("id")


# --- hearing the log ------------------------------------------------------------------------------------------


def _planned(action: ToldAction, index: int, payload: Mapping[str, Any]) -> None:
    action.say(index, **{name: payload[name] for name in ("goal", "min_effect", "golive_planned")})
    if payload["hypothesis_sha256"]:
        action.say(index, hypothesis_sha256=payload["hypothesis_sha256"])


def _accepted(action: ToldAction, index: int, payload: Mapping[str, Any]) -> None:
    action.say(index, is_accepted=True)


def _moved(action: ToldAction, index: int, payload: Mapping[str, Any]) -> None:
    if payload["event"] == Event.ADJUST:  # the next cycle is planned anew
        action.say(index, golive_planned="")


def _received(action: ToldAction, index: int, payload: Mapping[str, Any]) -> None:
    if payload.get("number"):
        action.say(index, record=payload["number"])


_ALSO: dict[str, Callable[[ToldAction, int, Mapping[str, Any]], None]] = {
    "action.planned": _planned,
    "action.accepted": _accepted,
    "action.transitioned": _moved,
    "action.adopted": _received,
    "delivery.receipt": _received,
}


def _fold(entries: QuerySet[LedgerEntry], at: datetime) -> Told:
    told = Told()
    for index, said in _said(entries):
        if datetime.fromisoformat(said["at"]) > at:
            continue
        told.hear(index, said)
        also, action = _ALSO.get(said["type"]), told.actions.get(said["subject"])
        if also is not None and action is not None:
            also(action, index, said["payload"])
    return told


def _said(entries: QuerySet[LedgerEntry]) -> Iterator[tuple[int, dict[str, Any]]]:
    for index, data in entries.order_by("index").values_list("index", "data").iterator(chunk_size=2000):
        yield index, json.loads(bytes(data))


def _then(action: Action, told: ToldAction, at: datetime) -> ActionThen:
    values = {name: value for name, (value, _) in told.values.items()}
    owner = Person.objects.filter(uid=values.get("owner") or None).first()
    values["owner"] = owner.username if owner is not None else values.get("owner", "")
    later = {said["type"] for _, said in _said(LedgerEntry.objects.filter(subject=action.code, type__in=CHANGERS))}
    # What no entry ever changed is as it was when the action was opened.
    values.setdefault("is_accepted", action.is_accepted and "action.accepted" not in later)
    is_as_opened = "action.planned" not in later and "action.measured" not in later
    opened_with = _row_of(action) if is_as_opened else _rule_of(action)
    values = opened_with | values
    sealed = ErasableText.objects.filter(digest=values.pop("hypothesis_sha256", "")).first()
    if sealed is not None:
        values["hypothesis"] = sealed.text
    return ActionThen(action, at, values)


def _row_of(action: Action) -> dict[str, str]:
    return {"goal": action.goal, "min_effect": action.min_effect, "hypothesis": action.hypothesis}


def _rule_of(action: Action) -> dict[str, str]:
    """What its rule's version proposed; nothing of an action that people opened: no entry tells it."""
    version = RuleVersion.objects.filter(rule_id=action.rule_id, sha256=action.rule_sha256).first()
    if version is None:
        return {}
    check, hypothesis = version.document["check"], version.document["action"]["hypothesis"]
    return {
        "goal": check.get("goal") or "",
        "min_effect": check.get("min_effect") or "",
        "hypothesis": "" if hypothesis == "ask" else hypothesis,
    }


#: Entries after which a row says something else than when its action was opened.
CHANGERS = ("action.accepted", "action.planned", "action.measured")


class _Begun:
    """When looks were planned: by the go-live of their plan, by a decision to standardise, or by the look before."""

    def __init__(self, action: Action, steps: list[Transition], at: datetime) -> None:
        shifted = LedgerEntry.objects.filter(subject=action.code, type="plan.windows_shifted")
        self._shifted: dict[str, datetime] = {}
        for _, said in _said(shifted):
            self._shifted.setdefault(said["payload"]["plan_sha256"], datetime.fromisoformat(said["at"]))
        self._decided = [step.at for step in steps if step.event == Event.STANDARDISE]
        self._closed = [step.at for step in steps if step.event == Event.LAST_SUSTAINING_LOOK]
        rounds = action.looks.filter(kind=LookKind.SUSTAIN).order_by("cycle_no", "round_no", "week_no", "id")
        self._rounds: dict[tuple[int, int], list[Look]] = {}
        for look in rounds:
            self._rounds.setdefault((look.cycle_no, look.round_no), []).append(look)

    def since(self, look: Look) -> datetime | None:
        """The moment from which a look was known; None where nothing tells."""
        if look.kind != LookKind.SUSTAIN:
            return self._shifted.get(look.plan.sha256)
        place = list(self._rounds).index((look.cycle_no, look.round_no))
        if look.week_no in look.plan.document["sustain"]:
            return self._decided[place] if place < len(self._decided) else None
        before = [one for one in self._rounds[look.cycle_no, look.round_no] if one.week_no < look.week_no][-1]
        if before.week_no in look.plan.document["sustain"]:  # the first one half a year after the last of the round
            return self._closed[-1] if self._closed else None
        return before.computed_at


def _too_early(what: str, at: datetime) -> InputError:
    return InputError(
        f"{what}; at {at:%Y-%m-%d %H:%M} UTC there was nothing to show.",
        where=Place(field="--as-of"),
        mend="Name a later moment, or leave it out.",
    )
