"""What was known of actions at an earlier moment: told by the log's entries, not by today's rows.

What never changes once it is written (scope, a line of the history, a frozen plan, a computed look, a review) is
read from its row, if the log held its entry by then (:mod:`workflows.evidence.held`). What changed since and no entry
tells (a due date, the measurement before its plan was frozen) is left out: nobody could prove it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from improvement.errors import InputError, Place
from improvement.pdca import Event
from workflows.actions import customer_facing, marking
from workflows.evidence.held import Held, Telling, since
from workflows.evidence.logged_state import EVIDENCE, LookKey, Told, ToldAction
from workflows.models import (
    Action,
    ErasableText,
    LedgerEntry,
    Look,
    LookKind,
    MarkedChange,
    Person,
    Plan,
    ReviewEntry,
    ReviewRecord,
    RuleVersion,
    Transition,
)

#: Looks that were still to come end with these events.
DROPS = (Event.ADJUST, Event.BAD_SUSTAINING_LOOK, Event.REAPPROVE, Event.CANCEL)
MARKED, TAKEN_BACK = "change.marked", "change.taken_back"
#: Which entry tells a line of the history; of all others it is a transition's.
TOLD_BY = {
    Event.OPEN.value: "action.opened",
    EVIDENCE: "action.evidence",
    "change_marked": MARKED,
    "change_taken_back": TAKEN_BACK,
}


#: Which entry tells what was appended to a review.
APPENDED_BY = {
    "decision": "action.transitioned",
    "acknowledgement": "look.acknowledged",
    "override_proposed": "override.proposed",
    "override": "verdict.overridden",
    "follow_up": "review.follow_up",
    "receipt": "delivery.receipt",
}


@dataclass(frozen=True, slots=True)
class ActionThen:
    """An action as the log told it at ``at``; ``told`` are the entries' last words by then, by field."""

    action: Action
    held: Held
    told: Mapping[str, Any]
    telling: Telling
    frozen: frozenset[str]  # digests of the plans that were frozen by then

    @property
    def at(self) -> datetime:
        """The moment."""
        return self.held.at

    @property
    def state(self) -> str:
        """Where it stood."""
        return str(self.told["state"])

    @property
    def title(self) -> str:
        """What it was called."""
        return str(self.told.get("title", self.action.title))

    @property
    def owner(self) -> str:
        """Whose it was; '' nobody's."""
        return str(self.told.get("owner", ""))

    @property
    def plan(self) -> Plan | None:
        """The plan that was frozen by then in the cycle it was in: the newest version."""
        frozen = self.action.plans.filter(cycle_no=self.told["cycle_no"], sha256__in=self.frozen).exclude(sha256="")
        return frozen.select_related("approved_by").order_by("-version").first()

    @property
    def marks(self) -> list[MarkedChange]:
        """Changes that were marked by then and not taken back."""
        near = [mark for mark in marking.near(self.action) if marking.holds_for(mark, self.action)]
        if not near:
            return []
        telling = Telling.of(self.held.entries(type__in=(MARKED, TAKEN_BACK)))
        return [
            mark
            for mark in near
            if telling.tells(MARKED, mark.action.code, mark.marked_at)
            and not telling.tells(TAKEN_BACK, mark.action.code, mark.taken_back_at)
        ]

    @property
    def history(self) -> list[Transition]:
        """The lines of its history that the log told by then."""
        return [
            line
            for line in self.action.transitions.order_by("id")
            if self.telling.tells(TOLD_BY.get(line.event, "action.transitioned"), self.action.code, line.at)
        ]

    def as_dict(self) -> dict[str, Any]:
        """As JSON; the names are those of the action today."""
        plan, told = self.plan, self.told
        flown_down = customer_facing.flown_down(self.action)
        return {
            "as_of": self.at.isoformat(),
            "id": self.action.code,
            "title": self.title,
            "state": self.state,
            "cycle_no": told["cycle_no"],
            "connection": self.action.connection,
            "scope": told.get("scope", self.action.scope),
            "metric": told.get("metric", ""),
            "origin": self.action.origin,
            "rule": self.action.rule_id,
            "rule_sha256": self.action.rule_sha256 or None,
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
            "flow_down": flown_down.as_dict() if flown_down is not None else None,
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
    heard = _heard(Held.by(at), subject__startswith="ACT-")
    rows = {action.code: action for action in Action.objects.order_by("id")}
    return [_then(action, heard) for code, action in rows.items() if code in heard.told.actions]


def action_at(action: Action, at: datetime) -> ActionThen:
    """One action; :class:`InputError` where it was not open yet."""
    return _then(action, _heard_of(action, at))


def looks_at(action: Action, at: datetime) -> list[LookThen]:
    """The looks that were planned or computed by then, by the day they are due."""
    heard = _heard_of(action, at)
    steps = _then(action, heard).history
    later = action.transitions.exclude(pk__in=[step.pk for step in steps])
    begun = _Begun(action, steps, heard)
    corrected = [step.at for step in later if step.event == Event.CORRECT_GOLIVE]
    missed = set(reviews_at(at).filter(action=action, kind="missed").values_list("look", flat=True))
    found = []
    for look in action.looks.select_related("plan").order_by("due_at", "id"):
        since = begun.since(look)
        if since is None:
            continue
        dropped = [step.at for step in steps if step.event in DROPS and since <= step.at]
        is_moved = any(look.computed_at is None or look.computed_at > moment for moment in corrected)
        found.append(
            LookThen(
                look,
                None if is_moved else look.due_at,
                is_computed=heard.is_computed(look),
                is_missed=look.pk in missed,
                is_dropped=look.is_dropped and bool(dropped),
            )
        )
    return found


def final_looks_at(at: datetime) -> list[Look]:
    """The final looks that were computed by then."""
    heard = _heard(Held.by(at), type="check.looked")
    looks = Look.objects.filter(kind=LookKind.FINAL, computed_at__isnull=False).select_related("action", "plan")
    return [look for look in looks if heard.is_computed(look)]


def reviews_at(at: datetime | None) -> QuerySet[ReviewRecord]:
    """The records that were frozen by then, oldest first; None: all, also those of cycles ahead of the clock."""
    known = ReviewRecord.objects.all()
    if at is not None:
        codes = {said["payload"]["review"] for _, said in Held.by(at).entries(type="review.recorded")}
        known = known.filter(pk__in=[int(code.removeprefix("REV-")) for code in codes])
    return known.select_related("action").order_by("id")


def entries_at(review: ReviewRecord, at: datetime) -> list[ReviewEntry]:
    """What was appended to a review by then, in its order."""
    telling = Telling.of(Held.by(at).entries(subject=review.action.code))
    return [
        entry
        for entry in review.entries.order_by("id")
        if telling.tells(APPENDED_BY[entry.kind], review.action.code, entry.at)
    ]


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


def _edited(action: ToldAction, index: int, payload: Mapping[str, Any]) -> None:
    action.say(index, **{f"{payload['field']}_sha256": payload["text_sha256"]})


def _received(action: ToldAction, index: int, payload: Mapping[str, Any]) -> None:
    if payload.get("number"):
        action.say(index, record=payload["number"])


_ALSO: dict[str, Callable[[ToldAction, int, Mapping[str, Any]], None]] = {
    "action.planned": _planned,
    "action.accepted": _accepted,
    "action.transitioned": _moved,
    "action.adopted": _received,
    "action.edited": _edited,
    "delivery.receipt": _received,
}


@dataclass(slots=True)
class _Heard:
    """What the log told by a moment."""

    held: Held
    told: Told = field(default_factory=Told)
    moments: set[tuple[str, str, str]] = field(default_factory=set)
    frozen: dict[str, set[str]] = field(default_factory=dict)  # by action: its plans' digests
    begun: dict[str, datetime] = field(default_factory=dict)  # by plan: when its looks were first planned

    def is_computed(self, look: Look) -> bool:
        """Whether an entry told by then what a look found."""
        key: LookKey = (
            look.action.code,
            look.kind,
            look.cycle_no,
            look.round_no,
            look.week_no,
            look.plan.sha256,
        )
        return look.computed_at is not None and key in self.told.looks


def _heard(held: Held, **about: Any) -> _Heard:
    heard = _Heard(held)
    for index, said in held.entries(**about):
        kind, subject, payload = said["type"], said["subject"], said["payload"]
        heard.told.hear(index, said)
        heard.moments.add((kind, subject, said["at"]))
        also, action = _ALSO.get(kind), heard.told.actions.get(subject)
        if also is not None and action is not None:
            also(action, index, payload)
        if kind == "plan.frozen":
            heard.frozen.setdefault(subject, set()).add(payload["plan_sha256"])
        elif kind == "plan.windows_shifted":
            heard.begun.setdefault(payload["plan_sha256"], datetime.fromisoformat(said["at"]))
    return heard


def _heard_of(action: Action, at: datetime) -> _Heard:
    heard = _heard(Held.by(at), subject=action.code)
    if action.code not in heard.told.actions:
        raise _too_early(action, at)
    return heard


def _then(action: Action, heard: _Heard) -> ActionThen:
    values = {name: value for name, (value, _) in heard.told.actions[action.code].values.items()}
    owner = Person.objects.filter(uid=values.get("owner") or None).first()
    values["owner"] = owner.username if owner is not None else values.get("owner", "")
    later = set(LedgerEntry.objects.filter(subject=action.code, type__in=CHANGERS).values_list("type", flat=True))
    # What no entry ever changed is as it was when the action was opened.
    values.setdefault("is_accepted", action.is_accepted and "action.accepted" not in later)
    is_as_opened = "action.planned" not in later and "action.measured" not in later
    opened_with = _row_of(action) if is_as_opened else _rule_of(action)
    values = opened_with | values
    for name in ("title", "hypothesis"):
        told = values.pop(f"{name}_sha256", None)
        if told is None and (name == "title" or is_as_opened):
            told = _before_edits(action, name)
        if told is None:
            continue
        sealed = ErasableText.objects.filter(digest=told).first()
        if sealed is not None or not told:
            values[name] = sealed.text if sealed is not None else ""
    values.pop("service_sha256", None)
    telling = Telling(frozenset(heard.moments))
    return ActionThen(action, heard.held, values, telling, frozenset(heard.frozen.get(action.code, ())))


def _before_edits(action: Action, name: str) -> str | None:
    """The seal of what stood in a field before it was first edited on the platform; None where it never was."""
    entries = LedgerEntry.objects.filter(subject=action.code, type="action.edited").order_by("index")
    edits = (json.loads(bytes(entry.data))["payload"] for entry in entries)
    first = next((edit for edit in edits if edit["field"] == name), None)
    return str(first["before_sha256"]) if first is not None else None


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

    def __init__(self, action: Action, steps: Iterable[Transition], heard: _Heard) -> None:
        self._heard = heard
        self._decided = [step.at for step in steps if step.event == Event.STANDARDISE]
        self._closed = [step.at for step in steps if step.event == Event.LAST_SUSTAINING_LOOK]
        rounds = action.looks.filter(kind=LookKind.SUSTAIN).order_by("cycle_no", "round_no", "week_no", "id")
        self._rounds: dict[tuple[int, int], list[Look]] = {}
        for look in rounds.select_related("action", "plan"):
            self._rounds.setdefault((look.cycle_no, look.round_no), []).append(look)

    def since(self, look: Look) -> datetime | None:
        """The moment from which a look was planned; None where nothing told it by then."""
        if look.kind != LookKind.SUSTAIN:
            return self._heard.begun.get(look.plan.sha256)
        place = list(self._rounds).index((look.cycle_no, look.round_no))
        of_plan = look.plan.document["sustain"]
        if look.week_no in of_plan:
            return self._decided[place] if place < len(self._decided) else None
        before = [one for one in self._rounds[look.cycle_no, look.round_no] if one.week_no < look.week_no]
        if not before or before[-1].week_no in of_plan:  # the first one half a year after the last of the round
            return self._closed[-1] if self._closed else None
        return before[-1].computed_at if self._heard.is_computed(before[-1]) else None


def _too_early(action: Action, at: datetime) -> InputError:
    opened, known = action.opened_at, since(action.code, "action.opened")
    told = f"{action.code} was opened on {opened:%Y-%m-%d %H:%M} UTC"
    if known is not None and known > opened:  # something that was written before it names a later moment
        told = f"The log knows {action.code} since {known:%Y-%m-%d %H:%M} UTC, dated back to {opened:%Y-%m-%d %H:%M}"
    return InputError(
        f"{told}; at {at:%Y-%m-%d %H:%M} UTC there was nothing to show.",
        where=Place(field="--as-of"),
        mend="Name a later moment, or leave it out.",
    )
