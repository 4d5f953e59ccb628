"""CSV files for spreadsheets: UTF-8 with a mark, and nothing in them that a spreadsheet would run."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from improvement.errors import InputError


def write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write a file; returns how many rows. Nothing stands for None."""
    count = 0
    try:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            for row in rows:
                writer.writerow(["" if cell is None else inert(str(cell)) for cell in row])
                count += 1
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.", mend="Name another file.") from error
    return count


def inert(text: str) -> str:
    """Text a spreadsheet only shows.

    Spreadsheets run what begins like a formula, also behind blanks: a leading apostrophe stops that. Goals like −50 %
    stay numbers.
    """
    bare = text.lstrip(" \t\r\n\u00a0\ufeff")
    is_formula = bare[:1] in ("=", "@", "|", "\uff1d", "\uff20") or text[:1] in ("\t", "\r", "\n")
    if bare[:1] in ("+", "-", "\uff0b", "\uff0d"):
        is_formula = not bare[1:].rstrip("%").replace(".", "", 1).isdecimal()
    return f"'{text}" if text and is_formula else text
