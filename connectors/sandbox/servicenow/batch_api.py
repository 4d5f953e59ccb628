"""The Batch API: several requests in one, bodies in base64, each answered by the routes themselves."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import ClientSession, web

from connectors.sandbox.servicenow.errors import ApiError, json_response
from connectors.sandbox.servicenow.table_api import base_url, json_body

MAX_ITEM_BYTES = 5 * 1024 * 1024


class BatchApi:
    """Handler of ``POST /api/now/v1/batch``: sends each item to this very server, with the caller's credentials."""

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Both versions of the path."""
        for path in ("/api/now/batch", "/api/now/v1/batch"):
            yield web.post(path, self.run)

    async def run(self, request: web.Request) -> web.Response:
        """Serve the items in order; one that is too big comes back in ``unserviced_requests``."""
        try:
            batch = await json_body(request)
        except ApiError as error:
            return error.response()
        serviced: list[dict[str, Any]] = []
        unserviced: list[str] = []
        async with ClientSession() as session:
            for item in batch.get("rest_requests", []):
                body = base64.b64decode(item.get("body", ""))
                if len(body) > MAX_ITEM_BYTES:
                    unserviced.append(str(item["id"]))
                else:
                    serviced.append(await self._serve(request, session, item, body))
        answer = {
            "batch_request_id": str(batch.get("batch_request_id", "")),
            "serviced_requests": serviced,
            "unserviced_requests": unserviced,
        }
        return json_response(answer)

    async def _serve(
        self, request: web.Request, session: ClientSession, item: dict[str, Any], body: bytes
    ) -> dict[str, Any]:
        headers = {header["name"]: header["value"] for header in item.get("headers", [])}
        if "Authorization" in request.headers:
            headers["Authorization"] = request.headers["Authorization"]
        url = base_url(request) + "/" + item["url"].lstrip("/")
        async with session.request(item["method"], url, data=body or None, headers=headers) as response:
            content = await response.read()
            return {
                "id": str(item["id"]),
                "status_code": response.status,
                "status_text": response.reason or "",
                "body": base64.b64encode(content).decode(),
                "headers": [{"name": str(name), "value": value} for name, value in response.headers.items()],
            }


def encoded(body: Any) -> str:
    """A body as a batch item wants it."""
    return base64.b64encode(msgspec.json.encode(body)).decode()
