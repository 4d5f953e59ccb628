"""One look as it was asked for, with the windows and the controls it will use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from improvement.check.estimate import Data
from improvement.check.fit import control_offset
from improvement.check.model import CheckPlan, Family, OtherAction, PastFirings, Series
from improvement.check.windows import LONG_WEEKS, MIN_REFERENCE_WEEKS
from improvement.vocabulary import Verdict

VOLUME_SHARE = 0.75
NOTHING = Series(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))


@dataclass(frozen=True, slots=True)
class Final:
    """What the final look found: sustaining looks are held against it."""

    verdict: str
    delta: float | None
    reason: str = ""

    @property
    def why_never_credited(self) -> str:
        """Why its effect was not credited to the action; "" where it was, or there was none."""
        return self.reason if self.verdict == Verdict.NOT_ATTRIBUTABLE else ""


@dataclass(frozen=True, slots=True)
class Request:
    """One look as asked for; ``controls`` are those that can be used."""

    plan: CheckPlan
    scope: Series
    controls: Mapping[str, Series]
    look: int
    kind: str
    last_week: int
    after_from: int
    excluded: tuple[tuple[str, str], ...] = ()
    final: Final | None = None
    high_risk_changes: tuple[str, ...] = ()
    other_actions: tuple[OtherAction, ...] = ()
    concurrent_changes: tuple[str, ...] = ()
    marked_changes: tuple[str, ...] = ()
    read_otherwise: tuple[str, ...] = ()
    are_changes_known: bool = True
    beside: Series | None = None
    past_firings: PastFirings | None = None

    @property
    def sign(self) -> int:
        """+1 when higher is better."""
        return self.plan.direction.sign

    @property
    def is_sustaining(self) -> bool:
        """Whether this look is held against a final one."""
        return self.kind == "sustain"

    @property
    def is_last(self) -> bool:
        """Whether this look decides."""
        return self.kind != "look"

    @property
    def planned_weeks(self) -> int:
        """How many weeks *after* has at this look."""
        return self.last_week - self.after_from + 1

    def reference_of(self, weekly: Series) -> Series:
        """The weeks of R."""
        return weekly.between(*self.plan.windows.reference)

    def after_of(self, weekly: Series) -> Series:
        """The weeks of A that this look reads."""
        return weekly.between(self.after_from, self.last_week)

    def data(self, family: Family) -> Data:
        """R and A of the scope, with the offset of its controls."""
        return self.data_of(family, self.scope.weekly(), list(self.controls.values()))

    def data_of(self, family: Family, weekly: Series, others: list[Series]) -> Data:
        """R and A of any scope against others, over this look's windows."""
        reference, after = self.reference_of(weekly), self.after_of(weekly)
        cells = joined(reference, after)
        is_after = np.arange(len(cells.week)) >= len(reference.week)
        return Data(family, cells, is_after, control_offset(family, others, cells.week))

    def long_data(self, family: Family) -> Data | None:
        """As :meth:`data`, with 104 weeks before the trigger; None where they are not complete."""
        weekly = self.scope.weekly()
        last = self.plan.windows.reference[1]
        before, after = weekly.between(last - LONG_WEEKS + 1, last), self.after_of(weekly)
        if len(before.week) < LONG_WEEKS:
            return None
        cells = joined(before, after)
        is_after = np.arange(len(cells.week)) >= LONG_WEEKS
        return Data(family, cells, is_after, control_offset(family, list(self.controls.values()), cells.week))


def joined(*parts: Series) -> Series:
    """Weekly cells one after the other."""
    return Series(
        np.concatenate([part.week for part in parts]),
        np.concatenate([part.numerator for part in parts]),
        np.concatenate([part.denominator for part in parts]),
    )


def lacks_volume(weekly: Series, request: Request) -> str:
    """The reason code where R or A has too few weeks with volume, else ''."""
    if len(request.reference_of(weekly).week) < MIN_REFERENCE_WEEKS:
        return "few_reference_weeks"
    if len(request.after_of(weekly).week) < VOLUME_SHARE * request.planned_weeks:
        return "few_after_weeks"
    return ""
