"""The digest of rows is one that anybody can make again: lines of canonical JSON."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pyarrow as pa
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from improvement.evidence.rows import rows_sha256, rows_text

KINDS: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): st.text(alphabet=st.characters(codec="utf-8")),
    pa.float64(): st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9).map(float),
    pa.int64(): st.integers(-(2**53) + 1, 2**53 - 1),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.bool_(): st.booleans(),
    pa.null(): st.none(),
}


def by_hand(names: list[str], rows: list[list[Any]]) -> bytes:
    """What an auditor writes, row by row."""
    return b"".join(rfc8785.dumps(line) + b"\n" for line in [names, *rows])


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    kinds = draw(st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=4))
    count = draw(st.integers(0, 6))
    columns = [
        pa.array(draw(st.lists(KINDS[kind] | st.none(), min_size=count, max_size=count)), kind) for kind in kinds
    ]
    return pa.table(dict(zip(["a", "b\n", "ä", "week"], columns, strict=False)))


@given(tables())
def test_the_text_is_what_a_row_by_row_writer_of_rfc_8785_writes(table: pa.Table) -> None:
    rows = [list(row.values()) for row in table.to_pylist()]
    assert rows_text(table) == by_hand(table.column_names, rows)
    assert rows_sha256(table) == hashlib.sha256(by_hand(table.column_names, rows)).hexdigest()


@pytest.mark.parametrize("value", [0.1, -0.0, 1e21, 1e20, 123456789012345680000.0, 1e-7, 0.000001, 5e-324, 2.0**53])
def test_numbers_are_written_as_ecmascript_does(value: float) -> None:
    assert rows_text(pa.table({"x": [value]})) == by_hand(["x"], [[value]])
    assert rows_text(pa.table({"x": [value, 0.5]})) == by_hand(["x"], [[value], [0.5]])


def test_chunks_dictionaries_and_empty_tables_change_nothing() -> None:
    plain = pa.table({"service": ["Mail", None, "Mail"], "n": [1, 2, 3]})
    encoded = plain.set_column(0, "service", plain["service"].dictionary_encode())
    chunked = pa.concat_tables([plain.slice(0, 1), plain.slice(1)])
    assert rows_text(plain) == rows_text(encoded) == rows_text(chunked)
    assert rows_text(plain).decode() == '["service","n"]\n["Mail",1]\n[null,2]\n["Mail",3]\n'
    assert rows_text(plain.slice(0, 0)) == b'["service","n"]\n'
    assert [json.loads(line) for line in rows_text(plain).splitlines()][2] == [None, 2]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, -(2**53)])
def test_what_json_cannot_say_exactly_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON number"):
        rows_text(pa.table({"x": [value, value]}))


def test_a_moment_has_to_be_turned_into_text_first() -> None:
    with pytest.raises(TypeError, match="timestamp"):
        rows_text(pa.table({"at": pa.array([0], pa.timestamp("us", tz="UTC"))}))
