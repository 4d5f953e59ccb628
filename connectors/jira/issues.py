"""Reading improvement issues and what hangs on them, for writing and for following."""

from __future__ import annotations

from typing import Any

import msgspec

from connectors.answers import is_absent
from connectors.jira.opened import Jira
from connectors.jira.site import ask, ask_if_there
from connectors.jira.tracing import PROPERTY, kept_in
from connectors.jira.wire import UserValue
from improvement.errors import ConnectionFailed, PermissionMissing

PAGE = 100
SERVICE_DESK = "service_desk"


class CommentValue(msgspec.Struct, frozen=True):
    """A comment as version 2 shows it."""

    id: str
    body: str = ""
    created: str = ""
    author: UserValue | None = None


class _Comments(msgspec.Struct, frozen=True):
    comments: list[CommentValue] = []
    total: int = 0


class ProjectValue(msgspec.Struct, frozen=True, rename="camel"):
    """The project of an issue, as the issue tells it."""

    id: str = ""
    key: str = ""
    project_type_key: str = ""


class _Noted(msgspec.Struct, frozen=True):
    project: ProjectValue = ProjectValue()
    comment: _Comments | None = None


class _NotedIssue(msgspec.Struct, frozen=True):
    fields: _Noted


class AttachmentValue(msgspec.Struct, frozen=True):
    """A file on an issue."""

    id: str
    filename: str = ""
    size: int = 0


class ActionIssue(msgspec.Struct, frozen=True):
    """An improvement issue: its fields as sent by Jira, our property, its remote links (None: linking is off)."""

    id: str
    key: str
    fields: dict[str, Any]
    kept: dict[str, Any]  # our entity property
    remote_links: list[dict[str, Any]] | None

    @property
    def status_id(self) -> str:
        """Where it stands."""
        return str((self.fields.get("status") or {}).get("id", ""))

    @property
    def project(self) -> ProjectValue:
        """Where it lives now: an adopted or moved issue may be of any project."""
        return msgspec.convert(self.fields.get("project") or {}, ProjectValue)

    @property
    def attachments(self) -> list[AttachmentValue]:
        """Its files."""
        return msgspec.convert(self.fields.get("attachment") or [], list[AttachmentValue])

    @property
    def linked_ids(self) -> frozenset[str]:
        """Ids of the issues linked to it, either way."""
        links = self.fields.get("issuelinks") or []
        ends = [link.get("inwardIssue") or link.get("outwardIssue") or {} for link in links]
        return frozenset(str(end.get("id")) for end in ends)

    def has_remote_link(self, wanted: dict[str, Any]) -> bool:
        """Whether this very link is there, complete."""
        return any(
            known.get("globalId") == wanted["globalId"]
            and known.get("relationship") == wanted["relationship"]
            and all((known.get("object") or {}).get(name) == value for name, value in wanted["object"].items())
            for known in self.remote_links or ()
        )


class _Identified(msgspec.Struct, frozen=True):
    id: str


class _RawIssue(msgspec.Struct, frozen=True):
    id: str
    key: str
    fields: dict[str, Any]
    properties: dict[str, Any] = {}


def read_action(jira: Jira, id: str) -> ActionIssue:
    """An improvement issue with its property and remote links; raises what the reader raises (404: gone)."""
    params = {"fields": "*all,-comment", "properties": PROPERTY}
    raw: _RawIssue = ask(jira.reader, f"/issue/{id}", _RawIssue, what="issue", params=params)
    return ActionIssue(
        id=raw.id,
        key=raw.key,
        fields=raw.fields,
        kept=kept_in(raw.properties.get(PROPERTY)),
        remote_links=_remote_links(jira, id),
    )


def _remote_links(jira: Jira, id: str) -> list[dict[str, Any]] | None:
    """None where the site's administrator has switched issue linking off: Jira answers 403."""
    try:
        found: list[dict[str, Any]] = ask(
            jira.reader, f"/issue/{id}/remotelink", list[dict[str, Any]], what="remote links"
        )
    except PermissionMissing:
        return None
    return found


def read_made(jira: Jira, id: str) -> ActionIssue | None:
    """An issue that we made just now; None where it is hidden from us (an issue security level)."""
    try:
        return read_action(jira, id)
    except ConnectionFailed as error:
        if not is_absent(error):
            raise
    return read_action(jira, id) if is_there_after_all(jira, id) else None


def is_there_after_all(jira: Jira, id: str) -> bool:
    """Whether an issue is there that was not: to an answer that took us for nobody everything is gone.

    Raises :class:`CredentialsRefused` where all answers do.
    """
    path, params = f"/issue/{id}", {"fields": "summary"}
    return ask_if_there(jira.reader, jira.caller, path, _Identified, what=f"issue {id}", params=params) is not None


def is_read_by_customers(jira: Jira, project: ProjectValue) -> bool:
    """Whether an issue's project is a service desk: its comments are then internal, and it may carry approvals."""
    if project.key in ("", jira.config.improvement_project):
        return jira.is_service_desk
    return project.project_type_key == SERVICE_DESK


def notes_of(jira: Jira, id: str) -> tuple[list[CommentValue], ProjectValue]:
    """Every comment of an issue, and the project it is in now, which decides who reads a new one."""
    params = {"fields": "project,comment"}
    shown: _NotedIssue = ask(jira.reader, f"/issue/{id}", _NotedIssue, what="comments", params=params)
    told = shown.fields.comment
    is_whole = told is not None and told.total <= len(told.comments)
    return told.comments if told is not None and is_whole else comments_of(jira, id), shown.fields.project


def comments_of(jira: Jira, id: str) -> list[CommentValue]:
    """Every comment of an issue, oldest first."""
    found: list[CommentValue] = []
    while True:
        params = {"startAt": len(found), "maxResults": PAGE, "orderBy": "created"}
        page: _Comments = ask(jira.reader, f"/issue/{id}/comment", _Comments, what="comments", params=params)
        found.extend(page.comments)
        if not page.comments or len(found) >= page.total:
            return found
