"""`actions adopt` and `actions measure`: records that people made on a platform come into the loop."""

from __future__ import annotations

from typing import Annotated

import typer

from workflows.cli.actions import AsOf, Code, Json
from workflows.cli.besides import group
from workflows.cli.session import actor, moment, start

__all__ = ["group"]


@group.command()
def adopt(
    url: Annotated[str, typer.Argument(help="Where the record opens in a browser.")],
    metric: Annotated[str, typer.Option(help="A metric of the catalogue; without one it is kept unmeasured.")] = "",
    scope: Annotated[
        str, typer.Option(help="Like customer=Acme,country=CH,service=Mail. Default: the record's service.")
    ] = "",
    where: Annotated[str, typer.Option(help="A filter like kind=incident,sla.target=resolution.")] = "",
    goal: Annotated[str, typer.Option(help="Like -30% or +0.25; can be planned later.")] = "",
    connection: Annotated[str, typer.Option(help="Only where several connections reach this site.")] = "",
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Take a record that people made on the platform into the loop. Nothing that stands on it is overwritten."""
    start()
    from workflows.actions import adopting
    from workflows.cli.output import report, say

    action = adopting.adopt(
        actor(),
        url,
        at=moment(as_of),
        connection=connection,
        metric=metric,
        scope=scope,
        where=where,
        goal=goal,
    )
    if not action.metric:
        why = action.measurement["unmeasured"]
        say(f"Nothing is measured: {why}. `regelkreis actions measure {action.code} --metric …` says by what.")
    report(action, as_json)


@group.command()
def measure(
    code: Code,
    metric: Annotated[str, typer.Option(help="A metric of the catalogue.")],
    scope: Annotated[str, typer.Option(help="Like customer=Acme,service=Mail. Default: as it was adopted.")] = "",
    where: Annotated[str, typer.Option(help="A filter like kind=incident,sla.target=resolution.")] = "",
    goal: Annotated[str, typer.Option(help="Like -30% or +0.25.")] = "",
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Say by what an adopted record is measured that was taken in without a metric."""
    start()
    from workflows.actions import adopting
    from workflows.cli.output import report

    action = adopting.measure(actor(), code, at=moment(as_of), metric=metric, scope=scope, where=where, goal=goal)
    report(action, as_json)
