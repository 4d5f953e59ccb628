"""A hundred rules as an organisation writes them, and the same numbers as one would ask DuckDB for them by hand.

Fourteen metrics, each by customer, country and service (all, urgent, normal, another kind), by customer and country,
and by supplier. The texts use every column that is kept beside a record, as somebody would who knows the file: no join,
no week that is not needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.rules_world import AS_OF, CONNECTION, LAST_WEEK

EVALUATED = 26  # weeks
WINDOW = 4  # weeks
COARSE, FINE = ("customer", "country"), ("customer", "country", "service")
HOURS_TO_RESOLVE = 336


@dataclass(frozen=True, slots=True)
class Told:
    """How a metric is counted by hand: rows of a table that meet a condition, by a day; what they add up to."""

    table: str
    day: str
    moment: str
    met: str
    numerator: str
    target: dict[str, Any]
    where: dict[str, Any] | None = None
    lag_weeks: int = 0
    is_count: bool = False


TICKETS = "vanished_at IS NULL AND state <> 'cancelled'"
CLOCKS = "vanished_at IS NULL AND NOT is_ticket_gone"
SURVEYS = "vanished_at IS NULL AND survey.kind = 'csat' AND score IS NOT NULL"
RESOLVED = ("tickets", "resolved_day", "resolved_at", TICKETS)
ANSWERED = ("surveys", "answered_day", "answered_at", SURVEYS.replace("survey.", ""))
MATURE = f"opened_at <= $as_of::TIMESTAMPTZ - INTERVAL {HOURS_TO_RESOLVE} HOUR"
OPEN_HOURS = (
    f"CASE WHEN done_at <= $as_of::TIMESTAMPTZ THEN least(open_s / 3600.0, {HOURS_TO_RESOLVE}) "
    f"ELSE {HOURS_TO_RESOLVE} END"
)
METRICS: dict[str, Told] = {
    "incident_count": Told("tickets", "opened_day", "opened_at", TICKETS, "1", {"max": 100}, is_count=True),
    "major_incident_count": Told(
        "tickets", "opened_day", "opened_at", TICKETS, "CAST(is_major AS INT)", {"max": 1}, is_count=True
    ),
    "sla_breach_rate": Told(
        *("slas", "decided_day", "decided_at", f"{CLOCKS} AND stage <> 'cancelled'", "CAST(is_breached AS INT)"),
        {"max": "20%"},
        {"sla.target": "resolution"},
    ),
    "sla_breach_rate of responses": Told(
        *("slas", "decided_day", "decided_at", f"{CLOCKS} AND stage <> 'cancelled'", "CAST(is_breached AS INT)"),
        {"max": "20%"},
        {"sla.target": "response"},
    ),
    "time_to_respond": Told(
        *("slas", "end_day", "end_at", f"{CLOCKS} AND stage = 'completed' AND target = 'response'"),
        *("clock_s / 3600.0", {"max": 2}),
    ),
    "time_to_resolve": Told(
        *("tickets", "opened_day", "opened_at", f"{TICKETS} AND {MATURE}", OPEN_HOURS, {"max": 30}), lag_weeks=2
    ),
    "reopen_rate": Told(*RESOLVED, "CAST(reopen_count > 0 AS INT)", {"max": "6%"}),
    "reassignment_rate": Told(*RESOLVED, "CAST(reassignment_count > 0 AS INT)", {"max": "40%"}),
    "first_contact_resolution_rate": Told(
        *RESOLVED, "CAST(reassignment_count = 0 AND reopen_count = 0 AS INT)", {"min": "60%"}
    ),
    "change_failure_rate": Told(
        *("tickets", "closed_day", "closed_at", f"{TICKETS} AND is_successful IS NOT NULL"),
        *("CAST(NOT is_successful AS INT)", {"max": "10%"}, {"kind": "change"}),
    ),
    "csat_mean": Told(*ANSWERED, "score", {"min": 4}, {"survey.kind": "csat"}),
    "csat_low_share": Told(*ANSWERED, "CAST(score <= 2 AS INT)", {"max": "10%"}, {"survey.kind": "csat"}),
    "survey_response_rate": Told(
        *("surveys", "sent_day", "sent_at", "vanished_at IS NULL AND sent_at <= $as_of::TIMESTAMPTZ - INTERVAL 7 DAY"),
        *("CAST(score IS NOT NULL AND answered_at <= sent_at + INTERVAL 7 DAY AS INT)", {"min": "30%"}),
        lag_weeks=1,
    ),
    "backlog_open": Told("tickets", "opened_day", "opened_at", TICKETS, "1", {"max": 50}),
}
WAYS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (  # by and filter of each metric's seven rules
    (FINE, {"kind": "incident"}),
    (FINE, {"kind": "incident", "priority": [1, 2]}),
    (FINE, {"kind": "incident", "priority": [3]}),
    (FINE, {"kind": "request"}),
    (COARSE, {"kind": "incident"}),
    (COARSE, {"kind": "incident", "priority": [1, 2, 3]}),
    (("supplier",), {"kind": "incident"}),
)
MORE: tuple[tuple[str, tuple[str, ...], dict[str, Any]], ...] = (
    ("sla_breach_rate", ("assignment_group",), {"kind": "incident"}),
    ("csat_mean", ("country",), {"kind": ["incident", "request"]}),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One rule's question, and how to ask it by hand."""

    name: str
    told: Told
    by: tuple[str, ...]
    where: dict[str, Any]

    @property
    def metric(self) -> str:
        """The metric's id."""
        return self.name.split(" ")[0]

    def document(self, number: int) -> dict[str, Any]:
        """The rule as a document."""
        rule_id = f"rule-{number:03d}"
        return {
            "apiVersion": "regelkreis/v1",
            "kind": "Rule",
            "metadata": {"id": rule_id, "title": f"{self.name} by {', '.join(self.by)}", "objective": "measured"},
            "spec": {
                "metric": self.metric,
                "where": self.where,
                "by": list(self.by),
                "window": "1w" if self.metric == "backlog_open" else f"{WINDOW}w",
                "target": self.told.target,
            },
            "action": {"title": "Look at it"},
        }

    def by_hand(self) -> tuple[str, dict[str, Any]]:
        """The SQL for its values (``by…, week, numerator, denominator``), and what is bound."""
        last = LAST_WEEK - self.told.lag_weeks
        first = last - EVALUATED + 1
        bound: dict[str, Any] = {"as_of": AS_OF.isoformat(), "first": first, "last": last}
        return (_level(self) if self.metric == "backlog_open" else _windowed(self)), bound


