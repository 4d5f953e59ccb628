"""``/rest/agile/1.0/epic``: epics, and the issues in them. On Cloud an epic is also the parent of its issues."""

from __future__ import annotations

from connectors.sandbox.jira import bodies
from connectors.sandbox.jira.agile.lookups import Page, epic_named, found_on, issue_page, issues_sent, note
from connectors.sandbox.jira.agile.planning import is_epic
from connectors.sandbox.jira.agile.rank_calls import put
from connectors.sandbox.jira.agile.texts import epic
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import EPIC_LINK
from connectors.sandbox.jira.model import HistoryItem, Issue
from connectors.sandbox.jira.values import plan

COLOURS = frozenset(f"color_{number}" for number in range(1, 15))


def one(call: Call, key: str) -> Answer:
    """``GET`` and ``POST /epic/{key}``: name, summary, colour, done; what is left out stays."""
    found = epic_named(call, key)
    if call.method == "POST":
        _change(call, found)
    return json_answer(epic(call.desk.base, found))


def _change(call: Call, found: Issue) -> None:
    call.writer()
    sent = call.document()
    colour = bodies.part(sent, "color").get("key", found.value("epic_colour"))
    if colour is not None and str(colour) not in COLOURS:
        raise ApiError(400, errors={"color": f"There is no colour '{colour}'."})
    found.set_value("epic_colour", colour)
    if sent.get("name"):
        found.set_value("epic_name", str(sent["name"]))
    if "done" in sent:
        found.set_value("epic_done", bool(sent["done"]))
    if sent.get("summary"):
        before, found.summary = found.summary, str(sent["summary"])
        note(call, found, HistoryItem("summary", "summary", False, before, before, found.summary, found.summary))


def issues(call: Call, key: str, page: Page = issue_page) -> Answer:
    """``GET`` and ``POST /epic/{key}/issue``, and ``/epic/none/issue``."""
    above = None if key == "none" else epic_named(call, key)
    if call.method == "POST":
        return _move(call, above)
    if above is None:
        call.signed_in()
        return page(call, [one for one in found_on(call, None) if not is_epic(one) and not one.value("epic")])
    return page(call, found_on(call, None, call.site.known(call.site.planning.children(above.id))))


def _move(call: Call, above: Issue | None) -> Answer:
    call.writer()
    moved = issues_sent(call, call.document())
    refused = [issue.key for issue in moved if is_epic(issue) or issue.type.is_subtask]
    if refused:
        raise ApiError(400, f"Epics and sub-tasks cannot be in an epic: {', '.join(refused)}.")
    for issue in moved:
        note(call, issue, plan(call, issue, EPIC_LINK.id, above))
    return no_content()


def rank(call: Call, key: str) -> Answer:
    """``PUT /epic/{key}/rank``: before or after another epic."""
    found = epic_named(call, key)
    call.writer()
    sent = call.document()
    before, after = sent.get("rankBeforeEpic"), sent.get("rankAfterEpic")
    if bool(before) == bool(after):
        raise ApiError(400, "Exactly one of rankBeforeEpic and rankAfterEpic must be given.")
    put(call, [found], (epic_named(call, str(before or after)), bool(before)))
    return no_content()
