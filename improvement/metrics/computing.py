"""What expressions say of rows, computed with arrays: some thousand rows take less time so than a statement to plan.

The operations are those of metrics that are filters and selections of one table, each with DuckDB's answers: whether
nothing (null) equals something is not known, a half is rounded away from zero, and of something and nothing the greater
is something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add, eq, ge, gt, le, lt, mul, ne, or_, sub
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MICROS = 1_000_000  # an instant is so many a second since 1970
_Array = Any  # of numpy: a value for each row, or one for all
_Step = tuple[int, Callable[..., "Values"], tuple[int, ...]]  # where it goes, how it is computed, and of what


class Values(NamedTuple):
    """A column: its values, where there is none (None: nowhere), and its texts, which are known by their places.

    Where there is no value, a truth is false and all else is anything.
    """

    array: _Array
    is_null: _Array = None
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Expressions over one table, ready to be computed of any rows of it; what they have in common once.

    ``fields`` and ``variables``: by their names the places of what is read of a row, and of what is the same for all.
    """

    fields: dict[str, int]
    variables: dict[str, int]
    constants: dict[int, Values]
    steps: tuple[_Step, ...]
    places: tuple[int, ...]  # of the expressions among all that is computed

    @classmethod
    def of(cls, expressions: Sequence[Any]) -> Program | None:
        """Of Ibis expressions; None where one asks for an operation that is not known here."""
        making = _Making()
        try:
            places = tuple(making.place(one.op()) for one in expressions)
        except _NotKnownError:
            return None
        return cls(making.fields, making.variables, making.constants, tuple(making.steps), places)

    def run(self, columns: Mapping[str, Values], variables: Mapping[str, int]) -> dict[int, Values]:
        """All that is computed of rows with these columns (:func:`values_of`), by its place."""
        found = dict(self.constants)
        found |= {place: columns[name] for name, place in self.fields.items()}
        found |= {place: Values(np.int64(variables[name])) for name, place in self.variables.items()}
        for place, compute, of in self.steps:
            found[place] = compute(*[found[one] for one in of])
        return found


def values_of(column: pa.ChunkedArray) -> Values:
    """A column of a table: texts, whole numbers, fractions, truths or instants."""
    array = column.combine_chunks()
    is_null = pc.is_null(array).to_numpy(zero_copy_only=False) if array.null_count else None
    if pa.types.is_string(array.type):
        encoded = pc.dictionary_encode(array)
        encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
        texts, array = tuple(encoded.dictionary.to_pylist()), encoded.indices
        if is_null is not None:
            array = pc.fill_null(array, 0)
        return Values(array.to_numpy(zero_copy_only=False).astype(np.int64), is_null, texts)
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp("us", array.type.tz)).view(pa.int64())
    if is_null is not None:
        array = pc.fill_null(array, False if pa.types.is_boolean(array.type) else 0)
    values = array.to_numpy(zero_copy_only=False)
    return Values(_ordered(values) if values.dtype == np.float64 else values, is_null)


# --- inside ---------------------------------------------------------------------------------------------------


class _NotKnownError(Exception):
    """An operation that only an engine can compute."""


@dataclass(slots=True)
class _Making:
    """A program in the making: each operation gets a place, once."""

    fields: dict[str, int] = field(default_factory=dict)
    variables: dict[str, int] = field(default_factory=dict)
    constants: dict[int, Values] = field(default_factory=dict)
    steps: list[_Step] = field(default_factory=list)
    known: dict[Any, int] = field(default_factory=dict)

    def place(self, op: Any) -> int:
        """Where the operation's values will be."""
        if op in self.known:
            return self.known[op]
        name, place = type(op).__name__, -1
        if name == "Field":
            place = self.fields[op.name] = self._next()
        elif name == "Literal":
            place = self._next()
            self.constants[place] = _constant(op)
        elif getattr(op, "__func_name__", "") == "getvariable":
            place = self.variables[op.args[0].value] = self._next()
        else:
            compute, arguments = _step(op)
            of = tuple(self.place(one) for one in arguments)
            place = self._next()
            self.steps.append((place, compute, of))
        self.known[op] = place
        return place

    def _next(self) -> int:
        return len(self.fields) + len(self.variables) + len(self.constants) + len(self.steps)


