"""Whose file it is: the numbers of another installation's writes say nothing of what we read (numbering.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from improvement.errors import Place, RegelkreisError
from workflows.warehouse.asking import rows_of


class OfAnotherInstallation(RegelkreisError):
    """The file says that it is another installation's: what it holds is theirs, and ours may not be in it."""


def refuse_anothers(raw: Any, path: Path, installation: str) -> None:
    """Refuse the file of another installation; nothing is written into it."""
    named = _named(raw)
    if named not in ("", installation):
        raise OfAnotherInstallation(
            f"The warehouse is that of another installation ({named}); this one is {installation}.",
            where=Place(file=str(path)),
            mend="Name our own file in the setting `warehouse`, or move this one away: then everything is read again.",
        )


def claim(raw: Any, installation: str) -> None:
    """Make a file that names nobody ours: a new one, or one of an earlier version."""
    if not _named(raw):
        raw.execute("CREATE TABLE IF NOT EXISTS belongs_to (installation VARCHAR)")
        raw.execute("INSERT INTO belongs_to VALUES (?)", [installation])


def _named(raw: Any) -> str:
    """The installation that the file names, or ''."""
    try:
        rows = rows_of(raw, "SELECT installation FROM belongs_to")
    except duckdb.CatalogException:  # no such table; asking the catalogue for it every time would take 12 ms
        return ""
    return str(rows[0][0]) if rows else ""
