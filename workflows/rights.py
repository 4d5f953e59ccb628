"""Which action is meant, and whether a person may act on it."""

from __future__ import annotations

import re

from django.conf import settings

from improvement.errors import InputError, PermissionMissing
from workflows import access
from workflows.models import Action, Person, Role


def find(code: str) -> Action:
    """The action of this id, written ``ACT-7`` or ``7``."""
    match = re.fullmatch(r"(?:ACT-)?(\d{1,18})", code.strip(), re.IGNORECASE)
    action = Action.objects.filter(pk=int(match[1])).first() if match else None
    if action is None:
        raise InputError(f"There is no action “{code}”.", mend="`regelkreis actions list` shows them.")
    return action


def owns(person: Person, action: Action) -> bool:
    """Whether a person is the owner, or may become it of an action that has none."""
    return action.owner_id == person.pk or (action.owner_id is None and access.may(person, Role.SERVICE_OWNER, action))


def must_own(actor: Person, action: Action) -> None:
    """Refuse everybody but the owner and administrators."""
    if not owns(actor, action) and not actor.has_role(Role.ADMIN):
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
    if actor.is_local_admin and not settings.REGELKREIS.allow_own_approval:
        raise PermissionMissing(
            "The local administrator cannot approve.",
            mend="Approve as yourself: `regelkreis users add NAME`, then `users grant NAME --role approver` and "
            "`users token NAME`.",
        )
    if not access.may(actor, role, action):
        raise PermissionMissing(
            f"{actor.username} is no {role.label} for {action.code}.",
            mend=f"An administrator grants it: `regelkreis users grant {actor.username} --role {role.value}`.",
        )
