"""Serving a sandbox: one process and one port per platform, with clock, faults and statistics beside its API.

Control API on each port (no authentication, loopback by default):

``GET /sandbox/clock``, ``POST /sandbox/clock {"now": ISO}``
    The sandbox's present; it moves forward only. The answer comes at once; whoever asks next sees all of the new
    present, and waits where it is not shown yet.
``GET|POST|DELETE /sandbox/faults``
    The fault rules in force (:mod:`connectors.sandbox.faults`); POST takes a list and replaces them.
``POST /sandbox/options {"name": value}``
    Options of the platform that may change while serving.
``POST /sandbox/events {"kind": …}``
    Something that administrators and migrations do to many records at once; the answer tells which.
``GET /sandbox/stats``
    Records, requests, seconds to boot, memory.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import pickle
import resource
import time
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from connectors.sandbox.clock import ClockGoesBack, SandboxClock, parse_instant
from connectors.sandbox.faults import Faults, Handler
from connectors.sandbox.launch import Children
from connectors.sandbox.plugin import Flavour, PlatformApp, SandboxConfig, first_clock
from connectors.sandbox.world import World

log = logging.getLogger("connectors.sandbox")
MAX_BODY_BYTES = 64 * 1024 * 1024
_WRONG = (KeyError, OverflowError, RecursionError, TypeError, ValueError)  # what a body of the control API may be


def serve(config: SandboxConfig) -> None:
    """Serve every configured platform until interrupted; prints one line per port when all answer."""
    with Children(config) as children:
        for flavour, url in children.urls.items():
            print(f"{flavour}: {url}", flush=True)
        print("sandbox ready", flush=True)
        children.wait()


def load_world(config: SandboxConfig, flavour: Flavour) -> World:
    """The world this flavour shows: pickled, replayed, generated, or empty in load mode."""
    platform = "servicenow" if flavour == "servicenow" else "jira"
    if config.world_file is not None:
        worlds: dict[str, World] = pickle.loads(config.world_file.read_bytes())  # noqa: S301 - written by our parent
        return worlds[platform]
    if config.replay is not None and platform == "servicenow":
        replayed: World = importlib.import_module("connectors.sandbox.replay").replay(config.replay)
        return replayed
    generated: World = importlib.import_module("connectors.sandbox.generator").generate(
        platform, seed=config.seed, size="small" if config.load_records else config.size
    )
    return generated


def build_platform(config: SandboxConfig, flavour: Flavour, world: World) -> PlatformApp:
    """The platform's application, not yet advanced to any time."""
    package = "servicenow" if flavour == "servicenow" else "jira"
    module = importlib.import_module(f"connectors.sandbox.{package}.app")
    platform: PlatformApp = module.build(world, config, flavour)
    return platform


def application(platform: PlatformApp, clock: SandboxClock, *, boot_s: float = 0.0) -> web.Application:
    """The aiohttp application of one port: the platform's routes below the faults, and the control API."""
    return _Port(platform, clock, boot_s).application()


