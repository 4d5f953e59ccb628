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

PATH = "/v1/batch"  # below /api/now
_JSON = [{"name": name, "value": "application/json"} for name in ("Content-Type", "Accept")]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the platform says of one item: a status, or None where it did not come to it, and its message."""

    status: int | None
    said: str = ""


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


def outcomes(answer: Any, names: Iterable[str]) -> dict[str, Outcome]:
    """What became of each item; one that the answer does not name was not served, whatever it says elsewhere."""
    found = answer if isinstance(answer, dict) else {}
    served = {str(item.get("id")): _outcome(item) for item in found.get("serviced_requests") or ()}
    return {name: served.get(name, Outcome(None)) for name in names}


def readable(body: Any) -> Any:
    """A batch with its bodies in the clear, for a dry run; any other body as it is."""
    if not isinstance(body, dict) or "rest_requests" not in body:
        return body
    items = [{**item, "body": json.loads(base64.b64decode(item["body"]))} for item in body["rest_requests"]]
    return {**body, "rest_requests": items}


def _outcome(item: Mapping[str, Any]) -> Outcome:
    return Outcome(int(item.get("status_code") or 0), str(item.get("error_message") or "") or _message(item))


def _message(item: Mapping[str, Any]) -> str:
    """The platform's own words in an item's body; "" where it holds none."""
    try:
        error = json.loads(base64.b64decode(item.get("body") or "")).get("error")
    except (ValueError, AttributeError):  # no base64, no JSON, or no object: nothing is said
        return ""
    if not isinstance(error, dict):
        return ""
    said = ": ".join(str(error[name]) for name in ("message", "detail") if error.get(name))
    return said.replace("\0", "")
