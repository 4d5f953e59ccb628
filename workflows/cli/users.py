"""`users`: people, their roles, tokens and platform accounts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from workflows.cli.session import actor, moment, start

if TYPE_CHECKING:
    from workflows.models import Grant, Person, Role

group = typer.Typer(help="People, roles, tokens, platform accounts.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The user name.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _admin() -> Person:
    start()
    from improvement.errors import PermissionMissing
    from workflows.models import Role

    person = actor()
    if not person.has_role(Role.ADMIN):
        raise PermissionMissing(f"{person.username} is no administrator.", mend="Ask one.")
    return person


@group.command(name="list")
def list_users(as_json: Json = False) -> None:
    """Everybody with their roles and platform accounts."""
    start()
    from workflows.cli.output import print_json, print_table
    from workflows.models import Person

    people = Person.objects.order_by("username").prefetch_related("grants", "identities")
    columns = ["user", "id", "name", "state", "roles", "accounts"]
    rows = [
        (
            person.username,
            person.uid,
            str(person),
            _state(person),
            [_limited(grant) for grant in person.grants.all()],
            [str(identity) for identity in person.identities.all()],
        )
        for person in people
    ]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table("Users", columns, [(*row[:4], ", ".join(row[4]), ", ".join(row[5])) for row in rows])


@group.command()
def add(
    name: Name,
    full_name: Annotated[str, typer.Option("--name", help="First and last name.")] = "",
    email: Annotated[str, typer.Option(help="E-mail address.")] = "",
    ask_password: Annotated[bool, typer.Option("--password", help="Ask for a password for the web site.")] = False,
    as_json: Json = False,
) -> None:
    """Add a user."""
    admin = _admin()
    from workflows import access
    from workflows.models import Person

    access.must_be_new(name)  # before anything is asked
    password = _new_password(Person(username=name, email=email)) if ask_password else None
    person = access.add_person(name, name=full_name, email=email, at=moment(None), by=admin)
    if password is not None:
        access.set_password(person, password, at=moment(None), by=admin)
    text = f"{name} was added as {person.uid}. Give them a role: `regelkreis users grant {name} --role …`."
    _answer(as_json, text, user=name, id=person.uid)


@group.command()
def password(
    name: Name,
    is_read: Annotated[
        bool, typer.Option("--stdin", help="Read it from the first line of standard input; default: ask twice.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Set or change the password for the web site: an administrator anybody's, others their own."""
    start()
    from improvement.errors import PermissionMissing
    from workflows import access
    from workflows.models import Role

    by = actor()
    if not by.has_role(Role.ADMIN) and by.username != name:
        raise PermissionMissing(f"{by.username} is no administrator.", mend="Ask one, or set your own.")
    person = access.person_named(name)
    access.must_be_let_in(person)
    access.set_password(person, _new_password(person, is_read=is_read), at=moment(None), by=by)
    _answer(as_json, f"{name} signs in to the site with the new password; it ended their sessions.", user=name)


@group.command()
def grant(
    name: Name,
    role: Annotated[str, typer.Option(help="viewer, service-owner, approver, admin or auditor.")],
    connection: Annotated[str, typer.Option(help="Only this connection.")] = "",
    customer: Annotated[str, typer.Option(help="Only this customer.")] = "",
    service: Annotated[str, typer.Option(help="Only this service.")] = "",
    country: Annotated[str, typer.Option(help="Only this country.")] = "",
    as_json: Json = False,
) -> None:
    """Give a role, limited to a part of the organisation where limits are given."""
    admin = _admin()
    from workflows import access

    given = access.grant(
        access.person_named(name),
        _role(role),
        at=moment(None),
        by=admin,
        connection=connection,
        customer=customer,
        service=service,
        country=country,
    )
    _answer(as_json, f"{name} is {_limited(given)}.", user=name, role=_limited(given))


@group.command()
def revoke(
    name: Name,
    role: Annotated[str, typer.Option(help="The role to take away, with all its limits.")],
    as_json: Json = False,
) -> None:
    """Take a role away."""
    admin = _admin()
    from workflows import access

    count = access.revoke(access.person_named(name), _role(role), at=moment(None), by=admin)
    text = f"{name} is no {role} any more." if count else f"{name} was no {role}."
    _answer(as_json, text, user=name, role=role, grants=str(count))


@group.command()
def disable(name: Name, as_json: Json = False) -> None:
    """Shut somebody out: no sign-in, and their tokens are revoked. What they did stays theirs."""
    admin = _admin()
    from workflows import access

    is_new = access.disable(access.person_named(name), at=moment(None), by=admin)
    text = f"{name} is shut out, and their tokens are revoked." if is_new else f"{name} was shut out already."
    _answer(as_json, text, user=name)


@group.command()
def enable(name: Name, as_json: Json = False) -> None:
    """Let somebody in again: password and roles are as they were, revoked tokens stay revoked."""
    admin = _admin()
    from workflows import access

    is_new = access.enable(access.person_named(name), at=moment(None), by=admin)
    text = f"{name} is let in again; make a new token with `regelkreis users token {name}`."
    _answer(as_json, text if is_new else f"{name} was not shut out.", user=name)


@group.command()
def token(
    name: Name,
    label: Annotated[str, typer.Option(help="What it is for.")] = "command line",
    as_json: Json = False,
) -> None:
    """Make a token for REGELKREIS_TOKEN; it is shown this once."""
    admin = _admin()
    from workflows import access

    secret = access.new_token(access.person_named(name), label=label, at=moment(None), by=admin)
    _answer(as_json, secret, user=name, token=secret)


@group.command()
def link(
    name: Name,
    connection: Annotated[str, typer.Argument(help="The connection.")],
    account: Annotated[str, typer.Argument(help="The account there: ServiceNow user name, Jira account id or name.")],
    as_json: Json = False,
) -> None:
    """Say that a platform account is this person."""
    admin = _admin()
    from workflows import access

    access.must_be_a_connection(connection)
    access.link_account(access.person_named(name), connection, account, at=moment(None), by=admin)
    _answer(as_json, f"{account} on {connection} is {name}.", user=name, connection=connection, account=account)


def _role(text: str) -> Role:
    from improvement.errors import InputError
    from workflows.models import Role

    if text not in Role.values:
        raise InputError(f"“{text}” is no role.", mend=f"Roles: {', '.join(Role.values)}.")
    return Role(text)


def _answer(as_json: bool, text: str, **facts: str) -> None:
    """Say what was done: a sentence for people, an object for programs."""
    from workflows.cli.output import print_json

    if as_json:
        print_json(facts)
    else:
        typer.echo(text)


def _limited(grant: Grant) -> str:
    """A role with its limits: ``approver (country CH)``."""
    names = ("connection", "customer", "service", "country")
    limits = ", ".join(f"{name} {getattr(grant, name)}" for name in names if getattr(grant, name))
    return f"{grant.role} ({limits})" if limits else str(grant.role)


def _state(person: Person) -> str:
    """Whether somebody gets in."""
    if not person.is_active:
        return "shut out"
    return "active" if person.password and person.has_usable_password() else "no password"


def _new_password(person: Person, *, is_read: bool = False) -> str:
    """A password that is hard to guess, asked twice or read from a pipe; never an argument, which others could see."""
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError

    from improvement.errors import InputError

    if is_read:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise InputError("This password is too easy to guess.", mend=" ".join(error.messages)) from error
    return password
