"""Pulling canonical records from Jira, oldest update first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Generic

import msgspec
import pyarrow.compute as pc

from connectors.ahead import read_ahead
from connectors.answers import Declined
from connectors.base import Cursor, Page, Rejected
from connectors.config import ConnectionConfig
from connectors.http import Reader
from connectors.jira import instants, paging
from connectors.jira.harvest import Harvest
from connectors.jira.plan import Plan
from connectors.jira.site import Site, ask, who_am_i
from connectors.jira.spool import Spool
from connectors.jira.wire import Changelog, ChangelogPage, E, HistoryEntry, RawEntry
from improvement.records import RecordKind

FLUSH_ROWS = 20_000  # issues with all that is inside them; some lie between reader and loader
MIN_OVERLAP = timedelta(minutes=2)  # JQL knows minutes only, and the index lags
IDS_PER_SEARCH = 100
ALONGSIDE = (RecordKind.SLA, RecordKind.SURVEY)  # what the search for tickets brings with it


class _History(msgspec.Struct, Generic[E]):
    changelog: Changelog[E]


class Puller:
    """Reads one site by one plan; keeps what came along for the pulls that follow."""

    def __init__(self, reader: Reader, config: ConnectionConfig, site: Site, plan: Plan) -> None:
        self._reader = reader
        self._config = config
        self._site = site
        self._plan = plan
        self._spool: Spool | None = None

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        """See :meth:`connectors.base.Connector.pull`."""
        if kind not in self._plan.where:
            return
        since = cursor.updated_at - max(MIN_OVERLAP, timedelta(seconds=self._config.overlap_s)) if cursor else None
        spool = self._spool
        if spool is not None and spool.serves(kind, since, until):
            pages = self._from_spool(kind, spool, until)
        else:
            who_am_i(self._reader, self._config)  # an expired token would silently show fewer issues
            if kind is RecordKind.TICKET:
                pages = self._with_others(since, until)
            else:
                pages = self._search(kind, self._plan.where[kind], since, until)
        if since is not None and (late := self._changed_unnoticed(kind, since)):
            # First, and without moving the cursor: a kill in between repeats them instead of losing them.
            yield from self._search(kind, late, None, until, cursor=cursor)
        yield from read_ahead(pages, depth=1)

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
        """The platform's count of the issues behind a kind (for SLAs and surveys it cannot say)."""
        if kind not in (RecordKind.TICKET, RecordKind.CONTACT) or kind not in self._plan.where:
            return None
        text = instants.after(until, self._site.zone)
        return paging.count(self._reader, self._site, f'{self._plan.where[kind]} AND created < "{text}"')

    # --- searches ---------------------------------------------------------------------------------------------

    def _with_others(self, since: datetime | None, until: datetime) -> Iterator[Page]:
        """Tickets, with SLA rows and surveys kept aside for the pulls that follow."""
        kinds = [kind for kind in ALONGSIDE if kind in self._plan.where]
        self.close()
        spool = self._spool = Spool(kinds, since=since, until=until)
        harvest = self._harvest((RecordKind.TICKET, *kinds))
        yield from self._pages(
            harvest, RecordKind.TICKET, self._plan.where[RecordKind.TICKET], since, until, None, spool
        )
        spool.seal()

    def _search(
        self, kind: RecordKind, where: str, since: datetime | None, until: datetime, *, cursor: Cursor | None = None
    ) -> Iterator[Page]:
        yield from self._pages(self._harvest((kind,)), kind, where, since, until, cursor, None)

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
        spool: Spool | None,
    ) -> Iterator[Page]:
        """Pages of about :data:`FLUSH_ROWS` issues; ``cursor`` given: the pages do not move it."""
        search = paging.Search(
            where=where,
            fields=tuple(field_id for field_id, _ in harvest.fields()),
            expand=("changelog",) if harvest.needs_history else (),
            since=since,
            until_text=instants.after(until, self._site.zone),
            page_size=self._page_size(),
            bound=until,
        )
        taken = 0
        counted = (self._reader.requests, self._reader.retries)
        reached = Cursor(updated_at=since or datetime.fromtimestamp(0, UTC))
        searches = paging.slices(search, until=until, site=self._site, most=self._config.max_concurrency)
        for delivered in paging.side_by_side(self._reader, self._site, searches):
            harvest.add(delivered.body)
            taken += delivered.count
            if delivered.reached is not None:
                at = max(reached.updated_at, min(delivered.reached, until))
                reached = Cursor(updated_at=at, tiebreak=delivered.last_id)
            if taken >= FLUSH_ROWS:
                page, counted = self._page(harvest, kind, cursor or reached, until, spool, counted)
                yield page
                taken = 0
        page, _ = self._page(harvest, kind, cursor or Cursor(updated_at=until), until, spool, counted)
        if page.batch.num_rows or page.rejected or cursor is None:
            yield page

    def _page(
        self,
        harvest: Harvest,
        kind: RecordKind,
        cursor: Cursor,
        until: datetime,
        spool: Spool | None,
        counted: tuple[int, int],
    ) -> tuple[Page, tuple[int, int]]:
        rejected: list[Rejected] = [*harvest.rejected]
        harvest.rejected.clear()
        batch = None
        for other, columns in harvest.columns.items():
            table, unreadable = columns.finish(until)
            rejected += unreadable
            if other is kind:
                batch = table
            elif spool is not None:
                spool.add(other, table, columns.whole_of)
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
        return page, now

    def _from_spool(self, kind: RecordKind, spool: Spool, until: datetime) -> Iterator[Page]:
        reached = Cursor(updated_at=spool.since or datetime.fromtimestamp(0, UTC))
        for table, whole_of in spool.take(kind):
            reached = Cursor(updated_at=pc.max(table["updated_at"]).as_py() or reached.updated_at)
            yield Page(kind=kind, batch=table, cursor=reached, whole_of=whole_of)
        empty = self._harvest((kind,)).columns[kind].finish(until)[0]
        yield Page(kind=kind, batch=empty, cursor=Cursor(updated_at=until), whole_of=spool.rowless(kind))

    def _changed_unnoticed(self, kind: RecordKind, since: datetime) -> str | None:
        """JQL of issues whose clock or rating may have changed without moving their update time.

        Whether a breach or an answer to a survey counts as an update is not documented, so running clocks past
        their goal and fresh answers are read at every pull.
        """
        where = self._plan.where[kind]
        zone = self._site.zone
        old = f'updated < "{instants.after(since, zone)}"'
        clause = self._site.fields.clause
        if kind is RecordKind.SLA and self._plan.clocks:
            running = " OR ".join(
                f"({name} = breached() AND {name} != completed())"
                for name in (clause(clock.field_id) for clock in self._plan.clocks)
            )
            return f"{where} AND {old} AND ({running})"
        if kind is RecordKind.SURVEY and self._plan.survey_date is not None:
            return f'{where} AND {old} AND {clause(self._plan.survey_date)} >= "{instants.not_after(since, zone)}"'
        return None

    def _harvest(self, kinds: Sequence[RecordKind]) -> Harvest:
        return Harvest(self._plan, kinds, connection=self._config.name, whole_history=self._undecoded_history)

    def _page_size(self) -> int:
        if self._site.is_cloud:
            return min(self._config.rows_per_page, paging.MAX_CLOUD_PAGE)
        return self._config.page_size or paging.DATA_CENTER_PAGE

    def whole_history(self, issue_id: str) -> Sequence[HistoryEntry]:
        """All of an issue's history, where a search showed only its newest part."""
        return self._history(issue_id, HistoryEntry)

    def _undecoded_history(self, issue_id: str) -> Sequence[RawEntry]:
        return self._history(issue_id, RawEntry)

    def _history(self, issue_id: str, entry: type[E]) -> list[E]:
        path = f"/issue/{issue_id}"
        shape: Any
        if not self._site.is_cloud:
            shape, params = _History[entry], {"fields": "updated", "expand": "changelog"}  # type: ignore[valid-type]
            shown: _History[E] = ask(self._reader, path, shape, what="history", params=params)
            return shown.changelog.histories
        shape = ChangelogPage[entry]  # type: ignore[valid-type]
        entries: list[E] = []
        while True:
            asked = {"startAt": len(entries), "maxResults": 100}
            page: ChangelogPage[E] = ask(self._reader, f"{path}/changelog", shape, what="history", params=asked)
            entries.extend(page.values)
            if page.is_last or not page.values:
                return entries
