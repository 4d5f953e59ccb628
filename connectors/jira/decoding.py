"""From a page to issues and the stories of their histories; what cannot be read is set aside with its reason.

Whether an issue can be read depends on nothing but itself: a page with a bad one in it is decoded issue by issue into
the same shapes, and a history is read only once every issue of the page is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from connectors.base import Rejected
from connectors.jira.history import UNTOLD, Histories, Story
from connectors.jira.page import Delivered, page_decoder
from connectors.jira.plan import Plan
from connectors.jira.wire import Changelog, IssueHead, RawEntry, RawPage, issue_type
from improvement.records import RecordKind

HistoryReader = Callable[[Sequence[str]], Mapping[str, Sequence[RawEntry]]]  # issue ids → all of each history
UNREADABLE = (msgspec.ValidationError, UnicodeDecodeError)


class IssueReader:
    """Decodes pages of issues with the fields a plan wants, its ``decoder`` those in which every issue can be read.

    Parameters
    ----------
    plan
        What to decode.
    kind
        What an issue that cannot be read is rejected as.
    needs_history
        Whether to read histories; otherwise every story is untold.
    whole_histories
        Reads those of which a search showed only a part: once a page, whatever else is in it.
    """

    def __init__(self, plan: Plan, kind: RecordKind, *, needs_history: bool, whole_histories: HistoryReader) -> None:
        self.rejected: list[Rejected] = []
        self._kind = kind
        self._needs_history = needs_history
        self._whole_histories = whole_histories
        self._histories = Histories(plan.states, plan.group)
        issue = issue_type(list(plan.decoded.items()), Changelog[RawEntry] if needs_history else None)
        self._issue = msgspec.json.Decoder(issue)
        self.decoder = page_decoder(issue)

    def read(self, page: Delivered) -> tuple[Sequence[Any], Sequence[Story]]:
        """The readable issues of a page, each once, as it came last, and the story of each."""
        issues = _once_each(page.issues if page.undecoded is None else self._one_by_one(page.undecoded))
        return self._with_stories(issues) if self._needs_history else (issues, [UNTOLD] * len(issues))

    def _one_by_one(self, body: bytes) -> list[Any]:
        readable = []
        for issue in msgspec.json.decode(body, type=RawPage).issues:
            try:
                readable.append(self._issue.decode(issue))
            except UNREADABLE as error:
                head = msgspec.json.decode(issue, type=IssueHead)
                self._reject(head.id, error, "")
        return readable

    def _with_stories(self, issues: Sequence[Any]) -> tuple[list[Any], list[Story]]:
        readable, stories = [], []
        story = self._histories.story
        shown = {issue.id: issue.changelog.histories for issue in issues if issue.changelog is not None}
        cut = [issue.id for issue in issues if issue.id in shown and issue.changelog.total > len(shown[issue.id])]
        whole = self._whole_histories(cut) if cut else {}
        for issue in issues:
            entries = whole.get(issue.id) or shown.get(issue.id, ())
            try:
                stories.append(story(entries) if entries else UNTOLD)
            except UNREADABLE as error:
                self._reject(issue.id, error, "changelog.items")
            else:
                readable.append(issue)
        return readable, stories

    def _reject(self, issue_id: str, error: Exception, within: str) -> None:
        """Set an issue aside; ``within`` is the part of it that was decoded, empty for all of it."""
        reason, _, place = str(error).partition(" - at ")
        field = within + place.strip("`").removeprefix("$")
        field = field.removeprefix(".").removeprefix("fields.")
        self.rejected.append(Rejected(kind=self._kind, id=issue_id, field=field, reason=reason))


def _once_each(issues: Sequence[Any]) -> Sequence[Any]:
    """The same issues without those that come again further on."""
    last = {issue.id: issue for issue in issues}
    return issues if len(last) == len(issues) else list(last.values())
