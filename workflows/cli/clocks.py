"""`dispositions`: what became of every breached clock."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from improvement.plurals import how_many
from workflows.cli.session import AS_OF_HELP, moment, start

AsOf = Annotated[str | None, typer.Option("--as-of", help=AS_OF_HELP)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PeriodText = Annotated[str, typer.Option("--period", help="2026Q1, 2026-03, 2026-W10, 2026, or two dates: A..B.")]
ConnectionName = Annotated[str | None, typer.Option("--connection", help="Only this one; default: all.")]
Csv = Annotated[Path | None, typer.Option("--csv", help="Write every clock into this CSV file as well.")]


def register(application: typer.Typer) -> None:
    """Add the commands of this file."""
    application.command()(dispositions)


def dispositions(
    period: PeriodText,
    connection: ConnectionName = None,
    csv: Csv = None,
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Do not ask the platforms: neither for their count, nor when tickets waited."),
    ] = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """What became of every breached clock: one disposition each. Exit 1 where they are not what the platform counts."""
    start()
    from improvement import periods
    from workflows.cli.output import print_json, say
    from workflows.clocks import dispositions as found
    from workflows.clocks import quarters
    from workflows.rules.lines import print_lines

    report = found.report(
        periods.period(period),
        as_of=moment(as_of),
        connection=connection,
        ask=None if offline else found.platform_count(found.configured),
        tell=None if offline else found.waits_told(found.configured),
    )
    if connection is None and as_of is None:
        quarters.keep_if_whole(period, report)
    if as_json:
        print_json(report.as_dict())
    else:
        print_lines(report.lines())
    if csv is not None:
        say(f"{how_many(report.export(csv), 'clock')} in {csv}.")
    if not report.adds_up:
        raise typer.Exit(1)
