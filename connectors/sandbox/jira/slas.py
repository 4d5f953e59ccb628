"""SLA fields and satisfaction as Jira Service Management shows them at the sandbox clock."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from connectors.sandbox.jira.catalogue import SLA_FIELDS, WORKING, Field
from connectors.sandbox.jira.model import Issue
from connectors.sandbox.jira.times import ZoneText, friendly
from connectors.sandbox.world import WorldSla

FIELD_AGREEMENT: dict[str, tuple[str, str]] = {field.id: pair for pair, field in SLA_FIELDS.items()}


def cycles_of(issue: Issue, field_id: str, now: int) -> list[WorldSla]:
    """The clocks of one SLA field that have started, in order of their start."""
    if issue.ticket is None or not issue.ticket.slas:
        return []
    agreement, target = FIELD_AGREEMENT[field_id]
    return [
        clock
        for clock in issue.ticket.slas
        if clock.agreement == agreement and clock.target == target and clock.start <= now
    ]


def is_running(clock: WorldSla, now: int) -> bool:
    """Whether a clock has started and not stopped."""
    return clock.stop is None or clock.stop > now


def is_breached(clock: WorldSla, now: int) -> bool:
    """Whether its goal has run out by now."""
    return clock.breached and clock.breach_at <= now


class ClockTexts:
    """The JSON texts of some SLA fields of an issue at an instant; all in one go over the issue's clocks."""

    def __init__(self, fields: Sequence[Field], times: ZoneText, links: str) -> None:
        self._date = times.sla_date
        self._places = {FIELD_AGREEMENT[field.id]: place for place, field in enumerate(fields)}
        self._heads = [
            f'{{"id":"{field.id.removeprefix("customfield_")}","name":"{field.name}",'
            f'"_links":{{"self":"{links}"}},"completedCycles":['
            for field in fields
        ]

    def of(self, issue: Issue, now: int) -> list[str]:
        """A text per field, in the fields' order; ``null`` where no goal ever matched."""
        texts = ["null"] * len(self._heads)
        cycles: dict[int, list[WorldSla]] = {}
        for clock in issue.ticket.slas if issue.ticket is not None else ():
            place = self._places.get((clock.agreement, clock.target))
            if place is not None and clock.start <= now:
                cycles.setdefault(place, []).append(clock)
        for place, clocks in cycles.items():
            done, running = [], ""
            for clock in clocks:
                if clock.stop is not None and clock.stop <= now:
                    done.append(self._completed(clock, clock.stop))
                else:
                    running = f',"ongoingCycle":{self._ongoing(clock, issue, now)}'
            texts[place] = f"{self._heads[place]}{','.join(done)}]{running}}}"
        return texts

    def _completed(self, clock: WorldSla, stop: int) -> str:
        date = self._date
        return (
            f'{{"startTime":{date(clock.start)},"stopTime":{date(stop)},'
            f'"breachTime":{date(clock.breach_at)},"breached":{"true" if clock.breached else "false"},'
            f'"goalDuration":{_goal(clock.goal_s)},"elapsedTime":{_duration(clock.elapsed_s)},'
            f'"remainingTime":{_duration(clock.goal_s - clock.elapsed_s)}}}'
        )

    def _ongoing(self, clock: WorldSla, issue: Issue, now: int) -> str:
        elapsed = max(0, now - clock.start)
        if not clock.breached or clock.breach_at > now:
            elapsed = min(elapsed, clock.goal_s)
        paused = issue.status.category is WORKING.category and issue.status is not WORKING
        return (
            f'{{"startTime":{self._date(clock.start)},"breachTime":{self._date(clock.breach_at)},'
            f'"breached":{"true" if is_breached(clock, now) else "false"},"paused":{"true" if paused else "false"},'
            f'"withinCalendarHours":true,"goalDuration":{_goal(clock.goal_s)},'
            f'"elapsedTime":{_duration(elapsed)},"remainingTime":{_duration(clock.goal_s - elapsed)}}}'
        )


def _duration(seconds: int) -> str:
    return f'{{"millis":{seconds * 1000},"friendly":"{friendly(seconds)}"}}'


_goal = lru_cache(maxsize=256)(_duration)  # goals are few; what has elapsed differs from clock to clock


def rating(issue: Issue, now: int) -> int | None:
    """The satisfaction rating, once the customer has answered."""
    if issue.extras is not None and "feedback" in issue.extras.values:  # given or deleted through the API
        given = issue.extras.values["feedback"]
        return given.rating if given is not None else None
    survey = issue.ticket.survey if issue.ticket is not None else None
    if survey is None or survey.answered is None or survey.answered > now or survey.score is None:
        return None
    return survey.score


def satisfaction(issue: Issue, now: int) -> str:
    """The satisfaction field, as JSON text."""
    score = rating(issue, now)
    return f'{{"rating":{score}}}' if score is not None else "null"


def answered_at(issue: Issue, now: int) -> int | None:
    """When the customer answered."""
    given = issue.extras.values.get("feedback") if issue.extras is not None else None
    if given is not None:
        return int(given.at)
    if rating(issue, now) is None or issue.ticket is None or issue.ticket.survey is None:
        return None
    return issue.ticket.survey.answered


def satisfaction_date(issue: Issue, now: int, times: ZoneText) -> str:
    """The satisfaction date field, as JSON text."""
    answered = answered_at(issue, now)
    return f'"{times.iso(answered)}"' if answered is not None else "null"
