"""`hooks`: how a platform tells us that something changed there, and what to paste on its side."""

from __future__ import annotations

from typing import Annotated

import typer

from workflows.cli.session import start

group = typer.Typer(help="Hints: platforms say that something changed, the next pull reads it.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@group.command(name="list")
def list_hooks(as_json: Json = False) -> None:
    """Every connection: where its platform sends hints, whether they are taken, the last one."""
    start()
    from workflows.cli.output import print_json, print_table
    from workflows.hooks import hints

    found = hints.standing()
    if as_json:
        print_json([one.as_dict() for one in found])
        return
    print_table(
        "Hints",
        ["connection", "address", "taken", "last", "waits for a pull since"],
        [
            (
                one.connection,
                one.address,
                "yes" if one.is_open else "no: hook_secret is not set",
                f"{one.last_at:%Y-%m-%d %H:%M} UTC" if one.last_at else "",
                f"{one.hinted_at:%Y-%m-%d %H:%M} UTC" if one.hinted_at else "",
            )
            for one in found
        ],
    )


@group.command()
def show(connection: Annotated[str, typer.Argument(help="A connection of regelkreis.toml.")]) -> None:
    """What to set here, and what to enter or paste on the platform. Prints no secret."""
    start()
    from workflows.hooks import recipes

    typer.echo(recipes.recipe(connection))


@group.command()
def secret() -> None:
    """Print a fresh secret, for both sides."""
    from secrets import token_hex

    typer.echo(token_hex(24))
