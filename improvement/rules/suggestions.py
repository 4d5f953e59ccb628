"""Did you mean …?"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST_LISTED = 20


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """“Did you mean x?” for a near miss, else what is known."""
    options = sorted(known)
    near = difflib.get_close_matches(given[:100], options, n=1, cutoff=0.6)
    if not near:
        near = [option for option in options if given and option.lower() == given[:100].lower()][:1]
    if near:
        return f"Did you mean {near[0]}?"
    rest = f" and {len(options) - MOST_LISTED} more" if len(options) > MOST_LISTED else ""
    return f"Known: {', '.join(options[:MOST_LISTED])}{rest}."


def close_to(given: str, known: Iterable[str]) -> str | None:
    """The known name that was almost certainly meant, whatever its capitals; None where none is that near."""
    options = {option.casefold(): option for option in known}
    near = difflib.get_close_matches(given[:100].casefold(), sorted(options), n=1, cutoff=0.8)
    return options[near[0]] if near else None
