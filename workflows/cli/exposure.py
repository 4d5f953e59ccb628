"""`exposure`: how many users or assets customers have, as the file of this installation says."""

from __future__ import annotations

from typing import Annotated

import typer

from workflows.cli.session import AS_OF_HELP, day_if_given, moment, start


def run(
    scope: Annotated[
        str,
        typer.Option("--scope", help="What counts of this scope are told per, like country=CH,customer=Acme."),
    ] = "",
    on: Annotated[str | None, typer.Option("--on", help="The day, like 2026-03-02; default: today.")] = None,
    connection: Annotated[str, typer.Option("--connection", help="With --scope: on this connection.")] = "",
    as_of: Annotated[str | None, typer.Option("--as-of", help=AS_OF_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check the file of exposures and show what is in force: users or assets that counts of incidents are told per."""
    start()
    from django.conf import settings

    from improvement.rules import Scope
    from workflows.checks import exposures
    from workflows.cli.output import print_json, print_table, shown

    day, known = day_if_given(on) or moment(as_of).date(), exposures.known()
    if scope:
        asked = Scope.parse(scope)
        steps = known.steps_of(connection, asked)
        if as_json:
            print_json(None if steps is None else exposures.steps_dict(steps, day))
        elif steps is None:
            print(f"Nothing fits {shown(asked)}: every week counts the same.")
        else:
            number = steps.on(day)
            so_many = "no number yet" if number is None else f"{number:g} {steps.unit}"
            print(shown(f"{asked} on {day}: {so_many}, from {' + '.join(steps.of)}, known from {steps.steps[0][0]}."))
        return
    rows = [
        (line.connection or "all", str(line.scope), f"{line.since}", line.number, line.unit, "yes" if is_now else "")
        for line, is_now in exposures.in_force(known, day)
    ]
    columns = ["connection", "scope", "from", "number", "unit", "in force"]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif rows:
        print_table(f"Exposure on {day}", columns, [(*row[:3], f"{row[3]:g}", *row[4:]) for row in rows])
    else:
        print(f"There is no {settings.REGELKREIS.exposure}: counts are told by the week.")
