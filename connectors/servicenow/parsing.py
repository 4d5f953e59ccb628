"""Columns of platform texts as columns of canonical values, whole columns at a time.

Stored times are UTC ``YYYY-MM-DD hh:mm:ss``; a duration is such a time counted from 1970 (four hours is
``1970-01-01 04:00:00``). A text that cannot be read becomes null and its row is marked, so one bad value costs one
row and not its page. No time ever passes through pytz.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from improvement.records import UTC_MICROSECONDS

DURATIONS = frozenset({"goal_s", "elapsed_s"})
NULL = pa.scalar(None, pa.string())
_TIME = r"^\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?$"
_INTEGER = r"^[+-]?\d{1,18}$"
_DECIMAL = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_BOOLEAN = {"true": True, "1": True, "false": False, "0": False}


def parsed(text: pa.Array, wanted: pa.Field) -> tuple[pa.Array, pa.Array | None]:
    """The column as the canonical field's type, and which rows could not be read (None: all could)."""
    text = pc.if_else(pc.equal(text, ""), NULL, text)
    if wanted.type == pa.string():
        return text, None
    if wanted.type == UTC_MICROSECONDS:
        return _guarded(text, _instants, _TIME)
    if wanted.name in DURATIONS:
        return _guarded(text, _seconds, _TIME)
    if wanted.type == pa.bool_():
        return _booleans(text)
    if wanted.type == pa.int64():
        return _guarded(text, lambda values: values.cast(pa.int64()), _INTEGER)
    return _guarded(text, lambda values: values.cast(pa.float64()), _DECIMAL)


def _instants(text: pa.Array) -> pa.Array:
    return text.cast(pa.timestamp("us")).cast(UTC_MICROSECONDS)


def _seconds(text: pa.Array) -> pa.Array:
    return text.cast(pa.timestamp("s")).cast(pa.int64())


def _guarded(text: pa.Array, parse: Callable[[pa.Array], pa.Array], pattern: str) -> tuple[pa.Array, pa.Array | None]:
    """Parse at once; only where that fails look for the rows to blame."""
    try:
        return parse(text), None
    except pa.ArrowInvalid:
        looks_right = pc.fill_null(pc.match_substring_regex(text, pattern), True)
    remaining = pc.if_else(looks_right, text, NULL)
    try:
        return parse(remaining), pc.invert(looks_right)
    except pa.ArrowInvalid:
        readable = pa.array([_can(parse, value) for value in remaining], pa.bool_())
    return parse(pc.if_else(readable, remaining, NULL)), pc.invert(pc.and_(looks_right, readable))


def _can(parse: Callable[[pa.Array], pa.Array], value: pa.Scalar) -> bool:
    try:
        parse(pa.array([value.as_py()], pa.string()))
    except pa.ArrowInvalid:
        return False
    return True


def _booleans(text: pa.Array) -> tuple[pa.Array, pa.Array | None]:
    encoded = text.dictionary_encode()
    words = encoded.dictionary.to_pylist()
    meanings = pa.array([_BOOLEAN.get(word.strip().lower()) for word in words], pa.bool_())
    found = pc.take(meanings, encoded.indices)
    if all(word.strip().lower() in _BOOLEAN for word in words):
        return found, None
    return found, pc.and_(pc.is_null(found), pc.is_valid(text))
