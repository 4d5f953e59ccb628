"""Several requests in one (``POST /api/now/v1/batch``): how they are packed, and what became of each.

Only the links of one record travel so (docs/decisions/023). The platform promises no order, serves as many as its
limits of size and time allow, and answers 200 even where it refused them all: each item's own status decides.
Source: the vendor's page *Batch API* (Australia).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.answers import MAX_SAID, redacted
from connectors.config import ConnectionConfig

PATH = "/v1/batch"  # below /api/now
API = f"/api/now{PATH}"
_JSON = [{"name": name, "value": "application/json"} for name in ("Content-Type", "Accept")]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the platform says of one item: a status, or None where it did not come to it, and its message, without
    secrets and at most 400 characters.

    ``is_row``: the answer holds the row that was made.
    """

    status: int | None
    said: str = ""
    is_row: bool = False


def packed(table: str, bodies: Mapping[str, Mapping[str, str]], key: str) -> dict[str, Any]:
    """New rows of a table as one batch, each under the id it is answered by."""
    return {
        "batch_request_id": key,
        "rest_requests": [
            {
                "id": name,
                "method": "POST",
                "url": f"/api/now/table/{table}",
                "headers": _JSON,
                "body": base64.b64encode(json.dumps(body).encode()).decode(),
            }
            for name, body in bodies.items()
        ],
    }


def outcomes(answer: Any, names: Iterable[str], config: ConnectionConfig) -> dict[str, Outcome]:
    """What became of each item; one that the answer does not name was not served, whatever it says elsewhere."""
    found = answer if isinstance(answer, dict) else {}
    served = {str(item.get("id")): _outcome(item, config) for item in found.get("serviced_requests") or ()}
    return {name: served.get(name, Outcome(None)) for name in names}


def readable(body: Any) -> Any:
    """A batch with its bodies in the clear, for a dry run; any other body as it is."""
    if not isinstance(body, dict) or "rest_requests" not in body:
        return body
    items = [{**item, "body": json.loads(base64.b64decode(item["body"]))} for item in body["rest_requests"]]
    return {**body, "rest_requests": items}


def _outcome(item: Mapping[str, Any], config: ConnectionConfig) -> Outcome:
    body = _body(item)
    said = redacted(item.get("error_message") or _message(body.get("error")), config)[:MAX_SAID]
    return Outcome(int(item.get("status_code") or 0), said, is_row(body.get("result")))


def is_row(result: Any) -> bool:
    """Whether a result is a record, as a creation is answered with."""
    return isinstance(result, dict) and bool(result.get("sys_id"))


def _body(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """An item's body as an object; empty where it is no base64, no JSON (a web page), or no object."""
    try:
        body = json.loads(base64.b64decode(item.get("body") or ""))
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _message(error: Any) -> str:
    """The platform's own words; "" where it says none."""
    if not isinstance(error, dict):
        return ""
    return ": ".join(str(error[name]) for name in ("message", "detail") if error.get(name))
