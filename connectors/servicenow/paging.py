"""All rows of a table that changed in a span of time, page by page, whatever the instance does on a bad day.

Paging is by keyset (update time, then sys_id), never by offset: offsets get slow and skip rows while others change,
and a mass update puts thousands of rows in one second. A page may be short, even empty, because rows hidden from us
are taken out after it was cut, and because an instance may give fewer rows at once than were asked for. So a short
page never ends the loop: only the platform saying that nothing follows does. Behind a page of which every row is
hidden lies the next key, unknown to us; there smaller spans of keys are asked for until one is answered whole. A page
counts only when it parses whole and carries no error; otherwise it is asked for again, half as large.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from connectors.answers import TooHeavy
from connectors.servicenow.filters import repeated
from connectors.servicenow.rows import Position, Rows, Shape
from connectors.servicenow.tables import KEYS, Instance, instant, parameters, stored
from improvement.errors import ConnectionFailed, MappingError, Place

SMALLEST_PAGE = 10
ATTEMPTS_AT_SMALLEST = 3
GOOD_PAGES_TO_GROW = 4
ATTEMPTS_AT_REPEATED = 3
ORDER = "^ORDERBYsys_updated_on^ORDERBYsys_id"


BEGINNING = Position("1970-01-01 00:00:00")
IDS = 1 << 128  # sys_ids are 32 hexadecimal digits
LAST_ID = "f" * 32
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def query_after(position: Position, until: Position, narrowing: str) -> str:
    """The encoded query of everything beyond a position up to another one; without sys_id that is a whole second.

    ``narrowing`` is the mapping's filter; its ``^NQ`` groups are repeated for each part of the keyset condition.
    """
    at, last = position.updated_on, until.updated_on
    if at == last:
        ids = [f"sys_id>{position.sys_id}"] * bool(position.sys_id) + [f"sys_id<={until.sys_id}"] * bool(until.sys_id)
        parts = ["^".join([f"sys_updated_on={at}", *ids])]
    else:
        begin = f"sys_updated_on>{at}" if position.sys_id else f"sys_updated_on>={at}"
        end = f"sys_updated_on<{last}" if until.sys_id else f"sys_updated_on<={last}"
        parts = [f"{begin}^{end}"]
        parts += [f"sys_updated_on={at}^sys_id>{position.sys_id}"] * bool(position.sys_id)
        parts += [f"sys_updated_on={last}^sys_id<={until.sys_id}"] * bool(until.sys_id)
    return repeated(parts, narrowing) + ORDER


class _Answer(NamedTuple):
    rows: Rows
    asked_for: int
    is_whole: bool | None  # whether nothing follows in what was asked for; None: not asked
    counted: int  # by the platform in it, hidden rows included; 0 where it did not


class Pager:
    """Iterates the pages of one table; ``position`` is the key of the last row read."""

    def __init__(
        self, instance: Instance, table: str, shape: Shape, *, after: Position, until: str, narrowing: str = ""
    ) -> None:
        if "ORDERBY" in narrowing:
            raise MappingError(
                f"The filter of {table} orders its rows.",
                where=Place(connection=instance.config.name, field=f"mapping.{table}.filter"),
                mend="Leave ORDERBY out: the pull has an order of its own.",
            )
        self.instance = instance
        self.table = table
        self.shape = shape
        self.position = after
        self.until = Position(until)
        self.narrowing = narrowing
        self.limit = self.largest = instance.config.rows_per_page
        self._good = 0
        self._span = 0  # how long a span of keys was that could be answered whole; 0: none yet

    def __iter__(self) -> Iterator[Rows]:
        bound: Position | None = None
        repeats, is_asked = 0, True  # the first page tells at once whether it is the last
        while True:
            answer = self._answer(bound, is_asked=is_asked)
            begin = self.position
            fresh = self._beyond(answer.rows)
            if len(fresh):
                self.position = self._complete(self._place(fresh))
                repeats = 0
                yield fresh
            elif len(answer.rows):
                repeats += 1
                if not answer.rows.left_out.isdisjoint(KEYS):
                    self._complete(Position(""))
                if repeats >= ATTEMPTS_AT_REPEATED:
                    raise self._failed("gives the same page again and again", "Ask for the platform's log.")
                continue
            if answer.is_whole and bound is None:
                return
            if answer.is_whole and bound is not None:
                self._span = self._length(begin, bound) * (2 if 2 * answer.counted < answer.asked_for else 1)
                self.position = self._behind(bound)
                bound = self._bound(self._span) if self._span and not len(fresh) else None
            elif is_asked and not len(answer.rows):  # every row of this page is hidden from us
                bound = self._nearer(bound)
            is_asked = bound is not None or len(answer.rows) < answer.asked_for

    def _beyond(self, rows: Rows) -> Rows:
        """The rows after our position; an instance may repeat a page."""
        at = self.position
        return rows if not len(rows) or rows.key(0) > at else rows.beyond(at)

    def _place(self, rows: Rows) -> Position:
        """The key of the last row."""
        return rows.key(-1)

    def _query(self, bound: Position | None) -> str:
        """What is asked for next: everything beyond our position, or up to a bound."""
        return query_after(self.position, bound or self.until, self.narrowing)

    def _nearer(self, bound: Position | None) -> Position | None:
        """The bound of a shorter span: as long as one that was answered whole, else half of what was too long."""
        half = self._length(self.position, bound) // 2
        if half < 1:
            raise self._failed("hides rows that no span of keys parts", "Let the integration user read more of it.")
        return self._bound(min(self._span or half, half) if bound is None else half)

    def _length(self, begin: Position, bound: Position | None) -> int:
        """How long a span of keys is, in ids; a second holds 2^128 of them."""
        last = bound or self.until
        return number(last.updated_on, last.sys_id or LAST_ID) - number(begin.updated_on, begin.sys_id)

    def _bound(self, length: int) -> Position | None:
        """The key so far beyond our position, from a second on at the end of one; None behind all that is read."""
        at = number(self.position.updated_on, self.position.sys_id) + length
        if at >= number(self.until.updated_on, LAST_ID):
            return None
        second, id = divmod(at, IDS)
        return Position(stored(EPOCH + timedelta(seconds=second)), "" if length >= IDS else f"{id:032x}")

    def _behind(self, bound: Position) -> Position:
        """The position behind a span."""
        if bound.sys_id:
            return bound
        return Position(stored(EPOCH + timedelta(seconds=number(bound.updated_on, "") // IDS + 1)))

    def _complete(self, position: Position) -> Position:
        if all(position):
            return position
        raise self._failed("shows rows without sys_id or sys_updated_on", "Let the integration user read these fields.")

    def _answer(self, bound: Position | None, *, is_asked: bool) -> _Answer:
        attempts = 0
        while True:
            asked_for = self.limit
            try:
                answer = self._request(bound, asked_for, is_asked=is_asked)
            except TooHeavy as error:
                self._good = 0
                self.instance.reader.retries += 1
                if asked_for > SMALLEST_PAGE:
                    self.limit = max(SMALLEST_PAGE, asked_for // 2)
                    continue
                attempts += 1
                if attempts < ATTEMPTS_AT_SMALLEST:
                    continue
                mend = "Ask the platform's administrator for an index on sys_updated_on."
                raise self._failed(
                    f"cannot be read, not even {SMALLEST_PAGE} rows at a time: {error.what}", mend
                ) from None
            self._good += 1
            if self._good >= GOOD_PAGES_TO_GROW:
                self._good = 0
                self.limit = min(self.largest, self.limit * 2)
            return answer

    def _request(self, bound: Position | None, limit: int, *, is_asked: bool) -> _Answer:
        params = parameters(self._query(bound), self.shape.fields, limit)
        if is_asked:
            del params["sysparm_no_count"], params["sysparm_suppress_pagination_header"]
        response = self.instance.reader.read_page(
            f"/api/now/table/{self.table}",
            what=f"table {self.table}",
            params=params,
            check=self.instance.check_web_page,
        )
        rows = self.shape.decode(response.content)
        if not is_asked:
            self.instance.most_rows = max(self.instance.most_rows, len(rows))
            return _Answer(rows, limit, None, 0)
        is_whole = self.instance.end_of_page(response, len(rows), 0, limit) == 0
        total = response.headers.get("X-Total-Count", "")
        return _Answer(rows, limit, is_whole, int(total) if total.isdigit() else 0)

    def _failed(self, what: str, mend: str) -> ConnectionFailed:
        return ConnectionFailed(
            f"Table {self.table} {what}.", where=Place(connection=self.instance.config.name), mend=mend
        )


def number(updated_on: str, sys_id: str) -> int:
    """A key as a number: seconds of the epoch times :data:`IDS`, plus the id; an id of another form counts as last."""
    moment = instant(updated_on)
    try:
        id = int(sys_id.ljust(32, "0")[:32], 16) if sys_id else 0
    except ValueError:
        id = IDS - 1
    return (int((moment - EPOCH).total_seconds()) if moment is not None else 0) * IDS + id
