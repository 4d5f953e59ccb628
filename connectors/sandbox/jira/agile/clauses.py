"""What a JQL clause on a field of Jira Software means: sprints by id, name or state, epics by key, flags, points."""

from __future__ import annotations

from collections.abc import Callable

from connectors.sandbox.jira.agile.planning import ACTIVE, CLOSED, FUTURE
from connectors.sandbox.jira.catalogue import EPIC_LINK, FLAGGED, SPRINT, STORY_POINTS, Field
from connectors.sandbox.jira.jql import Clause, Empty, Function, JqlError, Operand
from connectors.sandbox.jira.model import Issue
from connectors.sandbox.jira.sight import Sight

_STATES = {"opensprints": ACTIVE, "closedsprints": CLOSED, "futuresprints": FUTURE}


def planning_test(clause: Clause, field: Field, sight: Sight) -> Callable[[Issue], bool] | None:
    """The test that a clause on one of these fields makes; None for any other field."""
    getters: dict[str, tuple[Callable[[Issue], set[object]], Callable[[Sight, Operand], set[object]]]] = {
        SPRINT.id: (lambda issue: {one.id for one in sight.site.planning.sprints_of(issue)}, _sprints),
        EPIC_LINK.id: (lambda issue: _kept(issue.value("epic")), _epic),
        FLAGGED.id: (lambda issue: {"impediment"} if issue.value("flagged") else set(), _flag),
        STORY_POINTS.id: (lambda issue: _kept(issue.value("story_points")), _points),
    }
    if field.id not in getters:
        return None
    get, meant = getters[field.id]
    if clause.operator in ("is", "is not"):
        wants_empty = clause.operator == "is"
        return lambda issue: (not get(issue)) is wants_empty
    if clause.operator not in ("=", "in", "!=", "not in"):
        raise JqlError(f"The operator '{clause.operator}' is not supported by the '{clause.field}' field.")
    wanted: set[object] = set().union(*(meant(sight, operand) for operand in clause.operands))
    if clause.operator in ("=", "in"):
        return lambda issue: not wanted.isdisjoint(get(issue))
    return lambda issue: bool(found := get(issue)) and wanted.isdisjoint(found)


def _kept(value: object) -> set[object]:
    return {value} if value is not None else set()


def _sprints(sight: Sight, operand: Operand) -> set[object]:
    sprints = sight.site.planning.sprints.values()
    if isinstance(operand, Function):
        state = _STATES.get(operand.name.lower())
        if state is None:
            raise JqlError(f"Unable to find JQL function '{operand.name}()' for field 'Sprint'.")
        return {one.id for one in sprints if one.state == state}
    text = _text(operand).lower()
    found: set[object] = {one.id for one in sprints if text in (str(one.id), one.name.lower())}
    if not found:
        raise JqlError(f"Sprint with name or id '{operand}' does not exist or you do not have permission to view it.")
    return found


def _epic(sight: Sight, operand: Operand) -> set[object]:
    found = sight.issue(_text(operand))
    if found is None:
        raise JqlError(f"An issue with key '{operand}' does not exist for field 'Epic Link'.")
    return {found.id}


def _flag(sight: Sight, operand: Operand) -> set[object]:
    return {_text(operand).lower()}


def _points(sight: Sight, operand: Operand) -> set[object]:
    try:
        return {float(_text(operand))}
    except ValueError:
        raise JqlError(f"The value '{operand}' is not a number, as 'Story Points' demands.") from None


def _text(operand: Operand) -> str:
    if isinstance(operand, Function | Empty):
        raise JqlError("A value is expected here, not a function.")
    return operand
