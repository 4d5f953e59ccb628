"""What a finding fired on, kept so that an auditor can count again: its rows, its query, its series."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

from improvement import weeks
from improvement.errors import InputError
from improvement.evidence.canonical import sha256_hex
from workflows.models import Finding, PinnedRows

if TYPE_CHECKING:  # Arrow takes its time to load, and pages never need it
    import pyarrow as pa

    from improvement.metrics import CellQuery
    from workflows.warehouse import Pinned


def keep(pinned: Pinned) -> None:
    """Keep rows as a Parquet file under their digest; the same rows are kept once."""
    import pyarrow.parquet as pq

    file = BytesIO()
    pq.write_table(pinned.rows, file, compression="zstd")
    PinnedRows.objects.get_or_create(
        sha256=pinned.sha256, defaults={"count": pinned.rows.num_rows, "parquet": file.getvalue()}
    )


def told(pinned: Pinned, query: CellQuery, *, first_week: int, last_week: int) -> dict[str, Any]:
    """What the ledger says of the rows: their number and digest, the query's digest, and what was counted when."""
    return {
        "rows": pinned.rows.num_rows,
        "rows_sha256": pinned.sha256,
        "sql_sha256": sha256_hex(pinned.sql.encode()),
        "series": {
            "metric": query.metric,
            "where": [[key, list(values)] for key, values in query.where],
            "by": list(query.by),
            "from": weeks.label(first_week),
            "to": weeks.label(last_week),
        },
    }


def text_of(sha256: str) -> bytes:
    """The pinned rows of this digest, as the text whose SHA-256 it is."""
    from improvement.evidence.rows import rows_text

    kept = PinnedRows.objects.filter(sha256=sha256).first() if sha256 else None
    if kept is None:
        raise InputError(
            f"No rows are pinned as “{sha256}”." if sha256 else "No rows are pinned for this action.",
            mend="Rows are pinned when a finding fires; an action that a person opened has none.",
        )
    return rows_text(_table(kept))


def wrong() -> Iterator[str]:
    """A sentence per file of pinned rows that is not what its digest says, or that a finding misses."""
    from pyarrow import ArrowException

    from improvement.evidence.rows import rows_sha256

    kept = set()
    for row in PinnedRows.objects.iterator(chunk_size=100):
        kept.add(row.sha256)
        try:
            is_intact = rows_sha256(_table(row)) == row.sha256
        except (ArrowException, ValueError, TypeError, OSError):
            is_intact = False
        if not is_intact:
            yield f"The pinned rows {row.sha256[:12]}… were changed: their digest is another one."
    fired = Finding.objects.exclude(rows_sha256="").values_list("rule_id", "scope_key", "rows_sha256")
    for rule_id, scope_key, sha256 in fired.iterator(chunk_size=2000):
        if sha256 not in kept:
            yield f"The rows that {rule_id} [{scope_key}] fired on are gone."


def _table(row: PinnedRows) -> pa.Table:
    import pyarrow.parquet as pq

    # In this thread: threads of Arrow that still end when the process does can abort it.
    with pq.ParquetFile(BytesIO(bytes(row.parquet)), pre_buffer=False) as file:
        return file.read(use_threads=False)
