"""`actions`: the register, and everything a person does to an action."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from workflows.cli.session import AS_OF_HELP, KNOWN_AT_HELP, actor, day, day_if_given, moment, start

group = typer.Typer(help="Improvement actions: list, show, open, plan, approve, decide.", no_args_is_help=True)

Code = Annotated[str, typer.Argument(help="The action, like ACT-7.")]
AsOf = Annotated[str | None, typer.Option("--as-of", help=AS_OF_HELP)]
KnownAt = Annotated[str | None, typer.Option("--as-of", help=KNOWN_AT_HELP)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]


@group.command(name="list")
def list_actions(
    state: Annotated[str | None, typer.Option(help="Only this state.")] = None,
    as_of: KnownAt = None,
    as_json: Json = False,
) -> None:
    """Every action with its state and verdict."""
    start()
    from workflows.actions import loop
    from workflows.cli.output import print_json, print_table
    from workflows.models import Action

    columns = ["action", "state", "verdict", "owner", "platform", "record", "title"]
    wanted = _state(state) if state is not None else None
    if as_of is not None:
        _list_then(moment(as_of), wanted, columns, as_json)
        return
    found = Action.objects.select_related("owner").order_by("id")
    if wanted is not None:
        found = found.filter(state=wanted)
    if as_json:
        print_json([loop.detail(action) for action in found])
        return
    print_table(
        "Continual improvement register",
        columns,
        [
            (
                action.code,
                action.state,
                action.verdict,
                action.owner.username if action.owner else "nobody yet",
                action.connection,
                action.platform_number,
                action.title,
            )
            for action in found
        ],
    )


def _list_then(at: datetime, wanted: str | None, columns: list[str], as_json: bool) -> None:
    from workflows.cli.output import print_json, print_table
    from workflows.evidence import as_it_was

    found = [one for one in as_it_was.actions_at(at) if wanted in (None, one.state)]
    if as_json:
        print_json([one.as_dict() for one in found])
        return
    rows = [
        (
            one.action.code,
            one.state,
            one.told.get("verdict"),
            one.owner or "nobody yet",
            one.action.connection,
            one.told.get("record"),
            one.title,
        )
        for one in found
    ]
    print_table(f"Continual improvement register, {at:%Y-%m-%d %H:%M} UTC", columns, rows)


@group.command()
def show(code: Code, as_of: KnownAt = None, as_json: Json = False) -> None:
    """One action: why it is open, its plan, its looks, its history, and what can happen next."""
    start()
    from workflows.actions import commands, loop
    from workflows.cli.output import print_json, print_table
    from workflows.cli.story import story_of
    from workflows.cli.story_then import story_then
    from workflows.evidence import as_it_was

    action = commands.find(code)
    then = as_it_was.action_at(action, moment(as_of)) if as_of is not None else None
    if as_json:
        print_json(loop.detail(action) if then is None else then.as_dict())
        return
    for title, columns, rows in story_of(action) if then is None else story_then(then):
        print_table(title, columns, rows)


@group.command()
def new(
    connection: Annotated[str, typer.Option(help="The connection whose records are measured.")],
    metric: Annotated[str, typer.Option(help="A metric of the catalogue.")],
    scope: Annotated[str, typer.Option(help="Like customer=Acme,country=CH,service=Mail.")],
    goal: Annotated[str, typer.Option(help="Like -30% or +0.25.")],
    title: Annotated[str, typer.Option(help="What it is about.")] = "",
    where: Annotated[str, typer.Option(help="A filter like kind=incident,sla.target=resolution.")] = "",
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Open an action by hand."""
    start()
    from workflows.actions import opening
    from workflows.cli.output import report

    action = opening.open_by_person(
        actor(),
        connection=connection,
        metric=metric,
        scope=scope,
        goal=goal,
        title=title,
        where=where,
        at=moment(as_of),
    )
    report(action, as_json)


