"""1 action, 2 actions."""

from __future__ import annotations


def how_many(number: int, one: str, many: str = "") -> str:
    """A number with its word: ``1 entry``, ``1,000 entries``; ``many`` where it is not ``one`` with an s."""
    return f"{number:,} {plural(number, one, many)}"


def plural(number: float, one: str, many: str = "") -> str:
    """The word that goes with a number."""
    return one if number == 1 else many or f"{one}s"
