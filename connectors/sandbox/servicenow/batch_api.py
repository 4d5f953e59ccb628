"""The Batch API: several requests in one, bodies in base64, each answered by the routes themselves.

As the vendor's page *Batch API* (Australia) describes it: each item has its own status; an answer is 200 even where
every item was refused; what a limit of size or time left undone comes back in ``unserviced_requests``, by id. The page
promises no order of execution.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Literal

import msgspec
from aiohttp import ClientSession, web

from connectors.sandbox.faults import SERVED_OF_BATCH
from connectors.sandbox.servicenow.errors import ApiError, json_response
from connectors.sandbox.servicenow.table_api import TableApi, base_url, json_body

MAX_ITEM_BYTES = 5 * 1024 * 1024
PATHS = ("/api/now/batch", "/api/now/v1/batch", "/api/now/v2/batch")
DEMANDED = ("id", "method", "url")


class Header(msgspec.Struct):
    """A header of an item."""

    name: str
    value: str


class Item(msgspec.Struct):
    """One request of a batch; ``body`` is in base64."""

    id: str | int
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    url: str
    body: str | None = None
    headers: list[Header] | None = None
    exclude_response_headers: bool = False


class BatchApi:
    """Handler of ``POST /api/now/v1/batch``: sends each item to this very server, with the caller's credentials."""

    def __init__(self, tables: TableApi) -> None:
        self.tables = tables

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """All versions of the path."""
        for path in PATHS:
            yield web.post(path, self.tables.guarded(self.run))

    async def run(self, request: web.Request, account: Any) -> web.Response:
        """Serve the items; those too big for a batch, or beyond its time, come back in ``unserviced_requests``."""
        batch = await json_body(request)
        items = _items(batch)
        chosen = _within_limits(items, request.get(SERVED_OF_BATCH))
        async with ClientSession() as session:
            try:
                serviced = [await self._serve(request, session, item, body) for item, body in chosen]
            except ValueError as error:  # of a header or an address
                raise ApiError(400, "A batch item cannot be sent", str(error)) from error
        done = {item["id"] for item in serviced}
        answer = {
            "batch_request_id": str(batch.get("batch_request_id", "")),
            "serviced_requests": serviced,
            "unserviced_requests": [str(item.id) for item, _ in items if str(item.id) not in done],
        }
        return json_response(answer)

    async def _serve(self, request: web.Request, session: ClientSession, item: Item, body: bytes) -> dict[str, Any]:
        headers = {header.name: header.value for header in item.headers or ()}
        if "Authorization" in request.headers:
            headers["Authorization"] = request.headers["Authorization"]
        url = base_url(request) + "/" + item.url.lstrip("/")
        begun = time.monotonic()
        async with session.request(item.method, url, data=body or None, headers=headers) as response:
            content = await response.read()
            shown = [] if item.exclude_response_headers else response.headers.items()
            return {
                "id": str(item.id),
                "status_code": response.status,
                "status_text": HTTPStatus(response.status).phrase,
                "body": base64.b64encode(content).decode(),
                "headers": [{"name": str(name), "value": value} for name, value in shown],
                "execution_time": round((time.monotonic() - begun) * 1000),
            }


def encoded(body: Any) -> str:
    """A body as a batch item wants it."""
    return base64.b64encode(msgspec.json.encode(body)).decode()


def _items(batch: dict[str, Any]) -> list[tuple[Item, bytes]]:
    """The items with their bodies in the clear. Raises :class:`ApiError` for a batch that is none."""
    items = batch.get("rest_requests")
    if not isinstance(items, list):
        raise ApiError(400, "Batch request is missing the required field rest_requests")
    for item in items:
        missing = [name for name in DEMANDED if not isinstance(item, dict) or not item.get(name)]
        if missing:
            raise ApiError(400, f"A batch item is missing the required field {missing[0]}")
    try:
        read = msgspec.convert(items, list[Item])
    except msgspec.ValidationError as error:
        raise ApiError(400, "A batch item cannot be read", str(error)) from error
    try:
        return [(item, base64.b64decode(item.body or "", validate=False)) for item in read]
    except ValueError as error:
        raise ApiError(400, "The body of a batch item is not base64", str(error)) from error


def _within_limits(items: list[tuple[Item, bytes]], most: int | None) -> list[tuple[Item, bytes]]:
    """The items that are served: none that is too big and, where the time ends early, the last ``most`` of them.

    The last, because no order is promised: a client that takes the first for done is wrong.
    """
    small = [(item, body) for item, body in items if len(body) <= MAX_ITEM_BYTES]
    return small if most is None else small[max(0, len(small) - most) :]
