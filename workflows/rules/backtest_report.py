"""`rules backtest`: what these rules would have done, for people to read and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from improvement import weeks
from improvement.plurals import how_many, plural
from improvement.rules import Rule, Scope
from improvement.rules.backtesting import Month, OwnerLoad, RuleTally, action_dict, months, tally, workload
from improvement.rules.explaining import target_text
from improvement.rules.replaying import Episode, Lasting, Replay, Series
from improvement.rules.stricter import scaled
from improvement.rules.testing import value_text
from workflows.models import Action
from workflows.rules.backtest import History, replayed
from workflows.rules.lines import BAD, GOOD, HEAD, QUIET, Line, columns
from workflows.rules.published import of_series
from workflows.rules.sources import Source

FACTORS = (0.8, 1.2)  # of the target: a fifth stricter, a fifth looser
SAME = 1e-9
SCOPES_SHOWN = 15
DIFFERENCES_SHOWN = 10
BAR = 40  # letters of the longest bar


@dataclass(frozen=True, slots=True)
class Variant:
    """One rule with another target."""

    factor: float
    target: str
    fired: int
    opened: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that was published live and would be another one today: something was edited since."""

    series: Series
    week: int
    published: float | None
    replayed: float | None

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rule": self.series.rule_id,
            "connection": self.series.connection,
            "scope": self.series.scope.as_dict(),
            "week": weeks.label(self.week),
            "published": self.published,
            "replayed": self.replayed,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """A back-test and everything that is told about it."""

    source: Source
    replay: Replay
    connections: tuple[str, ...]
    tallies: tuple[RuleTally, ...]
    variants: Mapping[str, tuple[Variant, ...]]
    owners: tuple[OwnerLoad, ...]
    months: tuple[Month, ...]
    compared: int
    differences: tuple[Difference, ...]
    lasting: str
    has_records: bool

    @property
    def waited_most(self) -> int:
        """The longest the queue would have been."""
        return max(one.waiting for one in self.replay.queue)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "from": weeks.label(self.replay.first_week),
            "to": weeks.label(self.replay.last_week),
            "weeks": len(self.replay.queue),
            "connections": list(self.connections),
            "has_records": self.has_records,
            "assumptions": list(self.assumptions()),
            "rules": [
                {
                    **one.as_dict(),
                    "sensitivity": [variant.as_dict() for variant in self.variants.get(one.rule.id, ())],
                }
                for one in self.tallies
            ],
            "months": [{"month": one.month, "fired": one.fired, "opened": one.opened} for one in self.months],
            "owners": [one.as_dict() for one in self.owners],
            "actions": [action_dict(action) for action in self.replay.actions],
            "queue": {
                "longest": self.waited_most,
                "by_week": {weeks.label(one.week): one.waiting for one in self.replay.queue},
            },
            "published_values_compared": self.compared,
            "differs_from_live": [one.as_dict() for one in self.differences],
        }

    def assumptions(self) -> Iterator[str]:
        """What a replay cannot know, in words."""
        yield "The first week is a first evaluation: it looks back 26 weeks and opens nothing."
        yield f"Every action is taken to be open {self.lasting}, and to change nothing."
        yield (
            f"At most {how_many(self.source.limits.max_new_actions, 'new action')} a cycle, "
            f"{self.source.limits.budget} an owner."
        )
        yield "Attributes of records are those known today; owners are those of today's grants."

    # --- for people ---------------------------------------------------------------------------------------------

    def lines(self) -> Iterator[Line]:
        """The report, from the sum to the single scope."""
        span = f"{weeks.label(self.replay.first_week)} to {weeks.label(self.replay.last_week)}"
        what = how_many(len(self.tallies), "rule") if len(self.tallies) != 1 else self.tallies[0].rule.id
        yield Line(
            f"Back-test of {what}, {span} ({how_many(len(self.replay.queue), 'week')}) on "
            f"{', '.join(self.connections)}",
            HEAD,
        )
        if not self.has_records:
            yield Line("No record that these rules count falls into these weeks: that nothing fired says nothing.", BAD)
        fired, opened = sum(one.fired for one in self.tallies), len(self.replay.actions)
        before = sum(one.firing_at_start for one in self.tallies)
        already = f", beside {before} that fired before" if before else ""
        waited = f"at most {self.waited_most} waited at once"
        yield Line(
            f"{how_many(fired, 'finding')} would have fired{already}, and {how_many(opened, 'action')} "
            f"opened; {waited}."
        )
        yield Line()
        yield from self._table()
        yield from self._left_alone()
        yield Line()
        yield from self._chart()
        yield Line()
        yield from self._workload()
        yield Line()
        yield from self._scopes()
        yield Line()
        yield from self._differences()
        yield Line()
        yield from (Line(text, QUIET) for text in self.assumptions())

    def _table(self) -> Iterator[Line]:
        head = ("rule", "at start", "fired", "resolved", "at end", "opened", "never", "by itself", "−20 %", "+20 %")
        rows = [head] + [self._row(one) for one in self.tallies]
        texts = columns(rows, indent=0, right=frozenset(range(1, len(head))))
        yield Line(texts[0], HEAD)
        yield from map(Line, texts[1:])
        yield Line(
            "at start, at end: scopes firing then · never: findings that opened nothing · by itself: cleared within "
            "13 weeks with nobody acting · ±20 %: findings with a target a fifth stricter or looser",
            QUIET,
        )

    def _row(self, one: RuleTally) -> tuple[str, ...]:
        share = one.placebo.share
        itself = "–" if share is None else f"{one.placebo.cleared}/{one.placebo.followed} {share:.0%}"
        variants = [str(variant.fired) for variant in self.variants.get(one.rule.id, ())] or ["", ""]
        opened = (str(one.opened), str(one.never_opened)) if one.rule.mode.value != "observe" else ("observes", "")
        return (
            one.rule.id, str(one.firing_at_start), str(one.fired), str(one.resolved), str(one.firing_at_end),
            *opened, itself, *variants,
        )  # fmt: skip

    def _left_alone(self) -> Iterator[Line]:
        told = [(one.rule.id, one.untreated.sentence) for one in self.tallies if one.untreated.firings]
        if told:
            yield Line()
            yield Line("What happens when nobody acts: an action has to do better than this", HEAD)
            yield from map(Line, columns(told))

    def _chart(self) -> Iterator[Line]:
        yield Line("By month (█ fired, ▒ opened)", HEAD)
        most = max((max(one.fired, one.opened) for one in self.months), default=0)
        for one in self.months:
            fired, opened = (_bar(number, most) for number in (one.fired, one.opened))
            yield Line(f"  {one.month}  {'█' * fired} {one.fired}")
            yield Line(f"           {'▒' * opened} {one.opened}", QUIET)

    def _workload(self) -> Iterator[Line]:
        yield Line("Workload", HEAD)
        rows = [("owner", "opened", "a month", "most open", "weeks at the budget")] + [
            (one.owner, str(one.opened), f"{one.per_month:g}", str(one.most_open), str(one.weeks_at_budget))
            for one in self.owners
        ]
        yield from map(Line, columns(rows, right=frozenset({1, 2, 3, 4})) if self.owners else ["  Nobody had any."])

    def _scopes(self) -> Iterator[Line]:
        found = [(one.rule, scope) for one in self.tallies for scope in one.scopes]
        found.sort(key=lambda pair: (-pair[1].weeks_firing, pair[0].id, pair[1].series.scope.key))
        yield Line(f"Scopes that fired: {len(found)}, the longest first", HEAD)
        rows = [("rule", "scope", "on", "weeks", "times", "months", "")] + [
            (
                rule.id, str(scope.series.scope), scope.series.connection, str(scope.weeks_firing), str(scope.fired),
                ", ".join(scope.by_month), scope.waits,
            )
            for rule, scope in found[:SCOPES_SHOWN]
        ]  # fmt: skip
        yield from map(Line, columns(rows, right=frozenset({3, 4})))
        if len(found) > SCOPES_SHOWN:
            yield Line(f"  … and {len(found) - SCOPES_SHOWN} more: --json", QUIET)

    def _differences(self) -> Iterator[Line]:
        if not self.compared:
            yield Line("No values of these rules were published in these weeks: there is no live history to compare.")
            return
        if not self.differences:
            told = "The value that was" if self.compared == 1 else f"All {self.compared:,} values that were"
            yield Line(f"{told} published live in these weeks {plural(self.compared, 'is', 'are')} the same.", GOOD)
            return
        yield Line(
            f"{len(self.differences)} of {how_many(self.compared, 'published value')} were changed by later edits", BAD
        )
        by_id = {one.rule.id: one.rule for one in self.tallies}
        rows = [
            (
                weeks.label(one.week), one.series.rule_id, str(one.series.scope),
                value_text(one.published, by_id[one.series.rule_id]), "→",
                value_text(one.replayed, by_id[one.series.rule_id]),
            )
            for one in self.differences[:DIFFERENCES_SHOWN]
        ]  # fmt: skip
        yield from map(Line, columns(rows))


