"""The ten metrics once more, record by record in plain Python: slow and obvious, to compare the fast ones with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from improvement import weeks
from improvement.metrics import NONE, CellQuery
from improvement.records import Contact, SlaRecord, Survey, Ticket
from workflows.warehouse import Zones

Row = tuple[tuple[str, ...], int, float, float]  # scope, week, numerator, denominator
OPEN = ("new", "in_progress", "on_hold")


class Slow:
    """Records in lists; the same questions as to the warehouse."""

    def __init__(
        self,
        tickets: list[Ticket],
        slas: list[SlaRecord],
        surveys: list[Survey],
        contacts: list[Contact],
        zones: Zones,
    ) -> None:
        self.tickets = {ticket.id: ticket for ticket in tickets}
        self.slas, self.surveys, self.contacts, self.zones = slas, surveys, contacts, zones

    def cells(self, query: CellQuery, as_of: datetime, first: int, last: int) -> list[tuple[object, ...]]:
        """``(by…, week, numerator, denominator)`` sorted."""
        self.query, self.as_of, self.first, self.last = query, as_of, first, last
        if query.metric == "contact_gap":
            return sorted(self._contact_gap())
        rows: Callable[[], Iterable[Row]] = getattr(self, f"_{query.metric}")
        sums: dict[tuple[tuple[str, ...], int], list[float]] = defaultdict(lambda: [0.0, 0.0])
        for scope, week, numerator, denominator in rows():
            cell = sums[scope, week]
            cell[0] += numerator
            cell[1] += denominator
        if query.metric in ("incident_count", "major_incident_count", "backlog_open"):
            sums = self._every_week(sums, is_level=query.metric == "backlog_open")
        return sorted((*scope, week, *cell) for (scope, week), cell in sums.items() if first <= week <= last)

    def _every_week(self, sums: Mapping[tuple[tuple[str, ...], int], list[float]], *, is_level: bool) -> dict:  # type: ignore[type-arg]
        filled = {}
        for scope in {scope for scope, _ in sums}:
            begin = min(week for known, week in sums if known == scope)
            level = 0.0
            for week in range(begin, self.last + 1):
                change = sums.get((scope, week), [0.0, 0.0])[0]
                level = level + change if is_level else change
                filled[scope, week] = [level, 1.0]
        return filled

    # --- one metric each ---

    def _incident_count(self) -> Iterable[Row]:
        for ticket in self._counted():
            if dict(self.query.where).get("kind") or ticket.kind == "incident":
                yield from self._row(ticket, ticket.opened_at, 1, 1)

    def _major_incident_count(self) -> Iterable[Row]:
        for ticket in self._counted():
            if dict(self.query.where).get("kind") or ticket.kind == "incident":
                yield from self._row(ticket, ticket.opened_at, ticket.is_major, 1)

    def _sla_breach_rate(self) -> Iterable[Row]:
        for clock in self.slas:
            ticket = self.tickets.get(clock.ticket_id)
            if clock.stage != "cancelled" and self._wanted(ticket, clock=clock):
                decided = (clock.breach_at or clock.end_at) if clock.is_breached else clock.end_at
                yield from self._row(ticket, decided, clock.is_breached, 1, clock=clock)

    def _time_to_respond(self) -> Iterable[Row]:
        for clock in self.slas:
            ticket = self.tickets.get(clock.ticket_id)
            if clock.stage != "completed" or clock.target != "response" or not self._wanted(ticket, clock=clock):
                continue
            seconds = clock.elapsed_s
            if seconds is None and clock.start_at and clock.end_at:
                seconds = max(int((clock.end_at - clock.start_at).total_seconds()), 0)
            if seconds is not None:
                yield from self._row(ticket, clock.end_at, seconds / 3600, 1, clock=clock)

    def _time_to_resolve(self) -> Iterable[Row]:
        tau_h = self.query.tau_h or 336.0
        for ticket in self._counted():
            if ticket.opened_at is None or ticket.opened_at + timedelta(hours=tau_h) > self.as_of:
                continue
            done = self._done(ticket)
            hours = tau_h
            if done is not None and done <= self.as_of:
                hours = min(max(int((done - ticket.opened_at).total_seconds()) / 3600, 0), tau_h)
            yield from self._row(ticket, ticket.opened_at, hours, 1)

    def _reopen_rate(self) -> Iterable[Row]:
        for ticket in self._counted():
            yield from self._row(ticket, ticket.resolved_at, ticket.reopen_count > 0, 1)

    def _backlog_open(self) -> Iterable[Row]:
        for ticket in self._counted():
            for scope, week, *_ in self._row(ticket, ticket.opened_at, 1, 1):
                yield scope, week, 1, 1
                for _, done_week, *_ in self._row(ticket, self._done(ticket), 1, 1):
                    yield scope, max(week, done_week), -1, 1

    def _csat_mean(self) -> Iterable[Row]:
        for survey in self.surveys:
            ticket = self.tickets.get(survey.ticket_id or "")
            if survey.kind != "csat" or survey.score is None or not self._wanted(ticket, survey=survey):
                continue
            score, low, high = survey.score, survey.scale_min, survey.scale_max
            if low is not None and high is not None and high > low:
                score = 1 + 4 * (score - low) / (high - low)
            yield from self._row(ticket, survey.answered_at, score, 1, survey=survey)

    def _change_failure_rate(self) -> Iterable[Row]:
        for ticket in self._counted():
            if ticket.kind == "change" and ticket.is_successful is not None:
                yield from self._row(ticket, ticket.closed_at, not ticket.is_successful, 1)

    def _contact_gap(self) -> Iterable[tuple[object, ...]]:
        spoken: dict[tuple[tuple[str, ...], str], list[int]] = defaultdict(list)
        opened: dict[tuple[tuple[str, ...], str], list[int]] = defaultdict(list)
        for contact in self.contacts:
            if contact.at is not None and contact.at <= self.as_of and self._wanted(None, contact=contact):
                key = self._scope(None, contact=contact), contact.customer or NONE
                spoken[key].append(self._day(contact.at, contact.country))
        for survey in self.surveys:
            ticket = self.tickets.get(survey.ticket_id or "")
            is_wanted = self._wanted(ticket, survey=survey)
            if survey.answered_at is not None and survey.answered_at <= self.as_of and is_wanted:
                facts = self._facts(ticket, survey=survey)
                key = self._scope(ticket, survey=survey), str(facts["customer"] or NONE)
                spoken[key].append(self._day(survey.answered_at, facts["country"]))
        for ticket in self.tickets.values():
            if ticket.opened_at is not None and ticket.opened_at <= self.as_of and self._wanted(ticket):
                opened[self._scope(ticket), ticket.customer or NONE].append(self._day(ticket.opened_at, ticket.country))
        gaps: dict[tuple[tuple[str, ...], int], list[int]] = defaultdict(list)
        for scope, account in {*spoken, *opened}:
            for week in range(self.first, self.last + 1):
                sunday = weeks.day_of(weeks.sunday(week))
                talks = [day for day in spoken[scope, account] if day <= sunday]
                starts = [day for day in opened[scope, account] if day <= sunday]
                if talks or starts:
                    gaps[scope, week].append(sunday - (max(talks) if talks else min(starts)))
        return [(*scope, week, float(sum(days)), float(len(days))) for (scope, week), days in gaps.items()]

    # --- what they share ---

    def _counted(self) -> Iterable[Ticket]:
        return (one for one in self.tickets.values() if one.state != "cancelled" and self._wanted(one))

    def _done(self, ticket: Ticket) -> datetime | None:
        return None if ticket.state in OPEN else ticket.resolved_at or ticket.closed_at

    def _row(
        self, ticket: Ticket | None, moment: datetime | None, numerator: float, denominator: float, **parts: object
    ) -> Iterable[Row]:
        if moment is None or moment > self.as_of:
            return
        week = (self._day(moment, self._facts(ticket, **parts)["country"]) + 3) // 7
        if week <= self.last:
            yield self._scope(ticket, **parts), week, float(numerator), float(denominator)

    def _day(self, moment: datetime, country: object) -> int:
        zone = self.zones.by_country.get(str(country), self.zones.default)
        return weeks.day_of(weeks.local_date(moment, zone))

    def _scope(self, ticket: Ticket | None, **parts: object) -> tuple[str, ...]:
        facts = self._facts(ticket, **parts)
        return tuple(NONE if facts[name] is None else str(facts[name]) for name in self.query.by)

    def _wanted(self, ticket: Ticket | None, **parts: object) -> bool:
        facts = self._facts(ticket, **parts)
        return all((NONE if facts[key] is None else facts[key]) in values for key, values in self.query.where)

    def _facts(
        self,
        ticket: Ticket | None,
        clock: SlaRecord | None = None,
        survey: Survey | None = None,
        contact: Contact | None = None,
    ) -> dict[str, object]:
        names = ("kind", "customer", "country", "service", "supplier", "category", "assignment_group", "priority")
        facts: dict[str, object] = {name: getattr(ticket, name, None) for name in names}
        if clock is not None:
            facts["supplier"] = clock.supplier or facts["supplier"]
            facts |= {"sla.target": clock.target, "sla.agreement": clock.agreement}
        for owner in (survey, contact):
            if owner is not None:
                facts |= {key: getattr(owner, key) or facts[key] for key in ("customer", "country", "service")}
        if survey is not None:
            facts["survey.kind"] = survey.kind
        return facts
