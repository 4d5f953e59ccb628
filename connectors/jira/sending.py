"""Writing requests, each sent once: through the ``jira`` library where one of its calls is one request.

Its ``Issue.update`` reads the issue again, ``create_issue_link`` looks link types up, ``add_remote_link`` asks for
application links every time, and none of these looks at the body of the answer, where a proxy's login page would pass
for success: whatever needs no answer goes over its session directly.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import requests
from jira import JIRA
from jira.exceptions import JIRAError

from connectors.answers import forbidden, is_web_page, redacted, refusal
from connectors.config import ConnectionConfig
from connectors.doubt import leaves_now
from connectors.http import send, unanswered
from connectors.jira.caller import names_somebody, refuse_anonymous
from connectors.jira.client import BulkSession
from connectors.jira.site import API
from improvement.errors import ConnectionFailed, OutcomeUnknown, PermissionMissing, Place, WriteRefused
from improvement.records import OutboundFile, PreviewRequest

REFUSED = frozenset({400, 404, 405, 413, 422})
UNREADABLE = (requests.RequestException, ValueError, LookupError, TypeError, AttributeError)
"""What the ``jira`` library raises over no answer, or over one that is not what it takes it for."""
INDISPENSABLE = frozenset({"project", "issuetype", "summary", "labels", "parent"})
SENT_AS = "application/octet-stream"  # whatever a file is, the library says no more of it
LOOKED_FOR = "It is looked for before anything is sent again."
TOO_LARGE = 413  # whoever says it, sending it again does not help
UNAUTHORIZED = 401  # Data Center answers it to whoever may not link an issue, too, and names them
UNTOUCHED = 503  # RFC 9110 §15.6.4: not able to handle the request now; every other 5xx may come after the effect


class FieldsRefused(WriteRefused):
    """Jira named the fields it does not take; nothing was written. ``reasons``: field id → why."""

    def __init__(self, what: str, reasons: dict[str, str], *, where: Place | None, mend: str) -> None:
        super().__init__(what, where=where, mend=mend)
        self.reasons = reasons


class WriteForbidden(PermissionMissing):
    """Jira itself says that whoever we are to it may not write this; who that is, only ``/myself`` tells."""


T = TypeVar("T")


class Sender(Protocol):
    """Where writing requests go: to Jira, or onto a list."""

    is_live: bool
    sha256: str  # of the first request that took effect
    status: int  # its status; 0 while none did

    def create(self, fields: dict[str, Any]) -> dict[str, Any]:
        """``POST /issue``; answers id and key."""
        ...

    def edit(self, issue_id: str, fields: dict[str, Any]) -> None:
        """``PUT /issue/{id}``."""
        ...

    def comment(self, issue_id: str, body: str, *, is_internal: bool) -> None:
        """``POST /issue/{id}/comment``."""
        ...

    def attach(self, issue_id: str, file: OutboundFile) -> None:
        """``POST /issue/{id}/attachments``."""
        ...

    def set_property(self, issue_id: str, name: str, value: dict[str, Any]) -> None:
        """``PUT /issue/{id}/properties/{name}``."""
        ...

    def transition(self, issue_id: str, transition_id: str, fields: dict[str, Any]) -> None:
        """``POST /issue/{id}/transitions``."""
        ...

    def link(self, document: dict[str, Any]) -> None:
        """``POST /issueLink``."""
        ...

    def remote_link(self, issue_id: str, document: dict[str, Any]) -> None:
        """``POST /issue/{id}/remotelink``."""
        ...


@dataclass
class LiveSender:
    """Sends to Jira; every request at most once, whatever happens."""

    client: JIRA
    config: ConnectionConfig
    is_live: bool = field(default=True, init=False)
    sha256: str = field(default="", init=False)
    status: int = field(default=0, init=False)

    def create(self, fields: dict[str, Any]) -> dict[str, Any]:
        """See :class:`Sender`."""
        self._note("POST", "/issue", {"fields": fields})
        issue = self._once("create issue", 201, lambda: self.client.create_issue(fields=fields, prefetch=False))
        return {"id": str(issue.raw["id"]), "key": str(issue.raw["key"])}

    def edit(self, issue_id: str, fields: dict[str, Any]) -> None:
        """See :class:`Sender`."""
        self._plain("PUT", f"/issue/{issue_id}", {"fields": fields}, "edit issue")

    def comment(self, issue_id: str, body: str, *, is_internal: bool) -> None:
        """See :class:`Sender`."""
        self._note("POST", f"/issue/{issue_id}/comment", {"body": body})
        self._once("add comment", 201, lambda: self.client.add_comment(issue_id, body, is_internal=is_internal))

    def attach(self, issue_id: str, file: OutboundFile) -> None:
        """See :class:`Sender`."""
        self._note("POST", f"/issue/{issue_id}/attachments", _described(file))
        content = io.BytesIO(file.content)
        self._once("attach file", 200, lambda: self.client.add_attachment(issue_id, content, filename=file.name))

    def set_property(self, issue_id: str, name: str, value: dict[str, Any]) -> None:
        """See :class:`Sender`."""
        self._plain("PUT", f"/issue/{issue_id}/properties/{name}", value, "set property")

    def transition(self, issue_id: str, transition_id: str, fields: dict[str, Any]) -> None:
        """See :class:`Sender`."""
        document = {"transition": {"id": transition_id}, "fields": fields}
        self._plain("POST", f"/issue/{issue_id}/transitions", document, "move issue")

    def link(self, document: dict[str, Any]) -> None:
        """See :class:`Sender`."""
        self._plain("POST", "/issueLink", document, "link issues")

    def remote_link(self, issue_id: str, document: dict[str, Any]) -> None:
        """See :class:`Sender`."""
        self._plain("POST", f"/issue/{issue_id}/remotelink", document, "add remote link")

    def _note(self, method: str, path: str, body: Any) -> None:
        if not self.sha256:
            self.sha256 = digest(method, path, body)

    def _plain(self, method: str, path: str, body: dict[str, Any], what: str) -> None:
        self._note(method, path, body)
        response = send(BulkSession(self.client), self.config, method, API + path, what=what, json=body)
        if not response.ok or response.status_code >= 300:
            raise self._refused(response, what)
        if is_web_page(response):
            raise self._unknown(what, "a web page came instead")
        try:
            said = response.json() if response.content else None  # most writes are answered without a body
        except ValueError:
            raise self._unknown(what, "its answer was cut") from None
        self._took(said, response.status_code, what)

    def _once(self, what: str, status: int, request: Callable[[], T]) -> T:
        leaves_now()
        try:
            answer = request()
        except requests.TooManyRedirects as error:
            raise (
                self._unknown(what, error) if error.response is None else self._refused(error.response, what)
            ) from None
        except JIRAError as error:
            if error.response is None or error.response.ok:  # none, or one without what the library looks for in it
                raise self._unknown(what, error.text or "no answer") from None
            raise self._refused(error.response, what) from None
        except UNREADABLE as error:
            raise self._unknown(what, error) from None
        self._took(getattr(answer, "raw", None), status, what)
        return answer

    def _took(self, body: object, status: int, what: str) -> None:
        """It took effect; raises :class:`OutcomeUnknown` where the answer says success and an error."""
        said = (body.get("error") or body.get("errorMessages")) if isinstance(body, dict) else None
        if said:
            raise self._unknown(what, f"success and an error came: {said}")
        self.status = self.status or status

    def _refused(self, response: requests.Response, what: str) -> ConnectionFailed | WriteRefused:
        if self.status == 0:
            self.sha256 = ""  # it had no effect: the receipt is about what had
        return _refused(response, self.config, what)

    def _unknown(self, what: str, error: object) -> ConnectionFailed:
        return unanswered(error, self.config, what)


@dataclass
class Recorder:
    """Sends nothing and remembers what would have been sent."""

    url: str
    requests: list[PreviewRequest] = field(default_factory=list)
    is_live: bool = field(default=False, init=False)
    sha256: str = field(default="", init=False)
    status: int = field(default=0, init=False)

    def create(self, fields: dict[str, Any]) -> dict[str, Any]:
        """See :class:`Sender`."""
        self._keep("POST", "/issue", {"fields": fields}, may_follow=_without_refused(fields))
        return {"id": "NEW", "key": "NEW"}

    def edit(self, issue_id: str, fields: dict[str, Any]) -> None:
        """See :class:`Sender`."""
        self._keep("PUT", f"/issue/{issue_id}", {"fields": fields}, may_follow=_without_refused(fields))

    def comment(self, issue_id: str, body: str, *, is_internal: bool) -> None:
        """See :class:`Sender`."""
        properties = [{"key": "sd.public.comment", "value": {"internal": True}}] if is_internal else []
        self._keep(
            "POST", f"/issue/{issue_id}/comment", {"body": body} | ({"properties": properties} if properties else {})
        )

    def attach(self, issue_id: str, file: OutboundFile) -> None:
        """See :class:`Sender`."""
        self._keep("POST", f"/issue/{issue_id}/attachments", _described(file))

    def set_property(self, issue_id: str, name: str, value: dict[str, Any]) -> None:
        """See :class:`Sender`."""
        self._keep("PUT", f"/issue/{issue_id}/properties/{name}", value)

    def transition(self, issue_id: str, transition_id: str, fields: dict[str, Any]) -> None:
        """See :class:`Sender`."""
        self._keep("POST", f"/issue/{issue_id}/transitions", {"transition": {"id": transition_id}, "fields": fields})

    def link(self, document: dict[str, Any]) -> None:
        """See :class:`Sender`."""
        self._keep("POST", "/issueLink", document)

    def remote_link(self, issue_id: str, document: dict[str, Any]) -> None:
        """See :class:`Sender`."""
        self._keep("POST", f"/issue/{issue_id}/remotelink", document)

    def _keep(self, method: str, path: str, body: Any, *, may_follow: str = "") -> None:
        text = json.dumps(body, ensure_ascii=False, indent=2, sort_keys=True)
        url = f"{self.url}{API}{path}"
        self.requests.append(PreviewRequest(method=method, url=url, body=text, may_follow=may_follow))


def _without_refused(fields: dict[str, Any]) -> str:
    """What :func:`connectors.jira.receipts.as_far_as_taken` does about fields that Jira does not take."""
    names = sorted(set(fields) - INDISPENSABLE)
    return f"Where Jira refuses any of {', '.join(names)}, the same is sent once more without those." if names else ""


def digest(method: str, path: str, body: Any) -> str:
    """SHA-256 of a request, for receipts."""
    text = json.dumps([method, path, body], ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _described(file: OutboundFile) -> dict[str, Any]:
    sha256 = hashlib.sha256(file.content).hexdigest()
    return {"file": file.name, "media_type": SENT_AS, "bytes": len(file.content), "sha256": sha256}


def _refused(response: requests.Response, config: ConnectionConfig, what: str) -> ConnectionFailed | WriteRefused:
    refuse_anonymous(response, config)  # to a visitor everything is gone or forbidden: nothing was refused to us
    found = refusal(response, config, what)
    if response.status_code == UNAUTHORIZED and names_somebody(response):
        found = forbidden(response, config, what)
    if response.status_code >= 500 and response.status_code != UNTOUCHED:
        return OutcomeUnknown(found.what, where=found.where, mend=LOOKED_FOR)
    if isinstance(found, PermissionMissing) and "json" in response.headers.get("Content-Type", ""):
        return WriteForbidden(found.what, where=found.where, mend=found.mend)
    if response.status_code not in REFUSED:
        return found
    if is_web_page(response) and response.status_code != TOO_LARGE:
        return OutcomeUnknown(
            f"Not Jira answered {response.status_code} to a write ({what}), but a web page did.",
            where=found.where,
            mend=f"Let what stands in between (a proxy, a firewall) pass writes. {LOOKED_FOR}",
        )
    mend = "Correct what Jira names; sending it again cannot help."
    reasons = _reasons(response, config)
    if reasons:
        return FieldsRefused(found.what, reasons, where=found.where, mend=mend)
    return WriteRefused(found.what, where=found.where, mend=mend)


def _reasons(response: requests.Response, config: ConnectionConfig) -> dict[str, str]:
    """``errors`` of a 400: field id → what is wrong with it."""
    try:
        body = response.json()
    except ValueError:
        return {}
    errors = body.get("errors") if isinstance(body, dict) else None
    return {name: redacted(why, config) for name, why in errors.items()} if isinstance(errors, dict) else {}
