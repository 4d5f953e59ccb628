"""Faults by rule: what networks and platforms do on a bad day, on demand.

``POST /sandbox/faults`` takes a list of rules and replaces the former ones. A rule is matched against requests in
order; the first that fits acts. The faults of :data:`PASSING` leave the answer to the rules after them, so they happen
together with one (slow and cut). Rules act on the raw transport where the fault is one of the transport: a reset is a
TCP reset, a cut body is a connection that ends in the middle of the announced length.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec
from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Refusal = Callable[[int, str], web.Response]
Disturb = Callable[[str, int], None]

HTML_PAGE = (
    "<!DOCTYPE html><html><head><title>Instance Hibernating page</title></head><body><h1>Your instance is "
    "hibernating</h1><p>Sign in to the Developer Site to wake it up.</p></body></html>"
)
CANCELLED = "Transaction cancelled: maximum execution time exceeded"
OF_THE_BODY = frozenset({"content-type", "content-length", "content-encoding", "transfer-encoding"})
RESULTS = ("result", "issues")
SIZES_IN_BODIES = {"/search/jql": 50, "/changelog/bulkfetch": 1_000}  # of POSTs that read, with the usual size
SERVED_OF_BATCH = "served_of_batch"  # in the request: so many items of a batch are served before its time is over


class FaultRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """When a fault happens and which.

    Parameters
    ----------
    kind
        One of :data:`KINDS`.
    method, path, query
        Which requests: the HTTP method, a regular expression searched in the path, one searched in the query string
        (URL-decoded). None fits all.
    min_limit
        Only requests that ask for at least so many records (``sysparm_limit``, ``maxResults``): a time-out that
        depends on the size of the page.
    after, times
        Let so many fitting requests pass first, then act so often (None: always).
    seconds
        Retry-After of ``rate_limit`` and ``unavailable``; how long ``slow`` and ``stall`` last.
    as_date
        Retry-After as an HTTP date instead of seconds.
    status, message
        What ``refuse`` answers.
    records, table
        How many records ``changing`` touches, and of which table (Jira: of all issues). ``unserviced``: how many items
        of a batch are served.
    """

    kind: str
    method: str | None = None
    path: str | None = None
    query: str | None = None
    min_limit: int = 0
    after: int = 0
    times: int | None = 1
    seconds: float = 1.0
    as_date: bool = False
    status: int = 409
    message: str = "The record was changed by somebody else."
    records: int = 10
    table: str = "incident"
    hits: int = 0
    fits: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"There is no fault “{self.kind}”; there are {', '.join(sorted(KINDS))}.")
        for pattern in (self.path, self.query):
            if pattern is not None:
                re.compile(pattern)

    def acts_on(self, request: web.Request, asked_for: int) -> bool:
        """Whether the fault happens to this request, which asks for so many records; counts it."""
        if self.method is not None and request.method != self.method.upper():
            return False
        if self.path is not None and not re.search(self.path, request.path):
            return False
        if self.query is not None and not re.search(self.query, request.rel_url.query_string):
            return False
        if self.min_limit and asked_for < self.min_limit:
            return False
        self.fits += 1
        if self.fits <= self.after or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True

    def headers(self) -> dict[str, str]:
        """The headers of a refusal that asks the client to wait."""
        if self.as_date:
            until = datetime.now(UTC) + timedelta(seconds=self.seconds)
            return {"Retry-After": format_datetime(until, usegmt=True)}
        return {"Retry-After": str(int(self.seconds))}


class Faults:
    """The rules in force and the pages remembered for ``duplicate_page``."""

    def __init__(self, refusal: Refusal, disturb: Disturb) -> None:
        self.rules: list[FaultRule] = []
        self.refusal = refusal
        self.disturb = disturb
        self.last_pages: dict[str, bytes] = {}

    def replace(self, raw: Any) -> list[FaultRule]:
        """Take these rules instead of the former ones. Raises ValueError naming what is wrong."""
        try:
            rules = msgspec.convert(raw, list[FaultRule])
        except (msgspec.ValidationError, re.error) as error:
            raise ValueError(str(error)) from error
        self.rules = rules
        self.last_pages.clear()
        return rules

    async def around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request, with the first fault that fits."""
        if not self.rules:
            return await handler(request)
        if any(rule.kind == "slow" for rule in self.rules):
            await request.read()  # it meets what arrived whole: of the rest nothing takes effect later
        asked_for = await _asked_for(request) if any(rule.min_limit for rule in self.rules) else 0
        for rule in self.rules:
            if not rule.acts_on(request, asked_for):
                continue
            if rule.kind not in PASSING:
                return await KINDS[rule.kind](self, rule, request, handler)
            handler = self._before(rule, handler)
        response = await handler(request)
        if request.method == "GET" and any(rule.kind == "duplicate_page" for rule in self.rules):
            self.last_pages[request.path] = _body(response)
        return response

    def _before(self, rule: FaultRule, handler: Handler) -> Handler:
        async def both(request: web.Request) -> web.StreamResponse:
            return await KINDS[rule.kind](self, rule, request, handler)

        return both


