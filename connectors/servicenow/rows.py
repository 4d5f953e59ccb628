"""A page of a table as Arrow text columns, straight from its bytes.

Arrow's own JSON reader needs no Python object a value, which makes it three times faster than a typed decode
followed by columns. It is strict: whatever it does not take (links, numbers, half a surrogate pair, a body that is
cut) is read again slowly, and judged there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from connectors.answers import TooHeavy
from connectors.servicenow.tables import FEW, texts


class Position(NamedTuple):
    """How far a table was read: everything before this key. An empty ``sys_id`` means: from this second on."""

    updated_on: str
    sys_id: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows: one text column a field without nulls, ``sys_id`` and ``sys_updated_on`` first.

    ``left_out``: the fields that records came without, as those that a right on the field hides from us.
    """

    columns: tuple[pa.Array, ...]
    left_out: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.columns[0])

    def key(self, index: int) -> Position:
        """The key of one row; −1 is the last."""
        place = index % len(self)
        return Position(self.columns[1][place].as_py(), self.columns[0][place].as_py())

    def positions(self) -> list[Position]:
        """The key of every row."""
        ids, times = self.columns[0].to_pylist(), self.columns[1].to_pylist()
        return [Position(*key) for key in zip(times, ids, strict=True)]

    def beyond(self, position: Position) -> Rows:
        """The rows after a position."""
        ids, times = self.columns[0], self.columns[1]
        is_later = pc.greater(times, position.updated_on)
        is_same = pc.equal(times, position.updated_on)
        keep = pc.or_(is_later, pc.and_(is_same, pc.greater(ids, position.sys_id)))
        return Rows(tuple(column.filter(keep) for column in self.columns), self.left_out)


@dataclass(frozen=True, slots=True)
class Shape:
    """The list of fields that is asked for, and how a page of them is read."""

    fields: tuple[str, ...]
    options: pj.ParseOptions

    @classmethod
    def of(cls, fields: Sequence[str]) -> Shape:
        """``sys_id`` and ``sys_updated_on`` come first."""
        names = tuple(dict.fromkeys(("sys_id", "sys_updated_on", *fields)))
        row = pa.struct([(name, pa.string()) for name in names])
        body = pa.schema([("result", pa.list_(row)), ("error", pa.struct([("message", pa.string())]))])
        options = pj.ParseOptions(explicit_schema=body, newlines_in_values=True, unexpected_field_behavior="ignore")
        return cls(names, options)

    def decode(self, content: bytes) -> Rows:
        """The rows of a body. Raises :class:`TooHeavy` for a body that is cut or carries an error."""
        try:
            body = pj.read_json(
                pa.BufferReader(content),
                read_options=pj.ReadOptions(use_threads=False, block_size=max(len(content), 1)),
                parse_options=self.options,
            )
        except (pa.ArrowException, UnicodeDecodeError):
            return self._patiently(content)
        if body.num_rows != 1 or body["error"].null_count != 1 or body["result"].null_count:
            return self._patiently(content)
        (result,) = body["result"].chunks
        columns = result.flatten().flatten()
        nulls = [name for name, column in zip(self.fields, columns, strict=False) if column.null_count]
        shown = {name: len(re.findall(rb'"%s"\s*:' % name.encode(), content)) for name in nulls}
        return Rows(tuple(_without_nulls(column) for column in columns), left_out(shown, len(columns[0])))

    def of_texts(self, rows: Iterable[dict[str, str]]) -> Rows:
        """Rows given as dictionaries; a field that is missing is empty."""
        found = list(rows)
        return Rows(tuple(_strings([row.get(name, "") for row in found]) for name in self.fields))

    def _patiently(self, content: bytes) -> Rows:
        """A body whose values are not all texts, or that is no page at all."""
        try:
            raw: Any = json.loads(content)  # unlike faster readers it takes half of a surrogate pair
        except ValueError as error:
            raise TooHeavy(f"the page was cut or is no JSON: {error}") from None
        if not isinstance(raw, dict):
            raise TooHeavy("the page carries no rows")
        if raw.get("error"):
            raise TooHeavy(f"the page carries an error: {raw['error']}")
        if not isinstance(raw.get("result"), list):
            raise TooHeavy("the page carries no rows")
        found = [texts(item) for item in raw["result"] if isinstance(item, dict)]
        shown = {name: sum(name in row for row in found) for name in self.fields}
        return replace(self.of_texts(found), left_out=left_out(shown, len(found)))


def left_out(shown: Mapping[str, int], rows: int) -> frozenset[str]:
    """The fields that rows came without, by how many rows showed each.

    A dot-walked one counts where no row of many shows it: an empty reference may leave it out too.
    """
    by_name = ((name, count == 0 and rows > FEW if "." in name else count < rows) for name, count in shown.items())
    return frozenset(name for name, is_left_out in by_name if is_left_out)


def _without_nulls(column: pa.Array) -> pa.Array:
    return pc.fill_null(column, "") if column.null_count else column


def _strings(values: list[str]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:  # half of a surrogate pair: no text, but no reason to lose the record
        return pa.array([value.encode("utf-8", "replace").decode() for value in values], pa.string())
