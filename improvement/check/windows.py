"""Reference, trigger, confirmation and after, as whole ISO weeks."""

from __future__ import annotations

from datetime import date

from improvement.check.model import Windows
from improvement.weeks import monday, week_of

REFERENCE_WEEKS = 52
MIN_REFERENCE_WEEKS = 26
LONG_WEEKS = 104
SUSTAIN_WEEKS = 13  # a sustaining look reads the latest so many weeks


def first_after_week(implemented_on: date) -> int:
    """The week of the first Monday on or after the go-live."""
    week = week_of(implemented_on)
    return week if monday(week) == implemented_on else week + 1


def windows_for(
    *,
    trigger_first: int,
    trigger_last: int,
    implemented_on: date,
    earliest_week: int | None = None,
    first_implemented_on: date | None = None,
) -> Windows:
    """The windows of a plan.

    A week that holds a mid-week go-live belongs to no window; confirmation ends the Sunday before and may be empty.
    Of an adjusted action (``first_implemented_on`` of its first cycle) reference and trigger stay, weeks between the
    two go-lives belong to no window, and confirmation is empty.
    """
    after_from = first_after_week(implemented_on)
    first_reference = trigger_first - REFERENCE_WEEKS
    if earliest_week is not None:
        first_reference = max(first_reference, min(earliest_week, trigger_first - 1))
    confirmation: tuple[int, int] | None = (trigger_last + 1, week_of(implemented_on) - 1)
    if first_implemented_on is not None or confirmation is None or confirmation[1] < confirmation[0]:
        confirmation = None
    return Windows((first_reference, trigger_first - 1), (trigger_first, trigger_last), confirmation, after_from)
