"""Restate points: published values are held against what was recorded since; a later value is shown beside, never over.

A point is what people saw and findings fired on, so it stays. Only weeks that late data touched are counted again, and
only points that were published before: in a cycle without late data nothing is.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings
from django.db import transaction

from improvement import weeks
from improvement.evidence.canonical import digest
from improvement.metrics import Metric, metric_named
from improvement.metrics.handling import SAME as SAME_SUBJECT
from improvement.rules import Cells, Query, Rule, Scope, plan_queries
from improvement.vocabulary import ENDED_STATES
from workflows.actions.holding import keep_connection
from workflows.complete_weeks import last_week
from workflows.evidence import ledger
from workflows.models import Action, Connection, Finding, Origin, Point, RuleVersion
from workflows.restating import counted_by
from workflows.restating.touching import Touching, Value
from workflows.rules.live import live_rules, of_broken_files
from workflows.rules.published import moment_of, of_series, readable, taken_up
from workflows.steps.evaluate import Published, cell_query
from workflows.steps.restate import ANSWERED, COUNTED, HANDLED, OPEN_AGAIN, SENT, TALKED, Reads, reads_of, touched
from workflows.warehouse import Warehouse, our_warehouse
from workflows.warehouse.schema import LENDING

EVER = 100_000  # weeks
SAME = 1e-9  # relative: sums in another order differ in their last digits

DONE = Reads("ticket", "tickets", "done_day", ("resolved_at", "closed_at"), "c.field IN ('resolved_at', 'closed_at')")
REOPENED = Reads("ticket", "tickets", "resolved_day", ("resolved_at",), f"c.field = 'state' AND {OPEN_AGAIN}")
STOPPED = Reads("sla", "slas", "end_day", ("end_at",), "c.field <> 'breach_at'")
OUT = Reads("outage", "outages", "begin_day", ("begin_at",), "true")

#: What metrics are counted from of which :func:`restate.reads_of` does not tell all (most get no verdict), by their id
#: or date basis.
READS: dict[str, tuple[Reads, ...]] = {
    "response clock stopped": (STOPPED,),
    "backlog_open": (COUNTED, DONE, REOPENED),
    "contact_gap": (COUNTED, ANSWERED, TALKED),
    "backlog_age_p90": (COUNTED, DONE, REOPENED),
    "problem_age_p90": (COUNTED, DONE, REOPENED),
    "availability": (COUNTED, OUT),
    "complaint_count": (COUNTED, TALKED),  # scopes with tickets are listed with zero
    "escalation_rate": (COUNTED, TALKED),
    "mood_index": (COUNTED, HANDLED, ANSWERED, SENT, TALKED),
}


#: Counted from the first record on, or over several weeks by one: it moves values of weeks long after its own.
LONG_AFTER = frozenset({"availability", "complaint_count", "escalation_rate"})
#: What tells apart what a metric counts, also where a rule neither groups nor filters by it.
TELLS_APART: dict[str, tuple[str, ...]] = {
    "availability": ("customer", "service"),
    "contact_gap": ("customer",),
    "mood_index": ("customer",),
    "repeat_incident_rate": SAME_SUBJECT,
}
Causes = Mapping[str, frozenset[int]]  # like ``sla is_breached`` → the weeks it touched
EVERY_WEEK: frozenset[int] = frozenset({-1})  # all that were published: it is counted otherwise
FIRST_TIME: Causes = {"read for the first time": EVERY_WEEK}
TAKEN_UP: Causes = {"rule taken up again": EVERY_WEEK}
TAKEN = "taken up"  # beside what values are counted by: of rules that came back, by which entry they did last
Late = dict[str, set[int]]  # what happened (like ``ticket new``, or the field that changed) → the weeks it touched


@dataclass(frozen=True, slots=True)
class Restated:
    """A published point and what the same window shows now (None: nothing any more)."""

    point: Point
    later: float | None


@dataclass(frozen=True, slots=True)
class _News:
    """Points of a rule that show something else now, and what may have moved them."""

    rule: Rule
    found: list[Restated]
    causes: list[str]


def restate_all(*, as_of: datetime, published: Mapping[str, Published] | None = None) -> list[str]:
    """Restate the points of every connection, once, after the newest cycle: what it finds is for people to look at.

    ``published``: what that cycle published, by connection. It was counted from all that is there, which is not counted
    again.
    """
    rules, _ = live_rules(as_of=as_of, errors=[])
    of_connection = published or {}
    with our_warehouse() as warehouse:
        names = list(Connection.objects.order_by("name").values_list("name", flat=True))
        changed = [
            line
            for name in names
            for line in restate_points(warehouse, rules, name, of_connection.get(name), as_of=as_of)
        ]
    if changed:
        ledger.sign_checkpoint(as_of)
    return changed


def restate_points(
    warehouse: Warehouse, rules: list[Rule], connection: str, published: Published | None, *, as_of: datetime
) -> list[str]:
    """Hold the published points of a connection against later data; what changed, a line each.

    How far it came is kept, so nothing is overlooked when a cycle is left out. Call it when the rules were evaluated,
    with what that published: unless something was loaded since, nothing is later than it.
    """
    row = Connection.objects.get(name=connection)
    since, otherwise = row.points_restated_until, counted_by.changed(row, "points")
    is_newest = published is not None and published.write == warehouse.last_write(connection)
    just_published = published.first_weeks if published is not None and is_newest else {}
    standing = [*rules, *of_broken_files(rules)]
    queries = plan_queries([*standing, *_of_open_actions(standing, connection)])
    read = {one for query in queries for one in reads_for_points(metric_named(query.metric))}
    late_weeks = touched_weeks(warehouse, read, connection, since=since) if since is not None else {}
    again, held = _taken_up_again(rules, row, as_of)
    news: list[_News] = []
    for query in queries:
        if since is None:
            late = FIRST_TIME
        else:
            everywhere = counted_by.causes(metric_named(query.metric), otherwise)
            late = {**_late_weeks(query, late_weeks), **dict.fromkeys(everywhere, EVERY_WEEK)}
        by_rule = {rule.id: {**late, **TAKEN_UP} if rule.id in again else late for rule in query.rules}
        first = {key: week for key, week in just_published.items() if key[0] not in again}
        news += _counted_query(warehouse, query, connection, by_rule, first, as_of=as_of)
    changed: list[str] = []
    with transaction.atomic():  # only now: counting takes long, and meanwhile people go on
        keep_connection(connection)
        for one in news:
            changed += _keep(one, connection, as_of)
        if since is None or since < as_of:
            kept = {**counted_by.remembered(row, "points"), TAKEN: held}
            Connection.objects.filter(name=connection).update(points_restated_until=as_of, counted_by=kept)
    return changed


def _of_open_actions(rules: list[Rule], connection: str) -> list[Rule]:
    """The versions that opened actions which are still open, and whose series is live no more."""
    live = {(rule.id, rule.series_sha256) for rule in rules}
    found: dict[tuple[str, str], Rule] = {}
    opened = Action.objects.filter(connection=connection, origin=Origin.RULE).exclude(state__in=ENDED_STATES)
    versions = opened.order_by("rule_id", "rule_sha256").values_list("rule_id", "rule_sha256").distinct()
    for rule_id, sha256 in versions:
        version = RuleVersion.objects.filter(rule_id=rule_id, sha256=sha256).first()
        rule = readable(version) if version is not None else None
        if rule is not None and (rule.id, rule.series_sha256) not in live:
            found[rule.id, rule.series_sha256] = replace(rule, sha256=sha256)  # however this release spells it out
    return list(found.values())


def _taken_up_again(rules: Iterable[Rule], row: Connection, as_of: datetime) -> tuple[frozenset[str], dict[str, int]]:
    """The rules that came back, or count again what they counted before, since points were restated; and what to keep
    of it: by which entry each did. What people apply while a cycle runs is for the next one.

    Nobody held what they had published against later data meanwhile, and what they publish anew leaves it as it is.
    """
    since, held = row.points_restated_until, row.counted_by.get(TAKEN)
    live = RuleVersion.objects.filter(is_live=True, **({"applied_at__gte": since} if since is not None else {}))
    applied = set(live.values_list("rule_id", flat=True))
    taken = {rule.id: taken_up(rule) for rule in rules if rule.id in applied}
    found = {rule_id: at for rule_id, at in taken.items() if at is not None and moment_of(at[1]) <= as_of}
    again = (
        rule_id
        for rule_id, (index, moment) in found.items()
        if since is not None and (moment >= since if held is None else index != held.get(rule_id))
    )
    return frozenset(again), {**(held or {}), **{rule_id: index for rule_id, (index, _) in found.items()}}


def reads_for_points(metric: Metric) -> tuple[Reads, ...]:
    """Which records, by which day, a metric's points are counted from."""
    found = reads_of(metric)
    return READS.get(metric.id) or ((found,) if found is not None else READS[metric.date_basis])


