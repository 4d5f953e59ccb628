"""SLA clocks of the world as rows of task_sla."""

from __future__ import annotations

from msgspec.structs import replace

from connectors.sandbox.servicenow.business import ALWAYS, BUSINESS, NONE, ZONE, runs_out, worked
from connectors.sandbox.servicenow.instance import SYSTEM, Instance, sys_id_of
from connectors.sandbox.servicenow.masterdata import MasterData
from connectors.sandbox.servicenow.moments import stored, stored_duration
from connectors.sandbox.world import WorldSla, WorldTicket

Holds = tuple[tuple[int, int | None], ...]


def hold_times(ticket: WorldTicket) -> Holds:
    """When the ticket was on hold: (from, until), the last perhaps without end."""
    holds: list[tuple[int, int | None]] = []
    since: int | None = None
    for event in ticket.events:
        state = event.changes.get("state")
        if state == "on_hold" and since is None:
            since = event.at
        elif state is not None and state != "on_hold" and since is not None:
            holds.append((since, event.at))
            since = None
    if since is not None:
        holds.append((since, None))
    return tuple(holds)


class SlaClock:
    """One task_sla row over time. ``instants``: when it changes (start, pauses, breach, stop).

    ``schedule`` is one of :data:`connectors.sandbox.servicenow.business.SCHEDULES`. The world's clocks run always; one
    that runs in business hours is counted, and breaches, by these.
    """

    __slots__ = ("holds", "instants", "schedule", "sla", "sys_id", "task_id")

    def __init__(
        self, ticket: WorldTicket, sla: WorldSla, task_id: str, index: int, holds: Holds, schedule: str = ALWAYS
    ) -> None:
        self.task_id = task_id
        self.sys_id = sys_id_of("task_sla", str(ticket.uid), str(index))
        self.holds = holds if holds and sla.target == "resolution" else ()
        self.schedule = schedule
        self.sla = sla = self._in_business_hours(sla) if schedule == BUSINESS else sla
        start, stop = sla.start, sla.stop
        instants = [start]
        for hold in self.holds:
            instants += [at for at in hold if at is not None and start < at and (stop is None or at < stop)]
        if sla.breached and (stop is None or sla.breach_at < stop):
            instants.append(sla.breach_at)
        if stop is not None:
            instants.append(stop)
        self.instants = instants

    def changes(self, then: int, now: int) -> bool:
        """Whether the row changed after ``then`` until ``now``."""
        start, *later = self.instants
        return then < start <= now or any(then < at <= now for at in later)

    def paused(self, until: int) -> tuple[int, int | None]:
        """Seconds off the clock in pauses that have ended, and since when an open one runs."""
        total = 0
        end = self.sla.stop if self.sla.stop is not None else until
        for since, till in self.holds:
            if since < self.sla.start or since >= min(until + 1, end):
                continue
            if till is None or till > until:
                return total, since
            total += min(till, end) - since
        return total, None

    def running(self) -> Holds:
        """When it was not paused."""
        spans: list[tuple[int, int | None]] = []
        begin: int | None = self.sla.start
        for since, till in self.holds:
            if begin is not None and since > begin:
                spans.append((begin, since))
            begin = till if till is None or begin is None else max(till, begin)
        if begin is not None:
            spans.append((begin, None))
        return tuple(spans)

    def _in_business_hours(self, sla: WorldSla) -> WorldSla:
        self.sla = sla
        breach_at = runs_out(self.running(), sla.goal_s)
        breached = breach_at is not None and (sla.stop is None or breach_at < sla.stop)
        return replace(sla, breach_at=sla.breach_at if breach_at is None else breach_at, breached=breached)


