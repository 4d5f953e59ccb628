"""Reading improvement issues and what hangs on them, for writing and for following."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from connectors.jira.site import ask
from connectors.jira.tracing import PROPERTY
from connectors.jira.wire import UserValue
from improvement.errors import ConnectionFailed

if TYPE_CHECKING:
    from connectors.jira.connector import JiraConnector

PAGE = 100


class Labelled(msgspec.Struct, frozen=True):
    """An issue found by its label."""

    id: str
    key: str


class _Found(msgspec.Struct, frozen=True):
    issues: list[Labelled] = []


class CommentValue(msgspec.Struct, frozen=True):
    """A comment as version 2 shows it."""

    id: str
    body: str = ""
    created: str = ""
    author: UserValue | None = None


class _Comments(msgspec.Struct, frozen=True):
    comments: list[CommentValue] = []
    total: int = 0


class AttachmentValue(msgspec.Struct, frozen=True):
    """A file on an issue."""

    id: str
    filename: str = ""
    size: int = 0


class ActionIssue(msgspec.Struct, frozen=True):
    """An improvement issue: its fields as sent by Jira, our property, its remote links of ours."""

    id: str
    key: str
    fields: dict[str, Any]
    kept: dict[str, Any]  # our entity property
    remote_links: list[dict[str, Any]]

    @property
    def status_id(self) -> str:
        """Where it stands."""
        return str((self.fields.get("status") or {}).get("id", ""))

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
            for known in self.remote_links
        )


def find_labelled(connector: JiraConnector, label: str) -> Labelled | None:
    """The oldest issue of the improvement project with this label, if any."""
    jql = f'project = "{connector.project.key}" AND labels = "{label}" ORDER BY created ASC, key ASC'
    found: _Found
    if connector.site.is_cloud:
        body = {"jql": jql, "fields": ["summary"], "maxResults": 2}
        found = ask(connector.reader, "/search/jql", _Found, what="find", json=body)
    else:
        params = {"jql": jql, "fields": "summary", "maxResults": 2}
        found = ask(connector.reader, "/search", _Found, what="find", params=params)
    return found.issues[0] if found.issues else None


def read_action(connector: JiraConnector, id: str) -> ActionIssue:
    """An improvement issue with its property and remote links; raises what the reader raises (404: gone)."""
    params = {"fields": "*all,-comment", "properties": PROPERTY}
    raw: dict[str, Any] = ask(connector.reader, f"/issue/{id}", dict[str, Any], what="issue", params=params)
    links = ask(connector.reader, f"/issue/{id}/remotelink", list[dict[str, Any]], what="remote links")
    kept = (raw.get("properties") or {}).get(PROPERTY)
    return ActionIssue(
        id=str(raw["id"]),
        key=str(raw["key"]),
        fields=raw.get("fields") or {},
        kept=kept if isinstance(kept, dict) else {},
        remote_links=links,
    )


def comments_of(connector: JiraConnector, id: str) -> list[CommentValue]:
    """Every comment of an issue, oldest first."""
    found: list[CommentValue] = []
    while True:
        params = {"startAt": len(found), "maxResults": PAGE, "orderBy": "created"}
        page: _Comments = ask(connector.reader, f"/issue/{id}/comment", _Comments, what="comments", params=params)
        found.extend(page.comments)
        if not page.comments or len(found) >= page.total:
            return found


def is_gone(error: ConnectionFailed) -> bool:
    """Whether an error says that the issue does not exist, or is hidden from us."""
    return " answered 404 " in str(error)
