"""All that is wrong with a document, each with its place: pydantic's errors in our words, and our own."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from improvement.errors import InputError, Place
from improvement.rules.source import Node
from improvement.rules.suggestions import did_you_mean
from improvement.rules.units import number_text

Path = tuple[str | int, ...]
_KINDS = {
    "string_type": ("should be a text", 'Put it in quotes if it is one, like "5".'),
    "int_type": ("should be a whole number", "Write it without quotes, like 30."),
    "int_parsing": ("should be a whole number", "Write it like 30."),
    "int_from_float": ("should be a whole number", "Write it like 30."),
    "float_type": ("should be a number", "Write it like 0.8."),
    "float_parsing": ("should be a number", "Write it like 0.8."),
    "list_type": ("should be a list", "Write it like [a, b], or one line with a dash each."),
    "dict_type": ("should be a mapping", "Write it as key: value."),
    "model_type": ("should be a mapping", "Write it as key: value."),
    "bool_type": ("should be true or false", ""),
    "string_too_short": ("is empty", "Write something, or remove the key."),
}

_BOUNDS = {  # pydantic's name of a bound → where its annotation keeps it, and how people read it
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


class Problems:
    """Collects errors about one document. ``layers`` are the trees it was merged from, the document itself first.

    ``is_stored``: it is a version that was live already, and is read whatever today's language refuses as futile.
    """

    def __init__(self, layers: list[tuple[Node, str]], *, is_stored: bool = False) -> None:
        self._layers = layers
        self.is_stored = is_stored
        self.errors: list[InputError] = []

    def add(self, path: Path, what: str, mend: str = "", *, of_key: bool = False) -> None:
        """One error at the value (or the key) of a path."""
        self.errors.append(InputError(what, where=self.place(path, of_key=of_key), mend=mend))

    def add_futile(self, path: Path, what: str, mend: str = "", *, of_key: bool = False) -> None:
        """An error about what has a meaning, but never does what it is written for."""
        if not self.is_stored:
            self.add(path, what, mend, of_key=of_key)

    def place(self, path: Path, *, of_key: bool = False) -> Place:
        """Where a path stands: in the document, else in the defaults it was taken from, else at what should hold it."""
        depths = [node.position(path)[0] for node, _ in self._layers]
        depth = max(depths)
        node, file = self._layers[depths.index(depth)]  # the first of equals: the document itself
        is_missing = depth < len(path)  # then the key that should hold it is shown
        _, line, column = node.position(path[:depth], of_key=of_key or is_missing)
        return Place(file=file, line=line, column=column, field=shown(path) or None)

    def add_from(self, error: ValidationError, model: type[BaseModel], prefix: Path = ()) -> None:
        """Every error of a failed validation."""
        seen: set[Path] = set()
        for item in error.errors(include_url=False):
            path = (*prefix, *self.real(item["loc"]))
            if path in seen and item["type"] != "extra_forbidden":  # other branches of a union say the same again
                continue
            seen.add(path)
            self._add_item(path, item, model)

    def real(self, location: tuple[int | str, ...]) -> Path:
        """A location without the names of union branches, which are no part of the document."""
        real: list[int | str] = []
        nodes = [node for node, _ in self._layers]
        for part in location:
            is_there = any(node.position((*real, part))[0] == len(real) + 1 for node in nodes)
            is_branch = (isinstance(part, str) and any(letter in part for letter in "[]() ")) or part in (
                "literal",
                "constrained-str",
            )
            if is_there or not is_branch:
                real.append(part)
        return tuple(real)

    def _add_item(self, path: Path, item: Any, model: type[BaseModel]) -> None:
        kind, name = item["type"], str(path[-1]) if path else "the document"
        context = item.get("ctx") or {}
        if kind == "extra_forbidden":
            self.add(
                path, f"There is no “{name[:60]}” here.", did_you_mean(name, _allowed_at(model, path)), of_key=True
            )
        elif kind == "missing":
            self.add(path, f"“{name}” is missing.", "Add it.")
        elif kind == "said":
            self.add(path, context["what"], context["mend"])
        elif kind == "literal_error":
            options = [part.strip(" '") for part in str(context["expected"]).replace(" or ", ",").split(",")]
            given = str(item["input"])
            self.add(path, f"“{given[:60]}” is not allowed here.", did_you_mean(given, options))
        elif kind == "too_short":
            self.add(path, f"“{name}” is empty.", "Name at least one.")
        elif kind == "too_long":
            self.add(path, f"“{name}” holds too many.", f"Keep at most {context['max_length']}.")
        elif kind in _BOUNDS:
            bounds = _bounds_at(model, path)
            self.add(path, f"{str(item['input'])[:60]} is out of bounds.", f"It must be {bounds}.")
        elif kind == "string_too_long":
            self.add(path, f"“{name}” is too long.", f"Keep at most {context['max_length']} characters.")
        elif kind == "string_type" and isinstance(item["input"], dict):
            self.add(path, "This should be a text, but a colon makes it a mapping.", "Put the whole text in quotes.")
        elif kind in _KINDS:
            what, mend = _KINDS[kind]
            self.add(path, f"“{str(item['input'])[:60]}” {what}.", mend)
        elif kind == "string_pattern_mismatch":
            self.add(
                path,
                f"“{str(item['input'])[:60]}” is not an id.",
                "Use small letters, digits and hyphens, like sla-breaches.",
            )
        else:
            self.add(path, f"{item['msg'].rstrip('.')} (here: {str(item['input'])[:60]}).")


def shown(path: Path) -> str:
    """A path as people read it, without the leading ``spec``: ``overrides[1].target.max``."""
    parts = path[1:] if len(path) > 1 and path[0] == "spec" else path
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _allowed_at(model: type[BaseModel], path: Path) -> dict[str, FieldInfo]:
    """The keys a model allows where the last part of the path stands."""
    current: type[BaseModel] | None = model
    for part in path[:-1]:
        if isinstance(part, int):
            continue
        if current is None:
            return {}
        info = next((info for name, info in current.model_fields.items() if part == (info.alias or name)), None)
        current = _model_in(info.annotation) if info is not None else None
    return {info.alias or name: info for name, info in current.model_fields.items()} if current is not None else {}


def _bounds_at(model: type[BaseModel], path: Path) -> str:
    """Between what the number at a path must lie: *above 0 and at most 1*."""
    info = _allowed_at(model, path).get(str(path[-1]))
    bounds = dict(_bounds_in([*info.metadata, info.annotation])) if info is not None else {}
    said = [f"{words} {number_text(float(bounds[name]))}" for name, words in _BOUNDS.values() if name in bounds]
    return " and ".join(said)


def _bounds_in(annotations: Iterable[Any]) -> Iterator[tuple[str, float]]:
    """The bounds in annotations, and in those they are made of, such as a number or nothing."""
    for one in annotations:
        for name, _ in _BOUNDS.values():
            if getattr(one, name, None) is not None and not isinstance(one, type):
                yield name, getattr(one, name)
        yield from _bounds_in([*getattr(one, "metadata", ()), *typing.get_args(one)])


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in typing.get_args(annotation):
        found = _model_in(part)
        if found is not None:
            return found
    return None
