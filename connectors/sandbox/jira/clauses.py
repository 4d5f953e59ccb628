"""What a JQL clause means: a test for an issue, told apart by the kind of field.

As in Jira, ``!=`` and ``not in`` never match an issue whose field is empty, and a value that cannot exist is an
error (400), not an empty answer.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.sandbox.jira import catalogue, slas
from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.agile.clauses import planning_test
from connectors.sandbox.jira.catalogue import Field
from connectors.sandbox.jira.jql import Clause, Empty, Function, JqlError, Operand
from connectors.sandbox.jira.model import Issue
from connectors.sandbox.jira.past import CHANGED, WAS, past_test
from connectors.sandbox.jira.sight import Sight
from connectors.sandbox.jira.site import Site
from connectors.sandbox.jira.times import jql_time
from connectors.sandbox.world import WorldSla

Test = Callable[[Issue], bool]
_COMPARE = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_DATES: dict[str, Callable[[Issue], int | None]] = {
    "created": lambda issue: issue.created,
    "updated": lambda issue: issue.updated,
    "resolutiondate": lambda issue: issue.resolved,
}
_CLAUSE_NAMES: dict[str, Field] = {
    name.lower(): field for field in catalogue.FIELDS for name in (*field.clauses, field.id, field.name)
} | {f"cf[{field.id.removeprefix('customfield_')}]": field for field in catalogue.CUSTOM_FIELDS}
_KEY_NAMES = frozenset({"key", "issuekey", "issue", "id"})


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, in which zone, on which site: what relative words in a query refer to."""

    site: Site
    account: Account | None
    zone: ZoneInfo

    @property
    def sight(self) -> Sight:
        """What the caller may see."""
        return Sight.of(self.site, self.account)


def field_named(name: str, site: Site) -> Field | None:
    """The field a clause or sort names, by clause name, id or ``cf[…]``; None for the issue key."""
    if name.lower() in _KEY_NAMES:
        return None
    found = _CLAUSE_NAMES.get(name.lower()) or site.further_clause(name.lower())
    if found is None:
        raise JqlError(f"Field '{name}' does not exist or you do not have permission to view it.")
    return found


def test_of(clause: Clause, asker: Asker) -> Test:
    """The test a clause makes of an issue."""
    sight = asker.sight
    if clause.field.lower() == "text":
        return _contains(clause, lambda issue: _all_text(issue, sight))
    field = field_named(clause.field, asker.site)
    if field is None:
        return _keys(clause, asker)
    if clause.operator in WAS or clause.operator == CHANGED:
        return past_test(
            clause,
            field.id,
            asker.site,
            value=lambda operand: _member_id(operand, field, asker),
            account=lambda operand: _member_id(operand, catalogue.FIELD_BY_ID["assignee"], asker),
            at=lambda operand: instant(operand, asker, clause.field),
        )
    if field.custom == catalogue.SLA_FIELD:
        return _sla(clause, field, asker)
    if field.id in _DATES:
        return _instants(clause, _DATES[field.id], asker)
    if field is catalogue.SATISFACTION_DATE:
        return _instants(clause, lambda issue: slas.answered_at(issue, asker.site.now), asker)
    if field.id == "summary":
        return _contains(clause, lambda issue: issue.summary)
    if field.id == "description":
        return _contains(clause, lambda issue: issue.description)
    if field.id == "comment":
        return _contains(clause, lambda issue: _comment_text(issue, sight))
    if field.id == "labels":
        return _labels(clause, lambda issue: issue.labels)
    planned = planning_test(clause, field, sight)
    if planned is not None:
        return planned
    if field.type == "array" and field.attribute:
        return _labels(clause, lambda issue: issue.value(field.attribute) or ())
    if field.custom and field.type == "string" and clause.operator in ("~", "!~"):
        return _contains(clause, lambda issue: issue.value(field.attribute) or "")
    if field.type == "number":
        return _numbers(clause, field)
    return _members(clause, field, asker)


def type_ids(clause: Clause, asker: Asker) -> set[str] | None:
    """The ids of the issue types that a clause asks for; None for any other clause."""
    if clause.operator not in ("=", "in"):
        return None
    field = field_named(clause.field, asker.site)
    if field is None or field.id != "issuetype":
        return None
    return {str(_member_id(operand, field, asker)) for operand in clause.operands}


