"""The clock answers at once; whoever asks next sees all of the new present, or why it cannot be shown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.server import application

NOW = datetime(2025, 6, 30, 12, tzinfo=UTC)
LATER = (NOW + timedelta(days=7)).isoformat()


class Slow:
    """A platform that shows a number of moves, and takes its time or fails."""

    def __init__(self, order: list[str], *, fails: bool = False) -> None:
        self.order, self.fails, self.moves = order, fails, 0

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        async def show(_request: web.Request) -> web.Response:
            return web.json_response({"moves": self.moves})

        return [web.get("/show", show)]

    def advance(self, now: datetime) -> None:
        self.order.append(f"shown {now:%d.%m.}")
        self.moves += 1
        if self.fails:
            raise RuntimeError("no such world")

    def stats(self) -> Mapping[str, Any]:
        return {}

    def error(self, status: int, message: str) -> web.Response:
        return web.json_response({"error": message}, status=status)

    def disturb(self, table: str, records: int) -> None:
        raise AssertionError("no story asks for this")

    def happen(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        raise AssertionError("no story asks for this")

    def configure(self, options: Mapping[str, Any]) -> None:
        raise AssertionError("no story asks for this")


def asked(platform: Slow, story: Callable[[Any], Awaitable[None]]) -> None:
    async def run() -> None:
        async with TestClient(TestServer(application(platform, SandboxClock(NOW)))) as client:
            await story(client)

    asyncio.run(run())


def test_whoever_asks_next_sees_the_new_present() -> None:
    order: list[str] = []

    async def story(client: Any) -> None:
        answer = await client.post("/sandbox/clock", json={"now": LATER})
        assert (answer.status, await answer.json()) == (200, {"now": "2025-07-07T12:00:00Z"})
        assert await (await client.get("/show")).json() == {"moves": 1}
        assert await (await client.get("/sandbox/clock")).json() == {"now": "2025-07-07T12:00:00Z"}
        back = await client.post("/sandbox/clock", json={"now": NOW.isoformat()})
        assert back.status == 400
        assert (await (await client.get("/sandbox/stats")).json())["requests"] == 1

    asked(Slow(order), story)
    assert order == ["shown 07.07."]


def test_a_present_that_cannot_be_shown_is_told_to_everybody_and_not_tried_twice() -> None:
    order: list[str] = []

    async def story(client: Any) -> None:
        assert (await client.post("/sandbox/clock", json={"now": LATER})).status == 200
        for path in ("/show", "/sandbox/stats", "/show"):
            assert (await client.get(path)).status == 500
        assert (await client.post("/sandbox/clock", json={"now": LATER})).status == 500

    asked(Slow(order, fails=True), story)
    assert order == ["shown 07.07."]
