"""An instance behind one authenticated session: small reads, counts, and what the dictionary says about tables.

pysnow's client holds the session and its resources send our writes (:mod:`connectors.servicenow.sending`); paging
and decoding are ours. Every value is the stored one: UTC texts, plain sys_ids, never a display value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import pysnow
import requests

from connectors.answers import Declined, TooHeavy, is_web_page, redacted
from connectors.config import ConnectionConfig
from connectors.http import Reader, prepare
from connectors.mapping import unknown_field
from improvement.errors import ConnectionFailed, PermissionMissing, Place

STORED = "%Y-%m-%d %H:%M:%S"
MAX_ROWS = 10_000
IDS_PER_QUERY = 100  # 33 characters each: far below the 8 KB many servers allow for a request line
BUSY = "The instance may be too busy to finish its answers: try again, or raise max_attempts."
FEW = 10  # no instance gives fewer at once
LEFT_OUT = "The platform leaves {} out of records, so it is read as empty."
NOTHING_READ = "The platform leaves {} out of records, so they cannot be read."
ROWS_HIDDEN = "The platform hides records of {} from us: what refers to them is read as empty."
LET_SEE = "Let the integration user see all records of this table."
LET_READ = "Give the integration user the right to read this field, or map another one."
OUR_USER = "sys_idINjavascript:gs.getUserID()"
KEYS = ("sys_id", "sys_updated_on")  # by which rows are read
Row = dict[str, str]
_NEXT = re.compile(r'sysparm_offset=(?P<offset>\d+)[^<>]*>\s*;\s*rel="next"')


class Body(msgspec.Struct):
    """The body of an answer, which may carry an error beside a result."""

    error: Any = None


B = TypeVar("B", bound=Body)


class Answer(Body):
    """The body of a list request; without ``result`` it is an answer to something else."""

    result: list[dict[str, Any]] | None = None


class _Stats(msgspec.Struct):
    count: int


class _Total(msgspec.Struct):
    stats: _Stats


class _Count(Body):
    """The body of a request for a count."""

    result: _Total | None = None


class _Grouped(msgspec.Struct):
    value: Any = None


class _Group(msgspec.Struct):
    groupby_fields: list[_Grouped]


class _Groups(Body):
    """The body of a request for counts by the values of a column."""

    result: list[_Group] | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the dictionary: label, type, and the table a reference points to."""

    element: str
    label: str
    type: str
    reference: str
    is_read_only: bool = False


class ShownRow(Row):
    """A row as the platform shows it; one of its fields that is left out raises :class:`PermissionMissing`."""

    __slots__ = ("_table", "_where")

    def __init__(self, row: Mapping[str, str], table: str, where: Place) -> None:
        super().__init__(row)
        self._table, self._where = table, where

    def __missing__(self, name: str) -> str:
        raise PermissionMissing(NOTHING_READ.format(f"{self._table}.{name}"), where=self._where, mend=LET_READ)


def stored(moment: datetime) -> str:
    """An aware instant as the platform stores it: UTC, ``YYYY-MM-DD hh:mm:ss``."""
    return moment.astimezone(UTC).strftime(STORED)


def instant(text: str) -> datetime | None:
    """A stored instant (UTC); None where the field is empty or holds no time."""
    try:
        return datetime.strptime(text, STORED).replace(tzinfo=UTC) if text else None
    except ValueError:
        return None


def literal(value: str) -> str:
    """A value inside an encoded query; a literal ``^`` is written twice."""
    return value.replace("^", "^^")