class _Port:
    def __init__(self, platform: PlatformApp, clock: SandboxClock, boot_s: float) -> None:
        self.platform = platform
        self.clock = clock
        self.boot_s = boot_s
        self.faults = Faults(platform.error, platform.disturb)
        self.requests = 0
        self.advance_s = 0.0
        self._due: datetime | None = None  # where the clock was sent, until it is there
        self._broken: Exception | None = None

    def application(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[self._around])
        app.add_routes(
            [
                web.get("/sandbox/clock", self._read_clock),
                web.post("/sandbox/clock", self._move_clock),
                web.get("/sandbox/faults", self._list_faults),
                web.post("/sandbox/faults", self._replace_faults),
                web.delete("/sandbox/faults", self._clear_faults),
                web.post("/sandbox/options", self._change_options),
                web.post("/sandbox/events", self._happen),
                web.get("/sandbox/stats", self._stats),
            ]
        )
        app.add_routes(self.platform.routes())
        return app

    @web.middleware
    async def _around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        is_control = request.path.startswith("/sandbox/")
        self.requests += not is_control
        try:
            self.catch_up()
            if is_control:
                return await handler(request)
            return await self.faults.around(request, handler)
        except web.HTTPNotFound:
            return self.platform.error(404, "Requested URI does not represent any resource")
        except web.HTTPMethodNotAllowed:
            return self.platform.error(405, "Method not supported")
        except web.HTTPRequestEntityTooLarge:
            return self.platform.error(413, "Request Entity Too Large")
        except web.HTTPBadRequest as error:
            return self.platform.error(400, error.reason)
        except (web.HTTPException, ConnectionResetError):  # a reset: whoever asked is gone
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.path_qs)
            return self.platform.error(500, "Internal Server Error")

    async def _read_clock(self, _request: web.Request) -> web.Response:
        return _told(self.clock.now)

    async def _move_clock(self, request: web.Request) -> web.Response:
        try:
            asked = parse_instant((await _object(request))["now"])
        except _WRONG as error:
            return web.json_response({"error": str(error)}, status=400)
        self.catch_up()  # somebody else may have sent it on while this question was read
        try:
            self._due = self.clock.ahead(asked)
        except (ClockGoesBack, OverflowError) as error:
            return web.json_response({"error": str(error)}, status=400)
        asyncio.get_running_loop().call_soon(self.catch_up)  # after the answer, without waiting for a question
        return _told(self._due)

    def catch_up(self) -> None:
        """Let the clock and what it shows arrive where it was sent. What fails here is told to all who ask after it."""
        if self._broken is not None:
            raise self._broken
        if self._due is None:
            return
        now, self._due = self.clock.move(self._due), None
        started = time.perf_counter()
        try:
            self.platform.advance(now)
        except Exception as error:
            self._broken = error  # half of it is shown: nothing may be shown twice
            raise
        self.advance_s += time.perf_counter() - started

    async def _list_faults(self, _request: web.Request) -> web.Response:
        return web.json_response([msgspec.to_builtins(rule) for rule in self.faults.rules])

    async def _replace_faults(self, request: web.Request) -> web.Response:
        try:
            self.faults.replace(await request.json())
        except _WRONG as error:
            return web.json_response({"error": str(error)}, status=400)
        return await self._list_faults(request)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self.faults.replace([])
        return await self._list_faults(request)

    async def _change_options(self, request: web.Request) -> web.Response:
        try:
            options = await _object(request)
            self.platform.configure(options)
        except _WRONG as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(options)

    async def _happen(self, request: web.Request) -> web.Response:
        try:
            return web.json_response(dict(self.platform.happen(await _object(request))))
        except _WRONG as error:
            return web.json_response({"error": str(error)}, status=400)

    async def _stats(self, _request: web.Request) -> web.Response:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        own = {
            "requests": self.requests,
            "boot_s": round(self.boot_s, 2),
            "advance_s": round(self.advance_s, 3),
            "memory_mb": usage.ru_maxrss // 1024,
            "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        }
        return web.json_response({**own, **self.platform.stats()})


async def _object(request: web.Request) -> dict[str, Any]:
    """The JSON object sent. Raises ValueError for anything else."""
    sent = await request.json()
    if not isinstance(sent, dict):
        raise ValueError("The body has to be a JSON object.")
    return sent


def _told(now: datetime) -> web.Response:
    return web.json_response({"now": now.isoformat().replace("+00:00", "Z")})


class Boot:
    """A port in two steps: what may fail is done at once, showing the world's past can wait until it is reachable.

    Between the two a client's first request waits in the socket's queue, and whoever started the sandbox goes on.
    """

    def __init__(self, config: SandboxConfig, flavour: Flavour) -> None:
        started = time.perf_counter()
        world = load_world(config, flavour)
        platform = build_platform(config, flavour, world)
        self._port = _Port(platform, SandboxClock(first_clock(world, config)), time.perf_counter() - started)
        self.application = self._port.application()

    def catch_up(self) -> None:
        """Show everything until the clock's first instant."""
        started = time.perf_counter()
        self._port.platform.advance(self._port.clock.now)
        self._port.boot_s += time.perf_counter() - started
