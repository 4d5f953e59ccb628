"""`rules explain`: a rule's word on one scope, from the rows of the warehouse to the state of its finding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlglot
from django.db.models import Max, Min
from sqlglot import exp

from improvement import weeks
from improvement.errors import InputError
from improvement.metrics import Fill, metric_named, value_of_rows
from improvement.rules import Cells, Explanation, Rule, Scope, SeriesKey, explain, plan_queries, rule_from_document
from improvement.rules.suggestions import did_you_mean
from improvement.rules.testing import value_text
from workflows.complete_weeks import last_week
from workflows.models import Evaluation, Finding, RuleVersion
from workflows.rules import newest_record, sources
from workflows.rules.lines import BAD, GOOD, HEAD, QUIET, Line, columns
from workflows.rules.published import Life, last_life, last_live, of_series, readable
from workflows.rules.sources import connection_names
from workflows.steps.evaluate import BACKFILL_WEEKS, cell_query
from workflows.warehouse import Pinned, Warehouse, our_warehouse

ROWS_SHOWN = 10
COURSE_SHOWN = 12
LISTED = 8
EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Told:
    """An explanation, the rows and the SQL behind its value, and what was published of the same week.

    ``rule`` is the version that judged it; ``removed_at`` is when the rule was removed, None of one that is live.
    ``newest`` is the time of its newest record where all are older than the window, else None.
    """

    rule: Rule
    connection: str
    as_of: datetime
    explanation: Explanation
    pinned: Pinned
    published: Mapping[str, Any] | None
    finding: Mapping[str, Any] | None
    removed_at: datetime | None = None
    newest: datetime | None = None

    @property
    def is_of_now(self) -> bool:
        """Whether the live finding saw this week last."""
        return self.finding is not None and self.finding["last_week"] == weeks.label(self.explanation.point.week)

    @property
    def is_over(self) -> bool:
        """Whether the rule was gone already at the moment that is asked for."""
        return self.removed_at is not None and self.removed_at <= self.as_of

    @property
    def sql(self) -> str:
        """What can be run in DuckDB's shell on the warehouse: the rows of all scopes, and the moment they are of."""
        return f"{self._settings}{_pretty(self.pinned.sql)};"

    @property
    def value_sql(self) -> str:
        """The same for the value: made of the scope's own rows."""
        made = value_of_rows(cell_query(self.rule.key, self.connection), self.explanation.point.denominator)
        rows = exp.subquery(self.pinned.sql, "counted", dialect="duckdb")
        select = rows.select(f"{made} AS value", "count(*) AS rows", dialect="duckdb")
        for name, value in self.explanation.scope.items:
            select = select.where(exp.column(name, quoted=True).eq(value))
        return f"{self._settings}{_pretty(select.sql(dialect='duckdb'))};"

    @property
    def _settings(self) -> str:
        point = self.explanation.point
        days = (weeks.day_of(weeks.monday(point.first_week)), weeks.day_of(weeks.sunday(point.week)))
        return (
            f"SET TimeZone = 'UTC';\nSET VARIABLE as_of = TIMESTAMPTZ '{self.as_of.isoformat()}';\n"
            f"SET VARIABLE first_day = {days[0]}::BIGINT;\nSET VARIABLE last_day = {days[1]}::BIGINT;\n"
        )

    def as_dict(self, *, rows: bool) -> dict[str, Any]:
        """As JSON; with every row counted where asked."""
        told = {
            "connection": self.connection,
            "as_of": self.as_of.isoformat(),
            **self.explanation.as_dict(),
            "rows": self.pinned.rows.num_rows,
            "rows_sha256": self.pinned.sha256,
            "removed_at": self.removed_at.isoformat() if self.removed_at is not None else None,
            "newest_record": self.newest.isoformat() if self.newest is not None else None,
            "published": self.published,
            "finding": self.finding,
            "sql": self.sql,
            "value_sql": self.value_sql,
        }
        return {**told, "rows_counted": self.pinned.rows.to_pylist()} if rows else told

    def lines(self, *, rows: bool, is_sql_shown: bool) -> Iterator[Line]:
        """For people, from the answer to what it rests on."""
        found, rule = self.explanation, self.rule
        yield Line(f"{rule.id}: {rule.title}", HEAD)
        yield Line(f"{found.scope} on {self.connection}, version {rule.sha256[:12]}", QUIET)
        if self.removed_at is not None:
            yield Line(f"Removed on {self.removed_at:%Y-%m-%d}: explained by its last version.", BAD)
            if self.is_over:
                yield Line("Its findings ended with it; told is the last week that it judged.", BAD)
        yield Line()
        colour = BAD if found.memory.state.value == "firing" else GOOD if found.memory.state.value == "ok" else ""
        yield from (Line(sentence, colour if sentence == found.sentences[-1] else "") for sentence in found.sentences)
        if self.newest is not None:
            yield Line(f"Nothing is here of these weeks. {newest_record.advice(self.newest)}", BAD)
        yield from self._published()
        yield from _titled("Which target won, and why", [(_mark(s.has_won), s.label, s.target, s.because)
                                                           for s in found.cascade])  # fmt: skip
        yield from _titled(
            "What was counted",
            [("week", "numerator", "denominator", "samples")]
            + [(weeks.label(week), f"{top:g}", f"{bottom:g}", n) for week, top, bottom, n in found.weekly],
            right=frozenset({1, 2, 3}),
        )
        yield from _titled(
            f"How it came there ({rule.for_values} in a row fire, {rule.clear.values} clear ones resolve)",
            [
                (weeks.label(step.week), step.value, f"target {step.target}", step.finding, step.reason)
                for step in found.course[-COURSE_SHOWN:]
            ],
            right=frozenset({1}),
        )
        yield from self._rows(rows)
        if is_sql_shown:
            yield Line()
            yield Line("SQL of the value, and within it of the rows of all scopes (DuckDB)", HEAD)
            yield from (Line(text, QUIET) for text in self.value_sql.splitlines())
        else:
            yield Line("  The query behind them: --sql", QUIET)

    def _published(self) -> Iterator[Line]:
        if self.published is not None and self.published["differs"]:
            was, target = (value_text(self.published[name], self.rule) for name in ("value", "target"))
            yield Line(f"Published was {was}, held against {target}: what was recorded since changed it.", BAD)
        if self.is_of_now and self.finding is not None and self.finding["state"] != self.explanation.memory.state:
            state = self.finding["state"].replace("_", " ")
            yield Line(f"Live it is {state}: a live finding rests on values as they were published.", BAD)
        if self.finding is not None and self.finding["queue_reason"]:
            yield Line(f"Its action waits: {self.finding['queue_reason']}.")
        for code in self.finding["actions"] if self.finding is not None else ():
            yield Line(f"Action {code} was opened on it.")

    def _rows(self, is_all: bool) -> Iterator[Line]:
        table = self.pinned.rows
        shown = table if is_all else table.slice(0, ROWS_SHOWN)
        title = f"Rows counted: {table.num_rows}, SHA-256 {self.pinned.sha256[:12]}…"
        listed: list[tuple[str, ...]] = [
            (row["id"], weeks.label(row["week"]), _figure(row["numerator"]), _figure(row["denominator"]))
            for row in shown.to_pylist()
        ]
        if metric_named(self.rule.metric).fill is Fill.SINCE_LAST:  # rows tell days, and are no parts of a sum
            title += "; the day of each contact"
            listed = [(row["id"] or f"first ticket, no contact of {row['account']}", _day(row["numerator"]))
                      for row in shown.to_pylist()]  # fmt: skip
        yield from _titled(title, listed, right=frozenset({2, 3}))
        if shown.num_rows < table.num_rows:
            yield Line(f"  … and {table.num_rows - shown.num_rows} more: --rows", QUIET)


