"""`actions mark-change` and `actions task`: what stands beside an action."""

from __future__ import annotations

from typing import Annotated

import typer

from workflows.cli.actions import AsOf, Code, Json, group
from workflows.cli.session import actor, day, day_if_given, moment, start

__all__ = ["group"]


@group.command(name="mark-change")
def mark_change(
    code: Code,
    number: Annotated[str, typer.Argument(help="The change, as the platform names it, like CHG0042.")],
    on: Annotated[str | None, typer.Option(help="The local day it went live.")] = None,
    reason: Annotated[str, typer.Option(help="What it did to these figures.")] = "",
    is_for_scope: Annotated[
        bool, typer.Option("--scope", help="It holds for every action on this scope, not for this one alone.")
    ] = False,
    is_taken_back: Annotated[bool, typer.Option("--take-back", help="Take your own mark back.")] = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Mark a change that may have moved the figures too: the check then does not credit the action alone."""
    start()
    from improvement.errors import InputError
    from workflows.actions import commands
    from workflows.cli.output import report

    if is_taken_back:
        report(commands.take_back_change(actor(), code, at=moment(as_of), number=number), as_json)
        return
    if on is None:
        raise InputError("A mark says when the change went live.", mend="Add --on DATE.")
    action = commands.mark_change(
        actor(), code, at=moment(as_of), number=number, on=day(on), reason=reason, is_for_scope=is_for_scope
    )
    report(action, as_json)


@group.command()
def task(
    code: Code,
    title: Annotated[str, typer.Argument(help="What is to be done.")],
    due: Annotated[str | None, typer.Option(help="By when.")] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Add a task below the platform's record."""
    start()
    from workflows.actions import commands
    from workflows.cli.output import report

    report(commands.add_task(actor(), code, title, at=moment(as_of), due=day_if_given(due, "--due")), as_json)
