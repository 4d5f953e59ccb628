"""`regelkreis dispositions`: what became of every breached clock of a period, and whether it all adds up.

Three sums are held against each other: of the dispositions, of the rows that the warehouse counts, and of what the
platform itself counts. Whatever differs, or could not be asked, is a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from connectors.base import BreachCount, Connector
from connectors.registry import connector
from connectors.waiting import TellsWaiting, Wait
from improvement.dispositions import MEANS, Disposed, Disposition, counted, dispose
from improvement.errors import RegelkreisError
from improvement.minutes import Party
from improvement.periods import Period
from improvement.plurals import how_many
from improvement.records import RecordKind
from improvement.rules import Rule
from improvement.waiting import Span
from workflows import csv_writing
from workflows.clocks.attribution import customer_waits_in_force, order_in_force
from workflows.clocks.breached_clocks import COUNTED_BY, Basis, Population, population, read
from workflows.clocks.rules_on_clocks import RulesOnClocks
from workflows.models import Connection, RejectedRecord
from workflows.rules import sources
from workflows.rules.lines import BAD, GOOD, HEAD, QUIET, Line, columns
from workflows.warehouse import our_warehouse

NOUNS: dict[Basis, str] = {"rows": "breached clocks", "tickets": "tickets with a breached clock"}
PATIENCE = {"max_attempts": 2, "timeout_s": 30.0, "max_wait_s": 10.0}
REASONS_SHOWN = 5
CSV_COLUMNS = (
    *("connection", "id", "ticket", "number", "agreement", "target", "sla", "start_at", "breached_at", "disposition"),
    *("detail", "customer", "country", "service", "supplier", "priority", "overrun_s"),
    *(f"{party.value}_s" for party in Party),
)
Ask = Callable[[str, Period], BreachCount | None]
Tell = Callable[[str, Sequence[str]], Mapping[str, Sequence[Wait]] | None]  # connection, tickets → when they waited


@dataclass(frozen=True, slots=True)
class OfConnection:
    """One connection's clocks with their dispositions, and every reason why they do not add up."""

    population: Population
    disposed: tuple[Disposed, ...]
    platform: int | None  # its own count; None: not asked, or it cannot say
    rejected: int  # SLA records that could not be read, of whatever period
    gaps: tuple[str, ...]
    untold: str = ""  # why it is not known when its tickets waited

    @property
    def name(self) -> str:
        """The connection's name."""
        return self.population.connection

    @property
    def counts(self) -> dict[Disposition, int]:
        """How many clocks of each disposition."""
        return counted(self.disposed)

    def details(self, kind: Disposition) -> dict[str, int]:
        """The details of one disposition and how many clocks have each, most first."""
        found: dict[str, int] = {}
        for one in self.disposed:
            if one.disposition is kind:
                found[one.detail] = found.get(one.detail, 0) + 1
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "connection": self.name,
            "population": self.population.rows,
            "dispositions": {kind.value: number for kind, number in self.counts.items()},
            "sum": len(self.disposed),
            "counted_as": self.population.basis,
            "here": self.population.platform_can_count,
            "platform": self.platform,
            "undated": list(self.population.undated),
            "rejected": self.rejected,
            "waiting_untold": self.untold or None,
            "gaps": list(self.gaps),
            "adds_up": not self.gaps,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The dispositions of a period, connection by connection."""

    period: Period
    as_of: datetime
    order: str
    parts: tuple[OfConnection, ...]

    @property
    def adds_up(self) -> bool:
        """Whether nothing is missing anywhere."""
        return not any(part.gaps for part in self.parts)

    def as_dict(self) -> dict[str, Any]:
        """As JSON; single clocks are in the CSV file."""
        return {
            "from": str(self.period.first),
            "to": str(self.period.last),
            "as_of": self.as_of.isoformat(),
            "order_of_attribution": self.order,
            "adds_up": self.adds_up,
            "connections": [part.as_dict() for part in self.parts],
        }

    def lines(self) -> Iterator[Line]:
        """For people: every connection's sums, then what each disposition means there."""
        yield Line(f"Dispositions of breached clocks, {self.period}", HEAD)
        for part in self.parts:
            yield Line()
            yield Line(f"{part.name}: {_begun(part.population)}", HEAD)
            rows = [(kind.value, number, MEANS[kind]) for kind, number in part.counts.items() if number]
            yield from (Line(text) for text in columns(rows, right=frozenset({1})))
            yield Line(f"  {len(part.disposed)} in all; the warehouse counts {part.population.rows}")
            for kind, number in part.counts.items():
                if number and kind is not Disposition.DUPLICATE:
                    yield from _reasons(kind, part.details(kind))
            yield from _sums(part)

    def export(self, path: Path) -> int:
        """Every clock with its disposition and its minutes, a line each; returns how many."""
        return csv_writing.write(path, CSV_COLUMNS, (_cells(one) for part in self.parts for one in part.disposed))


