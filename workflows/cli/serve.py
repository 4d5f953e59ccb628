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
    """Serve the web site until interrupted; prints where it is once it listens."""
    from workflows.cli.session import start

    start()
    _must_be_free(host, port)
    from workflows.web.server import serve

    serve(host=host, port=port, workers=workers, told=_told(host, port))


def _told(host: str, port: int) -> str:
    """Where the site is, whose it is, who can sign in, and how to stop it."""
    from django.conf import settings

    from workflows import access

    at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"The site of {settings.REGELKREIS.home} is at http://{at}/. Ctrl+C ends it."]
    if not access.somebody_has_a_password():
        lines.append("Nobody can sign in yet: `regelkreis users password admin` gives the administrator a password.")
    return "\n".join(lines)


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
