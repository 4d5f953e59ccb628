"""What every command that touches the state needs: Django, the moment, and who acts."""

from __future__ import annotations

import gc
import os
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from improvement.errors import InputError, Place
from improvement.periods import outside_our_time

if TYPE_CHECKING:
    from workflows.models import Person

AS_OF_HELP = "Act as if it were this moment (ISO 8601, UTC if it has no zone). Default: now."
KNOWN_AT_HELP = "Show what was known at this moment (ISO 8601, UTC if it has no zone). Default: now."
MOMENT_MEND = "Write it like 2026-03-02T06:00Z."
DAY_MEND = "Write it like 2026-03-02."
TOKEN = "REGELKREIS_TOKEN"  # noqa: S105 (the name of a variable)
SELDOM = (20_000, 20, 50)  # how often garbage is looked for: rows and pages are many objects and hardly any of it


def start() -> None:
    """Start Django, once, with the database at its present schema."""
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()
        gc.set_threshold(*SELDOM)
        _must_be_migrated()
        if os.environ.get(TOKEN):
            actor()  # one that is not valid is refused by what only reads, too


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


def moment(text: str | None, option: str = "--as-of") -> datetime:
    """The moment a command acts at; ``option`` is where it was given."""
    if text is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise _refusal(text, "is no moment", option, MOMENT_MEND) from error
    outside = outside_our_time(found.year)  # first: near the ends of time no zone can be taken off
    if outside:
        raise _refusal(text, f"is no moment: {outside}", option, MOMENT_MEND)
    return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)


def moment_of_work(text: str | None) -> datetime:
    """As :func:`moment`, for what changes the state: hardly ahead of now, because weeks to come have no records yet.

    A year is left for sandboxes whose clock runs ahead.
    """
    found = moment(text)
    if found > datetime.now(UTC) + timedelta(days=366):
        what = f"{found:%Y-%m-%d} is more than a year ahead: weeks without records would be judged for good."
        raise InputError(what, where=Place(field="--as-of"), mend="Is the year right? Leave it out for now.")
    return found


def moment_of_cycle(text: str | None) -> datetime:
    """As :func:`moment_of_work`, and not before what was pulled last: the loop goes one way.

    A day is left for clocks that differ. What was pulled for a moment that is still to come, by a clock that was wrong
    or a mistyped year, shuts nobody out until then.
    """
    from django.db.models import Max

    from workflows.models import Connection

    found = moment_of_work(text)
    last = Connection.objects.aggregate(last=Max("last_pull_as_of"))["last"]
    if last is not None and found < min(last, datetime.now(UTC)) - timedelta(days=1):
        raise InputError(
            f"{found:%Y-%m-%d} is before the last pull, which was for {last:%Y-%m-%d %H:%M}Z: actions would be opened "
            "and told by records that were not there yet.",
            where=Place(field="--as-of"),
            mend="Name that moment or a later one. What was known earlier is told by `--as-of` of `actions show`.",
        )
    return found


def day(text: str, option: str = "--on") -> date:
    """A local date given on the command line, with ``option``."""
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise _refusal(text, "is no date", option, DAY_MEND) from error
    outside = outside_our_time(found.year)
    if outside:
        raise _refusal(text, f"is no date: {outside}", option, DAY_MEND)
    return found


def day_if_given(text: str | None, option: str = "--on") -> date | None:
    """A local date that may be left out."""
    return None if text is None else day(text, option)


def _refusal(text: str, what: str, option: str, mend: str) -> InputError:
    return InputError(f"“{text[:60]}” {what}.", where=Place(field=option), mend=mend)


def actor() -> Person:
    """Who acts: the person of REGELKREIS_TOKEN, else the local administrator."""
    from workflows import access

    secret = os.environ.get(TOKEN)
    return access.person_of_token(secret) if secret else access.local_admin()
