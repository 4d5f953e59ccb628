"""Is every connection well? What `doctor` and `connect` ask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from django.conf import settings
from django.db import connection as state

from connectors.base import Capabilities, Connector
from connectors.config import ConnectionConfig
from connectors.registry import connector
from connectors.rights import TellsRights
from improvement.errors import (
    ConnectionFailed,
    CredentialsRefused,
    MappingError,
    PermissionMissing,
    RegelkreisError,
)
from improvement.evidence.checkpoint import load_key
from improvement.plurals import how_many
from improvement.records import OUTBOUND_FIELDS
from workflows import cycle
from workflows.hooks import hints
from workflows.models import Connection, RejectedRecord, our_installation
from workflows.rules.live import why_unreadable
from workflows.warehouse import Warehouse
from workflows.warehouse.lease import WarehouseInUse

#: Whoever asks for a diagnosis wants it now: one attempt, and no longer than this for one answer.
PATIENCE = {"max_attempts": 1, "timeout_s": 20.0, "max_wait_s": 5.0}
#: What a connection that says nothing at all lacks; the first class that fits counts.
BLOCKED_AT: tuple[tuple[type[RegelkreisError], str], ...] = (
    (CredentialsRefused, "credentials"),
    (PermissionMissing, "permission"),
    (ConnectionFailed, "reachability"),
    (MappingError, "mapping"),
    (RegelkreisError, "connection"),
)


@dataclass(frozen=True, slots=True)
class HealthLine:
    """One thing that was looked at; ``mend`` says what to do about it where it is not well."""

    connection: str
    check: str
    is_ok: bool
    detail: str
    mend: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The line as JSON-ready object."""
        return asdict(self)


def examine() -> list[HealthLine]:
    """Look at the home, the state, the rules, and each connection; nothing is changed on a platform."""
    lines = [*_home(), *_rules()]
    configured = settings.REGELKREIS.connections
    if not configured:
        mend = f"Describe one in {settings.REGELKREIS.home / 'regelkreis.toml'}."
        lines.append(HealthLine("", "connections", False, "none is configured", mend))
    for name in sorted(configured):
        lines += _connection(name, configured[name])
    return [line if not line.is_ok else HealthLine(line.connection, line.check, True, line.detail) for line in lines]


def permissions(names: list[str] | None = None) -> list[dict[str, Any]]:
    """The rights each connection needs, as objects; nothing is changed, and a missing right stops nothing."""
    configured = settings.REGELKREIS.connections
    found: list[dict[str, Any]] = []
    for name in sorted(configured) if names is None else names:
        with closing(connector(configured[name].model_copy(update=PATIENCE))) as one:
            if isinstance(one, TellsRights):
                found += [
                    {"connection": name, "is_optional": right.is_optional, **msgspec.to_builtins(right)}
                    for right in one.rights()
                ]
    return found


def rejected() -> list[dict[str, Any]]:
    """Every record of a platform that could not be read, until it can: which one, which field, and why."""
    rows = RejectedRecord.objects.order_by("connection_id", "kind", "record_id")
    return [
        {
            "connection": row.connection_id,
            "kind": row.kind,
            "record": row.record_id,
            "field": row.field,
            "reason": row.reason,
            "seen_at": row.seen_at.isoformat(),
        }
        for row in rows
    ]


def connect(name: str) -> dict[str, Any]:
    """Ask a platform what it is and what we may do, and remember the answer."""
    with cycle.connectors([name]) as opened:
        found: dict[str, Any] = msgspec.to_builtins(_describe(opened[0]))
        return found


def _describe(one: Connector) -> Capabilities:
    capabilities = one.describe()
    row = Connection.objects.get(name=one.name)
    row.capabilities = msgspec.to_builtins(capabilities)
    row.mode = capabilities.mode or ""
    row.integration_account = capabilities.user
    row.save(update_fields=["capabilities", "mode", "integration_account"])
    return capabilities


