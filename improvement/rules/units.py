"""Numbers as admins write them: ``5%``, ``4w``, ``30d``, ``-50%``."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_PERCENT = re.compile(r"^([+-]?\d+(?:\.\d+)?)\s*%$")
_NUMBER = re.compile(r"^[+-]?\d+(?:\.\d+)?$")
_DURATION = re.compile(r"^(\d+)\s*([wd])$")
_LOOSE_PERCENT = re.compile(r"^([+-]?\d+(?:\.\d+)?)\s*(?:percent|per cent|pct|prozent)$", re.IGNORECASE)


def number_or_share(value: Any) -> float:
    """``5%`` → 0.05, ``0.05`` → 0.05; anything else is refused with a suggestion."""
    if isinstance(value, bool):
        raise ValueError(f"{value} is not a number or a percentage. Write 5% or 0.05")
    if isinstance(value, int | float):
        return float(value)
    text = str(value).strip()
    if match := _PERCENT.match(text):
        return float(match[1]) / 100
    if _NUMBER.match(text):
        return float(text)
    hint = f". Did you mean {match[1]}%?" if (match := _LOOSE_PERCENT.match(text)) else ". Write 5% or 0.05"
    raise ValueError(f'"{text}" is not a number or a percentage{hint}')


def whole_weeks(value: Any) -> int:
    """``4w`` or ``28d`` → 4."""
    match = _DURATION.match(str(value).strip())
    if match is None:
        raise ValueError(f'"{value}" is not a duration. Write whole weeks like 4w')
    amount = int(match[1])
    if match[2] == "d":
        if amount % 7:
            raise ValueError(f'"{value}" is not a whole number of weeks. Write {max(1, round(amount / 7))}w')
        amount //= 7
    return amount


def some_weeks(value: Any) -> int:
    """As :func:`whole_weeks`, at least one."""
    weeks = whole_weeks(value)
    if weeks < 1:
        raise ValueError(f'"{value}" is too short. Write at least 1w')
    return weeks


def whole_days(value: Any) -> int:
    """``30d`` or ``4w`` → days."""
    match = _DURATION.match(str(value).strip())
    if match is None:
        raise ValueError(f'"{value}" is not a duration. Write days or weeks like 30d or 4w')
    return int(match[1]) * (7 if match[2] == "w" else 1)


def goal_text(value: Any) -> str:
    """A goal with its sign: ``-30%`` or ``+0.25``."""
    text = str(value).strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = f"{value:+g}"
    if not re.match(r"^[+-]\d+(?:\.\d+)?\s*%?$", text):
        raise ValueError(f'"{value}" is not a goal. Write a change with its sign, like -30% or +0.25')
    return text.replace(" ", "")


Share = Annotated[float, BeforeValidator(number_or_share)]
Weeks = Annotated[int, BeforeValidator(some_weeks)]
WeeksOrNone = Annotated[int, BeforeValidator(whole_weeks)]
Days = Annotated[int, BeforeValidator(whole_days)]
GoalText = Annotated[str, BeforeValidator(goal_text)]
