"""The groups of one site: who is in which."""

from __future__ import annotations

import uuid
from dataclasses import replace

from connectors.sandbox.jira.accounts import Account, Directory
from connectors.sandbox.jira.administration.projects import ADMIN_GROUP, Actors

USERS = "jira-users"
_NAMESPACE = uuid.UUID("5a9db00c-0000-4000-8000-000000000007")


class Groups:
    """Groups by name; members by first user name. Whoever is in ``jira-administrators`` administers the site."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._changed: dict[str, set[str]] = {}
        self._names = [ADMIN_GROUP, USERS]

    def names(self) -> list[str]:
        """All groups."""
        return sorted(self._names)

    def named(self, name_or_id: str) -> str | None:
        """The name of the group of this name or id."""
        return next((name for name in self._names if name_or_id in (name, self.id_of(name))), None)

    @staticmethod
    def id_of(name: str) -> str:
        """The id that Cloud shows, the same in every sandbox."""
        return str(uuid.uuid5(_NAMESPACE, name))

    def members(self, name: str) -> set[str]:
        """Who is in a group; at first the administrators, and everybody."""
        if name not in self._changed:
            self._changed[name] = {one.name for one in self._directory if name == USERS or one.is_admin}
        return self._changed[name]

    def of(self, account: Account) -> list[str]:
        """The groups a person is in."""
        return [name for name in self.names() if account.name in self.members(name)]

    def reach(self, actors: Actors, account: Account) -> bool:
        """Whether these mean a person, by name or by a group."""
        return account.name in actors.users or any(account.name in self.members(name) for name in actors.groups)

    def add(self, name: str) -> None:
        """A new group, with nobody in it."""
        self._names.append(name)
        self._changed[name] = set()

    def remove(self, name: str) -> None:
        """Delete a group."""
        for member in sorted(self.members(name)):
            self.leave(name, self._directory.named(member))
        self._names.remove(name)
        del self._changed[name]

    def join(self, name: str, account: Account) -> None:
        """Put a person into a group."""
        self.members(name).add(account.name)
        if name == ADMIN_GROUP:
            self._directory.put(replace(account, is_admin=True))

    def leave(self, name: str, account: Account | None) -> None:
        """Take a person out of a group."""
        if account is None:
            return
        self.members(name).discard(account.name)
        if name == ADMIN_GROUP:
            self._directory.put(replace(account, is_admin=False))
