"""Whose file it is: the numbers of another installation's writes say nothing of what we read (numbering.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from improvement.errors import Place, RegelkreisError
from workflows.warehouse.asking import rows_of


class OfAnotherInstallation(RegelkreisError):
    """The file says that it is another installation's: what it holds is theirs, and ours may not be in it."""


def claim(raw: Any, path: Path, installation: str) -> None:
    """Make a file that names nobody ours, new or of an earlier version; refuse that of another installation."""
    raw.execute("CREATE TABLE IF NOT EXISTS belongs_to (installation VARCHAR)")
    named = rows_of(raw, "SELECT installation FROM belongs_to")
    if not named:
        raw.execute("INSERT INTO belongs_to VALUES (?)", [installation])
    elif named[0][0] != installation:
        raise OfAnotherInstallation(
            f"The warehouse is that of another installation ({named[0][0]}); this one is {installation}.",
            where=Place(file=str(path)),
            mend="Name our own file in the setting `warehouse`, or move this one away: then everything is read again.",
        )
