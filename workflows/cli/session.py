"""What every command that touches the state needs: Django, the moment, and who acts."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from improvement.errors import InputError

if TYPE_CHECKING:
    from workflows.models import Person

AS_OF_HELP = "Act as if it were this moment (ISO 8601, UTC if it has no zone). Default: now."


def start() -> None:
    """Start Django, once, with the database at its present schema."""
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()
        _must_be_migrated()


def _must_be_migrated() -> None:
    from django.conf import settings
    from django.db import DEFAULT_DB_ALIAS, connections
    from django.db.migrations.executor import MigrationExecutor

    if not settings.REGELKREIS.home.is_dir():
        raise InputError(
            f"There is no Regelkreis in {settings.REGELKREIS.home}.",
            mend="Run `regelkreis init`, or set REGELKREIS_HOME to where it is.",
        )
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise InputError(
            "The state is missing or older than this version.",
            mend="Run `regelkreis init`: it makes or updates it and loses nothing.",
        )


def moment(text: str | None) -> datetime:
    """The moment a command acts at."""
    if text is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"“{text}” is no moment.", mend="Write it like 2026-03-02T06:00Z.") from error
    return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)


def day(text: str) -> date:
    """A local date given on the command line."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"“{text}” is no date.", mend="Write it like 2026-03-02.") from error


def day_if_given(text: str | None) -> date | None:
    """A local date that may be left out."""
    return None if text is None else day(text)


def actor() -> Person:
    """Who acts: the person of REGELKREIS_TOKEN, else the local administrator."""
    from workflows import access

    secret = os.environ.get("REGELKREIS_TOKEN")
    return access.person_of_token(secret) if secret else access.local_admin()
