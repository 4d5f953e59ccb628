"""`rules diff`: what another version of the rules would have found over the last half year."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from improvement import weeks
from improvement.plurals import how_many
from improvement.rules import Rule
from improvement.rules.comparing import Change, RuleDiff, Shift, diff, pairs
from improvement.rules.replaying import Replay
from workflows.rules import backtest
from workflows.rules.lines import BAD, GOOD, HEAD, QUIET, Line, columns
from workflows.rules.sources import Source, connection_names

DEFAULT_WEEKS = 26
SHIFTS_SHOWN = 20
STYLES = {"+": BAD, "-": GOOD, "~": ""}  # more findings are more work


@dataclass(frozen=True, slots=True)
class DiffReport:
    """The rules of two sources, pair by pair."""

    before: Source
    after: Source
    span: range
    diffs: tuple[RuleDiff, ...]

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "before": self.before.name,
            "after": self.after.name,
            "from": weeks.label(self.span[0]),
            "to": weeks.label(self.span[-1]),
            "rules": [one.as_dict() for one in self.diffs],
        }

    def lines(self) -> Iterator[Line]:
        """For people."""
        span = f"{weeks.label(self.span[0])} to {weeks.label(self.span[-1])} ({how_many(len(self.span), 'week')})"
        yield Line(f"{self.before.name} → {self.after.name}, findings of {span}", HEAD)
        for one in self.diffs:
            if not one.is_same:
                yield Line()
                yield from _rule(one)
        same = [one.rule_id for one in self.diffs if one.is_same]
        if same:
            yield Line()
            yield Line(f"The same in both: {', '.join(same)}", QUIET)


def _rule(one: RuleDiff) -> Iterator[Line]:
    versions = " → ".join(rule.sha256[:12] if rule is not None else "none" for rule in (one.before, one.after))
    yield Line(f"{one.rule_id}  {versions}", HEAD)
    yield from (Line(text) for text in columns(_change(change) for change in one.changes))
    if one.starts_over:
        yield Line("  It counts something else now: its series and findings begin anew.")
    signs = [shift.sign for shift in one.shifts]
    moved = ", ".join(
        f"{how_many(signs.count(sign), 'scope')} {word}"
        for sign, word in (("+", "more"), ("-", "fewer"), ("~", "at other times"))
    )
    yield Line(f"  findings {one.fired[0]} → {one.fired[1]}: {moved}; actions {one.opened[0]} → {one.opened[1]}")
    for shift in one.shifts[:SHIFTS_SHOWN]:
        yield Line(f"  {shift.sign} {shift.scope} on {shift.connection}: {_when(shift)}", STYLES[shift.sign])
    if len(one.shifts) > SHIFTS_SHOWN:
        yield Line(f"  … and {len(one.shifts) - SHIFTS_SHOWN} more: --json", QUIET)


def _change(change: Change) -> tuple[str, str, str, str]:
    return change.key, _text(change.before), "→", _text(change.after)


def _text(value: Any) -> str:
    return "(none)" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _when(shift: Shift) -> str:
    before, after = (", ".join(map(weeks.label, own)) for own in (shift.before, shift.after))
    return f"{before} → {after}" if before and after else f"fires in {before or after}"


def report(
    before: Source, after: Source, *, as_of: datetime, number: int = DEFAULT_WEEKS, connection: str | None = None
) -> DiffReport:
    """Replay what differs between two sources over the last weeks."""
    ids = [{rule.id for rule in source.rules} for source in (before, after)]
    old = _wanted(before, ids[1], after)
    new = _wanted(after, ids[0], before)
    both = pairs(old, new)
    changed = [(one, other) for one, other in both if one is None or other is None or one.sha256 != other.sha256]
    end = backtest.span_of(None, None, as_of=as_of)[-1]
    span = range(end - number + 1, end + 1)
    first, second = ([pair[place] for pair in changed] for place in (0, 1))
    rules = [rule for rule in (*first, *second) if rule is not None]
    counted = backtest.read(rules, connection_names(connection), span)
    replays = [_replayed(source, versions, counted) for source, versions in ((before, first), (after, second))]
    return DiffReport(before, after, span, tuple(diff(one, other, *replays) for one, other in both))


def _wanted(source: Source, others: set[str], other: Source) -> list[Rule]:
    """The rules of a source to compare: where the other names only some, these alone."""
    if other.is_whole or len(others) == len(source.rules) == 1:
        return list(source.rules)
    return [rule for rule in source.rules if rule.id in others]


def _replayed(source: Source, versions: Sequence[Rule | None], counted: backtest.History) -> Replay:
    rules = [rule for rule in versions if rule is not None]
    return backtest.replayed(rules, counted, limits=source.limits)
