"""A mapping's filter, verified condition by condition before it is asked.

An instance silently drops a condition whose field, operator or value it does not understand, and then answers with
the whole table. So a condition that is not understood here is refused. Operators: the vendor's page *Operators
available for filters and queries*; ``INSTANCEOF``, ``RELATIVEEE`` and ``MATCH_…`` as its own query builders write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.mapping import near_matches
from connectors.servicenow.tables import STORED, Instance, literal
from improvement.errors import MappingError, Place

WITHOUT_VALUE = frozenset({"ISEMPTY", "ISNOTEMPTY", "EMPTYSTRING", "ANYTHING"})
AGAINST_FIELD = frozenset(
    {
        "SAMEAS",
        "NSAMEAS",
        "GT_FIELD",
        "LT_FIELD",
        "GT_OR_EQUALS_FIELD",
        "LT_OR_EQUALS_FIELD",
        "MORETHAN",
        "LESSTHAN",
    }
)
COMPARING = frozenset({">", ">=", "<", "<=", "BETWEEN"})
OPERATORS = frozenset(
    {
        *WITHOUT_VALUE,
        *AGAINST_FIELD,
        *COMPARING,
        "=",
        "!=",
        "IN",
        "NOT IN",
        "NOTIN",
        "LIKE",
        "NOT LIKE",
        "NOTLIKE",
        "*",
        "!*",
        "%",
        "CONTAINS",
        "DOES NOT CONTAIN",
        "STARTSWITH",
        "ENDSWITH",
        "ON",
        "NOTON",
        "DATEPART",
        "RELATIVEGT",
        "RELATIVEGE",
        "RELATIVELT",
        "RELATIVELE",
        "RELATIVEEE",
        "IN_HIERARCHY",
        "IN_HIERARCHY_DYNAMIC",
        "INSTANCEOF",
        "DYNAMIC",
        "MATCH_PAT",
        "MATCH_RGX",
    }
)
OPPOSITE = {
    "=": "!=",
    "!=": "=",
    ">": "<=",
    ">=": "<",
    "<": ">=",
    "<=": ">",
    "IN": "NOT IN",
    "NOT IN": "IN",
    "LIKE": "NOT LIKE",
    "NOT LIKE": "LIKE",
    "CONTAINS": "DOES NOT CONTAIN",
    "DOES NOT CONTAIN": "CONTAINS",
    "*": "!*",
    "!*": "*",
    "ON": "NOTON",
    "NOTON": "ON",
}
#: Not every instance has them, nor on every type of field.
DOUBTFUL = frozenset(
    {
        "*",
        "!*",
        "%",
        "CONTAINS",
        "DOES NOT CONTAIN",
        "MORETHAN",
        "LESSTHAN",
        "DATEPART",
        "RELATIVEEE",
        "IN_HIERARCHY",
        "IN_HIERARCHY_DYNAMIC",
        "DYNAMIC",
        "MATCH_PAT",
        "MATCH_RGX",
    }
)
SCRIPT = "javascript:"
TIMES = frozenset({"glide_date_time", "due_date", "glide_date"})
NUMBERS = frozenset({"integer", "decimal", "float", "percent_complete", "longint"})
MEND = (
    "Write field, operator and value without blanks between them, as “Copy query” on the platform's list does: the "
    "instance leaves out a condition it does not understand, and answers with the whole table."
)

_ANY_OPERATOR = "|".join(re.escape(name) for name in sorted(OPERATORS, key=len, reverse=True))
_CONDITION = re.compile(rf"(?P<field>[a-z0-9_.]+)(?P<operator>{_ANY_OPERATOR})(?P<value>.*)", re.DOTALL)
_LOOSE = re.compile(
    rf"\s*(?P<field>[a-z0-9_.]+)\s*(?P<operator>{_ANY_OPERATOR})(?:(?<![a-z])|(?![a-z]))\s*(?P<value>.*?)\s*",
    re.DOTALL | re.IGNORECASE,
)
_BEGINNING = re.compile(r"\s*(?P<field>[a-z0-9_.]+)\s*(?P<operator>[A-Z_]+)?")
_RELATED = re.compile(r"RLQUERY(?P<table>[a-z0-9_]+)\.(?P<field>[a-z0-9_]+),(?:>=|<=|!=|=|>|<)\d+(?:,m2m)?")
_NUMBER = re.compile(r"-?\d+(\.\d+)?|javascript:.+", re.DOTALL)
_PART = re.compile(r"\^\^|\^")


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition as written; ``table``: another than the source's, inside ``RLQUERY``. ``flaw``: what is wrong."""

    text: str
    field: str = ""
    operator: str = ""
    value: str = ""
    table: str = ""
    flaw: str = ""


