"""What an import did, as a report beside those of pulls: read, new, changed, unchanged, rejected with reasons.

An import is all or nothing, so a refused file's report counts what could not be read and nothing that was loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from improvement.errors import RegelkreisError
from workflows.importing.reading import ReadFile
from workflows.models import Connection, PullReport
from workflows.models.connections import LONGEST_REASON, MOST_REASONS

NOT_LOADED = "Nothing was loaded: a file with an error is refused whole, and with it all that were given beside it."


def loaded(row: Connection, file: ReadFile, *, at: datetime, new: int, changed: int, seconds: float) -> PullReport:
    """Keep the report of a file that was loaded."""
    read = len(file.records)
    return _kept(row, file, at, new=new, changed=changed, unchanged=read - new - changed, seconds=seconds)


def withdrawn(row: Connection, file: ReadFile, *, at: datetime, deleted: int, seconds: float) -> PullReport:
    """Keep the report of a file whose records were taken back."""
    return _kept(row, file, at, deleted=deleted, unchanged=len(file.records) - deleted, seconds=seconds)


def refused(
    row: Connection, files: Sequence[ReadFile], across: Iterable[RegelkreisError], *, at: datetime
) -> list[PullReport]:
    """Keep a report of each file that was given; ``across``: errors that belong to no single one."""
    said = "\n".join([NOT_LOADED, *(error.what for error in across)])
    return [
        _kept(row, file, at, rejected=len(file.errors), reasons=_reasons(file.errors), error=said) for file in files
    ]


def _kept(row: Connection, file: ReadFile, at: datetime, **counts: Any) -> PullReport:
    return PullReport.objects.create(
        connection=row,
        kind=file.layout.kind.value,
        as_of=at,
        read=len(file.records) + len(file.errors),
        notes="\n".join([f"imported from {file.path.name}", *file.remarks]),
        **counts,
    )


def _reasons(errors: Iterable[RegelkreisError]) -> dict[str, int]:
    """Column and reason → how many rows; of very many different ones the most frequent."""
    counted = Counter(f"{_column(error)}{error.what}"[:LONGEST_REASON] for error in errors)
    return dict(counted.most_common(MOST_REASONS))


def _column(error: RegelkreisError) -> str:
    return f"{error.where.field}: " if error.where is not None and error.where.field else ""
