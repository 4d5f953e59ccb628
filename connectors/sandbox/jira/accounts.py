"""Who is who on a Jira site: Cloud knows people by an opaque account id, Data Center by name and key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from connectors.sandbox import users
from connectors.sandbox.jira.catalogue import Flavour

AUTOMATION = "automation"


@dataclass(frozen=True, slots=True)
class Account:
    """One account. ``name`` is the user name, by which the site keeps references on both flavours."""

    name: str
    display_name: str
    email: str
    time_zone: str
    may_write: bool = True
    is_app: bool = False
    is_approver: bool = False
    is_admin: bool = False

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
        self._by_id = {account.account_id: account for account in everyone}
        self._by_mail = {account.email.lower(): account for account in everyone if account.email}

    def put(self, account: Account) -> None:
        """Add an account."""
        self._by_name[account.name] = self._by_id[account.account_id] = account
        self._by_mail[account.email.lower()] = account

    def of_mail(self, mail: str) -> Account | None:
        """The account of this mail address."""
        return self._by_mail.get(mail.lower())

    def named(self, name: str | None) -> Account | None:
        """The account of this user name."""
        return self._by_name.get(name) if name is not None else None

    def sent(self, value: object) -> Account | None:
        """The account a caller means by ``{"accountId": …}`` (Cloud) or ``{"name": …}`` (Data Center)."""
        if not isinstance(value, dict):
            return None
        if self.flavour is Flavour.CLOUD:
            return self._by_id.get(str(value.get("accountId") or value.get("id") or ""))
        return self._by_name.get(str(value.get("name") or ""))

    def meant(self, text: str) -> Account | None:
        """The account meant in JQL: by account id, user name or mail address."""
        return self._by_id.get(text) or self._by_name.get(text) or self._by_mail.get(text.lower())

    def identifier(self, account: Account) -> str:
        """What the changelog and JQL call this account on this flavour."""
        return account.account_id if self.flavour is Flavour.CLOUD else account.name

    def approvers(self) -> list[Account]:
        """Those whom requests ask for approval."""
        return [account for account in self._by_name.values() if account.is_approver]

    def search(self, text: str) -> list[Account]:
        """People whose name, display name or mail contains the text."""
        wanted = text.lower()
        return [
            account
            for account in self._by_name.values()
            if not account.is_app
            and (
                wanted in account.name.lower()
                or wanted in account.display_name.lower()
                or wanted in account.email.lower()
                or wanted == account.account_id
            )
        ]
