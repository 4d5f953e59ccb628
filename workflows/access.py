"""Who acts, who owns, who may: people found by token, platform account or grant."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import transaction

from improvement.errors import InputError, PermissionMissing
from workflows.evidence import ledger
from workflows.models import Action, Connection, Grant, Identity, Person, Role, Token

if TYPE_CHECKING:
    from improvement.rules import Scope


def local_admin() -> Person:
    """The administrator that `init` makes: full rights, but never the approver of a plan of its own."""
    person, is_new = Person.objects.get_or_create(
        username="admin", defaults={"is_local_admin": True, "first_name": "Local", "last_name": "administrator"}
    )
    if is_new:
        person.set_unusable_password()
        person.save()
        for role in (Role.ADMIN, Role.SERVICE_OWNER):
            Grant.objects.create(person=person, role=role)
    return person


def person_of_token(secret: str) -> Person:
    """The person whose token this is; :class:`PermissionMissing` when it is nobody's."""
    token = Token.objects.select_related("person").filter(digest=Token.digest_of(secret)).first()
    if token is None or not token.person.is_active:
        raise PermissionMissing(
            "The token in REGELKREIS_TOKEN is not valid.", mend="Make a new one with `regelkreis users token NAME`."
        )
    return token.person


def person_named(username: str) -> Person:
    """The person of this user name; :class:`InputError` listing who exists."""
    person = Person.objects.filter(username=username).first()
    if person is None:
        known = ", ".join(Person.objects.order_by("username").values_list("username", flat=True)[:20])
        raise InputError(f"There is no user “{username}”.", mend=f"Known users: {known or 'none'}.")
    return person


@dataclass(frozen=True, slots=True)
class Accounts:
    """Whose the accounts of a platform are, as it stood when this was read: once for all records of a cycle."""

    own: str | None  # the integration account
    people: Mapping[str, Person]

    @classmethod
    def of(cls, connection: str) -> Accounts:
        """The accounts of a connection."""
        row = Connection.objects.filter(name=connection).first()
        linked = Identity.objects.select_related("person").filter(connection=connection, person__is_active=True)
        return cls(row.integration_account if row is not None else None, {one.account: one.person for one in linked})

    def is_ours(self, account: str | None) -> bool:
        """Whether this is our own account on the platform, which never counts as a person."""
        return account is not None and account == self.own

    def person(self, account: str | None) -> Person | None:
        """The person behind an account; None for strangers and always for the integration user."""
        return self.people.get(account) if account and not self.is_ours(account) else None


def is_integration_account(connection: str, account: str) -> bool:
    """Whether this is our own account on the platform, which never counts as a person."""
    row = Connection.objects.filter(name=connection).first()
    return row is not None and row.integration_account == account


def how_to_link(connection: str, account: str) -> str:
    """What to do about an account on a platform that belongs to nobody we know."""
    command = f"regelkreis users link NAME {connection} {account}"
    return f"{account} on {connection} is nobody we know; `{command}` says who it is"


def account_of(person: Person | None, connection: str) -> str | None:
    """A person's account on a platform, if it is known."""
    if person is None:
        return None
    identity = Identity.objects.filter(connection=connection, person=person).first()
    return identity.account if identity else None


@dataclass(frozen=True, slots=True)
class Owners:
    """Who owns what rules find; the users and grants that rules name are read once for all their findings."""

    _named: dict[str, Person | None] = field(default_factory=dict)
    _granted: dict[str, list[Grant]] = field(default_factory=dict)

    def of(self, connection: str, scope: dict[str, str], role_or_user: str) -> Person | None:
        """Resolve a rule's ``owner``: a user by name, or the one person whose narrowest grant covers the scope.

        Two equally narrow candidates leave the action ownerless, which is shown: guessing would name the wrong person.
        So does a user, or somebody of another role, without a service owner's rights on the scope: they could not act.
        """
        if role_or_user not in self._named:
            self._named[role_or_user] = Person.objects.filter(username=role_or_user).first()
        named = self._named[role_or_user]
        if named is not None:
            return named if holds(named, Role.SERVICE_OWNER, connection, scope) else None
        if role_or_user not in self._granted:
            self._granted[role_or_user] = list(
                Grant.objects.select_related("person").filter(
                    role=role_or_user, person__is_local_admin=False, person__is_active=True
                )
            )
        covering = [grant for grant in self._granted[role_or_user] if grant.covers(connection, scope)]
        if role_or_user != Role.SERVICE_OWNER:
            covering = [one for one in covering if holds(one.person, Role.SERVICE_OWNER, connection, scope)]
        return _narrowest(covering)

    def username(self, connection: str, scope: Scope, role_or_user: str) -> str | None:
        """The user name of the owner."""
        owner = self.of(connection, scope.as_dict(), role_or_user)
        return owner.username if owner is not None else None


def owner_for(connection: str, scope: dict[str, str], role_or_user: str) -> Person | None:
    """The owner of one scope; see :meth:`Owners.of`."""
    return Owners().of(connection, scope, role_or_user)


def _narrowest(candidates: list[Grant]) -> Person | None:
    """The one person with the narrowest of these grants."""
    if not candidates:
        return None
    narrowest = max(grant.narrowness for grant in candidates)
    people = {grant.person_id: grant.person for grant in candidates if grant.narrowness == narrowest}
    return next(iter(people.values())) if len(people) == 1 else None


def may(person: Person, role: Role, action: Action) -> bool:
    """Whether a person holds the role for the action's scope."""
    return holds(person, role, action.connection, action.scope)


