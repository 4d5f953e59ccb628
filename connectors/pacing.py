"""When the next request may go to a platform: not before the moment it named, and slower where a limit is near.

A ``Retry-After`` with 429 or 503 holds whatever goes to that address: reads side by side, writes, and what a client
library asks by itself. A short hold is waited for. One that is longer than :attr:`ConnectionConfig.max_wait_s` is not:
:class:`~improvement.errors.HeldOff`, and nothing is sent. It is kept in a file that all sessions and processes of this
address share, beside the points of :mod:`connectors.budget`; without one each session knows only its own.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock
from typing import Any

import structlog
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter

from connectors.answers import HELD_STATUS, breather_s, retry_after_s
from connectors.config import ConnectionConfig
from connectors.stopping import sleep
from improvement.errors import HeldOff, Place

log = structlog.get_logger("connectors.pacing")
LONGEST_BREATHER_S = 60.0
LONGEST_HOLD_S = 86_400.0  # whatever a platform says, it is asked again after a day; a later moment is none


class Pace:
    """What a platform said about when to come again. ``now`` and ``sleep`` may be replaced, so tests need not wait."""

    def __init__(self, config: ConnectionConfig) -> None:
        self._config = config
        self._lock = Lock()
        self._not_before = 0.0  # Unix time
        self._pause_s = 0.0
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.sleep: Callable[[float], None] = sleep

    def hold(self, longest_s: float) -> float:
        """Wait until a request may be sent; answers the seconds waited.

        Raises :class:`HeldOff` where that would be longer than ``longest_s``.
        """
        waited_s, waited_for = 0.0, 0.0
        while (until := self._until()) > waited_for and (wait_s := until - self.now().timestamp()) > 0:
            if waited_s + wait_s > longest_s:
                raise self._held_off(until)
            log.info("held", connection=self._config.name, wait_s=round(wait_s, 2))
            self.sleep(wait_s)
            waited_s, waited_for = waited_s + wait_s, until  # meanwhile another thread may have been told to wait
        return waited_s

    def breathe(self) -> None:
        """Pause before a request, where the last answer said that a limit is near."""
        if pause_s := self._pause_s:
            log.info("breather", connection=self._config.name, wait_s=round(pause_s, 2))
            self.sleep(pause_s)

    def heed(self, response: Response) -> None:
        """Remember what an answer says about the next request."""
        now = self.now()
        longest_s = min(LONGEST_BREATHER_S, self._config.max_wait_s)
        self._pause_s = breather_s(response, now, longest_s=longest_s) if response.ok else 0.0
        wait_s = retry_after_s(response, now) if response.status_code in HELD_STATUS else None
        if wait_s:
            self._keep(now.timestamp() + min(wait_s, LONGEST_HOLD_S))

    def _until(self) -> float:
        """Until when nothing is sent, as Unix time; 0 where nothing holds."""
        file = self._config.hold_file
        kept = 0.0
        if file is not None:
            with suppress(FileNotFoundError):
                kept = _moment(file.read_bytes())
        return max(self._believed(self._not_before), self._believed(kept))

    def _believed(self, until: float) -> float:
        """A moment that was kept; 0 for one that only a clock gone wrong can have given."""
        return until if until <= self.now().timestamp() + LONGEST_HOLD_S else 0.0

    def _keep(self, until: float) -> None:
        with self._lock:
            self._not_before = max(self._believed(self._not_before), until)
            file = self._config.hold_file
            if file is None:
                return
            file.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0) as kept:
                fcntl.flock(kept, fcntl.LOCK_EX)
                if self._believed(_moment(kept.read())) < until:
                    kept.seek(0)
                    kept.write(b"%17.3f\n" % until)  # always as long: a reader finds the old moment or the new one
                    kept.truncate()

    def _held_off(self, until: float) -> HeldOff:
        return HeldOff(
            f"{self._config.url} asked not to be asked before {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC.",
            where=Place(connection=self._config.name),
            mend="Nothing is sent until then; run again later, and it goes on from here.",
        )


class Paced(HTTPAdapter):
    """Sends when the platform may be asked; reads, writes and whatever a client library asks by itself."""

    def __init__(self, pace: Pace, longest_s: float, **options: Any) -> None:
        super().__init__(**options)
        self.pace = pace
        self._longest_s = longest_s

    def hold(self) -> None:
        """Wait until a request may be sent. Raises :class:`HeldOff`."""
        self.pace.hold(self._longest_s)

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        """One request, held back as long as the platform asked for. Raises :class:`HeldOff`."""
        self.hold()
        self.pace.breathe()
        response = super().send(request, *args, **options)
        self.pace.heed(response)
        return response


def pace_of(session: Session, config: ConnectionConfig) -> Pace:
    """The pace that a session of ours keeps."""
    mounted = session.get_adapter(config.url)
    return mounted.pace if isinstance(mounted, Paced) else Pace(config)


def _moment(kept: bytes) -> float:
    try:
        return float(kept)
    except ValueError:
        return 0.0  # new, or not written to its end: the platform says it again
