"""The account of a quarter, as a page shows it: what became of every breached clock, and whose minutes they were.

Sums by customer, country and service, so that everybody can be shown the part they may see, and it still adds up.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from connectors.base import Connector
from connectors.waiting import Wait
from improvement.dispositions import Disposed, Disposition
from improvement.errors import RegelkreisError
from improvement.periods import Period, period, quarter_of
from improvement.rules.scope import NONE
from workflows.clocks import dispositions
from workflows.clocks.attribution import order_in_force
from workflows.clocks.minutes import NOT_COUNTED, WITH_CUSTOMERS, Total
from workflows.models import Connection, KeptFigures

SCOPE = ("customer", "country", "service")
PREFIX = "account/"
DAILY = timedelta(hours=20)  # cycles that run more often need not count more often
LATE = timedelta(weeks=4)
MOST_ASKED = 3000  # tickets of a quarter and platform: sixty requests
NAMED = 5  # of the clocks that belong to no period


def quarter_before(name: str) -> str:
    """The quarter before this one."""
    return quarter_of(period(name).first - timedelta(days=1))


def keep(
    names: Iterable[str],
    *,
    as_of: datetime,
    ask: dispositions.Ask | None = None,
    tell: dispositions.Tell | None = None,
) -> None:
    """Account for these quarters and keep what was found; ``ask`` and ``tell`` as in :func:`dispositions.report`."""
    for name in names:
        keep_report(dispositions.report(_until(period(name), as_of), as_of=as_of, ask=ask, tell=tell), name)


def keep_current(*, as_of: datetime) -> None:
    """Account for this quarter and the one before, asking the platforms; at most once a day.

    The one before is left alone once it was counted four weeks after its end, and added up: what comes late is in by
    then.
    """
    this = quarter_of(as_of.date())
    both = (quarter_before(this), this)
    kept = KeptFigures.objects.in_bulk([f"{PREFIX}{name}" for name in both])
    due = [name for name in both if (found := kept.get(f"{PREFIX}{name}")) is None or is_due(found, as_of)]
    keep(
        due,
        as_of=as_of,
        ask=dispositions.platform_count(_answering),
        tell=_within_reason(dispositions.waits_told(_answering)),
    )


def _answering(name: str) -> Connector:
    """The connector of a platform that answered this cycle; another would keep it waiting once more."""
    if Connection.objects.filter(pk=name).exclude(last_error="").exists():
        raise RegelkreisError("its last pull failed", mend="See `regelkreis doctor`.")
    return dispositions.configured(name)


def is_due(kept: KeptFigures, as_of: datetime) -> bool:
    """Whether a quarter is to be counted again."""
    is_late = kept.as_of.date() > period(kept.name.removeprefix(PREFIX)).last + LATE
    is_settled = is_late and not any(one["gaps"] for one in kept.document["connections"])
    return not is_settled and kept.as_of <= as_of - DAILY


def _within_reason(tell: dispositions.Tell) -> dispositions.Tell:
    """Ask about so many tickets only that a platform hardly notices."""

    def told(name: str, ticket_ids: Sequence[str]) -> Mapping[str, Sequence[Wait]] | None:
        if len(ticket_ids) > MOST_ASKED:
            what = f"a cycle asks about {MOST_ASKED} tickets at most, here are {len(ticket_ids)}"
            raise RegelkreisError(what, mend="`regelkreis dispositions --period …` asks about all.")
        return tell(name, ticket_ids)

    return told


def keep_report(report: dispositions.Report, name: str) -> None:
    """Keep a report that covers a whole quarter, as far as it has come."""
    KeptFigures.objects.update_or_create(
        name=f"{PREFIX}{name}", defaults={"as_of": report.as_of, "document": _document(report)}
    )


def keep_if_whole(text: str, report: dispositions.Report) -> None:
    """Keep a report that somebody asked for where its period is one of the two quarters that the page shows."""
    this = quarter_of(report.as_of.date())
    if text.strip() in (this, quarter_before(this)):
        keep_report(report, text.strip())


def _until(whole: Period, as_of: datetime) -> Period:
    """A quarter as far as it has come: a platform asked for days ahead would count nothing more."""
    return Period(whole.first, min(whole.last, max(whole.first, as_of.date())))


def _document(report: dispositions.Report) -> dict[str, Any]:
    order = order_in_force(report.as_of)
    return {
        "from": str(report.period.first),
        "to": str(report.period.last),
        "order": [party.value for party in order.parties],
        "order_version": order.version,
        "connections": [_connection(part) for part in report.parts],
    }


def _connection(part: dispositions.OfConnection) -> dict[str, Any]:
    by_scope: dict[tuple[str, ...], list[Disposed]] = defaultdict(list)
    for one in part.disposed:
        by_scope[tuple(str(one.clock.dimensions.get(name) or NONE) for name in SCOPE)].append(one)
    told = part.as_dict()
    kept = ("connection", "population", "counted_as", "here", "platform", "rejected", "waiting_untold", "gaps")
    undated = {"clocks": len(told["undated"]), "first": told["undated"][:NAMED]}
    rows = [_row(scope, by_scope[scope]) for scope in sorted(by_scope)]
    return {name: told[name] for name in kept} | {"undated": undated, "rows": rows}


def _row(scope: tuple[str, ...], disposed: list[Disposed]) -> dict[str, Any]:
    total = Total()
    for one in disposed:
        if one.disposition not in NOT_COUNTED and one.clock.agreement == WITH_CUSTOMERS:
            total.add(one.clock.minutes)
    found = Counter(one.disposition for one in disposed)
    return {
        "scope": dict(zip(SCOPE, scope, strict=True)),
        "dispositions": {kind.value: found[kind] for kind in Disposition if found[kind]},
        "clocks": total.clocks,
        "unknown": total.unknown,
        "overrun_s": total.overrun_s,
        "parties": {party.value: seconds for party, seconds in total.by_party.items() if seconds},
        "suppliers": dict(total.by_supplier),
    }
