"""From decoded issues to rows: one page of issues feeds tickets, SLA rows, surveys and contacts at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from connectors.base import Rejected
from connectors.jira.columns import Columns
from connectors.jira.history import Story, story
from connectors.jira.plan import ClockPlan, Getter, Plan, UnreadableError
from connectors.jira.wire import Changelog, Cycle, HistoryEntry, IssueHead, RawPage, SlaValue, page_type
from improvement.records import RecordKind

Fillers = dict[str, list[tuple[Callable[[Any], None], Getter]]]  # issue type id → where each value goes and from
HistoryReader = Callable[[str], Sequence[HistoryEntry]]  # issue id → all its history


class Harvest:
    """Rows of the wanted kinds, grown page by page.

    ``whole_history`` reads the history of one issue where a search showed only a part of it.
    """

    def __init__(
        self, plan: Plan, kinds: Iterable[RecordKind], *, connection: str, whole_history: HistoryReader
    ) -> None:
        self.plan = plan
        self.columns = {kind: Columns(kind, connection) for kind in kinds}
        self.rejected: list[Rejected] = []
        self._whole_history = whole_history
        self._main = next(iter(self.columns))
        self.needs_history = plan.needs_history and RecordKind.TICKET in self.columns
        self._page = page_type(self.fields(), has_changelog=self.needs_history)
        self._decoder = msgspec.json.Decoder(self._page)
        self._fillers: dict[RecordKind, Fillers] = {
            kind: _fillers(plan.by_type.get(kind, {}), self.columns[kind])
            for kind in self.columns
            if kind in (RecordKind.TICKET, RecordKind.CONTACT)
        }

    def fields(self) -> list[tuple[str, Any]]:
        """The fields to ask for with the types to decode."""
        return list(self.plan.decoded.items())

    def decode(self, body: bytes) -> list[Any]:
        """The issues of a page; those that do not have the expected shape are set aside as rejected."""
        try:
            page: Any = self._decoder.decode(body)
        except msgspec.ValidationError:
            return self._decode_patiently(body)
        return list(page.issues)

    def _decode_patiently(self, body: bytes) -> list[Any]:
        raw = msgspec.json.decode(body, type=RawPage)
        readable = []
        issue_type = msgspec.structs.fields(self._page)[0].type.__args__[0]
        for issue in raw.issues:
            try:
                readable.append(msgspec.json.decode(issue, type=issue_type))
            except msgspec.ValidationError as error:
                head = msgspec.json.decode(issue, type=IssueHead)
                reason, _, place = str(error).partition(" - at ")
                field = place.strip("`").removeprefix("$.").removeprefix("fields.")
                self.rejected.append(Rejected(kind=self._main, id=head.id, field=field, reason=reason))
        return readable

    def take(self, issues: Sequence[Any]) -> None:
        """Add the rows of these issues."""
        tickets = RecordKind.TICKET in self.columns
        clocks = RecordKind.SLA in self.columns
        surveys = RecordKind.SURVEY in self.columns and self.plan.rating is not None
        contacts = RecordKind.CONTACT in self.columns
        for issue in issues:
            if tickets:
                told = self._story(issue) if self.needs_history else None
                self._row(RecordKind.TICKET, issue, told)
            if contacts:
                self._row(RecordKind.CONTACT, issue, None)
            if clocks:
                self._clock_rows(issue)
            if surveys:
                self._survey_row(issue)

    def _story(self, issue: Any) -> Story:
        changelog: Changelog | None = issue.changelog
        if changelog is None:
            return Story()
        entries: Sequence[HistoryEntry] = changelog.histories
        if changelog.total > len(entries):
            entries = self._whole_history(issue.id)
        return story(entries, self.plan.states, self.plan.group_field)

    def _row(self, kind: RecordKind, issue: Any, told: Story | None) -> None:
        fields = issue.fields
        fillers = self._fillers[kind].get(fields.issuetype.id)
        if fillers is None:
            return  # its type was changed between search and answer
        try:
            values = [get(fields, told) for _, get in fillers]
        except UnreadableError as error:
            self.rejected.append(Rejected(kind=kind, id=issue.id, field=error.column, reason=str(error)))
            return
        columns = self.columns[kind]
        columns.begin(issue.id)
        lists = columns.lists
        lists["id"].append(issue.id)
        if "number" in lists:
            lists["number"].append(issue.key)
        lists["updated_at"].append(fields.updated)
        for (append, _), value in zip(fillers, values, strict=True):
            append(value)
        columns.end_row()

    def _clock_rows(self, issue: Any) -> None:
        columns = self.columns[RecordKind.SLA]
        fields = issue.fields
        columns.begin(issue.id)
        cancelled_ms: int | None = None
        for clock in self.plan.clocks:
            value: SlaValue | None = getattr(fields, clock.field_id)
            if value is None:
                continue
            if cancelled_ms is None:
                cancelled_ms = self._cancelled_ms(fields)
            for cycle in value.completed_cycles:
                stop = cycle.stop_time
                is_cancelled = stop is not None and abs(stop.epoch_millis - cancelled_ms) < 60_000
                self._clock_row(issue, clock, value, cycle, "cancelled" if is_cancelled else "completed")
            if value.ongoing_cycle is not None:
                stage = "paused" if value.ongoing_cycle.paused else "in_progress"
                self._clock_row(issue, clock, value, value.ongoing_cycle, stage)

    def _cancelled_ms(self, fields: Any) -> int:
        """When a cancelled issue was cancelled (its clocks stopped then without having been met), else −1."""
        status = fields.status
        if status is None or self.plan.states.get(status.id) != "cancelled" or not fields.resolutiondate:
            return -1
        return int(datetime.fromisoformat(fields.resolutiondate).timestamp() * 1000)

    def _clock_row(self, issue: Any, clock: ClockPlan, value: SlaValue, cycle: Cycle, stage: str) -> None:
        columns = self.columns[RecordKind.SLA]
        lists = columns.lists
        fields = issue.fields
        start = cycle.start_time.epoch_millis if cycle.start_time is not None else None
        sla_id = value.id or clock.field_id
        lists["id"].append(f"{issue.id}:{sla_id}:{start}")
        lists["ticket_id"].append(issue.id)
        lists["sla_id"].append(sla_id)
        lists["sla_name"].append(value.name)
        lists["target"].append(clock.target(fields, None))
        lists["agreement"].append(clock.agreement(fields, None))
        lists["supplier"].append(clock.supplier(fields, None))
        lists["stage"].append(stage)
        lists["is_breached"].append(cycle.breached)
        lists["start_at"].append(start)
        lists["end_at"].append(cycle.stop_time.epoch_millis if cycle.stop_time is not None else None)
        lists["breach_at"].append(cycle.breach_time.epoch_millis if cycle.breach_time is not None else None)
        lists["goal_s"].append(cycle.goal_duration.millis // 1000 if cycle.goal_duration is not None else None)
        lists["elapsed_s"].append(cycle.elapsed_time.millis // 1000 if cycle.elapsed_time is not None else None)
        lists["updated_at"].append(fields.updated)
        columns.end_row()

    def _survey_row(self, issue: Any) -> None:
        assert self.plan.rating is not None
        fields = issue.fields
        feedback = getattr(fields, self.plan.rating)
        if feedback is None or feedback.rating is None:
            return
        try:
            values = [(column, get(fields, None)) for column, get in self.plan.survey]
        except UnreadableError as error:
            self.rejected.append(Rejected(kind=RecordKind.SURVEY, id=issue.id, field=error.column, reason=str(error)))
            return
        columns = self.columns[RecordKind.SURVEY]
        columns.begin(issue.id)
        lists = columns.lists
        lists["id"].append(issue.id)
        lists["ticket_id"].append(issue.id)
        lists["score"].append(feedback.rating)
        lists["updated_at"].append(fields.updated)
        for column, value in values:
            lists[column].append(value)
        columns.end_row()


def _fillers(by_type: dict[str, list[tuple[str, Getter]]], columns: Columns) -> Fillers:
    """Per issue type, where each column's value goes and where it comes from."""
    lists = columns.lists
    return {type_id: [(lists[column].append, get) for column, get in getters] for type_id, getters in by_type.items()}
