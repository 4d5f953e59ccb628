"""What arrays say of expressions is what DuckDB says, nothing included."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import ibis
import numpy as np
import pyarrow as pa
import pytest

from improvement.metrics import CATALOGUE, metric_named
from improvement.metrics.computing import Program, Values, values_of
from improvement.metrics.signed import AT, PREFIX, SIGN, TO, Rows
from tests.improvement.metrics.build import CONNECTION, a_query, a_warehouse, load
from tests.improvement.metrics.test_against_slow import AS_OF, CROWD, FIRST, LAST, crowd
from workflows.warehouse import CellsAsked
from workflows.warehouse.passes import ANY_CONNECTION, on_connection

HALVES = [0.5, 1.5, -0.5, -2.5, 0.49999999999999994, 4503599627370497.5, 2.0, 0.0]
ROWS = pa.table(
    {
        "a": pa.array([1, -8, 7, None, 0, 3, None, 5], pa.int64()),
        "b": pa.array([1, 3, None, None, 2, 0, -4, 5], pa.int64()),
        "f": pa.array([0.5, None, float("nan"), -1.25, 3.0, float("inf"), 0.0, 2.5]),
        "g": pa.array(HALVES),
        "x": pa.array([True, True, False, None, None, False, None, True]),
        "y": pa.array([True, False, None, None, True, False, False, None]),
        "s": pa.array(["Acme", "Bolt", None, "Zürich", "", "Acme", None, "Bolt"]),
        "t": pa.array([None, "Bolt", "Acme", "Zürich", "Cask", "Dune", None, "Acme"]),
        "u": pa.array([0, 1, -1, None, 999_999, 1_500_000, 86_400_000_000, -1], pa.timestamp("us", "UTC")),
    }
)
NAMED = ibis.table(ROWS.schema, name="rows")
EXPRESSIONS: dict[str, Callable[[Any], Any]] = {
    "comparisons": lambda t: (t.a == t.b) | (t.a <= 1) | (t.b > t.a),
    "not": lambda t: ~(t.a < t.b),
    "and": lambda t: t.x & t.y,
    "or": lambda t: t.x | t.y,
    "not and": lambda t: ~(t.x & t.y),
    "not or": lambda t: ~(t.x | t.y),
    "a truth as a number": lambda t: (t.x & t.y).cast("int64"),
    "nothing as false": lambda t: (t.x & t.y).fill_null(False),
    "is null": lambda t: t.a.isnull() | (t.s.isnull() & t.f.notnull()),
    "texts": lambda t: (t.s == "Acme") | (t.s != t.t),
    "another text": lambda t: t.s != "nobody's",
    "one of texts": lambda t: t.s.isin(["Bolt", "Cask"]),
    "not one of numbers": lambda t: ~t.a.isin([1, 7]),
    "a text or another": lambda t: ibis.coalesce(t.s, t.t, ibis.literal("(none)")),
    "a number as text": lambda t: ibis.coalesce(t.a.cast("string"), ibis.literal("(none)")),
    "greatest": lambda t: ibis.greatest(t.a, t.b) + 3,
    "least": lambda t: ibis.least(t.a * 1.5, 2.0),
    "sums": lambda t: t.a - t.b * 2,
    "a share": lambda t: t.a / t.b,
    "weeks": lambda t: (t.a + 3) // 7,
    "rounded": lambda t: t.g.round(0).cast("int64"),
    "whole": lambda t: t.g.floor().cast("int64"),
    "to the nearest": lambda t: t.g.cast("int64"),
    "what is no number": lambda t: (t.f > 1) & ~(t.f <= 5.0),
    "seconds": lambda t: t.u.epoch_seconds().cast("float64").floor().cast("int64"),
    "ago": lambda t: t.u - ibis.interval(seconds=1),
    "if": lambda t: ibis.ifelse(t.x, t.a, t.b),
    "cases": lambda t: ibis.cases((t.a > 2, 1), (t.y, t.b), else_=ibis.null("int64")),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_operation_gives_what_duckdb_gives(name: str) -> None:
    expression = EXPRESSIONS[name](NAMED)
    program = Program.of([expression])
    assert program is not None
    found = program.run({name: values_of(ROWS[name]) for name in program.fields}, {})[program.places[0]]
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    con.register("rows", ROWS)
    sql = ibis.to_sql(NAMED.select(NAMED.a, found=expression), dialect="duckdb")
    assert plain(found, ROWS.num_rows) == plain(values_of(con.sql(str(sql)).to_arrow_table()["found"]), ROWS.num_rows)


@pytest.mark.parametrize("expression", [NAMED.s.upper(), NAMED.s < NAMED.t, NAMED.g.round(2), NAMED.u.cast("date")])
def test_an_operation_that_is_not_known_is_not_guessed(expression: Any) -> None:
    assert Program.of([NAMED.a + 1, expression]) is None


def test_a_number_too_great_to_be_whole_breaks_off() -> None:
    program = Program.of([(NAMED.f * 1e30).round(0)])
    assert program is not None
    with pytest.raises(FloatingPointError):
        program.run({"f": values_of(ROWS["f"])}, {})


def test_every_column_that_a_pass_reads_is_what_its_sql_gives(tmp_path: Path) -> None:
    """Of a crowd of records, by every metric that is kept and several groupings."""
    chosen = random.Random(7)
    with a_warehouse(tmp_path) as warehouse:
        load(warehouse, *[record for maker, number in CROWD[:3] for record in crowd(chosen, maker, number)])
        compared = 0
        for name in CATALOGUE:
            for by in (("customer", "country"), ("supplier", "priority")):
                query = a_query(name, by, tau_h=metric_named(name).tau_h, customer=["Acme", "(none)"])
                for one in warehouse.passes([CellsAsked(query, FIRST, LAST)], is_kept=True):
                    if one.signed is not None:
                        compared += columns_compared(warehouse, one.signed)
    assert compared > 150


def columns_compared(warehouse: Any, signed: Any) -> int:
    """Hold all that a pass computes of a row against DuckDB; how many columns that were."""
    rows = Rows.of([signed])
    assert rows is not None
    table = signed.table.op().name.removeprefix(PREFIX)
    first_day, last_day = FIRST * 7 - 3, LAST * 7 + 3
    moment = f"TIMESTAMPTZ '{AS_OF.isoformat()}' AS {AT}, {last_day}::BIGINT AS {TO}"
    signed_rows = f"SELECT *, 1::BIGINT AS {SIGN}, {moment} FROM live_{table} WHERE connection = '{CONNECTION}'"
    columns = {**{name or "": column for name, column in signed.columns.items()}, "is_counted": signed.common}
    sql = str(ibis.to_sql(signed.table.select(**columns), dialect="duckdb"))
    sql = on_connection(sql, CONNECTION).replace(f'"{PREFIX}{table}"', f"({signed_rows})")
    warehouse.arrow(f"SET VARIABLE first_day = {first_day}::BIGINT")
    theirs, read = warehouse.arrow(sql), warehouse.arrow(signed_rows)
    assert read.num_rows > 50
    ours = {name: values_of(read[name]) for name in rows.program.fields}
    if "connection" in ours:
        ours["connection"] = Values(np.int64(0), None, (ANY_CONNECTION,))
    found = rows.program.run(ours, {"first_day": first_day})
    for name, place in rows.places[0].items():
        mine, other = found[place], values_of(theirs["is_counted" if name is None else name])
        assert plain(mine, read.num_rows) == plain(other, read.num_rows), (name, sql)
    return len(columns)


def plain(found: Values, number: int) -> list[Any]:
    """Python's values, None for nothing."""
    array = np.broadcast_to(found.array, number).tolist()
    is_null = np.broadcast_to(False if found.is_null is None else found.is_null, number).tolist()
    array = [np.inf if value != value else value for value in array]  # no number: as great as can be
    values = [found.texts[value] if found.texts else value for value in array]
    return [None if nothing else value for value, nothing in zip(values, is_null, strict=True)]
