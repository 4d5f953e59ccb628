"""The JSON Schema of rule documents, for completion and checks in an editor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from improvement.rules.defaults import DefaultsDocument
from improvement.rules.documents import RuleDocument, RuleTestDocument
from improvement.rules.scope import DIMENSIONS

if TYPE_CHECKING:
    from improvement.metrics.catalogue import Metric

ID = "https://regelkreis.example/schema/rules-v1.json"


def json_schema(catalogue: Mapping[str, Metric]) -> dict[str, Any]:
    """One schema for the three kinds; metrics, filter keys and dimensions are listed by name."""
    models = [(model, "validation") for model in (RuleDocument, DefaultsDocument, RuleTestDocument)]
    _, schema = models_json_schema(models, by_alias=True, ref_template="#/$defs/{model}")  # type: ignore[arg-type]
    definitions = schema["$defs"]
    metrics = {"enum": sorted(catalogue)}
    where = sorted({key for metric in catalogue.values() for key in metric.where_keys})
    for name in ("SpecPart", "DefaultSpecPart", "WhilePart"):
        properties = definitions[name]["properties"]
        properties["metric"] = metrics
        properties["where"] = {**properties["where"], "propertyNames": {"enum": where}}
    names = {"anyOf": [{"enum": list(DIMENSIONS)}, {"type": "array", "items": {"enum": list(DIMENSIONS)}}]}
    for name in ("SpecPart", "DefaultSpecPart", "FlowDownPart"):
        definitions[name]["properties"]["by"] = names
    kinds = {"Rule": "RuleDocument", "Defaults": "DefaultsDocument", "RuleTest": "RuleTestDocument"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "Regelkreis rules",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "allOf": [
            {"if": {"properties": {"kind": {"const": kind}}}, "then": {"$ref": f"#/$defs/{model}"}}
            for kind, model in kinds.items()
        ],
        "properties": {"kind": {"enum": list(kinds)}},
        "$defs": definitions,
    }
