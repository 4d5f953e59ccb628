"""`secrets`: what lies sealed on disk, and the key that seals it."""

from __future__ import annotations

from typing import Annotated

import typer

from workflows.cli.session import AS_OF_HELP, actor, moment, start

group = typer.Typer(help="What lies sealed on disk, and the key that seals it.", no_args_is_help=True)


@group.command("new-key")
def new_key() -> None:
    """Print a fresh key, for REGELKREIS_TOKEN_KEY or secrets/token_key."""
    from connectors.sealing import new_key as fresh

    typer.echo(fresh())


@group.command()
def seal(
    as_of: Annotated[str | None, typer.Option("--as-of", help=AS_OF_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Seal the files of secrets/ in their place, with the key of tokens; settings open them as they are read."""
    start()
    from workflows import token_keys
    from workflows.cli.output import print_json, say

    files = token_keys.seal_files(actor(), at=moment(as_of))
    if as_json:
        print_json({"files": files})
        return
    typer.echo(f"Sealed: {', '.join(files)}." if files else "There is no plain secret to seal.")
    if files:
        say("Without the key nobody reads them, not even you: keep it elsewhere, and what you sealed in your safe.")


@group.command()
def rotate(
    as_of: Annotated[str | None, typer.Option("--as-of", help=AS_OF_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Seal every kept token and sealed secret with a new key; then start workers and web processes again."""
    start()
    from workflows import token_keys
    from workflows.cli.output import print_json, say

    done = token_keys.rotate(actor(), at=moment(as_of))
    if as_json:
        key = "replaced" if done.is_key_new else "given"
        print_json({"connections": done.connections, "files": done.files, "key": key})
        return
    sealed = [*(f"token of {name}" for name in done.connections), *done.files]
    typer.echo(f"Sealed again: {', '.join(sealed)}." if sealed else "Nothing is kept sealed.")
    if done.is_key_new:
        say("token.key holds the new key only: back it up. Start workers and web processes again.")
    else:
        say("Only the first key of token_key is needed from now on: take the others away, then start workers again.")
