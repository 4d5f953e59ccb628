"""What a back-test found beside what is true: precision and recall of every rule. Pure.

Every episode (a scope of a rule begins to fire) is right, wrong, or neither: right where its scope is bad for certain
in a week that its window holds, neither where it is possibly so, wrong elsewhere. A trouble is found where a finding
fires in its weeks. *Precision* is the share of right episodes among right and wrong ones, *recall* the share of
troubles that were found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from connectors.sandbox.troubled.plan import START
from connectors.sandbox.troubled.truth import SIGNS, Cell, Expected, Trouble, expected
from improvement import weeks
from improvement.rules import Rule
from improvement.rules.replaying import Episode

FIRST = weeks.week_of(START.date())


@dataclass(frozen=True, slots=True)
class Score:
    """What became of one rule's troubles and findings.

    ``nearly``: wrong findings where the scope had got worse, within the target; ``delays`` are weeks from a trouble's
    begin to the finding.
    """

    rule_id: str
    right: int
    wrong: tuple[Episode, ...]
    nearly: int
    unclear: int
    found: tuple[Expected, ...]
    missed: tuple[Expected, ...]
    delays: tuple[int, ...]

    @property
    def troubles(self) -> int:
        """How many troubles it had to find."""
        return len(self.found) + len(self.missed)

    @property
    def precision(self) -> float | None:
        """The share of findings that are right, None without any."""
        judged = self.right + len(self.wrong)
        return self.right / judged if judged else None

    @property
    def recall(self) -> float | None:
        """The share of troubles found, None without any."""
        return len(self.found) / self.troubles if self.troubles else None

    @property
    def delay(self) -> float | None:
        """The median delay."""
        return median(self.delays) if self.delays else None


def score(
    rule: Rule, episodes: Iterable[Episode], troubles: Sequence[Trouble], cells: Sequence[Cell], *, first: int
) -> Score:
    """How one rule did in the weeks from ``first`` on (an ISO week as a number)."""
    truth = list(expected(troubles, cells, rule_id=rule.id, by=rule.by))
    own = [one for one in episodes if one.series.rule_id == rule.id and _is_seen(one, first)]
    verdicts = [_verdict(rule, one, truth) for one in own]
    wrong = tuple(one for one, verdict in zip(own, verdicts, strict=True) if verdict is False)
    worse = [one for one in troubles if not one.is_bad and any(sign.rule_id == rule.id for sign in SIGNS[one.kind])]
    certain = [one for one in truth if one.is_certain and FIRST + one.last_week >= first]
    hits = [(one, [episode for episode in own if _is_during(rule, episode, one)]) for one in certain]
    return Score(
        rule_id=rule.id,
        right=verdicts.count(True),
        wrong=wrong,
        nearly=sum(_is_near(rule, one, worse, cells) for one in wrong),
        unclear=verdicts.count(None),
        found=tuple(one for one, found in hits if found),
        missed=tuple(one for one, found in hits if not found),
        delays=tuple(
            max(0, min(episode.fired_week for episode in found) - FIRST - one.first_week)
            for one, found in hits
            if found
        ),
    )


def together(scores: Sequence[Score], name: str) -> Score:
    """Several scores as one."""
    return Score(
        rule_id=name,
        right=sum(one.right for one in scores),
        wrong=tuple(episode for one in scores for episode in one.wrong),
        nearly=sum(one.nearly for one in scores),
        unclear=sum(one.unclear for one in scores),
        found=tuple(found for one in scores for found in one.found),
        missed=tuple(missed for one in scores for missed in one.missed),
        delays=tuple(delay for one in scores for delay in one.delays),
    )


def _is_seen(episode: Episode, first: int) -> bool:
    """Whether it fires in the replayed weeks: it began in them, or goes on into them."""
    return not episode.is_old or episode.resolved_week is None or episode.resolved_week >= first


def _verdict(rule: Rule, episode: Episode, truth: Sequence[Expected]) -> bool | None:
    week, scope = episode.fired_week - FIRST, episode.series.scope.items
    behind = [
        one
        for one in truth
        if one.scope == scope and one.first_week <= week and week - rule.window_weeks + 1 <= one.last_week
    ]
    if any(one.is_certain for one in behind):
        return True
    return None if behind else False


def _is_near(rule: Rule, episode: Episode, worse: Sequence[Trouble], cells: Sequence[Cell]) -> bool:
    """Whether the scope had got worse, if not beyond the target."""
    week, scope = episode.fired_week - FIRST, episode.series.scope.items
    own = [cell for cell in cells if cell.of(rule.by) == scope]
    return any(
        one.first_week <= week <= one.last_week + rule.window_weeks - 1 and any(one.is_in(cell) for cell in own)
        for one in worse
    )


def _is_during(rule: Rule, episode: Episode, one: Expected) -> bool:
    """Whether a finding fires at a time that its window holds a week of this trouble."""
    if episode.series.scope.items != one.scope:
        return False
    end = episode.resolved_week
    begins_before_it_ends = episode.fired_week - FIRST <= one.last_week + rule.window_weeks - 1
    return begins_before_it_ends and (end is None or end - FIRST > one.first_week)
