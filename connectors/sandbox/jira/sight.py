"""Which issues somebody may see, however they are come by: read, found, or shown beside another."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.catalogue import SERVICE_REQUEST
from connectors.sandbox.jira.model import Comment, Issue
from connectors.sandbox.jira.site import Site


@dataclass(frozen=True, slots=True)
class Sight:
    """What a kind of caller sees of a site: the anonymous service requests, an administrator everything, and everybody
    else what issue security does not hide."""

    site: Site
    is_anonymous: bool
    is_admin: bool

    @classmethod
    def of(cls, site: Site, account: Account | None) -> Sight:
        """What this caller sees."""
        return cls(site, account is None, account is not None and account.is_admin)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is hidden."""
        return self.is_admin or not (self.is_anonymous or self.site.quirks.hidden_priorities)

    def shows(self, issue: Issue) -> bool:
        """Whether an issue may be seen; a sub-task has the security of its parent."""
        if self.is_anonymous:
            return issue.type.id == SERVICE_REQUEST.id
        secured = (self.site.by_id(issue.parent) if issue.type.is_subtask else None) or issue
        return self.is_admin or secured.priority not in self.site.quirks.hidden_priorities

    def comments(self, issue: Issue) -> list[Comment]:
        """The comments of an issue that may be read: those for the team are not for the anonymous."""
        known = issue.extras.comments if issue.extras is not None else []
        return [one for one in known if not one.is_internal] if self.is_anonymous else known

    def issue(self, id_or_key: str) -> Issue | None:
        """The issue of this id or key, if it may be seen."""
        return self._seen(self.site.issue(id_or_key))

    def by_id(self, id: int | None) -> Issue | None:
        """The issue of this id, if it may be seen."""
        return self._seen(self.site.by_id(id))

    def _seen(self, found: Issue | None) -> Issue | None:
        return found if found is not None and (self.is_whole or self.shows(found)) else None
