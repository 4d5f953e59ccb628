"""The `regelkreis` command: groups are registered here, their bodies load only when they run."""

from __future__ import annotations

from typing import Annotated

import typer

from workflows.cli import (
    adopting,
    checks,
    clocks,
    connect,
    deliveries,
    demo,
    evidence,
    exposure,
    hooks,
    importing,
    loop,
    metrics,
    minutes,
    rules,
    sandbox,
    secrets,
    serve,
    targets,
    users,
)

HELP = "A continual-improvement engine for ServiceNow and Jira: rules, plan–do–check–act, honest statistics, evidence."


def build() -> typer.Typer:
    """The application with all its groups."""
    application = typer.Typer(
        name="regelkreis",
        help=HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    application.callback(help=HELP)(_common)
    application.command(name="connect")(connect.run)
    loop.register(application)
    application.command(name="import")(importing.run)
    clocks.register(application)
    application.add_typer(minutes.group, name="minutes")
    application.command(name="targets")(targets.run)
    application.command(name="exposure")(exposure.run)
    application.add_typer(rules.group, name="rules")
    application.add_typer(metrics.group, name="metrics")
    application.add_typer(adopting.group, name="actions")  # that of actions.py, with besides.py and adopting.py
    application.add_typer(checks.group, name="checks")
    application.add_typer(checks.reviews, name="reviews")
    application.add_typer(evidence.group, name="evidence")
    application.add_typer(users.group, name="users")
    application.add_typer(secrets.group, name="secrets")
    application.add_typer(hooks.group, name="hooks")
    application.add_typer(deliveries.group, name="deliveries")
    application.command(name="sandbox")(sandbox.run)
    application.command(name="serve")(serve.run)
    application.command(name="demo")(demo.run)
    return application


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"regelkreis {version('regelkreis')}")
        raise typer.Exit


def _common(
    is_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Options before any command."""
