"""Scopes: one combination of customer, country, service … on one connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from improvement.errors import InputError

DIMENSIONS = ("customer", "country", "service", "supplier", "category", "assignment_group", "priority")
NONE = "(none)"  # the scope value of a missing dimension
PRIORITIES = ("1", "2", "3", "4", "5", NONE)
_ESCAPES = str.maketrans({letter: "\\" + letter for letter in "\\,="})


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """Dimension values, sorted by dimension. The empty scope is a whole connection."""

    items: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Scope:
        """The scope of these values; a missing one becomes ``(none)``."""
        return cls(tuple(sorted((name, NONE if value is None else str(value)) for name, value in values.items())))

    @classmethod
    def parse(cls, key: str) -> Scope:
        """The scope of a key as :attr:`key` writes it, or with blanks after its commas; :class:`InputError` else."""
        items = []
        for part in _split(key, ",") if key else []:
            name, *rest = _split(part.lstrip(" "), "=")
            if len(rest) != 1 or not name:
                mend = "Write it like country=CH,customer=Acme; a comma in a name as \\,."
                raise InputError(f"“{key}” is not a scope.", mend=mend)
            items.append((_unescape(name), _unescape(rest[0])))
        if len(dict(items)) != len(items):
            raise InputError(f"“{key}” names a dimension twice.", mend="Name each dimension once.")
        return cls(tuple(sorted(items)))

    @property
    def key(self) -> str:
        """Stable text, sorted by dimension: ``country=CH,customer=Acme,service=Mail``."""
        return ",".join(f"{_escape(name)}={_escape(value)}" for name, value in self.items)

    def get(self, name: str) -> str | None:
        """The value of one dimension, or None where the scope has no such dimension."""
        return next((value for dimension, value in self.items if dimension == name), None)

    def overlaps(self, other: Scope) -> bool:
        """Whether one record can belong to both: every dimension that both name is equal in both."""
        return all(other.get(name) in (None, value) for name, value in self.items)

    def is_worked_on_from(self, other: Scope) -> bool:
        """Whether what is done on another scope changes this one rather than all of its kind.

        It overlaps this one, and shares a dimension with it: what is done on a service works in every customer alike.
        """
        is_shared = not other.items or any(other.get(name) is not None for name, _ in self.items)
        return is_shared and self.overlaps(other)

    def as_dict(self) -> dict[str, str]:
        """Dimension → value."""
        return dict(self.items)

    def __str__(self) -> str:
        return self.key or "everything"


def _escape(text: str) -> str:
    return text.translate(_ESCAPES)


def _unescape(text: str) -> str:
    letters = iter(text)
    return "".join(next(letters, "\\") if letter == "\\" else letter for letter in letters)


def _split(text: str, separator: str) -> list[str]:
    """Split at separators that are not escaped; escapes stay."""
    parts, current, is_escaped = [], "", False
    for letter in text:
        if letter == separator and not is_escaped:
            parts.append(current)
            current = ""
        else:
            current += letter
        is_escaped = letter == "\\" and not is_escaped
    return [*parts, current]
