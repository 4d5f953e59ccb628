"""Answering JQL: which issues, in which order, found by index where the query allows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from connectors.sandbox.jira.agile.planning import rank_of
from connectors.sandbox.jira.catalogue import RANK, SATISFACTION_DATE, SLA_FIELD
from connectors.sandbox.jira.clauses import Asker, Test, field_named, instant, keyed, test_of, type_ids
from connectors.sandbox.jira.jql import And, Clause, Function, JqlError, Node, Not, Or, Query
from connectors.sandbox.jira.model import Issue
from connectors.sandbox.jira.site import Site

_KEY_FIELDS = ("key", "issuekey", "issue", "id")


def find(query: Query, asker: Asker, lagging: Mapping[int, Issue | None] = MappingProxyType({})) -> list[Issue]:
    """The matching issues that the asker may see, in the query's order (by default newest created first).

    ``lagging``: what the index holds of some issues instead of what they are now.
    """
    parts = _conjuncts(query.where, asker)
    candidates, rest = _candidates(parts, asker)
    tests = [_test(part, asker) for part in rest]
    if not asker.sight.is_whole:
        tests.append(asker.sight.shows)
    if asker.site.unlisted:
        tests.append(lambda issue: issue.id not in asker.site.unlisted)
    found: Iterable[Issue] = candidates
    for test in tests:
        found = filter(test, found)
    if not lagging:
        return _sorted(list(found), query.order, asker.site)
    fits = [*(_test(part, asker) for part in parts), asker.sight.shows]
    held = [issue for issue in lagging.values() if issue is not None and all(test(issue) for test in fits)]
    both = [*(issue for issue in found if issue.id not in lagging), *held]
    return _sorted(sorted(both, key=lambda issue: issue.order), query.order, asker.site)


def count(query: Query, asker: Asker) -> int:
    """How many issues match: of whole types without looking at any, as a database's index would."""
    parts = _conjuncts(query.where, asker)
    if asker.sight.is_whole and len(parts) == 1 and isinstance(parts[0], Clause):
        types = type_ids(parts[0], asker)
        if types is not None:
            return sum(len(asker.site.by_type.get(type_id, ())) for type_id in types)
    return len(find(query, asker))


def _conjuncts(where: Node | None, asker: Asker) -> tuple[Node, ...]:
    """The conditions that must all hold, without those that do: nothing was created in the future."""
    if where is None:
        return ()
    return tuple(part for part in (where.parts if isinstance(where, And) else (where,)) if not _holds(part, asker))


def _holds(part: Node, asker: Asker) -> bool:
    if not isinstance(part, Clause) or part.field.lower() not in ("created", "createddate"):
        return False
    return part.operator in ("<", "<=") and instant(part.operands[0], asker, part.field) > asker.site.now


def _test(node: Node, asker: Asker) -> Test:
    if isinstance(node, Clause):
        return test_of(node, asker)
    if isinstance(node, Not):
        inner = _test(node.part, asker)
        return lambda issue: not inner(issue)
    tests = [_test(part, asker) for part in node.parts]
    if isinstance(node, Or):
        return lambda issue: any(test(issue) for test in tests)
    return lambda issue: all(test(issue) for test in tests)


def _candidates(parts: tuple[Node, ...], asker: Asker) -> tuple[Iterable[Issue], list[Node]]:
    """Issues that may match, in (updated, key) order, and the conditions still to be tested."""
    site = asker.site
    rest: list[Node] = []
    since: int | None = None
    before: int | None = None
    chosen: list[Issue] | None = None
    for part in parts:
        if not isinstance(part, Clause):
            rest.append(part)
            continue
        bounds = updated_bounds(part, asker)
        if bounds is not None:
            low, high = bounds
            since = low if since is None else max(since, low) if low is not None else since
            before = high if before is None else min(before, high) if high is not None else before
        elif part.field.lower() in _KEY_FIELDS and part.operator in ("=", "in") and chosen is None:
            chosen = keyed(part, asker)
        elif part.field.lower() == "labels" and part.operator in ("=", "in") and chosen is None:
            ids = set().union(*(site.by_label.get(str(operand), set()) for operand in part.operands))
            chosen = site.known(ids)
        elif part.field.lower() == "parent" and part.operator in ("=", "in") and chosen is None:
            chosen = _below(part, asker)
            rest.append(part)  # one may have been given to another parent since
        else:
            rest.append(part)
            if chosen is None and (since_answer := _answered_since(part, asker)) is not None:
                chosen = site.answered(since_answer, site.now + 1)
    if chosen is None and any(_means_running(part, asker) for part in rest):
        chosen = site.on_the_clock()
    if chosen is None:
        return site.ordered(since, before), rest
    within = [
        issue
        for issue in chosen
        if (since is None or issue.updated >= since) and (before is None or issue.updated < before)
    ]
    return sorted(within, key=lambda issue: issue.order), rest


