"""`deliveries`: what did not reach its platform and why; sending a dead letter again, or giving it up."""

from __future__ import annotations

from typing import Annotated

import typer

from workflows.cli.session import AS_OF_HELP, actor, moment, start

group = typer.Typer(
    help="Writes that did not reach their platform: waiting ones and dead letters.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Keys = Annotated[list[str], typer.Argument(help="Dead letters, by the names that `deliveries list` shows.")]


@group.command(name="list")
def list_deliveries(
    dead: Annotated[bool, typer.Option("--dead", help="Only dead letters.")] = False,
    over: Annotated[bool, typer.Option("--over", help="Only what will never be sent: discarded or withdrawn.")] = False,
    connection: Annotated[str, typer.Option("--connection", help="Only of this connection.")] = "",
    as_json: Json = False,
) -> None:
    """What waits and what is dead, oldest first, each with its reason."""
    start()
    from workflows.cli.output import print_json, print_table, say
    from workflows.deliveries import dead_letters

    states = [*(dead_letters.DEAD if dead else ()), *(dead_letters.OVER if over else ())]
    found = dead_letters.undelivered(*states, connection=connection)
    if as_json:
        print_json([one.as_dict() for one in found])
        return
    columns = ["delivery", "connection", "state", "attempts", "since", "reason"]
    rows = [
        (one.key, one.connection, one.state, one.attempts, f"{one.queued_at:%Y-%m-%d %H:%M} UTC", one.reason)
        for one in found
    ]
    print_table("Not delivered", columns, rows)
    if not states and (count := dead_letters.count_over(connection)):
        say(f"{count} more will never be sent, discarded or withdrawn: `regelkreis deliveries list --over`")


@group.command()
def replay(
    keys: Keys,
    reason: Annotated[str, typer.Option("--reason", help="What was mended.")],
    as_of: Annotated[str | None, typer.Option("--as-of", help=AS_OF_HELP)] = None,
    as_json: Json = False,
) -> None:
    """Send dead letters again with the next cycle: each is searched for there before it is written."""
    start()
    from workflows.cli.output import print_json
    from workflows.deliveries import dead_letters

    at, person = moment(as_of), actor()
    done = [dead_letters.replay(person, key, reason=reason, at=at) for key in keys]
    if as_json:
        print_json([one.as_dict() for one in done])
        return
    for one in done:
        typer.echo(f"{one.key} waits again for {one.connection}.")


@group.command()
def discard(
    keys: Keys,
    reason: Annotated[str, typer.Option("--reason", help="Why it is not needed any more.")],
    as_of: Annotated[str | None, typer.Option("--as-of", help=AS_OF_HELP)] = None,
    as_json: Json = False,
) -> None:
    """Give up dead letters, or what was tried in vain; what waits for a record goes with it. `replay` takes it back."""
    start()
    from workflows.cli.output import print_json
    from workflows.deliveries import dead_letters

    at, person = moment(as_of), actor()
    done = [one for key in keys for one in dead_letters.discard(person, key, reason=reason, at=at)]
    if as_json:
        print_json([one.as_dict() for one in done])
        return
    for one in done:
        typer.echo(f"{one.key} is discarded.")
