"""Stream what changed in the tables of one record kind as canonical batches, with a cursor that knows each table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from time import monotonic

import msgspec

from connectors.ahead import read_ahead
from connectors.base import Cursor, Page
from connectors.config import ConnectionConfig
from connectors.servicenow import overdue
from connectors.servicenow.decoding import Batch
from connectors.servicenow.filters import groups, repeated
from connectors.servicenow.lookups import Lookups
from connectors.servicenow.paging import BEGINNING, Pager
from connectors.servicenow.plan import Plan
from connectors.servicenow.rows import Position
from connectors.servicenow.surveys import Scores
from connectors.servicenow.tables import (
    IDS_PER_QUERY,
    LEFT_OUT,
    LET_READ,
    LET_SEE,
    ROWS_HIDDEN,
    Instance,
    instant,
    stored,
)
from improvement.errors import RegelkreisError
from improvement.records import RecordKind

BATCH_ROWS = 20_000  # worth an Arrow table; some lie between reader and loader, so they should not be large
BATCH_S = 60.0  # … or what was read in so long: a kill loses little more
PAGES_AHEAD = 4


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """How far one source was read, and with which mapping."""

    updated_on: str
    sys_id: str
    mapping: str


def pull(
    instance: Instance, lookups: Lookups, plans: Sequence[Plan], cursor: Cursor | None, *, until: datetime
) -> Iterator[Page]:
    """Pages of about :data:`BATCH_ROWS` rows, source by source, each oldest first; every source ends with a page.

    Each source starts ``overlap_s`` before its mark, because commits are not ordered by time; one whose mapping
    changed starts at the beginning. Running clocks whose breach time passed meanwhile are read again first; that moves
    no mark. With the last page all is read until ``until``, however long ago a table was changed.
    """
    marks = _marks(cursor, plans)
    read_until = cursor.updated_at if cursor is not None and cursor.tiebreak else None
    meter = _Meter(instance)
    overlap = timedelta(seconds=instance.config.overlap_s)
    for plan in plans:
        pager = Pager(
            instance,
            plan.source.source,
            plan.shape,
            after=_start(marks.get(plan.key), plan, overlap),
            until=stored(until),
            narrowing=plan.source.filter,
        )
        scores = Scores(instance, lookups, until=stored(until)) if plan.source.kind is RecordKind.SURVEY else None
        standing = _standing_still(instance, plan, cursor, overlap, until)
        for batch, _ in _batches(standing, plan) if standing is not None else ():
            if batch.num_rows:
                reached = _cursor(marks, plans, read_until, until)
                yield _page(batch, instance.config, lookups, scores, meter, reached, until)
        for batch, is_end in _batches(pager, plan):
            if batch.num_rows:
                marks[plan.key] = _later(marks.get(plan.key), batch.position, plan)
            reached = _cursor(marks, plans, until if is_end and plan is plans[-1] else read_until, until)
            yield _page(batch, instance.config, lookups, scores, meter, reached, until)


def by_ids(
    instance: Instance, lookups: Lookups, plans: Sequence[Plan], ids: Sequence[str], *, until: datetime
) -> Iterator[Page]:
    """The rows with these sys_ids that were not updated after ``until``, source by source."""
    meter = _Meter(instance)
    left = list(dict.fromkeys(ids))
    for plan in plans:
        batch = Batch(plan)
        for narrowing in _named(plan, left):
            pager = Pager(
                instance, plan.source.source, plan.shape, after=BEGINNING, until=stored(until), narrowing=narrowing
            )
            for rows in pager:
                batch.add(rows)
        if not batch.num_rows:
            continue
        kind, last = plan.source.kind, stored(until)
        scores = Scores(instance, lookups, until=last) if kind is RecordKind.SURVEY else None
        page = _page(batch, instance.config, lookups, scores, meter, Cursor(updated_at=until), until)
        met = {*page.batch["id"].to_pylist(), *(one.id for one in page.rejected)}
        left = [id for id in left if id not in met]
        yield page


def _named(plan: Plan, ids: Sequence[str]) -> Iterator[str]:
    """The filter of a source for the rows with these sys_ids, in as many pieces as the length of an address takes."""
    each = max(1, IDS_PER_QUERY // len(groups(plan.source.filter)))
    for start in range(0, len(ids), each):
        named = f"sys_idIN{','.join(ids[start : start + each])}"
        yield repeated([named], plan.source.filter)


def _page(
    batch: Batch,
    config: ConnectionConfig,
    lookups: Lookups,
    scores: Scores | None,
    meter: _Meter,
    cursor: Cursor,
    until: datetime,
) -> Page:
    table, rejected = batch.canonical(
        lookups, scores, connection=config.name, default_country=config.default_country, until=until
    )
    requests, retries = meter.since_last()
    walked = {hop for found in batch.plan.candidates.values() for candidate in found for hop in candidate.hops}
    hidden = {(batch.plan.source.source, name) for name in batch.left_out} | (walked & lookups.left_out)
    notes = [f"{LEFT_OUT.format('.'.join(names))} {LET_READ}" for names in sorted(hidden)]
    notes += [f"{ROWS_HIDDEN.format(name)} {LET_SEE}" for name in sorted({name for name, _ in walked} & lookups.hidden)]
    return Page(
        kind=batch.plan.source.kind,
        batch=table,
        cursor=cursor,
        rejected=rejected,
        requests=requests,
        retries=retries,
        notes=tuple(notes),
    )


def _standing_still(
    instance: Instance, plan: Plan, cursor: Cursor | None, overlap: timedelta, until: datetime
) -> Pager | None:
    """The rows of running clocks whose breach time passed since the last pull; None where everything is read anyway."""
    if cursor is None or not overdue.is_told(plan.source):
        return None
    return Pager(
        instance,
        plan.source.source,
        plan.shape,
        after=Position(overdue.begin(until)),
        until=stored(until),
        narrowing=overdue.narrowing(plan.source, after=cursor.updated_at - overlap, until=until),
    )


def _batches(pager: Pager, plan: Plan) -> Iterator[tuple[Batch, bool]]:
    """The batches of a source, and whether it is the last one, which may be empty.

    What was read before an error comes first: whoever comes again goes on behind it, however soon it fails. To make
    records of it the platform is asked, too, which then may fail alike: so the first batches are small, each as long as
    all before it.
    """
    batch, begun, given = Batch(plan), monotonic(), 0
    pages = read_ahead(iter(pager), depth=PAGES_AHEAD)
    while True:
        try:
            rows = next(pages, None)
        except RegelkreisError:
            if batch.num_rows:
                yield batch, False
            raise
        if rows is None:
            break
        if batch.num_rows and batch.num_rows >= given:
            given += batch.num_rows
            yield batch, False
            batch, begun = Batch(plan), monotonic()
        batch.add(rows)
        if batch.num_rows >= BATCH_ROWS or monotonic() - begun >= BATCH_S:
            given += batch.num_rows
            yield batch, False
            batch, begun = Batch(plan), monotonic()
    yield batch, True


def _marks(cursor: Cursor | None, plans: Sequence[Plan]) -> dict[str, Mark]:
    """How far each source was read. Of a cursor made by hand all are read from it on, whatever was read before."""
    if cursor is None:
        return {}
    if not cursor.tiebreak:
        return {plan.key: Mark(stored(cursor.updated_at), "", plan.digest) for plan in plans}
    try:
        return msgspec.json.decode(cursor.tiebreak, type=dict[str, Mark])
    except msgspec.DecodeError:
        return {}  # a cursor of an older form: reading everything again changes nothing that is right


def _start(mark: Mark | None, plan: Plan, overlap: timedelta) -> Position:
    at = instant(mark.updated_on) if mark is not None and mark.mapping == plan.digest else None
    return Position(stored(at - overlap)) if at is not None else BEGINNING


def _later(mark: Mark | None, position: Position, plan: Plan) -> Mark:
    """The mark after a batch; re-reading the overlap does not move it back."""
    if mark is not None and mark.mapping == plan.digest and (mark.updated_on, mark.sys_id) > position:
        return mark
    return Mark(position.updated_on, position.sys_id, plan.digest)


def _cursor(marks: dict[str, Mark], plans: Sequence[Plan], read_until: datetime | None, until: datetime) -> Cursor:
    """All marks of the kind; its instant is the oldest of them, or until when all sources are known to be read.

    Where there is neither, it is ``until``: a source without a mark is read from its beginning all the same.
    """
    own = {plan.key: marks[plan.key] for plan in plans if plan.key in marks}
    oldest = instant(min((mark.updated_on for mark in own.values()), default=""))
    at = max((at for at in (oldest, read_until) if at is not None), default=until)
    return Cursor(updated_at=at, tiebreak=msgspec.json.encode(own).decode())


class _Meter:
    """Requests and retries since the last page."""

    def __init__(self, instance: Instance) -> None:
        self._reader = instance.reader
        self._then = (self._reader.requests, self._reader.retries)

    def since_last(self) -> tuple[int, int]:
        now = (self._reader.requests, self._reader.retries)
        then, self._then = self._then, now
        return now[0] - then[0], now[1] - then[1]
