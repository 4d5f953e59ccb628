"""`import`: contacts, surveys and outages from CSV files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from workflows.cli.session import AS_OF_HELP, actor, moment, start

Kind = Literal["contacts", "surveys", "outages"]


def run(
    files: Annotated[list[Path], typer.Argument(help="CSV files; contacts….csv, surveys….csv, outages….csv.")],
    connection: Annotated[str, typer.Option("--connection", help="To which connection's records they belong.")],
    kind: Annotated[
        Kind | None, typer.Option("--kind", help="What the files hold, where their names do not say it.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", help="Time zone of times without offset, like Europe/Zurich.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option("--encoding", help="Of files that are not UTF-8, like windows-1252.")
    ] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the records of these files back instead.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and compare; write nothing.")] = False,
    as_of: Annotated[str | None, typer.Option("--as-of", help=AS_OF_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Bring contacts, surveys or outages from CSV files, for a platform that has none.

    All or nothing: one row that cannot be read, and no file is loaded. The same file again changes nothing.
    """
    start()
    from workflows.cli.output import print_json, print_table, say
    from workflows.importing.loading import import_files

    done = import_files(
        actor(),
        files,
        connection,
        at=moment(as_of),
        kind=kind,
        zone=zone,
        encoding=encoding,
        withdraw=withdraw,
        dry_run=dry_run,
    )
    if as_json:
        print_json({"dry_run": dry_run, "files": [one.as_dict() for one in done]})
        return
    columns = ["file", "kind", "rows", "new", "changed", "unchanged", "withdrawn"]
    rows = [(one.path, one.kind, one.rows, one.new, one.changed, one.unchanged, one.withdrawn) for one in done]
    print_table("Would be imported" if dry_run else "Imported", columns, rows)
    for one in done:
        for remark in one.remarks:
            say(f"note: {remark}")
