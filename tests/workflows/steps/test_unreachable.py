"""A platform that does not answer is told of once, by its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import pytest

from connectors.base import Cursor, Page
from improvement.errors import ConnectionFailed, Place
from improvement.records import PlatformState, RecordKind, RecordRef
from tests.workflows.platform import MemoryPlatform
from workflows import cycle
from workflows.models import Connection

pytestmark = pytest.mark.django_db


class Unreachable(MemoryPlatform):
    """Nobody is at home."""

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        yield from self._asked()

    def states(self, refs: Sequence[RecordRef]) -> list[PlatformState]:
        return list(self._asked())

    def _asked(self) -> NoReturn:
        raise ConnectionFailed(
            "https://snow.example could not be reached: refused.",
            where=Place(connection="snow"),
            mend="Check the address, the network and the proxy.",
        )


def test_what_every_step_meets_alike_is_said_once_and_names_the_connection_once(home: Path, monday: datetime) -> None:
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    summary = cycle.run_with([Unreachable(scopes={"Mail": {0: 0.1}})], as_of=monday)
    told = (
        "connection snow: https://snow.example could not be reached: refused. Check the address, the network and the "
        "proxy."
    )
    assert [error for error in summary.errors if "reached" in error] == [told]
    assert [error for error in summary.errors if error != told] == [
        "snow: without all outage, sla, ticket records these rules wait: sla."
    ]
    assert Connection.objects.get(name="snow").last_error == told
