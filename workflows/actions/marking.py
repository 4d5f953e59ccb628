"""Changes that people mark: something else that may have moved an action's figures, which no platform tells.

A mark holds for its action, or for every action on the same scope or below it. It gates the verdict (guard 8): a look
counts the marks that were made before it fell due; one made later makes an addendum, also where it is given an earlier
moment. Marks are never deleted; only who made one can take it back, so that nobody clears the way for the verdict they
like.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from improvement import weeks
from improvement.errors import GuardRefused, InputError, PermissionMissing
from workflows import access
from workflows.actions import planning, rights
from workflows.evidence import ledger
from workflows.models import Action, MarkedChange, Person, Role, Transition

LONGEST_NUMBER = 100


@transaction.atomic
def mark_change(
    actor: Person, code: str, *, at: datetime, number: str, on: date, reason: str, is_for_scope: bool = False
) -> Action:
    """Mark a change that went live on this local day; ``is_for_scope``: for every action on the action's scope."""
    action = rights.find_kept(code)
    if not has_a_say(actor, action):
        raise PermissionMissing(
            f"{actor.username} has no role on the scope of {action.code}.",
            mend=f"An administrator grants one: `regelkreis users grant {actor.username} --role service-owner`.",
        )
    number, reason = number.strip(), reason.strip()
    if not number or len(number) > LONGEST_NUMBER:
        raise InputError("A change has a number, or a short name.", mend="Write it as the platform does, like CHG0042.")
    if not reason:
        raise InputError("A mark takes a reason.", mend="Say what the change did to these figures.")
    refusals = []
    if number == action.implemented_ref.strip():
        refusals.append(f"{number} is the change the action itself went live with")
    if on > planning.local_day(action, at):
        refusals.append(f"{on} is in the future")
    if _standing(action).filter(number=number).exists():
        refusals.append(f"{number} is marked already")
    if refusals:
        raise GuardRefused(f"{action.code} cannot get this mark", refusals)
    MarkedChange.objects.create(
        action=action,
        is_for_scope=is_for_scope,
        number=number,
        live_on=on,
        reason=reason,
        marked_by=actor,
        marked_at=at,
    )
    _tell(action, "change_marked", f"{number}, live {on}: {reason}", actor=actor, at=at)
    payload = {
        "number_sha256": ledger.sealed(number),
        "live_on": on.isoformat(),
        "is_for_scope": is_for_scope,
        "reason_sha256": ledger.sealed(reason),
    }
    ledger.append("change.marked", subject=action.code, actor=actor.uid, at=at, payload=payload)
    return action


@transaction.atomic
def take_back_change(actor: Person, code: str, *, at: datetime, number: str) -> Action:
    """Take a mark back. Only who made it can; it stays on record."""
    action = rights.find_kept(code)
    mark = _standing(action).filter(number=number.strip()).first()
    if mark is None:
        known = ", ".join(_standing(action).values_list("number", flat=True))
        raise InputError(f"{action.code} has no marked change “{number}”.", mend=f"Marked: {known or 'none'}.")
    if mark.marked_by_id != actor.pk:
        raise PermissionMissing(
            f"{actor.username} did not mark {mark.number}.", mend=f"{mark.marked_by.username} can take it back."
        )
    mark.taken_back_by, mark.taken_back_at = actor, at
    mark.save(update_fields=["taken_back_by", "taken_back_at"])
    _tell(action, "change_taken_back", mark.number, actor=actor, at=at)
    payload = {"number_sha256": ledger.sealed(mark.number)}
    ledger.append("change.taken_back", subject=action.code, actor=actor.uid, at=at, payload=payload)
    return action


def has_a_say(person: Person, action: Action) -> bool:
    """Owners, approvers and administrators of the scope may mark: not only who would rather not."""
    return (
        rights.owns(person, action)
        or person.has_role(Role.ADMIN)
        or any(access.may(person, role, action) for role in (Role.SERVICE_OWNER, Role.APPROVER))
    )


def marks_of(action: Action) -> list[MarkedChange]:
    """The marks that stand for an action, by the day the changes went live."""
    return [mark for mark in near(action) if mark.taken_back_at is None and holds_for(mark, action)]


def near(action: Action) -> QuerySet[MarkedChange]:
    """The marks on the action, and those for a whole scope on its platform; also those taken back since."""
    for_scope = Q(is_for_scope=True, action__connection=action.connection)
    found = MarkedChange.objects.filter(Q(action=action) | for_scope)
    return found.prefetch_related("action", "marked_by")  # most actions have none: nothing is joined in vain


def numbers_in(action: Action, *, first_week: int, last_week: int, known_at: datetime) -> tuple[str, ...]:
    """The numbers of marked changes that went live in these weeks, as far as they were marked at a moment."""
    live = near(action).filter(
        live_on__gte=weeks.monday(first_week), live_on__lte=weeks.sunday(last_week), marked_at__lte=known_at
    )
    standing = live.filter(Q(taken_back_at__isnull=True) | Q(taken_back_at__gt=known_at))
    numbers = {mark.number for mark in standing if holds_for(mark, action)}
    return tuple(sorted(numbers - {action.implemented_ref.strip()}))  # its own change is what is measured


def known_by(connection: str, moment: datetime) -> dict[str, bool]:
    """The marks on a platform's actions made by a moment, by key, and whether they were taken back by then."""
    made = MarkedChange.objects.filter(marked_at__lte=moment, action__connection=connection).order_by("pk")
    return {
        str(key): taken_back_at is not None and taken_back_at <= moment
        for key, taken_back_at in made.values_list("pk", "taken_back_at")
    }


def moved(known: Mapping[str, bool], held: Mapping[str, bool]) -> list[MarkedChange]:
    """The marks that were made, or taken back, since those were held; the moment they were given does not tell.

    What is taken back stays so: a cycle for an earlier moment finds nothing new in it.
    """
    keys = [key for key, is_taken_back in known.items() if key not in held or (is_taken_back and not held[key])]
    return list(MarkedChange.objects.filter(pk__in=keys).select_related("action"))


def holds_for(mark: MarkedChange, action: Action) -> bool:
    """Whether a mark is on this action, or for a whole scope that holds the action's."""
    is_on_scope = all(action.scope.get(key) == value for key, value in mark.action.scope.items())
    return mark.action_id == action.pk or (mark.is_for_scope and is_on_scope)


def _standing(action: Action) -> QuerySet[MarkedChange]:
    return action.marked_changes.filter(taken_back_at__isnull=True).select_related("marked_by")


def _tell(action: Action, event: str, note: str, *, actor: Person, at: datetime) -> None:
    """A line in the action's history; the action itself stays where it is."""
    state = action.state
    Transition.objects.create(
        action=action, at=at, event=event, from_state=state, to_state=state, actor=actor.uid, note=note
    )
