"""What an HTTP answer means: the error of a refusal, the platform's own words, the wait it asks for; never a secret."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from requests import Response

from connectors.config import ConnectionConfig
from connectors.tokens import SEEN
from improvement.errors import ConnectionFailed, CredentialsRefused, HeldOff, PermissionMissing, Place

MAX_SAID = 400
_SECONDS = re.compile(r"\d+(\.\d+)?")
NOT_FOUND = 404
HELD_STATUS = frozenset({429, 503})  # whose Retry-After is about every request, not about this one
SHORTEST_SECRET = 4  # a shorter one would blacken half of every message


class Declined(ConnectionFailed):
    """The platform answered, but not with success; ``status`` is the HTTP status."""

    def __init__(self, what: str, *, status: int, where: Place | None = None, mend: str = "") -> None:
        super().__init__(what, where=where, mend=mend)
        self.status = status


class TooHeavy(ConnectionFailed):
    """The platform could not finish this answer in time (time-out, cancelled transaction, body cut): ask for less."""


class TokenUnavailable(ConnectionFailed):
    """Whoever gives out tokens did not answer as it should: asked again after ``wait_s`` seconds, it may."""

    def __init__(self, what: str, *, wait_s: float | None = None, where: Place | None = None, mend: str = "") -> None:
        super().__init__(what, where=where, mend=mend)
        self.wait_s = wait_s


def refusal(response: Response, config: ConnectionConfig, what: str) -> ConnectionFailed:
    """The error of an answer that is not 2xx, with the platform's own words and how to mend it."""
    place = Place(connection=config.name)
    status = response.status_code
    said = platform_message(response, config)
    wait_s = retry_after_s(response, datetime.now(UTC)) if status in HELD_STATUS else None
    if wait_s is not None and wait_s > config.max_wait_s:
        return HeldOff(
            f"{config.url} asks to wait {wait_s:.0f} s ({what}, status {status}). {said}".strip(),
            where=place,
            mend=f"Longer than max_wait_s = {config.max_wait_s:.0f}: nothing is sent until then; it goes on from here.",
        )
    if status == 401:
        return CredentialsRefused(
            f"{config.url} refused the credentials of {config.user or 'the token'} ({what}). {said}",
            where=place,
            mend="Check user and password or token; users with single sign-on or a second factor cannot use Basic.",
        )
    if status == 403 and response.headers.get("X-Authentication-Denied-Reason"):
        return CredentialsRefused(
            f"{config.url} demands a CAPTCHA after failed logins ({what}).",
            where=place,
            mend="Log in once in the browser as this user, then use a personal access token.",
        )
    if status == 403:
        return forbidden(response, config, what)
    if 300 <= status < 400:
        return Declined(
            f"{config.url} redirects to {redacted(response.headers.get('Location', '?'), config)} ({what}).",
            status=status,
            where=place,
            mend="Use the platform's final address; a redirect to a login page means the credentials do not work here.",
        )
    absent = f"Is platform = “{config.platform}” right for this address? If the rest is answered, this is not there."
    return Declined(
        f"{config.url} answered {status} ({what}). {said}",
        status=status,
        where=place,
        mend=absent if status == NOT_FOUND else "Try again; see the platform's log.",
    )


def forbidden(response: Response, config: ConnectionConfig, what: str) -> PermissionMissing:
    """The error of an answer that says that we may not do this, with the platform's own words."""
    said = platform_message(response, config)
    return PermissionMissing(
        f"{config.user or 'This token'} may not do this: {what}. {said}",
        where=Place(connection=config.name),
        mend="Give the integration user this right; `regelkreis doctor --permissions` lists them with least roles.",
    )


def is_web_page(response: Response) -> bool:
    """Whether the body is a page for people: of a sleeping instance, a login, a proxy, a firewall."""
    return response.content[:200].lstrip()[:1] == b"<"


def is_absent(error: ConnectionFailed) -> bool:
    """Whether an error says that something does not exist, or is hidden from us."""
    return isinstance(error, Declined) and error.status == NOT_FOUND