async def _rate_limit(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    response = faults.refusal(429, "Rate limit exceeded")
    reset = int((datetime.now(UTC) + timedelta(seconds=rule.seconds)).timestamp())
    response.headers.update(rule.headers())
    response.headers.update(
        {
            "X-RateLimit-Limit": "100",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(reset),
            "X-RateLimit-Rule": "sandbox",
            "RateLimit-Reason": "sandbox-burst",
        }
    )
    return response


async def _near_limit(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    """The answer, and the warning that few requests are left."""
    response = await handler(request)
    response.headers.update({"X-RateLimit-NearLimit": "true", "X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "5"})
    return response


async def _refuse(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Any other refusal: 409 of a concurrent change, 413, 403 with a rule's text."""
    return faults.refusal(rule.status, rule.message)


async def _captcha(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    """What Jira Data Center answers after failed logins, also to the right password."""
    response = faults.refusal(403, "Basic Authentication Failure - Reason : AUTHENTICATION_DENIED")
    login = f"{request.scheme}://{request.host}/login.jsp"
    response.headers["X-Authentication-Denied-Reason"] = f"CAPTCHA_CHALLENGE; login-url={login}"
    response.headers["X-Seraph-LoginReason"] = "AUTHENTICATION_DENIED"
    return response


async def _anonymous(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    """The request is answered as if nobody had signed in: on Jira a search shows fewer issues, and 200."""
    return await handler(request.clone(headers=[h for h in request.headers.items() if h[0].lower() != "authorization"]))


async def _expired_token(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    """A ``nextPageToken`` that is too old; a request without one passes."""
    if await _token_sent(request) is None:
        rule.hits -= 1
        return await handler(request)
    return faults.refusal(400, "The provided next page token is invalid or expired.")


async def _changing(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    """The answer, and right after it the first records of the order change: whoever counts offsets skips some."""
    response = await handler(request)
    faults.disturb(rule.table, rule.records)
    return response


async def _unserviced(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    """A batch whose time ends early: ``records`` items take effect, the others come back unserviced."""
    request[SERVED_OF_BATCH] = rule.records
    return await handler(request)


async def _unavailable(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    response = faults.refusal(503, "Service Unavailable")
    response.headers.update(rule.headers())
    return response


async def _server_error(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    return faults.refusal(500, CANCELLED)


async def _unauthorised(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    return faults.refusal(401, "User Not Authenticated")


async def _slow(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    """The request has arrived whole, so it takes effect in the end also where its sender is gone by then."""
    await asyncio.sleep(rule.seconds)
    return await handler(request)


async def _stall(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Half the body, then silence, then a reset; of an answer without a body not even its beginning."""
    return await _partly(request, _body(await handler(request)), pause_s=rule.seconds)


async def _cut_body(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    """200 and a body that ends in the middle, its length correctly announced: only parsing finds out."""
    answer = await handler(request)
    body = _body(answer)
    return _instead(answer, body[: len(body) // 2])


async def _cut_connection(
    faults: Faults, rule: FaultRule, request: web.Request, handler: Handler
) -> web.StreamResponse:
    """200 and half of the announced length, then a reset."""
    return await _partly(request, _body(await handler(request)), pause_s=0.0)


async def _error_in_200(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Part of the result and an error beside it, as a transaction over its quota answers; without any result the error
    alone.
    """
    given = await handler(request)
    body = _body(given)
    found = msgspec.json.decode(body) if body else None
    answer = found if isinstance(found, dict) and not found.keys().isdisjoint(RESULTS) else {}
    for name in RESULTS:
        if isinstance(answer.get(name), list):
            answer[name] = answer[name][: len(answer[name]) // 2]
        elif isinstance(answer.get(name), dict) and "stats" in answer[name]:
            stats = answer[name]["stats"]
            stats["count"] = str(int(stats.get("count", 0)) // 2)
    error = {"error": {"message": CANCELLED, "detail": "Transaction cancelled"}, "status": "failure"}
    return _instead(given, msgspec.json.encode({**answer, **error}))


async def _html_page(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    return web.Response(text=HTML_PAGE, content_type="text/html")


async def _duplicate_page(
    faults: Faults, rule: FaultRule, request: web.Request, handler: Handler
) -> web.StreamResponse:
    """The former page of this path once more, whatever was asked for."""
    response = await handler(request)
    body = faults.last_pages.get(request.path)
    if body is None:
        rule.hits -= 1
        faults.last_pages[request.path] = _body(response)
        return response
    return _instead(response, body)


async def _repeat_token(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    """A page whose ``nextPageToken`` is the one that was sent."""
    given = await handler(request)
    answer = msgspec.json.decode(_body(given))
    sent = await _token_sent(request)
    if not isinstance(answer, dict) or sent is None:
        rule.hits -= 1
    else:
        answer |= {"nextPageToken": sent, "isLast": False}
    return _instead(given, msgspec.json.encode(answer))


def _instead(answer: web.StreamResponse, body: bytes) -> web.Response:
    """An answer with another body; what else it says of itself stays."""
    kept = {name: value for name, value in answer.headers.items() if name.lower() not in OF_THE_BODY}
    return web.Response(body=body, headers=kept, content_type="application/json")


async def _reset_before(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    """The connection is reset before the request had any effect."""
    return _reset(request)


async def _reset_after(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    """The request took effect, then the connection is reset."""
    await handler(request)
    return _reset(request)


async def _error_after(faults: Faults, rule: FaultRule, request: web.Request, handler: Handler) -> web.StreamResponse:
    """The request took effect, then something between says that it failed."""
    await handler(request)
    return faults.refusal(502, "Bad Gateway")


KINDS: dict[str, Callable[[Faults, FaultRule, web.Request, Handler], Awaitable[web.StreamResponse]]] = {
    "rate_limit": _rate_limit,
    "near_limit": _near_limit,
    "refuse": _refuse,
    "captcha": _captcha,
    "anonymous": _anonymous,
    "expired_token": _expired_token,
    "changing": _changing,
    "unserviced": _unserviced,
    "unavailable": _unavailable,
    "server_error": _server_error,
    "unauthorised": _unauthorised,
    "slow": _slow,
    "stall": _stall,
    "cut_body": _cut_body,
    "cut_connection": _cut_connection,
    "error_in_200": _error_in_200,
    "html_page": _html_page,
    "duplicate_page": _duplicate_page,
    "repeat_token": _repeat_token,
    "reset_before": _reset_before,
    "reset_after": _reset_after,
    "error_after": _error_after,
}


PASSING = frozenset({"slow", "near_limit", "anonymous", "changing", "unserviced"})


async def _token_sent(request: web.Request) -> str | None:
    sent = request.query.get("nextPageToken")
    if sent is None and request.method == "POST":
        sent = (await request.json()).get("nextPageToken")
    return sent


async def _asked_for(request: web.Request) -> int:
    raw = request.query.get("sysparm_limit") or request.query.get("maxResults")
    if raw is None and request.method == "POST":
        usual = next((size for path, size in SIZES_IN_BODIES.items() if request.path.endswith(path)), None)
        if usual is not None:
            raw = str((await request.json()).get("maxResults", usual))
    return 10_000 if raw is None else int(raw) if raw.isdigit() else 0


def _body(response: web.StreamResponse) -> bytes:
    return bytes(response.body) if isinstance(response, web.Response) and isinstance(response.body, bytes) else b""


async def _partly(request: web.Request, body: bytes, *, pause_s: float) -> web.StreamResponse:
    if not body:
        await asyncio.sleep(pause_s)
        return _reset(request)
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    await asyncio.sleep(pause_s)
    _reset(request)
    return response


def _reset(request: web.Request) -> web.Response:
    transport = request.transport
    if transport is not None:
        raw = transport.get_extra_info("socket")
        if raw is not None:  # linger 0 makes closing send RST instead of FIN
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)
