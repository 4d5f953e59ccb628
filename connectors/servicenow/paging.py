"""All rows of a table that changed in a span of time, page by page, whatever the instance does on a bad day.

Paging is by keyset (update time, then sys_id), never by offset: offsets get slow and skip rows while others change,
and a mass update puts thousands of rows in one second. A page may be short, even empty, because rows hidden from us
are taken out after it was cut, so a short page never ends the loop: only the platform saying that nothing follows
does. A page counts only when it parses whole and carries no error; otherwise it is asked for again, half as large.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import requests

from connectors.answers import TooHeavy
from connectors.servicenow.filters import repeated
from connectors.servicenow.rows import Position, Rows, Shape
from connectors.servicenow.tables import Instance, parameters
from improvement.errors import ConnectionFailed, MappingError, Place

SMALLEST_PAGE = 10
ATTEMPTS_AT_SMALLEST = 3
GOOD_PAGES_TO_GROW = 4
ATTEMPTS_AT_REPEATED = 3
ORDER = "^ORDERBYsys_updated_on^ORDERBYsys_id"


BEGINNING = Position("1970-01-01 00:00:00")


def query_after(position: Position, until: str, narrowing: str) -> str:
    """The encoded query of everything beyond a position and not updated after ``until``.

    ``narrowing`` is the mapping's filter; its ``^NQ`` groups are repeated for each half of the keyset condition.
    """
    if position.sys_id:
        halves = [
            f"sys_updated_on>{position.updated_on}^sys_updated_on<={until}",
            f"sys_updated_on={position.updated_on}^sys_id>{position.sys_id}",
        ]
    else:
        halves = [f"sys_updated_on>={position.updated_on}^sys_updated_on<={until}"]
    return repeated(halves, narrowing) + ORDER


class _Answer(NamedTuple):
    rows: Rows
    asked_for: int
    is_last: bool | None  # None: not asked


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
        self.until = until
        self.narrowing = narrowing
        self.limit = self.largest = instance.config.rows_per_page
        self._good = 0

    def __iter__(self) -> Iterator[Rows]:
        offset, repeats, is_asked = 0, 0, True  # the first page tells at once whether it is the last
        while True:
            answer = self._answer(offset, is_asked=is_asked)
            fresh = self._beyond(answer.rows)
            if len(fresh):
                self.position = self._complete(self._place(fresh))
                offset, repeats = 0, 0
                yield fresh
            elif len(answer.rows):
                repeats += 1
                if repeats >= ATTEMPTS_AT_REPEATED:
                    raise self._failed("gives the same page again and again", "Ask for the platform's log.")
                continue
            if answer.is_last:
                return
            if is_asked and not len(answer.rows):
                offset += answer.asked_for  # every row of this page is hidden from us: look behind it
                continue
            is_asked = len(answer.rows) < answer.asked_for

    def _beyond(self, rows: Rows) -> Rows:
        """The rows after our position; an instance may repeat a page."""
        at = self.position
        return rows if not len(rows) or not at.sys_id or rows.key(0) > at else rows.beyond(at)

    def _place(self, rows: Rows) -> Position:
        """The key of the last row."""
        return rows.key(-1)

    def _query(self) -> str:
        """What is asked for next."""
        return query_after(self.position, self.until, self.narrowing)

    def _complete(self, position: Position) -> Position:
        if all(position):
            return position
        raise self._failed("shows rows without sys_id or sys_updated_on", "Let the integration user read these fields.")

    def _answer(self, offset: int, *, is_asked: bool) -> _Answer:
        attempts = 0
        while True:
            asked_for = self.limit
            try:
                answer = self._request(offset, asked_for, is_asked=is_asked)
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

    def _request(self, offset: int, limit: int, *, is_asked: bool) -> _Answer:
        params = parameters(self._query(), self.shape.fields, limit)
        if offset:
            params["sysparm_offset"] = str(offset)
        if is_asked:
            del params["sysparm_no_count"], params["sysparm_suppress_pagination_header"]
        response = self.instance.reader.read_page(
            f"/api/now/table/{self.table}",
            what=f"table {self.table}",
            params=params,
            check=self.instance.check_web_page,
        )
        rows = self.shape.decode(response.content)
        return _Answer(rows, limit, _is_last(response, rows, offset + limit) if is_asked else None)

    def _failed(self, what: str, mend: str) -> ConnectionFailed:
        return ConnectionFailed(
            f"Table {self.table} {what}.", where=Place(connection=self.instance.config.name), mend=mend
        )


def _is_last(response: requests.Response, rows: Rows, end: int) -> bool:
    """Whether nothing follows a page: told by its links, else by the total, else by its emptiness."""
    link = response.headers.get("Link", "")
    if link:
        return 'rel="next"' not in link
    total = response.headers.get("X-Total-Count", "")
    return int(total) <= end if total.isdigit() else not len(rows)
