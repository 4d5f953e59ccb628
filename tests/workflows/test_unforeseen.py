"""A defect of one connector is told and logged; the other connections, and the checkpoint, go on."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path

import pytest
import structlog
from requests import JSONDecodeError

from connectors.base import Connector, Cursor, DeleteLog, Page
from improvement.errors import CredentialsRefused, Unforeseen
from improvement.records import RecordKind
from tests.workflows.platform import MemoryPlatform
from workflows import cycle
from workflows.models import Checkpoint, Connection
from workflows.steps.follow import FollowResult
from workflows.steps.pulling import PullResult
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
    kind = Defective if where == "pull" else MemoryPlatform
    opened = two(kind(name="desk", scopes={"Mail": {0: 0.1}}))
    if where == "follow":
        monkeypatch.setattr("workflows.cycle.follow.follow", follow)
    with structlog.testing.capture_logs() as logged:
        summary = cycle.run_with(opened, as_of=monday)
    told = [error for error in summary.errors if "Nobody foresaw this error" in error]
    assert told
    assert all("connection desk" in error for error in told)
    defects = [line for line in logged if line["event"] == "unforeseen"]
    assert {(line["log_level"], line["connection"], line["exc_info"]) for line in defects} == {("error", "desk", True)}
    assert summary.points
    assert Checkpoint.objects.exists()


class Forgetful(MemoryPlatform):
    """One whose platform answers a question about what is gone as nobody foresaw."""

    def count(self, kind: RecordKind, *, until: datetime) -> int | None:
        raise KeyError("stats")


class LockedOut(MemoryPlatform):
    """One that lets nobody in any more once all is read."""

    asked = 0

    def deleted(self, kind: RecordKind, *, since: datetime, until: datetime) -> DeleteLog | None:
        self.asked += 1
        raise CredentialsRefused("The token has expired.")

    def count(self, kind: RecordKind, *, until: datetime) -> int | None:
        self.asked += 1
        raise CredentialsRefused("The token has expired.")


class Unable(MemoryPlatform):
    """One that does not even say what it reads."""

    def kinds(self) -> Sequence[RecordKind]:
        raise KeyError("kinds")


def two(first: MemoryPlatform) -> list[MemoryPlatform]:
    for name in ("desk", "snow"):
        Connection.objects.create(name=name, platform="servicenow", may_write=True, integration_account="regelkreis")
    return [first, MemoryPlatform(scopes={"Mail": {0: 0.1}})]


def pulled(opened: list[MemoryPlatform], monkeypatch: pytest.MonkeyPatch, at: datetime) -> list[PullResult]:
    monkeypatch.setattr(cycle, "connectors", lambda *_, **__: nullcontext(opened))
    return cycle.pull_all(as_of=at, is_shown=True)


@pytest.mark.django_db
def test_a_look_for_what_is_gone_that_fails_is_told_and_all_else_is_pulled(
    home: Path, monday: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, snow = pulled(two(Forgetful(name="desk", scopes={"Mail": {0: 0.1}})), monkeypatch, monday)
    assert desk.read > 1000
    assert (desk.errors, snow.errors) == ([], [])
    assert [note for note in desk.notes if "Nobody foresaw this error" in note and "KeyError" in note]
    assert snow.notes == []
    assert snow.read > 1000
    assert {one.last_pull_as_of for one in Connection.objects.all()} == {monday}


@pytest.mark.django_db
def test_who_is_shut_out_asks_for_nothing_else_that_may_be_gone(home: Path, monday: datetime) -> None:
    platform = LockedOut(scopes={"Mail": {0: 0.1}})
    Connection.objects.create(name="snow", platform="servicenow", integration_account="regelkreis")
    summary = cycle.run_with([platform], as_of=monday)
    assert platform.asked == 1
    assert [note for note in summary.notes if "The token has expired" in note]


@pytest.mark.django_db
def test_what_fails_before_a_pull_began_stops_no_other_connection(
    home: Path, monday: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, snow = pulled(two(Unable(name="desk", scopes={"Mail": {0: 0.1}})), monkeypatch, monday)
    assert "Nobody foresaw this error (a pull): KeyError" in desk.problem
    assert (snow.errors, snow.read > 1000) == ([], True)


@pytest.mark.django_db
def test_a_cycle_counts_what_it_read_whatever_the_look_for_what_is_gone_meets(home: Path, monday: datetime) -> None:
    summary = cycle.run_with(two(Forgetful(name="desk", scopes={"Mail": {0: 0.1}})), as_of=monday)
    assert summary.errors == []
    assert [note for note in summary.notes if note.startswith("desk: ") and "KeyError" in note]
    assert set(summary.published) == {"desk", "snow"}


@pytest.mark.django_db
def test_a_full_disk_is_everybodys() -> None:
    with pytest.raises(OSError, match="No space left"), held("reading", connection="snow"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(Unforeseen, match="ConnectionResetError"), held("reading", connection="snow"):
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