def _connection(name: str, config: ConnectionConfig) -> Iterator[HealthLine]:
    """What the platform shows us, how much there is to pull, and how the last pull went."""
    account = config.user or ""
    row, _ = Connection.objects.get_or_create(
        name=name, defaults={"platform": config.platform, "integration_account": account}
    )
    yield from _encryption(name, config)
    yield from _columns(name, config)
    yield from _hints(name, config)
    try:
        with closing(connector(config.model_copy(update=PATIENCE))) as one:
            capabilities = _describe(one)
            for found in capabilities.findings:
                yield HealthLine(name, found.check, found.is_ok, found.detail, found.mend)
            for found in one.ungranted() if isinstance(one, TellsRights) else ():
                yield HealthLine(name, found.check, found.is_ok, found.detail, found.mend)
            yield from _writing(row, capabilities)
            yield from _volume(one, capabilities.rows_per_page or config.rows_per_page)
    except RegelkreisError as error:
        check = next(text for kind, text in BLOCKED_AT if isinstance(error, kind))
        yield HealthLine(name, check, False, error.what, error.mend)
    yield from _last_pull(row)


def _encryption(name: str, config: ConnectionConfig) -> Iterator[HealthLine]:
    """Credentials must not travel in the clear, except to this very machine."""
    parts = urlsplit(config.url)
    if parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
        detail = f"{config.url}: the credentials travel in the clear"
        yield HealthLine(name, "encryption", False, detail, "Write https:// in the connection's url.")
    elif config.verify is False:
        mend = "Set verify to the file of your certificate authority."
        yield HealthLine(name, "encryption", False, "certificates are not verified", mend)


def _columns(name: str, config: ConnectionConfig) -> Iterator[HealthLine]:
    """Names in ``columns`` that are none of ours: nothing would ever be written for them."""
    mend = f"Known: {', '.join(OUTBOUND_FIELDS)}."
    for unknown in sorted(config.columns.keys() - set(OUTBOUND_FIELDS)):
        yield HealthLine(name, "columns", False, f"“{unknown}” is no field of ours", mend)


def _hints(name: str, config: ConnectionConfig) -> Iterator[HealthLine]:
    """Whether the platform may send hints, and that their secret does not travel in the clear."""
    if not config.hook_secrets:
        return
    parts = urlsplit(settings.REGELKREIS.public_url)
    is_ok = parts.scheme == "https" or _is_this_machine(parts.hostname or "")
    detail = f"hints are taken at {hints.address_of(name)}"
    mend = "Put TLS in front of the site and write https:// in public_url."
    yield HealthLine(name, "hints", is_ok, detail if is_ok else f"{detail}: their secret travels in the clear", mend)


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _writing(row: Connection, capabilities: Capabilities) -> Iterator[HealthLine]:
    """Writing that is switched on and cannot work, and what could not be delivered."""
    row.refresh_from_db(fields=["may_write"])
    if not row.may_write:
        yield HealthLine(row.name, "write", True, f"off; `regelkreis connect {row.name} --write on` switches it on")
        return
    mend = f"Give the rights that `regelkreis doctor --permissions` lists, or `connect {row.name} --write off`."
    is_ok = capabilities.mode is not None
    yield HealthLine(row.name, "write", is_ok, f"on, mode {capabilities.mode}" if is_ok else "on, but no mode is", mend)


