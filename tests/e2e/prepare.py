"""Fill a fresh home with the stage of the web stories: ``python -m tests.e2e.prepare`` with REGELKREIS_HOME set."""

from __future__ import annotations

import os


def main() -> None:
    """Make the home, its state, its people with passwords, its actions with drawn charts."""
    import django

    from config.install import make_home
    from config.settings import home

    make_home(home())
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from tests.workflows.web.stage import a_stage

    a_stage(is_signed_in=True)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.django_settings")
    main()
