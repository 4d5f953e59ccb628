"""Write through a trap as the outbox does, again until there is a receipt, and count what took effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any

import msgspec

from bench.faults.places import asked, connected, outbound, serving
from bench.faults.traps import MoveTrap, WriteTrap
from connectors.base import Connector
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from improvement.errors import OutcomeUnknown, RegelkreisError, StillUnknown, WriteRefused
from improvement.records import Outbound, OutboundFile, Receipt, RecordRef, Verb

ATTEMPTS = 60
A_MOMENT_S, AN_HOUR_S = 1.0, 3600.0
Look = Callable[[], int]
LINKED = 4
TITLE = "Fewer breaches"
FILE = OutboundFile(name="review-abc123.json", media_type="application/json", content=b'{"verdict":"improved"}')
_numbers = count(1)


def write_cell(trap: WriteTrap, flavour: Flavour) -> str:
    """ "" where every write took effect once (or, of a refusal, was told); else what is wrong."""
    with serving(flavour) as running, connected(running, flavour) as connector:
        connector.describe()
        running.set_options(flavour, **trap.options)
        action = f"ACT-{next(_numbers)}"
        if trap.is_told:
            with _trapped(running, flavour, trap):
                return _told(connector, action, is_dead=trap.is_dead)
        try:
            return _effects(running, flavour, connector, trap, action)
        except RegelkreisError as error:
            return error.what[:200]


def move_cell(trap: MoveTrap, flavour: Flavour) -> str:
    """ "" where the record moved once, or stayed and the receipt says why; else what is wrong."""
    with serving(flavour) as running, connected(running, flavour) as connector:
        action = f"ACT-{next(_numbers)}"
        ref = connector.write(_creation(action), None).ref
        running.set_options(flavour, **trap.options)
        begin = outbound(Verb.UPDATE, action, "begin", fields={"state": "doing"})
        running.set_faults(flavour, *trap.rules)
        try:
            receipt = _until_received(connector, begin, ref, None)
        except RegelkreisError as error:
            return error.what[:200]
        shown = asked(running, flavour, "GET", f"/rest/api/2/issue/{ref.id}", params={"expand": "changelog"})
    moves = [item for entry in shown["changelog"]["histories"] for item in entry["items"] if item["field"] == "status"]
    is_told = "state" in receipt.unwritten | receipt.differences
    expected = (1, False) if trap.arrives else (0, True)
    return "" if (len(moves), is_told) == expected else f"{len(moves)} moves, told: {receipt.unwritten}"


def _told(connector: Connector, action: str, *, is_dead: bool) -> str:
    try:
        receipt = connector.write(_creation(action), None)
    except WriteRefused:
        return ""
    except RegelkreisError as error:
        return f"it waits, though nothing can help: {error.what[:150]}" if is_dead else ""
    if is_dead:
        return "no refusal"
    return "" if receipt.differences or receipt.unwritten else "nothing told of what the platform did with it"


def _effects(running: RunningSandbox, flavour: Flavour, connector: Connector, trap: WriteTrap, action: str) -> str:
    ref: RecordRef | None = None
    writes = (
        _creation(action),
        outbound(Verb.NOTE, action, "note/final", text="Improved."),
        outbound(Verb.ATTACH, action, "attach/final", file=FILE),
        outbound(Verb.LINK, action, "triggers", trigger_ids=_tickets(running, flavour)),
    )
    for write in writes:
        with _trapped(running, flavour, trap):
            receipt = _until_received(connector, write, ref, partial(_records, running, flavour))
        ref = receipt.ref
        if receipt.differences:
            return f"{write.verb} read back otherwise: {receipt.differences}"
    assert ref is not None
    found = _counted(running, flavour, ref)
    return "" if found == {"record": 1, "note": 1, "file": 1, "links": LINKED} else f"in effect: {found}"


@contextmanager
def _trapped(running: RunningSandbox, flavour: Flavour, trap: WriteTrap) -> Iterator[None]:
    running.set_faults(flavour, *trap.rules)
    yield
    running.set_faults(flavour)


def _until_received(connector: Connector, outbound: Outbound, ref: RecordRef | None, look: Look | None) -> Receipt:
    """What the outbox does: try again unless the platform refused for good, which would be a dead letter.

    After an attempt without an answer it says how long ago that was: a moment, then an hour. What is unknown even then
    is a dead letter, and a person looks (``look``) and has it sent again: there must be nothing then.
    """
    unanswered_s: float | None = None
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
                unanswered_s = AN_HOUR_S
        except OutcomeUnknown:
            unanswered_s = A_MOMENT_S
        except RegelkreisError:
            if attempt == ATTEMPTS - 1:
                raise
    raise RegelkreisError(f"no receipt after {ATTEMPTS} attempts")


def _records(running: RunningSandbox, flavour: Flavour) -> int:
    """How many improvement records there are, whatever a search shows."""
    if flavour == "servicenow":
        asking = {"sysparm_query": f"short_description={TITLE}"}
        return len(asked(running, flavour, "GET", "/api/now/table/sn_cim_register", params=asking)["result"])
    return sum(count for name, count in running.stats(flavour).items() if name.startswith("CIP "))


def _creation(action: str) -> Outbound:
    fields: dict[str, str | int | float | None] = {
        "title": TITLE,
        "description": "SLA breach rate 24.3 %",
        "hypothesis": "A second engineer at night",
        "baseline": "24.3 %",
        "target": "17 %",
        "url": f"https://rk.example.com/actions/{action}/",
    }
    return outbound(Verb.CREATE, action, "create", fields=fields)


def _tickets(running: RunningSandbox, flavour: Flavour) -> tuple[str, ...]:
    """Some tickets to link the record to."""
    if flavour == "servicenow":
        asking = {"sysparm_limit": str(LINKED), "sysparm_fields": "sys_id"}
        found = asked(running, flavour, "GET", "/api/now/table/incident", params=asking)["result"]
        return tuple(row["sys_id"] for row in found)
    path = "/rest/api/2/search/jql" if flavour == "jira_cloud" else "/rest/api/2/search"
    body = {"jql": "project = OPS ORDER BY created ASC", "fields": ["summary"], "maxResults": LINKED}
    return tuple(issue["id"] for issue in asked(running, flavour, "POST", path, json=body)["issues"])


def _counted(running: RunningSandbox, flavour: Flavour, ref: RecordRef) -> dict[str, int]:
    """What is there now, by plain HTTP."""
    if flavour != "servicenow":
        shown: dict[str, Any] = asked(running, flavour, "GET", f"/rest/api/2/issue/{ref.id}")["fields"]
        counted = {
            "record": _records(running, flavour),
            "note": len(shown["comment"]["comments"]),
            "file": len(shown["attachment"]),
        }
        return counted | {"links": len(shown["issuelinks"])}
    asking = {
        "record": ("sn_cim_register", f"short_description={TITLE}"),
        "note": ("sys_journal_field", f"element_id={ref.id}^valueLIKEImproved."),
        "file": ("sys_attachment", f"table_sys_id={ref.id}"),
        "links": ("sn_cim_inbound_m2m", f"cim_register={ref.id}"),
    }
    return {
        name: len(asked(running, flavour, "GET", f"/api/now/table/{table}", params={"sysparm_query": query})["result"])
        for name, (table, query) in asking.items()
    }
