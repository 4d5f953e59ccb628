"""Goals as people write them, and their size on the scale the model works on."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from improvement.errors import InputError

_FORM = re.compile(r"^([+-]?)(\d+(?:\.\d+)?)\s*(%?)$")


@dataclass(frozen=True, slots=True)
class Goal:
    """A change: relative (``is_percent``: −30 % is −0.3) or absolute, in the metric's unit."""

    value: float
    is_percent: bool

    @classmethod
    def parse(cls, text: str) -> Goal:
        """Read ``-30%`` or ``+0.25``; the sign is needed, because it says which way is meant."""
        match = _FORM.match(text.strip().replace("−", "-"))
        if match is None or not match[1]:
            raise InputError(f"“{text}” is no goal.", mend="Write a change with its sign, like -30% or +0.25.")
        value = float(match[1] + match[2])
        if value == 0:
            raise InputError("A goal of zero changes nothing.", mend="Write a change, like -30% or +0.25.")
        return cls(value / 100 if match[3] else value, bool(match[3]))

    @property
    def text(self) -> str:
        """The goal in one spelling."""
        return f"{self.value * 100:+g}%" if self.is_percent else f"{self.value:+g}"

    @property
    def half(self) -> Goal:
        """Half of it, in its own unit."""
        return Goal(self.value / 2, self.is_percent)

    def check_form(self, family: str) -> None:
        """Refuse points where a percentage is meant, a percentage where points are, and −100 % of anything."""
        if family == "score":
            if self.is_percent:
                raise InputError(f"A goal of {self.text} has no meaning for a score.", mend="Write points, like +0.25.")
        elif not self.is_percent:
            raise InputError(f"A goal of {self.text} has no meaning here.", mend="Write a percentage, like -30%.")
        elif self.value <= -1:
            raise InputError(f"A goal of {self.text} leaves nothing.", mend="Choose one smaller than -100%.")

    def link_size(self, *, family: str, sign: int, rate: float) -> float:
        """Its size on the link scale, positive on the good side, given the reference rate.

        Proportions: the log odds ratio that moves ``rate`` by the goal; counts and times: the log ratio; scores: the
        points themselves. :class:`InputError` where the goal has the wrong form or leaves the possible range.
        """
        self.check_form(family)
        if family == "score":
            return sign * self.value
        if family == "proportion":
            reached = rate * (1 + self.value)
            if not 0 < reached < 1 or not 0 < rate < 1:
                raise InputError(
                    f"A goal of {self.text} would take a rate of {rate:.1%} to {reached:.1%}.",
                    mend="It has to stay between 0 % and 100 %.",
                )
            return sign * math.log((reached / (1 - reached)) / (rate / (1 - rate)))
        return sign * math.log(1 + self.value)
