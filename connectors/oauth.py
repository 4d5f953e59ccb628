"""OAuth 2.0 tokens of ServiceNow and of Jira Cloud (3LO), fetched and renewed by ourselves.

pysnow's ``OAuthClient`` refuses a token without ``refresh_token`` (client credentials have none), so the token is
fetched, kept and renewed here, as an authentication of our own session (RFC 6749 §4.3, §4.4, §6). Atlassian's refresh
tokens rotate, each works once: the newest lives in a sealed file that all processes of the connection share under a
lock.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from threading import Lock
from typing import Any

import requests
from requests.auth import AuthBase

from connectors.answers import TokenUnavailable, retry_after_s
from connectors.config import ConnectionConfig
from connectors.pacing import Pace, Paced
from connectors.sealing import Seal
from connectors.tokens import Token, TokenFile
from connectors.transport import transport
from improvement.errors import CredentialsRefused, Place

DEFAULT_LIFE_S = 1800.0


class OAuthToken(AuthBase):
    """Puts a valid bearer token on every request; on 401 fetches a new one once and sends the request again.

    A request that was answered 401 had no effect, so sending it again is safe for writes too. Threads share one
    object and wait for each other while a token is fetched; processes share ``token_file`` likewise.
    """

    def __init__(self, config: ConnectionConfig) -> None:
        self._config = config
        self._oauth = config.oauth_settings
        refresh = self._oauth.refresh_token
        granted = refresh.get_secret_value() if refresh is not None else None
        self._token = Token(refresh=granted, seed=hashlib.sha256((granted or "").encode()).hexdigest())
        kept = self._oauth.token_file
        self._file = TokenFile(kept, Seal(self._oauth.token_keys)) if kept is not None else None
        self._lock = Lock()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body: Any = request.body
        if hasattr(body, "read"):  # a stream can be sent once, and after a 401 it has to be sent again
            request.body = body.read()
        request.headers["Authorization"] = f"Bearer {self._valid()}"
        request.register_hook("response", self._renew_on_401)  # type: ignore[no-untyped-call]
        return request

    def _valid(self) -> str:
        with self._lock:
            if not self._token.is_fresh:
                self._renew(refused=None)
            return self._token.access or ""

    def _renew_on_401(self, response: requests.Response, **options: Any) -> requests.Response:
        if response.status_code != 401:
            return response
        response.content  # noqa: B018 - drains the body so that the connection can be used again
        response.close()
        refused = response.request.headers.get("Authorization", "").removeprefix("Bearer ")
        with self._lock:
            if refused == self._token.access:
                self._renew(refused=refused)
            access = self._token.access
        again = response.request.copy()
        again.headers["Authorization"] = f"Bearer {access}"
        answer: requests.Response = response.connection.send(again, **options)
        answer.history.append(response)
        answer.request = again
        return answer

    def _renew(self, *, refused: str | None) -> None:
        """A token that is not the ``refused`` one: another process's newer one, else a new one."""
        if self._file is None:
            self._token = self._fetched(self._token)
            return
        with self._file.locked():
            kept = self._file.read()
            if kept is not None and kept.seed != self._token.seed:
                kept = None  # access was granted anew since
            if kept is not None and kept.is_fresh and kept.access != refused:
                self._token = kept
                return
            self._token = self._fetched(kept or self._token)
            self._file.write(self._token)

    def _fetched(self, old: Token) -> Token:
        """A new token: by refresh token where we have one, else by the configured grant."""
        body: dict[str, Any] | None = None
        refresh = old.refresh
        if refresh is not None:
            body = self._ask({"grant_type": "refresh_token", "refresh_token": refresh})
            if body is None and self._oauth.grant != "refresh_token":
                refresh = None  # refresh tokens expire too: begin again with the grant
                body = self._ask(self._grant())
        elif self._oauth.grant != "refresh_token":
            body = self._ask(self._grant())
        if refresh is None and self._oauth.grant == "refresh_token":
            raise CredentialsRefused(
                f"{self._config.token_url} was not asked: there is no refresh token.",
                where=Place(connection=self._config.name),
                mend="Let the integration user grant access, and put the refresh token that this gives into "
                f"secrets/connections__{self._config.name}__oauth__refresh_token.",
            )
        if body is None:
            raise CredentialsRefused(
                f"{self._config.token_url} gave no token for grant {self._oauth.grant}.",
                where=Place(connection=self._config.name),
                mend="Check client_id, client_secret and, for grant password, user and password; a refresh token that "
                "was used or has expired must be granted anew.",
            )
        life_s = float(body.get("expires_in") or DEFAULT_LIFE_S)
        newest = body.get("refresh_token") or refresh
        return Token.lasting(life_s, access=str(body["access_token"]), refresh=newest, seed=old.seed)

    def _grant(self) -> dict[str, str]:
        if self._oauth.grant == "password":
            return {
                "grant_type": "password",
                "username": self._config.user or "",
                "password": self._config.secret or "",
            }
        return {"grant_type": "client_credentials"}

    def _ask(self, form: dict[str, str]) -> dict[str, Any] | None:
        """The token endpoint's answer, None where it refused. Atlassian takes JSON, ServiceNow a form."""
        form |= {"client_id": self._oauth.client_id, "client_secret": self._oauth.client_secret.get_secret_value()}
        if self._oauth.scope:
            form["scope"] = self._oauth.scope
        url = self._config.token_url
        sent: dict[str, Any] = {"json": form} if self._config.platform == "jira" else {"data": form}
        try:
            with transport(requests.Session(), self._config, url) as session:
                session.mount(self._config.url, Paced(Pace(self._config), self._config.max_wait_s))  # no other host
                answer = session.post(url, timeout=(10.0, self._config.timeout_s), allow_redirects=False, **sent)
            body = None if _may_pass(answer) else answer.json()
        except (requests.RequestException, ValueError):
            raise TokenUnavailable(
                f"{url} gave no readable answer.",
                where=Place(connection=self._config.name),
                mend="Check the address and the proxy; on ServiceNow also that OAuth is switched on "
                "(com.snc.platform.security.oauth.is.active).",
            ) from None
        if _may_pass(answer):
            wait_s = retry_after_s(answer, datetime.now(UTC))
            raise TokenUnavailable(
                f"{url} answered {answer.status_code}.",
                wait_s=wait_s,
                where=Place(connection=self._config.name),
                mend="Try again." if wait_s is None else f"Try again; it asks to wait {wait_s:.0f} s.",
            )
        return body if answer.ok and isinstance(body, dict) and body.get("access_token") else None


def _may_pass(answer: requests.Response) -> bool:
    return answer.status_code >= 500 or answer.status_code == 429
