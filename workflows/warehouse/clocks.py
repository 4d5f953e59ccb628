"""Which SLA row is which: the natural key (connection, ticket, agreement, start, n).

A platform id tells rows apart while it lasts, but *SLA repair* deletes a ticket's rows and writes them again under
new ids; and clocks may share their start (*retroactive start*), so that ``n`` orders them by end: 1, 2, … for those
that count, −1, −2, … for cancelled ones. So an incoming row replaces the row of its own id, else a row of the same
ticket, agreement and start that it must be a copy of: one that ended at the same time, or was still running, or
ended later. A row that ended later than all that stand (or runs beside an ended one) is a further clock.
"""

# ruff: noqa: S608 (the SQL is made of our own names)

from __future__ import annotations

from typing import Any

from workflows.warehouse.asking import rows_of

STANDING_CLOCKS = (
    # The rows that stand for the same tickets: few, so that what follows costs nothing.
    """CREATE OR REPLACE TEMP TABLE near AS
    SELECT t.rowid AS was_row, t.connection, t.id, t.ticket_id, t.sla_id, t.start_at, t.end_at, t.n,
           t.stage = 'cancelled' AS is_cancelled, t.row_hash AS was_hash, t.first_seen_at AS was_first_seen,
           t.vanished_at IS NOT NULL AS was_gone
    FROM slas t WHERE t.rowid IN (  -- found by one number, then fetched: a fraction of the time of scanning all these
        SELECT s.rowid FROM slas s SEMI JOIN incoming i ON i.ticket_hash = s.ticket_hash)""",
    """CREATE OR REPLACE TEMP TABLE standing AS
    WITH same_id AS (
        SELECT i.position, w.was_row FROM incoming i JOIN near w ON i.connection = w.connection AND i.id = w.id
        QUALIFY row_number() OVER (PARTITION BY i.position ORDER BY w.was_gone, w.was_row) = 1
    ), copies AS (
        SELECT i.position, w.was_row, w.end_at IS NOT DISTINCT FROM i.end_at AS is_same_end, w.end_at, w.was_gone
        FROM incoming i JOIN near w
          ON i.connection = w.connection AND i.ticket_id = w.ticket_id AND i.sla_id = w.sla_id
         AND i.start_at IS NOT DISTINCT FROM w.start_at
         AND w.is_cancelled = (i.stage = 'cancelled')
         AND (w.was_gone OR w.end_at IS NULL OR i.end_at <= w.end_at)
        WHERE i.position NOT IN (SELECT position FROM same_id) AND w.was_row NOT IN (SELECT was_row FROM same_id)
    ), best AS (
        SELECT * FROM copies QUALIFY row_number() OVER (
            PARTITION BY position ORDER BY is_same_end DESC, was_gone, end_at NULLS FIRST, was_row) = 1
    ), taken AS (
        SELECT position, was_row FROM same_id
        UNION ALL
        (SELECT position, was_row FROM best
         QUALIFY row_number() OVER (PARTITION BY was_row ORDER BY is_same_end DESC, position) = 1)
    )
    SELECT taken.position, w.was_row, w.was_hash, w.was_first_seen, w.was_gone
    FROM taken JOIN near w ON w.was_row = taken.was_row""",
)

#: A clock's place where no other shares its start: almost always.
ALONE = "CAST(CASE WHEN {clock}.stage = 'cancelled' THEN -1 ELSE 1 END AS BIGINT)"

_TOGETHER = "connection, ticket_id, sla_id, start_at, is_cancelled"
# Every clock that came, and those that stand beside it.
_CLOCKS = """WITH clocks AS (
        SELECT i.position, s.was_row, i.connection, i.ticket_id, i.sla_id, i.start_at, i.end_at, i.id, w.n AS was_n,
               i.stage = 'cancelled' AS is_cancelled
        FROM incoming i LEFT JOIN standing s USING (position) LEFT JOIN near w ON w.was_row = s.was_row
        UNION ALL
        SELECT NULL, was_row, connection, ticket_id, sla_id, start_at, end_at, id, n, is_cancelled FROM near
        WHERE NOT was_gone AND was_row NOT IN (SELECT was_row FROM standing)
    )"""


def number_clocks(raw: Any) -> None:
    """Give every clock that came as if ALONE, and those beside it, its place among those that share its start."""
    some = f"{_CLOCKS} SELECT 1 FROM clocks GROUP BY {_TOGETHER} HAVING count(*) > 1 OR max(abs(was_n)) > 1 LIMIT 1"
    if not rows_of(raw, some):
        return
    raw.execute(
        f"""CREATE OR REPLACE TEMP TABLE ordered AS {_CLOCKS}
        SELECT position, was_row, (CASE WHEN is_cancelled THEN -1 ELSE 1 END) * row_number() OVER (
            PARTITION BY {_TOGETHER} ORDER BY end_at NULLS LAST, id) AS n
        FROM clocks"""
    )
    raw.execute("UPDATE incoming SET n = o.n FROM ordered o WHERE o.position = incoming.position AND o.n <> incoming.n")
    raw.execute("UPDATE slas SET n = o.n FROM ordered o WHERE o.was_row = slas.rowid AND o.n <> slas.n")
