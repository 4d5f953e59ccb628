"""Two processes deliver from one outbox at the same time: whatever waits there must take effect once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench.faults.desks import Desks, Step, Story
from bench.faults.killing import FOR_EVER_S, SENT, Delivering, Killers, Wrong, took_effect, until_held
from bench.faults.kinds import Kind
from bench.faults.writing import shown
from connectors.sandbox.plugin import Flavour

HELD_S = 0.4


def two_cells(
    meeting: str, desks: Desks, killers: Killers, flavour: Flavour, kinds: Sequence[str] = ()
) -> dict[str, str]:
    """For each kind of request (or ``kinds`` only) "" where it took effect once although two delivered it; else what is
    wrong.
    """
    cells: dict[str, str] = {}
    with desks.at(flavour) as desk:
        delivery = killers.delivering(desk)
        story = delivery.story()
        for kind in desk.kinds:
            if kind.no_place or kind.is_inside or (kinds and kind.name not in kinds):
                continue
            one = delivery.story() if kind.is_apart else story
            try:
                step = one.step(kind)
                delivery.queue(one, step)
                MEETINGS[meeting](kind, one, step, delivery)
                delivery.settled(one, step)
                cells[kind.name] = one.wrong()
            except Exception as error:  # whatever happens makes its cell red
                cells[kind.name] = str(error)[:200] if isinstance(error, Wrong) else shown(error)
    return cells


def _one_waits(kind: Kind, story: Story, step: Step, delivery: Delivering, *, is_leased: bool = True) -> None:
    """The second comes while the first one's request is on its way; both end well, and nothing is left to do."""
    running, flavour = delivery.desk.running, delivery.desk.flavour
    running.set_faults(flavour, kind.met_by({"kind": "slow", "seconds": HELD_S}))
    try:
        first = delivery.started(is_leased=is_leased)
        until_held(running, flavour, first)
        second = delivery.started(is_leased=is_leased)
        for process in (first, second):
            delivery.ended(process)
    finally:
        running.set_faults(flavour)
    told = delivery.killers.ask("told", key=step.outbound.key)
    if told["state"] != SENT or told["is_in_doubt"]:
        raise Wrong(f"it is {told['state']}: {told['error']}")


def _one_leaves_it(kind: Kind, story: Story, step: Step, delivery: Delivering) -> None:
    """Neither holds the warehouse: each has one of its own, and they share the state."""
    _one_waits(kind, story, step, delivery, is_leased=False)


def _first_is_killed(kind: Kind, story: Story, step: Step, delivery: Delivering) -> None:
    """The second waits for the first, which is killed after its request took effect."""
    second: list[int] = []
    is_there = took_effect(kind, story)

    def came() -> bool:
        if is_there() and not second:
            second.append(delivery.started(is_leased=True))
        return bool(second)

    delivery.kill(kind.met_by({"kind": "stall", "seconds": FOR_EVER_S}), once=came, is_leased=True)
    delivery.ended(second[0])


Meeting = Callable[[Kind, Story, Step, Delivering], None]
ON_POSTGRESQL = "on PostgreSQL, one leaves it"
MEETINGS: Mapping[str, Meeting] = {
    "one waits": _one_waits,
    "one waits, the first is killed": _first_is_killed,
    ON_POSTGRESQL: _one_leaves_it,
}
