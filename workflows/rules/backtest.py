"""Back-tests: the warehouse's history through :mod:`improvement.rules.replaying`, with owners as they are now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from functools import cache

from improvement import weeks
from improvement.errors import InputError
from improvement.rules import Cells, Limits, Rule, SeriesKey, plan_queries
from improvement.rules.opening import OwnerOf
from improvement.rules.replaying import BACKFILL_WEEKS, CellsOf, Lasting, Replay, replay
from workflows import access
from workflows.complete_weeks import last_week
from workflows.steps.evaluate import cell_query
from workflows.warehouse import CellsAsked, Warehouse, our_warehouse

DEFAULT_WEEKS = 52
LONGEST_WEEKS = 520


@dataclass(frozen=True, slots=True)
class History:
    """The weekly cells of some rules on every connection, enough to replay a span of weeks, and who owns what."""

    cells: CellsOf
    span: range
    owner_of: OwnerOf = field(default_factory=lambda: owner_of(), repr=False)

    @property
    def names(self) -> list[str]:
        """The connections."""
        return sorted(self.cells)

    @property
    def has_records(self) -> bool:
        """Whether anything that the rules count falls into the weeks of the span."""
        return any(
            cells.scopes and cells.first_week <= self.span[-1] and cells.last_week >= self.span[0]
            for series in self.cells.values()
            for cells in series.values()
        )


def span_of(first: str | None, last: str | None, *, as_of: datetime) -> range:
    """The weeks of a back-test: dates or ISO weeks, both included; default: the last 52 complete ones."""
    newest = last_week(as_of)
    end = min(_week(last), newest) if last else newest
    start = _week(first) if first else end - DEFAULT_WEEKS + 1
    if start > end:
        what = f"{weeks.label(start)} comes after {weeks.label(end)}, the last week that is complete."
        raise InputError(what, mend="Let --from lie before --to, and in the past.")
    if end - start >= LONGEST_WEEKS:
        raise InputError("A back-test reaches over ten years at most.", mend="Let --from lie later.")
    return range(start, end + 1)


def _week(text: str) -> int:
    if "W" in text:
        return weeks.parse_label(text)
    try:
        return weeks.week_of(datetime.fromisoformat(text).date())
    except ValueError as error:
        raise InputError(f"“{text[:40]}” is neither a date nor a week.", mend="Write it like 2026-03-02 or 2026-W10.") \
            from error  # fmt: skip


def over(week: int) -> datetime:
    """A moment at which a week is over in every zone of the world, as a punctual cycle has it."""
    return datetime.combine(weeks.monday(week + 1), time(12), tzinfo=UTC)


def history(warehouse: Warehouse, rules: Iterable[Rule], names: Iterable[str], span: range) -> History:
    """Count the weeks of a span, and those before it that its first values need.

    The counts are those of the span's end. Events are dated, so a week that is over counts the same later, unless
    somebody edited it.
    """
    queries = plan_queries(rules)
    as_of, last = over(span[-1]), span[-1]
    found: dict[str, dict[SeriesKey, Cells]] = {}
    for name in names:
        first = span[0] - BACKFILL_WEEKS + 1
        asked = [CellsAsked(cell_query(one.key, name), first - one.weeks_needed + 1, last) for one in queries]
        with closing(warehouse.cells_ahead(asked, as_of=as_of)) as counted:
            found[name] = {query.key: Cells.of(table, query.by) for query, table in zip(queries, counted, strict=True)}
    return History(found, span)


def read(rules: Sequence[Rule], names: Iterable[str], span: range) -> History:
    """As :func:`history`, from this installation's warehouse."""
    with our_warehouse() as warehouse:
        return history(warehouse, rules, names, span)


def replayed(rules: Sequence[Rule], counted: History, *, limits: Limits, lasting: Lasting | None = None) -> Replay:
    """What weekly cycles would have found and opened over the span."""
    return replay(
        rules,
        counted.cells,
        span=counted.span,
        limits=limits,
        owner_of=counted.owner_of,
        lasting=lasting or usual_weeks,
    )


def usual_weeks(rule: Rule) -> int:
    """How long an action of a rule is usually open: until it is due, then until its last look."""
    return -(-rule.action.due_days // 7) + rule.check.looks[-1]


def owner_of() -> OwnerOf:
    """Who would own an action, by the grants of today; asked once a scope."""
    return cache(access.Owners().username)