def groups(query: str) -> list[str]:
    """The parts of an encoded query that ``^NQ`` joins by or; one that is empty where there is no query."""
    found: list[list[str]] = [[]]
    for part in _parts(query):
        if part.startswith("NQ") and found != [[]]:
            found.append([])
            part = part.removeprefix("NQ")
        found[-1].append(part)
    return ["^".join(part.replace("^", "^^") for part in group) for group in found]


def repeated(each: Iterable[str], query: str) -> str:
    """A query of several alternatives, each narrowed by a filter whose groups are repeated for it."""
    found = groups(query)
    return "^NQ".join("^".join(part for part in (one, group) if part) for one in each for group in found)


def conditions(query: str) -> list[Condition]:
    """Every condition of a filter, in order; the order of rows and their grouping are none."""
    return [condition for group in groups(query) for condition in _of_group(group)] if query else []


def walks(query: str, table: str) -> list[tuple[str, str]]:
    """The fields that a filter names, as (table, dot-walked path)."""
    found: list[tuple[str, str]] = []
    for condition in conditions(query):
        at = condition.table or table
        found += [(at, path) for path in (condition.field, _other_field(condition)) if path]
    return list(dict.fromkeys(found))


def steps(instance: Instance, table: str, condition: Condition) -> list[tuple[str, str]]:
    """The columns of a condition's field as (table, element).

    Raises :class:`MappingError` for a condition that the instance would not understand.
    """
    where = Place(connection=instance.config.name, field=f"mapping.{table}.filter")

    def refused(flaw: str) -> MappingError:
        return MappingError(f"The filter of {table} has “{condition.text}”: {flaw}", where=where, mend=MEND)

    at = condition.table or table
    try:
        if condition.table and not instance.known(at):
            raise refused(f"the dictionary shows no table {at}.")
        found = instance.steps(at, condition.field, used_for="filter") if condition.field else []
        if other := _other_field(condition):
            instance.steps(at, other, used_for="filter")
    except MappingError as error:
        raise MappingError(error.what, where=where, mend=MEND) from None
    if condition.flaw:
        raise refused(condition.flaw)
    last = instance.known(found[-1][0]).get(found[-1][1]) if found else None
    if condition.operator in COMPARING and last is not None:
        values = condition.value.split("@") if condition.operator == "BETWEEN" else [condition.value]
        if last.type in TIMES and not all(_is_time(value) for value in values):
            raise refused(f"{condition.field} is a time, written 2025-06-30 or 2025-06-30 14:00:00 (UTC).")
        if last.type in NUMBERS and not all(_NUMBER.fullmatch(value) for value in values):
            raise refused(f"{condition.field} is a number.")
    if _is_left_out(instance, at, condition):
        unknown = "script" if SCRIPT in condition.value else f"operator {condition.operator} on {condition.field}"
        raise refused(
            f"the instance leaves it out, so it does not know the {unknown}."
            if _opposite(condition)
            else f"all records of {at} fit it, as if the instance left it out: it may not know the {unknown}."
        )
    return found


def fits_none(instance: Instance, table: str, query: str) -> int:
    """How many rows a table has where a filter fits none of them, as with a label for a value; else 0."""
    return instance.count(table, "") if instance.count(table, query) == 0 else 0


def _is_left_out(instance: Instance, table: str, condition: Condition) -> bool:
    """Whether an operator or a script may be unknown to the instance: then its condition fits every row.

    So does one that narrows nothing, but its opposite does not; where there is no opposite, it is not trusted either.
    Every row counts that came meanwhile, too.
    """
    if condition.operator not in DOUBTFUL and SCRIPT not in condition.value:
        return False
    total = instance.count(table, "")
    both = (condition.field + condition.operator + literal(condition.value), _opposite(condition))
    return total > 0 and all(instance.count(table, one) >= total for one in both if one)


