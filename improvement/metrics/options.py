"""What an organisation may choose about metrics: how near a repeat is, what its mood barometer is made of, and what is
counted in business time.

The choices travel with every query, so that the SQL kept with a value holds the ones it was computed with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from improvement.errors import InputError


@dataclass(frozen=True, slots=True)
class MoodPart:
    """One part of the mood: its weight, and the values that score 0 (``worst``) and 100 (``best``); linear between."""

    name: str
    what: str
    unit: str
    weight: float
    worst: float
    best: float


MOOD_PARTS = (
    MoodPart("csat", "mean satisfaction score, 1 to 5", "points", 30, 1, 5),
    MoodPart("nps", "mean of +1 (promoter), 0, −1 (detractor)", "points", 15, -1, 1),
    MoodPart("response_rate", "surveys answered within a week, of those sent", "share", 10, 0, 0.4),
    MoodPart("contact_gap", "days since the customer was last spoken to", "days", 15, 90, 14),
    MoodPart("complaints", "complaints per incident and request opened", "share", 10, 0.05, 0),
    MoodPart("escalations", "escalations per incident and request opened", "share", 10, 0.05, 0),
    MoodPart("reopened", "resolved tickets that were reopened", "share", 10, 0.15, 0),
)

CAN_BE_BUSINESS = ("time_to_respond", "time_to_resolve")  # metrics that business time may be chosen for


@dataclass(frozen=True, slots=True)
class MetricOptions:
    """The choices in force.

    ``repeat_days``: an incident is a repeat of one opened at most so many days earlier. ``mood_weeks``: weeks a part
    of the mood looks back. ``mood_answers``: fewer surveys than these give no part of a mood, so that it is never one
    person's. ``mood_share``: the parts that are known must have at least this share of all weights. ``business``:
    metrics counted in business hours where a country has a calendar (sorted); ``calendars``: the digest of these
    calendars, so that the SQL of a value says by which ones it was counted.
    """

    repeat_days: int = 7
    mood: tuple[MoodPart, ...] = MOOD_PARTS
    mood_weeks: int = 4
    mood_answers: int = 5
    mood_share: float = 0.5
    business: tuple[str, ...] = ()
    calendars: str = ""

    def __hash__(self) -> int:
        """Of what is short: every query is looked up by its options, too."""
        return hash((self.repeat_days, self.mood_weeks, self.business, self.calendars))

    @property
    def mood_weight(self) -> float:
        """The weights of all parts together."""
        return float(sum(part.weight for part in self.mood))

    def with_mood_weights(self, weights: Mapping[str, float]) -> MetricOptions:
        """The same with other weights of some parts; a weight of 0 leaves a part out.

        :class:`InputError` for a part that does not exist, a negative weight, or nothing left.
        """
        names = [part.name for part in self.mood]
        for name, weight in weights.items():
            if name not in names:
                raise InputError(f"The mood has no part “{name}”.", mend=f"Its parts: {', '.join(names)}.")
            if not 0 <= weight < float("inf"):
                raise InputError(f"{weight:g} is no weight of “{name}”.", mend="Use a number from 0 on.")
        parts = [replace(part, weight=float(weights.get(part.name, part.weight))) for part in self.mood]
        kept = tuple(part for part in parts if part.weight > 0)
        if not kept:
            raise InputError("No part of the mood has a weight.", mend="Give at least one part a weight above 0.")
        return replace(self, mood=kept)


DEFAULTS = MetricOptions()
