"""`regelkreis minutes`: whose time the overruns of a period were, so that they add up.

Counted are breached clocks of agreements with customers that count (neither excluded nor duplicates). Clocks of
agreements with suppliers are not added to them: they are the same minutes, seen from below.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from improvement import weeks
from improvement.dispositions import BreachedClock, Disposition
from improvement.errors import InputError
from improvement.minutes import Minutes, Order, Party
from improvement.periods import Period
from improvement.plurals import how_many, plural
from improvement.rules import Scope
from improvement.rules.scope import DIMENSIONS
from improvement.rules.suggestions import did_you_mean
from workflows.actions import rights
from workflows.clocks import dispositions
from workflows.clocks.attribution import order_in_force
from workflows.rules.lines import BAD, HEAD, QUIET, Line, columns

WITH_CUSTOMERS = "sla"
NOT_COUNTED = (Disposition.EXCLUDED, Disposition.DUPLICATE)
GROUPS = ("customer", "country", "service", "supplier", "assignment_group", "priority")
LISTED = 10
EVERYTHING = Scope()


@dataclass(slots=True)
class Total:
    """Overruns of some clocks, added up.

    ``unknown``: clocks of which the platform says no time or goal. ``untold``: why nobody knows when tickets waited.
    """

    untold: str = ""
    clocks: int = 0
    unknown: int = 0
    overrun_s: int = 0
    by_party: dict[Party, int] = field(default_factory=lambda: dict.fromkeys(Party, 0))
    by_supplier: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, minutes: Minutes | None) -> None:
        """Count one more clock."""
        self.clocks += 1
        if minutes is None:
            self.unknown += 1
            return
        self.overrun_s += minutes.overrun_s
        for share in minutes.shares:
            self.by_party[share.party] += share.seconds
            if share.party is Party.SUPPLIER:
                self.by_supplier[share.who] += share.seconds

    def as_dict(self) -> dict[str, Any]:
        """As JSON, in seconds."""
        return {
            "clocks": self.clocks,
            "clocks_without_a_time": self.unknown,
            "waiting_untold": self.untold or None,
            "overrun_s": self.overrun_s,
            **{f"{party.value}_s": seconds for party, seconds in self.by_party.items()},
            "suppliers": dict(sorted(self.by_supplier.items(), key=lambda one: (-one[1], one[0]))),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """Whose minutes, of each connection as a whole and by one dimension; ``single``: of one ticket, clock by clock."""

    period: Period
    order: Order
    by: str
    totals: dict[str, Total]
    groups: dict[tuple[str, str], Total]
    single: tuple[BreachedClock, ...]

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "from": str(self.period.first),
            "to": str(self.period.last),
            "order": [party.value for party in self.order.parties],
            "order_version": self.order.version,
            "connections": {name: total.as_dict() for name, total in self.totals.items()},
            "by": self.by or None,
            "groups": [
                {"connection": name, self.by: value, **total.as_dict()} for (name, value), total in self.groups.items()
            ],
            "clocks": [_clock_dict(clock) for clock in self.single],
        }

    def lines(self) -> Iterator[Line]:
        """For people: each connection's overrun and its parts, then group by group, the longest first."""
        order = ", ".join(self.order.parties)
        yield Line(f"Whose minutes, {self.period}", HEAD)
        yield Line(f"In this order: {order} (version {self.order.version})", QUIET)
        for name, total in self.totals.items():
            yield Line()
            yield Line(f"{name}: {how_many(total.clocks, 'breached clock')} of agreements with customers", HEAD)
            yield from _parts(total)
        if self.groups:
            yield Line()
            header = (self.by, "clocks", "overrun", *(party.value for party in Party))
            rows = [
                (f"{value} ({name})", total.clocks, hours(total.overrun_s), *map(hours, total.by_party.values()))
                for (name, value), total in self.groups.items()
            ]
            yield from (Line(text) for text in columns([header, *rows], right=frozenset(range(1, len(header)))))
        for clock in self.single:
            yield Line()
            yield from _single(clock)


