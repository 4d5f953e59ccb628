"""``/oauth_token.do``: password, client credentials and refresh.

Client ``regelkreis`` with secret ``sandbox``; client credentials act as the user ``regelkreis``. Lifetimes run in
real time, not by the sandbox's clock (which jumps by weeks).
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from aiohttp import BasicAuth, web

from connectors.sandbox.servicenow.errors import json_response
from connectors.sandbox.users import INTEGRATION, PASSWORD, Account, Accounts

CLIENT_ID, CLIENT_SECRET = INTEGRATION, PASSWORD
ACCESS_S, REFRESH_S = 1800, 8_640_000


@dataclass(frozen=True, slots=True)
class _Token:
    username: str
    until: float


class TokenOffice:
    """Issues, refreshes and expires OAuth tokens. ``accounts`` is set once the instance knows its users."""

    def __init__(self) -> None:
        self.accounts = Accounts(())
        self.issued_count = 0
        self._access: dict[str, _Token] = {}
        self._refresh: dict[str, _Token] = {}

    def user_of(self, token: str) -> str | None:
        """The user name an access token stands for; None where it is unknown or expired."""
        return _alive(self._access, token)

    def expire_all(self) -> None:
        """End all access tokens now; refresh tokens stay."""
        self._access.clear()

    def expire_refresh(self) -> None:
        """End all refresh tokens now; access tokens stay."""
        self._refresh.clear()

    async def issue(self, request: web.Request) -> web.Response:
        """``POST /oauth_token.do``, form-encoded."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        if _client_of(request, form) != (CLIENT_ID, CLIENT_SECRET):
            return _refused("invalid_client")
        grant = form.get("grant_type")
        if grant == "password":
            account = self.accounts.login(form.get("username", ""), form.get("password", ""))
            return self._granted(account, has_refresh=True)
        if grant == "client_credentials":
            return self._granted(self.accounts.find(CLIENT_ID), has_refresh=False)
        if grant == "refresh_token":
            username = _alive(self._refresh, form.get("refresh_token", ""))
            return self._granted(self.accounts.find(username) if username else None, has_refresh=True)
        return _refused("unsupported_grant_type")

    def _granted(self, account: Account | None, *, has_refresh: bool) -> web.Response:
        if account is None:
            return _refused("access_denied")
        self.issued_count += 1
        now = time.monotonic()
        access = secrets.token_urlsafe(48)
        self._access[access] = _Token(account.username, now + ACCESS_S)
        answer = {"access_token": access, "scope": "useraccount", "token_type": "Bearer", "expires_in": ACCESS_S - 1}
        if has_refresh:
            refresh = secrets.token_urlsafe(48)
            self._refresh[refresh] = _Token(account.username, now + REFRESH_S)
            answer["refresh_token"] = refresh
        return json_response(answer)


def _client_of(request: web.Request, form: dict[str, str]) -> tuple[str, str]:
    """Client id and secret from the form or by Basic authentication (RFC 6749 §2.3.1 allows both)."""
    if "client_secret" in form:
        return form.get("client_id", ""), form["client_secret"]
    try:
        basic = BasicAuth.decode(request.headers.get("Authorization", ""))
    except ValueError:
        return "", ""
    return basic.login, basic.password


def _alive(tokens: dict[str, _Token], token: str) -> str | None:
    found = tokens.get(token)
    return found.username if found is not None and found.until > time.monotonic() else None


def _refused(error: str) -> web.Response:
    return json_response({"error_description": "access_denied", "error": error}, status=401)
