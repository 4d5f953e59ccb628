"""The console script: joins the settings and the command line (which may not import each other)."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run ``regelkreis``. Loads nothing heavy: Django starts only in commands that need the state."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.django_settings")
    from config import install
    from workflows.cli.main import build

    application = build()
    application.command(name="init")(install.init_command)
    from workflows.cli.errors import run

    sys.exit(run(application))
