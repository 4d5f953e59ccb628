"""Replaying history: what weekly cycles would have found and opened, had these rules been live from a week on. Pure.

It is the live evaluation again: :func:`points`, :func:`advance` and :func:`choose`, week by week, on the same cells.
The first week is a first evaluation: it folds the weeks before it and opens nothing. What people would have done cannot
be known, so an action is taken to stay open for a time that the caller sets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from improvement.rules.cells import Cells
from improvement.rules.evaluation import points
from improvement.rules.findings import FindingMemory, FindingState, advance
from improvement.rules.judging import Point
from improvement.rules.opening import Candidate, OwnerOf, Proposal, choose, size_of
from improvement.rules.rule import Limits, Rule, SeriesKey
from improvement.rules.scope import Scope
from improvement.vocabulary import HAS_OPEN_TWIN

BACKFILL_WEEKS = 26  # how far back a rule's first evaluation looks
Lasting = Callable[[Rule], int | None]  # weeks an action stays open; None: for ever


@dataclass(frozen=True, slots=True)
class Series:
    """What one rule knows about one scope on one connection."""

    rule_id: str
    connection: str
    scope: Scope


@dataclass(slots=True)
class Episode:
    """One time that a scope fired, from its firing until it was resolved (None: not yet). Weeks are windows' ends."""

    series: Series
    point: Point  # that it fired on
    is_old: bool  # it fired in history that the first evaluation looked back on
    pending_week: int | None
    resolved_week: int | None = None
    opened_week: int | None = None  # the evaluated week in which an action opened on it
    waited: str = ""  # why it opened nothing, as last said

    @property
    def fired_week(self) -> int:
        """The last week of the window it fired on."""
        return self.point.week


@dataclass(frozen=True, slots=True)
class OpenedAction:
    """An action that would have opened; ``until`` is the week it is taken to be closed in."""

    rule_id: str
    connection: str
    scope: Scope
    members: tuple[Scope, ...]
    owner: str | None
    week: int
    until: int | None


@dataclass(frozen=True, slots=True)
class QueueLength:
    """How much was open and how much waited after a week's cycle."""

    week: int
    open_per_owner: Mapping[str | None, int]
    waiting: int


@dataclass(slots=True)
class Track:
    """What a replay knows of one series: its memory, its present or last episode, the values of its weeks."""

    series: Series
    memory: FindingMemory | None = None
    episode: Episode | None = None
    weeks_firing: int = 0
    published: dict[int, float | None] = field(default_factory=dict)  # week → the value that a page would have shown


@dataclass(slots=True)
class Replay:
    """What a replay found."""

    first_week: int
    last_week: int
    episodes: list[Episode] = field(default_factory=list)
    actions: list[OpenedAction] = field(default_factory=list)
    queue: list[QueueLength] = field(default_factory=list)
    points: Counter[str] = field(default_factory=Counter)  # by rule, of the replayed weeks
    unjudged: Counter[str] = field(default_factory=Counter)  # of these, how many said nothing
    tracks: dict[Series, Track] = field(default_factory=dict)


CellsOf = Mapping[str, Mapping[SeriesKey, Cells]]  # connection → cells by series


