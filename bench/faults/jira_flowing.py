"""What administrators and people do on a Jira with our record or its project: it must be followed, or told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec

from bench.faults.desks import NOTE, STEP, Desk, Desks, Story
from bench.faults.kinds import JIRA, Kind
from bench.faults.places import world
from bench.faults.write_traps import looking
from bench.faults.writing import shown, until_received
from connectors.sandbox.plugin import Flavour
from improvement.errors import OutcomeUnknown, WriteRefused
from improvement.records import PlatformState, Receipt, RecordRef, Verb

OF_NAME = {kind.name: kind for kind in JIRA}
BEGIN = OF_NAME["transition"]
BEGIN_ID = "121"  # of its transition
MOST = 32_768
LATER = 25  # issues made after ours: more than are looked at by key
REQUESTS = "IMP"  # the project whose improvements are requests, with native approvals
WAYS = {"ask": "211", "withdraw": "221", "begin": "231", "finish": "251"}


def jira_flow_cell(name: str, desks: Desks, flavour: Flavour) -> str:
    """ "" where it was followed or told; else what is wrong."""
    project = REQUESTS if name in APPROVALS else "CIP"
    with desks.at(flavour, improvement_project=project) as desk:
        try:
            return APPROVALS[name](desk) if name in APPROVALS else FLOWS[name](desk)
        except Exception as error:  # whatever a connector raises makes its cell red
            return shown(error)


# --- transitions ----------------------------------------------------------------------------------------------


def _arrives_under_another_name(desk: Desk) -> str:
    story = _created(desk)
    with desk.trapped(transition_names={BEGIN_ID: "Arbeit beginnen"}):
        _delivered(story, BEGIN)
    return story.wrong()


def _stays_and_tells(desk: Desk, **options: Any) -> str:
    """It is delivered twice, and said once in a comment."""
    story = _created(desk)
    step = story.step(BEGIN)
    with desk.trapped(**options):
        receipt = until_received(desk.connector, step.outbound, story.ref, None)
        until_received(desk.connector, step.outbound, story.ref, None)
    comments = desk.get(f"{_path(story)}/comment")["comments"]
    if len(comments) != 1:
        return f"{len(comments)} comments tell that it stays"
    return story.wrong(("moves", "status")) or _untold(receipt, "state")


def _no_way_at_all(desk: Desk) -> str:
    """No transition leads anywhere: our user lost the right, or the workflow its ways."""
    ways = desk.get(f"{_path(_created(desk))}/transitions")["transitions"]
    return _stays_and_tells(desk, missing_transitions=[way["id"] for way in ways])


def _deleted(desk: Desk) -> str:
    """It comes home as missing, beside one that is there."""
    gone, there = _created(desk), _created(desk)
    desk.act("admin", "DELETE", f"{_path(gone)}?deleteSubtasks=true")
    states = desk.connector.states([_ref(gone), _ref(there)])
    missing = [state.is_missing for state in states]
    return "" if missing == [True, False] else f"missing: {missing}"


def _followed_on_a_bad_day(desk: Desk, *, kind: str) -> str:
    """Every request that follows it is met twice: its step, its comment and its state come home all the same."""
    story = _created(desk)
    for name in ("task", "note", "transition"):
        _delivered(story, OF_NAME[name])
    with desk.trapped(*({**rule, "times": 2} for rule in looking(kind))) as hits:
        (found,) = desk.connector.states([_ref(story)])
    if not hits.number:
        return "the trap was met by no request"
    home = (found.state, [task.title for task in found.tasks], len(found.comments))
    return "" if home == ("in_progress", [STEP], 1) else f"it comes home as {home}"


def _moved_by_a_person(desk: Desk) -> str:
    """Put on hold before our state arrives: they are not overruled."""
    story = _created(desk)
    _take_way(desk, story, "131")
    step = story.step(BEGIN)
    receipt = until_received(desk.connector, step.outbound, story.ref, None)
    story.expected |= {"moves": 1, "status": "On Hold"}
    return story.wrong(("moves", "status")) or _untold(receipt, "state")


# --- the project's screens, its links, its keys -----------------------------------------------------------------


def _full_of_links(desk: Desk) -> str:
    """The first of four tickets has as many links as an issue may have: the others are linked."""
    story = _created(desk)
    step = story.step(OF_NAME["links"])
    full, *others = step.outbound.trigger_ids
    most = max(_links(desk, other) for other in others)
    for end in reversed(desk.triggers()):
        if end not in step.outbound.trigger_ids:
            ends = {"inwardIssue": {"id": full}, "outwardIssue": {"id": end}}
            desk.act("admin", "POST", "/rest/api/2/issueLink", json={"type": {"name": "Relates"}, **ends})
        if _links(desk, full) > most:
            break
    with desk.trapped(max_links=_links(desk, full)):
        receipt = until_received(desk.connector, step.outbound, story.ref, None)
    story.expected["links"] = sorted(others)
    return story.wrong() or _untold(receipt, f"trigger {full}")


def _links(desk: Desk, id: str) -> int:
    return len(desk.get(f"/rest/api/2/issue/{id}")["fields"]["issuelinks"])


def _screen_lacks(desk: Desk, screen: str, field: str, name: str, *, is_known: bool) -> str:
    """The record is made or changed without that field. ``is_known``: it was so before the project was read."""
    story = _created(desk) if screen == "edit" else desk.story()
    if not is_known:
        desk.connector.describe()
    kind = OF_NAME["update" if screen == "edit" else "record"]
    step = story.step(kind)
    told = {**step.outbound.fields, "baseline": "31 %"}
    outbound = msgspec.structs.replace(step.outbound, fields=told)
    with desk.trapped(screen_lacks={screen: [field]}):
        receipt = until_received(desk.connector, outbound, story.ref, None)
    shown_there = desk.get(f"/rest/api/2/issue/{receipt.ref.id}")["fields"]
    story.took(step, receipt.ref)
    if shown_there["customfield_10020"] != "31 %":
        return f"what the screen has was not written either: {shown_there['customfield_10020']}"
    kept = story.found()
    return _untold(receipt, name) or ("" if kept["record"] == 1 else f"record: {kept['record']} instead of 1")


def _screen_lacks_labels(desk: Desk) -> str:
    """Without the label it could not be found again: nothing is made."""
    story = desk.story()
    with desk.trapped(screen_lacks={"create": ["labels"]}):
        try:
            desk.connector.write(story.step(OF_NAME["record"]).outbound, None)
        except WriteRefused:
            return story.wrong()
    return "no refusal"


def _moved_to_another_project(desk: Desk) -> str:
    """Another key, the same id: what follows reaches it, and its new key comes home."""
    story = _created(desk)
    desk.running.happen(desk.flavour, kind="move", keys=[_key(story)])
    for name in ("update", "note", "file", "links", "property"):
        _delivered(story, OF_NAME[name])
    (state,) = desk.connector.states([_ref(story)])
    if state.ref.number != _key(story) or state.is_missing:
        return f"{_key(story)} comes home as {state.ref.number}, missing: {state.is_missing}"
    step = story.step(OF_NAME["task"])
    receipt = until_received(desk.connector, step.outbound, story.ref, None)
    return story.wrong() or _untold(receipt, "title")


def _moved_before_it_was_known(desk: Desk) -> str:
    """Its creation was not answered, a person moved it, and others were made: it is found where it is."""
    story = desk.story()
    kind = OF_NAME["record"]
    step = story.step(kind)
    with desk.trapped(kind.met_by({"kind": "reset_after"})), suppress(OutcomeUnknown):
        desk.connector.write(step.outbound, None)
    (made,) = [one for one in desk.newest() if one["fields"]["summary"] == story.title]
    desk.running.happen(desk.flavour, kind="move", keys=[made["key"]])
    for number in range(LATER):
        fields = {"project": {"key": "CIP"}, "issuetype": {"name": "Task"}, "summary": f"Somebody's idea {number}"}
        desk.act("admin", "POST", "/rest/api/2/issue", json={"fields": fields})
    story.before["Task"] += LATER
    receipt = until_received(desk.connector, step.outbound, None, lambda: int(story.found()["record"]))
    story.took(step, receipt.ref)
    return story.wrong()


def _edited_before_it_was_noted(desk: Desk) -> str:
    """The property of a new issue could not be set, and meanwhile a person edited the issue: theirs stays."""
    with desk.trapped({"kind": "reset_before", "method": "PUT", "path": "/properties/regelkreis$"}) as hits:
        story = _created(desk)
    if not hits.number:
        return "the trap was met by no request"
    told = {"summary": "A person's title", "description": "A person's text"}
    desk.act("admin", "PUT", _path(story), json={"fields": told})
    receipt = _delivered(story, OF_NAME["property"])
    there = desk.get(_path(story))["fields"]
    story.expected |= {"description": told["description"], "updates": 1}
    kept = there["summary"] == told["summary"]
    return story.wrong() or _untold(receipt, "title") or ("" if kept else f"it is titled {there['summary']}")


def _newer_before_it_was_noted(desk: Desk, *, kind: str) -> str:
    """An update was written and moved the issue, and its property was not set; the next one says something newer."""
    story = _created(desk)
    half = story.step(OF_NAME["update"])
    moved = msgspec.structs.replace(half.outbound, fields={**half.outbound.fields, "state": "doing"})
    fault = {"kind": kind, "method": "PUT", "path": "/properties/regelkreis$", "seconds": 0, "after": 1}
    with desk.trapped(fault) as hits, suppress(OutcomeUnknown):
        desk.connector.write(moved, story.ref)
    if not hits.number:
        return "the trap was met by no request"
    story.expected |= {"updates": 1}
    newer = Kind("newer", Verb.UPDATE, "", "", changes={"description": "SLA breach rate 29 %", "state": "on hold"})
    receipt = _delivered(story, newer)
    story.expected |= {"status": "On Hold", "moves": 2}
    return story.wrong() or (f"told: {receipt.unwritten}" if receipt.unwritten else "")


def _property_of_others(desk: Desk) -> str:
    """Somebody who may edit the issue wrote something else into our property: the update follows all the same."""
    for written in ({"written": None}, {"about": "x", "placed": []}, [1]):
        story = _created(desk)
        desk.act("admin", "PUT", f"{_path(story)}/properties/regelkreis", json=written)
        _delivered(story, BEGIN)
        if told := story.wrong():
            return f"after {written}: {told}"
    return ""


def _long_texts(desk: Desk) -> str:
    """Of every text more than Jira holds: the property stays within its limit, and all else is there."""
    story = _created(desk)
    step = story.step(OF_NAME["property"])
    long = {**step.outbound.fields, "verdict": "w" * (MOST + 1), "due": None}
    receipt = until_received(desk.connector, msgspec.structs.replace(step.outbound, fields=long), story.ref, None)
    story.took(step, receipt.ref)
    note = story.step(OF_NAME["note"])
    longest = f"{NOTE} {'w' * (MOST + 1)}"
    receipt = until_received(desk.connector, msgspec.structs.replace(note.outbound, text=longest), story.ref, None)
    story.took(note, receipt.ref)
    if told := _untold(receipt, "text"):
        return told
    kept = desk.get(f"{_path(story)}/properties/regelkreis")["value"]
    if len(msgspec.json.encode(kept)) > MOST or not kept["verdict"].startswith("www"):
        return f"the property has {len(msgspec.json.encode(kept))} characters"
    return story.wrong()


# --- approvals of requests --------------------------------------------------------------------------------------


def _comes_home(desk: Desk, *, state: str, answers: tuple[str, ...], steps: tuple[str, ...]) -> str:
    """The people concerned take these steps; state and approvals come home as they stand."""
    story = _created(desk, OF_NAME["record"])
    owner, approver = (
        next(person.username for person in world(desk.flavour).people if role in person.roles)
        for role in ("owner", "approver")
    )
    for step in steps:
        if step in WAYS:
            _take_way(desk, story, WAYS[step], user=owner)
        else:
            _answer(desk, story, approver, step)
    (found,) = desk.connector.states([_ref(story)])
    return _compared(desk, story, found, state, answers)


def _compared(desk: Desk, story: Story, found: PlatformState, state: str, answers: tuple[str, ...]) -> str:
    said = {"pending": "requested", "approved": "approved", "declined": "rejected"}
    there = sorted(
        (person["approver"].get("accountId") or person["approver"]["name"], said[person["approverDecision"]])
        for row in _approvals(desk, story)
        for person in row["approvers"]
    )
    home = sorted((one.approver, one.state) for one in found.approvals)
    if home != there:
        return f"approvals here {home}, there {there}"
    told = tuple(sorted({one for _, one in home}))
    return "" if (found.state, told) == (state, answers) else f"it is {found.state} with {told}"


def _answer(desk: Desk, story: Story, approver: str, decision: str) -> None:
    row = next(one for one in _approvals(desk, story) if one["finalDecision"] == "pending")
    path = f"/rest/servicedeskapi/request/{_key(story)}/approval/{row['id']}"
    desk.act(approver, "POST", path, json={"decision": decision})


def _approvals(desk: Desk, story: Story) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.get(f"/rest/servicedeskapi/request/{_key(story)}/approval")["values"]
    return found


# --- what all of them need --------------------------------------------------------------------------------------


def _created(desk: Desk, kind: Kind = OF_NAME["record"]) -> Story:
    story = desk.story()
    _delivered(story, kind)
    return story


def _delivered(story: Story, kind: Kind) -> Receipt:
    step = story.step(kind)
    receipt = until_received(story.desk.connector, step.outbound, story.ref, None)
    story.took(step, receipt.ref)
    return receipt


def _take_way(desk: Desk, story: Story, id: str, user: str = "admin") -> None:
    desk.act(user, "POST", f"{_path(story)}/transitions", json={"transition": {"id": id}})


def _untold(receipt: Receipt, name: str) -> str:
    return "" if name in receipt.unwritten else f"nothing told of {name}: {receipt.unwritten}"


def _path(story: Story) -> str:
    return f"/rest/api/2/issue/{_ref(story).id}"


def _key(story: Story) -> str:
    return str(story.desk.get(_path(story))["key"])


def _ref(story: Story) -> RecordRef:
    assert story.ref is not None, "it was created"
    return story.ref


FLOWS: Mapping[str, Callable[[Desk], str]] = {
    "transition names localised": _arrives_under_another_name,
    "transition missing": partial(_stays_and_tells, missing_transitions=[BEGIN_ID]),
    "no transition at all": _no_way_at_all,
    "deleted": _deleted,
    "transition demands a field": partial(_stays_and_tells, demanded_fields={BEGIN_ID: ["duedate"]}),
    "followed, 200 with an error": partial(_followed_on_a_bad_day, kind="error_in_200"),
    "followed, answers cut": partial(_followed_on_a_bad_day, kind="cut_body"),
    "moved by a person first": _moved_by_a_person,
    "an issue full of links (413)": _full_of_links,
    "create screen lacks a field": partial(
        _screen_lacks, screen="create", field="description", name="description", is_known=False
    ),
    "create screen lacked it before": partial(
        _screen_lacks, screen="create", field="description", name="description", is_known=True
    ),
    "create screen lacks labels": _screen_lacks_labels,
    "edit screen lacks a field": partial(
        _screen_lacks, screen="edit", field="description", name="description", is_known=True
    ),
    "moved to another project": _moved_to_another_project,
    "moved before it was known": _moved_before_it_was_known,
    "edited before its property was set": _edited_before_it_was_noted,
    "newer content, 503 before it was noted": partial(_newer_before_it_was_noted, kind="unavailable"),
    "newer content, reset before it was noted": partial(_newer_before_it_was_noted, kind="reset_before"),
    "others write our property": _property_of_others,
    "32 769 characters": _long_texts,
}
APPROVALS: Mapping[str, Callable[[Desk], str]] = {
    "asked": partial(_comes_home, steps=("ask",), state="assess", answers=("requested",)),
    "approved": partial(_comes_home, steps=("ask", "approve"), state="approved", answers=("approved", "requested")),
    "rejected": partial(_comes_home, steps=("ask", "decline"), state="new", answers=("rejected", "requested")),
    "withdrawn": partial(_comes_home, steps=("ask", "withdraw"), state="new", answers=()),
    "approved again": partial(
        _comes_home,
        steps=("ask", "decline", "ask", "approve"),
        state="approved",
        answers=("approved", "rejected", "requested"),
    ),
    "begun": partial(
        _comes_home, steps=("ask", "approve", "begin"), state="in_progress", answers=("approved", "requested")
    ),
}
