"""Structured logs: coloured lines for people, JSON for machines, secrets redacted in both."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any

import structlog

REDACTED = "[redacted]"
SECRET_KEY = re.compile(r"password|passwd|secret|token|authorization|api[_-]?key|cookie|credential", re.IGNORECASE)
SECRET_VALUE = re.compile(
    r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{6,}"  # Authorization headers
    r"|://[^/\s:@]+:[^@\s/]+@"  # user:password in addresses
    r"|\brk_[A-Za-z0-9_-]{20,}"  # our own tokens
    r"|\b(password|token|secret|client_secret|refresh_token|access_token)=[^&\s]+"  # form bodies
)


SHORTEST_KNOWN_SECRET = 8  # shorter ones are words: hiding each occurrence would spoil the text


class _Known:
    """Secrets of this installation, hidden wherever they appear."""

    texts: tuple[str, ...] = ()


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor that hides secrets by key and by shape, at any depth."""
    for key in list(event):
        event[key] = REDACTED if SECRET_KEY.search(key) else _redacted(event[key])
    return event


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        for secret in _Known.texts:
            value = value.replace(secret, REDACTED)
        return SECRET_VALUE.sub(lambda match: "://" + REDACTED + "@" if match[0].startswith("://") else REDACTED, value)
    if isinstance(value, dict):
        return {key: REDACTED if SECRET_KEY.search(str(key)) else _redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(item) for item in value]
    return value


def configure(form: str, level: str, *, secrets: Iterable[str] = ()) -> None:
    """Send every log line, ours and libraries', to standard error in one form (auto: by terminal).

    ``secrets`` are texts to hide wherever they appear, beside what looks like a secret.
    """
    _Known.texts = tuple(
        sorted({text for text in secrets if len(text) >= SHORTEST_KNOWN_SECRET}, key=len, reverse=True)
    )
    is_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer() if is_json else structlog.dev.ConsoleRenderer(colors=_is_colourful())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("urllib3").setLevel(logging.WARNING)


def _is_colourful() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")
