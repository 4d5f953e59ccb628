"""Write through a trap as the outbox does, again until there is a receipt, and count what took effect."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress

import msgspec
from requests import RequestException

from bench.faults.desks import Desk, Desks, Hits, Step, Story
from bench.faults.kinds import Kind
from bench.faults.places import reader_of
from bench.faults.write_traps import WriteTrap
from connectors.base import Connector
from connectors.sandbox.plugin import Flavour
from improvement.errors import ConnectionFailed, OutcomeUnknown, RegelkreisError, StillUnknown, WriteRefused
from improvement.records import Outbound, Receipt, RecordRef, Verb

ATTEMPTS = 60
A_MOMENT_S, AN_HOUR_S = 1.0, 3600.0
Look = Callable[[], int]
AGAIN = Kind("the next update", Verb.UPDATE, "", "")


def write_cells(trap: WriteTrap, desks: Desks, flavour: Flavour, mode: str = "") -> dict[str, str]:
    """For each kind of request that the trap meets "" where it took effect once, or its refusal was told; else what is
    wrong.
    """
    with desks.at(flavour, mode, timeout_s=trap.timeout_s) as desk:
        desk.connector.describe()
        story, cells = desk.story(), {}
        for kind in desk.kinds:
            if trap.meets(kind):
                cells[kind.name] = _cell(trap, kind, desk.story() if kind.is_apart else story)
            if kind.verb is Verb.CREATE and not kind.is_apart and story.ref is None:
                step = story.step(kind)
                story.took(step, until_received(desk.connector, step.outbound, None, None).ref)
    return cells


def _cell(trap: WriteTrap, kind: Kind, story: Story) -> str:
    try:
        if kind.no_place:
            return _placeless(trap, kind, story)
        if trap.shuts_out:
            return _shut_out(trap, kind, story)
        return _told(trap, kind, story) if trap.is_told else _effective(trap, kind, story)
    except Exception as error:  # whatever a connector raises makes its cell red
        return shown(error)


def _effective(trap: WriteTrap, kind: Kind, story: Story) -> str:
    """It must take effect, once."""
    desk, step = story.desk, story.step(kind)
    begun = time.monotonic()
    with _trapped(trap, kind, desk) as hits, _others_writing(trap, story) as waits:
        look = (lambda: int(story.found()["record"])) if kind.verb is Verb.CREATE else None
        since = None
        if trap.looks:
            with suppress(OutcomeUnknown):
                desk.connector.write(step.outbound, story.ref)
            desk.running.set_faults(desk.flavour, *trap.looks)
            since = None if kind.verb is Verb.UPDATE else AN_HOUR_S
        receipt = until_received(desk.connector, step.outbound, story.ref, look, late_s=trap.late_s, since_s=since)
        if trap.late_s:  # what nobody waited for takes effect by now
            time.sleep(max(0.0, begun + trap.late_s + 0.1 - time.monotonic()))
    if (trap.rules and not hits.number) or (trap.others_write and not waits):
        return "the trap was met by no request"
    if receipt.differences:
        return f"read back otherwise: {receipt.differences}"
    story.took(step, receipt.ref)
    if kind.is_apart:  # what a creation did not come to follows with the next update
        following = story.step(AGAIN)
        until_received(desk.connector, following.outbound, story.ref, None)
        story.took(following, receipt.ref)
    return story.wrong()


def _placeless(trap: WriteTrap, kind: Kind, story: Story) -> str:
    """Nothing may be sent, and that must be said."""
    with _trapped(trap, kind, story.desk) as hits:
        receipt = story.desk.connector.write(story.step(kind).outbound, story.ref)
    if hits.number or kind.no_place not in receipt.unwritten:
        return f"{hits.number} requests, told: {receipt.unwritten}"
    return story.wrong()


def _shut_out(trap: WriteTrap, kind: Kind, story: Story) -> str:
    """Nothing is written as long as nobody knows us there, and that is told; with the next token it takes effect."""
    step, is_whole = story.step(kind), True
    with _trapped(trap, kind, story.desk) as hits:
        try:
            story.desk.connector.write(step.outbound, story.ref)
            return "received"
        except ConnectionFailed as error:
            if not any(word in error.what for word in ("anonymous", "credentials")):
                return f"it waits, but not because nobody knows us: {shown(error)}"
            is_whole = not isinstance(error, OutcomeUnknown)  # else a part of it was written before
    told = story.wrong(kind.seen_in) if is_whole else ""
    if told or not hits.number:
        return told or "the trap was met by no request"
    receipt = until_received(story.desk.connector, step.outbound, story.ref, None)
    story.took(step, receipt.ref)
    return story.wrong()


def _told(trap: WriteTrap, kind: Kind, story: Story) -> str:
    """It cannot be done, and that must be said: by a refusal for good, or on the receipt of a delivery that goes on."""
    step, desk = story.step(kind), story.desk
    try:
        with _trapped(trap, kind, desk) as hits:
            if trap.is_dead:
                receipt = desk.connector.write(step.outbound, story.ref)
            else:  # what is told may be told by a later attempt
                receipt = until_received(desk.connector, step.outbound, story.ref, None)
    except WriteRefused:
        return story.wrong(kind.seen_in)
    except RegelkreisError as error:
        return f"it waits, though nothing can help: {error.what[:150]}" if trap.is_dead else story.wrong(kind.seen_in)
    if trap.rules and not hits.number:
        return "the trap was met by no request"
    if trap.is_dead and not kind.tells:
        return "no refusal"
    wanted, told = trap.names or kind.tells, sorted({**receipt.differences, **receipt.unwritten})
    if not any(re.fullmatch(wanted, name) for name in told):
        return f"nothing told of what the platform did with it, only: {told}"
    if trap.is_dead and not kind.is_apart:
        return story.wrong(kind.seen_in)
    return _took_otherwise(story, step, receipt)


def _took_otherwise(story: Story, step: Step, receipt: Receipt) -> str:
    """The record is there, once; what else stands there was told."""
    story.took(step, receipt.ref)
    found = story.found()
    story.expected = found
    return "" if found["record"] == 1 else f"record: {found['record']} instead of 1"


@contextmanager
def _others_writing(trap: WriteTrap, story: Story) -> Iterator[list[float]]:
    """Others write the record as often as it takes, until the connector has waited; the seconds that it waited."""
    waits: list[float] = []
    if not trap.others_write:
        yield waits
        return
    desk = story.desk
    assert story.ref is not None, "it was created"
    path = f"/rest/api/2/issue/{story.ref.id}/properties/others"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: desk.act("admin", "PUT", path, json={"n": n}), range(trap.others_write)))

    def wait(seconds: float) -> None:
        """The time passes."""
        waits.append(seconds)
        desk.running.set_options(desk.flavour, **trap.options)

    reader = reader_of(desk.connector)
    reader.sleep, before = wait, reader.sleep
    try:
        yield waits
    finally:
        reader.sleep = before


def _trapped(trap: WriteTrap, kind: Kind, desk: Desk) -> AbstractContextManager[Hits]:
    return desk.trapped(*(kind.met_by(rule) for rule in trap.rules), **trap.options)


def shown(error: Exception) -> str:
    """An error as a cell's text."""
    told = str(error) if isinstance(error, RegelkreisError | RequestException) else repr(error)
    return " ".join(told.split())[:200]


