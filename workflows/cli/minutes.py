"""`minutes`: whose time an overrun was, and in which order it is shared out."""

from __future__ import annotations

from typing import Annotated

import typer

from workflows.cli.clocks import AsOf, ConnectionName, Json
from workflows.cli.session import actor, moment, start

group = typer.Typer(help="Whose minutes the overruns of breached clocks were.", no_args_is_help=True)


@group.command()
def show(
    period: Annotated[
        str | None, typer.Option("--period", help="2026Q1, 2026-03, 2026-W10, 2026, or two dates: A..B.")
    ] = None,
    action: Annotated[
        str | None, typer.Option("--action", help="Of an action's scope, in the weeks it was opened on.")
    ] = None,
    scope: Annotated[str, typer.Option("--scope", help="Only of this scope, like customer=Acme,supplier=Hoster.")] = "",
    by: Annotated[str, typer.Option("--by", help="Also by customer, country, service, supplier …")] = "",
    number: Annotated[str, typer.Option("--ticket", help="Also every breached clock of this ticket.")] = "",
    connection: ConnectionName = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the platforms when tickets waited.")] = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Overrun of a period by party: customer wait, suppliers, own organisation, unattributed. They sum to it."""
    start()
    from improvement import periods
    from improvement.errors import InputError
    from improvement.rules import Scope
    from workflows.cli.output import print_json
    from workflows.clocks import dispositions, minutes
    from workflows.rules.lines import print_lines

    wanted = Scope.parse(scope)
    if action is not None:
        if scope:
            raise InputError("An action has a scope of its own.", mend="Leave out --scope, or --action.")
        when, wanted, connection = minutes.trigger_of(action)
        when = periods.period(period) if period is not None else when
    elif period is None:
        raise InputError("Minutes of when?", mend="Name a --period or an --action.")
    else:
        when = periods.period(period)
    report = minutes.report(
        when,
        as_of=moment(as_of),
        connection=connection,
        by=by,
        number=number,
        scope=wanted,
        tell=None if offline else dispositions.waits_told(dispositions.configured),
    )
    if as_json:
        print_json(report.as_dict())
    else:
        print_lines(report.lines())


@group.command()
def order(
    parties: Annotated[
        str | None,
        typer.Argument(help="The order from now on, like supplier,customer_wait,own; left out: show all versions."),
    ] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Show or change the order in which an overrun is shared out; a change is a version in the ledger."""
    start()
    from improvement.minutes import Order
    from workflows.cli.output import print_json, print_table
    from workflows.clocks import attribution

    if parties is not None:
        attribution.change_order(actor(), parties, at=moment(as_of))
    rows = [(None, Order()), *attribution.orders()]
    told = [
        {"version": one.version, "from": at.isoformat() if at else None, "order": list(one.parties)} for at, one in rows
    ]
    if as_json:
        print_json(told)
    else:
        print_table(
            "Order of attribution",
            ["version", "from", "order"],
            [
                (row["version"], row["from"] or "the beginning", one.text)
                for row, (_, one) in zip(told, rows, strict=True)
            ],
        )


@group.command()
def waiting(
    connection: Annotated[str, typer.Argument(help="A connection.")],
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Its statuses, or reasons of being on hold, that mean waiting for the customer."),
    ] = None,
    nothing: Annotated[bool, typer.Option("--none", help="None of them does.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not ask the platform whether its tickets wait under these names.")
    ] = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Show or say what a platform calls waiting for the customer; what is said is a version in the ledger."""
    start()
    from django.conf import settings

    from workflows.cli.output import print_json, print_table
    from workflows.clocks import attribution, dispositions, seen_waits

    if names and not offline and connection in settings.REGELKREIS.connections:
        for remark in seen_waits.must_be_seen(connection, names, dispositions.waits_told(dispositions.configured)):
            typer.echo(f"note: {remark}", err=True)
    if names or nothing:
        attribution.name_customer_waits(actor(), connection, names or [], at=moment(as_of))
    rows = attribution.customer_waits(connection)
    if as_json:
        print_json([{"version": one.version, "from": at.isoformat(), "names": list(one.names)} for at, one in rows])
    else:
        print_table(
            "Waiting for the customer",
            ["version", "from", "names"],
            [(one.version, at.isoformat(), ", ".join(one.names) or "none") for at, one in rows],
        )
