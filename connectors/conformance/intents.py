"""The writes that the conformance tests make: every verb, each of an action that nobody else has."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

import msgspec

from connectors.conformance.hooks import Effects, Hooks
from improvement.records import Outbound, OutboundFile, Receipt, RecordKind, RecordRef, Verb

OURS, ANOTHERS = "k7m2qd4x", "zzzzzzzz"  # installations
FILE = OutboundFile(name="review-0123456789ab.json", media_type="application/json", content=b'{"verdict":"improved"}')
CHANGED = "Far too many."  # the description of an update
NOTE, STEP = "Improved: 24 of 100.", "Hire a second engineer"
TICKETS = 2  # so many are linked


class Intents(Hooks):
    """What the tests of writing have in common."""

    def _record(self) -> tuple[RecordRef, str]:
        action = an_action()
        return self.connect().write(a_creation(action), None).ref, action

    def _writings(self, action: str) -> list[Outbound]:
        """One write of each kind to a record that is there. Where no ticket is, none is linked."""
        fields = {**fields_of(action), "description": CHANGED}
        writes = [
            an_outbound(action, Verb.UPDATE, "update/1", fields=fields),
            an_outbound(action, Verb.NOTE, "note/final", text=NOTE),
            an_outbound(action, Verb.ATTACH, "attach/final", file=FILE),
            an_outbound(action, Verb.TASK, "task/1", fields={"title": STEP}),
        ]
        tickets = self._tickets_to_link()
        return [*writes, an_outbound(action, Verb.LINK, "link/1", trigger_ids=tickets)] if tickets else writes

    def _tickets_to_link(self) -> tuple[str, ...]:
        if RecordKind.TICKET not in self.connect().kinds():
            return ()
        pages = self.connect().pull(RecordKind.TICKET, None, until=self.until)
        ids = [id for page in pages for id in page.batch["id"].to_pylist()]
        return tuple(dict.fromkeys(ids))[:TICKETS]


def has_no_place(outbound: Outbound, receipt: Receipt) -> bool:
    """Whether the platform has none for a step or for links, and the receipt tells it."""
    return outbound.verb in (Verb.TASK, Verb.LINK) and bool(receipt.unwritten)


def effect_of(outbound: Outbound, effects: Effects) -> int:
    """How often what a write asks for stands there. Of an update it is not told: it has no effect to count."""
    match outbound.verb:
        case Verb.CREATE:
            return effects.records
        case Verb.NOTE:
            return sum((outbound.text or "") in note for note in effects.notes)
        case Verb.ATTACH if outbound.file is not None:
            return effects.files.count((outbound.file.name, outbound.file.content))
        case Verb.TASK:
            return effects.tasks.count(str(outbound.fields["title"]))
        case Verb.LINK:
            return sum(effects.links.count(id) for id in outbound.trigger_ids)
    return 0


def once(outbound: Outbound) -> int:
    """What :func:`effect_of` is where a write took effect once."""
    return {Verb.UPDATE: 0, Verb.LINK: len(outbound.trigger_ids)}.get(outbound.verb, 1)


def an_action() -> str:
    """The id of an action that nobody has."""
    return f"ACT-{secrets.token_hex(5)}"


def a_creation(action: str) -> Outbound:
    """The write that makes the record of an action."""
    return an_outbound(action, Verb.CREATE, "create", fields=fields_of(action))


def an_outbound(action: str, verb: Verb, name: str, **parts: Any) -> Outbound:
    """A write of this installation."""
    return Outbound(verb=verb, key=f"{action}/{name}", action_id=action, installation=OURS, **parts)


def of_another(outbound: Outbound) -> Outbound:
    """The same of another installation."""
    return msgspec.structs.replace(outbound, installation=ANOTHERS)


def fields_of(action: str) -> dict[str, str | int | float | None]:
    """What a record says at first; its title contains the action's id."""
    return {
        "title": f'=HYPERLINK("x") <b>مرحبا</b> 🚑 {action}',
        "description": "Too many.",
        "due": datetime(2030, 1, 31, tzinfo=UTC).date().isoformat(),
        "url": f"https://regelkreis.example/actions/{action}/",
    }
