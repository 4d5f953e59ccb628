"""`metrics`: what is counted, and how."""

from __future__ import annotations

from typing import Annotated

import typer

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
    from improvement.metrics import metric_named
    from workflows.cli.output import print_json, print_table
    from workflows.warehouse import sql_of

    metric = metric_named(name)
    facts = {**_facts(name), "sql": sql_of(metric)}
    if as_json:
        print_json(facts)
        return
    print_table(metric.title, ["", ""], [(key, value) for key, value in facts.items() if key != "sql"])
    typer.echo("\n" + str(facts["sql"]))


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
        "example": metric.example,
    }
