"""An import file as canonical records: every row is read, every error is told, one error refuses the whole file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from connectors.mapping import near_matches
from improvement.errors import InputError, Place, RegelkreisError
from improvement.plurals import how_many
from improvement.records import SCHEMAS
from workflows.csv_table import CsvTable, complete, placed
from workflows.importing import cells
from workflows.importing.layouts import LAYOUTS, CellError, Layout, Setting

LARGEST_FILE = 64 * 1024 * 1024
MOST_ERRORS = 50  # shown of one file


@dataclass(frozen=True, slots=True)
class Known:
    """What the warehouse knows of the connection: its tickets, and the names its records use."""

    tickets: Mapping[str, str]  # number or platform id → platform id
    names: Mapping[str, frozenset[str]]  # customer, service → names


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file's records, or its errors; remarks are for whoever made it. ``lines``: of each record."""

    path: Path
    layout: Layout
    sha256: str
    records: tuple[dict[str, Any], ...]
    lines: tuple[int, ...]
    errors: tuple[RegelkreisError, ...]
    remarks: tuple[str, ...]

    def table(self) -> pa.Table:
        """The records as the warehouse takes them."""
        return pa.Table.from_pylist(list(self.records), schema=SCHEMAS[self.layout.kind])


def layout_of(path: Path, kind: str | None) -> Layout:
    """Which kind of file it is: as said, else as its name begins."""
    found = kind or next((plural for plural in LAYOUTS if path.name.casefold().startswith(plural[:-1])), None)
    if found is None:
        raise InputError(
            "What does this file hold? Its name does not say.",
            where=Place(file=str(path)),
            mend=f"Say --kind {', '.join(LAYOUTS)}, or let its name begin so.",
        )
    return LAYOUTS[found]


def read_file(
    path: Path,
    layout: Layout,
    *,
    connection: str,
    as_of: datetime,
    known: Known,
    zone: str | None = None,
    encoding: str | None = None,
) -> ReadFile:
    """Read a file. :class:`InputError` where it cannot be used at all; errors of rows are collected."""
    default_zone: ZoneInfo | None = cells.zone(zone, "--zone") if zone else None
    _must_be_small(path)
    table = CsvTable.open(path, layout.needed, layout.optional, encoding=encoding)
    setting = Setting(connection, as_of, default_zone, table.has_decimal_comma, known.tickets)
    records: list[dict[str, Any]] = []
    lines: list[int] = []
    errors: list[RegelkreisError] = []
    first: dict[str, int] = {}
    for line, row in table.rows():
        try:
            record = layout.record(complete(row, layout.needed), setting)
            before = first.setdefault(record["id"], line)
            if before != line:
                raise _twice(row, before)
        except CellError as error:
            errors.append(InputError(error.what, where=table.place(line, error.column), mend=error.mend))
        except RegelkreisError as error:
            errors.append(placed(error, table.place(line)))
        else:
            records.append(record)
            lines.append(line)
    if not records and not errors:
        errors.append(InputError("There is no row in the file.", where=table.place(table.first_line)))
    remarks = [*table.remarks, *_unknown_names(records, known)]
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return ReadFile(path, layout, sha256, tuple(records), tuple(lines), tuple(errors), tuple(remarks))


def shown_errors(file: ReadFile) -> list[RegelkreisError]:
    """The errors of a file, the last of many being a count of the rest."""
    if len(file.errors) <= MOST_ERRORS:
        return list(file.errors)
    rest = len(file.errors) - MOST_ERRORS
    return [
        *file.errors[:MOST_ERRORS],
        InputError(f"… and {how_many(rest, 'more error')}.", where=Place(file=str(file.path))),
    ]


def _twice(row: Mapping[str, str], before: int) -> CellError:
    if row.get("id"):
        said = f"The id “{row['id']}” stands twice (first in line {before})."
        return CellError("id", InputError(said, mend="Give each row its own."))
    what = f"The same stands in line {before} already."
    return CellError("id", InputError(what, mend="If both took place, give each an id; else take one away."))


def _must_be_small(path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"The file cannot be read: {error.strerror}.", where=Place(file=str(path))) from error
    if size > LARGEST_FILE:
        raise InputError(
            f"The file has {size // 1024 // 1024} MB; {LARGEST_FILE // 1024 // 1024} are read at once.",
            where=Place(file=str(path)),
            mend="Split it.",
        )


def _unknown_names(records: list[dict[str, Any]], known: Known) -> list[str]:
    """Names that no ticket of the connection has: a typing error would make a scope of its own."""
    remarks = []
    for field, names in known.names.items():
        if not names:
            continue
        used = {record[field] for record in records if record.get(field) is not None}
        for name in sorted(used - names):
            remarks.append(f"{field} “{name}” is not in any ticket of this connection.{near_matches(name, names)}")
    return remarks
