"""The metrics as one would write them by hand for DuckDB: the peer of the evaluation, and a second opinion on it.

Every text gives the finished cells (customer, country, service, week, numerator, denominator) of incidents of the
connection ``bench`` for the weeks ``$first … $last`` at ``$as_of``.
"""

from __future__ import annotations

WEEK = "({} + 3) // 7"
TICKET = "connection = 'bench' AND vanished_at IS NULL AND state <> 'cancelled' AND kind = 'incident'"
BY = ", ".join(f"coalesce({{0}}.{name}, '(none)') AS {name}" for name in ("customer", "country", "service"))
CLOCKS = (
    "FROM slas s JOIN tickets t ON t.connection = s.connection AND t.id = s.ticket_id WHERE s.connection = 'bench' "
    "AND s.vanished_at IS NULL AND t.vanished_at IS NULL AND t.kind = 'incident' AND s.stage <> 'cancelled'"
)


def _counted(what: str) -> str:
    return f"""
    WITH found AS (
        SELECT {BY.format("tickets")}, {WEEK.format("opened_day")} AS week, {what} AS numerator
        FROM tickets WHERE {TICKET} AND opened_at <= $as_of::TIMESTAMPTZ AND opened_day <= $last * 7 + 3
        GROUP BY ALL
    ), scopes AS (SELECT customer, country, service, greatest(min(week), $first) AS since FROM found GROUP BY ALL),
    spine AS (SELECT customer, country, service, unnest(generate_series(since, $last)) AS week FROM scopes)
    SELECT s.*, coalesce(f.numerator, 0)::DOUBLE AS numerator, 1::DOUBLE AS denominator
    FROM spine s LEFT JOIN found f USING (customer, country, service, week)"""


HAND_WRITTEN: dict[str, str] = {
    "incident_count": _counted("count(*)"),
    "major_incident_count": _counted("count(*) FILTER (is_major)"),
    "sla_breach_rate": f"""
    SELECT {BY.format("t")}, {WEEK.format("s.decided_day")} AS week,
           count(*) FILTER (s.is_breached)::DOUBLE AS numerator, count(*)::DOUBLE AS denominator
    {CLOCKS} AND s.target = 'resolution' AND s.decided_at <= $as_of::TIMESTAMPTZ
    AND s.decided_day BETWEEN $first * 7 - 3 AND $last * 7 + 3 GROUP BY ALL""",
    "time_to_respond": f"""
    SELECT {BY.format("t")}, {WEEK.format("s.end_day")} AS week,
           sum(s.clock_s / 3600.0) AS numerator, count(*)::DOUBLE AS denominator
    {CLOCKS} AND s.target = 'response' AND s.stage = 'completed' AND s.end_at <= $as_of::TIMESTAMPTZ
    AND s.end_day BETWEEN $first * 7 - 3 AND $last * 7 + 3 GROUP BY ALL""",
    "time_to_resolve": f"""
    SELECT {BY.format("tickets")}, {WEEK.format("opened_day")} AS week,
           sum(CASE WHEN done_at <= $as_of::TIMESTAMPTZ THEN least(open_s / 3600.0, 336) ELSE 336 END) AS numerator,
           count(*)::DOUBLE AS denominator
    FROM tickets WHERE {TICKET} AND opened_at <= $as_of::TIMESTAMPTZ - INTERVAL 336 HOUR
    AND opened_day BETWEEN $first * 7 - 3 AND $last * 7 + 3 GROUP BY ALL""",
    "reopen_rate": f"""
    SELECT {BY.format("tickets")}, {WEEK.format("resolved_day")} AS week,
           count(*) FILTER (reopen_count > 0)::DOUBLE AS numerator, count(*)::DOUBLE AS denominator
    FROM tickets WHERE {TICKET} AND resolved_at <= $as_of::TIMESTAMPTZ
    AND resolved_day BETWEEN $first * 7 - 3 AND $last * 7 + 3 GROUP BY ALL""",
    "backlog_open": f"""
    WITH changes AS (
        SELECT {BY.format("tickets")}, {WEEK.format("opened_day")} AS week, 1 AS change
        FROM tickets WHERE {TICKET} AND opened_at <= $as_of::TIMESTAMPTZ AND opened_day <= $last * 7 + 3
        UNION ALL
        SELECT {BY.format("tickets")}, {WEEK.format("greatest(done_day, opened_day)")}, -1
        FROM tickets WHERE {TICKET} AND opened_at <= $as_of::TIMESTAMPTZ AND opened_day <= $last * 7 + 3
        AND done_at <= $as_of::TIMESTAMPTZ AND done_day <= $last * 7 + 3
    ), net AS (SELECT customer, country, service, week, sum(change) AS change FROM changes GROUP BY ALL),
    spine AS (
        SELECT customer, country, service, unnest(generate_series(min(week), $last)) AS week
        FROM net GROUP BY customer, country, service
    ), levels AS (
        SELECT s.*, sum(coalesce(n.change, 0)) OVER (
            PARTITION BY s.customer, s.country, s.service ORDER BY s.week)::DOUBLE AS numerator
        FROM spine s LEFT JOIN net n USING (customer, country, service, week)
    ) SELECT *, 1::DOUBLE AS denominator FROM levels WHERE week >= $first""",
    "csat_mean": f"""
    SELECT {BY.format("t")}, {WEEK.format("s.answered_day")} AS week,
           sum(s.score) AS numerator, count(*)::DOUBLE AS denominator
    FROM surveys s JOIN tickets t ON t.connection = s.connection AND t.id = s.ticket_id
    WHERE s.connection = 'bench' AND s.vanished_at IS NULL AND t.kind = 'incident' AND s.kind = 'csat'
    AND s.score IS NOT NULL AND s.answered_at <= $as_of::TIMESTAMPTZ
    AND s.answered_day BETWEEN $first * 7 - 3 AND $last * 7 + 3 GROUP BY ALL""",
}
