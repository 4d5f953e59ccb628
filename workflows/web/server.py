"""The site under gunicorn, started from our own process."""

from __future__ import annotations

from typing import Any

from django.core.wsgi import get_wsgi_application
from gunicorn.app.base import BaseApplication


class _Site(BaseApplication):  # type: ignore[misc]
    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for key, value in self._options.items():
            self.cfg.set(key, value)

    def load(self) -> Any:
        return get_wsgi_application()


def serve(*, host: str, port: int, workers: int, told: str = "") -> None:
    """Serve until interrupted; print ``told`` once it listens.

    Threads, because pages wait for the database, not for the processor.
    """
    options = {
        "bind": f"{host}:{port}",
        "workers": workers,
        "threads": 4,
        "worker_class": "gthread",
        "timeout": 60,
        "accesslog": None,
        "loglevel": "warning",
        "proc_name": "regelkreis",
        "control_socket_disable": True,
    }
    if told:
        options["when_ready"] = lambda server: print(told, flush=True)
    _Site(options).run()