def instant(operand: Operand, asker: Asker, name: str) -> int:
    """Epoch seconds of a time operand."""
    if isinstance(operand, Function):
        return _function_instant(operand, asker)
    found = None if isinstance(operand, Empty) else jql_time(operand, asker.zone, asker.site.now)
    if found is None:
        shown = "EMPTY" if isinstance(operand, Empty) else operand
        raise JqlError(
            f"Date value '{shown}' for field '{name}' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', "
            "'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
        )
    return found


def _function_instant(function: Function, asker: Asker) -> int:
    now = asker.site.now
    name = function.name.lower()
    if name == "now":
        return now
    day = datetime.fromtimestamp(now, asker.zone).replace(hour=0, minute=0, second=0)
    starts = {
        "startofday": day,
        "endofday": day + timedelta(days=1) - timedelta(seconds=1),
        "startofweek": day - timedelta(days=(day.weekday() + 1) % 7),
        "startofmonth": day.replace(day=1),
        "startofyear": day.replace(month=1, day=1),
    }
    if name not in starts:
        raise JqlError(f"Unable to find JQL function '{function.name}({', '.join(function.arguments)})'.")
    start = int(starts[name].timestamp())
    if not function.arguments:
        return start
    moved = jql_time(function.arguments[0], asker.zone, start)
    if moved is None:
        raise JqlError(f"The argument '{function.arguments[0]}' of '{function.name}' is not a period.")
    return moved


