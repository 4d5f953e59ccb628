"""`users`: people, their roles, tokens and platform accounts."""

from __future__ import annotations

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
    columns = ["user", "id", "name", "roles", "accounts"]
    rows = [
        (
            person.username,
            person.uid,
            str(person),
            [_limited(grant) for grant in person.grants.all()],
            [str(identity) for identity in person.identities.all()],
        )
        for person in people
    ]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table("Users", columns, [(*row[:3], ", ".join(row[3]), ", ".join(row[4])) for row in rows])


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

    password = _new_password(name, email) if ask_password else None
    person = access.add_person(name, name=full_name, email=email, at=moment(None), by=admin)
    if password is not None:
        person.set_password(password)
        person.save()
    text = f"{name} was added as {person.uid}. Give them a role: `regelkreis users grant {name} --role …`."
    _answer(as_json, text, user=name, id=person.uid)


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
    """Shut somebody out: no sign-in, no token. What they did stays theirs."""
    admin = _admin()
    from workflows import access

    access.disable(access.person_named(name), at=moment(None), by=admin)
    _answer(as_json, f"{name} is shut out.", user=name)


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


def _new_password(username: str, email: str) -> str:
    """Ask twice for a password that is hard to guess."""
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError

    from improvement.errors import InputError
    from workflows.models import Person

    password = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    try:
        validate_password(password, Person(username=username, email=email))
    except ValidationError as error:
        raise InputError("This password is too easy to guess.", mend=" ".join(error.messages)) from error
    return password
