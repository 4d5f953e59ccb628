"""From decoded issues to rows: one page of issues feeds tickets, SLA rows, surveys and contacts at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

import msgspec

from connectors.base import Rejected
from connectors.jira.columns import Columns
from connectors.jira.history import UNTOLD, Entry, Histories, Story
from connectors.jira.plan import ClockPlan, Filler, Plan, UnreadableError
from connectors.jira.wire import Changelog, Cycle, IssueHead, RawChangelog, RawPage, SlaValue, page_type
from improvement.records import RecordKind

_Clock = tuple[Any, SlaValue, Cycle, str]  # issue, SLA field, cycle, stage
HistoryReader = Callable[[str], Sequence[Entry]]  # issue id → all its history


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
        self._histories = Histories(plan.states, plan.group_field)
        self._cancelled = frozenset(id for id, state in plan.states.items() if state == "cancelled")
        self._decoder = msgspec.json.Decoder(page_type(self.fields(), RawChangelog if self.needs_history else None))

    def fields(self) -> list[tuple[str, Any]]:
        """The fields to ask for with the types to decode."""
        return list(self.plan.decoded.items())

    def add(self, body: bytes) -> None:
        """Add the rows of a page; issues that do not have the expected shape are set aside as rejected."""
        issues: Sequence[Any]
        stories: Sequence[Story]
        try:
            page: Any = self._decoder.decode(body)
            issues = page.issues
            stories = self._stories(issues)
        except msgspec.ValidationError:
            issues = self._readable(body)
            stories = self._stories(issues)
        issues, stories = _once_each(issues, stories)
        for kind in (RecordKind.TICKET, RecordKind.CONTACT):
            if kind in self.columns:
                self._typed_rows(kind, issues, stories)
        if RecordKind.SLA in self.columns:
            self._clock_rows(issues)
        if RecordKind.SURVEY in self.columns and self.plan.rating is not None:
            self._survey_rows(issues)

    def _readable(self, body: bytes) -> list[Any]:
        """The issues of a page that can be read, each decoded for itself and to its end."""
        raw = msgspec.json.decode(body, type=RawPage)
        page = page_type(self.fields(), Changelog if self.needs_history else None)
        issue_type = msgspec.structs.fields(page)[0].type.__args__[0]
        readable = []
        for issue in raw.issues:
            try:
                readable.append(msgspec.json.decode(issue, type=issue_type))
            except msgspec.ValidationError as error:
                head = msgspec.json.decode(issue, type=IssueHead)
                reason, _, place = str(error).partition(" - at ")
                field = place.strip("`").removeprefix("$.").removeprefix("fields.")
                self.rejected.append(Rejected(kind=self._main, id=head.id, field=field, reason=reason))
        return readable

    # --- issues of a type -------------------------------------------------------------------------------------

    def _stories(self, issues: Sequence[Any]) -> list[Story]:
        if not self.needs_history:
            return [UNTOLD] * len(issues)
        story = self._histories.story
        return [story(entries) if (entries := self._history(issue)) else UNTOLD for issue in issues]

    def _history(self, issue: Any) -> Sequence[Entry]:
        changelog: RawChangelog | Changelog | None = issue.changelog
        if changelog is None:
            return ()
        entries: Sequence[Entry] = changelog.histories
        return self._whole_history(issue.id) if changelog.total > len(entries) else entries

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

    # --- clocks and ratings -----------------------------------------------------------------------------------

    def _clock_rows(self, issues: Sequence[Any]) -> None:
        self.columns[RecordKind.SLA].begin([issue.id for issue in issues])
        fields = [issue.fields for issue in issues]
        for clock in self.plan.clocks:
            found: list[_Clock] = []
            value: SlaValue | None
            for issue, value in zip(issues, map(attrgetter(clock.field_id), fields), strict=True):
                if value is None:
                    continue
                if value.completed_cycles:
                    cancelled_ms = self._cancelled_ms(issue.fields)
                    for cycle in value.completed_cycles:
                        stop = cycle.stop_time
                        is_cancelled = stop is not None and abs(stop.epoch_millis - cancelled_ms) < 60_000
                        found.append((issue, value, cycle, "cancelled" if is_cancelled else "completed"))
                if value.ongoing_cycle is not None:
                    stage = "paused" if value.ongoing_cycle.paused else "in_progress"
                    found.append((issue, value, value.ongoing_cycle, stage))
            self._add_clocks(clock, found)

    def _cancelled_ms(self, fields: Any) -> int:
        """When a cancelled issue was cancelled (its clocks stopped then without having been met), else −1."""
        status = fields.status
        if status is None or status.id not in self._cancelled or not fields.resolutiondate:
            return -1
        return int(datetime.fromisoformat(fields.resolutiondate).timestamp() * 1000)

    def _add_clocks(self, clock: ClockPlan, found: Sequence[_Clock]) -> None:
        if not found:
            return
        ids = [issue.id for issue, _, _, _ in found]
        fields, untold = [issue.fields for issue, _, _, _ in found], [UNTOLD] * len(found)
        cycles = [cycle for _, _, cycle, _ in found]
        starts = [at.epoch_millis if (at := cycle.start_time) is not None else None for cycle in cycles]
        sla_ids = [value.id or clock.field_id for _, value, _, _ in found]
        self.columns[RecordKind.SLA].extend(
            ids,
            {
                "id": [f"{id}:{sla}:{start}" for id, sla, start in zip(ids, sla_ids, starts, strict=True)],
                "ticket_id": ids,
                "sla_id": sla_ids,
                "sla_name": [value.name for _, value, _, _ in found],
                "target": clock.target(fields, untold),
                "agreement": clock.agreement(fields, untold),
                "supplier": clock.supplier(fields, untold),
                "stage": [stage for _, _, _, stage in found],
                "is_breached": [cycle.breached for cycle in cycles],
                "start_at": starts,
                "end_at": [at.epoch_millis if (at := cycle.stop_time) is not None else None for cycle in cycles],
                "breach_at": [at.epoch_millis if (at := cycle.breach_time) is not None else None for cycle in cycles],
                "goal_s": [it.millis // 1000 if (it := cycle.goal_duration) is not None else None for cycle in cycles],
                "elapsed_s": [
                    it.millis // 1000 if (it := cycle.elapsed_time) is not None else None for cycle in cycles
                ],
                "updated_at": [issue.fields.updated for issue, _, _, _ in found],
            },
        )

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


def _once_each(issues: Sequence[Any], stories: Sequence[Story]) -> tuple[Sequence[Any], Sequence[Story]]:
    """The same issues without those that come again further on, each with its story."""
    last = {issue.id: place for place, issue in enumerate(issues)}
    if len(last) == len(issues):
        return issues, stories
    return [issues[place] for place in last.values()], [stories[place] for place in last.values()]
