"""Ask an instance what it is and what we may do; reads only."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from connectors.base import Capabilities, Finding
from connectors.mapping import PlatformMapping
from connectors.servicenow.pull import plan_of
from connectors.servicenow.records import MODES, NEVER, NO_PLACE, Mode
from connectors.servicenow.tables import Instance
from connectors.servicenow.writing import Writer
from improvement.errors import ConnectionFailed, RegelkreisError
from improvement.records import OUTBOUND_FIELDS

CLOCK_SKEW_S = 300


def describe(instance: Instance, mapping: PlatformMapping) -> Capabilities:
    """Reachability, credentials, clock, permission and fields per table, write-back mode and its columns."""
    findings: list[Finding] = []
    user = instance.config.user or ""
    me = instance.reader.read(
        "/api/now/table/sys_user",
        what="our own user",
        params={"sysparm_query": f"user_name={user}", "sysparm_fields": "user_name,time_zone", "sysparm_limit": "1"},
    )
    findings.append(Finding(check="reachability", is_ok=True, detail=instance.config.url))
    rows = me.json()["result"]
    zone = str(rows[0].get("time_zone") or "system") if rows else "unknown"
    findings.append(Finding(check="credentials", is_ok=True, detail=f"signed in as {user}"))
    findings.append(_clock(me.headers.get("Date", "")))
    for name, source in mapping.sources.items():
        if source.is_enabled:
            findings.extend(_source(instance, name, mapping))
    mode, modes = detect(instance)
    columns, unresolved = _columns(instance, mode)
    return Capabilities(
        platform="servicenow",
        flavour="servicenow",
        version="Table API",
        user=user,
        time_zone=zone,
        mode=mode.name if mode else None,
        modes=modes,
        columns=columns,
        unresolved=unresolved,
        findings=(*findings, Finding(
            check="write-back", is_ok=mode is not None,
            detail=f"{mode.name}: {mode.table}" if mode else "; ".join(f"{key}: {why}" for key, why in modes.items()),
            mend="" if mode else "Install Continual Improvement Management or grant write access to problem.",
        )),
    )  # fmt: skip


def _clock(date: str) -> Finding:
    if not date:
        return Finding(check="clock", is_ok=True, detail="the platform does not tell its time")
    skew = abs((parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds())
    return Finding(
        check="clock",
        is_ok=skew < CLOCK_SKEW_S,
        detail=f"{skew:.0f} s apart",
        mend="" if skew < CLOCK_SKEW_S else "Set the clocks right: pulls are bounded by time.",
    )


def _source(instance: Instance, name: str, mapping: PlatformMapping) -> list[Finding]:
    source = mapping.sources[name]
    try:
        plan_of(instance, source)
        instance.rows(source.source, "ORDERBYsys_id", "sys_id", limit=1)
    except RegelkreisError as error:
        return [Finding(check=f"table {source.source}", is_ok=False, detail=error.what, mend=error.mend)]
    return [Finding(check=f"table {source.source}", is_ok=True, detail=f"{len(source.fields)} fields of {name} mapped")]


def detect(instance: Instance) -> tuple[Mode | None, dict[str, str]]:
    """The first write-back mode that can be read, and what stands against each of the others."""
    modes: dict[str, str] = {}
    chosen: Mode | None = None
    for name in ("cim", *(name for name in instance.config.fallback_modes if name in MODES)):
        mode = MODES[name]
        try:
            instance.rows(mode.table, "ORDERBYsys_id", "sys_id", limit=1)
            instance.columns(mode.table)
        except ConnectionFailed as error:
            modes[name] = error.what
            continue
        modes[name] = "available"
        chosen = chosen or mode
    return chosen, modes


def _columns(instance: Instance, mode: Mode | None) -> tuple[dict[str, str], dict[str, str]]:
    columns: dict[str, str] = {}
    unresolved: dict[str, str] = {}
    if mode is None:
        return {}, dict.fromkeys(OUTBOUND_FIELDS, "no write-back mode is available")
    writer = Writer(instance, mode)
    for name in OUTBOUND_FIELDS:
        column = writer.column(name, mode)
        if column is None:
            unresolved[name] = NEVER.get(name, NO_PLACE)
        else:
            columns[name] = column
    return columns, unresolved