def _instants(clause: Clause, value: Callable[[Issue], int | None], asker: Asker) -> Test:
    if clause.operator in ("is", "is not"):
        wants_empty = clause.operator == "is"
        return lambda issue: (value(issue) is None) is wants_empty
    moments = [instant(operand, asker, clause.field) for operand in clause.operands]
    if clause.operator in _COMPARE:
        compare, moment = _COMPARE[clause.operator], moments[0]

        def compared(issue: Issue) -> bool:
            at = value(issue)
            return at is not None and compare(at, moment)

        return compared
    return _membership(clause, {moment // 60 for moment in moments}, lambda issue: _minute(value(issue)))


def _minute(at: int | None) -> int | None:
    return at // 60 if at is not None else None


def _keys(clause: Clause, asker: Asker) -> Test:
    if clause.operator in _COMPARE:
        issue = asker.sight.issue(str(clause.operands[0]))
        if issue is None:
            raise JqlError(f"An issue with key '{clause.operands[0]}' does not exist for field 'key'.")
        compare, bound, project = _COMPARE[clause.operator], issue.number, issue.project
        return lambda issue: issue.project is project and compare(issue.number, bound)
    wanted = {issue.id for issue in keyed(clause, asker)}
    return _membership(clause, wanted, lambda issue: issue.id)


def keyed(clause: Clause, asker: Asker) -> list[Issue]:
    """The issues that a clause on key or id names; one that does not exist is an error, as in Jira."""
    found = []
    for operand in clause.operands:
        issue = asker.sight.issue(operand) if isinstance(operand, str) else None
        if issue is None:
            raise JqlError(f"An issue with key '{operand}' does not exist for field '{clause.field}'.")
        found.append(issue)
    return found


def _labels(clause: Clause, labels: Callable[[Issue], tuple[str, ...]]) -> Test:
    if clause.operator in ("is", "is not"):
        wants_empty = clause.operator == "is"
        return lambda issue: (not labels(issue)) is wants_empty
    wanted = frozenset(str(operand) for operand in clause.operands)
    if clause.operator in ("=", "in"):
        return lambda issue: not wanted.isdisjoint(labels(issue))
    if clause.operator in ("!=", "not in"):
        return lambda issue: bool(found := labels(issue)) and wanted.isdisjoint(found)
    raise _wrong_operator(clause)


def _numbers(clause: Clause, field: Field) -> Test:
    attribute = field.attribute
    if clause.operator in ("is", "is not"):
        wants_empty = clause.operator == "is"
        return lambda issue: (issue.value(attribute) is None) is wants_empty
    try:
        bounds = {float(str(operand)) for operand in clause.operands}
    except ValueError:
        raise JqlError(f"Value for field '{field.name}' has to be a number.") from None
    if clause.operator in _COMPARE:
        compare, bound = _COMPARE[clause.operator], min(bounds)
        return lambda issue: (found := issue.value(attribute)) is not None and compare(found, bound)
    wanted: set[object] = {*bounds}
    return _membership(clause, wanted, lambda issue: issue.value(attribute))


def _contains(clause: Clause, text: Callable[[Issue], str]) -> Test:
    if clause.operator in ("is", "is not"):
        wants_empty = clause.operator == "is"
        return lambda issue: (not text(issue)) is wants_empty
    if clause.operator not in ("~", "!~"):
        raise _wrong_operator(clause)
    words = [word.strip('"').rstrip("*").lower() for word in str(clause.operands[0]).split()]
    is_wanted = clause.operator == "~"

    def matches(issue: Issue) -> bool:
        content = text(issue).lower()
        return all(word in content for word in words) is is_wanted

    return matches


def _members(clause: Clause, field: Field, asker: Asker) -> Test:
    get = _member_getter(field)
    if clause.operator in ("is", "is not"):
        wants_empty = clause.operator == "is"
        return lambda issue: (get(issue) is None) is wants_empty
    if field.id == "priority" and clause.operator in _COMPARE:
        compare, bound = _COMPARE[clause.operator], _member_id(clause.operands[0], field, asker)
        if bound is None:
            raise _wrong_operator(clause)
        return lambda issue: issue.priority is not None and compare(-int(issue.priority), -int(str(bound)))
    wanted = {_member_id(operand, field, asker) for operand in clause.operands}
    return _membership(clause, wanted, get)


def _membership(clause: Clause, wanted: set[object] | set[int], get: Callable[[Issue], object]) -> Test:
    if clause.operator in ("=", "in"):
        if len(wanted) == 1:
            (only,) = wanted
            return lambda issue: get(issue) == only
        return lambda issue: get(issue) in wanted
    if clause.operator in ("!=", "not in"):
        return lambda issue: (found := get(issue)) is not None and found not in wanted
    raise _wrong_operator(clause)


def _member_getter(field: Field) -> Callable[[Issue], object]:
    getters: dict[str, Callable[[Issue], object]] = {
        "project": lambda issue: issue.project.id,
        "issuetype": lambda issue: issue.type.id,
        "status": lambda issue: issue.status.id,
        "statusCategory": lambda issue: issue.status.category.id,
        "priority": lambda issue: issue.priority,
        "resolution": lambda issue: issue.resolution,
        "assignee": lambda issue: issue.assignee,
        "reporter": lambda issue: issue.reporter,
        "creator": lambda issue: issue.reporter,
        "duedate": lambda issue: issue.due,
        "parent": lambda issue: issue.parent,
    }
    if field.id in getters:
        return getters[field.id]
    if field.attribute:
        attribute = field.attribute
        return lambda issue: issue.value(attribute)
    raise JqlError(f"The field '{field.name}' is not searchable here.")


def _member_id(operand: Operand, field: Field, asker: Asker) -> object:
    """The id that an operand names; :class:`JqlError` when there is none."""
    if isinstance(operand, Empty):
        return None
    if field.type == "user":
        return _account_name(operand, field, asker)
    if isinstance(operand, Function):
        raise JqlError(f"Unable to find JQL function '{operand.name}()' for field '{field.name}'.")
    if field.id == "parent":
        parent = asker.sight.issue(operand)
        return parent.id if parent is not None else -1
    named = _named_ids(asker.site, field)
    if named is None:
        if field.type == "option" and operand not in asker.site.options.of(field.attribute):
            raise JqlError(f"The option '{operand}' for field '{field.name}' does not exist.")
        return operand
    if field.id == "resolution" and operand.lower() == "unresolved":
        return None
    found = named.get(operand.lower())
    if found is None:
        raise JqlError(f"The value '{operand}' does not exist for the field '{field.id}'.")
    return found


def _account_name(operand: str | Function, field: Field, asker: Asker) -> str | None:
    if isinstance(operand, Function):
        if operand.name.lower() == "currentuser":
            return asker.account.name if asker.account is not None else None
        raise JqlError(f"Unable to find JQL function '{operand.name}()'.")
    account = asker.site.directory.meant(operand)
    if account is None:
        raise JqlError(f"The value '{operand}' does not exist for the field '{field.id}'.")
    return account.name


def _named_ids(site: Site, field: Field) -> dict[str, object] | None:
    if field.id == "project":
        return {name.lower(): one.id for one in site.projects for name in (one.key, one.name, one.id)}
    if field.id == "issuetype":
        return {name.lower(): kind.id for kind in site.types.values() for name in (kind.name, kind.id)}
    return _NAMED.get(field.id)


_NAMED: dict[str, dict[str, object]] = {
    "status": {name.lower(): status.id for status in catalogue.STATUSES for name in (status.name, status.id)},
    "statusCategory": {
        name.lower(): category.id
        for category in (catalogue.TO_DO, catalogue.IN_PROGRESS, catalogue.DONE)
        for name in (category.name, category.key, str(category.id))
    },
    "priority": {name.lower(): id for id, text in catalogue.PRIORITIES.items() for name in (text, id)},
    "resolution": {name.lower(): id for id, text in catalogue.RESOLUTIONS.items() for name in (text, id)},
}


def _sla(clause: Clause, field: Field, asker: Asker) -> Test:
    site = asker.site
    if clause.operator in ("is", "is not"):
        wants_empty = clause.operator == "is"
        return lambda issue: (not slas.cycles_of(issue, field.id, site.now)) is wants_empty
    operand = clause.operands[0]
    if clause.operator not in ("=", "!=") or not isinstance(operand, Function):
        raise JqlError(f"The SLA field '{field.name}' is compared with a function such as breached().")
    name = operand.name.lower()
    if name not in _SLA_FUNCTIONS:
        raise JqlError(f"Unable to find JQL function '{operand.name}()'.")
    holds = _SLA_FUNCTIONS[name]
    is_wanted = clause.operator == "="
    if is_wanted and name == "everbreached":
        return _ever_breached(field, site.now)

    def matches(issue: Issue) -> bool:
        cycles = slas.cycles_of(issue, field.id, site.now)
        return bool(cycles) and holds(issue, cycles, site.now) is is_wanted

    return matches


def _ever_breached(field: Field, now: int) -> Test:
    """The same as the function below, without the cycles of the many issues that never breached."""
    agreement, target = slas.FIELD_AGREEMENT[field.id]

    def breached(issue: Issue) -> bool:
        clocks = issue.ticket.slas if issue.ticket is not None else ()
        for clock in clocks:
            is_ours = clock.breached and clock.agreement == agreement and clock.target == target
            if is_ours and clock.start <= now and clock.breach_at <= now:
                return True
        return False

    return breached


def _is_paused(issue: Issue) -> bool:
    return issue.status.category is catalogue.IN_PROGRESS and issue.status is not catalogue.WORKING


_SLA_FUNCTIONS: dict[str, Callable[[Issue, list[WorldSla], int], bool]] = {
    "breached": lambda issue, cycles, now: slas.is_breached(cycles[-1], now),
    "everbreached": lambda issue, cycles, now: any(slas.is_breached(cycle, now) for cycle in cycles),
    "completed": lambda issue, cycles, now: not slas.is_running(cycles[-1], now),
    "running": lambda issue, cycles, now: slas.is_running(cycles[-1], now) and not _is_paused(issue),
    "paused": lambda issue, cycles, now: slas.is_running(cycles[-1], now) and _is_paused(issue),
}


def _all_text(issue: Issue, sight: Sight) -> str:
    return f"{issue.summary}\n{issue.description}\n{_comment_text(issue, sight)}"


def _comment_text(issue: Issue, sight: Sight) -> str:
    return "\n".join(comment.body for comment in sight.comments(issue))


def _wrong_operator(clause: Clause) -> JqlError:
    return JqlError(f"The operator '{clause.operator}' is not supported by the '{clause.field}' field.")
