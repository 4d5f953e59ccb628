"""What a signed-in person may see: object rights by customer, service and country."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import cast

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from workflows.models import Action, Finding, Person, Role

SEE_ALL = (Role.ADMIN, Role.AUDITOR)
LIMITING = ("customer", "service", "country")


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
        for key in LIMITING:
            value = getattr(grant, key)
            if value:
                part &= Q(**{f"scope__{key}": value})
        wanted |= part
    return wanted


def sees_everything(person: Person) -> bool:
    """Whether the person's grants leave nothing out: sums over all customers are for them only."""
    return _limits(person) is None


def may_read_of(person: Person) -> Callable[[Mapping[str, str]], bool]:
    """Whether conditions of a rule (dimension → exact text, or pattern with * and ?) may hold for what a person sees.

    Those that name only other customers, services or countries are what was agreed with these.
    """
    if sees_everything(person):
        return lambda conditions: True
    limits = _granted(person)
    return lambda conditions: any(
        all(_fits(value, conditions.get(key, "*")) for key, value in limit.items()) for limit in limits
    )


def may_count_for(person: Person) -> Callable[[Mapping[str, Sequence[str]]], bool]:
    """Whether a rule with this ``where`` (key → exact values) may count anything that the person sees.

    One that names only other customers, services or countries is what was agreed with these, and its title may say so.
    """
    if sees_everything(person):
        return lambda where: True
    limits = _granted(person)
    return lambda where: any(all(value in where.get(key, (value,)) for key, value in limit.items()) for limit in limits)


def _granted(person: Person) -> list[dict[str, str]]:
    """What each grant is limited to, beside a connection: a rule counts on all."""
    return [{key: value for key in LIMITING if (value := getattr(grant, key))} for grant in person.grants.all()]


def _fits(value: str, pattern: str) -> bool:
    return fnmatchcase(value, pattern.replace("[", "[[]"))  # rules know no sets of letters


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
