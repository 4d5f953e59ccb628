"""The words every floor uses alike: states of an action, verdicts, and what a verdict allows.

Imports nothing, so that connectors may speak it too (through :mod:`improvement.records`). What is stored, published,
sent to a platform or compared anywhere is spelt as here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where an action stands. ``ON_HOLD`` remembers the state it left."""

    PROPOSED = "proposed"
    PLANNED = "planned"
    DOING = "doing"
    CHECKING = "checking"
    ACTING = "acting"
    SUSTAINING = "sustaining"
    CLOSED = "closed"
    ON_HOLD = "on hold"
    CANCELLED = "cancelled"


ENDED_STATES = frozenset({State.CLOSED, State.CANCELLED})
OPEN_STATES = frozenset(State) - ENDED_STATES

#: What a plan says instead of a smallest detectable effect where nothing could be seen.
NOTHING_DETECTABLE = "no effect of this kind is detectable with these numbers"


class Verdict(StrEnum):
    """The eight verdicts."""

    NOT_COMPUTED = "not computed"
    NOT_ENOUGH_DATA = "not enough data"
    WORSE = "worse"
    FADED = "faded"
    NOT_ATTRIBUTABLE = "improved, not attributable"
    NO_CHANGE = "no change"
    IMPROVED = "improved"
    RECOVERED = "recovered"


SUSTAINED_VERDICTS = frozenset({Verdict.IMPROVED, Verdict.NOT_ATTRIBUTABLE})
"""The metric is better than before: what a sustaining look has to find again."""
GOOD_VERDICTS = SUSTAINED_VERDICTS | {Verdict.RECOVERED}
"""What may be made the standard."""


class Closure(StrEnum):
    """How a platform's record of an ended action may be closed."""

    SUCCESSFUL = "successful"
    UNSUCCESSFUL = "unsuccessful"
    WITHDRAWN = "withdrawn"


CLOSURE_OUTCOMES: dict[Closure, str] = {
    Closure.SUCCESSFUL: "success",
    Closure.UNSUCCESSFUL: "no_success",
    Closure.WITHDRAWN: "dropped",
}
"""What ``resolutions`` of a connection calls each."""


class Gain(StrEnum):
    """What an improvement is an improvement of, as platforms sort them."""

    TIME = "time"
    SATISFACTION = "satisfaction"
    QUALITY = "quality"


@dataclass(frozen=True, slots=True)
class Said:
    """One thing in both languages."""

    en: str
    de: str

    def in_(self, language: str) -> str:
        """The words for a language like ``de`` or ``de-CH``; English for all others."""
        return self.de if language.startswith("de") else self.en


VERDICT_WORDS: dict[str, Said] = {
    Verdict.NOT_COMPUTED: Said("not computed", "nicht berechnet"),
    Verdict.NOT_ENOUGH_DATA: Said("not enough data", "zu wenig Daten"),
    Verdict.WORSE: Said("worse", "schlechter"),
    Verdict.FADED: Said("faded", "verblasst"),
    Verdict.NOT_ATTRIBUTABLE: Said("improved, not attributable", "verbessert, nicht zurechenbar"),
    Verdict.NO_CHANGE: Said("no change", "keine Veränderung"),
    Verdict.IMPROVED: Said("improved", "verbessert"),
    Verdict.RECOVERED: Said("recovered", "erholt"),
}
STATE_WORDS: dict[str, Said] = {
    State.PROPOSED: Said("proposed", "vorgeschlagen"),
    State.PLANNED: Said("planned", "geplant"),
    State.DOING: Said("doing", "in Umsetzung"),
    State.CHECKING: Said("checking", "in Prüfung"),
    State.ACTING: Said("decision due", "Entscheidung fällig"),
    State.SUSTAINING: Said("sustaining", "wird gehalten"),
    State.CLOSED: Said("closed", "abgeschlossen"),
    State.ON_HOLD: Said("on hold", "angehalten"),
    State.CANCELLED: Said("cancelled", "abgebrochen"),
}
DECISION_WORDS: dict[str, Said] = {
    "standardise": Said("make it the standard", "zum Standard machen"),
    "adjust": Said("adjust", "anpassen"),
    "stop": Said("stop", "beenden"),
}

#: Why nothing is opened where the same rule and scope, or the parent that stands for it, is worked on.
HAS_OPEN_TWIN = "this rule and scope has an open action already"
