"""ServiceNow's encoded query language: text to conditions.

``^`` and, ``^OR`` or (binds to the condition before it), ``^NQ`` a new query (or of whole groups), ``^ORDERBYfield``,
``^ORDERBYDESCfield``; a literal ``^`` in a value is ``^^``. A part that is no condition is kept aside in
:attr:`Query.ignored`: an instance drops it silently unless ``glide.invalid_query.returns_no_rows`` is set.
Source: the vendor's pages *Operators available for filters and queries* and *Encoded query strings*.

Two parts ask another table, as ServiceNow's own client PySNC writes them: ``RLQUERYtable.field,>=1[,m2m]^…^ENDRLQUERY``
(so many of its rows refer to the record) and ``JOINtable.field=other.field!…`` (a row of the other table has the same
value; its conditions go on to the next such part, the order or the end). They hold for the whole query.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

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
    "DOES NOT CONTAIN",
    "CONTAINS",
    "IN_HIERARCHY_DYNAMIC",
    "IN_HIERARCHY",
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
    "!*",
    "*",
    "%",
    ">=",
    "<=",
    "!=",
    "=",
    ">",
    "<",
)
#: Other spellings, by the same page; ``CONTAINS`` is that of ServiceNow's own clients.
SAME = {
    "NOTLIKE": "NOT LIKE",
    "NOTIN": "NOT IN",
    "CONTAINS": "LIKE",
    "DOES NOT CONTAIN": "NOT LIKE",
    "*": "LIKE",
    "!*": "NOT LIKE",
    "%": "ENDSWITH",
}

_CONDITION = re.compile(
    r"(?P<field>[a-z0-9_.]+)(?P<operator>" + "|".join(re.escape(name) for name in OPERATORS) + r")(?P<value>.*)",
    re.DOTALL,
)
_RELATED = re.compile(r"(OR|NQ)?(?P<kind>RLQUERY|JOIN)(?P<rest>.*)", re.DOTALL)
_LIST = re.compile(r"(?P<table>[a-z0-9_]+)\.(?P<field>[a-z0-9_]+),(?P<operator>>=|<=|=|>|<)(?P<count>\d{1,9})(,m2m)?")
_JOIN = re.compile(
    r"(?P<own_table>[a-z0-9_]+)\.(?P<own_field>[a-z0-9_]+)=(?P<table>[a-z0-9_]+)\.(?P<field>[a-z0-9_]+)!(?P<first>.*)",
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
class Related:
    """A condition on rows of another table: how many of them (``count``) have in ``field`` what the record has in
    ``own_field``. ``own_table``: "" where the condition does not name it.
    """

    text: str
    table: str
    field: str
    operator: str
    count: int
    where: Query
    own_table: str = ""
    own_field: str = "sys_id"


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query: groups joined by or, sort keys in order, and the parts that made no sense."""

    groups: tuple[Group, ...]
    order: tuple[Order, ...] = ()
    ignored: tuple[str, ...] = ()
    related: tuple[Related, ...] = ()


def parse(text: str) -> Query:
    """The query of an encoded query string. Never fails: what cannot be read is in ``ignored``."""
    own, related = _without_related(_parts(text))
    found = _parsed(own)
    unread = tuple(one for one in related if isinstance(one, str))
    joined = tuple(one for one in related if isinstance(one, Related))
    return replace(found, ignored=found.ignored + unread, related=joined) if related else found


def _without_related(parts: list[str]) -> tuple[list[str], list[Related | str]]:
    """The parts about the table itself, and the conditions on others (as text where they cannot be read)."""
    own: list[str] = []
    related: list[Related | str] = []
    rest = iter(parts)
    part = next(rest, None)
    while part is not None:
        begins = _RELATED.match(part)
        if begins is None:
            own.append(part)
            part = next(rest, None)
            continue
        inside, is_list = [], begins["kind"] == "RLQUERY"
        for part in rest:
            if part == "ENDRLQUERY" if is_list else part.startswith(("ORDERBY", "JOIN", "RLQUERY")):
                break
            inside.append(part)
        else:
            part = None
        related.append(_related(begins["rest"], inside) if is_list else _join(begins["rest"], inside))
        if is_list and part is not None:
            part = next(rest, None)
    return own, related


def _related(head: str, inside: list[str]) -> Related | str:
    match = _LIST.fullmatch(head)
    if match is None:
        return f"RLQUERY{head}"
    where = _parsed(inside)
    return Related(head, match["table"], match["field"], match["operator"], int(match["count"]), where)


def _join(head: str, inside: list[str]) -> Related | str:
    match = _JOIN.fullmatch(head)
    if match is None:
        return f"JOIN{head}"
    where = _parsed([match["first"], *inside])
    return Related(head, match["table"], match["field"], ">=", 1, where, match["own_table"], match["own_field"])


def _parsed(parts: list[str]) -> Query:
    groups: list[list[list[Condition]]] = [[]]
    order: list[Order] = []
    ignored: list[str] = []
    is_alternative_to_nothing = False
    for part in parts:
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
    return Condition(match["field"], SAME.get(match["operator"], match["operator"]), match["value"])
