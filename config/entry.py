"""The console script: joins the settings and the command line (which may not import each other)."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer


def main() -> None:
    """Run ``regelkreis``. Loads nothing heavy: Django starts only in commands that need the state."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.django_settings")
    from workflows.cli.errors import run

    sys.exit(run(application()))


def application() -> typer.Typer:
    """The whole command line: that of the workflows, and ``init``."""
    from config import install
    from workflows.cli.main import build

    whole = build()
    whole.command(name="init")(install.init_command)
    return whole