def _pretty(sql: str) -> str:
    return sqlglot.transpile(sql, read="duckdb", write="duckdb", pretty=True)[0]


def _figure(number: float | None) -> str:
    """A row's number; of a part nobody recorded that it is missing."""
    return "missing" if number is None else f"{number:g}"


def _day(number: float) -> str:
    return str(date.fromordinal(EPOCH + int(number)))


def _mark(has_won: bool) -> str:
    return "→" if has_won else ""


def _titled(title: str, rows: list[tuple[Any, ...]], *, right: frozenset[int] = frozenset()) -> Iterator[Line]:
    yield Line()
    yield Line(title, HEAD)
    yield from (Line(text) for text in columns(rows, right=right))


def live_or_last(rule_id: str) -> tuple[Rule, datetime | None]:
    """The live rule of this id; else the last version of a removed one, and when it was removed."""
    live = sources.live()
    row = last_live(rule_id)
    if row is None or row.is_live or any(rule.id == rule_id for rule in live.rules):
        return live.rule(rule_id), None
    life = last_life(rule_id)
    if life is None or life.removed_at is None:
        return live.rule(rule_id), None
    return rule_from_document(row.document), life.removed_at


def told(
    rule: Rule,
    scope_text: str,
    *,
    as_of: datetime,
    connection: str | None = None,
    removed_at: datetime | None = None,
) -> Told:
    """Explain a rule on one scope for the moment; the weeks before are folded as the live evaluation did, each by the
    version that judged it. A draft is folded by itself, and a removed rule no further than it was judged.
    """
    scope = _scope(rule, scope_text)
    names = connection_names(connection)
    life = last_life(rule.id)
    judged_by = _judged_by(rule, scope, life, is_removed=removed_at is not None)
    with our_warehouse() as warehouse:
        others = {other.sha256: other for by_week in judged_by.values() for other in by_week.values()}
        last = {name: _last_week(rule, name, removed_at, as_of) for name in names}
        cells = {name: _cells(warehouse, [rule, *others.values()], name, life, as_of, last[name]) for name in names}
        newest = {name: newest_record.newest(warehouse, rule, name, as_of) for name in names}
        where = _connection_of(rule, scope, cells, newest.values())
        week = last[where]
        found = explain(
            rule,
            cells[where][rule.key],
            scope,
            connection=where,
            week=week,
            companions=cells[where],
            first_week=_first_week(rule, where, life, week),
            judged_by=judged_by.get(where),
        )
        pinned = warehouse.pinned(
            cell_query(rule.key, where),
            scope=scope.as_dict(),
            as_of=as_of,
            first_week=found.point.first_week,
            last_week=found.point.week,
        )
    last_seen = newest[where]
    is_older = last_seen is not None and last_seen.date() < weeks.monday(found.point.first_week)
    return Told(
        judged_by.get(where, {}).get(found.point.week, rule),
        where,
        as_of,
        found,
        pinned,
        _published(rule, found, where),
        _finding(found, where),
        removed_at,
        last_seen if is_older and not pinned.rows.num_rows else None,
    )