def report(
    period: Period,
    *,
    as_of: datetime,
    connection: str | None = None,
    ask: Ask | None = None,
    tell: Tell | None = None,
) -> Report:
    """Dispose of every breached clock of the period.

    ``ask`` gives a platform's count of them, ``tell`` when tickets were on hold there; None asks none of them.
    """
    rules = sources.live().rules
    parts = [
        _part(name, period, rules, as_of=as_of, ask=ask, tell=tell) for name in sources.connection_names(connection)
    ]
    return Report(period, as_of, order_in_force(as_of).text, tuple(parts))


def _part(
    name: str, period: Period, rules: tuple[Rule, ...], *, as_of: datetime, ask: Ask | None, tell: Tell | None
) -> OfConnection:
    row = Connection.objects.get(pk=name)
    gaps, theirs = _asked(ask, name, period)
    basis = theirs.of if theirs is not None else COUNTED_BY.get(row.platform, "rows")
    waiting = _Waiting(name, tell, as_of)
    with our_warehouse() as warehouse:  # closed while a platform is asked
        rows = read(warehouse, name, basis, period)
    found = population(rows, order_in_force(as_of), waiting.spans)
    disposed = tuple(dispose(found.clocks, RulesOnClocks(name, rules, as_of=as_of), as_of=as_of))
    rejected = RejectedRecord.objects.filter(connection=name, kind=RecordKind.SLA.value).count()
    if len(disposed) != found.rows:
        gaps.append(
            f"{len(disposed)} have a disposition, {found.rows} were counted: tell whoever maintains Regelkreis."
        )
    if theirs is not None and theirs.count != found.platform_can_count:
        gaps.append(_difference(theirs.count, found, rejected, row))
    count = theirs.count if theirs is not None else None
    return OfConnection(found, disposed, count, rejected, tuple(gaps), waiting.untold)


class _Waiting:
    """Asks one platform when tickets were on hold; what it cannot tell is told as such, and is no error."""

    def __init__(self, name: str, tell: Tell | None, as_of: datetime) -> None:
        self._name, self._tell = name, tell
        self._customer = customer_waits_in_force(name, as_of)
        self.untold = "the platform was not asked" if tell is None else ""

    def spans(self, ticket_ids: Sequence[str]) -> dict[str, tuple[Span, ...]]:
        """When each of these tickets was on hold, and whether for the customer; nothing of those nobody knows of."""
        if self._tell is None or not ticket_ids:
            return {}
        try:
            told = self._tell(self._name, ticket_ids)
        except RegelkreisError as error:
            self.untold = f"the platform could not be asked: {error}"
            return {}
        if not told:
            self.untold = "the platform gives no dated history of it"
        return {id: tuple(map(self._span, waits)) for id, waits in (told or {}).items()}

    def _span(self, wait: Wait) -> Span:
        return Span(wait.begin, wait.end, self._customer.holds(wait.why) if self._customer is not None else None)


def _asked(ask: Ask | None, name: str, period: Period) -> tuple[list[str], BreachCount | None]:
    """The gaps so far, and the platform's count."""
    if ask is None:
        return [], None
    try:
        theirs = ask(name, period)
    except RegelkreisError as error:
        return [f"the platform could not be asked: {error}"], None
    return ([] if theirs is not None else ["the platform cannot count its breached clocks"]), theirs


