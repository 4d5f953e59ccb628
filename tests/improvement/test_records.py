"""Canonical records hold only what every engine counts alike."""

from __future__ import annotations

import pyarrow as pa
import pytest

from improvement.records import SCHEMAS, STRUCTS, RecordKind

PLAIN = {pa.int64(), pa.float64(), pa.bool_(), pa.string(), pa.timestamp("us", tz="UTC")}


@pytest.mark.parametrize("kind", RecordKind)
def test_columns_are_signed_integers_doubles_booleans_utc_times_and_texts(kind: RecordKind) -> None:
    """Unsigned integers give other numbers on Spark than on DuckDB."""
    assert {field.type for field in SCHEMAS[kind]} <= PLAIN


@pytest.mark.parametrize("kind", RecordKind)
def test_a_record_and_its_columns_are_the_same_fields(kind: RecordKind) -> None:
    assert list(STRUCTS[kind].__struct_fields__) == SCHEMAS[kind].names
