"""`serve`: the web site under gunicorn."""

from __future__ import annotations

import socket
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
    _must_be_free(host, port)
    from workflows.web.server import serve

    serve(host=host, port=port, workers=workers)


def _must_be_free(host: str, port: int) -> None:
    """Say at once that the address is taken: the server would try again and again before it says so."""
    from improvement.errors import InputError

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except (OSError, OverflowError) as error:
        what = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"{host}:{port} cannot be listened on: {what}.",
            mend="Stop what runs there, or give another --host or --port.",
        ) from error
