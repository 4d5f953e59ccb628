"""Who is who on a Jira site: Cloud knows people by an opaque account id, Data Center by name and key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from connectors.sandbox import users
from connectors.sandbox.jira.catalogue import Flavour

AUTOMATION = "automation"


@dataclass(frozen=True, slots=True)
class Account:
    """One account. ``name`` is its first user name, by which the site keeps references on both flavours for good."""

    name: str
    display_name: str
    email: str
    time_zone: str
    may_write: bool = True
    is_app: bool = False
    is_approver: bool = False
    is_admin: bool = False
    is_active: bool = True
    is_gone: bool = False  # deleted, but named by what it did
    new_name: str = ""

    @property
    def login(self) -> str:
        """The user name as it is now."""
        return self.new_name or self.name

    @property
    def account_id(self) -> str:
        """The opaque id Cloud shows; the same for the same person in every sandbox."""
        digest = hashlib.sha256(f"regelkreis sandbox {self.name}".encode()).hexdigest()
        return f"712020:{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"

    @property
    def key(self) -> str:
        """The stable key Data Center shows beside the name."""
        return f"JIRAUSER{10000 + int(hashlib.sha256(self.name.encode()).hexdigest()[:4], 16)}"

    @property
    def zone(self) -> ZoneInfo:
        """The profile's time zone."""
        return ZoneInfo(self.time_zone)


def of_user(user: users.Account) -> Account:
    """The Jira account of a sandbox user."""
    is_approver = "approver" in user.roles
    return Account(
        user.username,
        user.name,
        user.email,
        user.time_zone,
        user.may_write,
        is_approver=is_approver,
        is_admin=user.is_admin,
    )


class Directory:
    """All accounts of a site, found by name, account id or mail address."""

    def __init__(self, accounts: Iterable[Account], flavour: Flavour) -> None:
        self.flavour = flavour
        everyone = [*accounts, Account(AUTOMATION, "Automation for Jira", "", "Etc/UTC", is_app=True)]
        self._by_name = {account.name: account for account in everyone}
        self._by_login = dict(self._by_name)
        self._by_id = {account.account_id: account for account in everyone}
        self._by_mail = {account.email.lower(): account for account in everyone if account.email}

    def __iter__(self) -> Iterator[Account]:
        """Everybody who has not been deleted, apps apart."""
        return (account for account in self._by_name.values() if not account.is_app and not account.is_gone)

    def put(self, account: Account) -> None:
        """Add an account, or replace the one of the same first user name."""
        self._forget(account.name)
        self._by_name[account.name] = self._by_login[account.login] = self._by_id[account.account_id] = account
        if account.email and not account.is_gone:
            self._by_mail[account.email.lower()] = account

    def free_name(self, login: str) -> str:
        """The first user name of a new account: the login, unless somebody had it before being renamed or deleted."""
        name = login
        while name in self._by_name:
            name += "'"
        return name

    def remove(self, account: Account) -> None:
        """Forget an account that nothing names."""
        self._forget(account.name)
        del self._by_name[account.name], self._by_id[account.account_id]

    def _forget(self, name: str) -> None:
        former = self._by_name.get(name)
        if former is not None:
            self._by_login.pop(former.login, None)
            self._by_mail.pop(former.email.lower(), None)

    def named(self, name: str | None) -> Account | None:
        """The account of this first user name."""
        return self._by_name.get(name) if name is not None else None

    def of_login(self, login: str) -> Account | None:
        """The account that signs in by this user name; None also where it may not any more."""
        found = self._by_login.get(login)
        return found if found is not None and found.is_active and not found.is_gone else None

    def of_mail(self, mail: str) -> Account | None:
        """The account of this mail address."""
        return self._by_mail.get(mail.lower())

    def sent(self, value: object) -> Account | None:
        """The account a caller means by ``{"accountId": …}`` (Cloud) or ``{"name": …}`` (Data Center)."""
        if not isinstance(value, dict):
            return None
        if self.flavour is Flavour.CLOUD:
            found = self._by_id.get(str(value.get("accountId") or value.get("id") or ""))
        else:
            found = self._by_login.get(str(value.get("name") or ""))
        return found if found is not None and not found.is_gone else None

    def known_as(self, text: str) -> Account | None:
        """The account of an id (Cloud), or of a user name or key (Data Center)."""
        if self.flavour is Flavour.CLOUD:
            return self.sent({"accountId": text})
        return self.sent({"name": text}) or next((account for account in self if account.key == text), None)

    def meant(self, text: str) -> Account | None:
        """The account meant in JQL: by account id, user name or mail address."""
        return self._by_id.get(text) or self._by_login.get(text) or self._by_mail.get(text.lower())

    def identifier(self, account: Account) -> str:
        """What the changelog and JQL call this account on this flavour."""
        return account.account_id if self.flavour is Flavour.CLOUD else account.login

    def approvers(self) -> list[Account]:
        """Those whom requests ask for approval."""
        return [account for account in self if account.is_approver and account.is_active]

    def search(self, text: str, *, with_inactive: bool = False) -> list[Account]:
        """People whose name, display name or mail contains the text."""
        wanted = text.lower()
        return [
            account
            for account in self
            if (account.is_active or with_inactive)
            and (
                wanted in account.login.lower()
                or wanted in account.display_name.lower()
                or wanted in account.email.lower()
                or wanted == account.account_id
            )
        ]
