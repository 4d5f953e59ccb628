"""A platform that does not answer is told of once, by its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import pytest

from connectors.base import Cursor, Page
from improvement.errors import Place, Unreachable
from improvement.records import PlatformState, RecordKind, RecordRef
from tests.workflows.platform import MemoryPlatform
from workflows import cycle
from workflows.models import Connection
from workflows.steps import pull
from workflows.warehouse import our_warehouse

pytestmark = pytest.mark.django_db


@dataclass
class NobodyHome(MemoryPlatform):
    """Nobody is at home."""

    tried: list[RecordKind] = field(default_factory=list)

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        self.tried.append(kind)
        yield from self._asked()

    def states(self, refs: Sequence[RecordRef]) -> list[PlatformState]:
        return list(self._asked())

    def _asked(self) -> NoReturn:
        raise Unreachable(
            "https://snow.example could not be reached: refused.",
            where=Place(connection="snow"),
            mend="Check the address, the network and the proxy.",
        )


def test_what_every_step_meets_alike_is_said_once_and_names_the_connection_once(home: Path, monday: datetime) -> None:
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    summary = cycle.run_with([NobodyHome(scopes={"Mail": {0: 0.1}})], as_of=monday)
    told = (
        "connection snow: https://snow.example could not be reached: refused. Check the address, the network and the "
        "proxy."
    )
    assert [error for error in summary.errors if "reached" in error] == [told]
    assert [error for error in summary.errors if error != told] == [
        "snow: without all outage, sla, ticket records these rules wait: sla."
    ]
    assert Connection.objects.get(name="snow").last_error == told


class EagerlyNobodyHome(NobodyHome):
    """It asks before it has an iterator to give, as a connector may that learns about its platform first."""

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        self.tried.append(kind)
        self._asked()


@pytest.mark.parametrize("platform_of", [NobodyHome, EagerlyNobodyHome])
@pytest.mark.parametrize("is_ahead", [True, False], ids=["in a cycle", "pulled alone"])
def test_nobody_home_is_tried_once_a_pull_and_every_kind_is_told_as_not_read(
    home: Path, monday: datetime, is_ahead: bool, platform_of: type[NobodyHome]
) -> None:
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    platform = platform_of(scopes={"Mail": {0: 0.1}})
    with our_warehouse() as warehouse:
        if is_ahead:
            reading = pull.Reading(platform, warehouse, as_of=monday)
            with closing(pull.Loading([reading], warehouse, as_of=monday)) as loading:
                result = pull.pull(platform, warehouse, as_of=monday, loading=loading)
        else:
            result = pull.pull(platform, warehouse, as_of=monday)
    assert platform.tried == [RecordKind.TICKET]
    assert result.missing == set(platform.kinds())
    assert len(result.errors) == 1
