"""Somebody deletes our record in the middle of its deliveries: what follows must be refused, or be there once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import msgspec

from bench.faults.desks import Desk, Desks, Step, Story
from bench.faults.killing import DEAD, FOR_EVER_S, SETTLED, WAITING, Delivering, Killers, Wrong, took_effect
from bench.faults.kinds import TABLES, TASKS, Kind
from bench.faults.writing import A_MOMENT_S, AN_HOUR_S, shown, until_received
from connectors.sandbox.plugin import Flavour
from improvement.errors import OutcomeUnknown, StillUnknown, WriteRefused
from improvement.records import Receipt, Verb

ON_ITS_WAY_S, PATIENCE_S = 0.4, 10.0


def deleted_cells(moment: str, desks: Desks, flavour: Flavour, mode: str = "") -> dict[str, str]:
    """For each kind of request "" where nothing was made for a record that is gone, and that was told; else what is
    wrong.
    """
    cells: dict[str, str] = {}
    with desks.at(flavour, mode) as desk:
        desk.connector.describe()
        for kind in desk.kinds:
            if not kind.no_place and not kind.is_apart and not kind.is_inside and _concerns(moment, kind):
                cells[kind.name] = _cell(DELETED[moment], kind, desk)
    return cells


def killed_cells(desks: Desks, killers: Killers, flavour: Flavour) -> dict[str, str]:
    """For each kind of request the same where a process was killed after it took effect, before the record went."""
    cells: dict[str, str] = {}
    with desks.at(flavour) as desk:
        delivery = killers.delivering(desk)
        for kind in desk.kinds:
            if not kind.no_place and not kind.is_apart and not kind.is_inside:
                try:
                    cells[kind.name] = _killed(kind, delivery)
                except Exception as error:  # whatever happens makes its cell red
                    cells[kind.name] = str(error)[:200] if isinstance(error, Wrong) else shown(error)
    return cells


def _killed(kind: Kind, delivery: Delivering) -> str:
    story, desk = delivery.story(), delivery.desk
    if kind.verb is not Verb.CREATE:
        delivery.delivered(story, story.step(desk.kinds[0]))
    step = story.step(kind)
    delivery.queue(story, step)
    delivery.kill(kind.met_by({"kind": "stall", "seconds": FOR_EVER_S}), once=took_effect(kind, story))
    id = _deleted(story)
    had = _hanging(desk, id, step)
    if kind.verb is Verb.CREATE:
        delivery.settled(story, step)
        return story.wrong()
    told = delivery.after(SETTLED, step)
    if told["state"] == WAITING or (told["state"] == DEAD and "gone or hidden" not in told["error"]):
        return f"it is {told['state']}: {told['error']}"
    there = _hanging(desk, id, step)
    return "" if there == had else f"made for a record that is gone: {there}, before it {had}"


def _concerns(moment: str, kind: Kind) -> bool:
    """A record that is not made yet can only go once its creation took effect."""
    return kind.verb is not Verb.CREATE or DELETED[moment] is _answer_lost


def _cell(moment: Moment, kind: Kind, desk: Desk) -> str:
    try:
        story = desk.story()
        if kind.verb is not Verb.CREATE:
            first = story.step(desk.kinds[0])
            story.took(first, until_received(desk.connector, first.outbound, None, None).ref)
        return moment(kind, story, story.step(kind))
    except Exception as error:  # whatever a connector raises makes its cell red
        return shown(error)


# --- the moments ------------------------------------------------------------------------------------------------


def _before(kind: Kind, story: Story, step: Step) -> str:
    """It is gone before the delivery begins."""
    id = _deleted(story)
    return _refused(story, step, id)


def _on_its_way(kind: Kind, story: Story, step: Step) -> str:
    """It goes while the request is on its way. A row of its own may be made all the same, which must be told then."""
    desk, id = story.desk, _id_of(story)
    with ThreadPoolExecutor(1) as pool, desk.trapped(kind.met_by({"kind": "slow", "seconds": ON_ITS_WAY_S})):
        sending = pool.submit(desk.connector.write, step.outbound, story.ref)
        _until_held(desk, sending)
        _deleted(story)
        had = _hanging(desk, id, step)
        is_refused = _is_refused(sending)
    made = {name: number - had[name] for name, number in _hanging(desk, id, step).items()}
    if sum(made.values()) > (0 if is_refused else len(step.outbound.trigger_ids) or 1):
        return f"{'refused' if is_refused else 'received'}, and there is more: {made}"
    if not is_refused and not sending.result().differences and not sending.result().unwritten:
        return f"received, and nothing told: {made}"
    return _refused(story, story.step(kind), id)


def _answer_lost(kind: Kind, story: Story, step: Step) -> str:
    """The request took effect, its answer got lost, and the record goes before it is looked for."""
    desk = story.desk
    with desk.trapped(kind.met_by({"kind": "reset_after"})) as hits, suppress(OutcomeUnknown, WriteRefused):
        desk.connector.write(step.outbound, story.ref)
    if not hits.number:
        return "the trap was met by no request"
    id = _deleted(story)
    if kind.verb is Verb.CREATE:  # nobody can tell that it was ever there: it is made again
        receipt = until_received(desk.connector, step.outbound, None, lambda: int(story.found()["record"]))
        story.took(step, receipt.ref)
        return story.wrong()
    return _refused(story, step, id, is_in_doubt=True)


def _restored(kind: Kind, story: Story, step: Step) -> str:
    """Refused while it was gone, and sent again once somebody has restored it."""
    desk = story.desk
    id = _deleted(story)
    if told := _refused(story, step, id):
        return told
    desk.running.happen(desk.flavour, kind="restore", count=1)
    receipt = until_received(desk.connector, step.outbound, story.ref, None)
    story.took(step, receipt.ref)
    return story.wrong()


Moment = Callable[[Kind, Story, Step], str]
RESTORED = "deleted, restored"
KILLED = "kill −9 after it took effect, then deleted"
DELETED: Mapping[str, Moment] = {
    "deleted before": _before,
    "deleted while the request is on its way": _on_its_way,
    "answer lost, then deleted": _answer_lost,
    RESTORED: _restored,
}


# --- what all of them need --------------------------------------------------------------------------------------


def _refused(story: Story, step: Step, id: str, *, is_in_doubt: bool = False) -> str:
    """Nothing may be made, and whoever delivers must be told for good; what is in doubt may also be found, or wait."""
    desk = story.desk
    had, told = _hanging(desk, id, step), ""
    for unanswered_s in (A_MOMENT_S, AN_HOUR_S) if is_in_doubt else (None,):
        told = _asked_again(story, step, unanswered_s)
    there = _hanging(desk, id, step)
    return told or ("" if there == had else f"made for a record that is gone: {there}, before it {had}")


def _asked_again(story: Story, step: Step, unanswered_s: float | None) -> str:
    try:
        receipt = story.desk.connector.write(
            msgspec.structs.replace(step.outbound, unanswered_s=unanswered_s), story.ref
        )
    except WriteRefused as error:
        return "" if "gone or hidden" in str(error) else f"refused, but not as one that is gone: {shown(error)}"
    except StillUnknown:
        return "it waits"
    return "" if unanswered_s is not None and receipt.was_found else "no refusal"


def _deleted(story: Story) -> str:
    """An administrator deletes the record; its id."""
    desk, id = story.desk, _id_of(story)
    if desk.is_servicenow:
        desk.act("admin", "DELETE", f"/api/now/table/{TABLES[desk.mode]}/{id}")
    else:
        desk.act("admin", "DELETE", f"/rest/api/2/issue/{id}?deleteSubtasks=true")
    return id


def _id_of(story: Story) -> str:
    if story.ref is not None:
        return story.ref.id
    desk = story.desk
    if desk.is_servicenow:
        return str(desk.rows(TABLES[desk.mode], f"short_description={story.title}")[0]["sys_id"])
    return next(str(one["id"]) for one in desk.newest() if one["fields"]["summary"] == story.title)


def _hanging(desk: Desk, id: str, step: Step) -> dict[str, int]:
    """How much there is that belongs to a record, whether or not it is there."""
    if desk.is_servicenow:
        counted = {
            "records": (TABLES[desk.mode], f"sys_id={id}"),
            "notes": ("sys_journal_field", f"element_id={id}"),
            "files": ("sys_attachment", f"table_sys_id={id}"),
        }
        if desk.mode in TASKS:
            counted["tasks"] = (TASKS[desk.mode][0], f"correlation_idLIKE-{step.outbound.action_id}/")
        if desk.mode == "cim":
            counted["links"] = ("sn_cim_inbound_m2m", f"cim_register={id}")
        return {name: len(desk.rows(*asked)) for name, asked in counted.items()}
    paths = [f"/rest/api/2/issue/{ticket}" for ticket in step.outbound.trigger_ids]
    return desk.issues_made() | {"links": sum(len(desk.get(path)["fields"]["issuelinks"]) for path in paths)}


def _until_held(desk: Desk, sending: Future[Receipt]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not any(rule["hits"] for rule in desk.running.control(desk.flavour, "GET", "faults")):
        if sending.done() or time.monotonic() > until:
            raise Wrong("the trap was met by no request")
        time.sleep(0.01)


def _is_refused(sending: Future[Receipt]) -> bool:
    try:
        sending.result()
    except (WriteRefused, OutcomeUnknown):
        return True
    return False
