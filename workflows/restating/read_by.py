"""What a connection's records are read by: a digest of its mapping for each kind of record.

It says the same of a mapping that means the same: the order of sources, keys and translated values, the short and the
long way of writing, and what is said but equals the platform's default make no difference. The order of several fields
does, because the first that has a value counts.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings

from connectors.mapping import PlatformMapping, meaning, merged
from improvement.errors import MappingError
from improvement.evidence.canonical import digest
from improvement.records import SCHEMAS, RecordKind


def digests(connection: str) -> dict[str, str]:
    """Kind → digest of how its records are read now; empty where nothing can be told: no settings, or invalid ones."""
    config = settings.REGELKREIS.connections.get(connection)
    if config is None:
        return {}
    said = json.dumps(config.mapping, sort_keys=True, default=str)
    return dict(_digests(config.platform, said, config.default_country))


def read_otherwise(connection: str, frozen: Mapping[str, str]) -> tuple[str, ...]:
    """The kinds of records that are read otherwise than by these digests; of other kinds nothing is said."""
    now = digests(connection)
    return tuple(sorted(kind for kind, then in frozen.items() if kind in now and now[kind] != then))


def of_kinds(connection: str, kinds: Collection[RecordKind]) -> dict[str, str]:
    """The digests of some kinds."""
    return {kind: found for kind, found in digests(connection).items() if kind in kinds}


@lru_cache(maxsize=64)
def _digests(platform: str, said: str, default_country: str | None) -> Mapping[str, str]:
    overrides = json.loads(said)
    default = _default(platform)
    if default is None:  # of another package: what it makes of it only its connector knows
        return dict.fromkeys(RecordKind, digest([overrides, default_country]))
    try:
        mapping = merged(default, overrides, connection="")
    except MappingError:  # nothing is read by it either; the pull says what is wrong
        return {}
    return {kind: digest(_of_kind(mapping, kind, default_country)) for kind in RecordKind}


def _default(platform: str) -> PlatformMapping | None:
    if platform == "servicenow":
        from connectors.servicenow.defaults import DEFAULT

        return DEFAULT
    if platform == "jira":
        from connectors.jira.defaults import DEFAULT_MAPPING

        return DEFAULT_MAPPING
    return None


def _of_kind(mapping: PlatformMapping, kind: RecordKind, default_country: str | None) -> dict[str, Any]:
    sources = sorted((meaning(source) for source in mapping.of_kind(kind)), key=digest)
    country = default_country if "country" in SCHEMAS[kind].names else None
    return {"sources": sources, "default_country": country}
