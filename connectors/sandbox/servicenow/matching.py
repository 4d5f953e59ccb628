"""From conditions to a function that says whether a row fits, as the instance's database would decide.

Text compares without regard to case; numbers as numbers; times as stored text. ``!=``, ``NOT IN`` and ``NOT LIKE``
also fit empty fields (the platform adds *or is null*). A condition on an invalid field, with an operator its type
does not know or with a value that is no time where a time is needed, is invalid: dropped by the caller.
"""

from __future__ import annotations

import operator as op
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from connectors.sandbox.query import Alternatives, Condition, Query
from connectors.sandbox.servicenow import moments
from connectors.sandbox.servicenow.instance import Get, Instance
from connectors.sandbox.servicenow.schema import Column
from connectors.sandbox.store import Row

Test = Callable[[Row], bool]

EXACT_TYPES = frozenset({"GUID", "reference", "document_id", "boolean", "table_name", "glide_duration", "glide_date"})


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: values such as ``javascript:gs.dateGenerate(…)`` depend on the user's zone and the present."""

    zone: ZoneInfo
    now: datetime
    user: str = ""


def group_tests(instance: Instance, table: str, query: Query, asker: Asker) -> list[list[tuple[Alternatives, Test]]]:
    """Per group of the query its valid conditions, each as (alternatives, test)."""
    groups = []
    for group in query.groups:
        tests: list[tuple[Alternatives, Test]] = []
        for alternatives in group:
            valid = [
                (condition, test)
                for condition in alternatives
                if (test := condition_test(instance, table, condition, asker)) is not None
            ]
            if valid:
                tests.append((tuple(c for c, _ in valid), _any([t for _, t in valid])))
        groups.append(tests)
    return groups


def is_valid(instance: Instance, table: str, query: Query, asker: Asker) -> bool:
    """Whether every part of the query makes sense to the instance."""
    return not query.ignored and all(
        condition_test(instance, table, condition, asker) is not None
        for group in query.groups
        for alternatives in group
        for condition in alternatives
    )


def condition_test(instance: Instance, table: str, condition: Condition, asker: Asker) -> Test | None:
    """The test of one condition; None where it is invalid."""
    found = instance.get(table, condition.field)
    if found is None:
        return None
    get, column = found
    name = condition.operator
    if name == "ANYTHING":
        return lambda row: True
    if name in ("ISEMPTY", "EMPTYSTRING"):
        return lambda row: not get(row)
    if name == "ISNOTEMPTY":
        return lambda row: bool(get(row))
    if name in _FIELD_COMPARISONS:
        return _against_field(instance, table, condition, get)
    if name == "INSTANCEOF":
        classes = (
            frozenset(instance.schema.family(condition.value)) if condition.value in instance.tables else frozenset()
        )
        return lambda row: get(row) in classes
    if column.is_time:
        return _time_test(condition, get, asker)
    value = moments.evaluated(condition.value, zone=asker.zone, now=asker.now, user=asker.user)
    if value is None:
        return None
    if column.is_number:
        return _number_test(name, value, get)
    return _text_test(name, value, get, column)


_FIELD_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "SAMEAS": op.eq,
    "NSAMEAS": op.ne,
    "GT_FIELD": op.gt,
    "LT_FIELD": op.lt,
    "GT_OR_EQUALS_FIELD": op.ge,
    "LT_OR_EQUALS_FIELD": op.le,
}
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {">": op.gt, ">=": op.ge, "<": op.lt, "<=": op.le}
_NUMBERS: dict[str, Callable[[float, float], bool]] = {">": op.gt, ">=": op.ge, "<": op.lt, "<=": op.le}


