"""Asking: the answer of one statement, planned once.

``sql(…)`` of DuckDB's client plans a query twice, to describe it and to run it. That is nothing for a query that reads
millions of rows, and most of the time of one that counts a week.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

Values = Sequence[Any] | Mapping[str, Any] | None

# The copy it warns of is one of the answer, which is small; a relation would cost a second plan.
warnings.filterwarnings("ignore", message="Arrow output on a DB-API result", category=UserWarning)


def table_of(raw: Any, sql: str, values: Values = None) -> pa.Table:
    """The answer as Arrow. Give an instant as ISO text and cast it: a datetime would load pytz."""
    if "ORDER BY" in sql.upper():  # in a subquery too: better a second plan than an answer out of order
        # DuckDB 2.0.1 gives Arrow of an executed statement in pieces of 2048 rows, and where insertion order is not
        # kept now and then one before the other; of a relation it never did.
        return (raw.sql(sql, params=values) if values else raw.sql(sql)).to_arrow_table()
    return (raw.execute(sql, values) if values else raw.execute(sql)).to_arrow_table()


def rows_of(raw: Any, sql: str, values: Values = None) -> list[tuple[Any, ...]]:
    """The answer as rows of Python values: for a few of them."""
    found: list[tuple[Any, ...]] = (raw.execute(sql, values) if values else raw.execute(sql)).fetchall()
    return found


def number_of(raw: Any, sql: str, values: Values = None) -> int:
    """The one whole number that is the answer."""
    return int(rows_of(raw, sql, values)[0][0])
