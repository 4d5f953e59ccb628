"""`rules`: is what I wrote valid, and does it do what its tests say?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from improvement.plurals import how_many
from workflows.cli import rule_questions
from workflows.cli.session import AS_OF_HELP, actor, moment, start

if TYPE_CHECKING:
    from workflows.rules.sources import Source

group = typer.Typer(help="The rule language.", no_args_is_help=True)
group.command(name="new")(rule_questions.new)
Paths = Annotated[
    list[Path] | None, typer.Argument(help="Files or folders; default: the rules folder of this installation.")
]
AsOf = Annotated[str | None, typer.Option("--as-of", help=AS_OF_HELP)]
From = Annotated[
    list[Path] | None, typer.Option("--rules", help="Files or folders with the rules; default: the live ones.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _paths(paths: list[Path] | None) -> list[Path]:
    if paths:
        return paths
    start()
    from django.conf import settings

    return [settings.REGELKREIS.rules]


def _within() -> Path:
    """The rules folder of this installation: files in it have the defaults of all its folders above them."""
    from django.conf import settings

    return Path(settings.REGELKREIS.rules)


def _whose() -> str:
    """Which installation this is."""
    start()
    from workflows.models import our_installation

    return our_installation()


def _source(paths: list[Path] | None) -> Source:
    """The rules a command looks at: those of the files named, else the live ones."""
    from workflows.rules import sources

    return sources.from_files(paths) if paths else sources.live()


@group.command()
def check(paths: Paths = None, as_json: Json = False) -> None:
    """Validate rule files: errors with file, line, column; warns of unknown names and look-alikes. Exit 2 if errors."""
    from improvement.rules import check_paths
    from workflows.cli.output import print_json, say
    from workflows.rules.checking import against_records

    report = check_paths(_paths(paths), within=_within(), today=moment(None).date())
    report, untold = against_records(report, whose=_whose)
    if untold:
        say(untold)
    if as_json:
        print_json(report.as_dict())
    else:
        for error in report.errors:
            typer.echo(f"error: {error}")
        for warning in report.warnings:
            typer.echo(f"warning: {warning}")
        tests = sum(len(test.stories) for test in report.tests)
        typer.echo(
            f"{how_many(len(report.rules), 'rule')}, {how_many(tests, 'test')}, "
            f"{how_many(len(report.errors), 'error')}, {how_many(len(report.warnings), 'warning')}"
        )
    if not report.is_valid:
        raise typer.Exit(2)


@group.command(name="test")
def run_tests(paths: Paths = None, as_json: Json = False) -> None:
    """Run rule tests; of what is not as expected a diff, and the weeks before it. Exit 1 if one fails."""
    from improvement.rules import load_pack
    from improvement.rules import run_tests as run
    from workflows.cli.output import print_json
    from workflows.rules.lines import print_lines
    from workflows.rules.testing import report_of

    pack = load_pack(_paths(paths), within=_within())
    report = report_of(run(pack.tests), (rule.id for rule in pack.rules))
    if as_json:
        print_json(report.as_dict())
    else:
        print_lines(report.lines())
    if report.failed:
        raise typer.Exit(1)


@group.command()
def explain(
    rule: Annotated[str, typer.Argument(help="A rule.")],
    scope: Annotated[str, typer.Option("--scope", help="Which series, like customer=Acme,country=DE.")] = "",
    as_of: AsOf = None,
    connection: Annotated[str | None, typer.Option("--connection", help="Where several have the scope.")] = None,
    path: From = None,
    rows: Annotated[bool, typer.Option("--rows", help="Show every row that was counted.")] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Show the query of the value and its rows.")] = False,
    as_json: Json = False,
) -> None:
    """Why a rule says what it says about a scope: target, rows, value, hold time, finding, SQL."""
    start()
    from workflows.cli.output import print_json
    from workflows.rules import explaining
    from workflows.rules.lines import print_lines

    one, removed_at = (_source(path).rule(rule), None) if path else explaining.live_or_last(rule)
    told = explaining.told(one, scope, as_of=moment(as_of), connection=connection, removed_at=removed_at)
    if as_json:
        print_json(told.as_dict(rows=rows))
    else:
        print_lines(told.lines(rows=rows, is_sql_shown=sql))


@group.command()
def backtest(
    rule: Annotated[str | None, typer.Argument(help="A rule; default: all.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First week: a date or 2026-W10.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last week; default: the last complete one.")] = None,
    path: Annotated[
        list[Path] | None, typer.Option("--rules", help="Files or folders with the rules; default: the rules folder.")
    ] = None,
    connection: Annotated[str | None, typer.Option("--connection", help="Only this one; default: all.")] = None,
    action_weeks: Annotated[
        int | None,
        typer.Option("--action-weeks", min=1, help="How long an action stays open; default: until its last look."),
    ] = None,
    chart: Annotated[Path | None, typer.Option("--chart", help="Draw it into this SVG file as well.")] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Replay history week by week: findings, actions they would have opened, workload, what clears by itself."""
    start()
    from workflows.cli.output import print_json
    from workflows.rules import backtest as backtests
    from workflows.rules import backtest_report, sources, untreated_lines
    from workflows.rules.lines import print_lines

    source = sources.from_files(path) if path else sources.drafts()
    rules = source.with_derived(rule) if rule else source.rules
    at, by = moment(as_of), actor()
    span = backtests.span_of(first, last, as_of=at)
    counted = backtests.read(rules, sources.connection_names(connection), span)
    report = backtest_report.report(
        source,
        rules,
        counted,
        lasting=(lambda _: action_weeks) if action_weeks else None,
        told=how_many(action_weeks, "week") if action_weeks else "until it is due and then until its last look",
    )
    kept = untreated_lines.keep(report, at=at, by=by)
    if chart is not None:
        from workflows.rules.backtest_chart import svg

        chart.write_text(svg(report), encoding="utf-8")
    if as_json:
        print_json({**report.as_dict(), "untreated_kept_for": kept})
    else:
        print_lines(report.lines())
        print_lines(untreated_lines.told(kept))


