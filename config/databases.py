"""The state's database as Django wants it described: SQLite in the home, or a PostgreSQL address."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from improvement.errors import SettingsError

BUSY_TIMEOUT_S = 20


def database(address: str, *, home: Path) -> dict[str, Any]:
    """The description of ``sqlite`` or of a ``postgresql://user:password@host:port/name?sslmode=require`` address."""
    return _sqlite(home) if address == "sqlite" else _postgresql(address)


def _sqlite(home: Path) -> dict[str, Any]:
    # IMMEDIATE takes the write lock at the start of a transaction: two writers wait instead of failing half-way.
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": home / "state.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": BUSY_TIMEOUT_S,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def _postgresql(address: str) -> dict[str, Any]:
    if find_spec("psycopg") is None:
        raise SettingsError(
            "The database is PostgreSQL, but its driver is not installed.", mend="pip install 'regelkreis[postgresql]'"
        )
    parts = urlsplit(address)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": dict(parse_qsl(parts.query)),
    }
