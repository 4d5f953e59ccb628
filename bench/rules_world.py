"""Years of tickets made by SQL inside DuckDB, a million at a time: what a large organisation's history looks like.

104 weeks, 20 customers in 5 countries with 3 services each (60 scopes), tickets with two clocks, surveys on every
fifth, contacts; times to resolve are log-normal, so that some tickets stay open for months. Days are counted in UTC.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

CONNECTION = "bench"
WEEKS = 104
START = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday
END = START + timedelta(weeks=WEEKS)
AS_OF = END + timedelta(hours=6)
LAST_WEEK = (START.date() - datetime(1969, 12, 29).date()).days // 7 + WEEKS - 1
CUSTOMERS, SERVICES, SUPPLIERS, GROUPS, CATEGORIES = 20, 3, 6, 30, 20
COUNTRIES = ("DE", "CH", "GB", "US", "JP")
CHUNK = 1_000_000
WEEK_US, HOUR_US, DAY_US = 604_800_000_000, 3_600_000_000, 86_400_000_000
START_US, END_US = (round(moment.timestamp()) * 1_000_000 for moment in (START, END))


def u(salt: int) -> str:
    """SQL: a number of 0 to 1 that belongs to ticket ``i``, always the same."""
    return f"((hash(i * 64 + {salt}) % 1000003) / 1000003.0)"


def one_of(what: str, count: int, salt: int) -> str:
    """SQL: one of so many names."""
    return f"'{what} ' || lpad((hash(i * 64 + {salt}) % {count})::VARCHAR, 2, '0')"


DRAWN = f"""
    SELECT i, printf('%08x', hash(i) % 4294967296) || i::VARCHAR AS id,
        {START_US} + CAST((i + {u(1)}) / $total * {WEEKS * WEEK_US} AS BIGINT) AS opened_us,
        exp(2.3 + 1.4 * sqrt(-2 * ln({u(2)} + 1e-9)) * cos(2 * pi() * {u(3)})) AS hours,
        hash(i * 64 + 4) % {CUSTOMERS} AS customer_no,
        CASE WHEN {u(5)} < 0.70 THEN 'incident' WHEN {u(5)} < 0.92 THEN 'request' ELSE 'change' END AS kind,
        1 + CAST(floor(5 * {u(6)} * {u(6)}) AS BIGINT) AS drawn
    FROM range($first, $until) AS t(i)"""
MADE = f"""
    SELECT *, 6 - drawn AS priority, opened_us + CAST(hours * {HOUR_US} AS BIGINT) AS resolved_us,
        opened_us + CAST(hours * {HOUR_US} AS BIGINT) > {END_US} AS is_open,
        'Customer ' || lpad(customer_no::VARCHAR, 2, '0') AS customer,
        ({list(COUNTRIES)!r})[(customer_no % 5 + 1)::BIGINT] AS country, {one_of("Service", SERVICES, 7)} AS service,
        {one_of("Supplier", SUPPLIERS, 8)} AS supplier, {one_of("Category", CATEGORIES, 9)} AS category,
        {one_of("Group", GROUPS, 10)} AS assignment_group
    FROM ({DRAWN})"""
KEPT = "'0' AS row_hash, $seen::TIMESTAMPTZ AS first_seen_at, $seen::TIMESTAMPTZ AS last_seen_at"
LENT = (
    "kind AS ticket_kind, customer AS ticket_customer, country AS ticket_country, service AS ticket_service, "
    "supplier AS ticket_supplier, category AS ticket_category, assignment_group AS ticket_assignment_group, "
    "priority AS ticket_priority, false AS is_ticket_gone"
)


def instant(us: str) -> str:
    """SQL: microseconds since 1970 as an instant."""
    return f"make_timestamptz({us})"


def day(us: str) -> str:
    """SQL: the UTC day of microseconds since 1970."""
    return f"({us}) // {DAY_US}"


TICKETS = f"""
    WITH made AS ({MADE}), told AS (SELECT *, CASE WHEN NOT is_open THEN resolved_us END AS done_us FROM made)
    INSERT INTO tickets BY NAME
    SELECT '{CONNECTION}' AS connection, id, 'INC' || i::VARCHAR AS number, kind, 'Does not work' AS title,
        CASE WHEN is_open THEN 'in_progress' WHEN {u(11)} < 0.02 THEN 'cancelled' ELSE 'closed' END AS state,
        priority, {u(12)} < 0.004 AS is_major, customer, country, service, supplier, category, assignment_group,
        {instant("opened_us")} AS opened_at, {instant("done_us")} AS resolved_at, {instant("done_us")} AS closed_at,
        {instant("opened_us")} AS created_at, {instant("coalesce(done_us, opened_us)")} AS updated_at,
        CAST({u(13)} < 0.05 AS BIGINT) AS reopen_count, CAST(floor(-ln({u(14)} + 1e-9) * 0.8) AS BIGINT)
        AS reassignment_count, CASE WHEN kind = 'change' THEN {u(15)} < 0.9 END AS is_successful,
        hash('{CONNECTION}', id) AS key_hash,
        CASE WHEN state IN ('closed', 'cancelled') THEN {instant("done_us")} END AS done_at,
        CASE WHEN state IN ('closed', 'cancelled') THEN (done_us - opened_us) // 1000000 END AS open_s,
        {day("opened_us")} AS opened_day, {day("done_us")} AS resolved_day, {day("done_us")} AS closed_day,
        {day("done_us")} AS done_day, {KEPT}
    FROM told"""
CLOCKS = f"""
    WITH made AS ({MADE}), running AS (
        SELECT *, opened_us + CAST(hours * {HOUR_US} * speed AS BIGINT) AS end_us, opened_us + goal_h * {HOUR_US}
        AS breach_us, CAST(hours * speed * 3600 AS BIGINT) > goal_h * 3600 AS is_late
        FROM made, (VALUES ('response', 1, 0.05), ('resolution', 24, 1.0)) AS clock(target, goal_h, speed)
    ), told AS (SELECT *, CASE WHEN end_us <= {END_US} THEN end_us END AS ended_us,
        is_late AND breach_us <= {END_US} AS is_breached FROM running)
    INSERT INTO slas BY NAME
    SELECT '{CONNECTION}' AS connection, target[1:3] || id AS id, id AS ticket_id, target AS sla_id,
        'Goal of ' || target AS sla_name, target, 'sla' AS agreement,
        CASE WHEN ended_us IS NULL THEN 'in_progress' ELSE 'completed' END AS stage, is_breached,
        {instant("opened_us")} AS start_at, {instant("ended_us")} AS end_at, {instant("breach_us")} AS breach_at,
        goal_h * 3600 AS goal_s, (coalesce(ended_us, {END_US}) - opened_us) // 1000000 AS elapsed_s,
        {instant(f"coalesce(ended_us, {END_US})")} AS updated_at, 1 AS n, hash('{CONNECTION}', target[1:3] || id)
        AS key_hash, hash('{CONNECTION}', made_id) AS ticket_hash, elapsed_s AS clock_s,
        {instant("CASE WHEN is_breached THEN breach_us ELSE ended_us END")} AS decided_at,
        {day("CASE WHEN is_breached THEN breach_us ELSE ended_us END")} AS decided_day, {day("ended_us")} AS end_day,
        {LENT}, {KEPT}
    FROM (SELECT *, id AS made_id FROM told)"""
SURVEYS = f"""
    WITH made AS (SELECT * FROM ({MADE}) WHERE i % 5 = 0 AND NOT is_open), told AS (
        SELECT *, CASE WHEN {u(16)} < 0.6 THEN resolved_us + CAST({u(17)} * 120 * {HOUR_US} AS BIGINT) END
        AS answered_us FROM made)
    INSERT INTO surveys BY NAME
    SELECT '{CONNECTION}' AS connection, 's' || id AS id, 'csat' AS kind, made_id AS ticket_id,
        {instant("resolved_us")} AS sent_at, {instant("answered_us")} AS answered_at,
        CASE WHEN answered_us IS NOT NULL THEN greatest(1, least(5, round(4.1 + 2 * ({u(18)} + {u(19)} - 1)))) END
        AS score, 1 AS scale_min, 5 AS scale_max, {instant("resolved_us")} AS updated_at,
        hash('{CONNECTION}', 's' || made_id) AS key_hash, hash('{CONNECTION}', made_id) AS ticket_hash,
        {day("answered_us")} AS answered_day, {day("resolved_us")} AS sent_day,
        {LENT.replace("kind AS", "made_kind AS")}, {KEPT}
    FROM (SELECT *, id AS made_id, kind AS made_kind FROM told)"""
CONTACTS = f"""
    WITH made AS (SELECT * FROM ({MADE}) WHERE i % 500 = 0)
    INSERT INTO contacts BY NAME
    SELECT '{CONNECTION}' AS connection, 'c' || id AS id, CASE WHEN i % 3500 = 0 THEN 'complaint' ELSE 'call' END
        AS kind, customer, country, {instant("opened_us")} AS "at", {instant("opened_us")} AS updated_at,
        hash('{CONNECTION}', 'c' || made_id) AS key_hash, {day("opened_us")} AS at_day, {KEPT}
    FROM (SELECT *, id AS made_id FROM made)"""


def build(path: Path, tickets: int) -> float:
    """Make the file; returns the seconds it took. Use a process of its own: this needs memory, evaluating does not."""
    from workflows.warehouse import Warehouse, Zones

    begin = time.perf_counter()
    with Warehouse.open(path, memory_limit="4GB") as warehouse:
        warehouse.use_zones(Zones())
        raw: Any = warehouse._raw
        for first in range(0, tickets, CHUNK):
            bound = {"first": first, "until": min(first + CHUNK, tickets), "total": tickets, "seen": END.isoformat()}
            for statement in (TICKETS, CLOCKS, SURVEYS, CONTACTS):
                raw.execute(statement, bound)
        raw.execute("CHECKPOINT")
    return time.perf_counter() - begin
