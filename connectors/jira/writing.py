"""Making one write effective exactly once: look for its trace, send what is missing, read back and compare.

Here: an issue and its fields. What hangs on it is in :mod:`~connectors.jira.hanging`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import msgspec

from connectors.answers import Declined, is_absent
from connectors.doubt import never_send_again, wait_until_settled
from connectors.jira import hanging, moving, tracing
from connectors.jira.changelogs import whole_histories
from connectors.jira.finding import find_labelled, labelled_in
from connectors.jira.history import oldest_first
from connectors.jira.issues import ActionIssue, is_there_after_all, read_action, read_made
from connectors.jira.opened import Jira
from connectors.jira.receipts import HIDDEN, as_far_as_taken, created_as_taken, receipt
from connectors.jira.sending import LiveSender, Sender, WriteForbidden
from connectors.jira.shaping import Shaped, as_text, same, shaped
from connectors.jira.site import ask, who_am_i
from connectors.jira.wire import HistoryEntry, HistoryItem
from improvement.errors import (
    ConnectionFailed,
    OutcomeUnknown,
    Place,
    RegelkreisError,
    WriteRefused,
)
from improvement.records import Outbound, Receipt, RecordRef, Verb

MODE = "jira"
PLATFORM_WINS = frozenset({"owner", "due"})  # people enter these on the issue; we only fill them while empty


def write(jira: Jira, outbound: Outbound, ref: RecordRef | None) -> Receipt:
    """See :meth:`connectors.base.Connector.write`."""
    sender = LiveSender(jira.client, jira.config)
    try:
        return apply(jira, sender, outbound, ref)
    except OutcomeUnknown:
        raise
    except ConnectionFailed as error:
        if sender.status == 0:
            raise
        raise OutcomeUnknown(  # something took effect already: the next attempt must find it
            f"{outbound.key} was not completed: {error.what}", where=error.where, mend=error.mend
        ) from None


def apply(jira: Jira, sender: Sender, outbound: Outbound, ref: RecordRef | None) -> Receipt:
    """One write through a sender (a live one, or one that only records)."""
    jira.site  # noqa: B018 - tells the library which Jira it speaks to
    try:
        return _applied(jira, sender, outbound, ref)
    except (WriteRefused, WriteForbidden, Declined) as error:
        refused = _refused(jira, error, outbound, ref)
        if refused is None:
            raise
        if ref is not None and isinstance(error, Declined):
            if is_there_after_all(jira, ref.id):
                raise
        else:
            who_am_i(jira.reader, jira.config)  # to an expired token everything is forbidden: then it waits
        raise refused from None


def _refused(jira: Jira, error: RegelkreisError, outbound: Outbound, ref: RecordRef | None) -> WriteRefused | None:
    """What an error says for good; None: it may pass."""
    if isinstance(error, WriteRefused):
        return error
    if isinstance(error, WriteForbidden):
        return WriteRefused(f"{error.what} ({outbound.key})", where=error.where, mend=error.mend)
    if ref is None or not isinstance(error, Declined) or not is_absent(error):
        return None
    return WriteRefused(
        f"{ref.number or ref.id} is gone or hidden ({outbound.key}).",
        where=Place(connection=jira.name, record=ref.number),
        mend="Restore it, or let our user see it.",
    )


def _applied(jira: Jira, sender: Sender, outbound: Outbound, ref: RecordRef | None) -> Receipt:
    if outbound.verb is Verb.CREATE:
        return _create(jira, sender, outbound)
    if ref is None:
        raise WriteRefused(
            f"{outbound.key} belongs to a record that does not exist yet.",
            where=Place(connection=jira.name),
            mend="Create the record first.",
        )
    table = {
        Verb.UPDATE: _update,
        Verb.NOTE: hanging.note,
        Verb.ATTACH: hanging.attach,
        Verb.TASK: hanging.task,
        Verb.LINK: hanging.link,
    }
    return table[outbound.verb](jira, sender, outbound, ref)


# --- create ---------------------------------------------------------------------------------------------------


def _create(jira: Jira, sender: Sender, outbound: Outbound) -> Receipt:
    project = jira.project
    traces = tracing.labels_of(outbound)
    form = shaped(outbound, project, jira.site)
    found = find_labelled(jira, traces)
    if found is None:
        who_am_i(jira.reader, jira.config)  # to an expired token a search shows nothing
        _refuse_what_may_be_there(jira, outbound, traces)
        _refuse_unknown_demands(jira)
        labels = {"labels": [traces[0], "regelkreis"]} if "labels" in project.screen else {}
        _demand_labels(jira, labels)
        fields = {
            "project": {"id": project.id},
            "issuetype": {"id": project.task.id},
            **{name: value for name, value in form.fields.items() if value is not None},
            **labels,
        }
        created = created_as_taken(sender, fields, form, project)
        id, key = created["id"], created["key"]
    else:
        id, key = found.id, found.key
    url = f"{jira.site.address(jira.config)}/browse/{key}"
    ref = RecordRef(connection=jira.name, mode=MODE, id=id, number=key, url=url)
    if found is None and not sender.is_live:
        _leave_traces(jira, sender, outbound, ref, _as_sent(ref, fields), ours=frozenset(form.fields))
        return receipt(sender, ref, was_found=False)
    issue = read_action(jira, id) if found is not None else read_made(jira, id)
    if issue is None:
        form.unwritten["url"] = "will follow with the next update"
        return receipt(sender, ref, was_found=False, unwritten=form.unwritten, differences={"record": HIDDEN})
    ours = frozenset(form.fields) if found is None else _already(form, issue)
    form.unwritten |= _unlinked(outbound, issue)
    try:
        _leave_traces(jira, sender, outbound, ref, issue, ours=ours)
    except RegelkreisError as error:
        form.unwritten["url"] = f"will follow with the next update: {error}"
    return receipt(sender, ref, was_found=found is not None, form=form, issue=issue)


def _as_sent(ref: RecordRef, fields: dict[str, Any]) -> ActionIssue:
    """A new issue as it would be read back, for a dry run."""
    return ActionIssue(id=ref.id, key=ref.number, fields=fields, kept={}, remote_links=[])


def _refuse_what_may_be_there(jira: Jira, outbound: Outbound, traces: tuple[str, ...]) -> None:
    """An issue that an earlier attempt may have made, and that neither the index nor the newest keys show."""
    if jira.site.is_cloud:
        wait_until_settled(outbound, jira.name)
        return
    jql = labelled_in(jira.project.key, traces)
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
    issue: ActionIssue,
    *,
    ours: frozenset[str],
    placed: str | None = None,
) -> None:
    """Property and remote link, each only if it is not there already. ``ours``: fields whose present value we wrote."""
    before = issue.kept
    written = dict(before.get("written", {}))
    written |= {name: tracing.fingerprint(as_text(issue.fields.get(name))) for name in ours}
    document = {
        **tracing.whose(outbound),
        "state": tracing.kept_entry(outbound.fields.get("state") or before.get("state")),
        "placed": placed or before.get("placed"),
        "verdict": tracing.kept_entry(outbound.fields.get("verdict") or before.get("verdict")),
        "url": tracing.kept_entry(outbound.fields.get("url") or before.get("url")),
        "written": written,
    }
    if document != before:
        sender.set_property(ref.id, tracing.PROPERTY, document)
    url = outbound.fields.get("url")
    if url is not None and issue.remote_links is not None:
        link = _remote_link(jira, outbound, str(url), issue.remote_links)
        if not issue.has_remote_link(link):
            sender.remote_link(ref.id, link)


def _unlinked(outbound: Outbound, issue: ActionIssue) -> dict[str, str]:
    """That our page is not linked, where issue linking is off."""
    is_off = outbound.fields.get("url") is not None and issue.remote_links is None
    return {"url": hanging.NO_LINKS} if is_off else {}


def _remote_link(jira: Jira, outbound: Outbound, url: str, there: list[dict[str, Any]]) -> dict[str, Any]:
    """The whole link, every time: Jira nulls what an update leaves out. One of an earlier version keeps its id."""
    ids = [tracing.global_id(name, jira.name, outbound.action_id) for name in ("", outbound.installation)]
    is_of_before = any(known.get("globalId") == ids[0] for known in there)
    return {
        "globalId": ids[0] if is_of_before else ids[1],
        "application": {"type": "regelkreis", "name": "Regelkreis"},
        "relationship": "is measured by",
        "object": {"url": url, "title": f"{outbound.action_id} in Regelkreis", "summary": "Plan, looks and verdict"},
    }


# --- update ---------------------------------------------------------------------------------------------------


def _update(jira: Jira, sender: Sender, outbound: Outbound, ref: RecordRef) -> Receipt:
    form = shaped(outbound, jira.project, jira.site)
    issue = read_action(jira, ref.id)
    names = jira.project.names
    changed: dict[str, Any] = {}
    theirs: set[str] = set()
    edited = cache(partial(_edited_by_others, jira, issue.id))
    for field_id, value in form.fields.items():
        current = issue.fields.get(field_id)
        if same(value, current):
            continue
        name = names.get(field_id, field_id)
        # of a new issue whose property could not be set what stands there may as well be ours: its history tells
        is_always_theirs = outbound.is_adopted or (name in PLATFORM_WINS and "written" in issue.kept)
        if _is_theirs(issue, field_id, current, edited, is_always_theirs=is_always_theirs):
            theirs.add(field_id)
            form.unwritten[name] = "changed on Jira by a person; theirs counts"
        elif value is not None or current is not None:
            changed[field_id] = value
    if changed:
        _only_editable(jira, ref, changed, names, form)
    if changed and outbound.is_adopted:
        _say_before(sender, outbound, ref, issue, changed)
    if changed:
        as_far_as_taken(lambda fields: sender.edit(ref.id, fields), changed, form, jira.project)
    placed = moving.follow_state(jira, sender, outbound, issue, form, edited)
    if changed:
        issue = read_action(jira, ref.id) if sender.is_live else _as_changed(issue, outbound, changed)
    ours = frozenset(changed) & frozenset(form.fields)
    if outbound.is_adopted:  # there an equal value may be a person's all the same
        ours |= {name for name in form.fields if _was_intended(issue, name, issue.fields.get(name))}
    else:
        ours |= _already(form, issue)
    _leave_traces(jira, sender, outbound, ref, issue, ours=ours, placed=placed)
    for field_id in theirs:
        form.fields.pop(field_id)
    form.unwritten |= _unlinked(outbound, issue)
    return receipt(sender, ref, was_found=sender.status == 0, form=form, issue=issue)


def _as_changed(issue: ActionIssue, outbound: Outbound, changed: dict[str, Any]) -> ActionIssue:
    """An issue as it would be read back, for a dry run."""
    kept = _about(outbound, issue, changed) if outbound.is_adopted else issue.kept
    return msgspec.structs.replace(issue, fields={**issue.fields, **changed}, kept=kept)


def _say_before(
    sender: Sender, outbound: Outbound, ref: RecordRef, issue: ActionIssue, changed: dict[str, Any]
) -> None:
    """Note on an adopted issue what is about to be written: killed after that, we still know it for ours."""
    sender.set_property(ref.id, tracing.PROPERTY, _about(outbound, issue, changed))


def _about(outbound: Outbound, issue: ActionIssue, changed: dict[str, Any]) -> dict[str, Any]:
    about = {name: tracing.fingerprint(as_text(value)) for name, value in changed.items()}
    return {**issue.kept, **tracing.whose(outbound), "about": about}


def _was_intended(issue: ActionIssue, field_id: str, current: Any) -> bool:
    """Whether the present value is what an earlier attempt was about to write, and did not get to note."""
    about = issue.kept.get("about", {}).get(field_id)
    return about is not None and about == tracing.fingerprint(as_text(current))


class _EditScreen(msgspec.Struct, frozen=True):
    fields: dict[str, Any]


def _only_editable(jira: Jira, ref: RecordRef, changed: dict[str, Any], names: dict[str, str], form: Shaped) -> None:
    """Leave out what the edit screen does not hold (it may differ from the create screen): one field would stop all."""
    screen: _EditScreen = ask(jira.reader, f"/issue/{ref.id}/editmeta", _EditScreen, what="edit screen")
    for field_id in sorted(set(changed) - set(screen.fields)):
        del changed[field_id]
        form.fields.pop(field_id, None)
        form.unwritten[names.get(field_id, field_id)] = f"{field_id} is not on the edit screen of this issue"


def _already(form: Shaped, issue: ActionIssue) -> frozenset[str]:
    """The fields that hold what we want already."""
    return frozenset(name for name, value in form.fields.items() if same(value, issue.fields.get(name)))


def _is_theirs(
    issue: ActionIssue, field_id: str, current: Any, edited: Callable[[], frozenset[str]], *, is_always_theirs: bool
) -> bool:
    """Whether a person entered the present value: it is not what we noted that we wrote last, and the issue's history
    (``edited``) says so too, as we may not have got to note it.

    ``is_always_theirs``: where we noted nothing, because people enter this field, or made the whole issue.
    """
    last = issue.kept.get("written", {}).get(field_id)
    if _was_intended(issue, field_id, current):
        return False
    if last is None and (is_always_theirs or current is None):
        return current is not None
    return last != tracing.fingerprint(as_text(current)) and field_id in edited()


def _edited_by_others(jira: Jira, issue_id: str) -> frozenset[str]:
    """The fields that somebody else changed last. A history without their ids has the names they had: one may be
    shared, and one that no field has any more may be that of any custom one.
    """
    last: dict[str, tuple[str | None, HistoryItem]] = {}
    (history,) = whole_histories(jira.reader, jira.caller, jira.site, [issue_id], HistoryEntry).values()
    for entry in oldest_first(history):
        author = entry.author.account if entry.author is not None else None
        last |= {item.field_id or item.field: (author, item) for item in entry.items}
    others = {name: item for name, (author, item) in last.items() if author != jira.site.me.account}
    infos = jira.site.fields.infos
    names = {info.name for info in infos}
    is_any = any(one.fieldtype == "custom" and not one.field_id and one.field not in names for one in others.values())
    found = {info.id for info in infos if info.name in others or (is_any and info.id.startswith("customfield_"))}
    return frozenset(others.keys() | found)
