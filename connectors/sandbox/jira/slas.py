"""SLA fields and satisfaction as Jira Service Management shows them at the sandbox clock."""

from __future__ import annotations

from collections.abc import Callable
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


def sla_renderer(field: Field, times: ZoneText, links: str) -> Callable[[Issue, int], str]:
    """A function that renders one SLA field of an issue at an instant; ``null`` where no goal ever matched."""
    agreement, target = FIELD_AGREEMENT[field.id]
    head = (
        f'{{"id":"{field.id.removeprefix("customfield_")}","name":"{field.name}",'
        f'"_links":{{"self":"{links}"}},"completedCycles":['
    )

    def instant(epoch: int) -> str:
        local = times.iso_sla(epoch)
        return (
            f'{{"iso8601":"{local}","jira":"{local[:-5]}.000{local[-5:]}",'
            f'"friendly":"{local[:16]}","epochMillis":{epoch * 1000}}}'
        )

    @lru_cache(maxsize=4096)
    def duration(seconds: int) -> str:
        return f'{{"millis":{seconds * 1000},"friendly":"{friendly(seconds)}"}}'

    def completed(clock: WorldSla) -> str:
        assert clock.stop is not None
        return (
            f'{{"startTime":{instant(clock.start)},"stopTime":{instant(clock.stop)},'
            f'"breachTime":{instant(clock.breach_at)},"breached":{"true" if clock.breached else "false"},'
            f'"goalDuration":{duration(clock.goal_s)},"elapsedTime":{duration(clock.elapsed_s)},'
            f'"remainingTime":{duration(clock.goal_s - clock.elapsed_s)}}}'
        )

    def ongoing(clock: WorldSla, issue: Issue, now: int) -> str:
        elapsed = max(0, now - clock.start)
        if not clock.breached or clock.breach_at > now:
            elapsed = min(elapsed, clock.goal_s)
        paused = issue.status.category is WORKING.category and issue.status is not WORKING
        return (
            f'{{"startTime":{instant(clock.start)},"breachTime":{instant(clock.breach_at)},'
            f'"breached":{"true" if is_breached(clock, now) else "false"},"paused":{"true" if paused else "false"},'
            f'"withinCalendarHours":true,"goalDuration":{duration(clock.goal_s)},'
            f'"elapsedTime":{duration(elapsed)},"remainingTime":{duration(clock.goal_s - elapsed)}}}'
        )

    def render(issue: Issue, now: int) -> str:
        if issue.ticket is None:
            return "null"
        done, running, is_any = [], "", False
        for clock in issue.ticket.slas:
            if clock.agreement != agreement or clock.target != target or clock.start > now:
                continue
            is_any = True
            if clock.stop is not None and clock.stop <= now:
                done.append(completed(clock))
            else:
                running = ongoing(clock, issue, now)
        if not is_any:
            return "null"
        tail = f',"ongoingCycle":{running}}}' if running else "}"
        return f"{head}{','.join(done)}]{tail}"

    return render


def rating(issue: Issue, now: int) -> int | None:
    """The satisfaction rating, once the customer has answered."""
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
    if rating(issue, now) is None or issue.ticket is None or issue.ticket.survey is None:
        return None
    return issue.ticket.survey.answered


def satisfaction_date(issue: Issue, now: int, times: ZoneText) -> str:
    """The satisfaction date field, as JSON text."""
    answered = answered_at(issue, now)
    return f'"{times.iso(answered)}"' if answered is not None else "null"
