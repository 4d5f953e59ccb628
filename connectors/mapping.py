"""From platform fields to canonical columns, as data that an ITSM admin can read and change.

A mapping lists *sources* (a ServiceNow table, a Jira issue type) and says for each canonical field where its value
comes from::

    [connections.acme.mapping.incident.fields]
    customer = "company.name"                                   # a field, dot-walked
    supplier = ["u_supplier.name", "vendor.name"]               # the first that has a value
    country  = { constant = "CH" }                              # always this
    priority = { field = "u_prio", values = { P1 = 1, P2 = 2 }, otherwise = 4 }

What is not said stays as the platform's default (:mod:`connectors.servicenow.defaults`,
:mod:`connectors.jira.defaults`). Unknown names end in a :class:`MappingError` that lists near matches.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from improvement.errors import MappingError, Place
from improvement.records import SCHEMAS, RecordKind

Scalar = str | int | float | bool | None

FILLED_BY_CONNECTOR = frozenset({"connection", "id", "updated_at"})


class FieldMap(BaseModel):
    """Where one canonical field comes from.

    ``fields`` are platform fields (dot-walked names; on Jira also names of custom fields), the first with a value
    counts. ``values`` translates the platform's text (compared without regard to case), ``otherwise`` is what any
    other text becomes; without ``otherwise`` other texts stay as they are. ``constant`` replaces all of it.
    ``is_optional``: a default that not every instance has; its absence is reported, not refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fields: tuple[str, ...] = ()
    constant: Scalar = None
    values: dict[str, Scalar] = Field(default_factory=dict)
    otherwise: Scalar = None
    has_otherwise: bool = False
    is_optional: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_shorthand(cls, raw: Any) -> Any:
        if isinstance(raw, str):
            return {"fields": (raw,)}
        if isinstance(raw, list | tuple):
            return {"fields": tuple(raw)}
        if isinstance(raw, dict):
            full = dict(raw)
            if "field" in full:
                field = full.pop("field")
                full["fields"] = tuple(field) if isinstance(field, list | tuple) else (field,)
            if "otherwise" in full:
                full.setdefault("has_otherwise", True)
            full["values"] = {str(key).strip().casefold(): value for key, value in (full.get("values") or {}).items()}
            return full
        return raw

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.fields and "constant" not in self.model_fields_set:
            raise ValueError("say a field or a constant")
        return self

    def translate(self, raw: str | None) -> Scalar:
        """The canonical value of one platform text; empty text is None."""
        if not self.fields:
            return self.constant
        if raw is None or raw == "":
            return None
        if not self.values and not self.has_otherwise:
            return raw
        return self.values.get(raw.strip().casefold(), self.otherwise if self.has_otherwise else raw)

    def translate_column(self, raw: pa.Array) -> pa.Array:
        """:meth:`translate` for a whole string column at once; numbers and booleans come back as text."""
        if not self.values and not self.has_otherwise:
            return pc.if_else(pc.equal(raw, ""), pa.scalar(None, pa.string()), raw)
        encoded = raw.dictionary_encode()
        words = [self.translate(word) for word in encoded.dictionary.to_pylist()]
        texts = [str(word).lower() if isinstance(word, bool) else None if word is None else str(word) for word in words]
        return pc.take(pa.array(texts, pa.string()), encoded.indices)


class SourceMap(BaseModel):
    """One platform source of one canonical kind.

    ``source`` is the table (ServiceNow) or issue type (Jira); ``filter`` narrows it in the platform's own query
    language; ``is_enabled`` switches it off.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: RecordKind
    source: str
    filter: str = ""
    is_enabled: bool = True
    fields: dict[str, FieldMap]

    @model_validator(mode="after")
    def _maps_known_fields(self) -> Self:
        known = [name for name in SCHEMAS[self.kind].names if name not in FILLED_BY_CONNECTOR]
        for name in self.fields:
            if name not in known:
                raise ValueError(f"“{name}” is no field of a {self.kind}.{near_matches(name, known)}")
        return self

    def paths(self) -> list[str]:
        """Every platform field this source reads, without repeats, in a stable order."""
        return list(dict.fromkeys(path for field in self.fields.values() for path in field.fields))


class PlatformMapping(BaseModel):
    """All sources of one connection, by the name a person uses in the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: dict[str, SourceMap]

    def of_kind(self, kind: RecordKind) -> list[SourceMap]:
        """The enabled sources that deliver this kind, in order."""
        return [source for source in self.sources.values() if source.kind is kind and source.is_enabled]

    def kinds(self) -> list[RecordKind]:
        """The kinds that have an enabled source, in pull order."""
        return [kind for kind in RecordKind if self.of_kind(kind)]


