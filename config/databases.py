"""The state's database as Django wants it described: SQLite in the home, or a PostgreSQL address."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from improvement.errors import SettingsError

BUSY_TIMEOUT_S = 20
CONNECT_TIMEOUT_S = "10"
FORM = "postgresql://user:password@host:port/name?sslmode=require"
#: What may follow the question mark: the connection parameters of libpq that make sense for us.
OPTIONS = (
    *("application_name", "channel_binding", "connect_timeout", "gssencmode", "keepalives", "keepalives_idle"),
    *("options", "passfile", "service", "sslcert", "sslcrl", "sslkey", "sslmode", "sslrootcert"),
    *("target_session_attrs", "tcp_user_timeout"),
)


def checked(address: str) -> str:
    """The address itself; :class:`ValueError` with the allowed form where it is none. Never quotes the address."""
    if address == "sqlite":
        return address
    if not address.startswith(("postgresql://", "postgres://")):
        raise ValueError(f"write sqlite, or {FORM}")
    parts = _parts(address)
    if parts is None:
        raise ValueError(
            f"host or port cannot be read; write {FORM}, with @ / : # ? % in user or password percent-encoded (%40 "
            "%2F %3A %23 %3F %25)"
        )
    if not parts.path.strip("/") or "/" in parts.path.strip("/"):
        raise ValueError(f"the name of the database is missing or no single name; write {FORM}")
    unknown = sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)} - set(OPTIONS))
    if unknown:
        raise ValueError(f"unknown option {', '.join(unknown)}; known are {', '.join(OPTIONS)}")
    return address


def secrets_of(address: str) -> tuple[str, ...]:
    """The password in an address, as it is and as it is written there."""
    written = urlsplit(address).password if "://" in address else None
    return tuple(dict.fromkeys((unquote(written), written))) if written else ()


def database(address: str, *, home: Path) -> dict[str, Any]:
    """The description of ``sqlite`` or of a checked PostgreSQL address."""
    return _sqlite(home) if address == "sqlite" else _postgresql(address)


def _parts(address: str) -> SplitResult | None:
    """The address taken apart; None where it has no readable host and port."""
    try:
        parts = urlsplit(address)
        is_readable = bool(parts.hostname) and parts.port != 0 and not parts.fragment
    except ValueError:  # port or IPv6 address
        return None
    return parts if is_readable else None


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
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": CONNECT_TIMEOUT_S, **dict(parse_qsl(parts.query))},
    }