class Instance:
    """A ServiceNow instance: reads with patience, and knows its own dictionary."""

    def __init__(self, config: ConnectionConfig) -> None:
        self.config = config
        self.session = prepare(requests.Session(), config)
        host = config.url.partition("://")[2]
        self.client = pysnow.Client(host=host, session=self.session, use_ssl=config.url.startswith("https"))
        prepare(self.session, config)  # pysnow sets a User-Agent of its own
        self.reader = Reader(self.session, config)
        self._columns: dict[str, dict[str, Column]] = {}
        self._lineages: dict[str, list[str]] = {}
        self._audited: dict[str, bool] = {}
        self._user: str | None = None
        self.most_rows = 1  # so many it gave at once

    def rows(self, table: str, query: str, fields: Iterable[str], *, limit: int = MAX_ROWS) -> list[Row]:
        """The rows of a small result, up to ``limit``; in several requests where the instance gives fewer at once."""
        found: list[Row] = []
        offset, at_once, names, place = 0, limit, tuple(fields), self._place
        while offset < limit:
            asked_for = min(at_once, limit - offset)
            response = self._part(table, query, names, offset, asked_for)
            answer = msgspec.json.decode(response.content, type=Answer)
            rows = [ShownRow(texts(row), table, place) for row in answer.result or ()]
            end = self.end_of_page(response, len(rows), offset, asked_for)
            if end is None:  # it may have been cut anywhere: ask for no more than was given before
                at_once = self.most_rows
                continue
            found += rows
            if end <= offset or limit <= FEW:
                break
            offset = end
        return found

    def end_of_page(self, response: requests.Response, rows: int, offset: int, asked_for: int) -> int | None:
        """Where the next page begins; ``offset`` where nothing follows, None where that is not known.

        An instance may give fewer rows at once than were asked for, and takes hidden ones out of these. Its link to
        the next page tells where it was cut; without links a page as long as one that was given before is whole.
        """
        self.most_rows = max(self.most_rows, rows)
        link, total = response.headers.get("Link", ""), response.headers.get("X-Total-Count", "")
        if link and 'rel="next"' not in link:
            return offset
        follows = _NEXT.search(link)
        if follows is not None and int(follows["offset"]) > offset:
            return int(follows["offset"])
        if not link and not total.isdigit():
            return offset + rows
        if not link and int(total) <= offset + max(rows, min(asked_for, self.most_rows)):
            return offset
        return offset + asked_for if asked_for <= self.most_rows else None

    def _part(self, table: str, query: str, fields: tuple[str, ...], offset: int, limit: int) -> requests.Response:
        params = parameters(query, fields, limit)
        if limit > FEW:
            del params["sysparm_no_count"], params["sysparm_suppress_pagination_header"]
        if offset:
            params["sysparm_offset"] = str(offset)
        return self.reader.read(f"/api/now/table/{table}", what=f"table {table}", params=params, check=self.check)

    def rows_of(self, table: str, column: str, ids: Iterable[str], query: str, fields: Iterable[str]) -> list[Row]:
        """The rows whose ``column`` is one of these ids, in as many requests as the length of an address takes."""
        found: list[Row] = []
        for some in _in_pieces(ids):
            found += self.rows(table, f"{column}IN{some}{query}", fields)
        return found

    def count(self, table: str, query: str) -> int:
        """How many rows the platform itself counts, hidden ones included."""
        counts: list[int] = []

        def check(response: requests.Response) -> None:
            answer = self._body(response, _Count)
            if answer.result is None:
                raise TooHeavy(f"The answer holds no count of {table}.", where=self._place, mend=BUSY)
            counts[:] = [answer.result.stats.count]

        params = {"sysparm_query": query, "sysparm_count": "true"}
        self.reader.read(f"/api/now/stats/{table}", what=f"count of {table}", params=params, check=check)
        return counts[0]

    def is_counted(self, table: str, column: str, ids: Iterable[str]) -> bool | None:
        """Whether the platform counts rows of some of these ids; None where it does not say."""
        try:
            return any(self.count(table, f"{column}IN{some}") for some in _in_pieces(ids))
        except (Declined, PermissionMissing):
            return None

    def counted(self, table: str, column: str, ids: Iterable[str]) -> set[str]:
        """Those of these ids of which the platform says that it counts rows, hidden ones included."""
        wanted = set(ids)
        found: list[str] = []

        def check(response: requests.Response) -> None:
            groups = self._body(response, _Groups).result
            if groups is None:
                raise TooHeavy(f"The answer holds no counts of {table}.", where=self._place, mend=BUSY)
            found.extend(_text(field.value) for group in groups for field in group.groupby_fields)

        for some in _in_pieces(wanted):
            params = {"sysparm_query": f"{column}IN{some}", "sysparm_count": "true", "sysparm_group_by": column}
            self.reader.read(f"/api/now/stats/{table}", what=f"counts of {table}", params=params, check=check)
        return wanted.intersection(found)

    def our_user(self) -> str:
        """The account we are signed in with, as the platform calls it."""
        if self._user is None:
            me = self.rows("sys_user", OUR_USER, ["user_name"], limit=2) if not self.config.user else []
            is_told = len(me) == 1  # a condition that was not understood gives everybody
            self._user = me[0]["user_name"] if is_told else self.config.user or ""
        return self._user

    def learn(self, tables: Iterable[str]) -> None:
        """Read the dictionary of these tables and all they extend, in a handful of requests."""
        wanted = [table for table in dict.fromkeys(tables) if table not in self._columns]
        if not wanted:
            return
        parents = self._parents(wanted)
        chains = {table: _chain(table, parents) for table in wanted}
        names = sorted({name for chain in chains.values() for name in chain})
        fields = ("name", "element", "column_label", "internal_type", "reference", "read_only")
        entries: dict[str, dict[str, Column]] = {}
        for start in range(0, len(names), 20):
            query = f"nameIN{','.join(names[start : start + 20])}^elementISNOTEMPTY^ORDERBYname^ORDERBYelement"
            for row in self.rows("sys_dictionary", query, fields):
                entries.setdefault(row["name"], {})[row["element"]] = Column(
                    row["element"],
                    row.get("column_label", ""),
                    row.get("internal_type", ""),
                    row.get("reference", ""),
                    row.get("read_only") == "true",
                )
        self._lineages |= chains
        for table, chain in chains.items():
            merged: dict[str, Column] = {}
            for name in reversed(chain):
                merged |= entries.get(name, {})
            self._columns[table] = merged

    def known(self, table: str) -> dict[str, Column]:
        """The columns the dictionary shows of a table and those it extends; none for a table that is not there."""
        self.learn([table])
        return self._columns[table]

    def lineage(self, table: str) -> list[str]:
        """The table and those it extends, itself first."""
        self.learn([table])
        return self._lineages[table]

    def choices(self, table: str, query: str = "") -> dict[str, dict[str, str]]:
        """Column → stored value → label of every choice list; a table's own list hides that of the one it extends."""
        names = self.lineage(table)
        order = f"nameIN{','.join(names)}^inactive=false^language=en{query}^ORDERBYsequence"
        found: dict[tuple[str, str], dict[str, str]] = {}
        for row in self.rows("sys_choice", order, ("name", "element", "value", "label")):
            found.setdefault((row["name"], row["element"]), {})[row["value"]] = row["label"]
        nearest: dict[str, dict[str, str]] = {}
        for name in reversed(names):
            nearest |= {element: choices for (owner, element), choices in found.items() if owner == name}
        return nearest

    def columns(self, table: str) -> dict[str, Column]:
        """Like :meth:`known`, but raises :class:`ConnectionFailed` or its kin where nothing is shown."""
        if not self.known(table):
            self.rows(table, "", ["sys_id"], limit=1)  # a table that does not exist says so itself
            raise PermissionMissing(
                f"The dictionary shows no columns of {table}.",
                where=Place(connection=self.config.name),
                mend="Let the integration user read sys_dictionary and sys_db_object.",
            )
        return self._columns[table]

    def is_audited(self, table: str) -> bool:
        """Whether the instance keeps who changed what in a table; True where its dictionary does not say.

        Each table has its own entry, of no column; it inherits nothing (the vendor's page *Exploring auditing*).
        """
        if table not in self._audited:
            query = f"name={literal(table)}^elementISEMPTY"
            rows = self.rows("sys_dictionary", query, ("name", "element", "audit"), limit=FEW)
            said = [row.get("audit") for row in rows if (row["name"], row["element"]) == (table, "")]
            self._audited[table] = "false" not in said
        return self._audited[table]

    def steps(self, table: str, path: str, *, used_for: str) -> list[tuple[str, str]]:
        """The columns a dot-walked path goes through as (table, element); :class:`MappingError` where it breaks."""
        found: list[tuple[str, str]] = []
        at = table
        for element in path.split("."):
            known = self.columns(at) if at == table else self.known(at) if at else {}
            if element not in known and element != "sys_id":
                raise unknown_field(
                    element if at == table else path,
                    known,
                    connection=self.config.name,
                    source=table,
                    used_for=used_for,
                )
            found.append((at, element))
            at = known[element].reference if element in known else ""
        return found

    def check(self, response: requests.Response) -> None:
        """A small answer must be whole JSON with rows and no error; else :class:`ConnectionFailed` (read again)."""
        if self._body(response, Answer).result is None:
            raise TooHeavy("The answer holds no rows.", where=self._place, mend=BUSY)

    def _body(self, response: requests.Response, shape: type[B]) -> B:
        self.check_web_page(response)
        try:
            body = msgspec.json.decode(response.content, type=shape, strict=False)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise TooHeavy(f"The answer was cut or is no JSON: {error}", where=self._place, mend=BUSY) from None
        if body.error:
            said = redacted(body.error, self.config)
            raise TooHeavy(f"The platform answered 200 with an error: {said}", where=self._place, mend=BUSY)
        return body

    def check_web_page(self, response: requests.Response) -> None:
        """A sleeping developer instance and a login page answer 200 with HTML; a write must not take it for success."""
        if is_web_page(response):
            raise ConnectionFailed(
                f"{self.config.url} answered with a web page instead of data.",
                where=self._place,
                mend="A developer instance may be asleep: open it in a browser, then try again.",
            )

    @property
    def _place(self) -> Place:
        return Place(connection=self.config.name)

    def _parents(self, tables: list[str]) -> dict[str, str]:
        """Which table each table extends, level by level."""
        parents: dict[str, str] = {}
        level = tables
        while level:
            query = f"nameIN{','.join(level)}"
            found = self.rows("sys_db_object", query, ("name", "super_class.name"))
            parents |= {row["name"]: row.get("super_class.name", "") for row in found}
            level = sorted({parents[name] for name in level if parents.get(name)} - set(parents))
        return parents


def _in_pieces(ids: Iterable[str]) -> Iterator[str]:
    """These ids as conditions hold them, as many in each as the length of an address takes."""
    wanted = sorted({key for key in ids if key})
    for start in range(0, len(wanted), IDS_PER_QUERY):
        yield ",".join(wanted[start : start + IDS_PER_QUERY])


def parameters(query: str, fields: Iterable[str], limit: int) -> dict[str, str]:
    """The parameters of every list request: raw values, references as plain sys_ids, no count."""
    return {
        "sysparm_query": query,
        "sysparm_fields": ",".join(fields),
        "sysparm_limit": str(limit),
        "sysparm_display_value": "false",
        "sysparm_exclude_reference_link": "true",
        "sysparm_no_count": "true",
        "sysparm_suppress_pagination_header": "true",
    }


def texts(row: Mapping[str, Any]) -> Row:
    """A row as plain texts, also where an instance answers links, numbers or nulls."""
    return {name: _text(value) for name, value in row.items()}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return _text(value.get("value"))
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _chain(table: str, parents: Mapping[str, str]) -> list[str]:
    chain = [table]
    while (parent := parents.get(chain[-1], "")) and parent not in chain:
        chain.append(parent)
    return chain
