"""The Table API: ``/api/now/table`` and ``/api/now/v2/table``."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
from aiohttp import web
from yarl import URL

from connectors.sandbox.servicenow import access, writing
from connectors.sandbox.servicenow.errors import (
    ApiError,
    acl,
    invalid_table,
    json_response,
    no_record,
    not_authenticated,
)
from connectors.sandbox.servicenow.instance import Instance
from connectors.sandbox.servicenow.load import LoadedIncidents
from connectors.sandbox.servicenow.matching import Asker
from connectors.sandbox.servicenow.pairs import query_of
from connectors.sandbox.servicenow.presenting import Display, View, shaper
from connectors.sandbox.servicenow.selecting import Chunk, Page, select
from connectors.sandbox.store import Row, Table
from connectors.sandbox.users import Account, Accounts

MAX_LIMIT = 10_000
TRUE = "true"
WRITING = frozenset({"POST", "PUT", "PATCH"})
_WHOLE = re.compile("-?[0-9]{1,18}")
Answer = Callable[[web.Request, Account], Awaitable[web.StreamResponse]]


class TableApi:
    """Handlers of the Table API, and what the other APIs of the instance share with them."""

    def __init__(self, instance: Instance, accounts: Accounts, loaded: LoadedIncidents | None) -> None:
        self.instance = instance
        self.accounts = accounts
        self.loaded = loaded

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """List, read, create, change, delete, in both versions of the path."""
        for root in ("/api/now/table", "/api/now/v1/table", "/api/now/v2/table"):
            yield web.get(f"{root}/{{table}}", self.guarded(self.list_records))
            yield web.post(f"{root}/{{table}}", self.guarded(self.create_record))
            yield web.get(f"{root}/{{table}}/{{sys_id}}", self.guarded(self.read_record))
            yield web.patch(f"{root}/{{table}}/{{sys_id}}", self.guarded(self.change_record))
            yield web.put(f"{root}/{{table}}/{{sys_id}}", self.guarded(self.change_record))
            yield web.delete(f"{root}/{{table}}/{{sys_id}}", self.guarded(self.delete_record))

    def guarded(self, answer: Answer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A handler that knows who asks and turns refusals into error bodies."""

        async def handler(request: web.Request) -> web.StreamResponse:
            try:
                account = self.accounts.authenticate(request.headers.get("Authorization"))
                if account is None:
                    raise not_authenticated()
                return await answer(request, account)
            except ApiError as error:
                return error.response()

        return handler

    # --- reading ----------------------------------------------------------------------------------------------

    async def list_records(self, request: web.Request, account: Account) -> web.Response:
        """``GET /table/{table}``: one page, its total and its links."""
        name = self.readable_table(request, account)
        page = page_of(request)
        if self.instance.config.max_rows:
            page = replace(page, limit=min(page.limit, self.instance.config.max_rows))
        if self.loaded is not None and name == "incident":
            return self.loaded.page(request, page)
        selection = select(
            self.instance,
            name,
            query_of(self.instance, name, request),
            self.asker(account),
            offset=page.offset,
            limit=page.limit,
            count=page.is_counted,
        )
        records: list[Any] = []
        for table, rows in self.without_hidden(selection.chunks, account):
            records += shaper(self.instance, table, self.view(request, account))(rows)
        headers: dict[str, str] = {}
        if page.is_counted:
            headers["X-Total-Count"] = str(selection.total)
        if page.has_links:
            headers |= link_header(request, page, selection.total, has_more=selection.has_more)
        return json_response({"result": records}, headers=headers)

    async def read_record(self, request: web.Request, account: Account) -> web.Response:
        """``GET /table/{table}/{sys_id}``."""
        name = self.readable_table(request, account)
        return self.record(request, account, *self.visible_record(name, request.match_info["sys_id"], account))

    def record(
        self, request: web.Request, account: Account, table: Table, row: Row, *, status: int = 200
    ) -> web.Response:
        """One record as an answer."""
        shaped = shaper(self.instance, table, self.view(request, account))([row])[0]
        headers = {}
        if status == 201:
            headers["Location"] = f"{base_url(request)}/api/now/table/{table.name}/{row[0]}"
        if request.method in WRITING and request.headers.get("X-no-response-body", "").lower() == TRUE:
            return web.Response(status=status, headers=headers)
        return json_response({"result": shaped}, status=status, headers=headers)

    # --- writing ----------------------------------------------------------------------------------------------

    async def create_record(self, request: web.Request, account: Account) -> web.Response:
        """``POST /table/{table}`` → 201."""
        name = self.existing_table(request)
        body = await json_body(request)
        row = writing.create(self.instance, account, name, body, by_label=takes_labels(request))
        return self.record(request, account, self.instance.tables[name], row, status=201)

    async def change_record(self, request: web.Request, account: Account) -> web.Response:
        """``PATCH`` or ``PUT /table/{table}/{sys_id}`` → 200."""
        name = self.existing_table(request)
        body = await json_body(request)
        table, row = self.visible_record(name, request.match_info["sys_id"], account)
        row = writing.change(self.instance, account, table, row, body, by_label=takes_labels(request))
        return self.record(request, account, table, row)

    async def delete_record(self, request: web.Request, account: Account) -> web.Response:
        """``DELETE /table/{table}/{sys_id}`` → 204."""
        name = self.existing_table(request)
        writing.delete(self.instance, account, *self.visible_record(name, request.match_info["sys_id"], account))
        return web.Response(status=204)

    # --- shared with stats, attachments and load mode ---------------------------------------------------------

    def existing_table(self, request: web.Request) -> str:
        """The table of the path. Raises :class:`ApiError` 400."""
        name = request.match_info["table"]
        if not self.instance.has_table(name):
            raise invalid_table(name)
        return name

    def readable_table(self, request: web.Request, account: Account) -> str:
        """The table of the path, if the user may query it. Raises :class:`ApiError` 400 or 403."""
        name = self.existing_table(request)
        if not access.may_read(self.instance, account, name):
            raise acl("Query")
        return name

    def visible_record(self, table: str, sys_id: str, account: Account) -> tuple[Table, Row]:
        """A record the user may see. Raises :class:`ApiError` 404, also where an access control hides it."""
        found = self.instance.find(table, sys_id)
        if found is None or not access.may_read(self.instance, account, table):
            raise no_record()
        is_visible = access.visible(self.instance, account, found[0], self.asker(account))
        if is_visible is not None and not is_visible(found[1]):
            raise no_record()
        return found

    def without_hidden(self, chunks: list[Chunk], account: Account) -> list[Chunk]:
        """The page without the rows this user must not see: shorter, not refilled."""
        shown = []
        for table, rows in chunks:
            is_visible = access.visible(self.instance, account, table, self.asker(account))
            shown.append((table, rows if is_visible is None else [row for row in rows if is_visible(row)]))
        return shown

    def asker(self, account: Account) -> Asker:
        """The user's zone and the present, for values in queries."""
        return Asker(account.zone, self.instance.now, self.instance.user_id(account))

    def view(self, request: web.Request, account: Account) -> View:
        """How the caller wants records."""
        asked = request.query.get("sysparm_display_value", "false").lower()
        display: Display = "true" if asked == "true" else "all" if asked == "all" else "false"
        fields = tuple(name.strip() for name in request.query.get("sysparm_fields", "").split(",") if name.strip())
        without_links = request.query.get("sysparm_exclude_reference_link", "false").lower() == TRUE
        hidden = partial(access.hidden_fields, self.instance, account)
        return View(fields, display, without_links, account.zone, base_url(request), hidden)


