"""What a signed-in person may see: object rights by customer, service and country."""

from __future__ import annotations

from typing import cast

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from workflows.models import Action, Finding, Person, Role

SEE_ALL = (Role.ADMIN, Role.AUDITOR)


def signed_in(request: HttpRequest) -> Person:
    """Who asks; only for views behind ``login_required``."""
    return cast(Person, request.user)


def _limits(person: Person) -> Q | None:
    """A filter for what the person's grants cover; None: everything."""
    grants = list(person.grants.all())
    if any(grant.role in SEE_ALL or grant.narrowness == 0 for grant in grants):
        return None
    wanted = Q(pk__in=[])
    for grant in grants:
        part = Q()
        if grant.connection:
            part &= Q(connection=grant.connection)
        for key in ("customer", "service", "country"):
            value = getattr(grant, key)
            if value:
                part &= Q(**{f"scope__{key}": value})
        wanted |= part
    return wanted


def sees_everything(person: Person) -> bool:
    """Whether the person's grants leave nothing out: sums over all customers are for them only."""
    return _limits(person) is None


def actions_for(person: Person) -> QuerySet[Action]:
    """The actions this person may see: within their grants, or their own."""
    limits = _limits(person)
    actions = Action.objects.select_related("owner")
    return actions if limits is None else actions.filter(limits | Q(owner=person))


def findings_for(person: Person) -> QuerySet[Finding]:
    """The findings on this person's services."""
    limits = _limits(person)
    findings = Finding.objects.all()
    return findings if limits is None else findings.filter(limits)
