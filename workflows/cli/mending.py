"""Which option mends a refused plan: reasons are the same everywhere, how to answer them is the command line's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

#: How a reason of improvement/guards.py ends → what of `actions plan` answers it.
PLAN_OPTIONS = {
    "the hypothesis is missing": "--hypothesis …",
    "the goal is missing": "--goal …",
    "the minimum effect is missing": "--min-effect …",
    "the planned go-live is missing": "--golive …",
    "the goal goes against the metric's direction": "--goal …",
    "the minimum effect is larger than the goal": "--min-effect …",
    "give a reason to go on nevertheless": "--accept-detectable …",
}


@contextmanager
def naming_options(code: str) -> Iterator[None]:
    """A plan that is refused names the command that mends it."""
    from improvement.errors import GuardRefused

    try:
        yield
    except GuardRefused as refused:
        answers = [PLAN_OPTIONS[end] for end in PLAN_OPTIONS if any(one.endswith(end) for one in refused.reasons)]
        options = " ".join(dict.fromkeys(answers))
        refused.mend = f"(`regelkreis actions plan {code} {options}`)" if options else refused.mend
        raise
