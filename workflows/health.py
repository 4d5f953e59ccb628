"""Is every connection well? What `doctor` and `connect` ask."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import msgspec
from django.conf import settings

from connectors.base import Capabilities, Connector
from improvement.errors import RegelkreisError
from workflows import cycle
from workflows.models import Connection


@dataclass(frozen=True, slots=True)
class HealthLine:
    """One thing that was looked at."""

    connection: str
    check: str
    is_ok: bool
    detail: str
    mend: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The line as JSON-ready object."""
        return asdict(self)


def examine() -> list[HealthLine]:
    """Look at the home, the rules, and each connection; nothing is changed on a platform."""
    lines = _home()
    for name in sorted(settings.REGELKREIS.connections):
        try:
            with cycle.connectors([name]) as opened:
                capabilities = _describe(opened[0])
        except RegelkreisError as error:
            lines.append(HealthLine(name, "connection", False, error.what, error.mend))
            continue
        lines += [HealthLine(name, item.check, item.is_ok, item.detail, item.mend) for item in capabilities.findings]
    return lines


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


def _home() -> list[HealthLine]:
    config = settings.REGELKREIS
    key = config.ledger_key
    lines = [
        HealthLine("", "home", config.home.is_dir(), str(config.home), "Run `regelkreis init`."),
        HealthLine("", "ledger key", key.exists(), str(key), "Run `regelkreis init`, or restore your backup."),
    ]
    if key.exists():
        is_private = key.stat().st_mode & 0o077 == 0
        lines.append(
            HealthLine("", "ledger key is private", is_private, oct(key.stat().st_mode & 0o777), f"chmod 600 {key}")
        )
    errors: list[str] = []
    if config.rules.is_dir():
        from improvement.rules import check_paths

        report = check_paths([config.rules])
        errors = [str(error) for error in report.errors]
        detail = "; ".join(errors) or f"{len(report.rules)} rules"
        lines.append(HealthLine("", "rules", not errors, detail, "`regelkreis rules check` shows each error."))
    if not config.connections:
        lines.append(
            HealthLine(
                "", "connections", False, "none is configured", f"Describe one in {config.home / 'regelkreis.toml'}."
            )
        )
    return lines
