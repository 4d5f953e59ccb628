"""Processes that pull, killed or two at a time: the warehouse of their home must hold what the platform shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from bench.faults import holdings
from bench.faults.desks import Desks
from bench.faults.killing import CONNECTIONS, FOR_EVER_S, Killers, Wrong, until_held
from bench.faults.pulling import Lost, differ_by
from bench.faults.traps import JIRA_KEYS, SERVICENOW_KEYS, Rule, page
from bench.faults.writing import shown
from connectors.sandbox.plugin import Flavour
from workflows.warehouse import Warehouse

HELD_S = 0.4


class Pulling:
    """Pulls of one platform into the warehouse of a home."""

    def __init__(self, desks: Desks, killers: Killers, flavour: Flavour) -> None:
        self.killers = killers
        self.flavour = flavour
        self.running = desks.running(flavour)
        self.connection = next(name for name, one in CONNECTIONS.items() if one == flavour)

    def started(self) -> int:
        """A process that pulls now."""
        now = self.running.clock().isoformat()
        return int(self.killers.ask("start_pull", connection=self.connection, at=now)["pid"])

    def ended(self, pid: int) -> None:
        """Wait until it has pulled."""
        if status := self.killers.ask("wait", pid=pid)["ended"]:
            raise Wrong(f"a process that pulls ended with {status}")

    def pull(self) -> None:
        """Let a process pull undisturbed."""
        self.ended(self.started())

    def kill(self, rule: Rule) -> None:
        """Let a process pull and kill it where the rule holds it."""
        held = {"kind": "slow", "seconds": FOR_EVER_S, **rule}
        self.killers.kill(self.started, self.running, self.flavour, held)

    def later(self, **span: float) -> None:
        """Let time pass."""
        self.running.set_clock(self.running.clock() + timedelta(**span))

    def happen(self, kind: str, **event: object) -> None:
        """Let something happen on the platform."""
        self.running.happen(self.flavour, kind, **event)

    def compare(self) -> None:
        """Raise :class:`Lost` where the warehouse differs from what the platform shows."""
        with Warehouse.open(self.killers.folder / "warehouse.duckdb") as warehouse:
            found = holdings.of_warehouse(warehouse, self.connection)
        for kind, expected in holdings.of_platform(self.running, self.flavour).items():
            differ_by("platform", kind.value, expected, found[kind])


def process_cell(moment: str, desks: Desks, killers: Killers, flavour: Flavour) -> str:
    """ "" where the warehouse equals the platform; else what is wrong."""
    try:
        killers.ask("ready")
        pulling = Pulling(desks, killers, flavour)
        PULLED[moment](pulling)
        pulling.compare()
    except Exception as error:  # whatever happens makes its cell red
        return str(error)[:200] if isinstance(error, Wrong | Lost) else shown(error)
    return ""


def _killed(pulling: Pulling) -> None:
    """Killed at one page and at another, each time with more to read; then left alone."""
    for after in (1, 3):
        pulling.later(hours=30)
        pulling.happen("mass_update", count=200)
        pulling.kill(page("slow", after=after))
    pulling.pull()


def _killed_on_a_bad_day(pulling: Pulling) -> None:
    """Killed while much has one update time; the next meets changes, 429 and a reset."""
    pulling.pull()
    pulling.later(hours=30)
    pulling.happen("mass_update", count=200)
    pulling.kill(page("slow", after=3))
    changing = page("changing", after=0, times=5, records=7)
    pulling.running.set_faults(
        pulling.flavour, changing, page("rate_limit", seconds=0, times=3), page("reset_after", after=4)
    )
    try:
        pulling.pull()
    finally:
        pulling.running.set_faults(pulling.flavour)
    pulling.later(minutes=10)
    pulling.pull()


def _killed_while_listing(pulling: Pulling) -> None:
    """Killed while it looks for what is gone without a trace; the next finds it."""
    pulling.pull()
    is_audited = {"audited": False} if pulling.flavour == "servicenow" else {}
    pulling.happen("delete", count=9, **is_audited)
    pulling.later(days=7)
    pulling.kill(SERVICENOW_KEYS if pulling.flavour == "servicenow" else {**JIRA_KEYS, "after": 3})
    pulling.pull()


def _two(pulling: Pulling) -> None:
    """The second comes while the first reads a page."""
    pulling.later(hours=30)
    pulling.running.set_faults(pulling.flavour, page("slow", seconds=HELD_S))
    try:
        first = pulling.started()
        until_held(pulling.running, pulling.flavour, first)
        second = pulling.started()
        for process in (first, second):
            pulling.ended(process)
    finally:
        pulling.running.set_faults(pulling.flavour)


PULLED: Mapping[str, Callable[[Pulling], None]] = {
    "kill −9 at several pages": _killed,
    "kill −9 + equal times + changing + 429": _killed_on_a_bad_day,
    "kill −9 while looking for what is gone": _killed_while_listing,
    "two pull at once": _two,
}
