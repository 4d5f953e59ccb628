"""Who may log in to a sandbox, and as whom: Basic and Bearer for every platform.

Every password is ``sandbox``. The token ``sandbox`` is the administrator's; the token of any other user is
``sandbox-<username>``. A login name may be the user name or the mail address (Jira Cloud wants the latter).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from connectors.sandbox.world import World

PASSWORD = "sandbox"
ADMIN = "admin"
INTEGRATION = "regelkreis"


@dataclass(frozen=True, slots=True)
class Account:
    """One account. ``roles`` holds any of admin, integration, reader, owner, approver, agent."""

    username: str
    name: str
    email: str
    time_zone: str
    roles: frozenset[str]

    @property
    def is_admin(self) -> bool:
        """May do everything."""
        return "admin" in self.roles

    @property
    def may_write(self) -> bool:
        """May change anything at all."""
        return self.roles != frozenset({"reader"})

    @property
    def token(self) -> str:
        """The account's API token or personal access token."""
        return PASSWORD if self.username == ADMIN else f"{PASSWORD}-{self.username}"

    @property
    def zone(self) -> ZoneInfo:
        """The profile's time zone."""
        return ZoneInfo(self.time_zone)


BUILT_IN: tuple[Account, ...] = (
    Account(ADMIN, "System Administrator", "admin@example.com", "Etc/UTC", frozenset({"admin"})),
    Account(INTEGRATION, "Regelkreis", "regelkreis@example.com", "Etc/UTC", frozenset({"integration"})),
    Account("reader", "Read Only", "reader@example.com", "Europe/Zurich", frozenset({"reader"})),
    Account("honolulu", "Hana Honolulu", "honolulu@example.com", "Pacific/Honolulu", frozenset({"integration"})),
    Account("auckland", "Aroha Auckland", "auckland@example.com", "Pacific/Auckland", frozenset({"integration"})),
)


def accounts_of(world: World) -> list[Account]:
    """The built-in accounts and the world's people."""
    people = [
        Account(person.username, person.name, person.email, person.time_zone, frozenset(person.roles))
        for person in world.people
    ]
    return [*BUILT_IN, *people]


class Accounts:
    """All accounts of one platform, found by login name or token.

    ``issued`` looks a token up that the platform issued itself (OAuth) and answers its user name, or None.
    """

    def __init__(self, accounts: Iterable[Account], issued: Callable[[str], str | None] | None = None) -> None:
        self._by_name = {account.username: account for account in accounts}
        self._by_mail = {account.email.lower(): account for account in self._by_name.values() if account.email}
        self._by_token = {account.token: account for account in self._by_name.values()}
        self._issued = issued
        self._seen: dict[str, Account] = {}
        self._passwords: dict[str, str] = {}  # of accounts that were made with one

    def admit(self, account: Account, password: str = PASSWORD) -> None:
        """A new account, which may sign in from now on."""
        self._by_name[account.username] = self._by_token[account.token] = account
        if account.email:
            self._by_mail[account.email.lower()] = account
        self._passwords[account.username] = password

    def dismiss(self, account: Account) -> None:
        """An account that may not sign in any more."""
        self._by_name.pop(account.username, None)
        self._by_token.pop(account.token, None)
        self._by_mail.pop(account.email.lower(), None)
        self._seen.clear()

    def change(self, account: Account, changed: Account) -> None:
        """The account goes by other names; its password stays."""
        password = self._passwords.get(account.username, PASSWORD)
        self.dismiss(account)
        self.admit(changed, password)

    def __iter__(self) -> Iterator[Account]:
        return iter(self._by_name.values())

    def find(self, login: str) -> Account | None:
        """The account with this user name or mail address."""
        return self._by_name.get(login) or self._by_mail.get(login.lower())

    def login(self, login: str, password: str) -> Account | None:
        """The account, if the password (or its token in the password's place) is right."""
        account = self.find(login)
        if account is None:
            return None
        return account if password in (self._passwords.get(account.username, PASSWORD), account.token) else None

    def authenticate(self, authorization: str | None) -> Account | None:
        """The account an ``Authorization`` header stands for; None where it is missing or wrong."""
        if not authorization:
            return None
        known = self._seen.get(authorization)
        if known is not None:
            return known
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return self._of_token(credentials.strip())
        if scheme.lower() != "basic":
            return None
        account = self._of_basic(credentials.strip())
        if account is not None:
            self._seen[authorization] = account
        return account

    def _of_token(self, token: str) -> Account | None:
        account = self._by_token.get(token)
        if account is None and self._issued is not None:
            username = self._issued(token)
            account = self._by_name.get(username) if username is not None else None
        return account

    def _of_basic(self, credentials: str) -> Account | None:
        try:
            login, colon, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return self.login(login, password) if colon else None