def _below(clause: Clause, asker: Asker) -> list[Issue]:
    """The sub-tasks of the issues that a clause on the parent names; of one that does not exist there are none."""
    parents = [asker.sight.issue(operand) for operand in clause.operands if isinstance(operand, str)]
    above = [parent for parent in parents if parent is not None and parent.extras]
    ids = {id for parent in above if parent.extras for id in parent.extras.subtasks}
    ids.update(*(asker.site.planning.children(parent.id) for parent in parents if parent is not None))
    return asker.site.known(ids)


def _means_running(node: Node, asker: Asker) -> bool:
    """Whether only issues with a running clock can match: what a puller asks every time, so not a scan."""
    if isinstance(node, And):
        return any(_means_running(part, asker) for part in node.parts)
    if isinstance(node, Or):
        return all(_means_running(part, asker) for part in node.parts)
    if not isinstance(node, Clause) or len(node.operands) != 1 or not isinstance(node.operands[0], Function):
        return False
    field, name = field_named(node.field, asker.site), node.operands[0].name.lower()
    if field is None or field.custom != SLA_FIELD:
        return False
    return (node.operator, name) in (("!=", "completed"), ("=", "running"), ("=", "paused"))


def _answered_since(clause: Clause, asker: Asker) -> int | None:
    """The instant from which on the customer must have answered; None for any other clause."""
    if clause.operator not in (">", ">=") or field_named(clause.field, asker.site) is not SATISFACTION_DATE:
        return None
    return instant(clause.operands[0], asker, clause.field)


def updated_bounds(clause: Clause, asker: Asker) -> tuple[int | None, int | None] | None:
    """[since, before) of a clause that bounds the update time, None for any other clause."""
    if clause.field.lower() not in ("updated", "updateddate") or clause.operator not in (">", ">=", "<", "<="):
        return None
    at = instant(clause.operands[0], asker, clause.field)
    if clause.operator in (">", ">="):
        return (at + (clause.operator == ">"), None)
    return (None, at + (clause.operator == "<="))


def _sorted(found: list[Issue], order: tuple[tuple[str, bool], ...], site: Site) -> list[Issue]:
    names = [(name.lower(), is_descending) for name, is_descending in order]
    if not names:
        return sorted(found, key=lambda issue: (-issue.created, -issue.id))
    if names in (
        [("updated", False)],
        *([("updated", False), (key, False)] for key in _KEY_FIELDS),
    ):
        return found
    for name, is_descending in reversed(names):
        found.sort(key=_sort_key(name, site), reverse=is_descending)
    return found


def _sort_key(name: str, site: Site) -> Callable[[Issue], Any]:
    field = field_named(name, site)
    if field is None:
        return lambda issue: (issue.project.rank, issue.number)
    table: dict[str, Callable[[Issue], Any]] = {
        "updated": lambda issue: issue.updated,
        "created": lambda issue: issue.created,
        "resolutiondate": lambda issue: issue.resolved or 0,
        "priority": lambda issue: -int(issue.priority or 9),
        "duedate": lambda issue: issue.due or "9999",
        "status": lambda issue: issue.status.id,
        "summary": lambda issue: issue.summary,
        "project": lambda issue: issue.project.rank,
        "issuetype": lambda issue: issue.type.id,
        "assignee": lambda issue: issue.assignee or "",
    }
    if field is RANK:
        return rank_of
    if field.id in table:
        return table[field.id]
    if field.attribute:
        attribute = field.attribute
        return lambda issue: str(issue.value(attribute) or "")
    raise JqlError(f"Not able to sort using field '{name}'.")
