"""HTTP as every connector uses it: one session, patient reads, single writes, errors a person can act on.

Reads are retried (tenacity) on resets, time-outs, 429 and 5xx, obey ``Retry-After`` in seconds or as an HTTP date,
and stop after :attr:`ConnectionConfig.max_attempts` or :attr:`ConnectionConfig.max_wait_s`. Never more than
:attr:`ConnectionConfig.max_concurrency` run at once. Writes are sent once: the outbox decides about a second attempt.
Both keep the pace that the platform asked of either (:mod:`connectors.pacing`). No secret appears in an error or a log
line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from ssl import SSLCertVerificationError
from threading import BoundedSemaphore, Lock
from typing import Any

import structlog
import tenacity
from requests import PreparedRequest, ReadTimeout, RequestException, Response, Session, TooManyRedirects
from requests.auth import AuthBase, HTTPBasicAuth
from requests.exceptions import ChunkedEncodingError, ConnectTimeout, ProxyError, SSLError
from urllib3.exceptions import NewConnectionError, ReadTimeoutError

from connectors.answers import (
    HELD_STATUS,
    NOT_FOUND,
    TokenUnavailable,
    TooHeavy,
    cause,
    redacted,
    refusal,
    retry_after_s,
)
from connectors.budget import adapter
from connectors.config import ConnectionConfig
from connectors.doubt import leaves_now
from connectors.oauth import OAuthToken
from connectors.pacing import Pace, pace_of
from connectors.stopping import go_on, sleep
from connectors.transport import transport
from improvement.errors import (
    ConnectionFailed,
    CredentialsRefused,
    HeldOff,
    OutcomeUnknown,
    PermissionMissing,
    Place,
    RegelkreisError,
    ShutOut,
    Unreachable,
)

log = structlog.get_logger("connectors.http")
Look = Callable[[Response], None]

CONNECT_TIMEOUT_S = 10.0
RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
GATEWAY_TIMEOUT = 504
TIMEOUT_TEXTS = ("maximum execution time exceeded", "transaction cancelled")
USER_AGENT = "regelkreis/0.1"
NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")  # the escape itself, not one of a backslash before a u0000


class NoCredentials(AuthBase):
    """Sends nothing: raises :class:`CredentialsRefused`, which says what is missing and where it belongs."""

    def __init__(self, config: ConnectionConfig) -> None:
        self._config = config

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        name, missing = self._config.name, self._config.missing_credentials
        secret = next((key for key in missing if key != "user"), "")
        path = f"connections.{name}.{secret}".replace(".", "__")
        where = f"Put it into secrets/{path}, or into REGELKREIS_{path.upper()}." if secret else ""
        verb = "is" if len(missing) == 1 else "are"
        raise CredentialsRefused(
            f"{self._config.url} was not asked: {' and '.join(missing)} {verb} missing.",
            where=Place(connection=name),
            mend=where or f"Write {missing[0]} into [connections.{name}].",
        )


class BearerAuth(AuthBase):
    """A fixed token in the Authorization header (Jira Data Center personal access token, ServiceNow token)."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


def open_session(config: ConnectionConfig) -> Session:
    """A session with the connection's authentication, TLS and proxy, that never retries by itself."""
    return prepare(Session(), config)


def prepare(session: Session, config: ConnectionConfig) -> Session:
    """Give any session (a client library's too) our authentication, TLS, proxy, *no* retries and *no* redirects."""
    transport(session, config)
    session.auth = auth_of(config)
    session.resolve_redirects = partial(_no_redirects, session)  # type: ignore[method-assign]
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter(config, max_retries=0, pool_maxsize=8))
    session.headers["User-Agent"] = USER_AGENT
    return session


