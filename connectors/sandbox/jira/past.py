"""What JQL asks of the past: ``was``, ``was not``, ``was in``, ``was not in`` and ``changed``, with their predicates.

Jira keeps such histories of a few fields; here they are status, assignee and priority. Source: the vendor's page
*Advanced searching: operators reference*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from connectors.sandbox.jira import catalogue
from connectors.sandbox.jira.accounts import AUTOMATION
from connectors.sandbox.jira.jql import Clause, JqlError, Operand
from connectors.sandbox.jira.model import Issue
from connectors.sandbox.jira.site import Site

WAS = frozenset({"was", "was not", "was in", "was not in"})
CHANGED = "changed"
DAY_S = 86_400
_OF_TICKETS = {"status": "state", "assignee": "assignee", "priority": "priority"}
Test = Callable[[Issue], bool]


@dataclass(frozen=True, slots=True)
class _Change:
    at: int
    author: str
    old: object
    new: object


@dataclass(frozen=True, slots=True)
class _Held:
    value: object
    begin: int
    end: int | None
    author: str


@dataclass(frozen=True, slots=True)
class _Predicates:
    """When, and by whom; ``begin`` and ``end`` are epoch seconds, the end exclusive. ``by``: empty for anybody."""

    begin: int | None
    end: int | None
    by: frozenset[object]

    def holds_at(self, at: int, author: str) -> bool:
        return self.overlaps(at, at + 1, author)

    def overlaps(self, begin: int, end: int | None, author: str) -> bool:
        is_late = self.end is not None and begin >= self.end
        is_early = self.begin is not None and end is not None and end <= self.begin
        return not is_late and not is_early and (not self.by or author in self.by)


def past_test(
    clause: Clause,
    field_id: str,
    site: Site,
    *,
    value: Callable[[Operand], object],
    account: Callable[[Operand], object],
    at: Callable[[Operand], int],
) -> Test:
    """The test of such a clause; ``value``, ``account`` and ``at`` read its operands."""
    if field_id not in _OF_TICKETS:
        raise JqlError(f"The operator '{clause.operator}' is not supported by the '{clause.field}' field.")
    given = dict(clause.predicates)
    when = _predicates(given, account, at)
    if clause.operator == CHANGED:
        old, new = ({value(one) for one in given.get(name, ())} for name in ("from", "to"))
        return lambda issue: any(
            (not old or one.old in old) and (not new or one.new in new) and when.holds_at(one.at, one.author)
            for one in _changes(issue, field_id, site)
        )
    wanted = {value(one) for one in clause.operands}
    is_wanted = "not" not in clause.operator

    def was(issue: Issue) -> bool:
        found = (one for one in _spans(issue, field_id, site) if one.value in wanted)
        return any(when.overlaps(one.begin, one.end, one.author) for one in found) is is_wanted

    return was


def _predicates(
    given: dict[str, tuple[Operand, ...]], account: Callable[[Operand], object], at: Callable[[Operand], int]
) -> _Predicates:
    begins = [at(one) + 1 for one in given.get("after", ())]
    ends = [at(one) for one in given.get("before", ())]
    for name in ("on", "during"):
        for first in given.get(name, ())[:1]:
            last = given[name][-1]
            begins.append(at(first))
            ends.append(at(last) + (DAY_S if name == "on" or not str(last).count(":") else 1))
    by = frozenset(account(one) for one in given.get("by", ()))
    return _Predicates(max(begins, default=None), min(ends, default=None), by)


def _spans(issue: Issue, field_id: str, site: Site) -> Iterator[_Held]:
    """Every value that the field held, oldest first."""
    changes = list(_changes(issue, field_id, site))
    now = {"status": issue.status.id, "assignee": issue.assignee, "priority": issue.priority}[field_id]
    begin, author, held = issue.created, issue.reporter, changes[0].old if changes else now
    for one in changes:
        yield _Held(held, begin, one.at, author)
        begin, author, held = one.at, one.author, one.new
    yield _Held(held, begin, None, author)


def _changes(issue: Issue, field_id: str, site: Site) -> Iterator[_Change]:
    """Oldest first: what the world's events changed, then what people did."""
    name, ticket = _OF_TICKETS[field_id], issue.ticket
    if ticket is not None and issue.applied:
        known = {"priority": ticket.priority, **ticket.events[0].changes}
        for event in ticket.events[1 : issue.applied]:
            now = known | event.changes
            author = str(event.changes.get("assignee") or known.get("assignee") or AUTOMATION)
            if known.get(name) != now.get(name):
                yield _Change(event.at, author, _shown(field_id, known.get(name)), _shown(field_id, now.get(name)))
            known = now
    for history in issue.extras.histories if issue.extras is not None else ():
        for item in history.items:
            if item.field_id == field_id:
                old, new = (_named(site, field_id, one) for one in (item.old, item.new))
                yield _Change(history.at, history.author, old, new)


def _shown(field_id: str, value: object) -> object:
    if field_id == "status":
        return catalogue.TICKET_STATUS[str(value)].id
    return str(value) if value else None


def _named(site: Site, field_id: str, id: str | None) -> object:
    account = site.directory.meant(id) if field_id == "assignee" and id else None
    return account.name if account is not None else id