def _judged_by(rule: Rule, scope: Scope, life: Life | None, *, is_removed: bool) -> dict[str, dict[int, Rule]]:
    """Other versions of a live or removed rule that judged its last series on a scope, by connection and week.

    A rule that comes back judges all weeks anew that it looks back on, whatever had been published of them.
    """
    if not is_removed and not RuleVersion.objects.filter(rule_id=rule.id, sha256=rule.sha256, is_live=True).exists():
        return {}
    found: dict[str, dict[int, Rule]] = {}
    read: dict[str, Rule | None] = {}
    lived = life.versions if life is not None else ()
    judged = of_series(rule).filter(finding__scope_key=scope.key).exclude(version=None)
    rows = judged.values_list("finding__connection", "week", "version__sha256")
    for connection, week, published_by in rows:
        sha256 = published_by if published_by in lived or not lived else lived[0]  # what it published before it went
        if sha256 == rule.sha256:
            continue
        if sha256 not in read:
            version = RuleVersion.objects.filter(rule_id=rule.id, sha256=sha256).first()
            read[sha256] = readable(version) if version is not None else None
        other = read[sha256]
        if other is not None and other.series_sha256 == rule.series_sha256:
            found.setdefault(connection, {})[week] = other
    return found


def _first_week(rule: Rule, connection: str, life: Life | None, week: int) -> int:
    """Where the live evaluation began, or would have begun; of a removed rule that of its last life, as its removal
    tells, else by the day it came back; if it never did, the first value it published."""
    row = Evaluation.objects.filter(rule_id=rule.id, connection=connection).first()
    began = row.first_week if row is not None else None
    if row is None and life is not None:
        began = life.first_weeks.get(connection)
        if began is None and life.began is not None:
            began = last_week(life.began) - BACKFILL_WEEKS + 1
    if began is not None:
        return began if began <= week else week - BACKFILL_WEEKS + 1
    published = of_series(rule).filter(finding__connection=connection, week__lte=week)
    first: int | None = published.aggregate(first=Min("week"))["first"]
    return week - BACKFILL_WEEKS + 1 if first is None else first


