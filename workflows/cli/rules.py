"""`rules`: is what I wrote valid, and does it do what its tests say?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workflows.cli.session import start

group = typer.Typer(help="The rule language.", no_args_is_help=True)
Paths = Annotated[list[Path] | None, typer.Argument(help="Files or folders; default: the rules folder of this installation.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _paths(paths: list[Path] | None) -> list[Path]:
    if paths:
        return paths
    start()
    from django.conf import settings

    return [settings.REGELKREIS.rules]


@group.command()
def check(paths: Paths = None, as_json: Json = False) -> None:
    """Validate rule files: every error with file, line and column. Exit 2 if any."""
    from improvement.rules import examine
    from workflows.cli.output import print_json

    pack, errors = examine(_paths(paths))
    if as_json:
        print_json({"rules": [loaded.rule.id for loaded in pack.rules], "errors": [str(error) for error in errors]})
    else:
        for error in errors:
            typer.echo(str(error))
        typer.echo(f"{len(pack.rules)} rules, {len(pack.tests)} rule tests, {len(errors)} errors")
    if errors:
        raise typer.Exit(2)


@group.command(name="test")
def run_tests(paths: Paths = None, as_json: Json = False) -> None:
    """Run rule tests. Exit 1 if one fails."""
    from improvement.rules import load_pack, run_test
    from workflows.cli.output import print_json

    pack = load_pack(_paths(paths))
    rules = {loaded.rule.id: loaded.rule for loaded in pack.rules}
    results = [result for test, _ in pack.tests for result in run_test(rules[test.rule], test)]
    if as_json:
        print_json([{"rule": r.rule, "name": r.name, "ok": r.is_ok, "differences": r.differences} for r in results])
    else:
        for result in results:
            typer.echo(f"{'ok  ' if result.is_ok else 'FAIL'} {result.rule}: {result.name}")
            for difference in result.differences:
                typer.echo(f"       {difference}")
        typer.echo(f"{sum(r.is_ok for r in results)} passed, {sum(not r.is_ok for r in results)} failed")
    if not all(result.is_ok for result in results):
        raise typer.Exit(1)


@group.command()
def schema() -> None:
    """The JSON Schema of a rule, for editors."""
    from improvement.rules import json_schema
    from workflows.cli.output import print_json

    print_json(json_schema())
