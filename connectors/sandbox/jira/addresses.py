"""What the parts of an address look like. A number longer than any id is the address of nothing (404)."""

from __future__ import annotations

MAX_DIGITS = 18  # an id fits into 64 bits


def number(name: str) -> str:
    """The pattern of an id that a function takes under this name."""
    return f"(?P<{name}>[0-9]{{1,{MAX_DIGITS}}})"


API = r"/rest/api/(?P<version>2|3|latest)"
ID = number("id")
KEY = r"(?P<key>[A-Za-z0-9_-]+)"
NAME = r"(?P<name>[^/]+)"


def whole(text: object) -> int | None:
    """The id that a text writes out; None where it is none, or longer than any."""
    written = str(text)
    return int(written) if written.isdecimal() and len(written) <= MAX_DIGITS else None
