"""Reading JQL into a small tree. What the words mean for an issue is decided in :mod:`.clauses`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
      | (?P<operator>!=|!~|>=|<=|=|~|>|<)
      | (?P<sign>[(),!]|&&?|\|\|?)
      | (?P<word>cf\[\d+\]|[^\s()=!~<>,"'&|]+)
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)")
MAX_DEPTH = 100
_PREDICATES = frozenset({"after", "before", "on", "during", "by", "from", "to"})
_RESERVED = frozenset({"and", "or", "not", "in", "is", "order", "by", "empty", "null"})


class JqlError(Exception):
    """A query that cannot be answered; the message is what Jira says."""


@dataclass(frozen=True, slots=True)
class Function:
    """A call such as ``currentUser()`` or ``startOfDay("-1d")``."""

    name: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Empty:
    """``EMPTY`` or ``NULL``."""


Operand = str | Function | Empty


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition. ``operands`` has one member, or many for ``in`` and ``not in``, or none for ``changed``.

    ``predicates``: when and by whom, of a condition on the past.
    """

    field: str
    operator: str  # = != ~ !~ > >= < <= in not in is is not was was not was in was not in changed
    operands: tuple[Operand, ...]
    predicates: tuple[tuple[str, tuple[Operand, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part holds."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Node


Node = Clause | And | Or | Not


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query: its condition (None: everything) and its order as (field, is descending)."""

    where: Node | None
    order: tuple[tuple[str, bool], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # text | operator | sign | word | end
    value: str
    at: int


def parse(text: str) -> Query:
    """Read a query; :class:`JqlError` with position when it is not JQL."""
    return _Parser(_tokens(text)).query()


def _tokens(text: str) -> list[_Token]:
    found = []
    position = 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None:
            at = position + 1
            what = f"The character '{stripped[position]}' is not expected."
            raise JqlError(f"Error in the JQL Query: {what} (line 1, character {at})")
        kind = match.lastgroup or "word"
        value = match.group(kind)
        if kind == "text":
            value = _ESCAPE.sub(r"\1", value[1:-1])
        found.append(_Token(kind, value, match.start(kind) + 1))
        position = match.end()
    found.append(_Token("end", "", len(stripped) + 1))
    return found


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._index = 0
        self._depth = 0

    @property
    def _now(self) -> _Token:
        return self._tokens[self._index]

    def _is_word(self, *words: str) -> bool:
        return self._now.kind == "word" and self._now.value.lower() in words

    def _is_sign(self, *signs: str) -> bool:
        return self._now.kind == "sign" and self._now.value in signs

    def _take(self) -> _Token:
        token = self._now
        self._index += 1
        return token

    def _fail(self, wanted: str) -> JqlError:
        token = self._now
        if token.kind == "end":
            return JqlError(f"Error in the JQL Query: Expecting {wanted} before the end of the query.")
        return JqlError(
            f"Error in the JQL Query: Expecting {wanted} but got '{token.value}'. (line 1, character {token.at})"
        )

    def query(self) -> Query:
        where = None
        if self._now.kind != "end" and not self._is_word("order"):
            where = self._or()
        order: list[tuple[str, bool]] = []
        if self._is_word("order"):
            self._take()
            if not self._is_word("by"):
                raise self._fail("'by'")
            self._take()
            order.append(self._sort())
            while self._is_sign(","):
                self._take()
                order.append(self._sort())
        if self._now.kind != "end":
            raise self._fail("either 'OR' or 'AND'")
        return Query(where, tuple(order))

    def _sort(self) -> tuple[str, bool]:
        if self._now.kind not in ("word", "text"):
            raise self._fail("a field name")
        name = self._take().value
        if self._is_word("asc", "desc"):
            return name, self._take().value.lower() == "desc"
        return name, False

    def _or(self) -> Node:
        parts = [self._and()]
        while self._is_word("or") or self._is_sign("|", "||"):
            self._take()
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _and(self) -> Node:
        parts = [self._not()]
        while self._is_word("and") or self._is_sign("&", "&&"):
            self._take()
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _not(self) -> Node:
        if self._is_word("not") or self._is_sign("!"):
            return Not(self._within(self._not))
        if self._is_sign("("):
            inner = self._within(self._or)
            self._close()
            return inner
        return self._clause()

    def _within(self, inner: Callable[[], Node]) -> Node:
        """What follows the word or bracket under way, one level deeper."""
        self._take()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise JqlError(f"Error in the JQL Query: It is nested deeper than {MAX_DEPTH} levels.")
        node = inner()
        self._depth -= 1
        return node

    def _close(self) -> None:
        if not self._is_sign(")"):
            raise self._fail("')'")
        self._take()

    def _clause(self) -> Clause:
        if self._now.kind not in ("word", "text") or self._is_word(*_RESERVED):
            raise self._fail("a field name")
        name = self._take().value
        if self._now.kind == "operator":
            operator = self._take().value
            return Clause(name, operator, (self._operand(),))
        if self._is_word("is"):
            self._take()
            operator = "is"
            if self._is_word("not"):
                self._take()
                operator = "is not"
            operand = self._operand()
            if not isinstance(operand, Empty):
                raise JqlError(f"The operator '{operator}' can only be used with EMPTY or NULL, field '{name}'.")
            return Clause(name, operator, (operand,))
        if self._is_word("was", "changed"):
            return self._past(name, self._take().value.lower())
        operator = "in"
        if self._is_word("not"):
            self._take()
            operator = "not in"
        if not self._is_word("in"):
            raise self._fail("an operator")
        self._take()
        return Clause(name, operator, self._list())

    def _past(self, name: str, operator: str) -> Clause:
        """A condition on the past, from behind its first word on."""
        operands: tuple[Operand, ...] = ()
        if operator == "was":
            for word in ("not", "in"):
                if self._is_word(word):
                    operator = f"{operator} {self._take().value.lower()}"
            operands = self._list() if operator.endswith("in") else (self._operand(),)
        predicates = []
        while self._is_word(*(_PREDICATES if operator == "changed" else _PREDICATES - {"from", "to"})):
            predicate = self._take().value.lower()
            is_list = self._is_sign("(") or predicate == "during"
            predicates.append((predicate, self._list() if is_list else (self._operand(),)))
        return Clause(name, operator, operands, tuple(predicates))

    def _list(self) -> tuple[Operand, ...]:
        if not self._is_sign("("):
            operand = self._operand()
            if isinstance(operand, Function):
                return (operand,)
            raise self._fail("'('")
        self._take()
        operands = [self._operand()]
        while self._is_sign(","):
            self._take()
            operands.append(self._operand())
        self._close()
        return tuple(operands)

    def _operand(self) -> Operand:
        if self._now.kind == "text":
            return self._take().value
        if self._now.kind != "word":
            raise self._fail("a value")
        word = self._take().value
        if word.lower() in ("empty", "null"):
            return Empty()
        if self._is_sign("("):
            return self._call(word)
        return word

    def _call(self, name: str) -> Function:
        self._take()
        arguments = []
        while not self._is_sign(")"):
            if self._now.kind not in ("text", "word"):
                raise self._fail("an argument")
            arguments.append(self._take().value)
            if self._is_sign(","):
                self._take()
        self._take()
        return Function(name, tuple(arguments))
