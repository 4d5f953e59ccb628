"""What Jira took of what was sent, and what stands there afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from connectors.jira.issues import ActionIssue
from connectors.jira.project import Project
from connectors.jira.sending import INDISPENSABLE, FieldsRefused, Sender
from connectors.jira.shaping import Shaped, as_text, same
from improvement.errors import Place, WriteRefused
from improvement.records import Receipt, RecordRef

T = TypeVar("T")
HIDDEN = "it was made, but is hidden from us: let our user see what it makes"


def created_as_taken(sender: Sender, fields: dict[str, Any], form: Shaped, project: Project) -> dict[str, Any]:
    """Create an issue as far as Jira takes its fields."""
    created = as_far_as_taken(sender.create, fields, form, project)
    if created is None:
        raise WriteRefused(
            f"Project {project.key} took none of the fields of a new issue.",
            where=Place(field="improvement_project"),
            mend="Put Summary and Labels on the create screen of the project.",
        )
    return created


def as_far_as_taken(
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
    for field_id, why in reasons.items():
        form.unwritten[project.names.get(field_id, field_id)] = f"Jira refused it: {why}"
        form.fields.pop(field_id, None)
    left = {name: value for name, value in fields.items() if name not in reasons}
    return send(left) if left else None


def receipt(
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
                differ[name] = difference(value, found)
    return Receipt(
        ref=ref,
        status=sender.status,
        was_found=was_found,
        request_sha256=sender.sha256,
        written=written,
        differences=differ,
        unwritten=(form.unwritten if form is not None else {}) | (unwritten or {}),
    )


def difference(sent: Any, found: Any) -> str:
    """How a value read back differs, in words."""
    return f"sent {as_text(sent)!r}, found {as_text(found)!r}"