def _constant(op: Any) -> Values:
    value, kind = op.value, op.dtype
    if value is None:
        return Values(np.int64(0), np.True_)
    if kind.is_string():
        return Values(np.int64(0), None, (value,))
    if kind.is_interval() and kind.unit.value == "s":
        return Values(np.int64(value * MICROS))
    if kind.is_boolean() or kind.is_integer() or kind.is_floating():
        return Values({"b": np.bool_, "i": np.int64, "f": np.float64}[str(kind)[0]](value))
    raise _NotKnownError(kind)


def _step(op: Any) -> tuple[Callable[..., Values], Sequence[Any]]:
    """How an operation is computed, and of what."""
    name = type(op).__name__
    compute = _CHOSEN[name](op) if name in _CHOSEN else _STEPS.get(name)
    of = _ARGUMENTS[name](op) if name in _ARGUMENTS else op.args
    if compute is None or (name not in _OF_TEXTS and any(one.dtype.is_string() for one in of)):
        raise _NotKnownError(name)
    return compute, of


def _strict(compute: Callable[..., _Array]) -> Callable[..., Values]:
    """Nothing where any argument is nothing."""

    def computed(*some: Values) -> Values:
        array, is_null = compute(*(one.array for one in some)), _any_null(some)
        if is_null is not None and array.dtype == np.bool_:
            array = array & ~is_null
        return Values(array, is_null)

    return computed


def _any_null(some: Sequence[Values]) -> _Array:
    masks = [one.is_null for one in some if one.is_null is not None]
    return reduce(or_, masks) if masks else None


def _compared(compare: Callable[..., _Array]) -> Callable[..., Values]:
    """Whether the one equals the other, or does not: of texts by their places."""

    def computed(one: Values, other: Values) -> Values:
        if one.texts or other.texts:
            texts, other = _among(one.texts, other)
            one = one._replace(texts=texts)
        return _strict(compare)(one, other)

    return computed


def _among(texts: tuple[str, ...], other: Values) -> tuple[tuple[str, ...], Values]:
    """Texts and those of another column together, and the column by its places among these."""
    place = {text: number for number, text in enumerate(dict.fromkeys((*texts, *other.texts)))}
    places = np.array([place[text] for text in other.texts], dtype=np.int64)
    return tuple(place), Values(places[other.array] if len(places) else other.array, other.is_null, tuple(place))


def _both(one: Values, other: Values) -> Values:
    array = one.array & other.array
    if one.is_null is None and other.is_null is None:
        return Values(array)
    a, b = _mask(one), _mask(other)
    return Values(array, (a & (other.array | b)) | (b & one.array))


def _either(one: Values, other: Values) -> Values:
    array, is_null = one.array | other.array, _any_null((one, other))
    return Values(array, None if is_null is None else is_null & ~array)


def _mask(one: Values) -> _Array:
    return np.False_ if one.is_null is None else one.is_null


def _not(one: Values) -> Values:
    return Values(~(one.array | _mask(one)), one.is_null)


def _is_null(one: Values) -> Values:
    return Values(np.broadcast_to(_mask(one), np.shape(one.array)))


def _is_not_null(one: Values) -> Values:
    return Values(~_is_null(one).array)


def _is_one_of(one: Values, *options: Values) -> Values:
    return reduce(_either, (_compared(eq)(one, option) for option in options))


def _first(*some: Values) -> Values:
    """The first that is something."""
    return reduce(_or_else, some)


def _or_else(one: Values, other: Values) -> Values:
    if one.is_null is None:
        return one
    texts = one.texts
    if texts or other.texts:
        texts, other = _among(texts, other)
    array = np.where(one.is_null, other.array, one.array)
    return Values(array, None if other.is_null is None else one.is_null & other.is_null, texts)


def _most(choose: Callable[..., _Array]) -> Callable[..., Values]:
    """The greatest or least of what is something; nothing only where all is nothing."""

    def of_two(one: Values, other: Values) -> Values:
        array = choose(one.array, other.array)
        if one.is_null is None and other.is_null is None:
            return Values(array)
        a, b = _mask(one), _mask(other)
        return Values(np.where(a, other.array, np.where(b, one.array, array)), a & b)

    return lambda *some: reduce(of_two, some)


def _if_else(met: Values, one: Values, other: Values) -> Values:
    array = np.where(met.array, one.array, other.array)
    if one.is_null is None and other.is_null is None:
        return Values(array)
    return Values(array, np.where(met.array, _mask(one), _mask(other)))


