"""Do a deed of an action's page, and come back to the page: with what was done, or with every reason why not."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from improvement.errors import GuardRefused, InputError, PermissionMissing, RegelkreisError
from workflows.models import Action, Person
from workflows.web import reasons
from workflows.web.rooms import action as room
from workflows.web.rooms import deeds
from workflows.web.rooms.forms import ApprovalForm, Deed, PlanForm
from workflows.web.visibility import signed_in


@login_required
@require_POST
def perform(request: HttpRequest, code: str, deed: str) -> HttpResponse:
    """Do it and go back to the page; or show the page again with every reason why not (422), nothing lost."""
    action = room.find(request, code)
    person = signed_in(request)
    kind = deeds.BY_NAME.get(deed)
    if kind is None:
        raise Http404
    form = kind.form(request.POST, prefix=kind.name)
    form.fit(action)
    offer = deeds.Offer(kind, form, [])
    if form.is_valid():
        try:
            kind.command(person, action.code, at=moment(action), **_given(form))
        except RegelkreisError as error:
            offer.refusals = told(error)
        else:
            messages.success(request, _("Done: %(deed)s.") % {"deed": kind.label})
            return HttpResponseRedirect(reverse("action", args=[action.code]))
    action.refresh_from_db()
    if isinstance(form, ApprovalForm):
        offer.form = deeds.blank(kind, action)  # of the plan that is shown now
    return room.page(request, action, tried=offer, status=403 if _is_forbidden(person, kind, action) else 422)


def moment(action: Action) -> datetime:
    """Now; but a history never runs backwards, also where the action's world is ahead of our clock (a demo)."""
    return max(timezone.now(), action.last_moved_at)


def told(error: RegelkreisError) -> list[str]:
    """Every reason of a refusal, in the reader's language."""
    if isinstance(error, GuardRefused):
        return [reasons.translated(reason) for reason in error.reasons]
    if isinstance(error, PermissionMissing):
        return [reasons.translated(error.what)]  # how to mend it is about the command line
    parts = [error.what, error.mend] if isinstance(error, InputError) else [str(error)]
    return [" ".join(reasons.translated(part) for part in parts if part)]


def _given(form: Deed) -> dict[str, Any]:
    """What was entered; of a plan what differs from what its page showed, empty where it was emptied."""
    given = dict(form.cleaned_data)
    if isinstance(form, PlanForm):
        return {key: given[key] or "" for key in form.changed_data}
    return given


def _is_forbidden(person: Person, kind: deeds.Kind, action: Action) -> bool:
    return not deeds.holds(person, kind.role, action)
