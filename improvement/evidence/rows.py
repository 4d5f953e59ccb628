"""The digest of a table's rows: plain text that anybody can write again, made column by column.

The text is UTF-8: a line with the columns' names, then a line per row, each a JSON array in RFC 8785 form, in the
table's order, each ended by a line feed. So ``sha256sum`` of the file is the digest, and so is that of any program
that writes JSON arrays by that standard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from json.encoder import encode_basestring

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from improvement.evidence.canonical import canonical

LARGEST = 2**53 - 1  # beyond it a JSON number is not exact; RFC 8785 refuses it


def rows_sha256(table: pa.Table) -> str:
    """Lower-case hexadecimal SHA-256 of the table's rows as text."""
    return hashlib.sha256(rows_text(table)).hexdigest()


def rows_text(table: pa.Table) -> bytes:
    """The table as lines of canonical JSON.

    ``ValueError`` for what JSON cannot say exactly (NaN, infinities, integers beyond ±(2⁵³ − 1)), ``TypeError`` for a
    column of another type than text, number, truth value or nothing.
    """
    head, count = canonical(table.column_names) + b"\n", int(table.num_rows)
    if not count or not table.num_columns:
        return head + b"[]\n" * count
    columns = [_texts(column.combine_chunks()) for column in table.columns]
    lines: list[str] = pc.binary_join_element_wise(*columns, ",").to_pylist()
    return head + ("[" + "]\n[".join(lines) + "]\n").encode()


def _texts(values: pa.Array) -> pa.Array:
    """A column's values as JSON texts."""
    if pa.types.is_dictionary(values.type):
        return _by_value(values, _texts(values.dictionary).to_pylist())
    return pc.fill_null(_writer(values.type)(values), "null")


def _writer(kind: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    for is_kind, write in _WRITERS:
        if is_kind(kind):
            return write
    raise TypeError(f"A column of type {kind} has no canonical text; turn it into text first.")


def _nothing(values: pa.Array) -> pa.Array:
    return pa.nulls(len(values), pa.string())


def _plain(values: pa.Array) -> pa.Array:
    return values.cast(pa.string())


def _integers(values: pa.Array) -> pa.Array:
    span = pc.min_max(values).as_py()
    if span["min"] is not None and max(-span["min"], span["max"]) > LARGEST:
        raise ValueError("An integer beyond 2^53 - 1 has no exact JSON number.")
    return _plain(values)


def _words(values: pa.Array) -> pa.Array:
    found = values.dictionary_encode()
    return _by_value(found, [encode_basestring(word) for word in found.dictionary.to_pylist()])


def _floats(values: pa.Array) -> pa.Array:
    numbers = values.cast(pa.float64()).drop_null().to_numpy()
    if not np.isfinite(numbers).all():
        raise ValueError("NaN and infinities have no JSON number.")
    if (np.abs(numbers) <= LARGEST).all() and (numbers == np.trunc(numbers)).all():  # counts: most columns
        return _plain(values.cast(pa.int64()))
    found = values.cast(pa.float64()).dictionary_encode()
    return _by_value(found, [_number(text) for text in map(repr, found.dictionary.to_pylist())])


def _number(text: str) -> str:
    """What Python writes for a float, as ECMAScript writes it."""
    if "e" in text:
        return canonical(float(text)).decode()
    return "0" if text == "-0.0" else text.removesuffix(".0")


def _by_value(encoded: pa.DictionaryArray, texts: list[str]) -> pa.Array:
    """Each different value is written once."""
    return pc.fill_null(pc.take(pa.array(texts, pa.string()), encoded.indices), "null")


_WRITERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], pa.Array]], ...] = (
    (pa.types.is_string, _words),
    (pa.types.is_large_string, _words),
    (pa.types.is_floating, _floats),
    (pa.types.is_integer, _integers),
    (pa.types.is_boolean, _plain),
    (pa.types.is_null, _nothing),
)
