"""A budget of our own: so many points an hour, counted before each request, so that no platform has to refuse us.

Atlassian's points (developer.atlassian.com, *Rate limiting*): 1 for a request and 1 for each object it reads, 2 for
each account; 1 for a write, whatever it writes. All quotas begin anew at the top of each UTC hour. A search is counted
as full pages, another list that tells no size as a hundred. On other platforms a request is a point.

The count is kept in a file that all sessions and processes of a connection share under a lock; the settings give each
connection one (:meth:`~connectors.config.ConnectionConfig.keeping_tokens`), and without one there is no budget to keep:
each session would spend the whole of it. Where the budget is spent, a request waits until the hour ends, or, where that
is longer than ``max_wait_s``, is not sent: :class:`BudgetSpent`.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import structlog
from requests import PreparedRequest, Response

from connectors.config import ConnectionConfig
from connectors.pacing import Pace, Paced
from connectors.stopping import sleep
from improvement.errors import ConnectionFailed, Place, SettingsError

log = structlog.get_logger("connectors.budget")
_SEARCHES = re.compile(r"/(search(/jql)?|changelog/bulkfetch)$")
_ACCOUNT = re.compile(r"/myself$")
_ONE = re.compile(r"/(serverInfo|editmeta|approximate-count|info|(issue|project|properties|request)/[^/]+)$")
USUAL_LIST = 100  # of lists that do not say how long they are


class BudgetSpent(ConnectionFailed):
    """The points of this hour are spent: whoever asks goes on in the next one."""


class Spent(msgspec.Struct):
    """What was spent in one hour (its beginning as Unix time)."""

    hour: int = 0
    points: int = 0


class Budget:
    """Points of one connection, hour by hour, counted in ``file``."""

    def __init__(
        self,
        config: ConnectionConfig,
        file: Path,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = sleep,
    ) -> None:
        self._config = config
        self._file = file
        self._limit = config.points_per_hour
        self._now = now
        self._sleep = sleep
        self._lock = Lock()

    def take(self, points: int) -> None:
        """Count these points; wait for the next hour where they are no longer there. Raises :class:`BudgetSpent`."""
        while (wait_s := self._taken(points)) > 0:
            ends = self._now() + timedelta(seconds=wait_s)
            if wait_s > self._config.max_wait_s:
                told = f"The budget of {self._limit:,} points for this hour is spent"
                raise BudgetSpent(
                    f"{told}; the next begins at {ends:%H:%M} UTC.",
                    where=Place(connection=self._config.name),
                    mend="Run again then: what was read is kept, and it goes on from there. Where the platform grants "
                    "more, set hourly_points higher: that counts at once (0: no budget).",
                )
            log.info("budget", connection=self._config.name, wait_s=round(wait_s, 1))
            self._sleep(wait_s)

    def _taken(self, points: int) -> float:
        """0 where they are counted, else the seconds until the next hour."""
        with self._lock:
            return self._count_in(self._file, points)

    def _count_in(self, file: Path, points: int) -> float:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as kept:
            fcntl.flock(kept, fcntl.LOCK_EX)
            try:
                spent = msgspec.json.decode(kept.read(), type=Spent)
            except msgspec.DecodeError:
                spent = Spent()  # new, or not written to its end: the platform's own count is the last word
            wait_s = self._count(spent, points)
            if not wait_s:
                kept.seek(0)
                kept.truncate()
                kept.write(msgspec.json.encode(spent))
        return wait_s

    def _count(self, spent: Spent, points: int) -> float:
        now = self._now().timestamp()
        hour = int(now // 3600) * 3600
        if spent.hour != hour:
            spent.hour, spent.points = hour, 0
        if spent.points and spent.points + points > self._limit:  # one request may always be made
            return hour + 3600 - now
        spent.points += points
        return 0.0


class Metered(Paced):
    """Sends, as far as the budget goes; reads, writes and whatever a client library asks by itself."""

    def __init__(self, budget: Budget, price: Callable[[PreparedRequest], int], **options: Any) -> None:
        super().__init__(**options)
        self._budget = budget
        self._price = price

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        """One request, counted before it is sent; what may not be sent yet costs nothing."""
        self.hold()
        self._budget.take(self._price(request))
        return super().send(request, *args, **options)


def adapter(config: ConnectionConfig, **options: Any) -> Paced:
    """What a session of this connection sends with; :class:`SettingsError` for a budget that is counted nowhere."""
    options |= {"pace": Pace(config), "longest_s": config.max_wait_s}
    if not config.points_per_hour:
        return Paced(**options)
    if config.points_file is None:
        raise SettingsError(
            f"The connection may spend {config.points_per_hour:,} points an hour, but names no file to count them in.",
            where=Place(connection=config.name),
            mend="Give it a points_file that all its processes share, or set hourly_points to 0 for no budget.",
        )
    price = atlassian_points if config.platform == "jira" else _one
    return Metered(Budget(config, config.points_file), price, **options)


def atlassian_points(request: PreparedRequest) -> int:
    """At most what Atlassian counts for a request, as far as it can be told before."""
    parts = urlsplit(request.url or "")
    is_one = _ONE.search(parts.path) is not None
    if request.method != "GET" and not _SEARCHES.search(parts.path):
        return 2 if parts.path.endswith("/approximate-count") else 1
    if is_one:
        return 2
    return 3 if _ACCOUNT.search(parts.path) else 1 + _asked_for(request, parts.query)


def _asked_for(request: PreparedRequest, query: str) -> int:
    asked: Any = None
    if request.method == "POST" and request.body:
        with suppress(ValueError):
            body = json.loads(request.body)
            asked = _most_objects(body) if isinstance(body, dict) else None
    else:
        asked = parse_qs(query).get("maxResults", [None])[0]
    return int(asked) if str(asked).isdigit() else USUAL_LIST


def _most_objects(body: dict[str, Any]) -> Any:
    """The issues that a search may show, or whose histories are asked for."""
    named = body.get("issueIdsOrKeys")
    return len(named) if isinstance(named, list) else body.get("maxResults")


def _one(request: PreparedRequest) -> int:
    return 1