def _no_redirects(
    session: Session, response: Response, *_: Any, yield_requests: bool = False, **__: Any
) -> Iterator[Response]:
    """In place of :meth:`requests.Session.resolve_redirects`: what is written goes to nobody whom an answer names.

    Raises :class:`~requests.TooManyRedirects`, unless whoever sent it looks at the answer's status.
    """
    target = session.get_redirect_target(response)
    if target is not None and not yield_requests:
        raise TooManyRedirects(f"A redirect to {target} is not followed.", response=response)
    return iter(())


def auth_of(config: ConnectionConfig) -> AuthBase:
    """The authentication of a connection as requests wants it."""
    if config.missing_credentials:
        return NoCredentials(config)
    kind = config.auth_kind
    if kind == "oauth":
        return OAuthToken(config)
    if kind == "bearer":
        return BearerAuth(config.bearer_token)
    return HTTPBasicAuth((config.user or "").encode(), (config.secret or "").encode())


@dataclass
class Reader:
    """Reads over one session, with bounded patience; counts requests and retries.

    ``sleep`` and ``now`` are parameters so that tests need not wait. ``always`` looks at every 2xx answer, as the
    ``check`` of one read does, and at every 404: that something is not there is an answer, too.
    """

    session: Session
    config: ConnectionConfig
    sleep: Callable[[float], None] = sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    always: Look | None = None
    requests: int = field(default=0, init=False)
    retries: int = field(default=0, init=False)
    is_down: bool = field(default=False, init=False)  # nobody was reached, however often it was tried: once will do
    gate: BoundedSemaphore = field(init=False)
    pace: Pace = field(init=False)
    counting: Lock = field(default_factory=Lock, init=False)  # several threads may read at once

    def __post_init__(self) -> None:
        self.gate = BoundedSemaphore(self.config.max_concurrency)
        self.pace = pace_of(self.session, self.config)
        self.pace.now = lambda: self.now()
        self.pace.sleep = lambda seconds: self.sleep(seconds)

    def read(
        self,
        url: str,
        *,
        what: str,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        method: str = "GET",
        check: Look | None = None,
    ) -> Response:
        """One successful answer (2xx), retrying everything that may pass.

        Parameters
        ----------
        url
            Absolute, or a path below the connection's address.
        what
            What is being read, for errors: ``table incident``.
        json, method
            For searches that a platform takes as POST; never for writes.
        check
            Looks at a 2xx answer and raises :class:`ConnectionFailed` (retried) when its body is no answer.

        Raises
        ------
        CredentialsRefused, PermissionMissing
            At once, on 401 and 403.
        ConnectionFailed
            When patience ended, or at once on another 4xx.
        """
        call = _Call(self, method, self.config.url + url if url.startswith("/") else url, what, params, headers, json)
        return call.patiently(check, retry_heavy=True)

    def read_page(
        self,
        url: str,
        *,
        what: str,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        check: Look | None = None,
    ) -> Response:
        """Like :meth:`read`, but raises :class:`TooHeavy` at once so that the caller can ask for a smaller page.

        ``json`` makes it a POST: a search, never a write.
        """
        address = self.config.url + url if url.startswith("/") else url
        call = _Call(self, "GET" if json is None else "POST", address, what, params, None, json)
        return call.patiently(check, retry_heavy=False)


def send(
    session: Session,
    config: ConnectionConfig,
    method: str,
    url: str,
    *,
    what: str,
    json: Any = None,
    data: bytes | None = None,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    files: Any = None,
) -> Response:
    """Send one writing request once and return whatever the platform answered (any status).

    Raises :class:`OutcomeUnknown` where no answer came: the write may or may not have taken effect, so the caller
    must search for its trace before a second attempt.
    """
    address = config.url + url if url.startswith("/") else url
    options: dict[str, Any] = {"params": params, "headers": headers}
    options |= {"json": json} if json is not None else {}
    options |= {"data": data} if data is not None else {}
    options |= {"files": files} if files is not None else {}
    with writing(config, what):
        return session.request(
            method, address, timeout=(CONNECT_TIMEOUT_S, config.timeout_s), allow_redirects=False, **options
        )


