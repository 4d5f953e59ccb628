"""From decoded issues to rows: one page of issues feeds tickets, SLA rows, surveys and contacts at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from connectors.base import Rejected
from connectors.jira.clock_rows import add_clock_rows
from connectors.jira.columns import Columns
from connectors.jira.decoding import HistoryReader, IssueReader
from connectors.jira.history import UNTOLD, Story
from connectors.jira.page import Delivered
from connectors.jira.plan import Filler, Plan, UnreadableError
from improvement.records import RecordKind


class Harvest:
    """Rows of the wanted kinds, grown page by page.

    Its search decodes pages with ``decoder``. ``whole_histories`` reads those of which a search showed only a part.
    """

    def __init__(
        self, plan: Plan, kinds: Iterable[RecordKind], *, connection: str, whole_histories: HistoryReader
    ) -> None:
        self.plan = plan
        self.columns = {kind: Columns(kind, connection) for kind in kinds}
        self.needs_history = plan.needs_history and RecordKind.TICKET in self.columns
        self._reader = IssueReader(
            plan, next(iter(self.columns)), needs_history=self.needs_history, whole_histories=whole_histories
        )
        self.decoder = self._reader.decoder
        self.rejected = self._reader.rejected  # one list: issues as a whole, and rows of them

    def fields(self) -> list[tuple[str, Any]]:
        """The fields to ask for with the types to decode."""
        return list(self.plan.decoded.items())

    def add(self, page: Delivered) -> None:
        """Add the rows of a page; issues that do not have the expected shape are set aside as rejected."""
        issues, stories = self._reader.read(page)
        for kind in (RecordKind.TICKET, RecordKind.CONTACT):
            if kind in self.columns:
                self._typed_rows(kind, issues, stories)
        if RecordKind.SLA in self.columns:
            self.rejected += add_clock_rows(self.columns[RecordKind.SLA], self.plan, issues)
        if RecordKind.SURVEY in self.columns and self.plan.rating is not None:
            self._survey_rows(issues)

    def _typed_rows(self, kind: RecordKind, issues: Sequence[Any], stories: Sequence[Story]) -> None:
        columns = self.columns[kind]
        columns.begin([issue.id for issue in issues])
        by_type: dict[str, list[tuple[Any, Story]]] = {}
        for issue, told in zip(issues, stories, strict=True):
            issue_type = issue.fields.issuetype
            by_type.setdefault(issue_type.id if issue_type is not None else "", []).append((issue, told))
        for type_id, found in by_type.items():
            fillers = self.plan.by_type.get(kind, {}).get(type_id)
            if fillers is None:
                continue  # its type was changed between search and answer
            for some, values in self._filled(kind, fillers, found):
                ids = [issue.id for issue in some]
                own = {"id": ids, "updated_at": [issue.fields.updated for issue in some]}
                number = {"number": [issue.key for issue in some]} if kind is RecordKind.TICKET else {}
                columns.extend(ids, {**own, **number, **values})

    def _filled(
        self, kind: RecordKind, fillers: Sequence[tuple[str, Filler]], found: Sequence[tuple[Any, Story]]
    ) -> Iterator[tuple[list[Any], dict[str, list[Any]]]]:
        """The mapped columns of these issues; where a value cannot be read, issue by issue without the bad ones."""
        issues = [issue for issue, _ in found]
        fields, stories = [issue.fields for issue in issues], [told for _, told in found]
        try:
            yield issues, {column: fill(fields, stories) for column, fill in fillers}
        except UnreadableError as error:
            if len(found) == 1:
                self.columns[kind].lacks_row_of([issues[0].id])
                self.rejected.append(Rejected(kind=kind, id=issues[0].id, field=error.column, reason=str(error)))
                return
            for one in found:
                yield from self._filled(kind, fillers, [one])

    def _survey_rows(self, issues: Sequence[Any]) -> None:
        assert self.plan.rating is not None
        columns, rating_of = self.columns[RecordKind.SURVEY], attrgetter(self.plan.rating)
        columns.begin([issue.id for issue in issues])
        answered = [
            (issue, UNTOLD)
            for issue in issues
            if (feedback := rating_of(issue.fields)) is not None and feedback.rating is not None
        ]
        if not answered:
            return
        for some, values in self._filled(RecordKind.SURVEY, self.plan.survey, answered):
            ids = [issue.id for issue in some]
            own = {
                "id": ids,
                "ticket_id": ids,
                "score": [rating_of(issue.fields).rating for issue in some],
                "updated_at": [issue.fields.updated for issue in some],
            }
            columns.extend(ids, {**own, **values})
