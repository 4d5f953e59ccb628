"""What a rule test can only meet by accident: refused with what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from improvement import weeks
from improvement.rules.documents import ExpectPart, GivenPart
from improvement.rules.problems import Path, Problems
from improvement.rules.rule import Mode, Rule, SeriesKey
from improvement.rules.scope import Scope
from improvement.rules.suggestions import MOST_LISTED, did_you_mean

Given: TypeAlias = Mapping[SeriesKey, Sequence[tuple[Path, GivenPart, Scope]]]


def refuse_unseen(given: Given, rule: Rule, problems: Problems) -> None:
    """Report given weeks that the rule never looks at: where leaves their scope out, or its own metric has none."""
    own = _scopes(given, rule.key)
    for key, entries in given.items():
        for path, _, scope in entries:
            is_kept = _is_kept(scope, key, (*path, "scope"), problems)
            if is_kept and scope not in own:
                what = f"Of {rule.metric} nothing is given for this scope: {key.metric} alone says nothing."
                problems.add((*path, "scope"), what, _meant(own) or f"Give weeks of {rule.metric} too.")


def refuse_accidental(part: ExpectPart, scope: Scope, path: Path, given: Given, rule: Rule, problems: Problems) -> None:
    """Report an expectation of a scope or a week in which nothing else could be found."""
    week, label = part.as_of, weeks.label
    own = _scopes(given, rule.key)
    if scope not in own:
        _report_unnamed(scope, own, (*path, "scope"), problems)
        return
    if week % rule.every_weeks:
        before = week - week % rule.every_weeks
        what = f"The rule looks every {rule.every_weeks} weeks, and not in {label(week)}."
        problems.add((*path, "as_of"), what, f"Did you mean {label(before)} or {label(before + rule.every_weeks)}?")
        return
    first = min(entry.weeks[0] for _, entry, other in given[rule.key] if other == scope)
    if week < first:
        what = f"Before {label(first)} nothing is given for this scope: there can only be no data."
        problems.add((*path, "as_of"), what, "Move it, or give weeks before it.")
        return
    if (part.finding, part.action, part.value) == (None, "none", None):
        if rule.mode is Mode.OBSERVE:
            what = f"{rule.id} only observes: it never opens an action, whatever is given."
            problems.add((*path, "action"), what, "Say which finding or value you expect.")
            return
        _refuse_silence(week, scope, path, given, rule, problems)


def _refuse_silence(week: int, scope: Scope, path: Path, given: Given, rule: Rule, problems: Problems) -> None:
    """Report that no action is all there can be, where the rule or a *while* never had anything to look at."""
    lags = {rule.key: rule.lag_weeks, **{condition.key: condition.lag_weeks for condition in rule.conditions}}
    for key, lag in lags.items():
        last = week - lag
        if not any(entry.weeks[0] <= last for _, entry, other in given.get(key, ()) if other == scope):
            what = f"Of {key.metric} nothing is given up to {weeks.label(last)}: without it no action can be opened."
            problems.add((*path, "action"), what, "Give weeks of it, or add finding: no data if that is meant.")
            return


def _is_kept(scope: Scope, key: SeriesKey, path: Path, problems: Problems) -> bool:
    where = dict(key.where)
    is_kept = True
    for name, value in scope.items:
        allowed = [str(one) for one in where.get(name, ())]
        if allowed and value not in allowed:
            what = f"{key.metric} is counted only where {name} is {' or '.join(allowed)}: live nothing is seen of this."
            problems.add((*path, name), what, did_you_mean(value, allowed))
            is_kept = False
    return is_kept


def _report_unnamed(scope: Scope, known: Iterable[Scope], path: Path, problems: Problems) -> None:
    known = list(known)
    unknown = [(name, value) for name, value in scope.items if all(other.get(name) != value for other in known)]
    for name, value in unknown:
        values = {other.get(name) or "" for other in known}
        what = f"No given names the {name} “{value[:60]}”: there is nothing to be found."
        problems.add((*path, name), what, did_you_mean(value, values))
    if not unknown:
        problems.add(path, "No given names this scope: there is nothing to be found.", _meant(known))


def _scopes(given: Given, key: SeriesKey) -> list[Scope]:
    return sorted({scope for _, _, scope in given.get(key, ())}, key=lambda scope: scope.key)


def _meant(known: Sequence[Scope]) -> str:
    return f"Given are: {'; '.join(map(str, known[:MOST_LISTED]))}." if known else ""