def platform_message(response: Response, config: ConnectionConfig) -> str:
    """What the platform said as a sentence, at most 400 characters, without secrets."""
    text = ""
    if "json" in response.headers.get("Content-Type", ""):
        try:
            text = _message_in(response.json())
        except ValueError:
            text = response.text
    said = redacted(text, config)[:MAX_SAID].strip()
    return f"{said}." if said[-1:].isalnum() else said


def redacted(text: object, config: ConnectionConfig) -> str:
    """The text without the connection's secrets, in whatever form HTTP carries them, nor any token held since.

    And without U+0000, which a platform may quote from a record and a state in PostgreSQL refuses.
    """
    plain = str(text).replace("\0", "")
    for secret in (*config.secret_forms(), *SEEN):
        if len(secret) >= SHORTEST_SECRET:
            plain = plain.replace(secret, "•••")
    return plain


def cause(error: Exception, config: ConnectionConfig) -> str:
    """The innermost reason in a few words; requests wraps it three times."""
    reason = getattr(error.args[0], "reason", error.args[0]) if error.args else error
    is_wrapped = "object at 0x" in str(reason) or "Connection(host=" in str(reason)
    return redacted(str(reason).split(": ", 1)[-1] if is_wrapped else reason, config).rstrip(".")


def retry_after_s(response: Response, now: datetime) -> float | None:
    """The wait a platform asks for: ``Retry-After`` as seconds or as an HTTP date (RFC 9110 §10.2.3)."""
    value = response.headers.get("Retry-After", "").strip()
    if not value:
        return None
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None  # neither of both: as if it were not there
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


@dataclass(frozen=True, slots=True)
class _Allowance:
    """What is left of a limit: requests, and seconds until it is full again."""

    remaining: float | None
    reset_s: float | None


def breather_s(response: Response, now: datetime, *, longest_s: float) -> float:
    """How long to pause before the next request, when an answer says that a limit is near; 0 when none is.

    Jira Cloud sets ``X-RateLimit-NearLimit: true`` when less than a fifth is left (developer.atlassian.com, *Rate
    limiting*); ServiceNow and others tell ``X-RateLimit-Remaining``. What is left is spread evenly until the reset.
    """
    left = _allowance(response, now)
    is_near = response.headers.get("X-RateLimit-NearLimit", "").strip().lower() == "true"
    if not is_near and (left.remaining is None or left.remaining > 1):
        return 0.0
    if left.reset_s is None:
        return min(1.0, longest_s)
    return min(left.reset_s / max(left.remaining or 0.0, 1.0), longest_s)


def _allowance(response: Response, now: datetime) -> _Allowance:
    return _Allowance(
        _parsed(response.headers.get("X-RateLimit-Remaining", ""), float),
        _parsed(response.headers.get("X-RateLimit-Reset", ""), lambda text: _seconds_until(text, now)),
    )


def _seconds_until(text: str, now: datetime) -> float:
    """A reset as Unix time (ServiceNow) or ISO 8601 (Jira), as seconds from now."""
    if text.replace(".", "", 1).isdigit():
        return max(0.0, float(text) - now.timestamp())
    moment = datetime.fromisoformat(text)
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def _parsed(text: str, read: Callable[[str], float]) -> float | None:
    try:
        return read(text.strip()) if text.strip() else None
    except ValueError:
        return None


def _message_in(body: Any) -> str:
    """The message of a ServiceNow or Jira error body."""
    if not isinstance(body, dict):
        return ""
    error = body.get("error")
    if isinstance(error, dict):
        return ": ".join(str(error[key]) for key in ("message", "detail") if error.get(key))
    if isinstance(error, str):
        return ": ".join([error, str(body.get("error_description", ""))]).rstrip(": ")
    messages = [str(message) for message in body.get("errorMessages") or []]
    messages += [str(body["errorMessage"])] if body.get("errorMessage") else []  # Service Management's form
    errors = body.get("errors")
    messages += [f"{name}: {message}" for name, message in errors.items()] if isinstance(errors, dict) else []
    return "; ".join(messages) or str(body.get("message", ""))
