"""One writing request: sent once through pysnow's session, its answer judged by us, shown in a dry run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pysnow
import requests

from connectors.answers import is_web_page, platform_message, refusal
from connectors.http import writing
from connectors.servicenow.batching import readable
from connectors.servicenow.tables import Instance
from improvement.errors import OutcomeUnknown, Place, WriteRefused
from improvement.records import OutboundFile, PreviewRequest

FOR_GOOD = frozenset({400, 403, 404, 405, 406, 413, 415, 422})  # no 409: what somebody else changed just now passes
TOO_LARGE = 413  # whoever says it, sending it again does not help
UNTOUCHED = 503  # RFC 9110 §15.6.4: not able to handle the request now; every other 5xx may come after the effect
LOOKED_FOR = "The write is looked for on the platform before anything is sent again."
BASE = "/api/now"


@dataclass(frozen=True, slots=True)
class Request:
    """One writing request, ready to be sent or shown. ``path`` is below ``/api/now``."""

    method: str
    path: str
    body: Any = None
    params: tuple[tuple[str, str], ...] = ()
    file: OutboundFile | None = None

    @property
    def sha256(self) -> str:
        """Digest of what is sent; credentials are no part of it."""
        return hashlib.sha256(f"{self.method} {self.path} {self.params}\n".encode() + self.content).hexdigest()

    @property
    def content(self) -> bytes:
        """The bytes of the body."""
        if self.file is not None:
            return self.file.content
        return _json(self.body).encode()

    def preview(self, instance: Instance) -> PreviewRequest:
        """The request as a dry run shows it; what travels in base64 is shown in the clear."""
        query = urlencode(self.params)
        shown = f"<{len(self.content)} bytes of {self.file.media_type}>" if self.file else _json(readable(self.body))
        url = f"{instance.config.url}{BASE}{self.path}" + (f"?{query}" if query else "")
        return PreviewRequest(method=self.method, url=url, body=shown)


def _json(body: Any) -> str:
    return json.dumps(body, ensure_ascii=False, sort_keys=True)


class OnlyOurs(pysnow.ParamsBuilder):  # type: ignore[misc]
    """pysnow adds a query, a limit and a view to every request, which a write has no use for: these are not sent."""

    def as_dict(self) -> dict[str, str]:
        """The parameters that were given."""
        return dict(self.custom_params)


@dataclass(frozen=True, slots=True)
class Sent:
    """The platform's answer to a write that took effect."""

    status: int
    result: Any


def send(instance: Instance, request: Request, key: str) -> Sent:
    """Send once. pysnow's own ``update`` (GET and PUT) and its reading of answers (a 200 with ``error`` passes) are
    not used; nothing in the way repeats the request.

    Raises
    ------
    WriteRefused
        The platform refused for good; the message tells access control, business rule and data policy apart.
    OutcomeUnknown
        No answer, or one that does not say whether the write took effect: search before sending again.
    """
    config = instance.config
    resource = instance.client.resource(api_path=request.path, base_path=BASE, timeout=config.timeout_s)
    resource.parameters = OnlyOurs()
    resource.parameters.add_custom(dict(request.params))
    headers = {"Content-Type": request.file.media_type if request.file else "application/json"}
    with writing(config, key):
        answered = resource.request(request.method, headers=headers, data=request.content, allow_redirects=False)
        response: requests.Response = answered._response
    if response.status_code in FOR_GOOD and response.status_code != TOO_LARGE and is_web_page(response):
        raise OutcomeUnknown(
            f"Not the platform answered {response.status_code} to {key}, but a web page did.",
            where=Place(connection=config.name),
            mend=f"Let what stands in between (a proxy, a firewall) pass writes to {BASE}. {LOOKED_FOR}",
        )
    if response.status_code in FOR_GOOD:
        raise _refused(instance, response, key)
    if not response.ok or response.status_code >= 300:
        failed = refusal(response, config, key)
        if response.status_code >= 500 and response.status_code != UNTOUCHED:
            raise OutcomeUnknown(failed.what, where=failed.where, mend=LOOKED_FOR)
        raise failed
    return Sent(response.status_code, _result(instance, response, key))


def _result(instance: Instance, response: requests.Response, key: str) -> Any:
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or body.get("error"):
        unread = "a web page came instead." if is_web_page(response) else "its answer was cut."
        said = platform_message(response, instance.config) or unread
        raise OutcomeUnknown(
            f"The platform answered {response.status_code} to {key}, but: {said}",
            where=Place(connection=instance.config.name),
            mend=LOOKED_FOR,
        )
    return body.get("result", body)


def _refused(instance: Instance, response: requests.Response, key: str) -> WriteRefused:
    """A refusal for good; a 403 has three causes that only its text tells apart."""
    said = platform_message(response, instance.config)
    cause, mend = explain(response.status_code, said)
    return WriteRefused(f"{cause} ({key}). {said}", where=Place(connection=instance.config.name), mend=mend)


def explain(status: int, said: str) -> tuple[str, str]:
    """Cause and remedy of a refused write."""
    words = said.lower()
    if "data policy" in words:
        return "A data policy forbids the write", "Map the field it names, or exempt the integration user."
    if "business rule" in words:
        return "A business rule aborted the write", "Ask the owner of the rule it names; it is not repeated."
    if status == 403:
        return (
            "An access control forbids the write",
            "`regelkreis doctor --permissions` names the role that the integration user needs.",
        )
    if status == 404:
        return "The record is gone or hidden", "Restore it, or let the integration user see it."
    return f"The platform refused the write with {status}", "See its message and mend the value or the mapping."