def _bar(number: int, most: int) -> int:
    return round(BAR * number / most) if most else 0


def report(source: Source, rules: Sequence[Rule], counted: History, *, lasting: Lasting | None, told: str) -> Report:
    """Replay the rules three times, as they are and with targets a fifth stricter and looser, and sum it up."""
    found = replayed(rules, counted, limits=source.limits, lasting=lasting)
    variants: dict[str, list[Variant]] = {rule.id: [] for rule in rules}
    for factor in FACTORS:
        others = [scaled(rule, factor) for rule in rules]
        other = replayed(others, counted, limits=source.limits, lasting=lasting)
        for rule in others:
            variants[rule.id].append(
                Variant(
                    factor,
                    target_text(rule, rule.target),
                    sum(not one.is_old and one.series.rule_id == rule.id for one in other.episodes),
                    sum(one.rule_id == rule.id for one in other.actions),
                )
            )
    compared, differences = against_live(rules, found)
    tallies = (tally(rule, found, counted.cells, acted=acted) for rule in rules)
    return Report(
        source=source,
        replay=found,
        connections=tuple(counted.names),
        tallies=tuple(sorted(tallies, key=lambda one: -one.fired)),
        variants={rule_id: tuple(own) for rule_id, own in variants.items()},
        owners=tuple(workload(found, budget=source.limits.budget)),
        months=tuple(months(found)),
        compared=compared,
        differences=tuple(differences),
        lasting=told,
        has_records=counted.has_records,
    )


