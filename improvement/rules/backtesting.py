"""What a replay comes to: findings per scope and month, actions, workload, what happens with nobody acting. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from improvement import weeks
from improvement.plurals import how_many
from improvement.rules.replaying import CellsOf, Episode, OpenedAction, Replay, Series
from improvement.rules.rule import Rule
from improvement.rules.untreated import Acted, Untreated, untreated

PLACEBO_WEEKS = 13  # as long as an action is looked at after its go-live


@dataclass(frozen=True, slots=True)
class Placebo:
    """How many findings cleared with nobody acting: what an action must do better than.

    ``followed`` were seen for ``weeks`` weeks after they fired, or cleared before; ``cleared`` of them did so within
    these. Left out: ``acted``, where people acted meanwhile, and ``too_new``, which fired too late to know.
    """

    weeks: int
    followed: int
    cleared: int
    median_weeks: float | None
    acted: int
    too_new: int

    @property
    def share(self) -> float | None:
        """The share that cleared by itself, None where nothing could be followed."""
        return self.cleared / self.followed if self.followed else None

    @property
    def sentence(self) -> str:
        """The placebo in words."""
        if not self.followed:
            return f"Too new to say how much clears by itself within {self.weeks} weeks."
        text = (
            f"{self.cleared} of {how_many(self.followed, 'finding')} ({self.share:.0%}) cleared within "
            f"{how_many(self.weeks, 'week')}"
        )
        return f"{text} with nobody acting."

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "within_weeks": self.weeks,
            "followed": self.followed,
            "cleared": self.cleared,
            "share": self.share,
            "median_weeks": self.median_weeks,
            "left_out_acted": self.acted,
            "left_out_too_new": self.too_new,
        }


@dataclass(frozen=True, slots=True)
class ScopeTally:
    """One scope of one rule."""

    series: Series
    fired: int
    weeks_firing: int
    opened: int
    by_month: Mapping[str, int]
    waits: str

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "connection": self.series.connection,
            "scope": self.series.scope.as_dict(),
            "fired": self.fired,
            "weeks_firing": self.weeks_firing,
            "opened": self.opened,
            "by_month": dict(self.by_month),
            "waits": self.waits or None,
        }


@dataclass(frozen=True, slots=True)
class RuleTally:
    """One rule over the whole span."""

    rule: Rule
    values: int
    unjudged: int  # values that said nothing: too few samples, no past …
    firing_at_start: int
    fired: int
    resolved: int
    firing_at_end: int
    opened: int
    never_opened: int
    placebo: Placebo
    untreated: Untreated
    untreated_on: Mapping[str, Untreated]  # by connection
    scopes: tuple[ScopeTally, ...]

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rule": self.rule.id,
            "title": self.rule.title,
            "version": self.rule.sha256,
            "mode": self.rule.mode.value,
            "values": self.values,
            "values_that_say_nothing": self.unjudged,
            "firing_at_start": self.firing_at_start,
            "fired": self.fired,
            "resolved": self.resolved,
            "firing_at_end": self.firing_at_end,
            "opened": self.opened,
            "never_opened": self.never_opened,
            "cleared_by_itself": self.placebo.as_dict(),
            "untreated": self.untreated.as_dict(),
            "untreated_by_connection": {name: line.as_dict() for name, line in self.untreated_on.items()},
            "scopes": [scope.as_dict() for scope in self.scopes],
        }


@dataclass(frozen=True, slots=True)
class OwnerLoad:
    """What one owner would have had to do."""

    owner: str
    opened: int
    per_month: float
    most_open: int
    weeks_at_budget: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month of all rules: scopes that began to fire, actions that opened."""

    month: str
    fired: int
    opened: int