@contextmanager
def writing(config: ConnectionConfig, what: str) -> Iterator[None]:
    """Around one writing request, also one of a client library: a missing answer becomes :class:`OutcomeUnknown`.

    :class:`Unreachable` where no connection came about: then nothing was sent.
    """
    leaves_now()
    try:
        yield
    except RequestException as error:
        raise unanswered(error, config, what) from None


def unanswered(error: object, config: ConnectionConfig, what: str) -> ConnectionFailed:
    """The error of a write that got no answer, or one that does not say whether it took effect."""
    if isinstance(error, RequestException) and is_unsent(error):
        return Unreachable(
            f"{config.url} could not be reached: {cause(error, config)}.",
            where=Place(connection=config.name),
            mend="Check the address, the network and the proxy.",
        )
    return OutcomeUnknown(
        f"No answer to a write ({what}): {redacted(error, config)}. Whether it took effect is unknown.",
        where=Place(connection=config.name),
        mend="It is looked for on the platform before anything is sent again.",
    )


def is_unsent(error: RequestException) -> bool:
    """Whether a request failed before any connection was made, so that nothing of it can have arrived."""
    if isinstance(error, ConnectTimeout | ProxyError):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, SSLError):  # also raised when an answer breaks off: only a refused certificate comes before
        return bool(reason is not None and reason.args and isinstance(reason.args[0], SSLCertVerificationError))
    return isinstance(reason, NewConnectionError)


def _drop_nul(response: Response) -> None:
    """Take U+0000 out of JSON texts: nobody sees it, and a state in PostgreSQL refuses it, wherever it would stand."""
    content = response.content
    first = content.find(b"\\")  # most pages have none: one byte is found ten times as fast as six
    if first < 0 or content.find(rb"\u0000", first) < 0:
        return
    if "json" in response.headers.get("Content-Type", "json"):
        response._content = NUL.sub(rb"\1", response.content)


