"""`metrics`: what is counted, and how."""

from __future__ import annotations

from typing import Annotated

import typer

from workflows.cli.session import AS_OF_HELP, moment, start

group = typer.Typer(help="The metric catalogue.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@group.command(name="list")
def list_metrics(as_json: Json = False) -> None:
    """Every metric in a line."""
    from improvement.metrics import CATALOGUE
    from workflows.cli.output import print_json, print_table

    if as_json:
        print_json([_facts(name) for name in CATALOGUE])
        return
    print_table(
        "Metrics",
        ["metric", "unit", "better", "date basis", "verdict by", "title"],
        [(m.id, m.unit, m.direction, m.date_basis, m.family or "shown only", m.title) for m in CATALOGUE.values()],
    )


@group.command()
def show(name: Annotated[str, typer.Argument(help="A metric.")], as_json: Json = False) -> None:
    """Definition, example and SQL of a metric."""
    from django.conf import settings

    from improvement.metrics import metric_named
    from workflows.cli.output import print_json, print_table
    from workflows.clocks import business_hours_told
    from workflows.warehouse import Calendars, sql_of

    ours = settings.REGELKREIS
    metric = metric_named(name)
    calendars = Calendars(ours.calendars_sha256, ours.business_calendars)
    facts = {
        **_facts(name),
        **business_hours_told.facts(metric),
        "sql": sql_of(metric, options=ours.metrics.options, calendars=calendars),
    }
    parts = _parts() if name == "mood_index" else []
    if as_json:
        print_json({**facts, "parts": parts} if parts else facts)
        return
    print_table(metric.title, ["", ""], [(key, value) for key, value in facts.items() if key != "sql"])
    if parts:
        typer.echo("")
        print_table("Parts", list(parts[0]), [tuple(part.values()) for part in parts])
    typer.echo("\n" + str(facts["sql"]))


@group.command()
def mood(
    customer: Annotated[str, typer.Argument(help="A customer, as its tickets say it.")],
    connection: Annotated[str | None, typer.Option("--connection", help="Only this one; default: all.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help=AS_OF_HELP)] = None,
    as_json: Json = False,
) -> None:
    """What a customer's mood is made of: each part with its score and share; what is missing as missing."""
    start()
    from dataclasses import asdict

    from workflows.cli.output import print_json, print_table
    from workflows.rules import mood_parts

    found = mood_parts.told(customer, as_of=moment(as_of), connection=connection)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        value = f"{one.mood:.1f} of 100" if one.mood is not None else "no mood, too little is known"
        typer.echo(f"{one.customer} on {one.connection}, end of {one.week}: {value}")
        print_table(
            "",
            ["part", "score", "weight", "share", "what"],
            [
                (
                    part.name,
                    "missing" if part.score is None else f"{part.score:.1f}",
                    f"{part.weight:g}",
                    "–" if part.share is None else f"{part.share * 100:.0f} %",
                    part.what,
                )
                for part in one.parts
            ],
        )


def _parts() -> list[dict[str, object]]:
    from dataclasses import asdict

    from improvement.metrics.options import DEFAULTS

    return [asdict(part) for part in DEFAULTS.mood]


def _facts(name: str) -> dict[str, object]:
    from improvement.metrics import CATALOGUE

    metric = CATALOGUE[name]
    return {
        "id": metric.id,
        "version": metric.version,
        "title": metric.title,
        "definition": metric.definition,
        "unit": metric.unit,
        "better": metric.direction,
        "date_basis": metric.date_basis,
        "numerator": metric.numerator,
        "denominator": metric.denominator,
        "family": metric.family,
        "min_sample": metric.least_sample,
        "example": metric.example,
    }
