"""Departures: what is gone from a platform becomes a tombstone, what it has and we lack is read, and so are clocks
that were rewritten without a trace.

The cheap questions come first. A log of deletions is read at every pull. Once a week (``reconcile_days``) the
platform's own count is held against ours; only where they differ in a new way, or after ``list_days`` at the latest,
all keys are listed. What is listed and not here is read by its id.

Whatever names a record as gone, it is buried only when the platform, asked for that very record, no longer has it.
A list that may be incomplete buries nothing and is told in the report with how to mend it. Knows no Django: the
benches use it too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
import pyarrow as pa

from connectors.base import Connector, Gone, Keys, Page
from improvement.errors import RegelkreisError, ShutOut
from improvement.plurals import how_many, plural
from improvement.records import RecordKind
from workflows.steps.lacking import Lacking, ReadByIds
from workflows.steps.renamed import Renamed
from workflows.steps.rewritten import Clocks, ReadAgain
from workflows.warehouse import NOTHING, LoadReport, Warehouse, Zones

EARLY = timedelta(hours=12)  # a weekly pull that begins a little before its hour is still the weekly one
LOG_BEFORE_FIRST = timedelta(days=28)  # how far back the log is read where nothing says how far it was read
MOST_ASKED = 2_000  # records asked for one by one in one pull; the rest waits for the next
ESTIMATE_SLACK = 0.01  # an approximate count may be this much above a complete list …
ESTIMATE_SLACK_ROWS = 5  # … or this many
COUNT_SLACK = 0.001  # what was created while we read is counted, and not here yet
GROWTH = 0.1  # what is hidden from us grows with all else: no reason to list everything every week
MANY = 50  # records
MOST_OF_ALL = 1 / 3  # of the records that stand; more are not buried without being told to


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often a platform is asked. See the settings of a connection."""

    reconcile_days: float = 7
    list_days: float = 91
    review_weeks: int = 13


class Looked(msgspec.Struct, kw_only=True):
    """When what was last looked at for one kind, and which differences to the platform's counts are known."""

    log_until: datetime | None = None
    counted_at: datetime | None = None
    gap: int | None = None  # the platform's count minus ours, minus what is known to be unreadable
    is_estimate: bool = False  # the platform's count, as the last list of keys said
    is_whole: bool | None = None  # read from the beginning, or only since a day; None: nobody wrote it down
    listed_at: datetime | None = None
    read_again_at: datetime | None = None
    breach_gap: int | None = None


@dataclass(slots=True)
class Departed:
    """What one kind's departures came to in one pull. ``notes`` say what could not be done, why, and what to do."""

    deleted: int = 0
    revived: int = 0
    lacked: list[str] = field(default_factory=list)  # ids of records that were listed, not here, and read
    is_left: bool = False  # more of them are to be read by the next pull
    has_failed: bool = False  # reading by ids: asked again when keys are listed next
    counted: int | None = None
    unreadable: int = 0  # records that are there, and are not here because they could not be read
    by: dict[str, int] = field(default_factory=dict)  # how it was found → how many
    ids: list[str] = field(default_factory=list)  # of those that the platform was asked for
    notes: list[str] = field(default_factory=list)

    @property
    def ids_sha256(self) -> str:
        """SHA-256 of the sorted ids, a line each."""
        return _sha256(self.ids)

    @property
    def lacked_sha256(self) -> str:
        """The same of the records that were not here."""
        return _sha256(self.lacked)


@dataclass(frozen=True, slots=True)
class LoadedPage:
    """One page in the warehouse; ``left_out``: parts of its tickets that are there no more, now tombstones."""

    report: LoadReport
    left_out: int


def load_page(warehouse: Warehouse, page: Page, connection: str, *, seen_at: datetime, zones: Zones) -> LoadedPage:
    """Load a page; where it holds everything of a ticket, what else is known of that ticket is gone."""
    return load_pages(warehouse, {connection: page}, seen_at=seen_at, zones=zones)[connection]


def load_pages(
    warehouse: Warehouse, pages: Mapping[str, Page], *, seen_at: datetime, zones: Zones
) -> dict[str, LoadedPage]:
    """The same for a page of each of these connections, all of one kind, as one load."""
    (kind,) = {page.kind for page in pages.values()}
    batch = pa.concat_tables([page.batch for page in pages.values()])
    reports = warehouse.load_together(kind, batch, seen_at=seen_at, zones=zones)
    loaded = {}
    for name, page in pages.items():
        left_out = 0
        if page.whole_of is not None and len(page.whole_of):
            left_out = warehouse.tombstones.bury_left_out(kind, name, page.whole_of, page.batch["id"], seen_at=seen_at)
        loaded[name] = LoadedPage(reports.get(name, NOTHING), left_out)
    return loaded


