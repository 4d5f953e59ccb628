"""Setting fields of an issue as a caller sent them: every mistake is collected, every change is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from connectors.sandbox.jira import catalogue
from connectors.sandbox.jira.addresses import whole
from connectors.sandbox.jira.agile.planning import Sprint, is_epic
from connectors.sandbox.jira.calls import ApiError, Call
from connectors.sandbox.jira.catalogue import EPIC_LINK, FLAGGED, RANK, SPRINT, STORY_POINTS, Field, Flavour
from connectors.sandbox.jira.history import person_item
from connectors.sandbox.jira.model import Comment, History, HistoryItem, Issue
from connectors.sandbox.jira.text import is_document, plain

MAX_TEXT = 32_767
MAX_LINE = 255
IMPEDIMENT = "Impediment"


class BadValueError(Exception):
    """What is wrong with one field's value, in Jira's words."""


def set_fields(call: Call, issue: Issue, fields: dict[str, Any], screen: frozenset[str]) -> list[HistoryItem]:
    """Set every field or none: 400 naming all fields that cannot be set; return what changed."""
    errors: dict[str, str] = {}
    read: dict[str, Any] = {}
    for field_id, value in fields.items():
        field = call.site.fields.get(field_id)
        if field is None or field_id not in screen:
            errors[field_id] = f"Field '{field_id}' cannot be set. It is not on the appropriate screen, or unknown."
            continue
        try:
            read[field_id] = _read(call, field, value)
        except BadValueError as mistake:
            errors[field_id] = str(mistake)
    if errors:
        raise ApiError(400, errors=errors)
    return [item for field_id, value in read.items() if (item := _set(call, issue, field_id, value)) is not None]


def record(call: Call, issue: Issue, author: str, items: list[HistoryItem]) -> None:
    """Append one history entry, if anything changed."""
    if items:
        issue.more().histories.append(History(str(next(call.site.ids)), author, call.site.now, items))


def wiki(call: Call, value: Any, *, limit: int = MAX_TEXT) -> str:
    """The text of a description or comment: a document in version 3, a string in version 2."""
    if call.version == "3":
        if value is not None and not is_document(value):
            raise BadValueError("Operation value must be an Atlassian Document (see the Atlassian Document Format)")
        text = plain(value)
    else:
        if value is not None and not isinstance(value, str):
            raise BadValueError("Operation value must be a string")
        text = value or ""
    if len(text) > limit:
        raise BadValueError(f"The entered text is too long. It exceeds the allowed limit of {limit:,} characters.")
    return text


def _read(call: Call, field: Field, value: Any) -> Any:
    if field.id == "summary":
        return _summary(value)
    if field.id == "description":
        return wiki(call, value)
    if field.id == "labels":
        return _labels(value)
    if field.id == "assignee":
        return _assignee(call, value)
    if field.id in ("priority", "resolution"):
        return _named(field, value)
    if field.id == "duedate":
        return _day(value)
    if field.id == "parent":
        return _parent(call, value)
    if field.id == "issuetype":
        raise BadValueError("The issue type selected is invalid.")
    if field.id in _PLANNED:
        return _PLANNED[field.id](call, value)
    return _custom(call, field, value)


def _summary(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadValueError("You must specify a summary of the issue.")
    if "\n" in value or "\r" in value:
        raise BadValueError("The summary is invalid because it contains newline characters.")
    if len(value) > MAX_LINE:
        raise BadValueError("Summary must be less than 255 characters.")
    return value


def _labels(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(label, str) for label in value):
        raise BadValueError("Operation value must be an array of strings")
    for label in value:
        if " " in label:
            raise BadValueError(f"The label '{label}' contains spaces which is invalid.")
        if len(label) > MAX_LINE:
            raise BadValueError(f"The label '{label}' exceeds the limit of 255 characters.")
    return tuple(dict.fromkeys(value))


def _assignee(call: Call, value: Any, name: str = "assignee") -> str | None:
    if value is None or (isinstance(value, dict) and value and all(one is None for one in value.values())):
        return None
    account = call.site.directory.sent(value)
    if account is None:
        raise BadValueError(f"Specify a valid value for {name}")
    if not account.is_active:
        raise BadValueError(f"User '{call.site.directory.identifier(account)}' cannot be assigned issues.")
    return account.name


def _named(field: Field, value: Any) -> str:
    table = catalogue.PRIORITIES if field.id == "priority" else catalogue.RESOLUTIONS
    if isinstance(value, dict):
        for id, name in table.items():
            if str(value.get("id")) == id or value.get("name") == name:
                return id
    raise BadValueError(f"{field.name} name or id is not valid")


def _day(value: Any) -> str | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise BadValueError(f"Error parsing date string: {value}") from None


def _parent(call: Call, value: Any) -> int | None:
    found = call.sight.issue(str(value.get("id") or value.get("key") or "")) if isinstance(value, dict) else None
    if found is None:
        raise BadValueError("Could not find issue by id or key.")
    return found.id


def _custom(call: Call, field: Field, value: Any) -> Any:
    if value is None:
        return None
    if field.type == "option":
        text = call.site.options.sent(field.attribute, value)
        if text is None:
            raise BadValueError(
                f"Option value '{value}' is not valid" if not isinstance(value, dict) else _no_option(value)
            )
        return text
    if field.type == "group":
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            raise BadValueError("data was not an object with a group name")
        return value["name"]
    if field.type == "date":
        return _day(value)
    if field.type == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadValueError("Operation value must be a number")
        return value
    if field.type == "user":
        return _assignee(call, value, field.name)
    if field.type == "array":
        return _custom_list(call, field, value)
    if not isinstance(value, str):
        raise BadValueError("Operation value must be a string")
    if len(value) > MAX_LINE:
        raise BadValueError("The entered text is too long. It exceeds the allowed limit of 255 characters.")
    return value


def _custom_list(call: Call, field: Field, value: Any) -> tuple[str, ...]:
    if field.items == "string":
        return _labels(value)
    if not isinstance(value, list):
        raise BadValueError("Operation value must be an array")
    return tuple(dict.fromkeys(str(_custom(call, replace(field, type="option"), one)) for one in value))


def _sprint(call: Call, value: Any) -> Sprint | None:
    if value is None:
        return None
    found = call.site.planning.sprints.get(whole(value) or 0)
    if found is None or found.is_closed:
        raise BadValueError("The sprint does not exist or is closed; it is set by its id, a number.")
    return found


def _epic(call: Call, value: Any) -> Issue | None:
    if value is None:
        return None
    found = call.sight.issue(str(value))
    if found is None or not is_epic(found):
        raise BadValueError(f"Issue '{value}' is not an epic.")
    return found


def _flag(call: Call, value: Any) -> bool:
    if value not in (None, [], [{"value": IMPEDIMENT}]):
        raise BadValueError(f"The only value is {IMPEDIMENT}.")
    return bool(value)


def _points(call: Call, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadValueError("Operation value must be a number")
    return float(value)


def _rank(call: Call, value: Any) -> None:
    raise BadValueError("An issue is ranked before or after another one.")


_PLANNED: dict[str, Callable[[Call, Any], Any]] = {
    RANK.id: _rank,
    SPRINT.id: _sprint,
    EPIC_LINK.id: _epic,
    FLAGGED.id: _flag,
    STORY_POINTS.id: _points,
}


def _no_option(value: dict[str, Any]) -> str:
    if "id" in value:
        return f"Option id '{value['id']}' is not valid"
    return f"Option value '{value.get('value')}' is not valid"


def _set(call: Call, issue: Issue, field_id: str, value: Any) -> HistoryItem | None:
    if field_id == "labels":
        old_labels = " ".join(issue.labels)
        call.site.relabel(issue, value)
        return _item("labels", field_id, old_labels, " ".join(value))
    if field_id == "assignee":
        old = issue.assignee
        issue.assignee = value
        return person_item(call.parts, old, value) if old != value else None
    if field_id == "parent":
        issue.parent = value
        parent = call.site.by_id(value)
        if parent is not None and is_epic(parent):
            call.site.planning.adopt(issue, parent)
        elif parent is not None:
            parent.more().subtasks.append(issue.id)
        return None
    if field_id == "resolution":
        return resolve(call, issue, value)
    if field_id in _PLANNED:
        return plan(call, issue, field_id, value)
    if field_id in ("priority", "summary", "description", "duedate"):
        attribute = {"duedate": "due"}.get(field_id, field_id)
        old = getattr(issue, attribute)
        setattr(issue, attribute, value)
        if field_id == "priority":
            names = catalogue.PRIORITIES
            return _item("priority", field_id, old, value, names.get(old or ""), names.get(value))
        return _item(field_id, field_id, old, value)
    field = call.site.fields[field_id]
    old = issue.value(field.attribute)
    issue.set_value(field.attribute, value)
    return _item(field.name, field_id, old, value)


def plan(call: Call, issue: Issue, field_id: str, value: Any) -> HistoryItem | None:
    """Set a field of Jira Software: sprint, epic (on Cloud the parent, too), flag, story points."""
    if field_id == SPRINT.id:
        return call.site.planning.put(issue, value)
    if field_id == EPIC_LINK.id:
        known = issue.value("epic")
        before = call.site.by_id(known) if known is not None else None
        call.site.planning.adopt(issue, value)
        if call.site.flavour is Flavour.CLOUD and (value is not None or before is not None):
            issue.parent = value.id if value is not None else None
        old, new = (end.key if end is not None else None for end in (before, value))
        ids = [str(end.id) if end is not None else None for end in (before, value)]
        return _item(EPIC_LINK.name, field_id, ids[0], ids[1], old, new)
    if field_id == FLAGGED.id:
        old, new = (IMPEDIMENT if is_flagged else None for is_flagged in (issue.value("flagged"), value))
        issue.set_value("flagged", value)
        return _item(FLAGGED.name, field_id, old, new)
    points = issue.value("story_points")
    issue.set_value("story_points", value)
    return _item(STORY_POINTS.name, field_id, points, value)


def add_comment(call: Call, issue: Issue, body: str, *, is_internal: bool = False) -> Comment:
    """A comment of the caller's on an issue; internal is one for the team alone."""
    now = call.site.now
    made = Comment(str(next(call.site.ids)), call.writer().name, body, now, now, is_internal)
    issue.more().comments.append(made)
    return made


def comment_named(call: Call, issue: Issue, id: str) -> Comment | None:
    """The comment of an issue with this id, if the caller may read it."""
    return next((one for one in call.sight.comments(issue) if one.id == id), None)


def resolve(call: Call, issue: Issue, resolution: str | None) -> HistoryItem | None:
    """Set or clear the resolution and its date."""
    old = issue.resolution
    issue.resolution = resolution
    issue.resolved = call.site.now if resolution is not None else None
    names = catalogue.RESOLUTIONS
    return _item("resolution", "resolution", old, resolution, names.get(old or ""), names.get(resolution or ""))


def _item(
    name: str, field_id: str, old: Any, new: Any, old_text: str | None = None, new_text: str | None = None
) -> HistoryItem | None:
    if old == new or (not old and not new):
        return None
    before, after = (_told(value) for value in (old, new))
    return HistoryItem(
        name, field_id, field_id.startswith("customfield_"), before, old_text or before, after, new_text or after
    )


def _told(value: Any) -> str | None:
    if isinstance(value, tuple):
        return ", ".join(value)
    return str(value) if value is not None else None
