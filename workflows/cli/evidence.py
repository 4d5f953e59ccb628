"""`evidence`: was anything edited afterwards?"""

from __future__ import annotations

from typing import Annotated

import typer

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
def verify(
    as_of: Annotated[str | None, typer.Option("--as-of", help=PROVEN_AT_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Recompute the whole log and check every signed checkpoint. Exit 1 if a fact fails."""
    start()
    from workflows.cli.output import print_json
    from workflows.evidence import verifying
    from workflows.progress import progress

    with progress() as told:
        told.doing("recomputing the log")
        found = verifying.verify() if as_of is None else verifying.verify_at(moment(as_of))
    if as_json:
        print_json({"ok": found.is_ok, "facts": found.facts, "failures": found.failures})
    else:
        for fact in found.facts:
            typer.echo(f"✓ {fact}")
        for failure in found.failures:
            typer.echo(f"✗ {failure}")
    if not found.is_ok:
        raise typer.Exit(1)
