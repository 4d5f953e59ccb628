"""What hangs on an improvement issue: notes, files, steps as sub-tasks, links to the tickets that triggered it.

Each is looked for by its trace, sent once where it is missing, read back and compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from connectors.doubt import wait_until_settled
from connectors.jira import tracing
from connectors.jira.finding import find_subtask
from connectors.jira.issues import is_read_by_customers, notes_of, read_action, read_made
from connectors.jira.opened import Jira
from connectors.jira.project import Project
from connectors.jira.receipts import HIDDEN, created_as_taken, difference, receipt
from connectors.jira.sending import Sender
from connectors.jira.shaping import MAX_TEXT, Shaped, as_text, cut, one_line, same, shaped
from connectors.jira.site import Site, ask_if_there, who_am_i
from connectors.jira.wire import Named
from improvement.errors import PermissionMissing, Place, RegelkreisError, WriteRefused
from improvement.records import Outbound, Receipt, RecordRef

MAX_TRIGGERS = 10
LINK_TYPE = "Relates"
NO_LINKS = "this Jira has no links between issues"
STEP_FIELDS = ("summary", "assignee", "duedate")


def note(jira: Jira, sender: Sender, outbound: Outbound, ref: RecordRef) -> Receipt:
    """A comment, internal where customers read them."""
    marks = tracing.marks_of(outbound)
    comments, project = notes_of(jira, ref.id)
    if any(mark in comment.body for comment in comments for mark in marks):
        return receipt(sender, ref, was_found=True)
    wait_until_settled(outbound, jira.name)
    text, body = outbound.text or "", noted(outbound)
    left = {} if cut(text, MAX_TEXT) == text else {"text": f"Jira holds no more than its first {MAX_TEXT} characters"}
    sender.comment(ref.id, body, is_internal=is_read_by_customers(jira, project))
    if not sender.is_live:
        return receipt(sender, ref, was_found=False, unwritten=left)
    found = next((comment.body for comment in notes_of(jira, ref.id)[0] if marks[0] in comment.body), None)
    told = {"comment": tracing.unmarked(body)}  # Cloud keeps a document, and writes the colour of a mark in its own way
    return _compared(sender, ref, told, {"comment": found and tracing.unmarked(found)}, unwritten=left)


def noted(outbound: Outbound) -> str:
    """A note as a comment, with its mark, as much of it as Jira holds."""
    return tracing.marked(cut(outbound.text or "", MAX_TEXT), tracing.marks_of(outbound)[0])


def attach(jira: Jira, sender: Sender, outbound: Outbound, ref: RecordRef) -> Receipt:
    """A file, known again by its name and size."""
    file = outbound.file
    if file is None:
        raise WriteRefused(f"{outbound.key} has no file.", mend="This is a defect of Regelkreis; please report it.")
    issue = read_action(jira, ref.id)
    if any(known.filename == file.name and known.size == len(file.content) for known in issue.attachments):
        return receipt(sender, ref, was_found=True)
    wait_until_settled(outbound, jira.name)
    sender.attach(ref.id, file)
    if not sender.is_live:
        return receipt(sender, ref, was_found=False)
    sizes = [known.size for known in read_action(jira, ref.id).attachments if known.filename == file.name]
    found = len(file.content) if len(file.content) in sizes else next(iter(sizes), None)  # one name may stand twice
    return _compared(sender, ref, {file.name: f"{len(file.content)} bytes"}, {file.name: found and f"{found} bytes"})


def task(jira: Jira, sender: Sender, outbound: Outbound, ref: RecordRef) -> Receipt:
    """A step of the plan as a sub-task."""
    project = jira.project
    if project.subtask is None:
        reason = f"project {project.key} has no sub-tasks"
        return receipt(sender, ref, was_found=False, unwritten={"title": reason})
    issue = read_action(jira, ref.id)
    fields = task_fields(project, jira.site, outbound, ref.id)
    found = find_subtask(jira, issue, tracing.task_labels(outbound))
    if found is not None:
        return _step(jira, sender, ref, found.id, fields, was_found=True)
    if issue.project.id and issue.project.id != project.id:  # Jira keeps a sub-task in the project of its parent
        reason = f"{issue.key} is of project {issue.project.key}; steps are made below issues of {project.key} only"
        return receipt(sender, ref, was_found=False, unwritten={"title": reason})
    wait_until_settled(outbound, jira.name)
    form = Shaped()
    created = created_as_taken(sender, fields, form, project)
    if not sender.is_live:
        return receipt(sender, ref, was_found=False, unwritten=form.unwritten)
    taken = {name: value for name, value in fields.items() if name not in form.unwritten}
    return _step(jira, sender, ref, created["id"], taken, was_found=False, unwritten=form.unwritten)


def _step(
    jira: Jira,
    sender: Sender,
    ref: RecordRef,
    id: str,
    fields: Mapping[str, Any],
    *,
    was_found: bool,
    unwritten: Mapping[str, str] = MappingProxyType({}),
) -> Receipt:
    made = read_action(jira, id) if was_found else read_made(jira, id)
    if made is None:
        return receipt(sender, ref, was_found=False, unwritten=dict(unwritten), differences={"step": HIDDEN})
    told = {name: fields[name] for name in STEP_FIELDS if name in fields}
    done = _compared(sender, ref, told, made.fields, was_found=was_found, unwritten=unwritten)
    return msgspec.structs.replace(done, written={"key": made.key, **done.written})


def task_fields(project: Project, site: Site, outbound: Outbound, parent_id: str) -> dict[str, Any]:
    """The sub-task of one TASK write: title, assignee, due date, and the label it is found by."""
    if project.subtask is None:
        raise WriteRefused(
            f"Project {project.key} has no sub-tasks.",
            where=Place(field="improvement_project"),
            mend="Add a sub-task type to its issue type scheme.",
        )
    form = shaped(outbound, project, site)
    return {
        "project": {"id": project.id},
        "issuetype": {"id": project.subtask.id},
        "parent": {"id": parent_id},
        "labels": [tracing.task_labels(outbound)[0]],
        "summary": one_line(str(outbound.fields.get("title") or outbound.text or outbound.key)),
        **{name: value for name, value in form.fields.items() if name in STEP_FIELDS[1:] and value is not None},
    }


def link(jira: Jira, sender: Sender, outbound: Outbound, ref: RecordRef) -> Receipt:
    """Links to the tickets that triggered the action, the first ten of them.

    Raises :class:`WriteRefused` where the record has a link to none of them, and every one was refused.
    """
    issue = read_action(jira, ref.id)
    missing = [id for id in outbound.trigger_ids[:MAX_TRIGGERS] if id not in issue.linked_ids and id != ref.id]
    left = {f"trigger {id}": f"only {MAX_TRIGGERS} are linked" for id in outbound.trigger_ids[MAX_TRIGGERS:]}
    link_type = link_type_of(jira) if missing else LINK_TYPE
    if link_type is None:
        return receipt(sender, ref, was_found=False, unwritten={"triggers": NO_LINKS})
    sent: list[str] = []
    refused: list[RegelkreisError] = []
    for id in missing:
        try:
            sender.link(link_document(id, ref.id, link_type))
        except (WriteRefused, PermissionMissing) as error:
            who_am_i(jira.reader, jira.config)  # to an expired token every ticket is hidden
            refused.append(error)
            left[f"trigger {id}"] = error.what  # deleted or hidden meanwhile: the others are linked all the same
        else:
            sent.append(id)
    if refused and not sent and issue.linked_ids.isdisjoint(outbound.trigger_ids):
        raise WriteRefused(
            f"No link was made: {len(refused)} refused. {refused[0].what} ({outbound.key})",
            where=Place(connection=jira.name, record=ref.number),
            mend="Let our user link these tickets, or see them where they are hidden from it.",
        )
    if not sent or not sender.is_live:
        return receipt(sender, ref, was_found=not missing, unwritten=left)
    there = read_action(jira, ref.id).linked_ids
    told = dict.fromkeys((f"trigger {id}" for id in sent), "linked")
    found = {f"trigger {id}": "linked" for id in sent if id in there}
    return _compared(sender, ref, told, found, unwritten=left)


class _LinkTypes(msgspec.Struct, frozen=True, rename="camel"):
    issue_link_types: list[Named]


def link_type_of(jira: Jira) -> str | None:
    """The name of the link type to use: *Relates*, else the first this Jira has; None where linking is off (404)."""
    answer = ask_if_there(jira.reader, jira.caller, "/issueLinkType", _LinkTypes, what="link types")
    if answer is None:
        return None
    names = [kind.name for kind in answer.issue_link_types if kind.name]
    return LINK_TYPE if LINK_TYPE in names else names[0] if names else None


def link_document(trigger_id: str, action_id: str, link_type: str) -> dict[str, Any]:
    """The issue link between a triggering ticket and an improvement issue."""
    return {"type": {"name": link_type}, "inwardIssue": {"id": trigger_id}, "outwardIssue": {"id": action_id}}


def _compared(
    sender: Sender,
    ref: RecordRef,
    sent: Mapping[str, Any],
    found: Mapping[str, Any],
    *,
    was_found: bool = False,
    unwritten: Mapping[str, str] = MappingProxyType({}),
) -> Receipt:
    """The receipt of what was sent, with what stands there now under the same names."""
    there = {name: found.get(name) for name in sent}
    return receipt(
        sender,
        ref,
        was_found=was_found,
        unwritten=dict(unwritten),
        written={name: as_text(value) for name, value in there.items() if value is not None},
        differences={
            name: difference(sent[name], value) for name, value in there.items() if not same(sent[name], value)
        },
    )