def acted(episode: Episode, until: int) -> bool:
    """Whether an improvement action went live on a firing scope, above it or inside it, up to this week."""
    scope = episode.series.scope
    live = Action.objects.filter(
        connection=episode.series.connection,
        implemented_on__gte=weeks.monday(episode.fired_week),
        implemented_on__lte=weeks.sunday(until),
    )
    return any(scope.is_worked_on_from(Scope.of(one.scope)) for one in live.only("scope"))


def against_live(rules: Sequence[Rule], found: Replay) -> tuple[int, list[Difference]]:
    """The values that were published of the same series in the replayed weeks: how many, and which differ."""
    compared, differences = 0, []
    for rule in rules:
        rows = of_series(rule).filter(week__gte=found.first_week, week__lte=found.last_week).select_related("finding")
        for row in rows:
            series = Series(rule.id, row.finding.connection, Scope.of(row.finding.scope))
            track = found.tracks.get(series)
            if track is None or row.week not in track.published:
                continue
            compared += 1
            now = track.published[row.week]
            if not _is_same(row.value, now):
                differences.append(Difference(series, row.week, row.value, now))
    differences.sort(key=lambda one: (one.week, one.series.rule_id, one.series.connection, one.series.scope.key))
    return compared, differences


def _is_same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= SAME * max(abs(one), abs(other), 1.0)
