"""The moment a cycle is for: the loop goes one way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from improvement.errors import InputError
from workflows.cli.session import moment_of_cycle
from workflows.models import Connection

pytestmark = pytest.mark.django_db
LAST = datetime(2026, 3, 2, 6, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _pulled() -> None:
    Connection.objects.create(name="snow", platform="servicenow", last_pull_as_of=LAST)
    Connection.objects.create(name="jira", platform="jira", last_pull_as_of=LAST - timedelta(weeks=1))
    Connection.objects.create(name="new", platform="jira")


def test_a_cycle_before_the_last_one_is_refused_with_that_moment() -> None:
    with pytest.raises(InputError, match="2020-01-01 is before the last pull, which was for 2026-03-02 06:00Z") as told:
        moment_of_cycle("2020-01-01")
    assert str(told.value.where) == "--as-of"
    assert "a later one" in (told.value.mend or "")


@pytest.mark.parametrize("text", ["2026-03-02T06:00Z", "2026-03-01T08:00+00:00", "2026-03-09", None])
def test_the_same_moment_again_a_clock_that_differs_and_every_later_one_are_fine(text: str | None) -> None:
    assert moment_of_cycle(text) >= LAST - timedelta(days=1)


def test_the_first_cycle_may_be_for_any_moment() -> None:
    Connection.objects.update(last_pull_as_of=None)
    assert moment_of_cycle("2020-01-01") == datetime(2020, 1, 1, tzinfo=UTC)


def test_a_pull_for_a_moment_to_come_shuts_nobody_out_until_then() -> None:
    """As by a clock that was wrong for one night, or a mistyped year."""
    now = datetime.now(UTC)
    Connection.objects.filter(name="snow").update(last_pull_as_of=now + timedelta(days=300))
    assert moment_of_cycle(None) >= now - timedelta(seconds=1)  # whole seconds
    with pytest.raises(InputError, match="is before the last pull"):
        moment_of_cycle((now - timedelta(days=8)).isoformat())
