"""A defect of one connector is told and logged; the other connections, and the checkpoint, go on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import structlog
from requests import JSONDecodeError

from connectors.base import Connector, Cursor, Page
from improvement.errors import Unforeseen
from improvement.records import RecordKind
from tests.workflows.platform import MemoryPlatform
from workflows import cycle
from workflows.models import Checkpoint, Connection
from workflows.steps.follow import FollowResult
from workflows.unforeseen import held


class Defective(MemoryPlatform):
    """A connector that raises what it must not."""

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        raise KeyError("folder")


def follow(one: Connector, *, as_of: datetime) -> FollowResult:
    """The step of the same name, which meets what nobody decoded."""
    if one.name == "desk":
        raise JSONDecodeError("Unterminated string", "{", 0)
    return FollowResult(connection=one.name)


@pytest.mark.django_db
@pytest.mark.parametrize("where", ["pull", "follow"])
def test_one_connections_defect_stops_no_other(
    home: Path, monday: datetime, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("desk", "snow"):
        Connection.objects.create(name=name, platform="servicenow", may_write=True, integration_account="regelkreis")
    kind = Defective if where == "pull" else MemoryPlatform
    if where == "follow":
        monkeypatch.setattr("workflows.cycle.follow.follow", follow)
    with structlog.testing.capture_logs() as logged:
        summary = cycle.run_with(
            [kind(name="desk", scopes={"Mail": {0: 0.1}}), MemoryPlatform(scopes={"Mail": {0: 0.1}})], as_of=monday
        )
    told = [error for error in summary.errors if "Nobody foresaw this error" in error]
    assert told
    assert all("connection desk" in error for error in told)
    defects = [line for line in logged if line["event"] == "unforeseen"]
    assert {(line["log_level"], line["connection"], line["exc_info"]) for line in defects} == {("error", "desk", True)}
    assert summary.points
    assert Checkpoint.objects.exists()


@pytest.mark.django_db
def test_a_full_disk_is_everybodys() -> None:
    with pytest.raises(OSError, match="No space left"), held("reading", connection="snow"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(Unforeseen, match="ConnectionResetError"), held("reading", connection="snow"):
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