def _opposite(condition: Condition) -> str:
    """What fits where the condition does not; "" where that cannot be written."""
    field, value = condition.field, literal(condition.value)
    if condition.operator == "BETWEEN":
        first, last = value.split("@")
        return f"{field}<{first}^OR{field}>{last}"
    operator = OPPOSITE.get(condition.operator)
    return f"{field}{operator}{value}" if operator else ""


def _is_time(text: str) -> bool:
    if text.startswith(SCRIPT):
        return text != SCRIPT
    for form in (STORED, STORED[:8]):
        with suppress(ValueError):
            return datetime.strptime(text, form).replace(tzinfo=UTC).strftime(form) == text  # no digit is left out
    return False


def _of_group(group: str) -> Iterator[Condition]:
    if not group:
        yield Condition("^NQ", flaw="an empty group fits every row.")
        return
    parts = iter(_parts(group))
    is_first = True
    for part in parts:
        if part.startswith(("ORDERBY", "GROUPBY")) or part == "EQ":
            continue
        if part.startswith("RLQUERY"):
            yield from _related(part, parts)
        elif part.startswith("OR") and is_first:
            yield Condition(part, flaw="there is no condition before OR.")
        else:
            yield _condition(part.removeprefix("OR"))
        is_first = False
    if is_first:
        yield Condition(group, flaw="it has no condition, so it fits every row.")


def _related(head: str, parts: Iterator[str]) -> Iterator[Condition]:
    """A condition on how many rows of another table refer to the record, and what holds for these."""
    match = _RELATED.fullmatch(head)
    if match is None:
        yield Condition(head, flaw="it is not written RLQUERYtable.field,>=1.")
    else:
        yield Condition(head, match["field"], table=match["table"])
    for part in parts:
        if part == "ENDRLQUERY":
            return
        if match is not None:
            yield _condition(part.removeprefix("OR"), match["table"])
    yield Condition(head, flaw="its end, ^ENDRLQUERY, is missing.")


def _condition(text: str, table: str = "") -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        return _not_understood(text, table)
    field, operator, value = match["field"], match["operator"], match["value"]
    flaw = ""
    if operator in WITHOUT_VALUE:
        flaw = f"{operator} takes no value." if value else ""
    elif operator == "BETWEEN":
        flaw = "" if len(value.split("@")) == 2 and all(value.split("@")) else "BETWEEN takes two values, first@last."
    elif operator not in ("=", "!=") and not value:
        flaw = f"there is no value after {operator}."
    return Condition(text, field, operator, value, table, flaw)


def _not_understood(text: str, table: str) -> Condition:
    """What may be meant, if that can be told: a field of another spelling is named by the dictionary."""
    if not text.strip():
        return Condition(text, table=table, flaw="an empty condition.")
    if text.startswith(("JOIN", "NQ", "123TEXTQUERY321", "IR_AND_OR_QUERY")):
        return Condition(text, table=table, flaw="this form cannot be verified, or not be read page by page.")
    meant = _LOOSE.fullmatch(text)
    if meant is not None:
        proposal = meant["field"].lower() + meant["operator"].upper() + meant["value"]
        return Condition(text, meant["field"], table=table, flaw=f"it is no condition. Did you mean “{proposal}”?")
    begins = _BEGINNING.match(text)
    if begins is None:
        return Condition(text, table=table, flaw="it begins with no field.")
    operator = begins["operator"] or ""
    near = near_matches(operator, OPERATORS) if operator else ""
    return Condition(text, begins["field"], table=table, flaw=f"it has no operator that is known.{near}")


def _other_field(condition: Condition) -> str:
    """The second field of a comparison of two; ``@`` parts a distance from it."""
    return condition.value.split("@")[0] if condition.operator in AGAINST_FIELD else ""


def _parts(query: str) -> list[str]:
    """A query cut at each ``^``; a literal one is written twice."""
    found, begin = [""], 0
    for match in _PART.finditer(query):
        found[-1] += query[begin : match.start()]
        begin = match.end()
        if match.group() == "^^":
            found[-1] += "^"
        else:
            found.append("")
    found[-1] += query[begin:]
    return found