def touched_weeks(
    warehouse: Warehouse, reads: Collection[Reads], connection: str, *, since: datetime
) -> dict[Reads, Late]:
    """The weeks whose cells may have changed since a moment, and by what."""
    found: dict[Reads, Late] = {one: {} for one in reads}
    for one, days in touched(warehouse, reads, connection, since=since).items():
        for day, causes in days.items():
            for what in causes:
                found[one].setdefault(what, set()).add(weeks.week_of_day(day))
    return found


def _late_weeks(query: Query, late_weeks: Mapping[Reads, Late]) -> Causes:
    """What moved values of a query, and in which weeks; what it neither groups nor filters by moves nothing in it."""
    told_apart = {*query.by, *query.where, *TELLS_APART.get(query.metric, ())}
    silent = set(LENDING) - {"kind", "country", *told_apart}  # a country sets the zone, and so the week
    found: dict[str, frozenset[int]] = {}
    for reads in reads_for_points(metric_named(query.metric)):
        for cause, weeks_of in late_weeks[reads].items():
            if cause.removeprefix(f"{reads.kind} ") not in silent:
                found[cause] = found.get(cause, frozenset()) | weeks_of
    return found


def _counted_query(
    warehouse: Warehouse,
    query: Query,
    connection: str,
    late: Mapping[str, Causes],
    just_published: Mapping[tuple[str, str], int],
    *,
    as_of: datetime,
) -> Iterator[_News]:
    newest = last_week(as_of)
    by_rule = []
    for rule in query.rules:
        last = min(newest, just_published.get((rule.id, rule.series_sha256), newest + 1) - 1)
        by_rule.append((rule, _published(rule, connection, late[rule.id], last=last - rule.lag_weeks)))
    asked = [point.week for _, points in by_rule for point in points]
    if not asked:
        return
    first_week = min(asked) - query.weeks_needed + 1
    table = warehouse.cells(cell_query(query.key, connection), as_of=as_of, first_week=first_week, last_week=max(asked))
    block = Cells.of(table, query.by)
    for rule, points in by_rule:
        found = [one for one in _counted_again(rule, points, block) if _is_news(one)]
        if found:
            yield _News(rule, found, _causes(rule, found, late[rule.id]))


