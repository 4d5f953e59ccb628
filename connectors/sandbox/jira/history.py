"""The changelog of an issue: what the world's events changed, and what people changed through the API."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.sandbox.jira import catalogue
from connectors.sandbox.jira.accounts import AUTOMATION
from connectors.sandbox.jira.model import History, HistoryItem, Issue
from connectors.sandbox.jira.parts import Parts, dump
from connectors.sandbox.jira.times import ZoneText
from connectors.sandbox.world import Value

_GROUP_FIELD = "customfield_10015"
_MAJOR_FIELD = "customfield_10016"
_Step = tuple[str, Value, Value]  # canonical field, old value, new value


def steps(issue: Issue) -> Iterator[tuple[int, str, list[_Step]]]:
    """(instant, author, changes) of every event of the issue's ticket shown so far, without the opening one."""
    ticket = issue.ticket
    if ticket is None:
        return
    known: dict[str, Value] = {"priority": ticket.priority, "is_major": ticket.is_major}
    for number, event in enumerate(ticket.events[: issue.applied]):
        if number:
            changed: list[_Step] = [
                (name, known.get(name), value)
                for name, value in event.changes.items()
                if name in _ITEMS and known.get(name) != value
            ]
            if changed:
                yield event.at, str(event.changes.get("assignee") or known.get("assignee") or AUTOMATION), changed
        known.update(event.changes)


class Changelog:
    """Renders changelogs for one API version and zone; the parts that recur are kept as text."""

    def __init__(self, parts: Parts, times: ZoneText) -> None:
        self._parts = parts
        self._times = times
        self._items: dict[_Step, str] = {}

    def entries(self, issue: Issue) -> list[str]:
        """Every change, oldest first, each as JSON text."""
        rendered = []
        for number, (at, author, changed) in enumerate(steps(issue)):
            items = ",".join([self._item(step) for step in changed])
            rendered.append(self._entry(f"{issue.id}{number:03d}", author, at, items))
        if issue.extras is not None:
            rendered.extend(self._recorded(history) for history in issue.extras.histories)
        return rendered

    def _entry(self, id: str, author: str, at: int, items: str) -> str:
        return (
            f'{{"id":"{id}","author":{self._parts.person_text(author)},"created":"{self._times.iso(at)}",'
            f'"items":[{items}]}}'
        )

    def _recorded(self, history: History) -> str:
        return self._entry(history.id, history.author, history.at, ",".join(_text_of(item) for item in history.items))

    def _item(self, step: _Step) -> str:
        text = self._items.get(step)
        if text is None:
            text = self._items[step] = _text_of(_ITEMS[step[0]](self._parts, step[1], step[2]))
        return text


def _text_of(item: HistoryItem) -> str:
    return dump(
        {
            "field": item.field,
            "fieldtype": "custom" if item.is_custom else "jira",
            "fieldId": item.field_id,
            "from": item.old,
            "fromString": item.old_text,
            "to": item.new,
            "toString": item.new_text,
        }
    )


def _status_item(parts: Parts, old: Value, new: Value) -> HistoryItem:
    before = catalogue.TICKET_STATUS[str(old)]
    after = catalogue.TICKET_STATUS[str(new)]
    return HistoryItem("status", "status", False, before.id, before.name, after.id, after.name)


def _assignee_item(parts: Parts, old: Value, new: Value) -> HistoryItem:
    return person_item(parts, str(old) if old else None, str(new) if new else None)


def person_item(parts: Parts, old: str | None, new: str | None) -> HistoryItem:
    """A change of assignee, with account ids on Cloud and names on Data Center."""
    directory = parts.site.directory
    before, after = directory.named(old), directory.named(new)
    return HistoryItem(
        "assignee",
        "assignee",
        False,
        directory.identifier(before) if before else None,
        before.display_name if before else None,
        directory.identifier(after) if after else None,
        after.display_name if after else None,
    )


def _group_item(parts: Parts, old: Value, new: Value) -> HistoryItem:
    before, after = (str(value) if value else None for value in (old, new))
    return HistoryItem("Assignment group", _GROUP_FIELD, True, before, before, after, after)


def _priority_item(parts: Parts, old: Value, new: Value) -> HistoryItem:
    before, after = str(old), str(new)
    names = catalogue.PRIORITIES
    return HistoryItem("priority", "priority", False, before, names.get(before), after, names.get(after))


def _major_item(parts: Parts, old: Value, new: Value) -> HistoryItem:
    before, after = ("Yes" if value else None for value in (old, new))
    return HistoryItem("Major incident", _MAJOR_FIELD, True, before, before, after, after)


_ITEMS = {
    "state": _status_item,
    "assignee": _assignee_item,
    "assignment_group": _group_item,
    "priority": _priority_item,
    "is_major": _major_item,
}