class Replaying:
    """A replay in progress: call :meth:`step` for one week after the other, from ``first_week`` on."""

    def __init__(
        self,
        rules: Sequence[Rule],
        cells: CellsOf,
        *,
        first_week: int,
        limits: Limits,
        owner_of: OwnerOf,
        lasting: Lasting,
    ) -> None:
        self._rules = {rule.id: rule for rule in rules}
        self._cells = cells
        self._limits = limits
        self._owner_of = owner_of
        self._lasting = lasting
        self._tracks: dict[tuple[str, str], dict[Scope, Track]] = {}  # rule and connection → its scopes
        self._actions: dict[Series, list[OpenedAction]] = {}  # those on a scope or on a parent that stands for it
        self.replay = Replay(first_week, first_week)

    @property
    def memories(self) -> dict[Series, FindingMemory]:
        """What every finding remembers now."""
        return {series: one.memory for series, one in self.replay.tracks.items() if one.memory is not None}

    def step(self, week: int) -> Replay:
        """One cycle when ``week`` is the last complete one: evaluate every connection, then open."""
        is_first = week == self.replay.first_week
        self.replay.last_week = week
        waiting = 0
        for connection in sorted(self._cells):
            for rule in self._rules.values():
                for at in range(week - BACKFILL_WEEKS + 1 if is_first else week, week + 1):
                    self._evaluate(rule, connection, at, is_old=is_first and at < week)
            waiting += self._open(connection, week, is_first=is_first)
        self.replay.queue.append(QueueLength(week, self._open_per_owner(week), waiting))
        return self.replay

    def _evaluate(self, rule: Rule, connection: str, week: int, *, is_old: bool) -> None:
        cells = self._cells[connection]
        tracks = self._tracks.setdefault((rule.id, connection), {})
        found = points(rule, cells[rule.key], connection=connection, week=week, companions=cells, also=tracks)
        unjudged = 0
        for point in found:
            track = tracks.get(point.scope) or self._new_track(rule, connection, point.scope)
            before, track.memory = track.memory, advance(track.memory, point, rule)
            self._follow(track, point, before, is_old=is_old)
            track.published[point.week] = point.value
            track.weeks_firing += not is_old and track.memory.state is FindingState.FIRING
            unjudged += point.is_breaching is None
        if not is_old:
            self.replay.points[rule.id] += len(found)
            self.replay.unjudged[rule.id] += unjudged

    def _new_track(self, rule: Rule, connection: str, scope: Scope) -> Track:
        track = Track(Series(rule.id, connection, scope))
        self.replay.tracks[track.series] = self._tracks[rule.id, connection][scope] = track
        return track

    def _follow(self, track: Track, point: Point, before: FindingMemory | None, *, is_old: bool) -> None:
        was_firing = before is not None and before.state is FindingState.FIRING
        memory = track.memory
        if memory is None:
            return
        if memory.state is FindingState.FIRING and not was_firing:
            track.episode = Episode(track.series, point, is_old, memory.first_pending_week)
            self.replay.episodes.append(track.episode)
        elif was_firing and memory.state is FindingState.RESOLVED and track.episode is not None:
            track.episode.resolved_week = point.week

    # --- opening ------------------------------------------------------------------------------------------------

    def _open(self, connection: str, week: int, *, is_first: bool) -> int:
        candidates = [
            self._candidate(track.episode, week, is_first)
            for (_, where), tracks in self._tracks.items()
            if where == connection
            for track in tracks.values()
            if track.episode is not None and track.memory is not None and track.memory.state is FindingState.FIRING
        ]
        choice = choose(
            candidates,
            owner_of=self._owner_of,
            open_per_owner=self._open_per_owner(week),
            budget=self._limits.budget,
            max_new=self._limits.max_new_actions,
        )
        waiting = 0
        for queued in choice.queued:
            waiting += self._wait(queued.proposal, queued.reason)
        for proposal in choice.opened:
            if self._has_twin(proposal, week):
                waiting += self._wait(proposal, HAS_OPEN_TWIN)
            else:
                self._opened(proposal, week)
        return waiting

    def _candidate(self, episode: Episode, week: int, is_first: bool) -> Candidate:
        series, point = episode.series, episode.point
        rule, own = self._rules[series.rule_id], self._actions.get(series, [])
        closed = [one.until for one in own if one.until is not None and one.until <= week]
        return Candidate(
            rule=rule,
            connection=series.connection,
            scope=series.scope,
            week=week,
            size=size_of(point.value, point.target.value),
            n=point.n,
            is_first_evaluation=is_first,
            has_open_action=any(_is_open(one, week) for one in own),
            closed_week=max(closed, default=None),
        )

    def _has_twin(self, proposal: Proposal, week: int) -> bool:
        return any(
            one.scope == proposal.scope
            and (one.rule_id, one.connection) == (proposal.rule.id, proposal.connection)
            and _is_open(one, week)
            for one in self.replay.actions
        )

    def _opened(self, proposal: Proposal, week: int) -> None:
        lasting = self._lasting(proposal.rule)
        members = tuple(member.scope for member in proposal.members)
        until = None if lasting is None else week + lasting
        action = OpenedAction(
            proposal.rule.id, proposal.connection, proposal.scope, members, proposal.owner, week, until
        )
        self.replay.actions.append(action)
        for episode in self._episodes(proposal):
            self._actions.setdefault(episode.series, []).append(action)
            episode.opened_week, episode.waited = week, ""

    def _wait(self, proposal: Proposal, reason: str) -> int:
        for episode in self._episodes(proposal):
            episode.waited = reason
        return len(proposal.members)

    def _episodes(self, proposal: Proposal) -> Iterator[Episode]:
        tracks = self._tracks[proposal.rule.id, proposal.connection]
        return (one for member in proposal.members if (one := tracks[member.scope].episode) is not None)

    def _open_per_owner(self, week: int) -> Counter[str | None]:
        return Counter(one.owner for one in self.replay.actions if _is_open(one, week))


def replay(
    rules: Sequence[Rule],
    cells: CellsOf,
    *,
    span: range,
    limits: Limits,
    owner_of: OwnerOf,
    lasting: Lasting,
) -> Replay:
    """Every week of the span, oldest first."""
    running = Replaying(rules, cells, first_week=span.start, limits=limits, owner_of=owner_of, lasting=lasting)
    for week in span:
        running.step(week)
    return running.replay


def _is_open(action: OpenedAction, week: int) -> bool:
    return action.week <= week and (action.until is None or week < action.until)
