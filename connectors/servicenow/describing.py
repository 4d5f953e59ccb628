"""Ask an instance what it is and what we may do; reads only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial

import requests

from connectors.answers import Declined
from connectors.base import Capabilities, Finding
from connectors.clocks import UNTOLD, beside_ours
from connectors.findings import told
from connectors.mapping import PlatformMapping, SourceMap
from connectors.servicenow import filters, surveys
from connectors.servicenow.choices import questions
from connectors.servicenow.columns import Columns
from connectors.servicenow.deletions import LOG
from connectors.servicenow.lookups import Lookups
from connectors.servicenow.plan import checks, learn
from connectors.servicenow.records import (
    STATE_OF_LABEL,
    Mode,
    closure_name,
    gain_name,
    mode_named,
    modes_in_order,
)
from connectors.servicenow.tables import FEW, KEYS, LEFT_OUT, LET_READ, NOTHING_READ, OUR_USER, Instance, Row, literal
from improvement.errors import ConnectionFailed, MappingError, PermissionMissing, RegelkreisError, ShutOut
from improvement.records import OUTBOUND_FIELDS, Closure, Gain, RecordKind

CLOCK_SKEW_S = 60
ADMIN = "admin"
NOT_THERE = frozenset({400, 404})  # ``Invalid table`` is a 400
TRACED: dict[str, str] = {
    "sys_journal_field": "a note could be written twice, and comments do not come home",
    "sys_attachment": "a file could be attached twice",
    "sysapproval_approver": "approvals do not come home",
    "sys_audit": "who changed a record stays unknown, and fields that hold something are not updated",
}
LOGGED: dict[str, str] = {LOG: "a deletion is noticed within a week, by the platform's count, instead of at once"}


def describe(instance: Instance, lookups: Lookups, mapping: PlatformMapping) -> Capabilities:
    """Reachability, credentials, clock, zone, permission and fields per table, write-back mode and its columns.

    Raises :class:`ConnectionFailed` or its kin where the instance cannot be reached or refuses our credentials;
    everything else is a finding.
    """
    me, response = _ourselves(instance)
    user = me.get("user_name") or instance.our_user()
    zone = me.get("time_zone") or "the system's"
    findings = [
        Finding(check="reachability", is_ok=True, detail=instance.config.url),
        Finding(check="credentials", is_ok=True, detail=f"signed in as {user}"),
        Finding(check="time zone", is_ok=True, detail=f"{zone} (stored times are read in UTC whatever it is)"),
        _clock(response),
    ]
    sources = [source for source in mapping.sources.values() if source.is_enabled]
    learn(instance, sources)
    shown = _Shown(instance, lookups)
    for source in sources:
        findings += _source(instance, source, shown)
    findings += _unreadable(instance, LOGGED)
    mode, modes = detect(instance)
    columns, unresolved = _columns(instance, mode)
    findings.append(_write_back(mode, modes, unresolved))
    if mode is not None:
        findings += _unreadable(instance, {**_beside(instance, mode), **TRACED})
        for check, ask in (
            (f"states of {mode.table}", _states),
            ("closure", _closing),
            (f"audit {mode.table}", _unaudited),
        ):
            findings += told(check, partial(ask, instance, mode))
    return Capabilities(
        platform="servicenow",
        flavour="servicenow",
        version=_version(instance),
        user=user,
        time_zone=zone,
        mode=mode.name if mode else None,
        modes=modes,
        columns=columns,
        unresolved=unresolved,
        findings=tuple(dict.fromkeys(findings)),  # several sources lead to the same columns
    )


def detect(instance: Instance) -> tuple[Mode | None, dict[str, str]]:
    """The first write-back mode that is possible, and for every mode ``available`` or what stands against it.

    Probed by reading only: the table answers, its columns are shown, and we have one of its roles (where the
    platform lets us see our roles). An instance that does not answer says nothing about its modes: that raises, lest
    a bad moment moves new records to another table.
    """
    modes: dict[str, str] = {}
    chosen: Mode | None = None
    roles = _our_roles(instance)
    for name in modes_in_order(instance.config):
        mode = mode_named(name, instance.config)
        reason = "no custom_table is configured" if mode is None else _against(instance, mode, roles)
        modes[name] = reason or "available"
        if not reason and chosen is None:
            chosen = mode
    return chosen, modes


def _ourselves(instance: Instance) -> tuple[Row, requests.Response]:
    query = f"user_name={literal(instance.config.user)}" if instance.config.user else OUR_USER
    response = instance.reader.read(
        "/api/now/table/sys_user",
        what="our own user",
        params={
            "sysparm_query": query,
            "sysparm_fields": "user_name,time_zone",
            "sysparm_limit": "2",
            "sysparm_exclude_reference_link": "true",
        },
        check=instance.check,
    )
    rows = response.json()["result"]
    return (rows[0] if len(rows) == 1 else {}), response


def _clock(response: requests.Response) -> Finding:
    date = response.headers.get("Date", "")
    if not date:
        return UNTOLD
    ours = datetime.now(UTC)
    return beside_ours(parsedate_to_datetime(date), ours, address=response.url, most_s=CLOCK_SKEW_S)


def _version(instance: Instance) -> str:
    """The build, where we may read it."""
    try:
        rows = instance.rows("sys_properties", "name=glide.buildtag", ["value"], limit=1)
    except ConnectionFailed:
        rows = []
    return rows[0]["value"] if rows and rows[0].get("value") else "Table API"


def _source(instance: Instance, source: SourceMap, shown: _Shown) -> list[Finding]:
    """Permission on the table, then one finding for each field that does not resolve."""
    table = source.source
    try:
        rows = instance.rows(table, "", ["sys_id"], limit=1)
        instance.columns(table)
        hidden = 0 if rows else instance.count(table, "")
    except RegelkreisError as error:
        is_absent = isinstance(error, Declined) and error.status in NOT_THERE
        mend = "Correct source in the mapping, or set is_enabled = false there." if is_absent else error.mend
        return [Finding(check=f"permission {table}", is_ok=False, detail=error.what, mend=mend)]
    if hidden:
        permission = _hidden(table, hidden)
    else:
        permission = Finding(check=f"permission {table}", is_ok=True, detail="readable" if rows else "readable, empty")
    findings = [permission, *told(f"mapping {table}", partial(_fields, instance, source, shown))]
    if source.kind is RecordKind.SURVEY:
        findings += told(f"answers of {table}", partial(_answers, shown))
    said = {finding.detail for finding in findings}
    choices = told(f"choices {table}", partial(questions, instance, source))
    return [*findings, *(finding for finding in choices if finding.detail not in said)]


def _hidden(table: str, count: int) -> Finding:
    return Finding(
        check=f"permission {table}",
        is_ok=False,
        detail=f"the first of its {count} records are hidden from us" if count > 1 else "its record is hidden from us",
        mend="Look at the access controls of the table; only visible records are pulled.",
    )


class _Shown:
    """Which fields of a table come with its records: a right on a field takes it out without a word."""

    def __init__(self, instance: Instance, lookups: Lookups) -> None:
        self._instance = instance
        self._lookups = lookups
        self._asked: dict[str, set[str]] = {}
        self._left_out: set[tuple[str, str]] = set()
        self._hidden: dict[str, int] = {}  # tables of which no record came → how many there are

    def left_out(self, columns: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those of these columns (table, element) that some of a table's first records come without."""
        wanted = sorted(set(columns))
        for table in {table for table, _ in wanted}:
            asked = self._asked.setdefault(table, set())
            new = {element for name, element in wanted if name == table} - asked
            asked |= new
            rows = self._first_rows(table, new) if new else []
            if new and rows == [] and table not in self._hidden:
                self._hidden[table] = self._count(table)
            self._left_out |= {(table, element) for element in new if any(element not in row for row in rows or ())}
        return [column for column in wanted if column in self._left_out]

    def behind(self, source: SourceMap, steps: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """The columns that are read besides those that a mapping names: the keys."""
        yield from ((source.source, name) for name in KEYS)
        tables = {table for table, _ in steps} - {source.source}
        yield from ((table, "sys_id") for table in tables if self._lookups.is_small(table))

    def hidden(self, tables: Iterable[str]) -> list[Finding]:
        """Those of these tables, whose columns were asked for, that hide their first records from us."""
        counts = {table: self._hidden.get(table, 0) for table in sorted(set(tables))}
        return [_hidden(table, count) for table, count in counts.items() if count]

    def _count(self, table: str) -> int:
        try:
            return self._instance.count(table, "")
        except (Declined, PermissionMissing):
            return 0  # nobody says that there are any

    def _first_rows(self, table: str, elements: Iterable[str]) -> list[Row] | None:
        try:
            return self._instance.rows(table, "", sorted(elements), limit=FEW)
        except (Declined, PermissionMissing):
            return None  # a table that we may not read at all is told elsewhere


def _answers(shown: _Shown) -> list[Finding]:
    """What no mapping names and no survey is read without."""
    left_out = shown.left_out(surveys.NEEDED)
    return shown.hidden((surveys.RESULTS, surveys.METRICS)) + [
        Finding(
            check=f"field {table}.{name}",
            is_ok=False,
            detail=surveys.LEFT_OUT.format(f"{table}.{name}"),
            mend=surveys.LET_READ,
        )
        for table, name in left_out
    ]


def _fields(instance: Instance, source: SourceMap, shown: _Shown) -> list[Finding]:
    found = list(checks(instance, source))
    resolved = {check.name for check in found if check.error is None and check.name != "filter"}
    broken = [check for check in found if check.error is not None]
    findings = []
    for check in broken:
        error = check.error
        assert isinstance(error, MappingError)
        is_ok = check.is_optional
        detail = f"{error.what}" if not is_ok else f"this instance has no {source.source}.{check.path}"
        if is_ok and check.name not in resolved:
            detail += f": {check.name} stays empty"
        findings.append(
            Finding(
                check=f"filter {source.source}" if check.name == "filter" else f"field {source.source}.{check.path}",
                is_ok=is_ok,
                detail=detail,
                mend="" if is_ok else error.mend,
            )
        )
    own = [one.get("filter") for one in instance.config.mapping.values() if isinstance(one, dict)]
    if source.filter in filter(None, own) and not any(check.name == "filter" for check in broken):
        missed = filters.fits_none(instance, source.source, source.filter)
        detail = f"“{source.filter}” fits none of {missed:,} records"
        mend = "Look at its values: they are the stored ones, not labels."
        findings += [Finding(check=f"filter {source.source}", is_ok=False, detail=detail, mend=mend)] if missed else []
    steps = [step for check in found if check.error is None for step in check.steps]
    behind = [*steps, *shown.behind(source, steps)]
    left_out = shown.left_out(behind)
    findings += shown.hidden(table for table, _ in behind if table != source.source)
    for table, name in left_out:
        detail = (NOTHING_READ if name in KEYS else LEFT_OUT).format(f"{table}.{name}")
        findings.append(Finding(check=f"field {table}.{name}", is_ok=False, detail=detail, mend=LET_READ))
    if not any(not finding.is_ok for finding in findings):
        detail = f"{len(resolved)} of {len(source.fields)} fields are read from the platform"
        findings.append(Finding(check=f"mapping {source.source}", is_ok=True, detail=detail))
    return findings


def _our_roles(instance: Instance) -> frozenset[str] | None:
    """Our roles; None where the platform does not show them."""
    query = f"user.user_name={literal(instance.our_user())}"
    try:
        rows = instance.rows("sys_user_has_role", query, ["role.name"])
    except PermissionMissing:
        return None
    except Declined as error:
        if error.status not in NOT_THERE:
            raise
        return None
    return frozenset(row.get("role.name", "") for row in rows) if rows else None


def _against(instance: Instance, mode: Mode, roles: frozenset[str] | None) -> str:
    """What stands against a mode; empty where nothing does."""
    try:
        instance.rows(mode.table, "", ["sys_id"], limit=1)
    except PermissionMissing as error:
        return error.what
    except Declined as error:
        if error.status not in NOT_THERE:
            raise
        return error.what
    known = instance.known(mode.table)
    if not known:
        return f"the dictionary shows no columns of {mode.table}"
    if "correlation_id" not in known:
        return f"{mode.table} has no column correlation_id, by which a record is found again"
    if roles is not None and mode.roles and not roles & {*mode.roles, ADMIN}:
        return f"{instance.our_user()} has none of the roles {', '.join(mode.roles)}"
    return ""


def _columns(instance: Instance, mode: Mode | None) -> tuple[dict[str, str], dict[str, str]]:
    if mode is None:
        return {}, dict.fromkeys(OUTBOUND_FIELDS, "no write-back mode is available")
    return Columns(instance, mode).resolved()


def _write_back(mode: Mode | None, modes: dict[str, str], unresolved: dict[str, str]) -> Finding:
    if mode is None:
        return Finding(
            check="write-back",
            is_ok=False,
            detail="; ".join(f"{name}: {why}" for name, why in modes.items()),
            mend="Install Continual Improvement Management, or give the integration user a role of another mode.",
        )
    missing = f"; without a column: {', '.join(sorted(unresolved))}" if unresolved else ""
    return Finding(check="write-back", is_ok=True, detail=f"mode {mode.name} on {mode.table}{missing}")


def _unreadable(instance: Instance, tables: dict[str, str]) -> list[Finding]:
    """Those of these tables that we may not read, with what is lost without each."""
    found = []
    for table, lost in tables.items():
        try:
            instance.rows(table, "", ["sys_id"], limit=1)
        except ShutOut:
            raise
        except ConnectionFailed as error:
            mend = (
                "Give the integration user a read right on it." if isinstance(error, PermissionMissing) else error.mend
            )
            found.append(
                Finding(check=f"permission {table}", is_ok=False, detail=f"{error.what} Without it {lost}.", mend=mend)
            )
    return found


def _unaudited(instance: Instance, mode: Mode) -> list[Finding]:
    """Whether nobody can tell what people changed on the records of a mode."""
    if instance.is_audited(mode.table):
        return []
    detail = f"{mode.table} is not audited: {TRACED['sys_audit']}"
    mend = "Check Audit in the dictionary entry of the table (it has no column name, its type is collection)."
    return [Finding(check=f"audit {mode.table}", is_ok=False, detail=f"{detail}.", mend=mend)]


def _beside(instance: Instance, mode: Mode) -> dict[str, str]:
    """The tables that a mode writes beside its records, with what is lost where they are not granted."""
    found = {}
    if mode.task_table is not None:
        found[mode.task_table] = "no step of an action is written"
    if mode.link_table is not None and instance.config.links_triggers:
        found[mode.link_table] = "no record is linked to the tickets that triggered it"
    return found


def _closing(instance: Instance, mode: Mode) -> list[Finding]:
    """Closure codes and outcome categories that are to be written, and are no choices here."""
    config = instance.config
    if not config.write_closure:
        return []
    columns = Columns(instance, mode)
    wanted = {
        "resolutions": ("closure", [closure_name(config, closure) for closure in Closure]),
        "gains": ("gain", [gain_name(config, gain) for gain in Gain]),
    }
    findings = []
    for setting, (ours, names) in wanted.items():
        reasons = [columns.body({ours: name})[1].get(ours, "") for name in names]
        if any(reasons):
            mend = f"Name the choices of this instance in the connection's {setting}, or switch write_closure off."
            detail = "; ".join(dict.fromkeys(filter(None, reasons)))
            findings.append(Finding(check=f"{ours} of {mode.table}", is_ok=False, detail=detail, mend=mend))
    return findings


def _states(instance: Instance, mode: Mode) -> list[Finding]:
    """States of the record that we do not know: they move nothing until somebody says what they mean."""
    known = instance.config.statuses
    labels = {
        value: label
        for value, label in instance.choices(mode.table, "^element=state").get("state", {}).items()
        if label.casefold() not in STATE_OF_LABEL and value not in known and label not in known
    }
    if not labels:
        return []
    shown = ", ".join(f"{label} ({value})" for value, label in labels.items())
    return [
        Finding(
            check=f"states of {mode.table}",
            is_ok=False,
            detail=f"{shown}: unknown, so they move no action",
            mend="Say what they mean in the connection's statuses.",
        )
    ]