def _difference(theirs: int, found: Population, rejected: int, row: Connection) -> str:
    ours, noun = found.platform_can_count, NOUNS[found.basis]
    pulled = f"{row.last_pull_as_of:%Y-%m-%d %H:%M}Z" if row.last_pull_as_of else "never"
    unread = (
        f" {how_many(rejected, 'SLA record')} could not be read (`regelkreis pull` lists them)." if rejected else ""
    )
    return (
        f"the platform counts {theirs} {noun}, {ours} are here; last pulled {pulled}.{unread} "
        f"`regelkreis pull {found.connection} --reconcile` reads again what was rewritten or deleted."
    )


def platform_count(open_connector: Callable[[str], Connector]) -> Ask:
    """Ask the platforms themselves, each with the connector that is opened for it.

    Of a period that is not over they are asked up to the last pull: clocks that run out later are not here.
    """

    def ask(name: str, period: Period) -> BreachCount | None:
        pulled = Connection.objects.filter(pk=name).values_list("last_pull_as_of", flat=True).first()
        until = period.until if pulled is None else min(period.until, max(pulled, period.since))
        with closing(open_connector(name)) as one:
            return one.breaches(since=period.since, until=until)

    return ask


def waits_told(open_connector: Callable[[str], Connector]) -> Tell:
    """Ask the platforms that keep a dated history when tickets were on hold."""

    def tell(name: str, ticket_ids: Sequence[str]) -> Mapping[str, Sequence[Wait]] | None:
        with closing(open_connector(name)) as one:
            return one.waits(ticket_ids) if isinstance(one, TellsWaiting) else None

    return tell


def configured(name: str) -> Connector:
    """The connector of a configured connection; it gives up soon."""
    config = settings.REGELKREIS.connections.get(name)
    if config is None:
        raise RegelkreisError(
            f"The connection “{name}” is no longer configured.", mend="Configure it, or leave its platform unasked."
        )
    return connector(config.model_copy(update=PATIENCE))


def _begun(found: Population) -> str:
    since = "whose clock began" if found.basis == "rows" else "whose ticket was created"
    return f"{how_many(found.rows, 'breached clock')} {since} in the period"


def _reasons(kind: Disposition, details: Mapping[str, int]) -> Iterator[Line]:
    yield Line(f"  {kind.value}:", QUIET)
    shown = list(details.items())[:REASONS_SHOWN]
    yield from (Line(text, QUIET) for text in columns([(n, what) for what, n in shown], indent=4, right=frozenset({0})))
    if len(details) > len(shown):
        yield Line(f"    … and {len(details) - len(shown)} more: --csv", QUIET)


def _sums(part: OfConnection) -> Iterator[Line]:
    if part.platform is not None and part.platform == part.population.platform_can_count:
        yield Line(f"  The platform counts {part.platform} {NOUNS[part.population.basis]}, as many as are here.", GOOD)
    elif part.platform is None and not part.gaps:
        yield Line("  The platform was not asked.", QUIET)
    if part.population.undated:
        yield Line(f"  {_undated(part.population)}", BAD)
    yield from (Line(f"  GAP: {gap}", BAD) for gap in part.gaps)


def _undated(found: Population) -> str:
    listed = ", ".join(found.undated[:REASONS_SHOWN])
    rest = len(found.undated) - REASONS_SHOWN
    clocks = "breached clock belongs" if len(found.undated) == 1 else "breached clocks belong"
    of = "a start" if found.basis == "rows" else "a ticket that was read"
    more = f" and {rest} more" if rest > 0 else ""
    return f"Besides, {len(found.undated)} {clocks} to no period, without {of}: {listed}{more}."


def _cells(one: Disposed) -> tuple[object, ...]:
    clock, minutes = one.clock, one.clock.minutes
    of = clock.dimensions
    return (
        *(clock.connection, clock.id, clock.ticket_id, clock.number, clock.agreement, clock.target, clock.sla_name),
        *(at.isoformat() if at else None for at in (clock.start_at, clock.decided_at)),
        *(one.disposition.value, one.detail),
        *(of.get(name) for name in ("customer", "country", "service", "supplier", "priority")),
        minutes.overrun_s if minutes is not None else None,
        *(minutes.of(party) if minutes is not None else None for party in Party),
    )
