"""Asking: the answer of one statement, planned once.

``sql(…)`` of DuckDB's client plans a query twice, to describe it and to run it. That is nothing for a query that reads
millions of rows, and most of the time of one that counts a week.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, closing
from typing import Any

import pyarrow as pa

SESSION_SETTINGS = {"TimeZone": "'UTC'", "enable_progress_bar": "false"}  # the others hold for the whole file
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


def tables_of(raw: Any, texts: Sequence[str]) -> Iterator[tuple[int, pa.Table]]:
    """The answers of several statements and their places, as they come in: asked at once, on a connection each.

    Planning takes most of the time of a statement over a few rows, and DuckDB plans with one thread, which need not be
    ours. Ask nothing of what the connection's own transaction wrote: the others do not see it.
    """
    with ExitStack() as stack, ThreadPoolExecutor(len(texts) or 1, thread_name_prefix="asking") as pool:
        others = [stack.enter_context(closing(raw.cursor())) for _ in texts]
        places = {
            pool.submit(_asked_apart, other, text): place
            for place, (other, text) in enumerate(zip(others, texts, strict=True))
        }
        for answer in as_completed(places):
            yield places[answer], answer.result()


def _asked_apart(raw: Any, sql: str) -> pa.Table:
    set_up(raw)
    return table_of(raw, sql)


def set_up(raw: Any) -> None:
    """Set what holds for a connection alone."""
    for name, value in SESSION_SETTINGS.items():
        raw.execute(f"SET {name} = {value}")


def rows_of(raw: Any, sql: str, values: Values = None) -> list[tuple[Any, ...]]:
    """The answer as rows of Python values: for a few of them."""
    found: list[tuple[Any, ...]] = (raw.execute(sql, values) if values else raw.execute(sql)).fetchall()
    return found


def number_of(raw: Any, sql: str, values: Values = None) -> int:
    """The one whole number that is the answer."""
    return int(rows_of(raw, sql, values)[0][0])
