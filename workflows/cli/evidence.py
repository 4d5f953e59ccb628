"""`evidence`: was anything edited afterwards?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from improvement.errors import InputError, Place
from workflows.cli.session import moment, start

PROVEN_AT_HELP = "Only what the last checkpoint signed by this moment proves (ISO 8601, UTC if it has no zone)."
group = typer.Typer(help="Evidence an auditor can verify.", no_args_is_help=True)


@group.command()
def rows(
    name: Annotated[str, typer.Argument(help="An action, like ACT-7, or the digest of pinned rows.")],
) -> None:
    """Print the rows a finding fired on, one canonical JSON array a line: `sha256sum` of it is their digest."""
    start()
    from workflows.actions.rights import find
    from workflows.evidence import pinning

    is_digest = len(name) == 64
    digest = name if is_digest else str(find(name).trigger.get("rows_sha256", ""))
    typer.echo(pinning.text_of(digest), nl=False)


@group.command()
def checkpoint(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the newest signed checkpoint, to be kept where nobody here can change it; and the key that verifies it."""
    start()
    from workflows.cli.output import print_json, say
    from workflows.evidence import verifying

    last = verifying.newest_checkpoint()
    key = verifying.signer().verifier_key
    if as_json:
        print_json({"size": last.size, "at": last.at, "note": last.note, "verifier_key": key})
        return
    typer.echo(last.note, nl=False)
    say(f"Signed {last.at:%Y-%m-%d %H:%M} UTC. To verify without the home's own key: --key {key}")


@group.command()
def verify(
    kept: Annotated[
        list[Path] | None, typer.Option("--checkpoint", help="A file with a checkpoint kept elsewhere; repeatable.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="The public key kept elsewhere, instead of the home's own.")
    ] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help=PROVEN_AT_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Recompute the whole log and check every signed checkpoint. Exit 1 if a fact fails."""
    start()
    from workflows.cli.output import print_json
    from workflows.evidence import verifying
    from workflows.progress import progress

    by = verifying.signer(key) if key is not None else None
    notes = {str(file): _text(file) for file in kept or []}
    if notes and as_of is not None:
        raise InputError("--checkpoint tells its moment itself.", mend="Leave --as-of out.")
    with progress() as told:
        told.doing("recomputing the log")
        found = verifying.verify(by, kept=notes) if as_of is None else verifying.verify_at(moment(as_of), by)
    if as_json:
        print_json({"ok": found.is_ok, "facts": found.facts, "failures": found.failures})
    else:
        for fact in found.facts:
            typer.echo(f"✓ {fact}")
        for failure in found.failures:
            typer.echo(f"✗ {failure}")
    if not found.is_ok:
        raise typer.Exit(1)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(f"The file cannot be read: {why}.", where=Place(file=str(file))) from error
