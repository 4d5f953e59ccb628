"""The metrics once more, record by record in plain Python: slow and obvious, to compare the fast ones with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from improvement import weeks
from improvement.metrics import NONE, CellQuery
from improvement.records import Contact, Outage, SlaRecord, Survey, Ticket
from tests.improvement.metrics.slow_mood import slow_mood
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
        outages: list[Outage],
        zones: Zones,
    ) -> None:
        self.tickets = {ticket.id: ticket for ticket in tickets}
        self.slas, self.surveys, self.contacts, self.outages, self.zones = slas, surveys, contacts, outages, zones

    def cells(self, query: CellQuery, as_of: datetime, first: int, last: int) -> list[tuple[object, ...]]:
        """``(by…, week, numerator, denominator)`` sorted."""
        self.query, self.as_of, self.first, self.last = query, as_of, first, last
        if query.metric == "contact_gap":
            return sorted(self._contact_gap())
        if query.metric in ("backlog_age_p90", "problem_age_p90"):
            return sorted(self._ages_p90(only_problems=query.metric == "problem_age_p90"))
        if query.metric == "mood_index":
            return sorted(slow_mood(self))
        rows: Callable[[], Iterable[Row]] = getattr(self, f"_{query.metric}")
        sums: dict[tuple[tuple[str, ...], int], list[float]] = defaultdict(lambda: [0.0, 0.0])
        for scope, week, numerator, denominator in rows():
            cell = sums[scope, week]
            cell[0] += numerator
            cell[1] += denominator
        if query.metric in ("incident_count", "major_incident_count", "backlog_open", "complaint_count"):
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

    def _reassignment_rate(self) -> Iterable[Row]:
        for ticket in self._counted():
            yield from self._row(ticket, ticket.resolved_at, ticket.reassignment_count > 0, 1)

    def _first_contact_resolution_rate(self) -> Iterable[Row]:
        for ticket in self._incidents():
            is_solved = ticket.reassignment_count == 0 and ticket.reopen_count == 0
            yield from self._row(ticket, ticket.resolved_at, is_solved, 1)

    def _repeat_incident_rate(self) -> Iterable[Row]:
        alike = [one for one in self._incidents() if one.service and one.category and one.opened_at]
        alike = [one for one in alike if one.opened_at is not None and one.opened_at <= self.as_of]
        for ticket in alike:
            is_repeat = any(_is_repeat(ticket, other) for other in alike if other is not ticket)
            yield from self._row(ticket, ticket.opened_at, is_repeat, 1)

    def _ages_p90(self, *, only_problems: bool) -> Iterable[tuple[object, ...]]:
        ages: dict[tuple[tuple[str, ...], int], list[int]] = defaultdict(list)
        for ticket in self._counted():
            if (
                ticket.opened_at is None
                or ticket.opened_at > self.as_of
                or (only_problems and ticket.kind != "problem")
            ):
                continue
            opened, done = self._day(ticket.opened_at, ticket.country), self._done(ticket)
            for week in range(self.first, self.last + 1):
                sunday = weeks.day_of(weeks.sunday(week))
                is_done = done is not None and done <= self.as_of and self._day(done, ticket.country) <= sunday
                if opened <= sunday and not is_done:
                    ages[self._scope(ticket), week].append(sunday - opened)
        return [(*scope, week, _ninetieth(days), 1.0) for (scope, week), days in ages.items()]

    def _availability(self) -> Iterable[Row]:
        """Minute by minute would be too slow: second by second of the local clock, as ranges."""
        known = [one for one in self.outages if one.begin_at is not None and one.begin_at <= self.as_of]
        known = [one for one in known if self._week_of(one.begin_at, one.country) <= self.last]
        if not known:
            return
        recorded = min(self._day(one.begin_at, one.country) for one in known if one.begin_at)
        first_day: dict[tuple[tuple[str, ...], tuple[str | None, ...]], list[int]] = defaultdict(list)
        down: dict[tuple[tuple[str, ...], tuple[str | None, ...]], list[Outage]] = defaultdict(list)
        for ticket in self.tickets.values():
            if ticket.opened_at and ticket.opened_at <= self.as_of and ticket.service and self._wanted(ticket):
                thing = self._scope(ticket), (ticket.customer, ticket.country, ticket.service)
                first_day[thing].append(self._day(ticket.opened_at, ticket.country))
        for outage in known:
            if outage.kind == "outage" and outage.begin_at and self._wanted(None, outage=outage):
                thing = self._scope(None, outage=outage), (outage.customer, outage.country, outage.service)
                first_day[thing].append(self._day(outage.begin_at, outage.country))
                down[thing].append(outage)
        for thing, days in first_day.items():
            start = (max(min(days), recorded) + 3) // 7
            for week in range(max(start, self.first), self.last + 1):
                yield thing[0], week, 10_080, 10_080
            for week, minutes in self._lost(down[thing]).items():
                yield thing[0], week, -minutes, 0

    def _lost(self, outages: list[Outage]) -> dict[int, float]:
        """Minutes of the weeks asked for that any of these outages covers, each counted once."""
        lost: dict[int, float] = defaultdict(float)
        until = 0
        for outage in sorted(outages, key=lambda one: (int(one.begin_at.timestamp()), one.id)):  # type: ignore[union-attr]
            assert outage.begin_at is not None
            begin, end = int(outage.begin_at.timestamp()), int(min(outage.end_at or self.as_of, self.as_of).timestamp())
            begin, until = max(begin, until), max(until, end)
            zone = ZoneInfo(self.zones.by_country.get(str(outage.country), self.zones.default))
            ahead = int((outage.begin_at.astimezone(zone).utcoffset() or timedelta()).total_seconds())
            for week in range(self.first, self.last + 1):
                monday = weeks.day_of(weeks.monday(week)) * 86_400 - ahead
                lost[week] += max(min(end, monday + 7 * 86_400) - max(begin, monday), 0) / 60
        return {week: minutes for week, minutes in lost.items() if minutes}

    def _csat_low_share(self) -> Iterable[Row]:
        for scope, week, score, _ in self._csat_mean():
            yield scope, week, score <= 2, 1

    def _nps(self) -> Iterable[Row]:
        for survey in self.surveys:
            ticket = self.tickets.get(survey.ticket_id or "")
            if survey.kind != "nps" or survey.score is None or not self._wanted(ticket, survey=survey):
                continue
            score, low, high = survey.score, survey.scale_min, survey.scale_max
            if low is not None and high is not None and high > low:
                score = 10 * (score - low) / (high - low)
            side = 1 if score >= 9 else -1 if score < 7 else 0
            yield from self._row(ticket, survey.answered_at, side, 1, survey=survey)

    def _survey_response_rate(self) -> Iterable[Row]:
        week = timedelta(days=7)
        for survey in self.surveys:
            ticket = self.tickets.get(survey.ticket_id or "")
            if survey.sent_at is None or survey.sent_at + week > self.as_of or not self._wanted(ticket, survey=survey):
                continue
            is_late = survey.answered_at is None or survey.answered_at > survey.sent_at + week
            yield from self._row(ticket, survey.sent_at, survey.score is not None and not is_late, 1, survey=survey)

    def _complaint_count(self) -> Iterable[Row]:
        since = self._recorded_since("complaint")
        for ticket in self._counted():
            for scope, week, *_ in self._row(ticket, ticket.opened_at, 1, 1):
                if since is not None:
                    yield scope, max(week, (since + 3) // 7), 0, 1
        yield from self._said("complaint", 1)

    def _escalation_rate(self) -> Iterable[Row]:
        yield from self.per_ticket("escalation")

    def per_ticket(self, kind: str) -> Iterable[Row]:
        """What customers said of a kind, and the tickets opened."""
        since = self._recorded_since(kind)
        for ticket in self._counted():
            if ticket.kind not in ("incident", "request") or since is None or ticket.opened_at is None:
                continue
            if self._day(ticket.opened_at, ticket.country) >= since:
                yield from self._row(ticket, ticket.opened_at, 0, 1)
        yield from self._said(kind, 0)

    def _said(self, kind: str, denominator: int) -> Iterable[Row]:
        for contact in self.contacts:
            if contact.kind == kind and self._wanted(None, contact=contact):
                yield from self._row(None, contact.at, 1, denominator, contact=contact)

    def _recorded_since(self, kind: str) -> int | None:
        days = [
            self._day(one.at, one.country)
            for one in self.contacts
            if one.kind == kind and one.at is not None and one.at <= self.as_of
        ]
        days = [day for day in days if (day + 3) // 7 <= self.last]
        return min(days) if days else None

    def _contact_gap(self) -> Iterable[tuple[object, ...]]:
        spoken: dict[tuple[tuple[str, ...], str], list[int]] = defaultdict(list)
        opened: dict[tuple[tuple[str, ...], str], list[int]] = defaultdict(list)
        for contact in self.contacts:
            if contact.kind in ("complaint", "escalation"):
                continue
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

    def _incidents(self) -> Iterable[Ticket]:
        is_asked = dict(self.query.where).get("kind")
        return (one for one in self._counted() if is_asked or one.kind == "incident")

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

    def _week_of(self, moment: datetime | None, country: object) -> int:
        assert moment is not None
        return (self._day(moment, country) + 3) // 7

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
        outage: Outage | None = None,
    ) -> dict[str, object]:
        names = ("kind", "customer", "country", "service", "supplier", "category", "assignment_group", "priority")
        facts: dict[str, object] = {name: getattr(ticket, name, None) for name in names}
        if clock is not None:
            facts["supplier"] = clock.supplier or facts["supplier"]
            facts |= {"sla.target": clock.target, "sla.agreement": clock.agreement}
        for owner in (survey, contact, outage):
            if owner is not None:
                facts |= {key: getattr(owner, key) or facts[key] for key in ("customer", "country", "service")}
        if survey is not None:
            facts["survey.kind"] = survey.kind
        return facts


def _is_repeat(ticket: Ticket, other: Ticket) -> bool:
    assert ticket.opened_at is not None
    assert other.opened_at is not None
    is_same = all(getattr(ticket, key) == getattr(other, key) for key in ("customer", "country", "service", "category"))
    is_earlier = (other.opened_at, other.id) < (ticket.opened_at, ticket.id)
    return is_same and is_earlier and (ticket.opened_at - other.opened_at).total_seconds() <= 7 * 86_400


def _ninetieth(days: list[int]) -> float:
    ordered = sorted(days)
    place = 0.9 * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
