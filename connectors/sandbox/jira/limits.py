"""What Jira Cloud counts by itself and refuses: points per hour, writes per issue (option ``hourly_points``,
``limits_issue_writes``; both off unless a test or demo asks).

Thresholds and points: developer.atlassian.com, *Rate limiting*. Lifetimes run in real time: the sandbox's clock jumps
by weeks. The quota begins anew at the top of each UTC hour, and either when its option is set.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

import msgspec

from connectors.sandbox.jira.calls import Answer, ApiError

HOUR_S = 3600
WINDOWS = ((20, 2.0), (100, 30.0))  # writes per issue, seconds
ISSUE = re.compile(r"/rest/api/[^/]+/issue/(?P<issue>[^/]+)")
ACCOUNTS = re.compile(r"/rest/api/[^/]+/(myself|user|users|group|groups|role|mypermissions|permissions)\b")
SEARCH = re.compile(r"/search(/jql|/approximate-count)?$")


class Limits:
    """The points of one tenant in this hour, and when each issue was written."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.refused: dict[str, int] = {}
        self.points = 0
        self._now = now
        self._hour = 0
        self._writes: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=WINDOWS[-1][0]))

    def begin_anew(self) -> None:
        """A new hour, nothing spent."""
        self.points, self.refused = 0, {}

    def forget_writes(self) -> None:
        """No issue was written yet."""
        self._writes.clear()

    def refusal(self, method: str, path: str, *, hourly_points: int, limits_issue_writes: bool) -> Answer | None:
        """The 429 of a request over a limit."""
        now = self._now()
        if self._hour != int(now // HOUR_S):
            self._hour, self.points = int(now // HOUR_S), 0
        if hourly_points and self.points >= hourly_points:
            return self._refused("jira-quota-global-based", HOUR_S - now % HOUR_S, hourly_points)
        match = ISSUE.search(path)
        if limits_issue_writes and match is not None and method != "GET":
            written = self._writes[match["issue"]]
            for most, span_s in WINDOWS:
                if len(written) >= most and written[-most] > now - span_s:
                    return self._refused("jira-per-issue-on-write", written[-most] + span_s - now, most)
            written.append(now)
        return None

    def count(self, method: str, path: str, answer: Answer) -> None:
        """Points of a request that was answered: 1, and for reads 1 for each object, 2 for each account."""
        if method != "GET" and not SEARCH.search(path):
            self.points += 1
            return
        self.points += 1 + _objects(answer) * (2 if ACCOUNTS.search(path) else 1)

    def _refused(self, reason: str, wait_s: float, limit: int) -> Answer:
        self.refused[reason] = self.refused.get(reason, 0) + 1
        answer = ApiError(429, "Rate limit exceeded.").answer()
        answer.headers |= {
            "Retry-After": str(int(wait_s) + 1),
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": "0",
            "RateLimit-Reason": reason,
        }
        return answer


def _objects(answer: Answer) -> int:
    if answer.status >= 300 or not answer.body:
        return 0
    body: Any = msgspec.json.decode(answer.body)
    if isinstance(body, dict):
        body = next((body[name] for name in ("issues", "values") if isinstance(body.get(name), list)), body)
    return len(body) if isinstance(body, list) else 1
