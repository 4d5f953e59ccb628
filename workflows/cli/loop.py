"""`doctor`, `connect`, `pull`, `cycle`: the loop by hand."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from workflows.cli.session import AS_OF_HELP, actor, moment, start

AsOf = Annotated[str | None, typer.Option("--as-of", help=AS_OF_HELP)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(application: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (doctor, connect, pull, cycle):
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


def connect(
    name: Annotated[str, typer.Argument(help="A connection of regelkreis.toml.")],
    write: Annotated[Literal["on", "off"] | None, typer.Option("--write", help="Whether we may write to it.")] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Ask a platform what it is and what we may do; switch writing on or off."""
    start()
    from workflows import commands, health
    from workflows.cli.output import print_json, print_table, say

    if write == "off":  # must work even when the platform does not answer
        commands.set_write(actor(), name, False, at=moment(as_of))
        say(f"write: off for {name}")
        if as_json:
            print_json({"connection": name, "write": "off"})
        return
    capabilities = health.connect(name)
    if write == "on":
        commands.set_write(actor(), name, True, at=moment(as_of))
        say(f"write: on for {name}")
    if as_json:
        print_json(capabilities)
        return
    rows = [
        ("mode", capabilities["mode"] or "none"),
        ("user", capabilities["user"]),
        ("zone", capabilities["time_zone"]),
    ]
    rows += [(f"mode {key}", text) for key, text in capabilities["modes"].items()]
    rows += [(f"field {key}", text) for key, text in capabilities["columns"].items()]
    rows += [(f"field {key}", f"unwritten: {text}") for key, text in capabilities["unresolved"].items()]
    print_table(f"{name}: {capabilities['platform']} {capabilities['version']}", ["what", "found"], rows)


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
