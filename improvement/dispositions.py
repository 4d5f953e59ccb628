"""What became of every breached clock: exactly one disposition each, so that nothing is forgotten or counted twice.

The first that fits, in the order of :class:`Disposition`. *Covered* comes before *customer wait* and *supplier*: what a
finding holds is being worked on, whoever took the time. The last fits always, so no clock is left over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from improvement.minutes import Minutes, Party


class Disposition(StrEnum):
    """In the order they are tried."""

    EXCLUDED = "excluded"
    DUPLICATE = "duplicate"
    COVERED = "covered"
    CUSTOMER_WAIT = "customer_wait"
    SUPPLIER = "supplier"
    TOO_FEW_SAMPLES = "too_few_samples"
    BELOW_THRESHOLD = "below_threshold"
    NO_RULE = "no_rule"


MEANS: dict[Disposition, str] = {
    Disposition.EXCLUDED: "does not count, for the reason given",
    Disposition.DUPLICATE: "the same ticket, agreement and start as another one",
    Disposition.COVERED: "a finding fired that holds it",
    Disposition.CUSTOMER_WAIT: "more than half of its overrun was waiting for the customer",
    Disposition.SUPPLIER: "a supplier's own clock, or more than half of its overrun was a supplier's",
    Disposition.TOO_FEW_SAMPLES: "a rule counts it, but too little happened in its scope to judge",
    Disposition.BELOW_THRESHOLD: "a rule counts it, and its scope kept the target, or broke it too briefly",
    Disposition.NO_RULE: "no rule looked at it",
}


@dataclass(frozen=True, slots=True)
class BreachedClock:
    """One breached clock of the population. ``n`` orders clocks of one ticket, agreement and start; below 0: cancelled.

    ``week`` is the local ISO week it was breached in, None where no moment of the breach is known. ``ticket`` is what
    became of its ticket: ``read``, ``gone`` or ``unread``.
    """

    connection: str
    id: str
    ticket_id: str
    number: str
    sla_id: str
    sla_name: str
    agreement: str
    target: str
    supplier: str
    stage: str
    n: int
    ticket: str
    start_at: datetime | None
    decided_at: datetime | None
    week: int | None
    minutes: Minutes | None  # None: the platform does not say how long it ran, or what its goal was
    dimensions: Mapping[str, Any] = field(default_factory=dict, compare=False)  # as rules filter and group by them

    @property
    def place(self) -> tuple[str, str, datetime | None]:
        """What a second clock of the same ticket and agreement shares with it."""
        return self.ticket_id, self.sla_id, self.start_at


@dataclass(frozen=True, slots=True)
class RuleSays:
    """What one rule knows about a clock that it counts.

    ``finding`` names the finding that held it while it fired, "" where none did. ``judged`` are the published values
    whose window holds the clock and that were compared with a target, ``silent`` those that were not.
    """

    rule_id: str
    finding: str = ""
    judged: int = 0
    silent: int = 0


@dataclass(frozen=True, slots=True)
class Disposed:
    """A clock and its disposition; ``detail`` is the reason, the other clock, the finding, who, or which rules."""

    clock: BreachedClock
    disposition: Disposition
    detail: str


@dataclass(frozen=True, slots=True)
class _Case:
    clock: BreachedClock
    says: tuple[RuleSays, ...]
    first: str  # the clock that stands for this one, "" for none
    as_of: datetime


def dispose(
    clocks: Iterable[BreachedClock], says: Callable[[BreachedClock], tuple[RuleSays, ...]], *, as_of: datetime
) -> list[Disposed]:
    """The disposition of every clock, in the order they came; ``says`` asks the rules."""
    seen: dict[tuple[str, str, datetime | None], str] = {}
    found = []
    for clock in sorted(clocks, key=lambda one: (one.place[:2], one.n)):
        is_counted = not _excluded(_Case(clock, (), "", as_of))
        first = seen.setdefault(clock.place, clock.id) if is_counted and clock.start_at is not None else clock.id
        case = _Case(clock, says(clock) if is_counted else (), "" if first == clock.id else first, as_of)
        found.append(next(Disposed(clock, kind, detail) for kind, detail in _tried(case) if detail))
    return sorted(found, key=lambda one: (one.clock.connection, one.clock.start_at or as_of, one.clock.id))


def counted(disposed: Iterable[Disposed]) -> dict[Disposition, int]:
    """How many clocks each disposition has, all of them, in their order."""
    found = Counter(one.disposition for one in disposed)
    return {kind: found[kind] for kind in Disposition}


def _tried(case: _Case) -> Iterable[tuple[Disposition, str]]:
    return ((kind, fits(case)) for kind, fits in _FITS.items())


def _excluded(case: _Case) -> str:
    clock = case.clock
    if clock.stage == "cancelled":
        return "the clock was cancelled"
    if clock.ticket != "read":
        return {"gone": "its ticket is gone from the platform", "unread": "its ticket was never read"}[clock.ticket]
    if clock.week is None or clock.decided_at is None:
        return "no moment of the breach is known"
    return "it was breached only later" if clock.decided_at > case.as_of else ""


def _duplicate(case: _Case) -> str:
    return f"of {case.first}" if case.first else ""


def _covered(case: _Case) -> str:
    return "; ".join(one.finding for one in case.says if one.finding)


def _customer_wait(case: _Case) -> str:
    minutes = case.clock.minutes
    return "waiting for the customer" if minutes is not None and minutes.mostly(Party.CUSTOMER_WAIT) else ""


def _supplier(case: _Case) -> str:
    clock, minutes = case.clock, case.clock.minutes
    if clock.agreement in ("ola", "uc") and clock.supplier:
        return clock.supplier
    if minutes is not None and minutes.mostly(Party.SUPPLIER):
        return max(minutes.suppliers.items(), key=lambda share: share[1])[0]
    return ""


def _too_few(case: _Case) -> str:
    looked = [one for one in case.says if one.judged or one.silent]
    return ", ".join(one.rule_id for one in looked) if looked and not any(one.judged for one in looked) else ""


def _below(case: _Case) -> str:
    return ", ".join(one.rule_id for one in case.says if one.judged)


def _no_rule(case: _Case) -> str:
    if not case.says:
        return f"no rule counts it ({', '.join(filter(None, (case.clock.agreement, case.clock.target)))})"
    return f"no value published for its week by {', '.join(one.rule_id for one in case.says)}"


_FITS: dict[Disposition, Callable[[_Case], str]] = {
    Disposition.EXCLUDED: _excluded,
    Disposition.DUPLICATE: _duplicate,
    Disposition.COVERED: _covered,
    Disposition.CUSTOMER_WAIT: _customer_wait,
    Disposition.SUPPLIER: _supplier,
    Disposition.TOO_FEW_SAMPLES: _too_few,
    Disposition.BELOW_THRESHOLD: _below,
    Disposition.NO_RULE: _no_rule,
}