def tally(rule: Rule, found: Replay, cells: CellsOf, *, acted: Acted) -> RuleTally:
    """What a replay of these cells says of one rule."""
    episodes = [one for one in found.episodes if one.series.rule_id == rule.id]
    new = [one for one in episodes if not one.is_old]
    carried = [one for one in episodes if one.is_old and not _is_over(one, found.first_week - 1)]
    actions = [one for one in found.actions if one.rule_id == rule.id]
    line, line_on = untreated(rule, new, cells, last_week=found.last_week, acted=acted)
    return RuleTally(
        rule=rule,
        values=found.points[rule.id],
        unjudged=found.unjudged[rule.id],
        firing_at_start=len(carried),
        fired=len(new),
        resolved=sum(one.resolved_week is not None for one in (*new, *carried)),
        firing_at_end=sum(one.resolved_week is None for one in (*new, *carried)),
        opened=len(actions),
        never_opened=sum(one.opened_week is None for one in (*new, *carried)),
        placebo=placebo(new, last_week=found.last_week, acted=acted),
        untreated=line,
        untreated_on=line_on,
        scopes=_scopes(rule, [*new, *carried], found),
    )


def placebo(episodes: Iterable[Episode], *, last_week: int, acted: Acted, within: int = PLACEBO_WEEKS) -> Placebo:
    """How many of these findings cleared within so many weeks, with nobody acting."""
    followed, durations, left, young = 0, [], 0, 0
    for one in episodes:
        end = one.resolved_week if one.resolved_week is not None else last_week
        horizon = min(end, one.fired_week + within)
        if acted(one, horizon):
            left += 1
        elif last_week - one.fired_week < within:  # also one that cleared: those that did not yet would be missing
            young += 1
        else:
            followed += 1
            if one.resolved_week is not None and one.resolved_week - one.fired_week <= within:
                durations.append(one.resolved_week - one.fired_week)
    return Placebo(within, followed, len(durations), median(durations) if durations else None, left, young)


def _is_over(episode: Episode, week: int) -> bool:
    return episode.resolved_week is not None and episode.resolved_week <= week


def _scopes(rule: Rule, episodes: Sequence[Episode], found: Replay) -> tuple[ScopeTally, ...]:
    of: dict[Series, list[Episode]] = defaultdict(list)
    for episode in episodes:
        of[episode.series].append(episode)
    opened = Counter(
        Series(rule.id, action.connection, scope)
        for action in found.actions
        if action.rule_id == rule.id
        for scope in action.members
    )
    tallies = [
        ScopeTally(
            series=series,
            fired=sum(not one.is_old for one in own),
            weeks_firing=found.tracks[series].weeks_firing,
            opened=opened[series],
            by_month=Counter(month(one.fired_week) for one in own if not one.is_old),
            waits=own[-1].waited,
        )
        for series, own in of.items()
    ]
    return tuple(sorted(tallies, key=lambda one: (-one.weeks_firing, one.series.connection, one.series.scope.key)))


def workload(found: Replay, *, budget: int) -> list[OwnerLoad]:
    """What each owner would have had to do, the busiest first; actions without an owner are nobody's."""
    opened = Counter(action.owner for action in found.actions)
    months = max(len(found.queue) * 7 / (365.25 / 12), 1 / 12)
    loads = [
        OwnerLoad(
            owner=owner or "(nobody)",
            opened=number,
            per_month=round(number / months, 2),
            most_open=max(one.open_per_owner.get(owner, 0) for one in found.queue),
            weeks_at_budget=sum(one.open_per_owner.get(owner, 0) >= budget for one in found.queue),
        )
        for owner, number in opened.items()
    ]
    return sorted(loads, key=lambda load: (-load.opened, load.owner))


def months(found: Replay) -> list[Month]:
    """Every month of the span, also those in which nothing happened."""
    fired = Counter(month(one.fired_week) for one in found.episodes if not one.is_old)
    opened = Counter(month(action.week) for action in found.actions)
    names = dict.fromkeys(month(week) for week in range(found.first_week, found.last_week + 1))
    names = dict.fromkeys(sorted({*names, *fired}))
    return [Month(name, fired[name], opened[name]) for name in names]


def month(week: int) -> str:
    """The month in which a week ends, like ``2026-03``."""
    return weeks.sunday(week).strftime("%Y-%m")


def action_dict(action: OpenedAction) -> dict[str, Any]:
    """An action that would have opened, as JSON."""
    return {
        "rule": action.rule_id,
        "connection": action.connection,
        "scope": action.scope.as_dict(),
        "scopes": [scope.key for scope in action.members],
        "owner": action.owner,
        "opened": weeks.label(action.week),
        "until": None if action.until is None else weeks.label(action.until),
    }