class SlaRows:
    """Writes clocks as rows of task_sla."""

    def __init__(self, instance: Instance, master: MasterData) -> None:
        self._make = instance.maker("task_sla", COLUMNS)
        self._instance = instance
        self._table = instance.tables["task_sla"]
        self._master = master

    def show(self, clock: SlaClock, now: int) -> None:
        """The clock's row as of ``now``."""
        self._table.put(self._make(self._values(clock, now)))

    def _values(self, clock: SlaClock, now: int) -> tuple[str, ...]:
        """sys_id, sys_updated_on and the values of :data:`COLUMNS`."""
        sla = clock.sla
        is_stopped = sla.stop is not None and sla.stop <= now
        reached = clock.instants if is_stopped else self._refreshed(clock, now)
        updated = max(reached)
        paused, pausing_since = clock.paused(updated) if clock.holds else (0, None)
        elapsed = sla.elapsed_s if is_stopped else min(sla.elapsed_s, max(0, updated - sla.start - paused))
        percentage = f"{100 * elapsed / sla.goal_s:.2f}" if sla.goal_s else "0"
        stage = "in_progress" if pausing_since is None else "paused"
        if is_stopped:
            stage = "cancelled" if sla.cancelled else "completed"
        start, breach, changed = stored(sla.start), stored(sla.breach_at), stored(updated)
        planned = sla.start + sla.goal_s
        duration, left = stored_duration(elapsed), stored_duration(sla.goal_s - elapsed)
        pause = stored_duration(paused) if paused else NO_TIME
        of_business = (duration, pause, left, percentage, self._master.schedule, "UTC")
        if clock.schedule == BUSINESS:
            planned = runs_out([(sla.start, None)], sla.goal_s) or planned
            of_business = self._of_business(clock, updated)
        elif clock.schedule == NONE:
            of_business = ("", "", "", "", "", "UTC")
        business_duration, business_pause, business_left, business_percentage, schedule, zone = of_business
        return (
            clock.sys_id,
            changed,
            start,
            SYSTEM,
            SYSTEM,
            str(len(reached) - 1),
            clock.task_id,
            self._master.agreement(sla.name, sla.agreement, sla.target, sla.goal_s, sla.supplier),
            stage,
            "false" if is_stopped else "true",
            "true" if sla.breached and (is_stopped or sla.breach_at in reached) else "false",
            start,
            stored(sla.stop) if is_stopped and sla.stop is not None else "",
            breach,
            breach if planned == sla.breach_at else stored(planned),
            duration,
            business_duration,
            pause,
            business_pause,
            stored(pausing_since) if pausing_since is not None and not is_stopped else "",
            left,
            business_left,
            percentage,
            business_percentage,
            schedule,
            zone,
        )

    def _of_business(self, clock: SlaClock, updated: int) -> tuple[str, str, str, str, str, str]:
        """Elapsed time, pauses, time left, percentage, schedule and zone of a clock that runs in business hours."""
        sla, until = clock.sla, updated if clock.sla.stop is None else min(updated, clock.sla.stop)
        elapsed = worked(clock.running(), until)
        return (
            stored_duration(elapsed),
            stored_duration(worked(clock.holds, until)),
            stored_duration(sla.goal_s - elapsed),
            f"{100 * elapsed / sla.goal_s:.2f}" if sla.goal_s else "0",
            self._master.business_hours(),
            ZONE,
        )

    def _refreshed(self, clock: SlaClock, now: int) -> list[int]:
        """The instants at which a running row was written: a stale one tells nothing of its breach."""
        reached = [at for at in clock.instants if at <= now]
        if self._instance.config.stale_clocks:
            reached = [at for at in reached if at != clock.sla.breach_at] or reached[:1]
        return reached


NO_TIME = stored_duration(0)
COLUMNS = (
    "sys_created_on",
    "sys_created_by",
    "sys_updated_by",
    "sys_mod_count",
    "task",
    "sla",
    "stage",
    "active",
    "has_breached",
    "start_time",
    "end_time",
    "planned_end_time",
    "original_breach_time",
    "duration",
    "business_duration",
    "pause_duration",
    "business_pause_duration",
    "pause_time",
    "time_left",
    "business_time_left",
    "percentage",
    "business_percentage",
    "schedule",
    "timezone",
)
