"""What is left of a document when everything misshapen is taken out, so that names and units are judged in one pass."""

from __future__ import annotations

import copy
from typing import Any

from pydantic import BaseModel, ValidationError

from improvement.rules.problems import Path, Problems

PLACEHOLDERS: dict[Path, Any] = {
    ("apiVersion",): "regelkreis/v1",
    ("kind",): "Rule",
    ("metadata",): {},
    ("metadata", "id"): "x",
    ("metadata", "title"): "x",
    ("spec", "target"): {"worse_than_own": {"by": "1%"}},  # means something for every metric
}
ROUNDS = 6  # taking something out may leave its parent misshapen


def salvaged(model: type[BaseModel], raw: Any, problems: Problems) -> BaseModel | None:
    """A valid document made of the valid parts of ``raw``, or None where too little is left (no metric, no spec)."""
    rest = copy.deepcopy(raw)
    for _ in range(ROUNDS):
        try:
            return model.model_validate(rest)
        except ValidationError as error:
            for item in error.errors(include_url=False):
                path = problems.real(item["loc"])
                _take_out(rest, path)
                if path in PLACEHOLDERS:
                    _put(rest, path, copy.deepcopy(PLACEHOLDERS[path]))
            if not _has(rest, ("spec", "metric")):
                return None
            if _has(rest, ("spec", "target", "worse_than_own")):  # else a placeholder could be called wrong
                rest["spec"].pop("clear", None)
                rest["spec"].pop("flow_down", None)
    return None


def _parent(rest: Any, path: Path) -> Any:
    for part in path[:-1]:
        try:
            rest = rest[part]
        except (KeyError, IndexError, TypeError):
            return None
    return rest


def _has(rest: Any, path: Path) -> bool:
    parent = _parent(rest, path)
    return isinstance(parent, dict) and path[-1] in parent


def _take_out(rest: Any, path: Path) -> None:
    """Remove what a path leads to, or what should hold it; of a list with a bad item the whole list, so that the
    positions of the other items stay right."""
    first_item = next((position for position, part in enumerate(path) if isinstance(part, int)), len(path))
    path = path[:first_item]
    while path and path not in PLACEHOLDERS and not _has(rest, path):
        path = path[:-1]
    parent = _parent(rest, path)
    if path and isinstance(parent, dict):
        parent.pop(path[-1], None)


def _put(rest: Any, path: Path, value: Any) -> None:
    parent = _parent(rest, path)
    if isinstance(parent, dict):
        parent[path[-1]] = value
