"""Atlassian's authorization server and gateway, on the Cloud site's own port: OAuth 2.0 (3LO) with rotating refresh.

``POST /oauth/token`` (JSON) takes the grants ``authorization_code`` and ``refresh_token`` of the client ``regelkreis``,
secret ``sandbox``. The code ``sandbox-<user>`` stands for that user's consent on the browser's page. Each refresh
token works once, as *Implementing the Refresh Token Flow* says (developer.atlassian.com/cloud/oauth/getting-started);
its 403 is worded there too. ``GET /oauth/token/accessible-resources`` names the site, and what it calls *id* leads
through the gateway: ``/ex/jira/{cloudId}/rest/…``, the only place where these tokens count.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from aiohttp import web

from connectors.sandbox.users import INTEGRATION, PASSWORD, Accounts

CLIENT_ID, CLIENT_SECRET = INTEGRATION, PASSWORD
CLOUD_ID = "5a9db00c-0000-4000-8000-000000000007"
ACCESS_S, REFRESH_S = 3600, 30 * 24 * 3600
SCOPE = "read:jira-work write:jira-work read:jira-user offline_access"
CODE = "sandbox-"


@dataclass(frozen=True, slots=True)
class _Token:
    username: str
    until: float


class ConsentOffice:
    """Issues tokens, each refresh token for one use, and knows whom an access token stands for."""

    def __init__(self, accounts: Accounts) -> None:
        self.issued_count = 0
        self._accounts = accounts
        self._access: dict[str, _Token] = {}
        self._refresh: dict[str, _Token] = {}

    def user_of(self, authorization: str) -> str | None:
        """The user name a ``Bearer`` header stands for; None where its token is unknown or has expired."""
        scheme, _, token = authorization.partition(" ")
        found = self._access.get(token.strip()) if scheme.lower() == "bearer" else None
        return found.username if found is not None and found.until > time.monotonic() else None

    def expire(self, *, access: bool = False, refresh: bool = False) -> None:
        """End all tokens of a sort now."""
        if access:
            self._access.clear()
        if refresh:
            self._refresh.clear()

    async def issue(self, request: web.Request) -> web.Response:
        """``POST /oauth/token``."""
        try:
            form = await request.json()
        except ValueError:
            return _refused(400, "invalid_request", "The body is no JSON.")
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return _refused(401, "access_denied", "Unauthorized")
        grant = form.get("grant_type")
        if grant == "authorization_code":
            code = str(form.get("code", ""))
            account = self._accounts.find(code.removeprefix(CODE)) if code.startswith(CODE) else None
            if account is None:
                return _refused(403, "invalid_grant", "Invalid authorization code")
            return self._granted(account.username)
        if grant == "refresh_token":
            used = self._refresh.pop(str(form.get("refresh_token", "")), None)
            if used is None or used.until <= time.monotonic():
                return _refused(403, "invalid_grant", "Unknown or invalid refresh token.")
            return self._granted(used.username)
        return _refused(400, "unsupported_grant_type", f"There is no grant {grant}.")

    async def resources(self, request: web.Request) -> web.Response:
        """``GET /oauth/token/accessible-resources``: the one site of this port."""
        if self.user_of(request.headers.get("Authorization", "")) is None:
            return web.json_response({"code": 401, "message": "Unauthorized"}, status=401)
        base = f"{request.scheme}://{request.host}"
        return web.json_response([{"id": CLOUD_ID, "url": base, "name": "sandbox", "scopes": SCOPE.split()[:-1]}])

    def _granted(self, username: str) -> web.Response:
        self.issued_count += 1
        now = time.monotonic()
        access, refresh = secrets.token_urlsafe(48), secrets.token_urlsafe(48)
        self._access[access] = _Token(username, now + ACCESS_S)
        self._refresh[refresh] = _Token(username, now + REFRESH_S)
        answer = {"access_token": access, "refresh_token": refresh, "expires_in": ACCESS_S, "scope": SCOPE}
        return web.json_response({**answer, "token_type": "Bearer"})


def _refused(status: int, error: str, said: str) -> web.Response:
    return web.json_response({"error": error, "error_description": said}, status=status)
