"""Structured logs: coloured lines for people, JSON for machines, secrets redacted in both."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, TextIO
from urllib.parse import quote, quote_plus

import structlog

REDACTED = "[redacted]"
SHORTEST_KNOWN_SECRET = 8  # shorter ones are words: hiding each occurrence would spoil the text
GUARDED_NAMES = r"password|passwd|pwd|secret|token|authorization|api[_-]?key|cookie|credential|session_?id"
SECRET_KEY = re.compile(GUARDED_NAMES, re.IGNORECASE)
SECRET_VALUE = re.compile(
    r"(?i)\b(?:bearer|basic)\s+[a-z0-9._~+/=-]{6,}"  # the value of an Authorization header
    r"|(?P<cookies>\bcookie[\"']?\s*[=:]\s*)[^\n]+"  # a cookie header holds several pairs
    r"|://[^/\s:@]*:[^@\s/]+@"  # user:password in addresses
    r"|\brk_[A-Za-z0-9_-]{20,}"  # our own tokens
    r"|(?P<named>[\w.-]*(?:" + GUARDED_NAMES + r")[\w.-]*[\"']?\s*[=:]\s*)"  # forms, headers, JSON, repr of dicts
    r"(?:b?\"[^\"]*\"|b?'[^']*'|(?:(?:bearer|basic|token|digest)\s+)?[^&\s,;)}\]]+)"
)


class Redactor:
    """A structlog processor that hides secrets by key, by shape and, where they are known, by their text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {text for text in secrets if len(text) >= SHORTEST_KNOWN_SECRET}
        known |= {quote(text, safe="") for text in known} | {quote_plus(text) for text in known}
        self._known = tuple(sorted(known, key=len, reverse=True))

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Redact one log event at any depth."""
        for key in list(event):
            event[key] = self._item(key, event[key])
        return event

    def _item(self, key: object, value: Any) -> Any:
        return REDACTED if SECRET_KEY.search(str(key)) else self._value(value)

    def _value(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {key: self._item(key, item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(item) for item in value]
        return self._text(_as_text(value))

    def _text(self, text: str) -> str:
        for secret in self._known:
            text = text.replace(secret, REDACTED)
        return SECRET_VALUE.sub(_hidden, text)


def configure(form: str, level: str, *, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Send every log line, ours and libraries', to one stream in one form.

    Parameters
    ----------
    form
        ``console``, ``json``, or ``auto``: console in a terminal, JSON elsewhere.
    level
        The least level that is shown: ``debug``, ``info``, ``warning`` or ``error``.
    secrets
        Texts to hide wherever they appear, beside what looks like a secret.
    stream
        Default: standard error.
    """
    target = stream or sys.stderr
    is_terminal = target.isatty()
    is_json = form == "json" or (form == "auto" and not is_terminal)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Tracebacks become text before the redactor reads the event, so that what they quote is hidden too.
    last: list[Any] = [structlog.processors.format_exc_info, Redactor(secrets), _renderer(is_json, is_terminal)]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    logging.getLogger("django.security.DisallowedHost").filters[:] = [_as_refusal]


def _as_refusal(record: logging.LogRecord) -> bool:
    """A request under a name that is not ours is nobody's bug: a warning, without the traceback."""
    record.levelno, record.levelname, record.exc_info = logging.WARNING, "WARNING", None
    return True


def _renderer(is_json: bool, is_terminal: bool) -> Any:
    if is_json:
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    is_colourful = is_terminal and not os.environ.get("NO_COLOR")
    return structlog.dev.ConsoleRenderer(colors=is_colourful, exception_formatter=structlog.dev.plain_traceback)


def _as_text(value: Any) -> str:
    """Anything else as the renderers would write it: an exception or a request may quote a secret."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else repr(value)


def _hidden(match: re.Match[str]) -> str:
    if name := match["named"] or match["cookies"]:
        return f"{name}{REDACTED}"
    return f"://{REDACTED}@" if match[0].startswith("://") else REDACTED
