"""All final verdicts of a quarter side by side: of many, some look significant by chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from improvement.check.many import q_values
from improvement.errors import InputError, Place
from improvement.periods import outside_our_time, quarter_of
from workflows.evidence import as_it_was
from workflows.models import Look, LookKind


@dataclass(frozen=True, slots=True)
class FinalVerdict:
    """A final look among those of its calendar quarter (UTC).

    ``q_value``: its p value after Benjamini–Hochberg over the ``among`` final looks of the quarter that have one; None
    where the check gave none. A share q of all that are at least as significant is to be expected false.
    """

    look: Look
    quarter: str
    among: int
    q_value: float | None

    @property
    def stands(self) -> bool | None:
        """Whether it is significant at 5 % among the others too; None where there is nothing to compare."""
        return None if self.q_value is None else self.q_value < 0.05

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        result = self.look.result or {}
        return {
            "quarter": self.quarter,
            "action": self.look.action.code,
            "computed_at": self.look.computed_at,
            "metric": self.look.action.metric,
            "verdict": self.look.verdict,
            "effect": result.get("effect_text", ""),
            "p_value": result.get("p_value"),
            "q_value": self.q_value,
            "among": self.among,
            "stands": self.stands,
        }


def final_verdicts(quarter: str | None = None, known_at: datetime | None = None) -> list[FinalVerdict]:
    """Every computed final look, oldest first; of one quarter like ``2026Q1``, or of all.

    ``known_at``: only those that the log told by then, each among what was known of its quarter.
    Raises :class:`~improvement.errors.InputError` where the quarter is none.
    """
    if quarter is not None:
        _must_be_quarter(quarter)
    looks = Look.objects.filter(kind=LookKind.FINAL, computed_at__isnull=False, is_dropped=False)
    if known_at is not None:
        looks = looks.filter(pk__in=[look.pk for look in as_it_was.final_looks_at(known_at)])
    by_quarter: dict[str, list[Look]] = defaultdict(list)
    for look in looks.select_related("action").order_by("computed_at", "id"):
        if look.computed_at is not None:
            by_quarter[quarter_of(look.computed_at)].append(look)
    wanted = by_quarter if quarter is None else [quarter]
    return [verdict for name in wanted for verdict in _adjusted(name, by_quarter.get(name, []))]


def _must_be_quarter(text: str) -> None:
    year, _, number = text.partition("Q")
    is_quarter = len(year) == 4 and year.isascii() and year.isdigit() and number in {"1", "2", "3", "4"}
    outside = outside_our_time(int(year)) if is_quarter else ""
    if not is_quarter or outside:
        what = f"“{text[:60]}” is no quarter" + (f": {outside}." if outside else ".")
        raise InputError(what, where=Place(field="--quarter"), mend="Write it like 2026Q1.")


def _adjusted(quarter: str, looks: Iterable[Look]) -> list[FinalVerdict]:
    shown = list(looks)
    found = {look.pk: (look.result or {}).get("p_value") for look in shown}
    p = {key: float(value) for key, value in found.items() if value is not None}
    q = dict(zip(p, q_values(list(p.values())), strict=True))
    return [FinalVerdict(look, quarter, len(p), q.get(look.pk)) for look in shown]
