"""`users`: people, their roles, tokens and platform accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from workflows.cli.session import actor, moment, start

if TYPE_CHECKING:
    from workflows.models import Person

group = typer.Typer(help="People, roles, tokens, platform accounts.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The user name.")]


def _admin() -> Person:
    start()
    from improvement.errors import PermissionMissing
    from workflows.models import Role

    person = actor()
    if not person.has_role(Role.ADMIN):
        raise PermissionMissing(f"{person.username} is no administrator.", mend="Ask one.")
    return person


@group.command(name="list")
def list_users() -> None:
    """Everybody with their roles."""
    start()
    from workflows.cli.output import print_table
    from workflows.models import Person

    rows = [
        (person.username, str(person), ", ".join(str(grant.role) for grant in person.grants.all()))
        for person in Person.objects.order_by("username").prefetch_related("grants")
    ]
    print_table("Users", ["user", "name", "roles"], rows)


@group.command()
def add(
    name: Name,
    full_name: Annotated[str, typer.Option("--name", help="First and last name.")] = "",
    email: Annotated[str, typer.Option(help="E-mail address.")] = "",
    ask_password: Annotated[bool, typer.Option("--password", help="Ask for a password for the web site.")] = False,
) -> None:
    """Add a user."""
    admin = _admin()
    from workflows import access

    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True) if ask_password else None
    person = access.add_person(name, name=full_name, email=email, at=moment(None), by=admin)
    if password:
        person.set_password(password)
        person.save()


@group.command()
def grant(
    name: Name,
    role: Annotated[str, typer.Option(help="viewer, service-owner, approver, admin or auditor.")],
    connection: Annotated[str, typer.Option(help="Only this connection.")] = "",
    customer: Annotated[str, typer.Option(help="Only this customer.")] = "",
    service: Annotated[str, typer.Option(help="Only this service.")] = "",
    country: Annotated[str, typer.Option(help="Only this country.")] = "",
) -> None:
    """Give a role, limited to a part of the organisation where limits are given."""
    admin = _admin()
    from improvement.errors import InputError
    from workflows import access
    from workflows.models import Role

    if role not in Role.values:
        raise InputError(f"“{role}” is no role.", mend=f"Roles: {', '.join(Role.values)}.")
    access.grant(
        access.person_named(name), Role(role), at=moment(None), by=admin, connection=connection, customer=customer,
        service=service, country=country,
    )  # fmt: skip


@group.command()
def token(name: Name, label: Annotated[str, typer.Option(help="What it is for.")] = "command line") -> None:
    """Make a token for REGELKREIS_TOKEN; it is shown this once."""
    admin = _admin()
    from workflows import access

    typer.echo(access.new_token(access.person_named(name), label=label, at=moment(None), by=admin))


@group.command()
def link(
    name: Name,
    connection: Annotated[str, typer.Argument(help="The connection.")],
    account: Annotated[str, typer.Argument(help="The account there: ServiceNow user name, Jira account id or name.")],
) -> None:
    """Say that a platform account is this person."""
    admin = _admin()
    from workflows import access

    access.link_account(access.person_named(name), connection, account, at=moment(None), by=admin)
