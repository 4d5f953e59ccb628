"""`secrets`: the key that seals what is kept of platforms' tokens."""

from __future__ import annotations

from typing import Annotated

import typer

from workflows.cli.session import AS_OF_HELP, actor, moment, start

group = typer.Typer(help="The key that seals platforms' tokens.", no_args_is_help=True)


@group.command("new-key")
def new_key() -> None:
    """Print a fresh key, for REGELKREIS_TOKEN_KEY or secrets/token_key."""
    from connectors.sealing import new_key as fresh

    typer.echo(fresh())


@group.command()
def rotate(
    as_of: Annotated[str | None, typer.Option("--as-of", help=AS_OF_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Seal every kept token with a new key; then start workers and web processes again."""
    start()
    from workflows import token_keys
    from workflows.cli.output import print_json, say

    done = token_keys.rotate(actor(), at=moment(as_of))
    if as_json:
        print_json({"connections": done.connections, "key": "replaced" if done.is_key_new else "given"})
        return
    typer.echo(f"Sealed again: {', '.join(done.connections) or 'nothing, no token is kept'}.")
    if done.is_key_new:
        say("token.key holds the new key only: back it up. Start workers and web processes again.")
    else:
        say("Only the first key of token_key is needed from now on: take the others away, then start workers again.")