def _volume(one: Connector, rows_per_page: int) -> Iterator[HealthLine]:
    """How much there is of each kind, by the platform's own count."""
    now = datetime.now(UTC)
    for kind in one.kinds():
        try:
            count = one.count(kind, until=now)
        except MappingError:
            continue  # its line is there already, one for each field
        except RegelkreisError as error:
            yield HealthLine(one.name, f"volume of {kind.value}s", False, error.what, error.mend)
            continue
        if count is not None:
            pages = max(-(-count // rows_per_page), 1)
            detail = (
                f"{how_many(count, 'record')}: at least {pages:,} request{'s' * (pages > 1)} of {rows_per_page:,} "
                "for the first pull, and a few a month"
            )
            yield HealthLine(one.name, f"volume of {kind.value}s", True, detail)


def _last_pull(row: Connection) -> Iterator[HealthLine]:
    if row.last_pull_as_of is None:
        yield HealthLine(row.name, "last pull", True, "none yet")
        return
    detail = f"for {row.last_pull_as_of:%Y-%m-%d %H:%M} UTC"
    if row.last_error:
        detail += f", with errors: {row.last_error}"
    yield HealthLine(row.name, "last pull", not row.last_error, detail, f"Run `regelkreis pull {row.name}` again.")
    rejected = RejectedRecord.objects.filter(connection=row).order_by("id")
    if first := rejected.first():
        detail = f"{rejected.count()}, such as {first.kind} {first.record_id}, {first.field}: {first.reason}"
        mend = "Correct the mapping, or the record; `regelkreis doctor --rejected` lists them all."
        yield HealthLine(row.name, "unreadable records", False, detail, mend)


def _home() -> Iterator[HealthLine]:
    config = settings.REGELKREIS
    key = config.ledger_key
    yield HealthLine("", "home", config.home.is_dir(), str(config.home), "Run `regelkreis init`.")
    yield HealthLine("", "state", True, _state())
    ours = _installation()
    yield ours
    yield _warehouse() if ours.is_ok else _unopened_warehouse()
    yield _ledger_key(key)
    secret = (key, config.secret_key, config.token_key_file, config.home / "secrets", config.home / "regelkreis.toml")
    for file in secret:
        if file.exists():
            yield _privacy(file)


def _installation() -> HealthLine:
    try:
        return HealthLine("", "installation", True, f"{our_installation()}, as its records on platforms are marked")
    except RegelkreisError as error:
        return HealthLine("", "installation", False, error.what, error.mend)


def _unopened_warehouse() -> HealthLine:
    """It may be another's: nobody looks into it before that is known."""
    detail = f"{settings.REGELKREIS.warehouse} is not looked at before the installation is known"
    return HealthLine("", "warehouse", False, detail)


def _warehouse() -> HealthLine:
    """Whether the records can be opened; a cycle that has them open now shows that they can."""
    file = settings.REGELKREIS.warehouse
    if not file.exists():
        return HealthLine("", "warehouse", True, f"{file} is made by the first pull")
    try:
        with Warehouse.open(file, wait_s=0, installation=our_installation()):
            return HealthLine("", "warehouse", True, str(file))
    except WarehouseInUse as error:
        return HealthLine("", "warehouse", True, f"{file}: {error.what}")
    except RegelkreisError as error:
        return HealthLine("", "warehouse", False, f"{file}: {error.what}", error.mend)
    except OSError as error:
        return HealthLine("", "warehouse", False, f"{error.filename}: {error.strerror}", "Check owner and mode.")


def _ledger_key(key: Path) -> HealthLine:
    try:
        load_key(key)
    except RegelkreisError as error:
        return HealthLine("", "ledger key", False, f"{key}: {error.what}", error.mend)
    return HealthLine("", "ledger key", True, str(key))


def _state() -> str:
    """Where the state is; it answers, or no command would have come this far."""
    if state.vendor == "sqlite":
        return f"SQLite: {state.settings_dict['NAME']}"
    with state.cursor() as cursor:
        cursor.execute("SHOW server_version")
        version = cursor.fetchone()[0]
    described = state.settings_dict
    return f"PostgreSQL {version}: {described['NAME']} on {described['HOST']}:{described['PORT'] or 5432}"


def _privacy(file: Path) -> HealthLine:
    mode = file.stat().st_mode & 0o777
    allowed = 0o700 if file.is_dir() else 0o600
    mend = f"chmod {allowed:o} {file}"
    return HealthLine("", f"{file.name} is private", mode & 0o077 == 0, f"mode {mode:o}", mend)


def _rules() -> Iterator[HealthLine]:
    folder = settings.REGELKREIS.rules
    if unreadable := why_unreadable(folder):
        yield HealthLine("", "rules", False, f"{folder}: {unreadable.what}", unreadable.mend)
        return
    from improvement.rules import check_paths

    report = check_paths([folder])
    detail = "; ".join(str(error) for error in report.errors) or how_many(len(report.rules), "rule")
    yield HealthLine("", "rules", not report.errors, detail, "`regelkreis rules check` shows each error.")