@dataclass(slots=True)
class Departures:
    """One pull's look at what is gone.

    ``is_counted``: counts are compared also where they are not due. ``is_forced``: everything is looked at now.
    ``around`` each question: what nobody foresaw becomes a :class:`RegelkreisError` there, or passes.
    """

    connector: Connector
    warehouse: Warehouse
    as_of: datetime
    schedule: Schedule = Schedule()
    is_counted: bool = False
    is_forced: bool = False
    around: Callable[[], AbstractContextManager[None]] = nullcontext
    is_log_told: bool = field(default=False, init=False)
    shut_out: ShutOut | None = field(default=None, init=False)  # then nothing else is asked, of any kind

    def look(
        self,
        kind: RecordKind,
        looked: Looked,
        *,
        is_new: bool,
        read_again: ReadAgain,
        read_by_ids: ReadByIds,
        unreadable: Sequence[str] = (),
    ) -> Departed:
        """Everything that is due for one kind; ``looked`` moves on. ``is_new``: this pull began at the beginning.

        ``unreadable``: ids of records that are there and could not be read. ``read_by_ids`` is called only where the
        connector can. Raises nothing of the platform's: a question that it does not answer is told, and asked again
        by the next pull.
        """
        standing = self.warehouse.tombstones.live(kind, self.connector.name, unreadable)
        departed = Departed(unreadable=len(unreadable) - len(standing))
        is_wanted = looked.is_whole if looked.is_whole is not None else (True if self.is_forced else None)
        lacking = Lacking(self.connector, self.warehouse, kind, read_by_ids, frozenset(unreadable), is_wanted)
        questions: list[Callable[[], None]]
        if kind in self.connector.inside_tickets():
            questions = [lambda: self._with_tickets(kind, departed)]
        else:
            questions = [
                lambda: self._by_log(kind, looked, departed, is_new=is_new),
                lambda: self._by_count(kind, looked, departed, is_new=is_new, lacking=lacking),
            ]
        if kind is RecordKind.TICKET:
            renamed = Renamed(self.connector, self.warehouse, self.as_of, read_by_ids)
            questions.append(lambda: self._renamed(looked, departed, renamed, is_new=is_new))
        if kind is RecordKind.SLA:
            clocks = Clocks(
                self.connector, self.warehouse, self.as_of, self.schedule.review_weeks, read_again, read_by_ids
            )
            questions.append(lambda: self._rewritten(looked, departed, clocks, is_new=is_new))
        for question in questions:
            try:
                if self.shut_out is not None:
                    raise self.shut_out
                with self.around():
                    question()
            except RegelkreisError as error:
                departed.notes.append(f"Not looked for everything that is gone or not here: {error}")
                if isinstance(error, ShutOut):
                    self.shut_out = error
                    break
        return departed

    # --- what is gone -----------------------------------------------------------------------------------------

    def _with_tickets(self, kind: RecordKind, departed: Departed) -> None:
        count = self.warehouse.tombstones.bury_parts(kind, self.connector.name, seen_at=self.as_of)
        self._add(departed, "with their ticket", count)

    def _by_log(self, kind: RecordKind, looked: Looked, departed: Departed, *, is_new: bool) -> None:
        if is_new:  # whatever was deleted before was never read
            looked.log_until = self.as_of
            return
        since = looked.log_until or self.as_of - LOG_BEFORE_FIRST
        if since > self.as_of:
            return
        log = self.connector.deleted(kind, since=since, until=self.as_of)
        if log is None:
            return
        if log.problem:
            if not self.is_log_told:  # once a pull, not once a kind
                departed.notes.append(f"The log of deletions tells nothing: {log.problem}. {log.mend}")
            self.is_log_told = True
            return
        named = self.warehouse.tombstones.live(kind, self.connector.name, log.ids)
        self._bury_confirmed(kind, named[:MOST_ASKED], departed, "by the log")
        if len(named) <= MOST_ASKED:
            looked.log_until = self.as_of

    def _by_count(
        self, kind: RecordKind, looked: Looked, departed: Departed, *, is_new: bool, lacking: Lacking
    ) -> None:
        if not (self.is_counted or self._is_due(looked.counted_at, self.schedule.reconcile_days)):
            return
        departed.counted = self.connector.count(kind, until=self.as_of)
        gap = self._gap(kind, departed)
        is_more_there = _is_more_there(looked, gap, departed.counted)
        if is_new and not self.is_forced and (gap is None or gap >= 0) and not (looked.is_whole and is_more_there):
            looked.listed_at, looked.gap = self.as_of, gap  # all there was has just been read
        elif is_more_there or self._must_list(looked, gap):
            is_settled = self._by_list(kind, looked, departed, lacking)
            looked.listed_at = None if departed.is_left or departed.has_failed else self.as_of
            gap = self._gap(kind, departed)
            # A difference that is not settled stays a reason to list again next time, unless hidden records made it.
            is_all_read = not (departed.is_left or departed.has_failed)
            if is_settled or (gap is not None and is_all_read and gap > (looked.gap or 0)):
                looked.gap = gap
        else:
            self._tell_lacking(looked, gap, departed)
        looked.counted_at = None if departed.is_left else self.as_of

    def _must_list(self, looked: Looked, gap: int | None) -> bool:
        """Whether the count says that more is gone than is known, or cannot say, or the last list is too old.

        Anything gone makes the known difference (records hidden from us) smaller.
        """
        is_more_gone = gap is None or looked.gap is None or gap < looked.gap
        return is_more_gone or self._is_due(looked.listed_at, self.schedule.list_days)

    def _by_list(self, kind: RecordKind, looked: Looked, departed: Departed, lacking: Lacking) -> bool:
        """Bury what a list of all keys leaves out, read what we lack; False where something is left to be found out.

        What is hidden from us at the first list is hidden for good: no reason to list everything every week.
        """
        keys = self.connector.keys(kind)
        if keys is None:
            return True
        looked.is_estimate = keys.is_estimate
        standing = self.warehouse.tombstones.standing(kind, self.connector.name)
        refusal = _why_not(keys, standing, self.connector.name)
        if refusal:
            departed.notes.append(f"{refusal} Nothing was taken for deleted.")
            is_settled = looked.gap is None and bool(len(keys.ids))
        else:
            is_settled = self._bury_unlisted(kind, keys, standing, departed)
        found = lacking.read(keys.ids, seen_at=self.as_of)
        departed.revived += found.revived
        departed.lacked += found.ids
        departed.unreadable += found.unreadable
        departed.is_left, departed.has_failed = found.is_left, found.has_failed
        departed.notes += found.notes
        return is_settled and not found.is_left and not found.has_failed

    def _bury_unlisted(self, kind: RecordKind, keys: Keys, standing: int, departed: Departed) -> bool:
        """False where something is left to be found out."""
        name = self.connector.name
        left_out = self.warehouse.tombstones.unlisted(kind, name, keys.ids)
        if len(left_out) > max(MANY, standing * MOST_OF_ALL) and not self.is_forced:
            departed.notes.append(
                f"The platform lists {how_many(len(keys.ids), 'key')}, without {len(left_out):,} of our "
                f"{how_many(standing, 'record')}: a "
                "right that was taken away, a narrower filter, or a large archive run? Nothing was taken for deleted. "
                f"If they are really gone, run `regelkreis pull {name} --reconcile`."
            )
            return False
        is_decided = self._bury_confirmed(kind, left_out[:MOST_ASKED], departed, "by the list of keys")
        if len(left_out) > MOST_ASKED:
            departed.notes.append(f"{len(left_out) - MOST_ASKED:,} more are asked for by the next pull.")
            return False
        return is_decided

    def _tell_lacking(self, looked: Looked, gap: int | None, departed: Departed) -> None:
        """Say that the platform counts more than is here, unless a person wanted only what is younger."""
        counted = departed.counted
        if gap is None or counted is None or not looked.is_whole or gap <= _slack(looked, counted):
            return
        departed.notes.append(
            f"The platform counts {how_many(counted, 'record')}, {gap:,} of them are not here: hidden from "
            "us, as far as a list "
            "of keys told. Let the integration user see every record of the mapped tables or projects, then run "
            f"`regelkreis pull {self.connector.name} --reconcile`."
        )

    def _bury_confirmed(self, kind: RecordKind, named: list[str], departed: Departed, found: str) -> bool:
        """Only what the platform no longer has when it is asked for that very record; False where it is too early."""
        if not named:
            return True
        gone = self.connector.gone(kind, named)
        told = gone if isinstance(gone, Gone) else Gone(gone)
        count = self.warehouse.tombstones.bury(kind, self.connector.name, gone, seen_at=self.as_of)
        self._add(departed, found, count - len(told.outside))
        self._add(departed, "outside the filter", len(told.outside))
        departed.ids += gone
        if n := len(told.outside):
            departed.notes.append(
                f"{how_many(n, 'record is', 'records are')} there, but no longer {plural(n, 'matches', 'match')} the "
                f"mapping (filter or type) or {plural(n, 'is', 'are')} archived: {plural(n, 'it is', 'they are')} "
                f"counted no more, and {plural(n, 'is', 'are')} back when {plural(n, 'it matches', 'they match')} "
                "again."
            )
        if n := told.undecided:
            departed.notes.append(
                f"{how_many(n, 'record seems', 'records seem')} to match the mapping no longer, but changed too "
                f"recently to be sure: {plural(n, 'it was', 'they were')} kept, and {plural(n, 'is', 'are')} asked for "
                "again."
            )
        if n := len(named) - len(gone) - told.undecided:
            departed.notes.append(
                f"{how_many(n, 'record is', 'records are')} gone {found}, but there when asked for (restored, hidden "
                f"from us, or a search index that lags): {plural(n, 'it was', 'they were')} kept."
            )
        return not told.undecided

    def _gap(self, kind: RecordKind, departed: Departed) -> int | None:
        if departed.counted is None:
            return None
        here = self.warehouse.tombstones.standing(kind, self.connector.name) + departed.unreadable
        return departed.counted - here

    def _renamed(self, looked: Looked, departed: Departed, renamed: Renamed, *, is_new: bool) -> None:
        if not self._is_due(looked.read_again_at, self.schedule.reconcile_days):
            return
        if not is_new:
            departed.notes += renamed.look()
        looked.read_again_at = self.as_of

    def _rewritten(self, looked: Looked, departed: Departed, clocks: Clocks, *, is_new: bool) -> None:
        if not self._is_due(looked.read_again_at, self.schedule.reconcile_days):
            return
        if not is_new:
            told = clocks.look(looked.breach_gap, is_forced=self.is_forced)
            looked.breach_gap = told.breach_gap
            departed.notes += told.notes
        looked.read_again_at = self.as_of

    # --- in common --------------------------------------------------------------------------------------------

    def _is_due(self, last: datetime | None, days: float) -> bool:
        return self.is_forced or last is None or self.as_of - last >= timedelta(days=days) - EARLY

    def _add(self, departed: Departed, found: str, count: int) -> None:
        if count:
            departed.deleted += count
            departed.by[found] = departed.by.get(found, 0) + count


