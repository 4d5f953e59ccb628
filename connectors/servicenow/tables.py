"""What an instance's tables look like, and pages of their rows.

Paging is by keyset (update time, then sys_id), never by offset: offsets skip rows while others change. A page may be
short or empty because rows are hidden after it was cut, so only an empty *answer beyond the last key* ends the loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import pysnow
import requests

from connectors.config import ConnectionConfig
from connectors.http import Reader, TooHeavy, prepare
from connectors.mapping import unknown_field
from improvement.errors import ConnectionFailed, PermissionMissing, Place

MIN_ROWS = 50
Row = dict[str, Any]


class _Body(msgspec.Struct):
    result: list[dict[str, Any]] = []
    error: Any = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the dictionary: label, type, and the table a reference points to."""

    element: str
    label: str
    type: str
    reference: str


def stored(moment: datetime) -> str:
    """An instant as the platform stores it: UTC, ``YYYY-MM-DD hh:mm:ss``."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


class Instance:
    """An instance behind one authenticated session (pysnow's client holds it; paging and decoding are ours)."""

    def __init__(self, config: ConnectionConfig) -> None:
        self.config = config
        self.session = prepare(requests.Session(), config)
        host = config.url.partition("://")[2]
        self.client = pysnow.Client(host=host, session=self.session, use_ssl=config.url.startswith("https"))
        prepare(self.session, config)  # pysnow sets headers and mounts of its own
        self.reader = Reader(self.session, config)
        self._columns: dict[str, dict[str, Column]] = {}
        self._lookups: dict[str, dict[str, Row]] = {}
        self._page_rows = config.rows_per_page

    def rows(self, table: str, query: str, fields: str, *, limit: int = 1000) -> list[Row]:
        """The rows of a small result, raw values, references as sys_ids."""
        response = self.reader.read(
            f"/api/now/table/{table}", what=f"table {table}", params=_parameters(query, fields, limit), check=_check
        )
        found: list[Row] = msgspec.json.decode(response.content, type=_Body).result
        return found

    def count(self, table: str, query: str) -> int:
        """How many rows the platform itself counts."""
        response = self.reader.read(
            f"/api/now/stats/{table}",
            what=f"count of {table}",
            params={"sysparm_query": query, "sysparm_count": "true"},
        )
        return int(response.json()["result"]["stats"]["count"])

    def pages(
        self, table: str, fields: list[str], *, since: str, after_id: str, until: str, extra: str, row_type: Any
    ) -> Iterator[list[Any]]:
        """Pages of typed rows updated from ``since`` (after ``after_id`` within that second) to ``until``.

        Halves the page when the platform cannot finish it in time, and grows it again slowly.
        """
        tail = f"^{extra}" if extra else ""
        bound = f"^sys_updated_on<={until}{tail}"
        order = "^ORDERBYsys_updated_on^ORDERBYsys_id"
        names = ",".join(fields)
        decoder = msgspec.json.Decoder(msgspec.defstruct("Body", [("result", list[row_type], []), ("error", Any, None)]))
        query = f"sys_updated_on>={since}{bound}{order}"
        if after_id:
            query = f"sys_updated_on>{since}{bound}^NQsys_updated_on={since}^sys_id>{after_id}{tail}{order}"
        while True:
            rows = self._page(table, query, names, decoder)
            if not rows:
                return
            yield rows
            last = rows[-1]
            query = (
                f"sys_updated_on>{last.sys_updated_on}{bound}^NQsys_updated_on={last.sys_updated_on}"
                f"^sys_id>{last.sys_id}{tail}{order}"
            )

    def _page(self, table: str, query: str, names: str, decoder: Any) -> list[Any]:
        while True:
            try:
                response = self.reader.read_page(
                    f"/api/now/table/{table}",
                    what=f"table {table}",
                    params=_parameters(query, names, self._page_rows),
                    check=_complete,
                )
                body = decoder.decode(response.content)
            except (TooHeavy, msgspec.DecodeError) as error:
                if self._page_rows <= MIN_ROWS:
                    raise ConnectionFailed(
                        f"{table} cannot be read, not even {MIN_ROWS} rows at a time: {error}",
                        where=Place(connection=self.config.name),
                        mend="Ask the platform's administrator for an index on sys_updated_on.",
                    ) from error
                self._page_rows = max(MIN_ROWS, self._page_rows // 2)
                self.reader.retries += 1
                continue
            self._page_rows = min(self.config.rows_per_page, self._page_rows + self._page_rows // 4)
            found: list[Any] = body.result
            if found or "rel=\"next\"" not in response.headers.get("Link", ""):
                return found
            return self._beyond_hidden(response, decoder)

    def _beyond_hidden(self, response: requests.Response, decoder: Any) -> list[Any]:
        """Rows hidden from us emptied a page that is not the last: follow its Link until there are rows or an end."""
        while True:
            url = requests.utils.parse_header_links(response.headers["Link"])
            following = next((link["url"] for link in url if link.get("rel") == "next"), None)
            if following is None:
                return []
            response = self.reader.read_page(following, what="the next page", check=_complete)
            found: list[Any] = decoder.decode(response.content).result
            if found or "rel=\"next\"" not in response.headers.get("Link", ""):
                return found

    def columns(self, table: str) -> dict[str, Column]:
        """The columns of a table and the tables it extends, from the dictionary."""
        if table not in self._columns:
            chain = self._chain(table)
            found = self.rows(
                "sys_dictionary",
                f"nameIN{','.join(chain)}^elementISNOTEMPTY",
                "name,element,column_label,internal_type,reference",
                limit=10_000,
            )
            if not found:
                raise PermissionMissing(
                    f"The dictionary shows no columns of {table}.",
                    where=Place(connection=self.config.name),
                    mend="The table does not exist, or the user may not read sys_dictionary.",
                )
            self._columns[table] = {
                row["element"]: Column(row["element"], row["column_label"], row["internal_type"], row["reference"])
                for row in found
            }
        return self._columns[table]

    def _chain(self, table: str) -> list[str]:
        """A table and those it extends."""
        chain, name = [table], table
        for _ in range(10):
            found = self.rows("sys_db_object", f"name={name}", "name,super_class.name", limit=1)
            parent = found[0].get("super_class.name", "") if found else ""
            if not parent or parent in chain:
                break
            chain.append(parent)
            name = parent
        return chain

    def lookup(self, table: str, fields: tuple[str, ...]) -> dict[str, Row]:
        """A whole small reference table by sys_id, loaded once."""
        key = f"{table}:{','.join(fields)}"
        if key not in self._lookups:
            found: dict[str, Row] = {}
            last = ""
            while True:
                names = ",".join(("sys_id", *fields))
                rows = self.rows(table, f"sys_id>{last}^ORDERBYsys_id", names, limit=5000)
                if not rows:
                    break
                found.update({row["sys_id"]: row for row in rows})
                last = rows[-1]["sys_id"]
            self._lookups[key] = found
        return self._lookups[key]

    def forget_lookups(self) -> None:
        """Load reference tables afresh: companies and services change too."""
        self._lookups.clear()

    def verify(self, table: str, path: str, *, used_for: str) -> list[tuple[str, str]]:
        """The columns a dot-walked path goes through, as (table, element); :class:`MappingError` where it breaks."""
        steps: list[tuple[str, str]] = []
        at = table
        for element in path.split("."):
            known = self.columns(at)
            if element not in known and element != "sys_id":
                raise unknown_field(element, known, connection=self.config.name, source=table, used_for=used_for)
            steps.append((at, element))
            at = known[element].reference if element in known else ""
        return steps


def _parameters(query: str, fields: str, limit: int) -> Mapping[str, str]:
    return {
        "sysparm_query": query,
        "sysparm_fields": fields,
        "sysparm_limit": str(limit),
        "sysparm_display_value": "false",
        "sysparm_exclude_reference_link": "true",
        "sysparm_no_count": "true",
    }


def _check(response: requests.Response) -> None:
    """A small answer must parse whole and say no error."""
    _complete(response)
    try:
        body = msgspec.json.decode(response.content, type=_Body)
    except msgspec.DecodeError as error:
        raise ConnectionFailed(f"The answer was cut or is no JSON: {error}") from error
    if body.error:
        raise ConnectionFailed(f"The platform answered 200 with an error: {body.error}")


def _complete(response: requests.Response) -> None:
    """HTML instead of JSON is a sleeping instance; ``error`` beside rows is a cancelled transaction."""
    content = response.content
    if content[:200].lstrip()[:1] == b"<":
        raise ConnectionFailed(
            "The platform answered with a web page instead of data.",
            mend="A developer instance may be asleep: open it in a browser, then try again.",
        )
    if b'"error"' in content[-2000:] and b'"result"' in content[:200]:
        raise TooHeavy("The platform cancelled the transaction in the middle of an answer.")
