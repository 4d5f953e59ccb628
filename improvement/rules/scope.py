"""A scope: one combination of dimension values, with one canonical spelling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """Dimension values, sorted by dimension; ``key`` is its one spelling: ``country=CH,customer=Acme``."""

    items: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Scope:
        """The scope of these values."""
        return cls(tuple(sorted((key, str(value)) for key, value in values.items())))

    @property
    def key(self) -> str:
        """``dimension=value`` pairs, commas and equals signs in values escaped with a backslash."""
        return ",".join(f"{key}={_escaped(value)}" for key, value in self.items)

    def get(self, dimension: str) -> str | None:
        """The value of one dimension, None where the scope does not have it."""
        return dict(self.items).get(dimension)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
