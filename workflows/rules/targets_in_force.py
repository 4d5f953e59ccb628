"""`regelkreis targets`: which target applies to whom on a day, why, and who has none."""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings

from improvement import weeks
from improvement.errors import InputError, RegelkreisError
from improvement.metrics import CATALOGUE, DIMENSIONS
from improvement.plurals import how_many, plural
from improvement.rules import Cells, Rule, Scope, SeriesKey, rule_from_document
from improvement.rules.in_force import Holding, TargetInForce, all_in_force, holding
from improvement.rules.known_values import alike, alike_text
from improvement.rules.suggestions import did_you_mean
from workflows.complete_weeks import last_week
from workflows.models import LedgerEntry, RuleVersion
from workflows.rules import sources
from workflows.rules.backdating import Backdated, recorded
from workflows.rules.lines import BAD, GOOD, HEAD, QUIET, Line, columns
from workflows.rules.published import moment_of
from workflows.steps.evaluate import BACKFILL_WEEKS, cell_query
from workflows.warehouse import Warehouse, our_warehouse

HELD_TO = ("country", "customer", "supplier", "service")  # whoever should have a target
MUST_BE_KNOWN = ("country", "customer")  # a ticket without a supplier is nothing strange
LISTED = 12
EVERYTHING = Scope()
NAMED = {*DIMENSIONS, *(key for metric in CATALOGUE.values() for key in metric.where_keys)}


@dataclass(frozen=True, slots=True)
class Applied:
    """A target in force for one scope of one connection.

    ``later`` is what a version applied after that day says of it by a target with an earlier date; "" for nothing.
    """

    connection: str
    target: TargetInForce
    later: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"connection": self.connection, **self.target.as_dict(), "restated": self.later or None}

    def facts(self) -> dict[str, Any]:
        """As JSON, without the targets that lost."""
        return {"connection": self.connection, **self.target.facts(), "restated": self.later or None}