def _last_week(rule: Rule, connection: str, removed_at: datetime | None, as_of: datetime) -> int:
    """The last complete week; of a removed rule the last one that it was evaluated for, if that is earlier."""
    week = last_week(as_of)
    if removed_at is None:
        return week
    published = of_series(rule).filter(finding__connection=connection)
    last: int | None = published.aggregate(last=Max("week"))["last"]
    return min(week, last_week(removed_at) if last is None else last + rule.lag_weeks)


def _cells(
    warehouse: Warehouse, versions: list[Rule], connection: str, life: Life | None, as_of: datetime, week: int
) -> dict[SeriesKey, Cells]:
    first = _first_week(versions[0], connection, life, week)
    return {
        query.key: Cells.of(
            warehouse.cells(
                cell_query(query.key, connection),
                as_of=as_of,
                first_week=first - query.weeks_needed + 1,
                last_week=week,
            ),
            query.by,
        )
        for query in plan_queries(versions)
    }


def _scope(rule: Rule, text: str) -> Scope:
    scope = Scope.parse(text)
    for name, _ in scope.items:
        if name not in rule.by:
            known = did_you_mean(name, rule.by) if rule.by else "Leave --scope out."
            raise InputError(f"{rule.id} does not group by “{name[:60]}”.", mend=known)
    return scope


def _connection_of(
    rule: Rule, scope: Scope, cells: Mapping[str, Mapping[SeriesKey, Cells]], newest: Iterable[datetime | None]
) -> str:
    """The one connection that has the scope; :class:`InputError` with the scopes it may be otherwise."""
    having = [name for name, of in cells.items() if of[rule.key].row_of(scope) is not None]
    if len(having) == 1:
        return having[0]
    if having:
        raise InputError(f"{scope} is counted on {' and '.join(having)}.", mend="Name one of them with --connection.")
    known = sorted({other for of in cells.values() for other in of[rule.key].scopes}, key=lambda other: other.key)
    wanted = scope.as_dict()
    near = [other.key for other in known if all(other.get(name) == value for name, value in wanted.items())]
    if near:
        more = f" and {len(near) - LISTED} more" if len(near) > LISTED else ""
        what = f"{scope} is not one scope of {rule.id}: it groups by {', '.join(rule.by)}."
        raise InputError(what, mend=f"Which one? {'; '.join(near[:LISTED])}{more}.")
    if not known:
        last_seen = max((at for at in newest if at is not None), default=None)
        instead = f" {newest_record.advice(last_seen)}" if last_seen is not None else ""
        raise InputError(f"{rule.id} counted nothing in these weeks.", mend=f"Pull first, or widen its where.{instead}")
    for name, value in wanted.items():
        beside = {key: other for key, other in wanted.items() if key != name}
        values = {one.get(name) or "" for one in known if all(one.get(key) == has for key, has in beside.items())}
        values = values or {one.get(name) or "" for one in known}
        if value not in values:
            raise InputError(f"Nothing is counted for {name} “{value[:60]}”.", mend=did_you_mean(value, values))
    raise InputError(f"Nothing is counted for {scope}.", mend=did_you_mean(scope.key, (other.key for other in known)))


def _published(rule: Rule, found: Explanation, connection: str) -> dict[str, Any] | None:
    """The value that was published for the week, if what the rule counts was live then."""
    rows = of_series(rule).filter(finding__connection=connection, finding__scope_key=found.scope.key)
    row = rows.filter(week=found.point.week).first()
    if row is None:
        return None
    point = found.point
    is_same = (
        _is_same(row.value, point.value)
        and _is_same(row.target_value, point.target.value)
        and row.is_breaching == point.is_breaching
    )
    return {"value": row.value, "target": row.target_value, "is_breaching": row.is_breaching, "differs": not is_same}


def _is_same(one: float | None, other: float | None) -> bool:
    return one == other or (one is not None and other is not None and abs(one - other) < 1e-9)


def _finding(found: Explanation, connection: str) -> dict[str, Any] | None:
    """The live finding of the scope as it stands now, and what was opened on it."""
    row = Finding.objects.filter(rule_id=found.rule_id, connection=connection, scope_key=found.scope.key).first()
    if row is None:
        return None
    return {
        "state": row.state,
        "last_week": weeks.label(row.memory["last_week"]) if row.memory else None,
        "fired_week": weeks.label(row.fired_week) if row.fired_week is not None else None,
        "rows": row.rows_count,
        "rows_sha256": row.rows_sha256,
        "queue_reason": row.queue_reason,
        "actions": [action.code for action in row.actions.order_by("id")],
    }
