"""Load mode: any number of issues, made of a few hundred of the site's own.

Of each of these the rendered text is kept in pieces around its id, key and update time, so a page costs one join and
the server is never the bottleneck of a pull benchmark. What searches for tickets by type and update time gets these
issues; everything else is answered by the small site behind them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from connectors.sandbox.jira import searching
from connectors.sandbox.jira.catalogue import CONTACT
from connectors.sandbox.jira.clauses import Asker
from connectors.sandbox.jira.jql import And, Clause, Query
from connectors.sandbox.jira.model import Issue
from connectors.sandbox.jira.render import Renderer
from connectors.sandbox.jira.sight import Sight

TEMPLATES = 500
FIRST_S = 1_704_067_200  # 2024-01-01T00:00:00Z
APART_S = 7
FIRST_ID = 1_000_000
KEPT_SHAPES = 4
_CHANGING = re.compile(r'(?<="id":")\d+(?=","self")|(?<="key":")[A-Z]+-\d+|(?<="updated":")[^"]+|(?<=/issue/)\d+')
_UPDATED = frozenset({"updated", "updateddate"})
_NARROWING = frozenset({"project", "issuetype", "type", "created", "createddate"}) | _UPDATED
_ORDERS: tuple[list[tuple[str, bool]], ...] = ([], [("updated", False)], [("updated", False), ("key", False)])
_Template = tuple[bytes | int, ...]  # pieces of bytes; 0, 1, 2 stand for id, key, update time
_Shape = tuple[Renderer, str, tuple[str, ...], int]


class LoadedIssues:
    """``count`` issues, the n-th updated :data:`APART_S` seconds after the one before it."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._models: dict[tuple[Sight, str], list[Issue]] = {}  # the site's own issues that a search is answered with
        self._templates: dict[_Shape, list[_Template]] = {}

    def span(self, query: Query, asker: Asker) -> tuple[int, int] | None:
        """First and last (exclusive) of the issues that a search finds; None where the site behind answers it.

        Times of creation narrow nothing: all of these issues are of the past.
        """
        clauses = _clauses(query)
        if clauses is None or not any(clause.field.lower() in ("issuetype", "type") for clause in clauses):
            return None
        if [(name.lower(), is_descending) for name, is_descending in query.order] not in _ORDERS:
            return None
        begin, end = 0, self.count
        for clause in clauses:
            bounds = searching.updated_bounds(clause, asker)
            if bounds is None and clause.field.lower() in _UPDATED:
                return None
            low, high = bounds or (None, None)
            begin = max(begin, _number(low)) if low is not None else begin
            end = min(end, _number(high)) if high is not None else end
        return (begin, max(begin, end)) if self._models_of(query, asker) else None

    def texts(
        self,
        query: Query,
        asker: Asker,
        renderer: Renderer,
        fields: Sequence[str],
        *,
        changes: int,
        span: tuple[int, int],
    ) -> list[bytes]:
        """These issues as JSON, with the fields asked for."""
        shape = (renderer, repr(_timeless(query)), tuple(fields), changes)
        if shape not in self._templates:
            while len(self._templates) >= KEPT_SHAPES:
                self._templates.pop(next(iter(self._templates)))
            self._templates[shape] = [
                _apart(issue.id, issue.key, renderer.issue(issue, fields, changes=changes))
                for issue in self._models_of(query, asker)
            ]
        templates, iso = self._templates[shape], renderer.times.iso
        return [_filled(templates[number % len(templates)], number, iso(_updated(number))) for number in range(*span)]

    def ids(self, span: tuple[int, int], *, with_key: bool) -> list[bytes]:
        """These issues as ids alone."""
        keys = (f',"key":"OPS-{number + 1}"' if with_key else "" for number in range(*span))
        return [f'{{"id":"{FIRST_ID + number}"{key}}}'.encode() for number, key in zip(range(*span), keys, strict=True)]

    def _models_of(self, query: Query, asker: Asker) -> list[Issue]:
        timeless = _timeless(query)
        known = (asker.sight, repr(timeless))
        if known not in self._models:
            found = [issue for issue in searching.find(timeless, asker) if issue.type.id != CONTACT.id]
            self._models[known] = found[:TEMPLATES]
        return self._models[known]


def _clauses(query: Query) -> list[Clause] | None:
    """The conditions of a search for tickets; None of any other search."""
    parts = query.where.parts if isinstance(query.where, And) else (query.where,)
    found = [part for part in parts if isinstance(part, Clause) and part.field.lower() in _NARROWING]
    return found if len(found) == len(parts) else None


def _timeless(query: Query) -> Query:
    parts = tuple(
        clause for clause in _clauses(query) or () if clause.field.lower() in ("project", "issuetype", "type")
    )
    return replace(query, where=And(parts), order=(("updated", False),))


def _apart(id: int, key: str, text: str) -> _Template:
    """An issue's text around what differs from issue to issue; ids of its history and clocks stay."""
    own = {str(id): 0, key: 1}
    pieces: list[bytes | int] = []
    last = 0
    for match in _CHANGING.finditer(text):
        kind = 2 if text.startswith('"updated":"', match.start() - 11) else own.get(match[0])
        if kind is not None:
            pieces += [text[last : match.start()].encode(), kind]
            last = match.end()
    return (*pieces, text[last:].encode())


def _filled(template: _Template, number: int, updated: str) -> bytes:
    values = (b"%d" % (FIRST_ID + number), b"OPS-%d" % (number + 1), updated.encode())
    return b"".join([values[piece] if isinstance(piece, int) else piece for piece in template])


def _updated(number: int) -> int:
    return FIRST_S + APART_S * number


def _number(at: int) -> int:
    """The first issue that was updated at this instant or later."""
    return max(0, -((FIRST_S - at) // APART_S))
