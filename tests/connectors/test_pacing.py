"""A platform that asks to wait is left alone by everybody: other threads, writes, other sessions and processes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

import pytest
import requests
import responses

from connectors.http import Reader, open_session, send
from improvement.errors import HeldOff
from tests.connectors.test_http import NOW, URL, a_config

LONG = {"status": 429, "headers": {"Retry-After": "600"}}


class Clock:
    """A wall clock that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = NOW
        self.slept: list[float] = []
        self._lock = Lock()

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.now += timedelta(seconds=seconds)

    def reader(self, file: Path | None = None) -> Reader:
        config = a_config(hold_file=file)
        return Reader(open_session(config), config, sleep=self.sleep, now=self)


def post(reader: Reader) -> int:
    return send(reader.session, reader.config, "POST", "/w", what="ACT-1/create", json={}).status_code


@responses.activate
def test_what_one_read_was_told_holds_for_the_next_write_and_the_other_way_round() -> None:
    clock = Clock()
    reader = clock.reader()
    responses.post(f"{URL}/w", status=429, headers={"Retry-After": "20"})
    responses.post(f"{URL}/w", status=201)
    responses.get(f"{URL}/x", json={})
    assert post(reader) == 429
    reader.read("/x", what="x")
    assert clock.slept == [20.0]
    assert post(reader) == 201
    assert clock.slept == [20.0]


@responses.activate
def test_a_write_slows_down_too_where_a_limit_is_near() -> None:
    clock = Clock()
    reader = clock.reader()
    responses.post(f"{URL}/w", status=201, headers={"X-RateLimit-NearLimit": "true"})
    responses.post(f"{URL}/w", status=201)
    for _ in range(3):
        post(reader)
    assert clock.slept == [1.0]


@responses.activate
@pytest.mark.parametrize("status", [429, 503])
def test_a_long_wait_is_no_request_at_all_until_it_is_over(status: int) -> None:
    clock = Clock()
    reader = clock.reader()
    responses.post(f"{URL}/w", status=status, headers={"Retry-After": "600"})
    post(reader)
    for ask in (lambda: reader.read("/x", what="x"), lambda: post(reader)):
        with pytest.raises(HeldOff, match="not to be asked before 2026-03-02 09:10 UTC"):
            ask()
    assert (len(responses.calls), clock.slept, reader.requests) == (1, [], 0)
    clock.now += timedelta(seconds=601)
    responses.get(f"{URL}/x", json={})
    assert reader.read("/x", what="x").ok


@responses.activate
def test_another_session_finds_it_in_the_file_they_share(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "tokens" / "acme.hold"
    responses.post(f"{URL}/w", **LONG)
    post(clock.reader(file))
    with pytest.raises(HeldOff):
        clock.reader(file).read("/x", what="x")
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_bytes(b"no time")
    responses.get(f"{URL}/x", json={})
    assert clock.reader(file).read("/x", what="x").ok


def test_a_shorter_hold_does_not_end_a_longer_one(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "acme.hold"
    clock.reader(file).pace.heed(_told(200))
    clock.reader(file).pace.heed(_told(5))
    assert clock.reader(file).pace.hold(300.0) == 200.0


@pytest.mark.parametrize("kept", [b"", b"no time", b"a hold of another program, and far longer\n", b"nan"])
def test_whatever_stands_in_the_file_a_new_hold_is_kept(tmp_path: Path, kept: bytes) -> None:
    clock, file = Clock(), tmp_path / "acme.hold"
    file.write_bytes(kept)
    clock.reader(file).pace.heed(_told(20))
    assert clock.reader(file).pace.hold(300.0) == 20.0


def test_a_wait_of_years_ends_after_a_day(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "acme.hold"
    clock.reader(file).pace.heed(_told(10**9))
    clock.now += timedelta(days=1)
    assert clock.reader(file).pace.hold(0.0) == 0.0


def test_a_moment_that_only_a_wrong_clock_can_have_given_holds_nobody(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "acme.hold"
    right, clock.now = clock.now, clock.now + timedelta(days=3650)
    reader = clock.reader(file)
    reader.pace.heed(_told(20))
    clock.now = right
    for one in (reader, clock.reader(file)):
        assert one.pace.hold(0.0) == 0.0
    reader.pace.heed(_told(20))
    assert clock.reader(file).pace.hold(300.0) == 20.0


def test_who_waits_for_another_hears_what_was_said_meanwhile() -> None:
    clock = Clock()
    reader = clock.reader()
    told: list[Callable[[], None]] = [lambda: reader.pace.heed(_told(30))]

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if told:
            told.pop()()

    reader.sleep = sleep
    reader.pace.heed(_told(10))
    assert reader.pace.hold(300.0) == 40.0


def _told(seconds: int) -> requests.Response:
    answer = requests.Response()
    answer.status_code = 429
    answer.headers["Retry-After"] = str(seconds)
    return answer