def _published(rule: Rule, connection: str, late: Causes, *, last: int) -> list[Point]:
    """The points of a rule's present series whose window holds a touched week."""
    if not late:
        return []
    rows = of_series(rule).filter(finding__connection=connection, week__lte=last)
    if EVERY_WEEK not in late.values():
        wanted: set[int] = set()
        for week in frozenset().union(*late.values()):
            ends = min(week + rule.window_weeks - 1 + _weeks_after(rule), last)
            wanted.update(range(week, ends + 1))
        rows = rows.filter(week__in=wanted)
    found = list(rows.order_by("finding_id", "week"))
    findings = Finding.objects.in_bulk({point.finding_id for point in found})  # once each: their scopes are JSON
    for point in found:
        point.finding = findings[point.finding_id]
    return found


def _weeks_after(rule: Rule) -> int:
    """How many weeks after a touched one values may move whose windows do not hold it; of a level, in all of them."""
    if rule.is_snapshot or rule.metric in LONG_AFTER:
        return EVER
    if rule.metric == "repeat_incident_rate":
        return math.ceil(settings.REGELKREIS.metrics.options.repeat_days / 7)
    return rule.reference_weeks if rule.is_count else 0  # that long a scope is listed, if with zero


def _counted_again(rule: Rule, points: list[Point], block: Cells) -> Iterable[Restated]:
    by_week: dict[int, list[Point]] = defaultdict(list)
    for point in points:
        by_week[point.week].append(point)
    scopes = {point.finding_id: point.finding.scope for point in points}
    rows = {key: block.row_of(Scope.of(scope)) for key, scope in scopes.items()}
    for week, of_week in sorted(by_week.items()):
        first = week - rule.window_weeks + 1
        found = block.window(first, week, is_snapshot=rule.is_snapshot, is_count=rule.is_count)
        active = block.weeks_active(first - rule.reference_weeks, week, is_count=rule.is_count) > 0
        for point in of_week:
            row = rows[point.finding_id]
            value = float(found.value[row]) if row is not None and active[row] else math.nan
            yield Restated(point, None if math.isnan(value) else value)


def _is_news(one: Restated) -> bool:
    """Whether this differs from what is said of the point now."""
    point = one.point
    said = point.later_value if point.later_at is not None else point.value
    return not _same(said, one.later)


def _causes(rule: Rule, found: Iterable[Restated], late: Causes) -> list[str]:
    """What may have moved these points: it lies in the window of one of them."""
    ends = [one.point.week for one in found]
    first = min(ends) - rule.window_weeks + 1 - _weeks_after(rule)
    return sorted(
        cause
        for cause, weeks_of in late.items()
        if weeks_of == EVERY_WEEK or any(first <= week <= max(ends) for week in weeks_of)
    )


def _keep(news: _News, connection: str, as_of: datetime) -> list[str]:
    """Write the later values beside the published ones, and one ledger entry that pins them and says why."""
    rule, found = news.rule, news.found
    metric, lines, pinned = metric_named(rule.metric), [], []
    for one in found:
        point = one.point
        is_as_published = _same(point.value, one.later)  # what was restated may come back
        point.later_value, point.later_at = (None, None) if is_as_published else (one.later, as_of)
        week = weeks.label(point.week)
        pinned.append([point.finding.scope_key, week, point.value, one.later])
        lines.append(
            f"{rule.id} [{point.finding.scope_key}] {week}: {metric.shown(point.value)} → {metric.shown(one.later)}"
        )
    Point.objects.bulk_update([one.point for one in found], ["later_value", "later_at"])
    values = (Value(connection, one.point.finding.scope_key, one.point.week, one) for one in found)
    touching = Touching(rule, values)
    payload = {
        "connection": connection,
        "rule_sha256": rule.sha256,
        "points": len(found),
        "points_sha256": digest(pinned),
        "causes": news.causes,
        "open_actions": touching.open_actions,
        "published_reviews": [review.code for review in touching.reviews(as_of)],
    }
    ledger.append("points.restated", subject=rule.id, actor=ledger.ENGINE, at=as_of, payload=payload)
    return lines


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=SAME, abs_tol=SAME)
