"""Whose minutes: the overrun of a breached clock, shared out to the customer, suppliers and the own organisation.

The overrun is what was spent on the clock beyond its goal, ``max(0, elapsed − goal)``, with the goal as it was first
pulled. It is *not* the time from breach to end: that counts nights, and a platform's breach time stands still once it
is passed. Shares are taken in the order of a policy, each capped at what is left. Nothing is guessed: what no record
tells about is *unattributed*, and the parts always sum to the overrun.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from improvement.errors import InputError
from improvement.rules.suggestions import did_you_mean


class Party(StrEnum):
    """Whose time it was."""

    CUSTOMER_WAIT = "customer_wait"
    SUPPLIER = "supplier"
    OWN = "own"
    UNATTRIBUTED = "unattributed"


@dataclass(frozen=True, slots=True)
class Order:
    """The order of attribution, in force since it was recorded; ``version`` 0 is the one nobody has changed."""

    parties: tuple[Party, ...] = (Party.CUSTOMER_WAIT, Party.SUPPLIER, Party.OWN)
    version: int = 0

    @property
    def text(self) -> str:
        """As people write it."""
        return ",".join(self.parties)


ORDERED = frozenset({Party.CUSTOMER_WAIT, Party.SUPPLIER, Party.OWN})


def order_of(text: str) -> tuple[Party, ...]:
    """The order a text names, every party once; :class:`InputError` otherwise."""
    names = [name.strip() for name in text.split(",")]
    known = sorted(ORDERED)
    for name in names:
        if name not in known:
            raise InputError(f"“{name[:40]}” is no party with a place in the order.", mend=did_you_mean(name, known))
    if len(names) != len(ORDERED) or set(names) != set(known):
        raise InputError("Each party has one place in the order.", mend=f"Name all of {', '.join(known)}, once.")
    return tuple(Party(name) for name in names)


@dataclass(frozen=True, slots=True)
class Known:
    """What records tell about one clock, in seconds on it.

    ``waited_s`` is how long the clock ran while the customer was waited for; None where the platform gives no spans,
    and then nobody can tell what is left for the own organisation either. ``suppliers`` are the overruns of agreements
    with suppliers on the same ticket, by supplier; ``internal_s`` that of operational agreements that name none.
    """

    waited_s: int | None = None
    suppliers: Mapping[str, int] = field(default_factory=dict)
    internal_s: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """A part of an overrun; ``who`` is the supplier's name, else empty."""

    party: Party
    seconds: int
    who: str = ""


@dataclass(frozen=True, slots=True)
class Minutes:
    """An overrun and its parts. They sum to it."""

    overrun_s: int
    shares: tuple[Share, ...]

    def of(self, party: Party) -> int:
        """Seconds of one party."""
        return sum(share.seconds for share in self.shares if share.party is party)

    def mostly(self, party: Party) -> bool:
        """Whether more than half of the overrun is this party's."""
        return 2 * self.of(party) > self.overrun_s

    @property
    def suppliers(self) -> dict[str, int]:
        """Seconds by supplier."""
        return {share.who: share.seconds for share in self.shares if share.party is Party.SUPPLIER}


def overrun_s(elapsed_s: int | None, goal_s: int | None) -> int | None:
    """Seconds beyond the goal; None where the platform does not say how long the clock ran, or what its goal was."""
    if elapsed_s is None or goal_s is None:
        return None
    return max(0, elapsed_s - goal_s)


def attribute(overrun: int, known: Known, order: Order) -> Minutes:
    """Share an overrun out, party by party, each capped at the rest; the rest is unattributed."""
    claims = {Party.CUSTOMER_WAIT: [("", known.waited_s or 0)], Party.SUPPLIER: _suppliers(known)}
    shares: list[Share] = []
    rest = overrun
    for place, party in enumerate(order.parties):
        later = sum(claim for one in order.parties[place + 1 :] for _, claim in claims.get(one, ()))
        for who, claim in claims.get(party) or [("", _own(known, rest, later))]:
            taken = min(max(claim, 0), rest)
            if taken:
                shares.append(Share(party, taken, who))
                rest -= taken
    if rest:
        shares.append(Share(Party.UNATTRIBUTED, rest))
    return Minutes(overrun, tuple(shares))


def _suppliers(known: Known) -> list[tuple[str, int]]:
    """The one that took longest first, so that a cap takes from those who took least; nothing for none."""
    return sorted(known.suppliers.items(), key=lambda claim: (-claim[1], claim[0])) or [("", 0)]


def _own(known: Known, rest: int, later: int) -> int:
    """Overruns of internal agreements; where waiting is known, all that nobody after them in the order claims."""
    return known.internal_s if known.waited_s is None else max(known.internal_s, rest - later)