def report(
    period: Period,
    *,
    as_of: datetime,
    connection: str | None = None,
    by: str = "",
    number: str = "",
    scope: Scope = EVERYTHING,
    tell: dispositions.Tell | None = None,
) -> Report:
    """Add up the overruns of a period, of all clocks or of those in a scope.

    ``by``: a dimension to add up by as well; ``number``: every clock of that ticket as well.
    """
    if by and by not in GROUPS:
        raise InputError(f"Minutes cannot be added up by “{by[:40]}”.", mend=did_you_mean(by, GROUPS))
    for name, _ in scope.items:
        if name not in DIMENSIONS:
            raise InputError(f"Clocks have no “{name[:40]}”.", mend=did_you_mean(name, DIMENSIONS))
    found = dispositions.report(period, as_of=as_of, connection=connection, tell=tell)
    totals: dict[str, Total] = {}
    groups: dict[tuple[str, str], Total] = defaultdict(Total)
    single: list[BreachedClock] = []
    for part in found.parts:
        total = totals[part.name] = Total(untold=part.untold)
        counted = [
            one.clock
            for one in part.disposed
            if one.disposition not in NOT_COUNTED and _is_in(one.clock.dimensions, scope)
        ]
        single += [clock for clock in counted if number and number in (clock.number, clock.ticket_id)]
        for clock in _with_customers(counted):
            total.add(clock.minutes)
            if by:
                groups[part.name, Scope.of({by: clock.dimensions.get(by)}).items[0][1]].add(clock.minutes)
    if number and not single:
        raise InputError(
            f"No breached clock of “{number[:60]}” counts in {period}.",
            mend="Name another period, or see `dispositions`.",
        )
    ranked = dict(sorted(groups.items(), key=lambda item: (-item[1].overrun_s, item[0])))
    return Report(period, order_in_force(as_of), by, totals, ranked, tuple(single))


def trigger_of(code: str) -> tuple[Period, Scope, str]:
    """The weeks an action was opened on, its scope and its connection."""
    action = rights.find(code)
    first, last = action.trigger.get("from_week"), action.trigger.get("to_week")
    if first is None or last is None:
        raise InputError(f"{action.code} has no trigger window.", mend="Name a --period and a --scope.")
    return Period(weeks.monday(first), weeks.sunday(last)), Scope.of(action.scope), action.connection


def _is_in(dimensions: Mapping[str, Any], scope: Scope) -> bool:
    return Scope.of({name: dimensions.get(name) for name, _ in scope.items}) == scope


def hours(seconds: int) -> str:
    """Seconds as people read them: ``3:05 h``."""
    whole = round(seconds / 60)
    return f"{whole // 60}:{whole % 60:02d} h"


def _with_customers(clocks: Iterable[BreachedClock]) -> Iterator[BreachedClock]:
    return (clock for clock in clocks if clock.agreement == WITH_CUSTOMERS)


def _parts(total: Total) -> Iterator[Line]:
    whole = total.overrun_s
    rows = [
        (party.value, hours(seconds), f"{seconds / whole:.0%}" if whole else "–")
        for party, seconds in total.by_party.items()
    ]
    yield from (Line(text) for text in columns([*rows, ("in all", hours(whole), "")], right=frozenset({1, 2})))
    ranked = sorted(total.by_supplier.items(), key=lambda one: (-one[1], one[0]))[:LISTED]
    yield from (Line(text, QUIET) for text in columns([(who, hours(s)) for who, s in ranked], indent=4,
                                                       right=frozenset({1})))  # fmt: skip
    if total.unknown:
        yield Line(
            f"  {how_many(total.unknown, 'clock is', 'clocks are')} not in it: the platform does not say "
            f"how long {plural(total.unknown, 'it', 'they')} ran.",
            BAD,
        )
    if total.by_party[Party.UNATTRIBUTED]:
        why = f"; of waiting: {total.untold}" if total.untold else ""
        yield Line(f"  Unattributed: no record tells whose it was{why}.", QUIET)


def _single(clock: BreachedClock) -> Iterator[Line]:
    yield Line(f"{clock.number} {clock.sla_name} ({clock.agreement}, {clock.target or 'no target'})", HEAD)
    if clock.minutes is None:
        yield Line("  The platform does not say how long it ran, or what its goal was.", BAD)
        return
    rows = [(share.party.value, share.who, hours(share.seconds)) for share in clock.minutes.shares]
    rows.append(("in all", "", hours(clock.minutes.overrun_s)))
    yield from (Line(text) for text in columns(rows, right=frozenset({2})))


def _clock_dict(clock: BreachedClock) -> dict[str, Any]:
    minutes = clock.minutes
    return {
        "connection": clock.connection,
        "id": clock.id,
        "number": clock.number,
        "agreement": clock.agreement,
        "target": clock.target,
        "sla": clock.sla_name,
        "overrun_s": minutes.overrun_s if minutes is not None else None,
        "shares": [
            {"party": share.party.value, "who": share.who or None, "seconds": share.seconds}
            for share in (minutes.shares if minutes is not None else ())
        ],
    }
