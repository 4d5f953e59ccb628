"""What people say after a verdict: decide, acknowledge, overrule, follow up. Each is an entry that cites it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db import transaction

from improvement.errors import GuardRefused, InputError
from improvement.pdca import Event, State
from workflows.actions import loop
from workflows.actions.holding import keep
from workflows.actions.rights import find, find_kept, must_hold, must_own
from workflows.deliveries import notes, outbox
from workflows.evidence import as_it_was, ledger
from workflows.models import Action, Look, LookKind, Person, ReviewEntry, ReviewRecord, Role

DECISIONS = {"standardise": Event.STANDARDISE, "adjust": Event.ADJUST, "stop": Event.STOP}
MISSED = "missed"


def decide(actor: Person, code: str, decision: str, *, at: datetime, reason: str = "") -> Action:
    """Decide in *act*: standardise, adjust or stop. The verdict stands before it and stays beside it."""
    if decision not in DECISIONS:
        raise InputError(f"“{decision}” is no decision.", mend="Use standardise, adjust or stop.")
    action = find(code)
    must_own(actor, action)
    look = judged_look(action)
    with transaction.atomic():
        loop.move(action, DECISIONS[decision], actor=actor.uid, person=actor, at=at, reason=reason)
        if look is not None:
            action.looks.filter(cycle_no=look.cycle_no, held_at__isnull=True, computed_at__isnull=False).update(
                held_at=at
            )
            for review in look.reviews.exclude(kind=MISSED):
                payload = {"decision": decision, "reason_sha256": ledger.sealed(reason)}
                entry = _append(review, "decision", payload, actor=actor.uid, at=at)
                text = notes.note("decision", decision=notes.decision(decision), who=actor, reason=reason)
                outbox.note(action, f"decision-{entry.pk}", text, at=at)
    return action


def judged_look(action: Action) -> Look | None:
    """The look whose verdict brought the action to *act*: the final one, or a bad sustaining one after it."""
    looks = action.looks.filter(
        cycle_no=action.cycle_no, kind__in=(LookKind.FINAL, LookKind.SUSTAIN), computed_at__isnull=False
    )
    return looks.order_by("-computed_at", "-due_at", "-id").first()


def acknowledge(actor: Person, code: str, *, at: datetime) -> Action:
    """The owner has seen the sustaining looks; after the last one this closes the action."""
    action = find(code)
    must_own(actor, action)
    with transaction.atomic():
        keep(action)
        seen = list(action.looks.filter(kind=LookKind.SUSTAIN, computed_at__isnull=False, held_at__isnull=True))
        pending = action.looks.filter(kind=LookKind.SUSTAIN, computed_at__isnull=True, is_dropped=False)
        may_close = State(action.state) is State.SUSTAINING and not pending.exists()
        if not seen and not may_close:
            raise GuardRefused(f"{action.code} has nothing to acknowledge", ["no sustaining look waits"])
        for look in seen:
            look.held_at = at
            look.save(update_fields=["held_at"])
            for review in look.reviews.exclude(kind=MISSED):
                _append(review, "acknowledgement", {}, actor=actor.uid, at=at)
            payload = {"week": look.week_no, "round_no": look.round_no}
            ledger.append("look.acknowledged", subject=action.code, actor=actor.uid, at=at, payload=payload)
        if may_close:
            loop.move(action, Event.LAST_SUSTAINING_LOOK, actor=ledger.ENGINE, at=at, acknowledged_by=actor.uid)
    return action


@transaction.atomic
def override(actor: Person, code: str, *, at: datetime, reason: str) -> Action:
    """The first of two people who overrule a verdict gives the reason; nothing changes yet."""
    action = find_kept(code)
    must_own(actor, action)
    if not reason.strip():
        raise InputError("An override takes a reason.", mend="Say why the verdict is wrong.")
    review = _review_to_overrule(action)
    _append(review, "override_proposed", {"reason": reason}, actor=actor.uid, at=at)
    payload = {"verdict_sha256": review.verdict_sha256, "reason_sha256": ledger.sealed(reason)}
    ledger.append("override.proposed", subject=action.code, actor=actor.uid, at=at, payload=payload)
    return action


@transaction.atomic
def second_override(actor: Person, code: str, *, at: datetime) -> Action:
    """The second person agrees: the verdict is overruled, and stays visible beside the override."""
    action = find_kept(code)
    must_hold(actor, Role.APPROVER, action)
    review = _review_to_overrule(action)
    first = review.entries.filter(kind="override_proposed").order_by("-id").first()
    if first is None:
        raise GuardRefused(
            f"{action.code} cannot be overruled", ["nobody proposed it: the owner gives the reason first"]
        )
    if first.actor == actor.uid:
        raise GuardRefused(f"{action.code} cannot be overruled", ["an override takes two different people"])
    payload = {"reason": first.payload["reason"], "second_by": actor.uid}
    entry = _append(review, "override", payload, actor=first.actor, at=at)
    action.is_overridden = True
    action.save(update_fields=["is_overridden"])
    ledger.append(
        "verdict.overridden",
        subject=action.code,
        actor=actor.uid,
        at=at,
        payload={
            "verdict_sha256": review.verdict_sha256,
            "by": first.actor,
            "second_by": actor.uid,
            "reason_sha256": ledger.sealed(first.payload["reason"]),
        },
    )
    by = Person.objects.filter(uid=first.actor).first()
    text = notes.note(
        "override",
        verdict=notes.verdict(action.verdict),
        first=by or first.actor,
        second=actor,
        reason=first.payload["reason"],
    )
    outbox.note(action, f"override-{entry.pk}", text, at=at)
    return action


def follow_up(
    actor: Person,
    code: str,
    *,
    at: datetime,
    what: str = "",
    who: str = "",
    due: date | None = None,
    no: int | None = None,
    done_ref: str = "",
) -> ReviewRecord:
    """Note something still to be done after a review, or (``no``) change what was noted, for example that it is done.

    ``code`` names a review (REV-3) or an action, whose newest review is meant.
    """
    review = review_named(code)
    must_own(actor, review.action)
    with transaction.atomic():
        keep(review.action)  # else two at once would take one number, and one would stand for the other
        known: dict[int, dict[str, Any]] = {
            entry.payload["no"]: entry.payload for entry in review.entries.filter(kind="follow_up").order_by("id")
        }
        if no is not None and no not in known:
            listed = ", ".join(map(str, known)) or "none yet"
            raise InputError(f"{review.code} has no follow-up {no}.", mend=f"Known: {listed}.")
        before = known.get(no or 0, {"what": "", "who": "", "due": "", "done_ref": ""})
        payload = {
            "no": no or len(known) + 1,
            "what": what or before["what"],
            "who": who or before["who"],
            "due": due.isoformat() if due else before["due"],
            "done_ref": done_ref or before["done_ref"],
        }
        if not payload["what"]:
            raise InputError("A follow-up says what is to be done.", mend="Add --what.")
        _append(review, "follow_up", payload, actor=actor.uid, at=at)
        logged = {"review": review.code, "no": payload["no"], "what_sha256": ledger.sealed(str(payload["what"]))}
        ledger.append("review.follow_up", subject=review.action.code, actor=actor.uid, at=at, payload=logged)
    return review


def review_named(code: str, known_at: datetime | None = None) -> ReviewRecord:
    """The review of this id, or the newest one of an action; ``known_at``: of those known by then."""
    known = as_it_was.reviews_at(known_at)
    number = code.strip().upper().removeprefix("REV-")
    if code.strip().upper().startswith("REV-") and number.isdecimal() and len(number) < 19:
        review = known.filter(pk=int(number)).first()
    else:
        review = known.filter(action=find(code)).order_by("-id").first()
    if review is None:
        raise InputError(
            f"There is no review of “{code}” yet." if known_at is None else f"There was no review of “{code}” by then.",
            mend="`regelkreis reviews list` shows all, `regelkreis checks show ACT-n` when the next look is due.",
        )
    return review


def _review_to_overrule(action: Action) -> ReviewRecord:
    """The review whose verdict waits for a decision."""
    reasons = []
    if State(action.state) is not State.ACTING:
        reasons.append(f"it is {action.state}; a verdict is overruled between it and the decision")
    look = judged_look(action)
    review = look.reviews.exclude(kind=MISSED).first() if look is not None else None
    if review is None:
        reasons.append("there is no verdict yet")
    if action.is_overridden:
        reasons.append("its verdict is overruled already")
    if reasons or review is None:
        raise GuardRefused(f"{action.code} cannot be overruled", reasons)
    return review


def _append(review: ReviewRecord, kind: str, payload: dict[str, Any], *, actor: str, at: datetime) -> ReviewEntry:
    """Append an entry that cites the verdict it answers."""
    return ReviewEntry.objects.create(
        review=review, kind=kind, at=at, actor=actor, payload={**payload, "verdict_sha256": review.verdict_sha256}
    )
