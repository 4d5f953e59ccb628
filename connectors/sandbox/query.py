"""ServiceNow's encoded query language: text to conditions.

``^`` and, ``^OR`` or (binds to the condition before it), ``^NQ`` a new query (or of whole groups), ``^ORDERBYfield``,
``^ORDERBYDESCfield``; a literal ``^`` in a value is ``^^``. A part that is no condition is kept aside in
:attr:`Query.ignored`: an instance drops it silently unless ``glide.invalid_query.returns_no_rows`` is set.
Source: the vendor's pages *Operators available for filters and queries* and *Encoded query strings*.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

OPERATORS: tuple[str, ...] = (
    "GT_OR_EQUALS_FIELD",
    "LT_OR_EQUALS_FIELD",
    "GT_FIELD",
    "LT_FIELD",
    "NSAMEAS",
    "SAMEAS",
    "STARTSWITH",
    "ENDSWITH",
    "ISNOTEMPTY",
    "ISEMPTY",
    "EMPTYSTRING",
    "ANYTHING",
    "NOT LIKE",
    "NOTLIKE",
    "NOT IN",
    "NOTIN",
    "INSTANCEOF",
    "BETWEEN",
    "NOTON",
    "RELATIVEGE",
    "RELATIVELE",
    "RELATIVEGT",
    "RELATIVELT",
    "LIKE",
    "ON",
    "IN",
    ">=",
    "<=",
    "!=",
    "=",
    ">",
    "<",
)

_CONDITION = re.compile(
    r"(?P<field>[a-z0-9_.]+)(?P<operator>" + "|".join(re.escape(name) for name in OPERATORS) + r")(?P<value>.*)",
    re.DOTALL,
)
_SPLIT = re.compile(r"\^\^|\^")
_ESCAPED = "\x00"


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison: a field (dot-walked perhaps), an operator of :data:`OPERATORS`, the value as text."""

    field: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Order:
    """One sort key."""

    field: str
    is_descending: bool


Alternatives = tuple[Condition, ...]  # joined by or
Group = tuple[Alternatives, ...]  # joined by and


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query: groups joined by or, sort keys in order, and the parts that made no sense."""

    groups: tuple[Group, ...]
    order: tuple[Order, ...] = ()
    ignored: tuple[str, ...] = ()


def parse(text: str) -> Query:
    """The query of an encoded query string. Never fails: what cannot be read is in ``ignored``."""
    groups: list[list[list[Condition]]] = [[]]
    order: list[Order] = []
    ignored: list[str] = []
    is_alternative_to_nothing = False
    for part in _parts(text):
        if part.startswith("ORDERBY"):
            _add_order(order, part)
            continue
        if part == "EQ" or not part:
            continue
        if part.startswith("NQ"):
            groups.append([])
            is_alternative_to_nothing = False
            part = part[2:]
            if not part:
                continue
        is_or = part.startswith("OR")
        condition = _condition(part[2:] if is_or else part)
        if condition is None:
            ignored.append(part)
            is_alternative_to_nothing = not is_or
            continue
        if is_or and groups[-1] and not is_alternative_to_nothing:
            groups[-1][-1].append(condition)
        else:
            groups[-1].append([condition])
        is_alternative_to_nothing = False
    return Query(
        tuple(tuple(tuple(alternatives) for alternatives in group) for group in groups), tuple(order), tuple(ignored)
    )


def escape(value: str) -> str:
    """A value as it must be written into a query."""
    return value.replace("^", "^^")


def _parts(text: str) -> list[str]:
    marked = _SPLIT.sub(lambda match: _ESCAPED if match.group() == "^^" else "\x01", text)
    return [part.replace(_ESCAPED, "^") for part in marked.split("\x01")]


def _add_order(order: list[Order], part: str) -> None:
    rest = part.removeprefix("ORDERBY")
    is_descending = rest.startswith("DESC")
    for name in rest.removeprefix("DESC").split(","):
        if name and all(known.field != name for known in order):
            order.append(Order(name, is_descending))


def _condition(part: str) -> Condition | None:
    match = _CONDITION.fullmatch(part)
    if match is None:
        return None
    operator = {"NOTLIKE": "NOT LIKE", "NOTIN": "NOT IN"}.get(match["operator"], match["operator"])
    return Condition(match["field"], operator, match["value"])
