"""The parts that tickets of a scope share or repeat: dicts of changes, and SLA, OLA and UC clocks."""

from __future__ import annotations

from connectors.sandbox import levels
from connectors.sandbox.world import Value, WorldSla

INTERNAL_SUPPLIERS = frozenset({"Shared Services", "Desk Partners"})  # bound by an OLA; others by a contract (UC)


class Changes:
    """The few dicts of changes that a scope's events share, made once each."""

    def __init__(self, groups: list[str]) -> None:
        self._groups = groups
        self._known: dict[tuple[object, ...], dict[str, Value]] = {}
        self.hold: dict[str, Value] = {"state": "on_hold"}
        self.resume: dict[str, Value] = {"state": "in_progress"}
        self.resolve: dict[str, Value] = {"state": "resolved"}
        self.close: dict[str, Value] = {"state": "closed"}
        self.cancel: dict[str, Value] = {"state": "cancelled"}
        self.reopen: dict[str, Value] = {"state": "in_progress", "reopen_count": 1}

    def opening(self, priority: int, is_major: bool) -> dict[str, Value]:
        """The opening: new, with the service desk."""
        key = ("opening", priority, is_major)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = {
                "state": "new",
                "assignment_group": self._groups[0],
                "reopen_count": 0,
                "reassignment_count": 0,
                "priority": priority,
                "is_major": is_major,
            }
        return found

    def begin(self, assignee: str) -> dict[str, Value]:
        """Somebody takes the ticket."""
        key = ("begin", assignee)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = {"state": "in_progress", "assignee": assignee}
        return found

    def reassign(self, group: int, assignee: str, number: int) -> dict[str, Value]:
        """Another group takes over; ``number`` counts from 1."""
        key = ("reassign", group, assignee, number)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = {
                "assignment_group": self._groups[group],
                "assignee": assignee,
                "reassignment_count": number,
            }
        return found


class Clocks:
    """The SLA, OLA and UC clocks of a scope's incidents."""

    def __init__(self, supplier: str | None) -> None:
        self._supplier = supplier
        self._agreement = "ola" if supplier in INTERNAL_SUPPLIERS else "uc"
        self._response = {p: f"Incident response P{p}" for p in levels.GOAL_H}
        self._resolution = {p: f"Incident resolution P{p}" for p in levels.GOAL_H}
        self._supplied = {p: f"{supplier} {self._agreement.upper()} resolution P{p}" for p in levels.GOAL_H}

    def resolved(
        self,
        opened: int,
        priority: int,
        is_breached: bool,
        work: int,
        respond: int,
        hold_from: int,
        pause: int,
        has_supplier: bool,
        supplier_is_late: bool,
        supplier_part: float,
    ) -> list[WorldSla]:
        """Clocks of an incident solved after ``work`` seconds on the clock and one ``pause`` off it."""
        goal = levels.GOAL_H[priority] * 3600
        slas = [
            self._responded(opened, priority, respond),
            WorldSla(
                "resolution",
                "sla",
                self._resolution[priority],
                goal,
                opened,
                opened + work + pause,
                opened + goal + (pause if goal > hold_from else 0),
                is_breached,
                work,
                None,
            ),
        ]
        if has_supplier:
            supplied = int(0.8 * goal)
            room = work - respond
            if supplier_is_late and room > supplied + 60:
                spent = supplied + max(60, int(supplier_part * (room - supplied)))
            else:
                spent = max(1, int(supplier_part * min(supplied, room)))
            begin = opened + respond
            slas.append(
                WorldSla(
                    "resolution",
                    self._agreement,
                    self._supplied[priority],
                    supplied,
                    begin,
                    begin + spent + (pause if respond + spent > hold_from else 0),
                    begin + supplied + (pause if respond + supplied > hold_from else 0),
                    spent > supplied,
                    spent,
                    self._supplier,
                )
            )
        return slas

    def reopened(self, again: int, priority: int, rework: int) -> WorldSla:
        """The second resolution clock of a reopened incident; always met."""
        goal = levels.GOAL_H[priority] * 3600
        return WorldSla(
            "resolution",
            "sla",
            self._resolution[priority],
            goal,
            again,
            again + rework,
            again + goal,
            rework > goal,
            rework,
            None,
        )

    def cancelled(self, opened: int, priority: int, ended: int) -> list[WorldSla]:
        """The resolution clock of a cancelled incident, cancelled with it."""
        goal = levels.GOAL_H[priority] * 3600
        elapsed = min(ended - opened, goal)
        return [
            WorldSla(
                "resolution",
                "sla",
                self._resolution[priority],
                goal,
                opened,
                opened + elapsed,
                opened + goal,
                False,
                elapsed,
                None,
                True,
            )
        ]

    def endless(self, opened: int, priority: int, respond: int, end: int) -> list[WorldSla]:
        """Clocks of an incident that nobody ever solves: breached, and running on at the world's end."""
        goal = levels.GOAL_H[priority] * 3600
        elapsed = max(end - opened, goal + 60)
        return [
            self._responded(opened, priority, respond),
            WorldSla(
                "resolution", "sla", self._resolution[priority], goal, opened, None, opened + goal, True, elapsed, None
            ),
        ]

    def _responded(self, opened: int, priority: int, respond: int) -> WorldSla:
        goal = levels.RESPONSE_GOAL_S[priority]
        return WorldSla(
            "response",
            "sla",
            self._response[priority],
            goal,
            opened,
            opened + respond,
            opened + goal,
            respond > goal,
            respond,
            None,
        )
