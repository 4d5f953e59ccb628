"""Breaches: what became of every breached clock of a quarter, and whose minutes the overruns were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from improvement.periods import quarter_of
from workflows.models import Connection, KeptFigures
from workflows.web.rooms.kept import Sees, sight_of
from workflows.web.visibility import sees_everything, signed_in
from workflows.web.words import Words, said

PREFIX = "account/"
QUARTERS = 2  # shown, the newest first
LISTED = 6
#: Key → word, what it means, colour of its share.
DISPOSITIONS: dict[str, tuple[str | Promise, str | Promise, str]] = {
    "covered": (_("covered by a finding"), _("a rule fired on it: somebody works on it"), "good"),
    "customer_wait": (
        _("customer wait"),
        _("more than half of its overrun was waiting for the customer"),
        "soft",
    ),
    "supplier": (_("a supplier's"), _("a supplier's own clock, or mostly a supplier's minutes"), "supplier"),
    "too_few_samples": (_("too few samples"), _("too little happens in its scope to judge"), "thin"),
    "below_threshold": (
        _("below the threshold"),
        _("its scope kept the target, or broke it too briefly"),
        "flat",
    ),
    "no_rule": (_("no rule"), _("no rule looked at it"), "bad"),
    "duplicate": (_("duplicate"), _("the same ticket, agreement and start as another one"), "none"),
    "excluded": (_("excluded"), _("it does not count: cancelled, or its ticket is gone"), "none"),
}
PARTIES: dict[str, tuple[str | Promise, str | Promise, str]] = {
    "customer_wait": (_("customer wait"), _("on the clock while the customer was waited for"), "soft"),
    "supplier": (_("suppliers"), _("overruns of agreements with suppliers on the same tickets"), "supplier"),
    "own": (_("our own"), _("internal agreements, and the rest where waiting is known"), "flat"),
    "unattributed": (_("unattributed"), _("no record tells whose it was"), "none"),
}
#: Why nobody knows when tickets waited; others are what a platform answered.
UNTOLD: Words = {
    "": "",
    "the platform was not asked": _("the platform was not asked"),
    "the platform gives no dated history of it": _("the platform gives no dated history of it"),
}


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole: what it is called, how much, and how much of a hundred."""

    key: str
    word: str
    meaning: str
    tone: str
    amount: int
    percent: float


@dataclass(slots=True)
class OfConnection:
    """The part of a quarter that a person may see on one platform; ``dispositions`` sum to ``clocks``."""

    name: str
    clocks: int
    dispositions: list[Share]
    overrun_s: int
    parties: list[Share]
    suppliers: list[tuple[str, int]]
    late: int
    unknown: int
    untold: str
    customers: list[dict[str, Any]]
    platform: int | None = None  # what it counts itself; None: not asked, or not for this reader
    here: int = 0  # of those that it can count
    counted_as: str = ""
    gaps: list[str] = field(default_factory=list)
    is_whole: bool = False
    undated: int = 0  # breached clocks that belong to no period
    undated_ids: list[str] = field(default_factory=list)  # the first of them

    @property
    def is_off(self) -> bool:
        """Whether the platform counts otherwise."""
        return self.platform is not None and self.platform != self.here


@dataclass(frozen=True, slots=True)
class Quarter:
    """One quarter as it was counted last."""

    name: str
    as_of: datetime
    first: str
    last: str
    order: list[str]
    order_version: int
    connections: list[OfConnection]


@login_required
def show(request: HttpRequest) -> HttpResponse:
    """The newest quarters that were accounted for."""
    person = signed_in(request)
    sees, is_whole = sight_of(person), sees_everything(person)
    rows = KeptFigures.objects.filter(name__startswith=PREFIX).order_by("-name")[:QUARTERS]
    quarters = [_quarter(row, sees, is_whole) for row in rows]
    asked = request.GET.get("quarter", "")
    chosen = next((one for one in quarters if one.name == asked), quarters[0] if quarters else None)
    context = {
        "quarters": quarters,
        "quarter": chosen,
        "this": quarter_of(_newest(Connection.objects.values_list("last_pull_as_of", flat=True))),
        "is_whole": is_whole,
    }
    return render(request, "web/breaches.html", context)


def _newest(pulled: Iterable[datetime | None]) -> datetime:
    """The newest pull, now where there was none: the quarter that the next cycle counts."""
    return max((at for at in pulled if at is not None), default=timezone.now())


def _quarter(row: KeptFigures, sees: Sees, is_whole: bool) -> Quarter:
    document = row.document
    connections = [_connection(part, sees, is_whole) for part in document["connections"]]
    return Quarter(
        row.name.removeprefix(PREFIX),
        row.as_of,
        document["from"],
        document["to"],
        [str(PARTIES[party][0]) for party in document["order"]],
        document["order_version"],
        [one for one in connections if one.clocks or one.undated],
    )


def _connection(part: Mapping[str, Any], sees: Sees, is_whole: bool) -> OfConnection:
    rows = [row for row in part["rows"] if is_whole or sees(part["connection"], row["scope"])]
    found, parties, suppliers = _sum(rows, "dispositions"), _sum(rows, "parties"), _sum(rows, "suppliers")
    one = OfConnection(
        part["connection"],
        clocks=sum(found.values()),
        dispositions=_shares(DISPOSITIONS, found),
        overrun_s=sum(row["overrun_s"] for row in rows),
        parties=_shares(PARTIES, parties),
        suppliers=suppliers.most_common(LISTED),
        late=sum(row["clocks"] for row in rows),
        unknown=sum(row["unknown"] for row in rows),
        untold=said(UNTOLD, part["waiting_untold"] or ""),
        customers=_customers(rows),
    )
    if is_whole:
        one.platform, one.here, one.counted_as = part["platform"], part["here"], part["counted_as"]
        one.gaps, one.is_whole = part["gaps"], True
        undated = part.get("undated", {"clocks": 0, "first": []})  # not of what an earlier release kept
        one.undated, one.undated_ids = undated["clocks"], undated["first"]
    return one


def _sum(rows: Iterable[Mapping[str, Any]], name: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in rows:
        found.update(row[name])
    return found


def _shares(words: Mapping[str, tuple[Any, Any, str]], found: Counter[str]) -> list[Share]:
    whole = sum(found.values())
    return [
        Share(key, str(word), str(meaning), tone, found[key], 100 * found[key] / whole)
        for key, (word, meaning, tone) in words.items()
        if found[key]
    ]


def _customers(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Customer by customer, the longest overrun first."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_name.setdefault(row["scope"]["customer"], []).append(row)
    told = [
        {
            "name": name,
            "clocks": sum(sum(row["dispositions"].values()) for row in of),
            "overrun_s": sum(row["overrun_s"] for row in of),
            "parties": _shares(PARTIES, _sum(of, "parties")),
        }
        for name, of in by_name.items()
    ]
    return sorted(told, key=lambda one: (-one["overrun_s"], one["name"]))
