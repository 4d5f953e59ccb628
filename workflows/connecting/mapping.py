"""Propose a mapping and write it into ``regelkreis.toml``: what a person wrote is replaced only when they say so."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from connectors.config import ConnectionConfig
from connectors.discovery import Discovers, FieldProposal, SourceProposal, propose
from connectors.mapping import FieldMap, PlatformMapping
from connectors.registry import connector
from improvement.errors import InputError, PermissionMissing
from workflows.connecting.settings_file import Line, diff, edited, read, write
from workflows.evidence import ledger
from workflows.models import Person, Role

DEFAULT_SAMPLE = 1_000


@dataclass(frozen=True, slots=True)
class Change:
    """One key of the mapping to set; ``yours`` is what a person wrote there (None: nothing)."""

    source: str
    key: tuple[str, ...]  # below the source: ("fields", "country"), ("is_enabled",)
    value: Any
    remark: str
    yours: Any = None
    is_yours: bool = False


@dataclass(frozen=True, slots=True)
class MappingPlan:
    """What was found on the platform, and what of it is not in the settings yet. ``note``: why nothing was."""

    connection: str
    file: Path
    sources: tuple[SourceProposal, ...]
    additions: tuple[Change, ...]
    replacements: tuple[Change, ...]
    note: str = ""

    def changes(self, *, replace: bool) -> tuple[Change, ...]:
        """The keys that would be written."""
        return (*self.additions, *(self.replacements if replace else ()))

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "file": str(self.file),
            "note": self.note,
            "sources": [asdict(source) for source in self.sources],
            "additions": [_told(change) for change in self.additions],
            "replacements": [_told(change) for change in self.replacements],
        }


@dataclass(frozen=True, slots=True)
class Edit:
    """The settings file before and after."""

    file: Path
    before: str
    after: str
    changes: tuple[Change, ...]

    @property
    def diff(self) -> str:
        """What changes, line by line."""
        return diff(self.before, self.after, self.file)


def plan(name: str, *, sample: int = DEFAULT_SAMPLE, constants: Mapping[str, str] | None = None) -> MappingPlan:
    """Ask the platform and compare with what the settings say. Reads only."""
    config = _config(name)
    file = settings.REGELKREIS.home / "regelkreis.toml"
    with closing(connector(config)) as one:
        if not isinstance(one, Discovers):
            note = f"The connector of platform “{config.platform}” does not tell its fields: map them by hand."
            return MappingPlan(name, file, (), (), (), note)
        mapping = one.mapping
        samples = one.discover(sample=sample)
    sources = tuple(propose(found, mapping.sources.get(found.name), constants) for found in samples)
    written = _written(read(file), name)
    changes = [change for source in sources for change in _changes(source, written, config.mapping, mapping)]
    return MappingPlan(
        connection=name,
        file=file,
        sources=sources,
        additions=tuple(change for change in changes if not change.is_yours),
        replacements=tuple(change for change in changes if change.is_yours),
    )


def edit(found: MappingPlan, *, replace: bool, at: datetime) -> Edit:
    """The settings file with the proposal in it, proved to be readable. Nothing is written yet."""
    before = read(found.file)
    changes = found.changes(replace=replace)
    if not changes:
        return Edit(found.file, before, before, ())
    lines = [_line(found.connection, change) for change in changes]
    rows = max((source.rows for source in found.sources), default=0)
    remark = (
        f"Proposed by `regelkreis connect {found.connection}` on {at:%Y-%m-%d} from up to {rows} records a source; "
        "yours to edit."
    )
    after = edited(before, lines, remark=remark, path=found.file)
    _must_be_usable(found.connection, _written(after, found.connection))
    return Edit(found.file, before, after, changes)


def apply(made: Edit, connection: str, actor: Person, *, at: datetime) -> None:
    """Write the file and the ledger entry. Writing to the platform is not switched on by this."""
    if not made.changes:
        return
    if not actor.has_role(Role.ADMIN):
        raise PermissionMissing(f"{actor.username} is no administrator.", mend="Ask one to map the connection.")
    mapping = _written(made.after, connection)
    digest = hashlib.sha256(json.dumps(mapping, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    with transaction.atomic():
        payload = {"keys": len(made.changes), "mapping_sha256": digest}
        ledger.append("connection.mapped", subject=connection, actor=actor.uid, at=at, payload=payload)
        write(made.file, made.before, made.after)


# --- what differs -------------------------------------------------------------------------------------------------


def _changes(
    source: SourceProposal, written: Mapping[str, Any], in_force: Mapping[str, Any], mapping: PlatformMapping
) -> Iterator[Change]:
    """The keys of one source that the settings do not say as proposed; what is set elsewhere is left alone."""
    theirs: Mapping[str, Any] = written.get(source.name) or {}
    is_elsewhere = source.name in in_force and source.name not in written
    if is_elsewhere or (source.is_new and not source.whole["fields"]):
        return
    if source.is_new:
        if source.name not in mapping.sources:
            for key, value in source.whole.items():
                yield Change(source.name, (key,), value, "")
        return
    if source.switch_off:
        if "is_enabled" not in theirs and "source" not in theirs:
            yield Change(source.name, ("is_enabled",), False, source.problem)
        return
    if source.renamed_from:
        is_theirs = "source" in theirs
        yield Change(source.name, ("source",), source.source, f"not “{source.renamed_from}” here",
                     theirs.get("source"), is_theirs)  # fmt: skip
    said: Mapping[str, Any] = theirs.get("fields") or {}
    for field in source.fields:
        if field.said is None:
            continue
        if field.name not in said:
            yield Change(source.name, ("fields", field.name), field.said, _remark(field, source))
        elif field.is_change and FieldMap.model_validate(said[field.name]) != FieldMap.model_validate(field.said):
            yield Change(
                source.name, ("fields", field.name), field.said, _remark(field, source), said[field.name], True
            )


def _remark(field: FieldProposal, source: SourceProposal) -> str:
    if field.filled is None:
        return field.note
    if not field.paths:
        return field.note
    share = f"filled in {percent(field.filled)} of {source.rows}"
    return f"{share}; e.g. {', '.join(field.examples)}" if field.examples else share


def percent(share: float) -> str:
    """A share in whole percent, never rounded to none or all."""
    return f"{min(max(round(100 * share), 1 if share else 0), 100 if share == 1 else 99)} %"


def _line(connection: str, change: Change) -> Line:
    *table, key = change.key
    return Line(("connections", connection, "mapping", change.source, *table), key, change.value, change.remark)


def _told(change: Change) -> dict[str, Any]:
    told = {"source": change.source, "key": ".".join(change.key), "value": change.value, "remark": change.remark}
    return {**told, "yours": change.yours} if change.is_yours else told


def _written(text: str, connection: str) -> dict[str, Any]:
    """The mapping as the settings file says it."""
    found: Any = tomllib.loads(text)
    for name in ("connections", connection, "mapping"):
        found = found.get(name, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}


def _must_be_usable(name: str, mapping: Mapping[str, Any]) -> None:
    """Open the connector with the new mapping: it refuses what it cannot read. Sends nothing."""
    config = _config(name)
    connector(config.model_copy(update={"mapping": {**config.mapping, **mapping}})).close()


def _config(name: str) -> ConnectionConfig:
    configured: Mapping[str, ConnectionConfig] = settings.REGELKREIS.connections
    if name not in configured:
        raise InputError(
            f"There is no connection “{name}”.",
            mend=f"Known: {', '.join(sorted(configured)) or 'none'}. Describe it in regelkreis.toml.",
        )
    return configured[name]


def constants_of(texts: Sequence[str]) -> dict[str, str]:
    """``["country=CH"]`` → ``{"country": "CH"}``; :class:`InputError` for another form or an unknown field."""
    from connectors.discovery.countries import code_of
    from connectors.discovery.words import WORDS

    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not value.strip():
            raise InputError(f"“{text}” is no constant.", mend="Write it like country=CH.")
        if name.strip() not in WORDS:
            raise InputError(f"“{name}” cannot be a constant here.", mend=f"Known: {', '.join(WORDS)}.")
        if name.strip() == "country" and code_of(value) not in (None, value.strip()):
            raise InputError(f"“{value.strip()}” is no country code.", mend=f"Did you mean {code_of(value)}?")
        found[name.strip()] = value.strip()
    return found