def merged(default: PlatformMapping, overrides: Mapping[str, Any], *, connection: str) -> PlatformMapping:
    """The platform's default mapping with a connection's overrides laid over it.

    A source of the default needs only what differs; a new source must be complete (kind, source, fields). Raises
    :class:`MappingError` naming source, field and near matches.
    """
    sources: dict[str, Any] = {name: source.model_dump() for name, source in default.sources.items()}
    for name, override in overrides.items():
        place = Place(connection=connection, field=f"mapping.{name}")
        if not isinstance(override, Mapping):
            raise MappingError("A source is a table of settings.", where=place, mend="Write [mapping.NAME.fields].")
        base = sources.get(name)
        if base is None and "kind" not in override:
            raise MappingError(
                f"There is no source “{name}”.{near_matches(name, sources)}",
                where=place,
                mend="Name one of the default's sources, or give kind, source and fields for a new one.",
            )
        fields = {**(base["fields"] if base else {}), **override.get("fields", {})}
        sources[name] = {"source": name, **(base or {}), **override, "fields": fields}
    checked: dict[str, SourceMap] = {}
    for name, raw in sources.items():
        try:
            checked[name] = SourceMap.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            path = ".".join(str(part) for part in first["loc"])
            if first["type"] == "extra_forbidden":
                key = str(first["loc"][-1])
                what = f"A source has no key “{key}”.{near_matches(key, SourceMap.model_fields)}"
            else:
                what = f"{first['msg'].removeprefix('Value error, ').rstrip('.')}."
            raise MappingError(
                what,
                where=Place(connection=connection, field=f"mapping.{name}" + (f".{path}" if path else "")),
                mend="See the mapping section of the how-to of this platform.",
            ) from error
    return PlatformMapping(sources=checked)


def digest_of(sources: Iterable[SourceMap], *, default_country: str | None) -> str:
    """What tells whether these sources, in this order, are read as they were before, whatever the words."""
    found = list(sources)
    said = [json.dumps({"kind": source.kind, **meaning(source)}, sort_keys=True) for source in found]
    if default_country is not None and any("country" in SCHEMAS[source.kind].names for source in found):
        said.append(default_country)
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:12]


def meaning(source: SourceMap) -> dict[str, Any]:
    """What of a source decides a value, whatever the words it was said in."""
    fields = {name: _meaning(field) for name, field in source.fields.items()}
    return {"source": source.source, "filter": source.filter, "fields": fields}


def _meaning(field: FieldMap) -> dict[str, Any]:
    if not field.fields:
        return {"constant": field.constant}
    return {
        "fields": list(field.fields),
        **({"values": field.values} if field.values else {}),
        **({"otherwise": field.otherwise} if field.has_otherwise else {}),
    }


def unknown_field(name: str, known: Iterable[str], *, connection: str, source: str, used_for: str) -> MappingError:
    """The error for a mapped field that the platform does not have (or does not show to us)."""
    return MappingError(
        f"{source} has no field “{name}” (mapped to {used_for}).{near_matches(name, known)}",
        where=Place(connection=connection, field=f"mapping.{source}.fields.{used_for}"),
        mend="Correct the name, or set it to a constant.",
    )


def near_matches(name: str, known: Iterable[str]) -> str:
    """`` Did you mean …?`` with up to three names that look alike, or nothing."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.6)
    return f" Did you mean {', '.join(by_folded[match] for match in close)}?" if close else ""