@group.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="`live`, a file or folder, or a version's digest.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The same.")],
    weeks: Annotated[int, typer.Option("--weeks", min=1, max=520, help="How far back.")] = 26,
    connection: Annotated[str | None, typer.Option("--connection", help="Only this one; default: all.")] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """What changes from one version of rules to another: keys, and findings over the last weeks."""
    start()
    from workflows.cli.output import print_json
    from workflows.rules import diff as rule_diff
    from workflows.rules import sources
    from workflows.rules.lines import print_lines

    report = rule_diff.report(
        sources.named(before),
        sources.named(after),
        as_of=moment(as_of),
        number=weeks,
        connection=connection,
    )
    if as_json:
        print_json(report.as_dict())
    else:
        print_lines(report.lines())


@group.command()
def apply(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files or folders; default: the whole rules folder, and what is not there is removed."),
    ] = None,
    author: Annotated[str | None, typer.Option("--author", help="Who wrote it; default: whoever applies it.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; apply nothing.")] = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Check and test rules, record their versions with author, make them live. Exit 1 if a test fails."""
    start()
    from workflows.cli.output import print_json
    from workflows.rules import applying
    from workflows.rules.lines import print_lines

    try:
        plan = applying.apply(actor(), paths, at=moment(as_of), author=author, is_dry=dry_run)
    except applying.TestsFailed as failed:
        if as_json:
            print_json({"applied": False, "tests": failed.report.as_dict()})
        else:
            print_lines(failed.report.only_failed.lines())
        raise
    if as_json:
        print_json(plan.as_dict())
    else:
        print_lines(plan.lines())


@group.command()
def restated(
    rule: Annotated[str | None, typer.Argument(help="Only this rule; default: all.")] = None,
    connection: Annotated[str | None, typer.Option("--connection", help="Only this one; default: all.")] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Published values that say something else now: old, new, why, and the actions and reviews they touch."""
    start()
    from workflows.cli.output import print_json
    from workflows.restating import restated_values
    from workflows.rules.lines import print_lines

    found = restated_values.report(as_of=moment(as_of), rule_id=rule, connection=connection)
    if as_json:
        print_json(found.as_dict())
    else:
        print_lines(found.lines())


@group.command()
def schema(as_json: Json = True) -> None:
    """The JSON Schema of rule files, for editors; it is JSON either way."""
    from improvement.metrics import CATALOGUE
    from improvement.rules import json_schema
    from workflows.cli.output import print_json

    print_json(json_schema(CATALOGUE))


@group.command()
def docs(
    path: From = None,
    output: Annotated[Path | None, typer.Option("--output", help="Write a Markdown page to this file.")] = None,
    is_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    as_json: Json = False,
) -> None:
    """A readable catalogue of the live rules: what each says, for whom, since when, what fires now."""
    start()
    from workflows.cli.output import print_json, say
    from workflows.rules.catalogue import catalogue
    from workflows.rules.lines import print_lines

    found = catalogue(_source(path))
    if output is not None:
        output.write_text(found.markdown(), encoding="utf-8")
        say(f"{how_many(len(found.facts), 'rule')} in {output}.")
    elif as_json:
        print_json(found.as_dict())
    elif is_markdown:
        typer.echo(found.markdown(), nl=False)
    else:
        print_lines(found.lines())