def page_of(request: web.Request) -> Page:
    """The page parameters of a request. Raises :class:`ApiError` 400 for a number that is none."""
    flags = {
        name: request.query.get(name, "false").lower() == TRUE
        for name in ("sysparm_no_count", "sysparm_suppress_pagination_header")
    }
    return Page(
        query=request.query.get("sysparm_query", ""),
        offset=_number(request, "sysparm_offset", 0),
        limit=_number(request, "sysparm_limit", MAX_LIMIT),
        is_counted=not flags["sysparm_no_count"],
        has_links=not flags["sysparm_suppress_pagination_header"],
    )


def link_header(request: web.Request, page: Page, total: int | None, *, has_more: bool) -> dict[str, str]:
    """The ``Link`` header: first, prev, next and, where the total is known, last."""
    targets = [("first", 0)]
    if page.offset > 0:
        targets.append(("prev", max(0, page.offset - page.limit)))
    if has_more:
        targets.append(("next", page.offset + page.limit))
    if total is not None and page.limit > 0:
        targets.append(("last", max(0, (total - 1) // page.limit * page.limit)))
    base = URL(base_url(request)).join(request.rel_url)
    links = [
        f'<{base.update_query(sysparm_limit=str(page.limit), sysparm_offset=str(offset))}>;rel="{name}"'
        for name, offset in targets
    ]
    return {"Link": ",".join(links)}


def takes_labels(request: web.Request) -> bool:
    """Whether the caller sends display values (``sysparm_input_display_value``)."""
    return request.query.get("sysparm_input_display_value", "false").lower() == TRUE


def base_url(request: web.Request) -> str:
    """The address under which the caller reached the instance."""
    return f"{request.scheme}://{request.host}"


async def json_body(request: web.Request) -> dict[str, Any]:
    """The JSON object of a write. Raises :class:`ApiError` 400 or 415."""
    if request.content_type not in ("application/json", "text/json"):
        raise ApiError(415, "Unsupported media type", f"Content-Type {request.content_type} is not supported")
    raw = await request.read()
    try:
        body = msgspec.json.decode(raw) if raw.strip() else {}
    except (msgspec.DecodeError, RecursionError) as error:
        raise ApiError(400, "Exception while reading request", f"Cannot decode: {error}") from error
    if not isinstance(body, dict):
        raise ApiError(400, "Exception while reading request", "The request body must be a JSON object")
    return body


def _number(request: web.Request, name: str, default: int) -> int:
    raw = request.query.get(name, "")
    if raw in ("", "None"):
        return default
    if not _WHOLE.fullmatch(raw):
        raise ApiError(400, "Invalid parameter", f"{name} must be a number")
    if raw.startswith("-"):
        raise ApiError(400, "Invalid parameter", f"{name} must not be negative")
    return int(raw)
