"""Which action is meant, and whether a person may act on it."""

from __future__ import annotations

import re

from django.conf import settings

from improvement.errors import GuardRefused, InputError, PermissionMissing
from workflows import access
from workflows.actions.consequences import current_plan
from workflows.actions.holding import kept
from workflows.models import Action, Person, Role

APPROVED_IT = "whoever approved the plan cannot own the action"


def find(code: str) -> Action:
    """The action of this id, written ``ACT-7`` or ``7``."""
    action = try_find(code)
    if action is None:
        raise InputError(f"There is no action “{code}”.", mend="`regelkreis actions list` shows them.")
    return action


def try_find(code: str) -> Action | None:
    """The same; None where there is none."""
    match = re.fullmatch(r"(?:ACT-)?(\d{1,18})", code.strip(), re.IGNORECASE)
    return Action.objects.filter(pk=int(match[1])).first() if match else None


def find_kept(code: str) -> Action:
    """The action, as it is now, which nobody else changes until the transaction ends."""
    action = find(code)
    action.refresh_from_db(from_queryset=kept())
    return action


def owns(person: Person, action: Action) -> bool:
    """Whether a person is the owner, or may become it of an action that has none; asked anew every time."""
    return action.owner_id in (None, person.pk) and not why_not_owner(person, action)


def why_not_owner(person: Person, action: Action) -> str:
    """What keeps a person from owning an action, in words: no right on its scope, or the plan is theirs to approve."""
    if not access.may(person, Role.SERVICE_OWNER, action):
        return _lacks(person, Role.SERVICE_OWNER, action)
    plan = current_plan(action)
    is_approver = plan is not None and bool(plan.sha256) and plan.approved_by_id == person.pk
    return APPROVED_IT if is_approver and not settings.REGELKREIS.allow_own_approval else ""


def must_be_able_to_own(person: Person, action: Action) -> None:
    """Refuse to make somebody the owner who could then not act, or would own what they approved."""
    reason = why_not_owner(person, action)
    if reason == APPROVED_IT:
        raise GuardRefused(f"{action.code} cannot be given to {person.username}", [reason])
    if reason:
        raise PermissionMissing(f"{reason}.", mend=_how_to_grant(person, Role.SERVICE_OWNER))


def must_own(actor: Person, action: Action) -> None:
    """Refuse everybody but the owner and administrators."""
    if owns(actor, action) or actor.has_role(Role.ADMIN):
        return
    if action.owner_id == actor.pk:
        must_be_able_to_own(actor, action)
    else:
        owner = action.owner.username if action.owner else "nobody yet"
        raise PermissionMissing(
            f"{actor.username} does not own {action.code} (its owner is {owner}).",
            mend="Act with the owner's token in REGELKREIS_TOKEN, or let an administrator change the owner with "
            f"`regelkreis actions assign {action.code} NAME`.",
        )


def must_hold(actor: Person, role: Role, action: Action) -> None:
    """Refuse whoever does not hold the role on the action's scope.

    The local administrator prepares plans for everybody, so a plan is always partly their own: they approve only
    where a small team waived the second person.
    """
    if role is Role.APPROVER and actor.is_local_admin and not settings.REGELKREIS.allow_own_approval:
        raise PermissionMissing(
            "The local administrator cannot approve.",
            mend="Approve as yourself: `regelkreis users add NAME`, then `users grant NAME --role approver` and "
            "`users token NAME`.",
        )
    if not access.may(actor, role, action):
        raise PermissionMissing(
            f"{_lacks(actor, role, action)}.",
            mend=_how_to_grant(actor, role),
        )


def _lacks(person: Person, role: Role, action: Action) -> str:
    what = action.code if action.pk is not None else action.scope_key or f"everything on {action.connection}"
    return f"{person.username} is no {role.label} for {what}"


def _how_to_grant(person: Person, role: Role) -> str:
    return f"An administrator grants it: `regelkreis users grant {person.username} --role {role.value}`."
