"""What is known of an improvement action: its states, the events that move it, and the facts guards ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from improvement.evidence.entries import EntryType
from improvement.vocabulary import OPEN_STATES, State

__all__ = [
    "ENGINE",
    "OPEN_STATES",
    "PLATFORM",
    "ActionFacts",
    "Actor",
    "Call",
    "Entry",
    "Event",
    "Moved",
    "Refused",
    "State",
    "Who",
]


class Event(StrEnum):
    """What can happen to an action, its opening first."""

    OPEN = "open"
    SUBMIT = "submit"
    APPROVE = "approve"
    REJECT = "reject"
    LAPSE = "lapse"
    START = "start"
    GO_LIVE = "go_live"
    CORRECT_GOLIVE = "correct_golive"
    FINAL_LOOK = "final_look"
    STANDARDISE = "standardise"
    STOP = "stop"
    ADJUST = "adjust"
    LAST_SUSTAINING_LOOK = "last_sustaining_look"
    BAD_SUSTAINING_LOOK = "bad_sustaining_look"
    REAPPROVE = "reapprove"
    SLIP = "slip"
    HOLD = "hold"
    RESUME = "resume"
    CANCEL = "cancel"


ENGINE = "engine"
PLATFORM = "platform"


class Who(StrEnum):
    """Who may cause an event."""

    OWNER = "owner"
    APPROVER = "approver"
    PLATFORM = "platform"
    ENGINE = "engine"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person by pseudonymous id, or ``engine`` or ``platform``."""

    id: str

    @property
    def is_person(self) -> bool:
        """Whether a human being acts."""
        return self.id not in (ENGINE, PLATFORM)


@dataclass(frozen=True, slots=True)
class ActionFacts:
    """Everything the guards need to know of an action.

    ``goal``, ``min_effect`` and ``detectable_effect`` are sizes on the link scale (positive = the good side), or None
    while unknown. Dates are local to the scope.
    """

    state: State
    owner: str | None = None
    held_from: State | None = None
    hypothesis: str = ""
    metric: str = ""
    goal_text: str = ""  # as it was set, even where no data say how large it is on the link scale
    goal_inexpressible: str = ""  # why the goal has no size on the link scale, although there are data
    detectable_text: str = ""  # the detectable effect in the metric's own terms
    goal: float | None = None
    min_effect: float | None = None
    detectable_effect: float | None = None
    detectable_accepted_reason: str = ""
    golive_planned: date | None = None
    max_slip_weeks: int = 4
    has_windows: bool = False
    has_controls: bool = False
    approved_by: str | None = None
    approved_at: datetime | None = None  # UTC; kept by the caller, the machine knows days only
    frozen_on: date | None = None
    implemented_on: date | None = None
    has_looked: bool = False  # a look of the present cycle was computed
    first_implemented_on: date | None = None  # of the first cycle, once the action was adjusted
    trigger_last: date | None = None  # the Sunday that ends the trigger window
    cycle_no: int = 1
    plan_version: int = 0
    verdict: str | None = None
    is_late: bool = False
    is_overridden: bool = False  # two people overruled the verdict, with a reason; the verdict stays beside it
    may_approve_own: bool = False  # a small team's waiver, logged

    @property
    def is_approved(self) -> bool:
        """Whether the present plan version is frozen."""
        return self.approved_by is not None

    @property
    def standing(self) -> State:
        """Where the action stands in its loop, looking through a hold."""
        return self.held_from if self.state is State.ON_HOLD and self.held_from is not None else self.state


@dataclass(frozen=True, slots=True)
class Call:
    """One event as asked for: by whom, on which local day, with what."""

    event: Event
    actor: Actor
    today: date
    reason: str = ""
    implemented_on: date | None = None
    verdict: str | None = None
    acknowledged_by: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """Something worth a ledger entry of its own beside the transition; holds no free text and no names."""

    type: EntryType
    payload: dict[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moved:
    """The event was allowed; ``facts`` is the action afterwards, ``entries`` what has to be logged with it."""

    facts: ActionFacts
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The event was not allowed, with every reason at once."""

    reasons: tuple[str, ...]
