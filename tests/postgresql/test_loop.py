"""The stories of the loop once more, told on PostgreSQL."""

from __future__ import annotations

from django.db import connection

from tests.workflows.actions.test_loop import *  # noqa: F403 - each story is collected here again
from tests.workflows.actions.test_loop import pytestmark  # noqa: F401 - "needs a database"


def test_these_stories_are_told_on_postgresql() -> None:
    assert connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        assert int(cursor.fetchone()[0]) >= 140000