def until_received(
    connector: Connector,
    outbound: Outbound,
    ref: RecordRef | None,
    look: Look | None,
    *,
    late_s: float = 0,
    since_s: float | None = None,
) -> Receipt:
    """What the outbox does: try again unless the platform refused for good, which would be a dead letter.

    After an attempt without an answer it says how long ago that was: a moment, then an hour (of which ``late_s`` really
    pass); ``since_s`` where an attempt was made before. Of an update it says nothing: only what differs is sent. What
    is unknown even then is a dead letter, and a person looks (``look``) and has it sent again: there must be nothing
    then.
    """
    unanswered_s = since_s
    for attempt in range(ATTEMPTS):
        try:
            return connector.write(msgspec.structs.replace(outbound, unanswered_s=unanswered_s), ref)
        except WriteRefused:
            raise
        except StillUnknown:
            if unanswered_s == AN_HOUR_S:
                if look is None or look():
                    raise
                unanswered_s = None
            else:
                time.sleep(late_s)
                unanswered_s = AN_HOUR_S
        except OutcomeUnknown:
            unanswered_s = None if outbound.verb is Verb.UPDATE else A_MOMENT_S
        except RegelkreisError:
            if attempt == ATTEMPTS - 1:
                raise
    raise RegelkreisError(f"no receipt after {ATTEMPTS} attempts")
