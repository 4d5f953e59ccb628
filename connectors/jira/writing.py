"""Making one write effective exactly once: look for its trace, send what is missing, read back and compare."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from connectors.answers import is_absent
from connectors.doubt import never_send_again, wait_until_settled
from connectors.jira import moving, tracing
from connectors.jira.finding import find_labelled, find_subtask
from connectors.jira.issues import ActionIssue, is_read_by_customers, notes_of, read_action
from connectors.jira.opened import Jira
from connectors.jira.project import Project
from connectors.jira.sending import FieldsRefused, LiveSender, Sender, WriteForbidden
from connectors.jira.shaping import Shaped, as_text, one_line, same, shaped
from connectors.jira.site import Site, ask, who_am_i
from improvement.errors import (
    ConnectionFailed,
    OutcomeUnknown,
    PermissionMissing,
    Place,
    RegelkreisError,
    WriteRefused,
)
from improvement.records import Outbound, Receipt, RecordRef, Verb

MODE = "jira"
MAX_TRIGGERS = 10
LINK_TYPE = "Relates"
T = TypeVar("T")
INDISPENSABLE = frozenset({"project", "issuetype", "summary", "labels", "parent"})
PLATFORM_WINS = frozenset({"owner", "due"})  # people enter these on the issue; we only fill them while empty


def write(jira: Jira, outbound: Outbound, ref: RecordRef | None) -> Receipt:
    """See :meth:`connectors.base.Connector.write`."""
    sender = LiveSender(jira.client, jira.config)
    try:
        return apply(jira, sender, outbound, ref)
    except OutcomeUnknown:
        raise
    except WriteForbidden as error:
        who_am_i(jira.reader, jira.config)  # taken for nobody, our credentials are at fault, and it waits
        raise WriteRefused(f"{error.what} ({outbound.key})", where=error.where, mend=error.mend) from None
    except ConnectionFailed as error:
        if sender.status == 0:
            raise
        raise OutcomeUnknown(  # something took effect already: the next attempt must find it
            f"{outbound.key} was not completed: {error.what}", where=error.where, mend=error.mend
        ) from None


def apply(jira: Jira, sender: Sender, outbound: Outbound, ref: RecordRef | None) -> Receipt:
    """One write through a sender (a live one, or one that only records)."""
    jira.site  # noqa: B018 - tells the library which Jira it speaks to
    if outbound.verb is Verb.CREATE:
        return _create(jira, sender, outbound)
    if ref is None:
        raise WriteRefused(
            f"{outbound.key} belongs to a record that does not exist yet.",
            where=Place(connection=jira.name),
            mend="Create the record first.",
        )
    table = {Verb.UPDATE: _update, Verb.NOTE: _note, Verb.ATTACH: _attach, Verb.TASK: _task, Verb.LINK: _link}
    try:
        return table[outbound.verb](jira, sender, outbound, ref)
    except ConnectionFailed as error:
        if not is_absent(error):
            raise
        raise WriteRefused(
            f"{ref.number or ref.id} is gone or hidden ({outbound.key}).",
            where=Place(connection=jira.name, record=ref.number),
            mend="Restore it, or let our user see it.",
        ) from None


# --- create ---------------------------------------------------------------------------------------------------


def _create(jira: Jira, sender: Sender, outbound: Outbound) -> Receipt:
    project = jira.project
    label = tracing.label_of(outbound.action_id)
    form = shaped(outbound, project, jira.site)
    found = find_labelled(jira, label)
    if found is None:
        _refuse_what_may_be_there(jira, outbound, label)
        _refuse_unknown_demands(jira)
        labels = {"labels": [label, "regelkreis"]} if "labels" in project.screen else {}
        _demand_labels(jira, labels)
        fields = {
            "project": {"id": project.id},
            "issuetype": {"id": project.task.id},
            **{name: value for name, value in form.fields.items() if value is not None},
            **labels,
        }
        created = _created(sender, fields, form, project)
        id, key = created["id"], created["key"]
    else:
        id, key = found.id, found.key
    url = f"{jira.site.address(jira.config)}/browse/{key}"
    ref = RecordRef(connection=jira.name, mode=MODE, id=id, number=key, url=url)
    if not sender.is_live:
        _leave_traces(jira, sender, outbound, ref, None, ours=frozenset())
        return _receipt(sender, ref, was_found=found is not None)
    issue = read_action(jira, id)
    ours = frozenset(form.fields) if found is None else _already(form, issue)
    try:
        _leave_traces(jira, sender, outbound, ref, issue, ours=ours)
    except RegelkreisError as error:
        form.unwritten["url"] = f"will follow with the next update: {error}"
    return _receipt(sender, ref, was_found=found is not None, form=form, issue=issue)


def _created(sender: Sender, fields: dict[str, Any], form: Shaped, project: Project) -> dict[str, Any]:
    """Create an issue as far as Jira takes its fields."""
    created = _as_far_as_taken(sender.create, fields, form, project)
    if created is None:
        raise WriteRefused(
            f"Project {project.key} took none of the fields of a new issue.",
            where=Place(field="improvement_project"),
            mend="Put Summary and Labels on the create screen of the project.",
        )
    return created


def _as_far_as_taken(
    send: Callable[[dict[str, Any]], T], fields: dict[str, Any], form: Shaped, project: Project
) -> T | None:
    """Send the fields; where Jira names some it does not take (an owner who may not be assigned), without those.

    A refused request had no effect, so the second one is not a repetition. None: no field was left to send.
    """
    try:
        return send(fields)
    except FieldsRefused as refused:
        reasons = refused.reasons
        if not set(reasons) <= set(fields) - INDISPENSABLE:
            raise
    names = {field_id: name for name, field_id in project.columns.items()}
    for field_id, why in reasons.items():
        form.unwritten[names.get(field_id, field_id)] = f"Jira refused it: {why}"
        form.fields.pop(field_id, None)
    left = {name: value for name, value in fields.items() if name not in reasons}
    return send(left) if left else None


def _refuse_what_may_be_there(jira: Jira, outbound: Outbound, label: str) -> None:
    """An issue that an earlier attempt may have made, and that neither the index nor the newest keys show."""
    if jira.site.is_cloud:
        wait_until_settled(outbound, jira.name)
        return
    jql = f'project = "{jira.project.key}" AND labels = "{label}"'
    never_send_again(outbound, jira.name, look_for=f"issues by the search `{jql}`")


def _refuse_unknown_demands(jira: Jira) -> None:
    demanded = jira.project.required()
    if demanded:
        names = ", ".join(f"“{one.name}” ({one.id})" for one in demanded)
        raise WriteRefused(
            f"Project {jira.project.key} demands fields that we do not know: {names}.",
            where=Place(connection=jira.name, field="improvement_project"),
            mend="Make them optional for this issue type, give them a default, or map one of our fields to them.",
        )


def _demand_labels(jira: Jira, labels: dict[str, Any]) -> None:
    """Without a label we could not find the issue again, and a second attempt would create it twice."""
    if not labels:
        raise WriteRefused(
            f"Labels are not on the create screen of project {jira.project.key}.",
            where=Place(connection=jira.name, field="improvement_project"),
            mend="Add the field Labels to the screen; it carries the id by which a record is found again.",
        )


def _leave_traces(
    jira: Jira,
    sender: Sender,
    outbound: Outbound,
    ref: RecordRef,
    issue: ActionIssue | None,
    *,
    ours: frozenset[str],
    placed: str | None = None,
) -> None:
    """Property and remote link, each only if it is not there already. ``ours``: fields whose present value we wrote."""
    before = issue.kept if issue is not None else {}
    written = dict(before.get("written", {}))
    if issue is not None:
        written |= {name: tracing.fingerprint(as_text(issue.fields.get(name))) for name in ours}
    document = {
        "id": outbound.action_id,
        "state": tracing.kept_entry(outbound.fields.get("state") or before.get("state")),
        "placed": placed or before.get("placed"),
        "verdict": tracing.kept_entry(outbound.fields.get("verdict") or before.get("verdict")),
        "url": tracing.kept_entry(outbound.fields.get("url") or before.get("url")),
        "written": written,
    }
    if document != before:
        sender.set_property(ref.id, tracing.PROPERTY, document)
    url = outbound.fields.get("url")
    if url is not None:
        link = _remote_link(jira, outbound, str(url))
        if issue is None or not issue.has_remote_link(link):
            sender.remote_link(ref.id, link)


def _remote_link(jira: Jira, outbound: Outbound, url: str) -> dict[str, Any]:
    """The whole link, every time: Jira nulls what an update leaves out."""
    return {
        "globalId": tracing.global_id(jira.name, outbound.action_id),
        "application": {"type": "regelkreis", "name": "Regelkreis"},
        "relationship": "is measured by",
        "object": {"url": url, "title": f"{outbound.action_id} in Regelkreis", "summary": "Plan, looks and verdict"},
    }


# --- update ---------------------------------------------------------------------------------------------------


def _update(jira: Jira, sender: Sender, outbound: Outbound, ref: RecordRef) -> Receipt:
    form = shaped(outbound, jira.project, jira.site)
    issue = read_action(jira, ref.id)
    names = {field_id: name for name, field_id in jira.project.columns.items() if name != "hypothesis"}
    changed: dict[str, Any] = {}
    theirs: set[str] = set()
    for field_id, value in form.fields.items():
        current = issue.fields.get(field_id)
        if same(value, current):
            continue
        name = names.get(field_id, field_id)
        if _is_theirs(issue, field_id, current, is_always_theirs=outbound.is_adopted or name in PLATFORM_WINS):
            theirs.add(field_id)
            form.unwritten[name] = "changed on Jira by a person; theirs counts"
        elif value is not None or current is not None:
            changed[field_id] = value
    if changed:
        _only_editable(jira, ref, changed, names, form)
    if changed and outbound.is_adopted:
        _say_before(sender, outbound, ref, issue, changed)
    if changed:
        _as_far_as_taken(lambda fields: sender.edit(ref.id, fields), changed, form, jira.project)
    placed = moving.follow_state(jira, sender, outbound, issue, form)
    if sender.is_live and changed:
        issue = read_action(jira, ref.id)
    ours = frozenset(changed) & frozenset(form.fields)
    if outbound.is_adopted:  # there an equal value may be a person's all the same
        ours |= {name for name in form.fields if _was_intended(issue, name, issue.fields.get(name))}
    else:
        ours |= _already(form, issue)
    _leave_traces(jira, sender, outbound, ref, issue, ours=ours, placed=placed)
    for field_id in theirs:
        form.fields.pop(field_id)
    return _receipt(sender, ref, was_found=sender.status == 0, form=form, issue=issue)


def _say_before(
    sender: Sender, outbound: Outbound, ref: RecordRef, issue: ActionIssue, changed: dict[str, Any]
) -> None:
    """Note on an adopted issue what is about to be written: killed after that, we still know it for ours."""
    about = {name: tracing.fingerprint(as_text(value)) for name, value in changed.items()}
    sender.set_property(ref.id, tracing.PROPERTY, {**issue.kept, "id": outbound.action_id, "about": about})


def _was_intended(issue: ActionIssue, field_id: str, current: Any) -> bool:
    """Whether the present value is what an earlier attempt was about to write, and did not get to note."""
    about = issue.kept.get("about", {}).get(field_id)
    return about is not None and about == tracing.fingerprint(as_text(current))


def _only_editable(jira: Jira, ref: RecordRef, changed: dict[str, Any], names: dict[str, str], form: Shaped) -> None:
    """Leave out what the edit screen does not hold (it may differ from the create screen): one field would stop all."""
    screen: dict[str, Any] = ask(jira.reader, f"/issue/{ref.id}/editmeta", dict[str, Any], what="edit screen")
    editable = screen.get("fields") or {}
    for field_id in sorted(set(changed) - set(editable)):
        del changed[field_id]
        form.fields.pop(field_id, None)
        form.unwritten[names.get(field_id, field_id)] = f"{field_id} is not on the edit screen of this issue"


def _already(form: Shaped, issue: ActionIssue) -> frozenset[str]:
    """The fields that hold what we want already."""
    return frozenset(name for name, value in form.fields.items() if same(value, issue.fields.get(name)))


def _is_theirs(issue: ActionIssue, field_id: str, current: Any, *, is_always_theirs: bool) -> bool:
    """Whether a person entered the present value: it is not what we wrote last.

    ``is_always_theirs``: also where we never wrote, because people enter this field, or made the whole issue.
    """
    last = issue.kept.get("written", {}).get(field_id)
    if _was_intended(issue, field_id, current):
        return False
    if last is None:
        return is_always_theirs and current is not None
    return bool(last != tracing.fingerprint(as_text(current)))


# --- notes, files, tasks, links -------------------------------------------------------------------------------


def _note(jira: Jira, sender: Sender, outbound: Outbound, ref: RecordRef) -> Receipt:
    mark = tracing.mark_of(outbound.key)
    comments, project = notes_of(jira, ref.id)
    if any(mark in comment.body for comment in comments):
        return _receipt(sender, ref, was_found=True)
    wait_until_settled(outbound, jira.name)
    body = tracing.marked(outbound.text or "", outbound.key)
    sender.comment(ref.id, body, is_internal=is_read_by_customers(jira, project))
    return _receipt(sender, ref, was_found=False)


def _attach(jira: Jira, sender: Sender, outbound: Outbound, ref: RecordRef) -> Receipt:
    file = outbound.file
    if file is None:
        raise WriteRefused(f"{outbound.key} has no file.", mend="This is a defect of Regelkreis; please report it.")
    issue = read_action(jira, ref.id)
    if any(known.filename == file.name and known.size == len(file.content) for known in issue.attachments):
        return _receipt(sender, ref, was_found=True)
    wait_until_settled(outbound, jira.name)
    sender.attach(ref.id, file)
    receipt = _receipt(sender, ref, was_found=False)
    if not sender.is_live:
        return receipt
    attached = next((known for known in read_action(jira, ref.id).attachments if known.filename == file.name), None)
    if attached is not None and attached.size == len(file.content):
        return receipt
    return _receipt(
        sender, ref, was_found=False, differences={file.name: f"sent {len(file.content)} bytes, found {attached}"}
    )


def _task(jira: Jira, sender: Sender, outbound: Outbound, ref: RecordRef) -> Receipt:
    project = jira.project
    if project.subtask is None:
        reason = f"project {project.key} has no sub-tasks"
        return _receipt(sender, ref, was_found=False, unwritten={"title": reason})
    label, issue = tracing.task_label(outbound.key), read_action(jira, ref.id)
    if issue.project.id and issue.project.id != project.id:  # Jira keeps a sub-task in the project of its parent
        reason = f"{issue.key} is of project {issue.project.key}; steps are made below issues of {project.key} only"
        return _receipt(sender, ref, was_found=False, unwritten={"title": reason})
    if find_subtask(jira, issue, label) is not None:
        return _receipt(sender, ref, was_found=True)
    wait_until_settled(outbound, jira.name)
    form = Shaped()
    created = _created(sender, task_fields(project, jira.site, outbound, ref.id), form, project)
    written = {"key": created["key"]}
    return _receipt(sender, ref, was_found=False, unwritten=form.unwritten, written=written)


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
        "labels": [tracing.task_label(outbound.key)],
        "summary": one_line(str(outbound.fields.get("title") or outbound.text or outbound.key)),
        **{name: value for name, value in form.fields.items() if name in ("assignee", "duedate") and value is not None},
    }


def _link(jira: Jira, sender: Sender, outbound: Outbound, ref: RecordRef) -> Receipt:
    issue = read_action(jira, ref.id)
    missing = [id for id in outbound.trigger_ids[:MAX_TRIGGERS] if id not in issue.linked_ids and id != ref.id]
    left = {f"trigger {id}": f"only {MAX_TRIGGERS} are linked" for id in outbound.trigger_ids[MAX_TRIGGERS:]}
    link_type = link_type_of(jira) if missing else LINK_TYPE
    if link_type is None:
        return _receipt(sender, ref, was_found=False, unwritten={"triggers": "this Jira has no links between issues"})
    for id in missing:
        try:
            sender.link(link_document(id, ref.id, link_type))
        except (WriteRefused, PermissionMissing) as error:
            left[f"trigger {id}"] = error.what  # deleted or hidden meanwhile: the others are linked all the same
    return _receipt(sender, ref, was_found=not missing, unwritten=left)


def link_type_of(jira: Jira) -> str | None:
    """The name of the link type to use: *Relates*, else the first this Jira has; None where linking is off (404)."""
    try:
        answer: dict[str, Any] = ask(jira.reader, "/issueLinkType", dict[str, Any], what="link types")
    except ConnectionFailed as error:
        if is_absent(error):
            return None
        raise
    names = [str(kind["name"]) for kind in answer.get("issueLinkTypes") or ()]
    return LINK_TYPE if LINK_TYPE in names else names[0] if names else None


def link_document(trigger_id: str, action_id: str, link_type: str) -> dict[str, Any]:
    """The issue link between a triggering ticket and an improvement issue."""
    return {"type": {"name": link_type}, "inwardIssue": {"id": trigger_id}, "outwardIssue": {"id": action_id}}


def _receipt(
    sender: Sender,
    ref: RecordRef,
    *,
    was_found: bool,
    form: Shaped | None = None,
    issue: ActionIssue | None = None,
    differences: dict[str, str] | None = None,
    unwritten: dict[str, str] | None = None,
    written: dict[str, str] | None = None,
) -> Receipt:
    """What was sent and what a read-back shows."""
    written = dict(written or {})
    differ = dict(differences or {})
    if form is not None and issue is not None:
        for name, value in form.fields.items():
            found = issue.fields.get(name)
            written[name] = as_text(found)
            if value is not None and not same(value, found):
                differ[name] = f"sent {as_text(value)!r}, found {as_text(found)!r}"
    return Receipt(
        ref=ref,
        status=sender.status,
        was_found=was_found,
        request_sha256=sender.sha256,
        written=written,
        differences=differ,
        unwritten=(form.unwritten if form is not None else {}) | (unwritten or {}),
    )
