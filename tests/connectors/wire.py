"""What travels between a connector and its platform, seen and changed on the way."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from improvement.records import PreviewRequest

READS = ("/search", "/search/jql", "/approximate-count", "/bulkfetch")  # although by POST


@contextmanager
def writing_requests() -> Iterator[list[PreviewRequest]]:
    """Those that are sent meanwhile."""
    sent: list[PreviewRequest] = []
    send = HTTPAdapter.send

    def recorded(adapter: HTTPAdapter, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        method, url, body = str(request.method), str(request.url), request.body or ""
        path = url.partition("?")[0]
        if method != "GET" and not path.endswith(READS) and "/sandbox/" not in path:
            text = (
                body.decode(errors="replace")
                if isinstance(body, bytes)
                else body
                if isinstance(body, str)
                else "<file>"
            )
            sent.append(PreviewRequest(method=method, url=url, body=text))
        return send(adapter, request, *args, **options)

    with patch.object(HTTPAdapter, "send", recorded):
        yield sent


@contextmanager
def changed_answers(change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Every JSON object in every answer is changed in place before it arrives."""
    send = HTTPAdapter.send

    def changed(adapter: HTTPAdapter, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        response = send(adapter, request, *args, **options)
        body = response.raw.read(decode_content=True)
        if response.headers.get("Content-Type", "").startswith("application/json") and body:
            body = json.dumps(json.loads(body, object_hook=lambda one: (change(one), one)[1])).encode()
        for name in ("Content-Encoding", "Content-Length", "Transfer-Encoding"):
            response.headers.pop(name, None)
        raw = io.BytesIO(body)
        response.raw = HTTPResponse(
            raw, headers=dict(response.headers), status=response.status_code, preload_content=False
        )
        return response

    with patch.object(HTTPAdapter, "send", changed):
        yield