def _is_more_there(looked: Looked, gap: int | None, counted: int | None) -> bool:
    """Whether the platform counts more than is here and known, beyond what may just have been created."""
    if gap is None or counted is None:
        return False
    return gap > (looked.gap or 0) * (1 + GROWTH) + _slack(looked, counted)


def _slack(looked: Looked, counted: int) -> float:
    return max(ESTIMATE_SLACK_ROWS, counted * (ESTIMATE_SLACK if looked.is_estimate else COUNT_SLACK))


def _sha256(ids: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()


def _why_not(keys: Keys, standing: int, name: str) -> str:
    """Why a list of keys may be incomplete; "" where it is to be trusted."""
    listed = len(keys.ids)
    if not listed and standing:
        return (
            f"The platform lists no key at all where {how_many(standing, 'record stands', 'records stand')}: is the "
            "integration user still allowed to read them? `regelkreis doctor` tells."
        )
    if keys.counted is None:
        return ""
    slack = max(ESTIMATE_SLACK_ROWS, keys.counted * ESTIMATE_SLACK) if keys.is_estimate else 0
    if keys.counted - listed > slack:
        return (
            f"The platform counts {how_many(keys.counted, 'record')} and lists {listed:,} of them: the others are "
            "hidden from us, or the list was cut short. Let the integration user see every record of the mapped "
            f"tables, then run `regelkreis pull {name} --reconcile`; or let it read the log of deletions."
        )
    return ""
