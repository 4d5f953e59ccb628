"""`targets`: which target applies to whom, and who has none."""

from __future__ import annotations

from typing import Annotated

import typer

from workflows.cli.session import AS_OF_HELP, day_if_given, moment, start


def run(
    on: Annotated[str | None, typer.Option("--on", help="The day, like 2026-03-02; default: today.")] = None,
    scope: Annotated[str, typer.Option("--scope", help="For whom, like country=CH,customer=Acme; with the why.")] = "",
    rule: Annotated[str | None, typer.Option("--rule", help="Only this rule; default: all.")] = None,
    gaps: Annotated[
        bool,
        typer.Option("--gaps", help="Who has records and no target, or only a general one. Exit 1 if any has none."),
    ] = False,
    connection: Annotated[str | None, typer.Option("--connection", help="Only this one; default: all.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help=AS_OF_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Targets in force on a day: which applies to whom and why, who has none, and what dates in the past restated."""
    start()
    from improvement.rules import Scope
    from workflows.cli.output import print_json
    from workflows.rules import kept_targets, targets_in_force
    from workflows.rules.lines import print_lines

    now = moment(as_of)
    report = targets_in_force.report(
        day_if_given(on) or now.date(),
        as_of=now,
        scope=Scope() if gaps else Scope.parse(scope),
        rule_id=rule,
        connection=connection,
    )
    if (on, rule, connection, as_of, scope) == (None, None, None, None, ""):
        kept_targets.keep_report(report, as_of=now)
    if as_json:
        print_json(report.as_dict())
    elif gaps:
        print_lines(report.gap_lines())
    else:
        print_lines(report.details() if scope else report.summary())
    if gaps and report.without:
        raise typer.Exit(1)
