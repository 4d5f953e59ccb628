"""`demo`: the whole loop on two sandbox platforms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    context: typer.Context,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="End after the summary.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json-file", help="Write that object to a file as well.")] = None,
    replay: Annotated[Path | None, typer.Option(help="Run the loop on this real incident event log instead.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same world.")] = 7,
    port: Annotated[int, typer.Option(help="Port of the web site afterwards.")] = 8600,
    home: Annotated[Path, typer.Option(help="Where the demo keeps its state; made anew.")] = Path("demo-home"),
    weeks: Annotated[int, typer.Option(help="Weekly cycles to run.")] = 52,
) -> None:
    """Run the loop week by week for a year on two sandbox platforms, then serve the site."""
    from workflows.demo import stage

    stage.play(
        application=context.find_root().command,
        home=home,
        is_served=not no_serve,
        as_json=as_json,
        json_file=json_file,
        replay=replay,
        seed=seed,
        port=port,
        weeks=weeks,
    )
