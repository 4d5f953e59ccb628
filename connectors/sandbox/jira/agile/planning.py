"""Boards, sprints, epics and the order of issues: what Jira Software keeps beside the issues of a site."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from connectors.sandbox.jira.catalogue import EPIC, SPRINT
from connectors.sandbox.jira.model import HistoryItem, Issue

FUTURE, ACTIVE, CLOSED = "future", "active", "closed"
Rank = int | Fraction


@dataclass(slots=True)
class Board:
    """A board: the issues of a filter. ``location`` is the key of its project, empty for a person's own."""

    id: int
    name: str
    kind: str
    filter_id: str
    owner: str
    location: str = ""
    properties: dict[str, Any] = field(default_factory=dict)
    has_refined_velocity: bool = False


@dataclass(slots=True)
class Sprint:
    """A sprint of a board. All instants are epoch seconds UTC."""

    id: int
    board: int
    name: str
    created: int
    goal: str = ""
    state: str = FUTURE
    start: int | None = None
    end: int | None = None
    activated: int | None = None
    completed: int | None = None
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def is_closed(self) -> bool:
        """Whether it was completed."""
        return self.state == CLOSED


class Planning:
    """The boards and sprints of a site, and which issues are where.

    An issue keeps the ids of its sprints, its rank, epic and flag among its own values; a rank that nobody changed is
    the issue's id, so that issues stand in the order of their creation.
    """

    def __init__(self) -> None:
        self.boards: dict[int, Board] = {}
        self.sprints: dict[int, Sprint] = {}
        self.board_ids = itertools.count(1)
        self.sprint_ids = itertools.count(1)
        self._members: dict[int, set[int]] = {}  # sprint → issues
        self._children: dict[int, set[int]] = {}  # epic → issues
        self._given: list[Fraction] = []  # ranks that somebody gave, in order

    # --- sprints --------------------------------------------------------------------------------------------------

    def members(self, sprint: Sprint) -> frozenset[int]:
        """The ids of the issues that are or were in a sprint; some may be deleted since."""
        return frozenset(self._members.get(sprint.id, ()))

    def sprints_of(self, issue: Issue) -> list[Sprint]:
        """The sprints that an issue is or was in, oldest first."""
        return [self.sprints[id] for id in issue.value("sprints") or () if id in self.sprints]

    def open_sprint_of(self, issue: Issue) -> Sprint | None:
        """The one sprint in which an issue stands that is not closed."""
        return next((sprint for sprint in self.sprints_of(issue) if not sprint.is_closed), None)

    def put(self, issue: Issue, sprint: Sprint | None) -> HistoryItem | None:
        """Move an issue into a sprint, or to the backlog (None); closed sprints stay. The change, if it was one."""
        before = self.sprints_of(issue)
        after = [one for one in before if one.is_closed and one is not sprint]
        after += [sprint] if sprint is not None else []
        if before == after:
            return None
        for left in before:
            if left not in after:
                self._members[left.id].discard(issue.id)
        if sprint is not None:
            self._members.setdefault(sprint.id, set()).add(issue.id)
        issue.set_value("sprints", [one.id for one in after])
        ids, names = zip(*[_told(sprints) for sprints in (before, after)], strict=True)
        return HistoryItem("Sprint", SPRINT.id, True, ids[0], names[0], ids[1], names[1])

    def active_on(self, board: Board) -> Sprint | None:
        """The sprint under way on a board."""
        return next((one for one in self.sprints.values() if (one.board, one.state) == (board.id, ACTIVE)), None)

    def swap(self, sprint: Sprint, other: Sprint) -> None:
        """Let two sprints change places in the list of sprints."""
        places = {sprint.id: other, other.id: sprint}
        self.sprints = {one.id: one for one in (places.get(id, known) for id, known in self.sprints.items())}

    def drop(self, sprint: Sprint) -> None:
        """Delete a sprint; its issues know it no more."""
        del self.sprints[sprint.id]
        self._members.pop(sprint.id, None)

    # --- epics ----------------------------------------------------------------------------------------------------

    def children(self, epic_id: int) -> frozenset[int]:
        """The ids of the issues of an epic; some may be deleted since."""
        return frozenset(self._children.get(epic_id, ()))

    def adopt(self, issue: Issue, epic: Issue | None) -> None:
        """Put an issue into an epic, or into none."""
        known = issue.value("epic")
        if known is not None:
            self._children.get(known, set()).discard(issue.id)
        issue.set_value("epic", epic.id if epic is not None else None)
        if epic is not None:
            self._children.setdefault(epic.id, set()).add(issue.id)

    # --- order ----------------------------------------------------------------------------------------------------

    def place(self, issues: Sequence[Issue], other: Issue, *, is_before: bool) -> Iterator[tuple[Issue, bool]]:
        """Rank issues right before or after another one, in the order given; tells of each whether it went up."""
        neighbour = other
        for issue in issues:
            if issue is other:
                continue
            old = rank_of(issue)
            if isinstance(old, Fraction):
                del self._given[bisect.bisect_left(self._given, old)]
            new = self._beside(rank_of(neighbour), is_before=is_before)
            bisect.insort(self._given, new)
            issue.set_value("rank", new)
            neighbour = other if is_before else issue
            yield issue, new < old

    def _beside(self, rank: Rank, *, is_before: bool) -> Fraction:
        """A rank between this one and the next: of those given, or of an issue's id."""
        if is_before:
            first = bisect.bisect_left(self._given, rank)
            bound = max([Fraction(math.ceil(rank) - 1), *self._given[max(first - 1, 0) : first]])
        else:
            first = bisect.bisect_right(self._given, rank)
            bound = min([Fraction(math.floor(rank) + 1), *self._given[first : first + 1]])
        return (rank + bound) / 2


def rank_of(issue: Issue) -> Rank:
    """Where an issue stands in the order of all issues; lower comes first."""
    rank: Rank | None = issue.extras.values.get("rank") if issue.extras is not None else None
    return rank if rank is not None else issue.id


def is_epic(issue: Issue) -> bool:
    """Whether other issues may be in it."""
    return issue.type.id == EPIC.id


def ranked(issues: Iterable[Issue]) -> list[Issue]:
    """Issues in the order that people gave them."""
    return sorted(issues, key=rank_of)


def _told(sprints: Sequence[Sprint]) -> tuple[str, str]:
    """Sprints as the changelog names them: ids, and names."""
    return ", ".join(str(one.id) for one in sprints), ", ".join(one.name for one in sprints)
