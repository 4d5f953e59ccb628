"""What people change on the platform's record that it carries for us: owner, due date, tasks, comments, closure code.

Compared with what was read there last time, not with what we hold: a value that stands there since before is no
change, so what was changed here meanwhile is not undone before it is delivered; and what was emptied there is emptied
here. Each change has its entry, by whomever the platform names as its author.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from improvement.evidence.entries import EntryType
from improvement.records import PlatformComment, PlatformState, PlatformTask, Verb
from improvement.vocabulary import GOOD_VERDICTS
from workflows.access import Accounts, account_of
from workflows.actions import loop
from workflows.actions.rights import why_not_owner
from workflows.evidence import ledger
from workflows.models import Action, ActionComment, ActionTask, DeliveryState, Person


@dataclass(frozen=True, slots=True)
class Gap:
    """A change on the platform that a guard forbids, and what is missing, in words. ``is_answered``: by a note."""

    cause: str
    missing: str
    is_answered: bool = True


def take_owner(action: Action, found: PlatformState, accounts: Accounts, as_of: datetime) -> list[Gap]:
    """The owner named on the record, if they may own the action here; nobody, if the name was taken away there.

    An account that is nobody we know is asked about again until it is somebody.
    """
    account = found.owner or ""
    owner = accounts.person(account)
    if not _is_news(action, "owner", account) or (account and owner is None):
        return []
    is_ours = account == (account_of(action.owner, action.connection) or "")
    if not is_ours and owner != action.owner:
        reason = why_not_owner(owner, action) if owner is not None else ""
        if reason:
            return [Gap(f"owner-{account}", reason)]
        if not accounts.is_ours(found.owner_changed_by):
            action.owner = owner
            payload = {"owner": owner.uid if owner is not None else ""}
            _log(action, "action.owner", payload, accounts.person(found.owner_changed_by), as_of)
    _remember(action, "owner", account)
    return []


def take_due(action: Action, found: PlatformState, accounts: Accounts, as_of: datetime) -> None:
    """The due date, or none, if it was emptied there."""
    due = found.due.isoformat() if found.due is not None else ""
    if not _is_news(action, "due", due):
        return
    if found.due != action.due and not accounts.is_ours(found.due_changed_by):
        action.due = found.due
        _log(action, "action.due", {"due": due}, accounts.person(found.due_changed_by), as_of)
    _remember(action, "due", due)


def take_code(action: Action, found: PlatformState, accounts: Accounts, as_of: datetime) -> list[Gap]:
    """How it was closed there. A person's claim of success without a verdict that bears it is a gap."""
    code = found.close_code or ""
    if _is_news(action, "close_code", code) and accounts.is_ours(found.close_code_changed_by):
        _remember(action, "close_code", code)  # we wrote it ourselves
    elif _is_news(action, "close_code", code):
        payload = {"close_code": code, "is_success": found.is_closed_as_success}
        author = accounts.person(found.close_code_changed_by or found.state_changed_by)
        _log(action, "action.close_code", payload, author, as_of)
        _remember(action, "close_code", code)
    is_borne = action.verdict in GOOD_VERDICTS or action.is_overridden
    is_claimed = found.state == "closed" and found.is_closed_as_success
    if not is_claimed or is_borne or accounts.is_ours(found.state_changed_by):
        return []
    verdict = action.verdict or "missing"
    return [Gap(f"success-{code}", f"a verdict that bears the closure “{code}”: the verdict is {verdict}")]


def take_tasks(action: Action, found: PlatformState, as_of: datetime) -> None:
    """Tasks that are new, changed or done; one that is not there any more is gone here too."""
    known = {task.platform_id: task for task in action.tasks.all() if task.platform_id}
    for theirs in found.tasks:
        task = known.pop(theirs.id, None)
        is_new = task is None
        task = task or ActionTask(action=action, platform_id=theirs.id)
        changes = {name: value for name, value in _shown(theirs).items() if is_new or getattr(task, name) != value}
        if changes:
            for name, value in changes.items():
                setattr(task, name, value)
            task.save()
            _log(action, "action.task_changed", _told(task, "new" if is_new else _change(changes)), None, as_of)
    for task in known.values():
        _log(action, "action.task_changed", _told(task, "gone"), None, as_of)
        task.delete()


def take_comments(action: Action, found: PlatformState, accounts: Accounts, as_of: datetime) -> None:
    """Comments that people wrote since."""
    known = {comment.platform_id for comment in action.comments.all()} if found.comments else set()
    for comment in found.comments:
        if comment.id not in known and not accounts.is_ours(comment.author):
            _keep(action, comment, accounts.person(comment.author), as_of)


def _keep(action: Action, comment: PlatformComment, author: Person | None, as_of: datetime) -> None:
    ActionComment.objects.create(
        action=action, platform_id=comment.id, author=comment.author, at=comment.at, text=comment.text
    )
    payload = {"comment": comment.id, "text_sha256": ledger.sealed(comment.text)}
    _log(action, "action.comment", payload, author, as_of)


def _shown(task: PlatformTask) -> dict[str, Any]:
    return {
        "number": task.number,
        "title": task.title,
        "is_done": task.is_done,
        "assignee": task.assignee or "",
        "due": task.due,
    }


def _change(changes: dict[str, Any]) -> str:
    """What happened to a task, in a word."""
    if "is_done" not in changes:
        return "changed"
    return "done" if changes["is_done"] else "reopened"


def _told(task: ActionTask, change: str) -> dict[str, Any]:
    return {
        "change": change,
        "task": task.number or task.platform_id,
        "is_done": task.is_done,
        "due": task.due.isoformat() if task.due is not None else "",
        "title_sha256": ledger.sealed(task.title),
    }


# --- what was read before -------------------------------------------------------------------------------------


def _is_news(action: Action, name: str, value: str) -> bool:
    """Whether a value differs from what was read last; a field that was empty from the start is no news."""
    return bool(value != action.platform_seen.get(name, ""))


def _remember(action: Action, name: str, value: str) -> None:
    """Keep what was read, with what was taken over."""
    action.platform_seen = {**action.platform_seen, name: value}
    action.save(update_fields=["platform_seen", "owner", "due"])


def _log(action: Action, kind: EntryType, payload: dict[str, Any], person: Person | None, as_of: datetime) -> None:
    actor = person.uid if person is not None else ledger.PLATFORM
    ledger.append(kind, subject=action.code, actor=actor, at=as_of, payload=payload)


def carry(action: Action, as_of: datetime) -> None:
    """Bring an update that still waits up to what was just taken over, so that it does not undo it."""
    if action.deliveries.filter(verb=Verb.UPDATE.value, state=DeliveryState.WAITING).exists():
        loop.queue_update(action, as_of)
