"""`serve`: the web site under gunicorn."""

from __future__ import annotations

from typing import Annotated

import typer


def run(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8600,
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
) -> None:
    """Serve the web site."""
    from workflows.cli.session import start

    start()
    from workflows.web.server import serve

    serve(host=host, port=port, workers=workers)
