"""The kinds of value a document may hold: parsed from YAML, refused in plain words, described for the JSON Schema."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from improvement.errors import InputError
from improvement.periods import outside_our_time
from improvement.rules.units import Amount, Duration, Effect, UnitError, parse_amount, parse_duration, parse_effect
from improvement.weeks import label, monday, parse_label

MAX_TEST_WEEKS = 260

Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]


def refusal(what: str, mend: str) -> PydanticCustomError:
    """An error in our own words."""
    return PydanticCustomError("said", "{what}", {"what": what, "mend": mend})


def _amount(raw: object) -> Amount:
    try:
        return parse_amount(raw)
    except UnitError as error:
        raise refusal(error.what, error.mend) from error


def _effect(raw: object) -> Effect:
    try:
        return parse_effect(raw)
    except UnitError as error:
        raise refusal(error.what, error.mend) from error


def _duration(raw: object) -> Duration:
    try:
        return parse_duration(raw)
    except UnitError as error:
        raise refusal(error.what, error.mend) from error


def _weeks(raw: object) -> int:
    duration = _duration(raw)
    if duration.weeks is None:
        raise refusal(f"{duration.days}d are no whole weeks.", f"Did you mean {max(1, round(duration.days / 7))}w?")
    return duration.weeks


def _date(raw: object) -> date:
    try:
        if isinstance(raw, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", raw):
            return _in_our_time(date.fromisoformat(raw))
    except ValueError as error:
        raise refusal(f'"{raw}" is not a date: {error}.', "Write it like 2026-01-31.") from error
    raise refusal(f'"{str(raw)[:60]}" is not a date.', "Write it like 2026-01-31.")


def _values(raw: object) -> tuple[str | int, ...]:
    values = raw if isinstance(raw, list) else [raw]
    if not values:
        raise refusal("The list is empty.", "Name at least one value, or remove the key.")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise refusal(f'"{str(value)[:60]}" is not a text or a whole number.', "Write one value or a list of them.")
    if len(set(values)) != len(values):
        raise refusal("A value is there twice.", "Name each value once.")
    return tuple(values)


def _names(raw: object) -> tuple[str, ...]:
    values = raw if isinstance(raw, list) else [raw]
    for value in values:
        if not isinstance(value, str) or not value:
            raise refusal(
                f'"{str(value)[:60]}" is not a name.', "Write one name or a list of them, like [customer, country]."
            )
    if len(set(values)) != len(values):
        raise refusal("A name is there twice.", "Name each one once.")
    return tuple(values)


def _when(raw: object) -> str:
    if isinstance(raw, bool) or not isinstance(raw, str | int) or raw == "":
        raise refusal(f'"{str(raw)[:60]}" is not a text.', 'Write a value or a pattern, like "Auto*".')
    return str(raw)


def _level(raw: object) -> int:
    words = {"high": 1, "medium": 2, "low": 3}
    if isinstance(raw, str) and raw in words:
        return words[raw]
    if isinstance(raw, int) and not isinstance(raw, bool) and 1 <= raw <= 3:
        return raw
    raise refusal(f'"{str(raw)[:60]}" is not a level.', "Write high, medium, low, or leave it out to have it derived.")


def _in_our_time(day: date) -> date:
    outside = outside_our_time(day.year)
    if outside:
        raise ValueError(outside)
    return day


def _week_of(text: str) -> int:
    """The week of a label; :class:`ValueError` in plain words otherwise."""
    try:
        week = parse_label(text.strip())
    except InputError as error:
        raise ValueError(error.what) from error
    _in_our_time(monday(week))
    return week


def _span(raw: object) -> tuple[int, int]:
    if not isinstance(raw, str):
        raise refusal(f'"{str(raw)[:60]}" is not a span of weeks.', "Write it like 2026-W01..2026-W06.")
    first, _, last = raw.partition("..")
    try:
        span = _week_of(first), _week_of(last or first)
    except ValueError as error:
        raise refusal(f"{raw[:60]}: {str(error).rstrip('.')}.", "Write it like 2026-W01..2026-W06.") from error
    if span[1] < span[0]:
        raise refusal(f"{raw} ends before it begins.", f"Did you mean {label(span[1])}..{label(span[0])}?")
    if span[1] - span[0] >= MAX_TEST_WEEKS:
        raise refusal(f"{raw} is longer than five years.", "Shorten it.")
    return span


def _week(raw: object) -> int:
    try:
        return _week_of(str(raw))
    except ValueError as error:
        raise refusal(f"{str(raw)[:60]}: {str(error).rstrip('.')}.", "Write it like 2026-W07.") from error


def _scalar_schema(pattern: str, example: str, description: str, *, number: bool = False) -> WithJsonSchema:
    text: dict[str, Any] = {"type": "string", "pattern": pattern}
    shape: dict[str, Any] = {"anyOf": [{"type": "number"}, text]} if number else text
    return WithJsonSchema({**shape, "examples": [example], "description": description})


AmountField = Annotated[
    Amount,
    BeforeValidator(_amount),
    _scalar_schema(
        r"^[-+]?[0-9.]+\s*(%|[a-zA-Z]+)?$", "5%", "A number, a percentage, or a number with its unit.", number=True
    ),
]
EffectField = Annotated[
    Effect,
    BeforeValidator(_effect),
    _scalar_schema(r"^[-+]?[0-9.]+\s*%?$", "-50%", "A share of the reference, or points, with its sign.", number=True),
]
DurationField = Annotated[
    Duration, BeforeValidator(_duration), _scalar_schema(r"^[0-9]+\s*[dw]$", "30d", "Whole days or weeks.")
]


def weeks_field(least: int, most: int) -> Any:
    """A duration in whole weeks, at least ``least``, at most ``most``."""

    def bounded(raw: object) -> int:
        number = _weeks(raw)
        if not least <= number <= most:
            raise refusal(f"{number}w is out of bounds.", f"Use {least}w to {most}w.")
        return number

    return Annotated[int, BeforeValidator(bounded), _scalar_schema(r"^[0-9]+\s*[dw]$", "4w", "Whole weeks.")]


DateField = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
WhereValues = Annotated[
    tuple[str | int, ...],
    BeforeValidator(_values),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["string", "integer"]},
                {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1},
            ]
        }
    ),
]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(_names),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
WhenText = Annotated[str, BeforeValidator(_when), WithJsonSchema({"type": ["string", "integer"]})]
LevelField = Annotated[int, BeforeValidator(_level), WithJsonSchema({"enum": ["high", "medium", "low", 1, 2, 3]})]
SpanField = Annotated[
    tuple[int, int],
    BeforeValidator(_span),
    _scalar_schema(r"^\d{4}-W\d{2}(\.\.\d{4}-W\d{2})?$", "2026-W01..2026-W06", "ISO weeks."),
]
WeekField = Annotated[int, BeforeValidator(_week), _scalar_schema(r"^\d{4}-W\d{2}$", "2026-W07", "An ISO week.")]
