"""The changelog of an issue: what the world's events changed, and what people changed through the API."""

from __future__ import annotations

from functools import lru_cache

from connectors.sandbox.jira import catalogue
from connectors.sandbox.jira.accounts import AUTOMATION
from connectors.sandbox.jira.model import History, HistoryItem, Issue
from connectors.sandbox.jira.parts import Parts, dump
from connectors.sandbox.jira.times import ZoneText
from connectors.sandbox.world import Value

_GROUP_FIELD = "customfield_10015"
_MAJOR_FIELD = "customfield_10016"
_Names = tuple[str, ...]  # canonical fields
_Known = tuple[Value, ...]  # the values of the fields of _ITEMS, in its order
KEPT_CHANGES = 32_768


class Changelog:
    """Renders changelogs for one API version and zone; changes recur in thousands of tickets and are kept as text."""

    def __init__(self, parts: Parts, times: ZoneText) -> None:
        self._parts = parts
        self._times = times
        self._told = lru_cache(maxsize=KEPT_CHANGES)(self._tell)
        parts.site.kept_texts.append(self._told.cache_clear)

    def entries(self, issue: Issue) -> list[str]:
        """Every change, oldest first, each as JSON text: what the world's events changed, then what people did.

        The opening event is none: it says how the issue began.
        """
        rendered: list[str] = []
        ticket = issue.ticket
        if ticket is not None and issue.applied:
            opening = ticket.events[0].changes
            known = _opened(ticket.priority, ticket.is_major, tuple(opening), tuple(opening.values()))
            told = self._told
            for event in ticket.events[1 : issue.applied]:
                changes = event.changes
                author, items, known = told(known, tuple(changes), tuple(changes.values()))
                if items:
                    rendered.append(self._entry(f"{issue.id}{len(rendered):03d}", author, event.at, items))
        if issue.extras is not None:
            rendered.extend(self._recorded(history) for history in issue.extras.histories)
        return rendered

    def _tell(self, known: _Known, names: _Names, values: tuple[Value, ...]) -> tuple[str, str, _Known]:
        """The author and the items of changes to a ticket, as JSON text (no items: nothing to tell), and what holds
        after them."""
        before, now = dict(zip(_ITEMS, known, strict=True)), dict(zip(names, values, strict=True))
        items = [
            self._text_of(_ITEMS[name](self._parts, before[name], value))
            for name, value in now.items()
            if name in _ITEMS and before[name] != value
        ]
        author = str(now.get("assignee") or before["assignee"] or AUTOMATION)
        return self._parts.person_text(author), ",".join(items), tuple((before | now)[name] for name in _ITEMS)

    def _entry(self, id: str, author: str, at: int, items: str) -> str:
        return f'{{"id":"{id}","author":{author},"created":"{self._times.iso(at)}","items":[{items}]}}'

    def _recorded(self, history: History) -> str:
        author = self._parts.person_text(history.author)
        return self._entry(history.id, author, history.at, ",".join(self._text_of(item) for item in history.items))

    def _text_of(self, item: HistoryItem) -> str:
        """Only Cloud tells the field's id: Data Center's ``ChangelogBean.ChangeItemBean`` has none."""
        id = {"fieldId": item.field_id} if self._parts.site.flavour is catalogue.Flavour.CLOUD else {}
        return dump(
            {
                "field": item.field,
                "fieldtype": "custom" if item.is_custom else "jira",
                **id,
                "from": item.old,
                "fromString": item.old_text,
                "to": item.new,
                "toString": item.new_text,
            }
        )


@lru_cache(maxsize=256)
def _opened(priority: int, is_major: bool, names: _Names, values: tuple[Value, ...]) -> _Known:
    """What holds after a ticket's opening event."""
    known: dict[str, Value] = {"priority": priority, "is_major": is_major, **dict(zip(names, values, strict=True))}
    return tuple(known.get(name) for name in _ITEMS)


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
