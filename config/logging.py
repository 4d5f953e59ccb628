"""Structured logs: coloured lines for people, JSON for machines, secrets redacted in both."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, TextIO

import structlog

REDACTED = "[redacted]"
SHORTEST_KNOWN_SECRET = 8  # shorter ones are words: hiding each occurrence would spoil the text
SECRET_KEY = re.compile(r"password|passwd|secret|token|authorization|api[_-]?key|cookie|credential", re.IGNORECASE)
SECRET_VALUE = re.compile(
    r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{6,}"  # Authorization headers
    r"|://[^/\s:@]+:[^@\s/]+@"  # user:password in addresses
    r"|\brk_[A-Za-z0-9_-]{20,}"  # our own tokens
    r"|\b(password|token|secret|client_secret|refresh_token|access_token)=[^&\s]+"  # form bodies
)


class Redactor:
    """A structlog processor that hides secrets by key, by shape and, where they are known, by their text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {text for text in secrets if len(text) >= SHORTEST_KNOWN_SECRET}
        self._known = tuple(sorted(known, key=len, reverse=True))

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Redact one log event at any depth."""
        for key in list(event):
            event[key] = self._item(key, event[key])
        return event

    def _item(self, key: object, value: Any) -> Any:
        return REDACTED if SECRET_KEY.search(str(key)) else self._value(value)

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            for secret in self._known:
                value = value.replace(secret, REDACTED)
            return SECRET_VALUE.sub(_hidden, value)
        if isinstance(value, Mapping):
            return {key: self._item(key, item) for key, item in value.items()}
        if isinstance(value, list | tuple | set):
            return [self._value(item) for item in value]
        return value


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


def _renderer(is_json: bool, is_terminal: bool) -> Any:
    if is_json:
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    is_colourful = is_terminal and not os.environ.get("NO_COLOR")
    return structlog.dev.ConsoleRenderer(colors=is_colourful, exception_formatter=structlog.dev.plain_traceback)


def _hidden(match: re.Match[str]) -> str:
    return f"://{REDACTED}@" if match[0].startswith("://") else REDACTED
