"""CSV files as people save them, read strictly: named columns, and every complaint with line and column.

UTF-8 with or without byte order mark, UTF-16 with one, or an encoding that was said; commas, semicolons or tabs; the
line ``sep=;`` that some programs write first.
"""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from improvement.errors import InputError, Place, RegelkreisError

DELIMITERS = ",;\t"
LARGEST = 1e12
LIKELY_ENCODING = "windows-1252"  # what German and English spreadsheets write when they do not write UTF-8
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_SEPARATOR = re.compile(r"\s*\"?sep=(?P<sign>.)\"?\s*", re.IGNORECASE)


@dataclass(slots=True)
class CsvTable:
    """An open file. ``first_line`` is that of the column names; ``remarks`` are for whoever made the file."""

    path: Path
    text: str
    delimiter: str
    first_line: int
    columns: list[str]
    remarks: list[str]

    @classmethod
    def open(
        cls, path: Path, needed: tuple[str, ...], optional: tuple[str, ...], *, encoding: str | None = None
    ) -> CsvTable:
        """Read the file and its first line; :class:`InputError` when the whole file cannot be used.

        ``encoding``: what a file is written in that has no byte order mark and is not UTF-8.
        """
        text = _text_of(path, encoding)
        first, head = _head(text)
        said = _SEPARATOR.fullmatch(head)
        if said is not None:
            first, head = _head(text, after=first)
        if not head.strip():
            raise InputError("The file is empty.", where=Place(file=str(path)), mend=f"Columns: {', '.join(needed)}.")
        delimiter = said["sign"] if said is not None else max(DELIMITERS, key=head.count)
        table = cls(path, text, delimiter, first, [], [])
        _, names = next(table._lines())
        table.columns = [_clean(name).lower() for name in names]
        where = Place(file=str(path), line=first)
        missing = [name for name in needed if name not in table.columns]
        if missing:
            raise InputError(
                f"Missing columns: {', '.join(missing)}.",
                where=where,
                mend=f"The first line must name: {', '.join(needed)}.",
            )
        twice = sorted({name for name in table.columns if name and table.columns.count(name) > 1})
        if twice:
            raise InputError(f"Columns that stand twice: {', '.join(twice)}.", where=where, mend="Keep one of each.")
        unknown = [name for name in table.columns if name and name not in (*needed, *optional)]
        if unknown:
            table.remarks.append(f"{where}: columns that are not read: {', '.join(unknown)}.")
        return table

    @property
    def has_decimal_comma(self) -> bool:
        """Whether a comma in a number can only be a decimal one."""
        return self.delimiter != ","

    def place(self, line: int, column: str = "") -> Place:
        """A cell: its line and the number of its column."""
        number = self.columns.index(column) + 1 if column in self.columns else None
        return Place(file=str(self.path), line=line, column=number, field=column or None)

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Rows by column with the line each begins in; empty lines are passed over."""
        lines = self._lines()
        next(lines)
        for line, values in lines:
            if not any(values):
                continue
            row = dict(zip(self.columns, (_clean(value) for value in values), strict=False))
            if len(values) > len(self.columns):
                row[""] = "more"
            yield line, row

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        stream = io.StringIO(self.text, newline="")
        for _ in range(self.first_line - 1):
            stream.readline()
        reader = csv.reader(stream, delimiter=self.delimiter, strict=True)
        line = self.first_line
        try:
            for values in reader:
                if values:
                    yield line, values
                line = self.first_line + reader.line_num
        except csv.Error as error:
            raise InputError(
                f"The file is no valid CSV: {error}.", where=Place(file=str(self.path), line=line)
            ) from error


def _head(text: str, *, after: int = 0) -> tuple[int, str]:
    """The first line that holds something, and its number."""
    for number, line in enumerate(text.splitlines(), start=1):
        if number > after and line.strip():
            return number, line
    return after + 1, ""


def _text_of(path: Path, encoding: str | None) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"The file cannot be read: {error.strerror}.", where=Place(file=str(path))) from error
    if data[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        raise InputError(
            "This is a workbook, not a CSV file.", where=Place(file=str(path)), mend="Save the sheet as “CSV UTF-8”."
        )
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return _decoded(data, "utf-16" if is_utf16 else "utf-8-sig", path, None if is_utf16 else encoding)


def _decoded(data: bytes, encoding: str, path: Path, instead: str | None) -> str:
    """The text; where it is not in the usual encoding, in the one that was said; never in a guessed one."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if instead is not None:
            return _decoded_as_said(data, instead, path)
        line = data.count(b"\n", 0, error.start) + 1
        called = "UTF-16" if encoding == "utf-16" else "UTF-8"
        raise InputError(
            f"The file is not {called} (byte {data[error.start]:#04x}).",
            where=Place(file=str(path), line=line),
            mend=f"Save it as “CSV UTF-8”. In {LIKELY_ENCODING} it says “{_word_at(data, error.start)}” there.",
        ) from error


def _decoded_as_said(data: bytes, encoding: str, path: Path) -> str:
    where = Place(file=str(path))
    try:
        return data.decode(encoding)
    except LookupError:
        raise InputError(
            f"There is no encoding “{encoding[:40]}”.", where=where, mend=f"Write it like {LIKELY_ENCODING}."
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"The file is not {encoding} (byte {data[error.start]:#04x}).", where=where, mend="Save it as “CSV UTF-8”."
        ) from error


def _word_at(data: bytes, position: int) -> str:
    """The word around a byte, in the likely encoding: whoever reads it sees at once whether that is right."""
    signs = b' \t\r\n,;"\x00'
    start = max((data.rfind(sign, 0, position) for sign in (signs[i : i + 1] for i in range(len(signs)))), default=-1)
    ends = [found for i in range(len(signs)) if (found := data.find(signs[i : i + 1], position)) >= 0]
    word = data[start + 1 : min(ends, default=len(data))][:40]
    return word.decode(LIKELY_ENCODING, "replace")


def _clean(value: str) -> str:
    """Without blanks around it, and with one spelling for letters that have two."""
    text = value.strip()
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def complete(row: Mapping[str, str], needed: tuple[str, ...]) -> Mapping[str, str]:
    """The row, unless it is too long or lacks something."""
    if "" in row:
        raise InputError("The row has more fields than the first line.", mend="Is there a comma within a number?")
    empty = [name for name in needed if not row.get(name)]
    if empty:
        raise InputError(f"{', '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty.")
    return row


def placed(error: RegelkreisError, place: Place) -> RegelkreisError:
    """The error with its place, unless it has one."""
    return error if error.where is not None else type(error)(error.what, where=place, mend=error.mend)


def number(text: str, name: str, *, has_decimal_comma: bool) -> float:
    """A finite number within reason; :class:`InputError` for anything else."""
    plain = text.replace(",", ".") if has_decimal_comma and text.count(",") == 1 and "." not in text else text
    if not _NUMBER.fullmatch(plain):
        raise InputError(f"{name} is “{text[:40]}”, not a number.", mend="Write digits and a decimal point, like 12.5.")
    value = float(plain)
    if not math.isfinite(value) or abs(value) > LARGEST:
        raise InputError(f"{name} is {text[:40]}, which is too large to be meant.")
    return value