@dataclass(frozen=True, slots=True)
class Gap:
    """One country, customer, supplier or service with records but without a target of its own.

    ``missing`` are metrics that others of its kind are held to and it is not.
    """

    connection: str
    dimension: str
    value: str
    records: int
    holding: Holding
    missing: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "connection": self.connection,
            "dimension": self.dimension,
            "value": self.value,
            "records": self.records,
            "target": self.holding.value,
            "missing_metrics": list(self.missing),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The targets in force on a day.

    ``unknown``: (connection, dimension) → tickets that name none. ``zoneless``, ``calendarless``: countries without a
    time zone, and without a business calendar where something is counted by them. ``alike``: (connection, dimension,
    values) where values differ by nothing that people see.
    """

    on: date
    applied: tuple[Applied, ...]
    gaps: tuple[Gap, ...]
    unknown: dict[tuple[str, str], int]
    zoneless: tuple[str, ...]
    calendarless: tuple[str, ...]
    restated: tuple[Backdated, ...]
    alike: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    @property
    def without(self) -> tuple[Gap, ...]:
        """Those that no target holds for at all."""
        return tuple(gap for gap in self.gaps if gap.holding is Holding.NONE)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"on": str(self.on), "targets": [one.as_dict() for one in self.applied], **self.besides()}

    def besides(self) -> dict[str, Any]:
        """As JSON, what there is beside the targets."""
        return {
            "gaps": [gap.as_dict() for gap in self.gaps],
            "unknown": [
                {"connection": name, "dimension": dimension, "tickets": number}
                for (name, dimension), number in self.unknown.items()
            ],
            "alike": [
                {"connection": name, "dimension": dimension, "values": list(values)}
                for name, dimension, values in self.alike
            ],
            "countries_in_the_default_zone": list(self.zoneless),
            "countries_by_the_wall_clock": list(self.calendarless),
            "restatements": [one.as_dict() for one in self.restated],
        }

    def summary(self) -> Iterator[Line]:
        """Rule by rule: which targets hold for how many scopes."""
        yield Line(f"Targets in force on {self.on}", HEAD)
        groups: dict[tuple[str, str], Counter[tuple[str, str]]] = defaultdict(Counter)
        for one in self.applied:
            groups[one.target.rule.id, one.target.rule.metric][one.target.text, one.target.source] += 1
        for (rule_id, metric), targets in sorted(groups.items()):
            yield Line()
            yield Line(f"{rule_id} ({metric})")
            rows = [(text, source, _scopes(number)) for (text, source), number in targets.most_common()]
            yield from (Line(text) for text in columns(rows))
        if not groups:
            yield Line("No rule has a scope with records.", BAD)
        yield Line()
        yield Line("For one of them and why: --scope country=CH. Who has none: --gaps.", QUIET)
        yield from self.alike_lines()
        yield from self.restatement_lines()

    def details(self) -> Iterator[Line]:
        """Scope by scope, with every target of the rule and why it won or lost."""
        for one in self.applied:
            yield Line(f"{one.target.rule.id} [{one.target.scope}] on {one.connection}, {self.on}", HEAD)
            yield Line(f"  {one.target.text} (from {one.target.source}): {one.target.because}", GOOD)
            steps = [(step.label, step.target, step.because) for step in one.target.steps if not step.has_won]
            yield from (Line(text, QUIET) for text in columns(steps, indent=4))
            if one.later:
                yield Line(f"  Restated: {one.later}", BAD)
        if not self.applied:
            yield Line("No rule counts this scope: there is no target for it.", BAD)

    def gap_lines(self) -> Iterator[Line]:
        """Who has no target, then who has only a general one."""
        yield Line(f"Without a target on {self.on}", HEAD)
        yield from _gap_table(self.without, BAD)
        yield Line()
        yield Line("Only a target of a level above", HEAD)
        yield from _gap_table([gap for gap in self.gaps if gap.holding is Holding.GENERAL], "")
        for (name, dimension), number in self.unknown.items():
            told = f"{how_many(number, 'ticket names', 'tickets name')} no {dimension}"
            yield Line(f"{name}: {told}; {plural(number, 'it counts', 'they count')} under (none).", BAD)
        yield from self.alike_lines()
        if self.zoneless:
            zone = settings.REGELKREIS.default_zone
            yield Line(f"Without a time zone, counted in {zone}: {', '.join(self.zoneless)}", BAD)
        if self.calendarless:
            yield Line(f"Without business hours, counted by the wall clock: {', '.join(self.calendarless)}", BAD)

    def alike_lines(self) -> Iterator[Line]:
        """Names that people take for one, and rules for several."""
        yield from (Line(f"{name}: {alike_text(dimension, of)}", BAD) for name, dimension, of in self.alike)

    def restatement_lines(self) -> Iterator[Line]:
        """What targets with dates in the past changed of published values."""
        for one in self.restated:
            yield Line()
            yield Line(
                f"Restated by {one.rule_id}, applied {one.at:%Y-%m-%d}: {_points(len(one.points), one.turned)}", BAD
            )
            shown = one.points[:LISTED]
            rows = [
                (weeks.label(at.judged.week), name, at.judged.scope.key, at.before, "→", at.after,
                 "judged the other way" if at.turns else "")
                for name, at in shown
            ]  # fmt: skip
            yield from (Line(text) for text in columns(rows))
            if len(one.points) > len(shown):
                yield Line(f"  … and {len(one.points) - len(shown)} more: --json", QUIET)
            touched = [*one.actions, *one.reviews]
            if touched:
                yield Line(f"  Touches {', '.join(touched)}: what they say stays; reviews get an addendum.", QUIET)


def report(
    on: date,
    *,
    as_of: datetime,
    scope: Scope = EVERYTHING,
    rule_id: str | None = None,
    connection: str | None = None,
) -> Report:
    """The targets in force on a day for every scope that has records then, or that is asked for.

    :class:`InputError` where the scope names what no rule can be about.
    """
    for dimension, _ in scope.items:
        if dimension not in NAMED:
            raise InputError(f"Targets have no “{dimension[:40]}”.", mend=did_you_mean(dimension, NAMED))
    rules = rules_on(on, as_of=as_of, rule_id=rule_id)
    live = {rule.id: rule for rule in rules_on(as_of.date(), as_of=as_of, rule_id=rule_id)}
    if rule_id is not None and not rules:
        sources.live().rule(rule_id)  # says which rules there are, where there is none of this name
        what = f"By what was applied until {as_of:%Y-%m-%d %H:%M}Z, {rule_id} had no target on {on}."
        raise InputError(what, mend="Ask for another day (--on), or as it stands at a later moment (--as-of).")
    last = min(last_week(as_of), weeks.week_of(on))
    applied: list[Applied] = []
    gaps: list[Gap] = []
    unknown: dict[tuple[str, str], int] = {}
    twins: list[tuple[str, str, tuple[str, ...]]] = []
    with our_warehouse() as warehouse:
        for name in sources.connection_names(connection):
            known = _known_scopes(warehouse, {rule.key for rule in rules}, name, as_of=as_of, last=last)
            here = [
                one
                for rule in rules
                for one in _applied(rule, live.get(rule.id), name, _asked(rule, known[rule.key], scope), on)
            ]
            applied += here
            values = _values(warehouse, name, on=on, as_of=as_of)
            gaps += _gaps(name, values, here)
            twins += _alike(name, values)
            unknown |= {(name, d): n for (d, value), n in values.items() if value is None and d in MUST_BE_KNOWN}
    countries = {gap.value for gap in gaps if gap.dimension == "country"}
    countries |= {one.target.scope.get("country") or "" for one in applied} - {"", "(none)"}
    ours = settings.REGELKREIS
    zoneless = tuple(sorted(countries - set(ours.zones)))
    calendarless = tuple(sorted(countries - set(ours.calendars))) if ours.metrics.business else ()
    restated = tuple(one for one in recorded(as_of=as_of) if rule_id in (None, one.rule_id))
    return Report(on, tuple(applied), tuple(gaps), unknown, zoneless, calendarless, restated, tuple(twins))


def rules_on(on: date, *, as_of: datetime, rule_id: str | None = None) -> list[Rule]:
    """The versions that judged on a day, of all rules or of one, as it stood at a moment.

    From its application on a version counts, and before the first of a rule that one. What was applied after the moment
    is not told, unless nothing at all was applied by then: then of each rule its first version.
    """
    live = [rule for rule in sources.live().rules if rule_id in (None, rule.id)]
    versions: dict[str, str] = {}
    gone: set[str] = set()
    rows = LedgerEntry.objects.filter(type__in=("rule.applied", "rule.removed")).order_by("index")
    entries = [(kind, json.loads(bytes(data))) for kind, data in rows.values_list("type", "data")]
    told = [(kind, entry, moment_of(datetime.fromisoformat(entry["at"]))) for kind, entry in entries]
    was_any = any(at <= as_of for _, _, at in told)
    told = [one for one in told if rule_id in (None, one[1]["subject"])]
    if on >= as_of.date() and all(at <= as_of for _, _, at in told):
        return live
    for kind, entry, at in told:
        of, is_then = entry["subject"], at <= as_of and at.date() <= on
        is_first = of not in versions and (at <= as_of or not was_any)
        if kind == "rule.applied" and (is_then or is_first):
            versions[of] = entry["payload"]["sha256"]
            gone.discard(of)
        elif kind == "rule.removed" and is_then:
            gone.add(of)
    found = [_version(of, sha256) for of, sha256 in sorted(versions.items()) if of not in gone]
    ever = {entry["subject"] for _, entry, _ in told}
    return [rule for rule in found if rule is not None] + [rule for rule in live if rule.id not in ever]


def _version(rule_id: str, sha256: str) -> Rule | None:
    row = RuleVersion.objects.filter(rule_id=rule_id, sha256=sha256).first()
    if row is None:
        return None
    try:
        return rule_from_document(row.document)
    except RegelkreisError as error:
        raise RegelkreisError(
            f"{rule_id}: the version {sha256[:12]} that was live then cannot be read any more: {error}",
            mend="Ask for a later day, or leave this rule out with --rule.",
        ) from error


def _applied(rule: Rule, live: Rule | None, connection: str, scopes: Sequence[Scope], on: date) -> Iterator[Applied]:
    is_other = live is not None and live.sha256 != rule.sha256
    then = all_in_force(rule, scopes, on)
    for found, now in zip(then, all_in_force(live, scopes, on) if live is not None and is_other else then, strict=True):
        is_dated_back = is_other and now.since is not None and now.target != found.target
        yield Applied(connection, found, f"{now.text} by the live version's {now.source}" if is_dated_back else "")


def _known_scopes(
    warehouse: Warehouse, keys: Iterable[SeriesKey], connection: str, *, as_of: datetime, last: int
) -> dict[SeriesKey, tuple[Scope, ...]]:
    """The scopes that have a value in the half year before."""
    first = last - BACKFILL_WEEKS + 1
    return {
        key: Cells.of(
            warehouse.cells(cell_query(key, connection), as_of=as_of, first_week=first, last_week=last), key.by
        ).scopes
        for key in keys
    }


def _asked(rule: Rule, known: Iterable[Scope], scope: Scope) -> list[Scope]:
    """The known scopes that fit what is asked; where none does, that itself if it says all the rule groups by."""
    wanted = scope.as_dict()
    relevant = {name: value for name, value in wanted.items() if name in rule.by}
    is_counted = all(wanted.get(name) is None or wanted[name] in map(str, allowed) for name, allowed in rule.key.where)
    if wanted and not (relevant and is_counted):
        return []
    found = [one for one in known if relevant.items() <= one.as_dict().items()]
    return found or ([Scope.of(relevant)] if relevant and len(relevant) == len(rule.by) else [])


def _values(warehouse: Warehouse, connection: str, *, on: date, as_of: datetime) -> dict[tuple[str, str | None], int]:
    """(dimension, value) → how many tickets of the half year before have it, or SLA records a supplier."""
    until = min(as_of, datetime.combine(on + timedelta(days=1), time(), UTC))
    span = {
        "connection": connection,
        "since": (until - timedelta(weeks=BACKFILL_WEEKS)).isoformat(),
        "until": until.isoformat(),
    }
    found: dict[tuple[str, str | None], int] = {}
    within = "connection = $connection AND {} BETWEEN $since::TIMESTAMPTZ AND $until::TIMESTAMPTZ"
    tickets, slas = within.format("opened_at"), within.format("start_at")
    for dimension in HELD_TO:
        rows = warehouse.arrow(
            f"SELECT {dimension} AS value, count(*) AS n FROM live_tickets WHERE {tickets} GROUP BY 1 ORDER BY 1", span
        )
        found |= {(dimension, row["value"]): row["n"] for row in rows.to_pylist()}
    rows = warehouse.arrow(
        f"SELECT supplier AS value, count(*) AS n FROM live_slas WHERE {slas} AND supplier IS NOT NULL GROUP BY 1", span
    )
    for row in rows.to_pylist():
        found.setdefault(("supplier", row["value"]), row["n"])
    return found


def _gaps(connection: str, values: dict[tuple[str, str | None], int], applied: Iterable[Applied]) -> list[Gap]:
    having: dict[tuple[str, str], list[TargetInForce]] = defaultdict(list)
    metrics: dict[str, set[str]] = defaultdict(set)
    for one in applied:
        for name, of_scope in one.target.scope.items:
            having[name, of_scope].append(one.target)
            metrics[name].add(one.target.rule.metric)
    found = []
    for (dimension, value), number in sorted(values.items(), key=lambda item: (HELD_TO.index(item[0][0]), -item[1])):
        if value is None:
            continue
        targets = having[dimension, value]
        missing = tuple(sorted(metrics[dimension] - {target.rule.metric for target in targets}))
        held = holding(targets, dimension)
        if held is not Holding.OWN or missing:
            found.append(Gap(connection, dimension, value, number, held, missing))
    return found


def _alike(connection: str, values: Iterable[tuple[str, str | None]]) -> list[tuple[str, str, tuple[str, ...]]]:
    by_dimension: dict[str, list[str]] = defaultdict(list)
    for dimension, value in values:
        if value is not None:
            by_dimension[dimension].append(value)
    return [(connection, dimension, group) for dimension, of in by_dimension.items() for group in alike(of)]


def _gap_table(gaps: Iterable[Gap], style: str) -> Iterator[Line]:
    rows = [
        (gap.connection, gap.dimension, gap.value, f"{how_many(gap.records, 'record')}",
         f"not held to {', '.join(gap.missing)}" if gap.missing else "")
        for gap in gaps
    ]  # fmt: skip
    yield from (Line(text, style) for text in columns(rows, right=frozenset({3})))
    if not rows:
        yield Line("  nobody", GOOD)


def _scopes(number: int) -> str:
    return "1 scope" if number == 1 else f"{number} scopes"


def _points(number: int, turned: int) -> str:
    published = "1 published value" if number == 1 else f"{number} published values"
    return f"{published} against another target, {turned} judged the other way"