def _any(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    return lambda row: any(test(row) for test in tests)


def _against_field(instance: Instance, table: str, condition: Condition, get: Get) -> Test | None:
    other = instance.get(table, condition.value)
    if other is None:
        return None
    get_other, compare = other[0], _FIELD_COMPARISONS[condition.operator]
    return lambda row: compare(get(row), get_other(row))


def _time_test(condition: Condition, get: Get, asker: Asker) -> Test | None:
    name, raw = condition.operator, condition.value
    if name in ("ON", "NOTON"):
        bounds = _day(raw, asker)
        if bounds is None:
            return None
        first, last = bounds
        return (lambda row: first <= get(row) <= last) if name == "ON" else (lambda row: not first <= get(row) <= last)
    if name.startswith("RELATIVE"):
        since = moments.relative(raw, asker.now)
        if since is None:
            return None
        compare_since = _COMPARISONS[{"GT": ">", "GE": ">=", "LT": "<", "LE": "<="}[name[-2:]]]
        return lambda row: bool(text := get(row)) and compare_since(text, since)
    if name == "BETWEEN":
        low, high = (_time(part, asker) for part in (*raw.split("@", 1), "")[:2])
        return None if low is None or high is None else lambda row: low <= get(row) <= high
    if name in ("IN", "NOT IN"):
        times = frozenset(raw.split(","))
        return (lambda row: get(row) in times) if name == "IN" else (lambda row: get(row) not in times)
    if name in ("LIKE", "STARTSWITH", "ENDSWITH", "NOT LIKE"):
        return _text_test(name, raw, get, None)
    if raw == "" and name in ("=", "!="):
        return (lambda row: not get(row)) if name == "=" else (lambda row: bool(get(row)))
    moment = _time(raw, asker)
    if moment is None:
        return None
    if name == "=":
        return lambda row: get(row) == moment
    if name == "!=":
        return lambda row: get(row) != moment
    compare = _COMPARISONS.get(name)
    return None if compare is None else lambda row: bool(value := get(row)) and compare(value, moment)


def _day(value: str, asker: Asker) -> tuple[str, str] | None:
    """First and last second of ``2025-06-30@…``, or as the two scripts of ``Today@javascript:…@javascript:…`` say."""
    _, _, edges = value.partition("@")
    if not edges.startswith("javascript:"):
        return moments.day_bounds(value, asker.zone)
    first, last = (_time(text, asker) for text in (*edges.split("@", 1), "")[:2])
    return (first, last) if first is not None and last is not None else None


def _time(text: str, asker: Asker) -> str | None:
    value = moments.evaluated(text, zone=asker.zone, now=asker.now, user=asker.user)
    return moments.normalised(value) if value is not None else None


def _number_test(name: str, value: str, get: Get) -> Test | None:
    if name in ("=", "!=") or name in ("IN", "NOT IN"):
        wanted = frozenset(_number(part) for part in (value.split(",") if name.endswith("IN") else [value]))
        if name in ("=", "IN"):
            return lambda row: _number(get(row)) in wanted
        return lambda row: _number(get(row)) not in wanted
    if name == "BETWEEN":
        low, high = (_number(part) for part in (*value.split("@", 1), "")[:2])
        if low is None or high is None:
            return None
        return lambda row: (number := _number(get(row))) is not None and low <= number <= high
    if name in _NUMBERS:
        limit, compare = _number(value), _NUMBERS[name]
        if limit is None:
            return None
        return lambda row: (number := _number(get(row))) is not None and compare(number, limit)
    return _text_test(name, value, get, None)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _text_test(name: str, value: str, get: Get, column: Column | None) -> Test | None:
    if column is not None and column.type in EXACT_TYPES:
        return _exact_test(name, value, get)
    wanted = value.casefold()
    if name == "=":
        return lambda row: get(row).casefold() == wanted
    if name == "!=":
        return lambda row: get(row).casefold() != wanted
    if name in ("IN", "NOT IN"):
        several = frozenset(wanted.split(","))
        if name == "IN":
            return lambda row: get(row).casefold() in several
        return lambda row: get(row).casefold() not in several
    if name == "LIKE":
        return lambda row: wanted in get(row).casefold()
    if name == "NOT LIKE":
        return lambda row: wanted not in get(row).casefold()
    if name == "STARTSWITH":
        return lambda row: get(row).casefold().startswith(wanted)
    if name == "ENDSWITH":
        return lambda row: get(row).casefold().endswith(wanted)
    return _ordered_test(name, value, get)


def _exact_test(name: str, value: str, get: Get) -> Test | None:
    if name == "=":
        return lambda row: get(row) == value
    if name == "!=":
        return lambda row: get(row) != value
    if name in ("IN", "NOT IN"):
        several = frozenset(value.split(","))
        return (lambda row: get(row) in several) if name == "IN" else (lambda row: get(row) not in several)
    if name in ("LIKE", "NOT LIKE", "STARTSWITH", "ENDSWITH"):
        return _text_test(name, value, get, None)
    return _ordered_test(name, value, get)


def _ordered_test(name: str, value: str, get: Get) -> Test | None:
    if name == "BETWEEN":
        low, _, high = value.partition("@")
        return lambda row: low <= get(row) <= high
    compare = _COMPARISONS.get(name)
    return None if compare is None else lambda row: bool(text := get(row)) and compare(text, value)
