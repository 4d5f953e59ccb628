"""Structured logs: coloured lines for people, JSON for machines, secrets redacted in both."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
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


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor that hides secrets by key and by shape, at any depth."""
    for key in list(event):
        event[key] = REDACTED if SECRET_KEY.search(key) else _redacted(event[key])
    return event


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return SECRET_VALUE.sub(lambda match: "://" + REDACTED + "@" if match[0].startswith("://") else REDACTED, value)
    if isinstance(value, dict):
        return {key: REDACTED if SECRET_KEY.search(str(key)) else _redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(item) for item in value]
    return value


def configure(form: str, level: str) -> None:
    """Send every log line, ours and libraries', to standard error in one form (auto: by terminal)."""
    is_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: Any = structlog.processors.JSONRenderer() if is_json else structlog.dev.ConsoleRenderer()
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
