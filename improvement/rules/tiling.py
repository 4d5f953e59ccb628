"""Which published values of a rule may be added up: those whose windows lie side by side, each week in one of them."""

from __future__ import annotations

SPAN_WEEKS = 12  # about a quarter: one window alone would mostly be chance


def window_ends(newest: int, *, window_weeks: int, every_weeks: int) -> list[int]:
    """The weeks with which the windows end that fill about a quarter up to ``newest``, the newest first.

    A window of seven weeks or more is a span of its own. Of shorter ones several are needed, and there is a value at
    the end of each only where the window is a multiple of the step between values; else some weeks would count twice
    or not at all, so there are none.
    """
    number = max(1, SPAN_WEEKS // window_weeks)
    if number > 1 and window_weeks % every_weeks:
        return []
    return [newest - window_weeks * place for place in range(number)]
