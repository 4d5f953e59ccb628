"""Amounts, durations and effects as people write them: ``5%``, ``40h``, ``4w``, ``-50%``, ``+0.25``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_AMOUNT = re.compile(rf"^({_NUMBER})\s*(%|[a-zA-Z]+)?$")
_DURATION = re.compile(r"^(\d{1,6})\s*(d|w)$")
_WORDED = re.compile(r"^(\d{1,6})\s*(days?|weeks?)$", re.IGNORECASE)
_PERCENT_WORDED = re.compile(rf"^({_NUMBER})\s*(?:percent|per cent|pct|prozent)$", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"^([-+]?\d+),(\d+)\s*(%?)$")
LONGEST = 40  # characters of an amount worth reading
LARGEST = 1e12


class UnitError(ValueError):
    """A text is no amount, duration or effect; carries what is wrong and how to mend it."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what)
        self.what = what
        self.mend = mend


@dataclass(frozen=True, slots=True)
class Amount:
    """A number as written. ``number`` of ``5%`` is 0.05; ``unit`` is the text behind the number, if any.

    ``precision`` is half a unit of the last digit written: how exactly the writer meant it.
    """

    number: float
    is_percent: bool
    unit: str
    precision: float

    @property
    def text(self) -> str:
        """As it is shown in messages."""
        return f"{number_text(self.number * 100)}%" if self.is_percent else f"{number_text(self.number)}{self.unit}"


@dataclass(frozen=True, slots=True)
class Duration:
    """Whole days."""

    days: int

    @property
    def weeks(self) -> int | None:
        """Whole weeks, or None where the days make none."""
        return self.days // 7 if self.days % 7 == 0 else None


@dataclass(frozen=True, slots=True)
class Effect:
    """A goal or smallest effect: a share of the reference (``-50%``) or points (``+0.25``), signed."""

    number: float
    is_percent: bool

    @property
    def text(self) -> str:
        """Always with its sign."""
        shown = number_text(self.number * 100) + "%" if self.is_percent else number_text(self.number)
        return shown if self.number < 0 else f"+{shown}"


def parse_amount(raw: object) -> Amount:
    """An amount from YAML; :class:`UnitError` for anything else."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise UnitError(f"{_quoted(raw)} is not a number or a percentage.", "Write it like 5% or 0.05.")
    if not isinstance(raw, str):
        if not abs(raw) <= LARGEST:
            raise UnitError(f"{_quoted(raw)} is not a number or a percentage.", "Write it like 5% or 0.05.")
        return Amount(float(raw), False, "", _precision(repr(raw)))
    text = raw.strip().replace("−", "-")
    match = _AMOUNT.match(text) if len(text) <= LONGEST else None
    number = float(match[1]) if match else math.nan
    if match is None or not abs(number) <= LARGEST or (match[2] or "").lower() in {"percent", "pct", "prozent"}:
        raise UnitError(f"{_quoted(raw)} is not a number or a percentage.", _amount_meant(text))
    if match[2] == "%":
        return Amount(_percent(match[1]), True, "", _precision(match[1]) / 100)
    return Amount(number, False, match[2] or "", _precision(match[1]))


def parse_duration(raw: object) -> Duration:
    """A duration in whole days or weeks; :class:`UnitError` for anything else."""
    text = raw.strip() if isinstance(raw, str) else ""
    match = _DURATION.match(text)
    if match is None:
        raise UnitError(f"{_quoted(raw)} is not a duration.", _duration_meant(raw))
    return Duration(int(match[1]) * (7 if match[2] == "w" else 1))


def parse_effect(raw: object) -> Effect:
    """An effect with its sign; :class:`UnitError` for anything else."""
    amount = parse_amount(raw)
    if amount.unit:
        raise UnitError(f"{_quoted(raw)} is not an effect.", "Write a share like -30% or points like +0.25.")
    if amount.number == 0:
        raise UnitError("An effect of zero is no goal.", "Write a share like -30% or points like +0.25.")
    return Effect(amount.number, amount.is_percent)


def number_text(number: float) -> str:
    """The shortest text of a number: 5, 0.05, 11.25."""
    rounded = round(number, 10)
    return str(int(rounded)) if rounded == int(rounded) and abs(rounded) < 1e15 else repr(rounded)


def _percent(digits: str) -> float:
    """5 → 0.05 exactly as written, not 0.05000000000000001."""
    return float(f"{float(digits) / 100:.15g}")


def _precision(digits: str) -> float:
    mantissa, _, exponent = digits.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return float(0.5 * 10.0 ** (max(min(int(exponent or 0), 300), -300) - decimals))


def _amount_meant(text: str) -> str:
    worded = _PERCENT_WORDED.match(text)
    if worded:
        return f"Did you mean {worded[1]}%?"
    comma = _DECIMAL_COMMA.match(text)
    if comma:
        return f"Did you mean {comma[1]}.{comma[2]}{comma[3]}?"
    return "Write it like 5% or 0.05."


def _duration_meant(raw: object) -> str:
    if isinstance(raw, int) and not isinstance(raw, bool) and 0 < raw < 1000:
        return f"Did you mean {raw}w (weeks) or {raw}d (days)?"
    text = raw.strip() if isinstance(raw, str) else ""
    worded = _WORDED.match(text)
    if worded:
        return f"Did you mean {worded[1]}{worded[2][0].lower()}?"
    if re.match(r"^\d+\s*(m|months?|y|years?)$", text, re.IGNORECASE):
        return "Months and years differ in length: write weeks, like 4w or 52w."
    return "Write whole weeks or days, like 4w or 30d."


def _quoted(raw: object) -> str:
    text = raw if isinstance(raw, str) else repr(raw)
    return f'"{text if len(text) <= 60 else text[:57] + "…"}"'
