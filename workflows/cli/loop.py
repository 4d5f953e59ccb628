"""`doctor`, `pull`, `cycle`: the loop by hand."""

from __future__ import annotations

from typing import Annotated

import typer

from workflows.cli.session import AS_OF_HELP, moment, start

AsOf = Annotated[str | None, typer.Option("--as-of", help=AS_OF_HELP)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(application: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (doctor, pull, cycle):
        application.command()(command)


def doctor(as_json: Json = False) -> None:
    """Check every connection: reachability, credentials, permissions, mapping, clock; and say what to mend."""
    start()
    from workflows import health
    from workflows.cli.output import print_json, print_table

    found = health.examine()
    if as_json:
        print_json([line.as_dict() for line in found])
    else:
        print_table(
            "Health",
            ["connection", "check", "", "detail", "mend"],
            [(line.connection, line.check, "ok" if line.is_ok else "FAILS", line.detail, line.mend) for line in found],
        )
    if any(not line.is_ok for line in found):
        raise typer.Exit(1)


def pull(
    names: Annotated[list[str] | None, typer.Argument(help="Connections; default: all.")] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Pull what changed on the platforms into the warehouse."""
    start()
    from workflows import cycle as cycles
    from workflows.cli.output import print_json, print_table

    results = cycles.pull_all(as_of=moment(as_of), names=names, is_shown=not as_json)
    rows = [
        (report.connection_id, report.kind, report.read, report.new, report.changed, report.unchanged, report.rejected,
         report.requests, report.retries, f"{report.seconds:.1f}", report.error)
        for result in results
        for report in result.reports
    ]  # fmt: skip
    columns = [
        "connection",
        "kind",
        "read",
        "new",
        "changed",
        "unchanged",
        "rejected",
        "requests",
        "retries",
        "s",
        "error",
    ]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table("Pull", columns, rows)
    if any(result.errors for result in results):
        raise typer.Exit(1)


def cycle(
    as_of: AsOf = None,
    as_json: Json = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the requests deliver would send; send none.")
    ] = False,
) -> None:
    """Run one cycle: pull, evaluate, open, follow, check, review, deliver."""
    start()
    from workflows import cycle as cycles
    from workflows.cli.output import print_json, print_table

    if dry_run:
        previews = cycles.preview_all()
        if as_json:
            print_json(previews)
        else:
            print_table(
                "Requests", ["delivery", "method", "url", "body"],
                [(item["key"], item["method"], item["url"], item["body"]) for item in previews],
            )  # fmt: skip
        return
    summary = cycles.run(as_of=moment(as_of), is_shown=not as_json)
    if as_json:
        print_json(summary.as_dict())
    else:
        print_table("Cycle", ["what", "count"], summary.rows())
        for error in summary.errors:
            typer.echo(f"error: {error}", err=True)
    if summary.errors:
        raise typer.Exit(1)
