"""A pull that was killed after any page goes on from its cursor, and nothing is missing in the end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from connectors.base import Page
from connectors.jira import pull
from connectors.sandbox.plugin import Flavour
from improvement.errors import ConnectionFailed
from improvement.records import RecordKind

from .conftest import Connect


def kept(pages: list[Page]) -> dict[str, Any]:
    return {row["id"]: row for page in pages for row in page.batch.to_pylist()}


@pytest.mark.parametrize("killed_after", [1, 2, 5])
def test_a_pull_goes_on_where_it_was_killed(
    connect: Connect, flavour: Flavour, now: datetime, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    whole = kept(list(connect(flavour).pull(RecordKind.TICKET, None, until=now)))
    monkeypatch.setattr(pull, "FLUSH_ROWS", 700)
    begun = connect(flavour, page_size=100).pull(RecordKind.TICKET, None, until=now)
    first = [next(begun) for _ in range(killed_after)]
    del begun  # the process is gone; only what was delivered and its cursor are left
    rest = list(connect(flavour, page_size=100).pull(RecordKind.TICKET, first[-1].cursor, until=now))
    assert kept(first) | kept(rest) == whole
    assert len(kept(rest)) < len(whole)


def test_a_pull_that_fails_in_the_middle_loses_nothing(
    connect: Connect,
    flavour: Flavour,
    now: datetime,
    faults: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = kept(list(connect(flavour).pull(RecordKind.TICKET, None, until=now)))
    monkeypatch.setattr(pull, "FLUSH_ROWS", 700)
    connector = connect(flavour, page_size=100, max_attempts=2)
    assert connector.site.me.account
    faults({"kind": "reset_before", "path": "/search", "after": 20, "times": None})
    found: list[Page] = []
    with pytest.raises(ConnectionFailed):
        found.extend(connector.pull(RecordKind.TICKET, None, until=now))
    faults()
    assert found  # some of it was delivered before
    rest = list(connect(flavour).pull(RecordKind.TICKET, found[-1].cursor, until=now))
    assert kept(found) | kept(rest) == whole
