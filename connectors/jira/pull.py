"""Pulling canonical records from Jira, oldest update first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic

import msgspec
import pyarrow as pa

from connectors.ahead import read_ahead
from connectors.answers import Declined
from connectors.base import Cursor, Page, Rejected
from connectors.config import ConnectionConfig
from connectors.http import Reader
from connectors.jira import filters, instants, paging
from connectors.jira.caller import Caller
from connectors.jira.changelogs import whole_histories
from connectors.jira.deletions import INDEX_LAG
from connectors.jira.harvest import Harvest
from connectors.jira.page import Delivered
from connectors.jira.plan import Plan, digest_of_kind, mapping_of
from connectors.jira.site import ServerInfo, Site, ask, who_am_i
from connectors.jira.spool import Spool
from connectors.jira.wire import RawEntry
from connectors.mapping import PlatformMapping
from improvement.errors import RegelkreisError
from improvement.records import RecordKind

FLUSH_ROWS = 20_000  # issues with all that is inside them; some lie between reader and loader
FLUSH_S = 60.0  # … or what was read in so long: a kill loses little more
MOST_ALONG = 100_000  # tickets; once three large tables grow in turns, loading costs more than waiting saves
MAPPING = "mapping:"  # begins what a cursor says of the mapping it was read with
MIN_OVERLAP = timedelta(minutes=2)  # JQL knows minutes only, and the index lags
IDS_PER_SEARCH = 100
LONG_PAST = timedelta(days=1)  # before Jira's present: a month of a back-fill, or a cycle that is made up for
BEGINNING = datetime.fromtimestamp(0, UTC)
ALONGSIDE = (RecordKind.SLA, RecordKind.SURVEY)  # what the search for tickets brings with it
Others = dict[RecordKind, tuple[pa.Table, pa.Array]]  # rows, and of which issues they are all there are


def mark_of(config: ConnectionConfig, mapping: PlatformMapping, kind: RecordKind) -> str:
    """What a cursor remembers of the mapping it was left by."""
    return MAPPING + digest_of_kind(config, mapping, kind)


def is_of(cursor: Cursor, mark: str) -> bool:
    """Whether this mapping left it; one that names none was made by hand or by an earlier version, and counts."""
    return not cursor.tiebreak.startswith(MAPPING) or cursor.tiebreak == mark


class Puller:
    """Reads one site by one plan; keeps what came along for the pulls that follow."""

    def __init__(self, reader: Reader, config: ConnectionConfig, site: Site, plan: Plan, caller: Caller) -> None:
        self._reader = reader
        self._config = config
        self._site = site
        self._plan = plan
        self._caller = caller
        self._spool: Spool | None = None
        self._present = site.info.present
        self._clocks_until: datetime | None = None  # up to when this puller has read clocks
        self._overlap = max(MIN_OVERLAP, timedelta(seconds=config.overlap_s))
        mapping = mapping_of(config)
        self._marks = {kind: mark_of(config, mapping, kind) for kind in plan.where}
        self._sources = {kind: mapping.of_kind(RecordKind.TICKET if kind in ALONGSIDE else kind) for kind in plan.where}

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        """See :meth:`connectors.base.Connector.pull`."""
        return self.pull_with_others(kind, {kind: cursor}, until=until)

    def pull_with_others(
        self, kind: RecordKind, cursors: Mapping[RecordKind, Cursor | None], *, until: datetime
    ) -> Iterator[Page]:
        """See :meth:`connectors.along.BringsAlong.pull_with_others`.

        Raises :class:`~improvement.errors.MappingError` where Jira does not take a filter of the mapping.
        """
        if kind not in self._plan.where:
            return
        try:
            yield from self._pulled(kind, cursors, until)
        except Declined as error:
            raise self._named_filter(kind, error) from None

    def _pulled(self, kind: RecordKind, cursors: Mapping[RecordKind, Cursor | None], until: datetime) -> Iterator[Page]:
        cursor = cursors[kind]
        since = self._since(kind, cursor)
        spool = self._spool
        if spool is not None and spool.serves(kind, since, until):
            read = cursor.updated_at if cursor is not None and since is not None else BEGINNING
            pages = self._from_spool(kind, spool, until, read)
        else:
            who_am_i(self._reader, self._config)  # an expired token would silently show fewer issues
            if kind is RecordKind.TICKET:
                pages = self._with_others(since, until, cursors)
            else:
                pages = self._search(kind, self._plan.where[kind], since, until)
        if since is not None and (late := self._changed_unnoticed(kind, since, until)):
            # First, and without moving the cursor: a kill in between repeats them instead of losing them.
            yield from self._search(kind, late, None, until, cursor=cursor)
        yield from read_ahead(pages, depth=1)
        if kind is RecordKind.SLA:
            self._clocks_until = until

    def by_ids(self, kind: RecordKind, ids: Sequence[str], *, until: datetime) -> Iterator[Page]:
        """See :meth:`connectors.base.ReadsByIds.read_by_ids`."""
        if not ids or kind not in self._plan.where:
            return
        who_am_i(self._reader, self._config)
        for start in range(0, len(ids), IDS_PER_SEARCH):
            yield from self._named(kind, ids[start : start + IDS_PER_SEARCH], until)

    def close(self) -> None:
        """Remove what nobody fetched."""
        if self._spool is not None:
            self._spool.discard()

    def count(self, kind: RecordKind, *, until: datetime) -> int | None:
        """The platform's count of the issues behind a kind (for SLAs and surveys it cannot say).

        Raises :class:`~improvement.errors.MappingError` where Jira does not take a filter of the mapping.
        """
        if kind not in (RecordKind.TICKET, RecordKind.CONTACT) or kind not in self._plan.where:
            return None
        text = instants.after(until, self._site.zone)
        try:
            return paging.count(self._reader, self._site, f'{self._plan.where[kind]} AND created < "{text}"')
        except Declined as error:
            raise self._named_filter(kind, error) from None

    def _named_filter(self, kind: RecordKind, error: Declined) -> RegelkreisError:
        """The filter that a search was refused for, as `doctor` tells it; else the refusal itself."""
        return filters.named(self._reader, self._site, self._sources[kind], error) or error

    def _since(self, kind: RecordKind, cursor: Cursor | None) -> datetime | None:
        """From when on to read; None, from the beginning, also where the cursor was left by another mapping."""
        if cursor is None or not is_of(cursor, self._marks[kind]):
            return None
        return cursor.updated_at - self._overlap

    # --- searches ---------------------------------------------------------------------------------------------

    def _with_others(
        self, since: datetime | None, until: datetime, cursors: Mapping[RecordKind, Cursor | None]
    ) -> Iterator[Page]:
        """Tickets with the SLA rows and surveys that are wanted along; others are kept aside for the pulls to come.

        So is what comes after the first :data:`MOST_ALONG` tickets.
        """
        kinds = [kind for kind in ALONGSIDE if kind in self._plan.where]
        self.close()
        spool = self._spool = Spool(kinds, since=since, until=until)
        begins = {kind: self._since(kind, cursors[kind]) for kind in kinds if kind in cursors}
        harvest = self._harvest((RecordKind.TICKET, *kinds))
        where = self._plan.where[RecordKind.TICKET]
        tickets = 0
        reached = since or BEGINNING
        for page, others in self._pages(harvest, RecordKind.TICKET, where, since, until, None):
            along = []
            tickets += page.batch.num_rows
            for other, (table, whole_of) in others.items():
                if other not in begins or not spool.covers(begins[other]) or tickets > MOST_ALONG:
                    spool.add(other, table, whole_of, reached=reached)
                elif len(whole_of) or table.num_rows:
                    at = cursors[other]
                    if at is None or begins[other] is None:  # from the beginning on nothing else is to be read
                        at = Cursor(updated_at=page.cursor.updated_at, tiebreak=self._marks[other])
                    along.append(Page(kind=other, batch=table, cursor=at, whole_of=whole_of))
            reached = page.cursor.updated_at
            yield msgspec.structs.replace(page, along=tuple(along))
        spool.seal(reached)

    def _search(
        self, kind: RecordKind, where: str, since: datetime | None, until: datetime, *, cursor: Cursor | None = None
    ) -> Iterator[Page]:
        for page, _ in self._pages(self._harvest((kind,)), kind, where, since, until, cursor):
            yield page

    def _named(self, kind: RecordKind, ids: Sequence[str], until: datetime) -> list[Page]:
        """JQL refuses a list in which one issue does not exist: then each half is asked for by itself."""
        where = f"{self._plan.where[kind]} AND id in ({', '.join(ids)})"
        try:
            return list(self._search(kind, where, None, until, cursor=Cursor(updated_at=until)))
        except Declined as error:
            if error.status != 400:
                raise
        middle = len(ids) // 2
        return [page for half in (ids[:middle], ids[middle:]) if middle for page in self._named(kind, half, until)]

    def _pages(
        self,
        harvest: Harvest,
        kind: RecordKind,
        where: str,
        since: datetime | None,
        until: datetime,
        cursor: Cursor | None,
    ) -> Iterator[tuple[Page, Others]]:
        """Pages of about :data:`FLUSH_ROWS` issues, with the others' rows; ``cursor`` given: pages do not move it."""
        end = self._end(until)
        search = paging.Search(
            where=where,
            fields=tuple(field_id for field_id, _ in harvest.fields()),
            expand=("changelog",) if harvest.needs_history else (),
            since=since,
            until_text=instants.after(until, self._site.zone),
            page_size=paging.page_size(self._config, self._site),
            bound=end - INDEX_LAG,
            decoder=harvest.decoder,
        )
        taken, begun = 0, monotonic()
        counted = (self._reader.requests, self._reader.retries)
        read = BEGINNING if since is None else min(since + self._overlap, end)
        reached = Cursor(updated_at=read, tiebreak=self._marks[kind])
        searches = paging.slices(search, until=until, site=self._site, most=self._config.max_concurrency)
        failed: RegelkreisError | None = None
        for delivered in _harvested(harvest, paging.side_by_side(self._reader, self._site, searches)):
            if isinstance(delivered, RegelkreisError):
                failed = delivered
                break
            taken += len(delivered.issues)
            if delivered.reached is not None:
                at = max(reached.updated_at, min(delivered.reached, end))
                reached = Cursor(updated_at=at, tiebreak=self._marks[kind])
            if taken >= FLUSH_ROWS or monotonic() - begun >= FLUSH_S:
                page, others, counted = self._page(harvest, kind, cursor or reached, until, counted)
                yield page, others
                taken, begun = 0, monotonic()
        if failed is not None:
            if taken:  # whoever comes again goes on behind it, however soon it fails
                try:
                    page, others, _ = self._page(harvest, kind, cursor or reached, until, counted)
                except RegelkreisError:
                    raise failed from None
                yield page, others
            raise failed
        last = cursor or Cursor(updated_at=end, tiebreak=self._marks[kind])
        page, others, _ = self._page(harvest, kind, last, until, counted)
        if page.batch.num_rows or page.rejected or cursor is None:
            yield page, others

    def _page(
        self,
        harvest: Harvest,
        kind: RecordKind,
        cursor: Cursor,
        until: datetime,
        counted: tuple[int, int],
    ) -> tuple[Page, Others, tuple[int, int]]:
        if self._caller.is_unsure:  # were all answers until now given to us? If not, no cursor may move
            self._caller.is_unsure = False
            who_am_i(self._reader, self._config)
        rejected: list[Rejected] = [*harvest.rejected]
        harvest.rejected.clear()
        batch = None
        others: Others = {}
        for other, columns in harvest.columns.items():
            table, unreadable = columns.finish(until)
            rejected += unreadable
            if other is kind:
                batch = table
            else:
                others[other] = table, columns.whole_of
        now = (self._reader.requests, self._reader.retries)
        page = Page(
            kind=kind,
            batch=batch,
            cursor=cursor,
            rejected=tuple(rejected),
            requests=now[0] - counted[0],
            retries=now[1] - counted[1],
            whole_of=harvest.columns[kind].whole_of if kind in ALONGSIDE else None,
        )
        return page, others, now

    def _from_spool(self, kind: RecordKind, spool: Spool, until: datetime, read: datetime) -> Iterator[Page]:
        """What was kept aside; ``read``: until when the kind was read before."""
        mark = self._marks[kind]
        for table, whole_of, reached in spool.take(kind):
            cursor = Cursor(updated_at=max(read, reached), tiebreak=mark)
            yield Page(kind=kind, batch=table, cursor=cursor, whole_of=whole_of)
        empty = self._harvest((kind,)).columns[kind].finish(until)[0]
        yield Page(
            kind=kind, batch=empty, cursor=Cursor(updated_at=spool.end, tiebreak=mark), whole_of=spool.rowless(kind)
        )

    def _end(self, until: datetime) -> datetime:
        """Where the next pull goes on: not after Jira's own present, whose clock may be behind ours.

        To be asked before anything is read: what is updated meanwhile may come where the reading has been.
        """
        if self._present is not None and self._present < until:  # as it was when we last asked
            self._present = ask(self._reader, "/serverInfo", ServerInfo).present
        return until if self._present is None else min(until, self._present)

    def _changed_unnoticed(self, kind: RecordKind, since: datetime, until: datetime) -> str | None:
        """JQL of issues whose clock or rating may have changed without moving their update time.

        Whether a breach or an answer to a survey counts as an update is not documented, so running clocks past
        their goal, whenever they ran out, and fresh answers are read beside. A back-fill, month after month, reads
        these clocks with its last month only.
        """
        where = self._plan.where[kind]
        zone = self._site.zone
        old = f'updated < "{instants.after(since, zone)}"'
        clause = self._site.fields.clause
        if kind is RecordKind.SLA and self._plan.clocks and not self._may_wait(since, until):
            running = " OR ".join(
                f"({name} = breached() AND {name} != completed())"
                for name in (clause(clock.field_id) for clock in self._plan.clocks)
            )
            return f"{where} AND {old} AND ({running})"
        if kind is RecordKind.SURVEY and self._plan.survey_date is not None:
            return f'{where} AND {old} AND {clause(self._plan.survey_date)} >= "{instants.not_after(since, zone)}"'
        return None

    def _may_wait(self, since: datetime, until: datetime) -> bool:
        """Whether clocks were read just now, and another pull follows, until Jira's present."""
        was_read = self._clocks_until is not None and since <= self._clocks_until
        return was_read and self._present is not None and until < self._present - LONG_PAST

    def _harvest(self, kinds: Sequence[RecordKind]) -> Harvest:
        return Harvest(self._plan, kinds, connection=self._config.name, whole_histories=self._whole_histories)

    def _whole_histories(self, ids: Sequence[str]) -> Mapping[str, Sequence[RawEntry]]:
        return whole_histories(self._reader, self._caller, self._site, ids, RawEntry, fields=self._plan.watched)


def _harvested(harvest: Harvest, pages: Iterator[Delivered]) -> Iterator[Delivered | RegelkreisError]:
    """Each page once its rows are there; last, why no other could be read."""
    try:
        for delivered in pages:
            harvest.add(delivered)
            yield delivered
    except RegelkreisError as error:
        yield error