@group.command()
def plan(
    code: Code,
    hypothesis: Annotated[str | None, typer.Option(help="What is changed, and why that should help.")] = None,
    goal: Annotated[str | None, typer.Option(help="Like -30% or +0.25.")] = None,
    min_effect: Annotated[
        str | None, typer.Option("--min-effect", help="The smallest effect worth calling so.")
    ] = None,
    golive: Annotated[str | None, typer.Option(help="The planned go-live, a date.")] = None,
    due: Annotated[str | None, typer.Option(help="The due date.")] = None,
    accept_detectable: Annotated[
        str | None,
        typer.Option("--accept-detectable", help="Why go on although the goal is below the detectable effect."),
    ] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Fill in the plan of an action, until it is approved. An empty text ("") takes away what was there."""
    start()
    from workflows.actions import commands
    from workflows.cli.mending import naming_options
    from workflows.cli.output import report

    with naming_options(code):
        action = commands.plan(
            actor(),
            code,
            at=moment(as_of),
            hypothesis=hypothesis,
            goal=goal,
            min_effect=min_effect,
            golive=day_if_given(golive, "--golive") if golive else golive,
            due=day_if_given(due, "--due") if due else due,
            accept_detectable=accept_detectable,
        )
    report(action, as_json)


@group.command()
def accept(code: Code, as_of: AsOf = None, as_json: Json = False) -> None:
    """Accept a proposal: only then is anything written to the platform."""
    start()
    from workflows.actions import commands
    from workflows.cli.output import report

    report(commands.accept(actor(), code, at=moment(as_of)), as_json)


@group.command()
def submit(code: Code, as_of: AsOf = None, as_json: Json = False) -> None:
    """Hand the plan in for approval."""
    start()
    from workflows.actions import commands
    from workflows.cli.mending import naming_options
    from workflows.cli.output import report

    with naming_options(code):
        action = commands.submit(actor(), code, at=moment(as_of))
    report(action, as_json)


@group.command()
def approve(code: Code, as_of: AsOf = None, as_json: Json = False) -> None:
    """Approve the plan: it is frozen and hashed. Never by its owner."""
    start()
    from workflows.actions import commands
    from workflows.cli.output import report

    report(commands.approve(actor(), code, at=moment(as_of)), as_json)


@group.command()
def reject(code: Code, reason: Reason, as_of: AsOf = None, as_json: Json = False) -> None:
    """Send the plan back to its owner."""
    start()
    from workflows.actions import commands
    from workflows.cli.output import report

    report(commands.reject(actor(), code, at=moment(as_of), reason=reason), as_json)


@group.command(name="start")
def start_work(code: Code, as_of: AsOf = None, as_json: Json = False) -> None:
    """Say that work has begun."""
    start()
    from workflows.actions import commands
    from workflows.cli.output import report

    report(commands.start(actor(), code, at=moment(as_of)), as_json)


@group.command()
def golive(
    code: Code,
    on: Annotated[str, typer.Option(help="The local day it went live.")],
    ref: Annotated[str, typer.Option(help="The change or task it went live with.")] = "",
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Say when the change went live."""
    start()
    from workflows.actions import commands, loop
    from workflows.cli.output import report, say

    action = commands.golive(actor(), code, at=moment(as_of), on=day(on), ref=ref)
    report(action, as_json)
    plan = loop.current_plan(action)
    if plan is None or plan.frozen_at is None:
        say("Its plan is not approved yet: what went live before that is late and is never credited.")


@group.command(name="correct-golive")
def correct_golive(
    code: Code,
    on: Annotated[str, typer.Option(help="The local day it really went live.")],
    reason: Reason,
    ref: Annotated[str, typer.Option(help="The change or task it went live with, if that was wrong too.")] = "",
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Correct a wrong go-live day. Both days stay on record; after a look the action counts as late."""
    start()
    from workflows.actions import commands
    from workflows.cli.output import report

    report(commands.correct_golive(actor(), code, at=moment(as_of), on=day(on), reason=reason, ref=ref), as_json)


@group.command()
def decide(
    code: Code,
    decision: Annotated[str, typer.Argument(help="standardise, adjust or stop.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; needed to stop.")] = "",
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Decide after the verdict."""
    start()
    from workflows.actions import commands
    from workflows.cli.output import report

    report(commands.decide(actor(), code, decision, at=moment(as_of), reason=reason), as_json)


@group.command()
def acknowledge(code: Code, as_of: AsOf = None, as_json: Json = False) -> None:
    """Say that you have seen the sustaining looks."""
    start()
    from workflows.actions import commands
    from workflows.cli.output import report

    report(commands.acknowledge(actor(), code, at=moment(as_of)), as_json)


@group.command()
def override(
    code: Code,
    reason: Annotated[str, typer.Option("--reason", help="Why the verdict is wrong; the first person gives it.")] = "",
    is_second: Annotated[
        bool, typer.Option("--second", help="Agree to the reason given, as the second person, an approver.")
    ] = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Overrule a verdict: two people, one reason. The verdict stays on record beside it."""
    start()
    from workflows.actions import commands
    from workflows.cli.output import report, say

    if is_second:
        action = commands.second_override(actor(), code, at=moment(as_of))
    else:
        action = commands.override(actor(), code, at=moment(as_of), reason=reason)
        say(f"A second person, an approver, has to agree: `regelkreis actions override {action.code} --second`.")
    report(action, as_json)


@group.command()
def assign(
    code: Code,
    name: Annotated[str, typer.Argument(help="The user who becomes its owner.")],
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Give an action an owner, or another one."""
    start()
    from workflows import access
    from workflows.actions import commands
    from workflows.cli.output import report

    report(commands.assign(actor(), code, access.person_named(name), at=moment(as_of)), as_json)


@group.command()
def hold(code: Code, reason: Reason, as_of: AsOf = None, as_json: Json = False) -> None:
    """Put the action on hold."""
    start()
    from workflows.actions import commands
    from workflows.cli.output import report

    report(commands.hold(actor(), code, at=moment(as_of), reason=reason), as_json)


@group.command()
def resume(code: Code, reason: Reason, as_of: AsOf = None, as_json: Json = False) -> None:
    """Take the action off hold."""
    start()
    from workflows.actions import commands
    from workflows.cli.output import report

    report(commands.resume(actor(), code, at=moment(as_of), reason=reason), as_json)


@group.command()
def cancel(code: Code, reason: Reason, as_of: AsOf = None, as_json: Json = False) -> None:
    """Give the action up before it has a verdict."""
    start()
    from workflows.actions import commands
    from workflows.cli.output import report

    report(commands.cancel(actor(), code, at=moment(as_of), reason=reason), as_json)


@group.command()
def reapprove(code: Code, reason: Reason, as_of: AsOf = None, as_json: Json = False) -> None:
    """Change an approved plan: a new version has to be approved."""
    start()
    from workflows.actions import commands
    from workflows.cli.output import report

    report(commands.reapprove(actor(), code, at=moment(as_of), reason=reason), as_json)


def _state(text: str) -> str:
    from improvement.errors import InputError
    from improvement.pdca import State

    states = [state.value for state in State]
    if text not in states:
        raise InputError(f"“{text}” is no state.", mend=f"States: {', '.join(states)}.")
    return text