def holds(person: Person, role: Role, connection: str, scope: dict[str, str]) -> bool:
    """Whether a person holds the role for this scope of a connection."""
    return person.is_active and any(grant.covers(connection, scope) for grant in person.grants.filter(role=role))


def must_be_new(username: str) -> None:
    """:class:`InputError` when there is such a user already."""
    if Person.objects.filter(username=username).exists():
        raise InputError(
            f"The user “{username}” exists already.",
            mend=f"Choose another name; `regelkreis users password {username}` sets their password.",
        )


def somebody_has_a_password() -> bool:
    """Whether anybody at all can sign in to the site."""
    active = Person.objects.filter(is_active=True).exclude(password="")
    return active.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX).exists()


def set_password(person: Person, password: str, *, at: datetime, by: Person) -> None:
    """Set or change the password for the site, and sign the person out everywhere; the entry holds nothing of it."""
    must_be_let_in(person)
    with transaction.atomic():
        person.set_password(password)
        person.save(update_fields=["password"])
        ledger.append("user.password", subject=person.uid, actor=by.uid, at=at, payload={})


def must_be_let_in(person: Person) -> None:
    """:class:`InputError` for somebody who is shut out."""
    if not person.is_active:
        raise InputError(
            f"“{person.username}” is shut out.", mend=f"`regelkreis users enable {person.username}` lets them in again."
        )


def add_person(
    username: str, *, name: str = "", email: str = "", language: str = "en", at: datetime, by: Person
) -> Person:
    """Create a user; the entry holds the pseudonymous id only."""
    must_be_new(username)
    first, _, last = name.partition(" ")
    with transaction.atomic():
        person = Person.objects.create(
            username=username, first_name=first, last_name=last, email=email, language=language
        )
        person.set_unusable_password()
        person.save()
        ledger.append("user.added", subject=person.uid, actor=by.uid, at=at, payload={})
    return person


def grant(
    person: Person,
    role: Role,
    *,
    at: datetime,
    by: Person,
    connection: str = "",
    customer: str = "",
    service: str = "",
    country: str = "",
) -> Grant:
    """Give a role, limited where limits are given."""
    with transaction.atomic():
        row, is_new = Grant.objects.get_or_create(
            person=person, role=role, connection=connection, customer=customer, service=service, country=country
        )
        if is_new:
            limits = {"connection": connection, "customer": customer, "service": service, "country": country}
            payload = {"role": role.value, "limits": {key: value for key, value in limits.items() if value}}
            ledger.append("user.granted", subject=person.uid, actor=by.uid, at=at, payload=payload)
    return row


def revoke(person: Person, role: Role, *, at: datetime, by: Person) -> int:
    """Take a role away, with all its limits; returns how many grants that were."""
    with transaction.atomic():
        count, _ = Grant.objects.filter(person=person, role=role).delete()
        if count:
            payload = {"role": role.value, "grants": count}
            ledger.append("user.revoked", subject=person.uid, actor=by.uid, at=at, payload=payload)
    return count


def disable(person: Person, *, at: datetime, by: Person) -> bool:
    """Shut a person out: no sign-in, no token. What they did stays theirs; False: they were out already."""
    if person.is_local_admin:
        raise InputError("The local administrator stays.", mend="Somebody has to be able to let others in.")
    if not person.is_active:
        return False
    with transaction.atomic():
        person.is_active = False
        person.save(update_fields=["is_active"])
        tokens, _ = Token.objects.filter(person=person).delete()
        ledger.append("user.disabled", subject=person.uid, actor=by.uid, at=at, payload={"tokens": tokens})
    return True


def enable(person: Person, *, at: datetime, by: Person) -> bool:
    """Let a person in again, with their password and roles as they were, but no token; False: they were not out."""
    if person.is_active:
        return False
    with transaction.atomic():
        person.is_active = True
        person.save(update_fields=["is_active"])
        ledger.append("user.enabled", subject=person.uid, actor=by.uid, at=at, payload={})
    return True


def new_token(person: Person, *, label: str, at: datetime, by: Person) -> str:
    """Make a personal token and return it; this is the only time it can be read."""
    must_be_let_in(person)
    secret = f"rk_{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        Token.objects.create(person=person, digest=Token.digest_of(secret), label=label, created_at=at)
        ledger.append(
            "token.made", subject=person.uid, actor=by.uid, at=at, payload={"label_sha256": ledger.sealed(label)}
        )
    return secret


def must_be_a_connection(name: str) -> None:
    """Refuse a name that neither the settings nor earlier pulls know: a link to it would never count."""
    known = {*settings.REGELKREIS.connections, *Connection.objects.values_list("name", flat=True)}
    if name not in known:
        mend = f"Connections: {', '.join(sorted(known)) or 'none'}."
        raise InputError(f"There is no connection “{name}”.", mend=mend)


def link_account(person: Person, connection: str, account: str, *, at: datetime, by: Person) -> Identity:
    """Say that a platform account is this person."""
    if is_integration_account(connection, account):
        raise InputError(
            f"“{account}” is the integration user of {connection}, not a person.",
            mend="Use the account the person signs in with.",
        )
    with transaction.atomic():
        row, is_new = Identity.objects.get_or_create(
            connection=connection, account=account, defaults={"person": person}
        )
        if not is_new and row.person_id != person.pk:
            raise InputError(f"“{account}” on {connection} is already linked to {row.person.username}.")
        if is_new:
            ledger.append(
                "user.linked",
                subject=person.uid,
                actor=by.uid,
                at=at,
                payload={"connection": connection, "account_sha256": ledger.sealed(account)},
            )
    return row