def _case(*pairs: Values) -> Values:
    """Conditions and results in turn, then what is so where none is met."""
    *before, found = pairs
    for place in range(len(before) - 2, -1, -2):
        found = _if_else(before[place], before[place + 1], found)
    return found


def _divided(one: Values, other: Values) -> Values:
    with np.errstate(divide="ignore", invalid="ignore"):
        return Values(_ordered(one.array / other.array), _any_null((one, other)))


def _ordered(array: _Array) -> _Array:
    """Fractions, and for what is no number the greatest there is: greater than all that are it is for DuckDB."""
    is_none = np.isnan(array)
    return np.where(is_none, np.inf, array) if is_none.any() else array


def _whole(round_: Callable[[_Array], _Array]) -> Callable[[Values], Values]:
    """A fraction made whole; FloatingPointError for one that is too great, or none."""

    def computed(one: Values) -> Values:
        array = one.array if one.is_null is None else np.where(one.is_null, 0.0, one.array)
        with np.errstate(invalid="raise"):
            return Values(round_(array).astype(np.int64), one.is_null)

    return computed


def _half_up(array: _Array) -> _Array:
    """Rounded, a half away from zero. Not by adding a half: the sum would be rounded itself."""
    whole = np.trunc(array)
    return np.where(np.abs(array - whole) >= 0.5, whole + np.copysign(1.0, array), whole)


_rounded, _floor = _whole(_half_up), _whole(np.floor)


def _cast(of: Any, to: Any) -> Callable[[Values], Values] | None:
    if to.is_string() and of.is_integer():
        return _text
    if to.is_floating() and of.is_numeric():
        return lambda one: Values(np.asarray(one.array, dtype=np.float64), one.is_null)
    if to.is_integer() and of.is_floating():
        return _whole(np.rint)
    if to.is_integer() and (of.is_integer() or of.is_boolean()):
        return lambda one: Values(np.asarray(one.array, dtype=np.int64), one.is_null)
    return None


def _text(one: Values) -> Values:
    """Whole numbers as texts."""
    numbers, place = np.unique(one.array, return_inverse=True)
    return Values(place.astype(np.int64).reshape(np.shape(one.array)), one.is_null, tuple(map(str, numbers.tolist())))


_STEPS: dict[str, Callable[..., Values]] = {
    "Add": _strict(add),
    "And": _both,
    "Coalesce": _first,
    "Divide": _divided,
    "Equals": _compared(eq),
    "ExtractEpochSeconds": _strict(lambda instant: instant / MICROS),
    "Floor": _floor,
    "FloorDivide": lambda one, other: _floor(_divided(one, other)),
    "Greater": _strict(gt),
    "GreaterEqual": _strict(ge),
    "Greatest": _most(np.maximum),
    "IfElse": _if_else,
    "InValues": _is_one_of,
    "IsNull": _is_null,
    "Least": _most(np.minimum),
    "Less": _strict(lt),
    "LessEqual": _strict(le),
    "Multiply": _strict(mul),
    "Not": _not,
    "NotEquals": _compared(ne),
    "NotNull": _is_not_null,
    "Or": _either,
    "SearchedCase": _case,
    "Subtract": _strict(sub),
    "TimestampAdd": _strict(add),
    "TimestampSub": _strict(sub),
}
_CHOSEN: dict[str, Callable[[Any], Callable[..., Values] | None]] = {  # by more than the operation's name
    "Cast": lambda op: _cast(op.arg.dtype, op.to),
    "Round": lambda op: _rounded if op.digits is not None and op.digits.value == 0 else None,
}
_OF_TEXTS = frozenset({"Coalesce", "Equals", "InValues", "IsNull", "NotEquals", "NotNull"})
_ARGUMENTS: dict[str, Callable[[Any], Sequence[Any]]] = {  # of which operations, where not what they are called with
    "Cast": lambda op: (op.arg,),
    "Coalesce": lambda op: op.arg,
    "Greatest": lambda op: op.arg,
    "InValues": lambda op: (op.value, *op.options),
    "Least": lambda op: op.arg,
    "Round": lambda op: (op.arg,),
    "SearchedCase": lambda op: (*(one for pair in zip(op.cases, op.results, strict=True) for one in pair), op.default),
}