class _Again(Exception):
    def __init__(self, error: ConnectionFailed, wait_s: float | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait_s = wait_s


@dataclass
class _Call:
    reader: Reader
    method: str
    url: str
    what: str
    params: Mapping[str, Any] | None
    headers: Mapping[str, str] | None
    json: Any
    waited_s: float = 0.0

    def patiently(self, check: Look | None, *, retry_heavy: bool) -> Response:
        config = self.reader.config
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Again),
            stop=tenacity.stop_after_attempt(1 if self.reader.is_down else config.max_attempts),
            wait=self._wait,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._once, check, retry_heavy)
        except _Again as last:
            self.reader.is_down = isinstance(last.error, Unreachable)
            if isinstance(last.error, TokenUnavailable):  # whatever is asked next needs one, too
                raise ShutOut(last.error.what, where=last.error.where, mend=last.error.mend) from None
            raise last.error from None

    def _once(self, check: Look | None, retry_heavy: bool) -> Response:
        reader, config = self.reader, self.reader.config
        go_on()
        self.waited_s += reader.pace.hold(config.max_wait_s - self.waited_s)
        with reader.counting:
            reader.requests += 1
        try:
            with reader.gate:
                response = reader.session.request(
                    self.method,
                    self.url,
                    params=self.params,
                    headers=self.headers,
                    json=self.json,
                    timeout=(CONNECT_TIMEOUT_S, config.timeout_s),
                    allow_redirects=False,
                )
        except TokenUnavailable as error:
            if error.wait_s is not None and self.waited_s + error.wait_s > config.max_wait_s:
                raise HeldOff(error.what, where=error.where, mend=error.mend) from None
            raise _Again(error, error.wait_s) from None
        except RegelkreisError:
            raise
        except SSLError as error:
            told = f"TLS failed: {redacted(error, config)}"
            raise self._failed(told, mend="Set verify to your CA file.", kind=_kind_of(error)) from None
        except RequestException as error:
            if not _is_unfinished(error):
                failed = self._failed(
                    f"{config.url} could not be reached: {cause(error, config)}.",
                    mend="Check the address, the network and the proxy.",
                    kind=_kind_of(error),
                )
                raise _Again(failed, None) from None
            unfinished = TooHeavy(
                f"{config.url} did not finish its answer ({self.what}): {redacted(error, config)}",
                where=Place(connection=config.name),
                mend="Try again, or raise timeout_s." if retry_heavy else "Lower page_size or raise timeout_s.",
            )
            if not retry_heavy:
                raise unfinished from None
            raise _Again(unfinished, None) from None
        _drop_nul(response)
        reader.is_down = False
        return self._judged(response, check, retry_heavy)

    def _judged(self, response: Response, check: Look | None, retry_heavy: bool) -> Response:
        config = self.reader.config
        if response.ok and response.status_code < 300:
            self._look(response, (check, self.reader.always), retry_heavy)
            return response
        if response.status_code == NOT_FOUND:
            self._look(response, (self.reader.always,), retry_heavy)
        if response.status_code not in RETRIED_STATUS:
            raise refusal(response, config, self.what)
        is_cancelled = response.status_code == 500 and any(text in response.text.lower() for text in TIMEOUT_TEXTS)
        if is_cancelled or response.status_code == GATEWAY_TIMEOUT:
            cancelled = TooHeavy(
                f"{config.url} cancelled the request for taking too long ({self.what}).",
                where=Place(connection=config.name),
                mend="Try again when it is less busy." if retry_heavy else "Lower page_size.",
            )
            if not retry_heavy:
                raise cancelled
            raise _Again(cancelled, None)
        wait_s = retry_after_s(response, self.reader.now())
        if wait_s is not None and self.waited_s + wait_s > config.max_wait_s:
            raise self._failed(
                f"{config.url} asks to wait {wait_s:.0f} s ({self.what}, status {response.status_code}).",
                mend=f"Longer than max_wait_s = {config.max_wait_s:.0f}: run again later; the pull goes on from here.",
                kind=HeldOff if response.status_code in HELD_STATUS else ConnectionFailed,
            )
        raise _Again(refusal(response, config, self.what), wait_s)

    def _look(self, response: Response, looks: Iterable[Look | None], retry_heavy: bool) -> None:
        for look in filter(None, looks):
            try:
                look(response)
            except TooHeavy as heavy:
                if not retry_heavy:
                    raise
                raise _Again(heavy, None) from None
            except (CredentialsRefused, PermissionMissing):
                raise
            except ConnectionFailed as error:
                raise _Again(error, None) from None

    def _wait(self, state: tenacity.RetryCallState) -> float:
        asked = state.outcome.exception() if state.outcome is not None else None
        if isinstance(asked, _Again) and asked.wait_s is not None:
            return asked.wait_s
        spread = float(tenacity.wait_random_exponential(multiplier=0.5, max=30)(state))
        return min(spread, max(0.0, self.reader.config.max_wait_s - self.waited_s))

    def _sleep(self, seconds: float) -> None:
        with self.reader.counting:
            self.reader.retries += 1
        self.waited_s += seconds
        log.info("retry", connection=self.reader.config.name, what=self.what, wait_s=round(seconds, 2))
        self.reader.sleep(seconds)

    def _failed(self, what: str, *, mend: str, kind: type[ConnectionFailed] = ConnectionFailed) -> ConnectionFailed:
        return kind(what, where=Place(connection=self.reader.config.name), mend=mend)


def _is_unfinished(error: RequestException) -> bool:
    """Whether an answer did not come to its end; requests tells a time-out within the body as a lost connection."""
    is_late = bool(error.args) and isinstance(error.args[0], ReadTimeoutError)
    return is_late or isinstance(error, ReadTimeout | ChunkedEncodingError)


def _kind_of(error: RequestException) -> type[ConnectionFailed]:
    return Unreachable if is_unsent(error) else ConnectionFailed