def hundred() -> list[Asked]:
    """The rules."""
    asked = [
        Asked(name, told, by, {**where, **(told.where or {})}) for name, told in METRICS.items() for by, where in WAYS
    ]
    return asked + [
        Asked(name, METRICS[name], by, {**where, **(METRICS[name].where or {})}) for name, by, where in MORE
    ]


def _lent(asked: Asked, name: str) -> str:
    """The column a dimension or a filter is kept in."""
    if name in ("sla.target", "survey.kind"):
        return name.replace("sla.", "").replace("survey.", "")
    if asked.told.table == "slas":
        return "coalesce(supplier, ticket_supplier)" if name == "supplier" else f"ticket_{name}"
    if asked.told.table == "surveys":
        return f"coalesce({name}, ticket_{name})" if name in FINE else f"ticket_{name}"
    return name


def _conditions(asked: Asked) -> str:
    parts = [f"connection = '{CONNECTION}'", asked.told.met, f"{asked.told.moment} <= $as_of::TIMESTAMPTZ"]
    for name, wanted in asked.where.items():
        values: Sequence[Any] = wanted if isinstance(wanted, list) else [wanted]
        listed = ", ".join(repr(value) for value in values)
        column = _lent(asked, name)
        parts.append(f"{column} = {listed}" if len(values) == 1 else f"{column} IN ({listed})")
    return " AND ".join(parts)


def _grouped(asked: Asked) -> str:
    return ", ".join(f"coalesce({_lent(asked, name)}, '(none)') AS {name}" for name in asked.by)


def _windowed(asked: Asked) -> str:
    told = asked.told
    exposure = f"{WINDOW}::DOUBLE" if told.is_count else "sum(n)::DOUBLE"
    return f"""
    WITH cells AS (
        SELECT {_grouped(asked)}, ({told.day} + 3) // 7 AS week, sum({told.numerator}) AS numerator, count(*) AS n
        FROM {told.table} WHERE {_conditions(asked)}
        AND {told.day} BETWEEN ($first - {WINDOW - 1}) * 7 - 3 AND $last * 7 + 3 GROUP BY ALL
    )
    SELECT {", ".join(asked.by)}, week + later AS week, sum(numerator)::DOUBLE AS numerator, {exposure} AS denominator
    FROM cells, range({WINDOW}) AS r(later) WHERE week + later BETWEEN $first AND $last GROUP BY ALL"""


def _level(asked: Asked) -> str:
    keys = ", ".join(asked.by)
    return f"""
    WITH found AS (
        SELECT {_grouped(asked)}, (opened_day + 3) // 7 AS opened, CASE WHEN done_at <= $as_of::TIMESTAMPTZ
        AND done_day <= $last * 7 + 3 THEN (greatest(done_day, opened_day) + 3) // 7 END AS done
        FROM tickets WHERE {_conditions(asked)} AND opened_day <= $last * 7 + 3
    ), net AS (
        SELECT {keys}, week, sum(change) AS change FROM (
            SELECT {keys}, greatest(opened, $first) AS week, 1 AS change FROM found UNION ALL
            SELECT {keys}, greatest(done, $first), -1 FROM found WHERE done IS NOT NULL) GROUP BY ALL
    ), spine AS (
        SELECT {keys}, unnest(generate_series(min(week), $last)) AS week FROM net GROUP BY {keys}
    )
    SELECT s.*, sum(coalesce(n.change, 0)) OVER (PARTITION BY {", ".join(f"s.{name}" for name in asked.by)}
        ORDER BY s.week)::DOUBLE AS numerator, 1::DOUBLE AS denominator
    FROM spine s LEFT JOIN net n USING ({keys}, week)"""
