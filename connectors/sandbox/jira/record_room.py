"""``/browse/KEY``: an issue's page, where links to issues lead."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

from aiohttp import web

from connectors.sandbox.jira.model import Issue
from connectors.sandbox.jira.site import Site
from connectors.sandbox.jira.times import iso
from connectors.sandbox.record_page import File, Note, no_such_page, record_page

PLATFORM = "Jira"


class RecordRoom:
    """Shows any issue of the site."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The one address an issue's link has."""
        return [web.get("/browse/{key}", self.show)]

    async def show(self, request: web.Request) -> web.Response:
        """``GET /browse/KEY``."""
        issue = self.site.issue(request.match_info["key"])
        if issue is None:
            return no_such_page(PLATFORM, request.match_info["key"])
        extras = issue.more()
        return record_page(
            PLATFORM,
            f"{issue.key} {issue.summary}",
            facts=list(self._facts(issue)),
            notes=[
                Note(self._name(note.author), iso(note.created, UTC), note.body) for note in reversed(extras.comments)
            ],
            files=[File(file.name, file.media_type, file.content) for file in extras.attachments],
        )

    def _facts(self, issue: Issue) -> Iterable[tuple[str, str]]:
        found = {
            "Type": issue.type.name,
            "Status": issue.status.name,
            "Resolution": issue.resolution,
            "Assignee": self._name(issue.assignee) if issue.assignee else None,
            "Reporter": self._name(issue.reporter),
            "Created": iso(issue.created, UTC),
            "Updated": iso(issue.updated, UTC),
            "Due": issue.due,
            "Labels": " ".join(issue.labels),
            "Customer": issue.customer,
            "Country": issue.country,
            "Service": issue.service,
            "Supplier": issue.supplier,
            "Description": issue.description,
        }
        for label, value in found.items():
            if value:
                yield label, value
        for link in issue.more().links:
            other = self.site.by_id(link.other)
            if other is not None:
                yield "Linked issue", f"{other.key} {other.summary}"
        for remote in issue.more().remote_links:
            target = remote.document.get("object") or {}
            yield "Link", f"{target.get('title') or ''} {target.get('url') or ''}".strip()

    def _name(self, account: str) -> str:
        found = self.site.directory.named(account)
        return found.display_name if found is not None else account
