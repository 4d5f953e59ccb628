"""OAuth 2.0 tokens of ServiceNow, fetched by ourselves.

pysnow's ``OAuthClient`` refuses a token without ``refresh_token`` (client credentials have none), so the token is
fetched, kept and renewed here, as an authentication of our own session (RFC 6749 §4.3, §4.4, §6).
"""

from __future__ import annotations

import time
from threading import Lock
from typing import Any

import requests
from requests.auth import AuthBase

from connectors.config import ConnectionConfig
from improvement.errors import ConnectionFailed, CredentialsRefused, Place

EARLY_S = 60.0  # renew this long before the token ends
DEFAULT_LIFE_S = 1800.0


class OAuthToken(AuthBase):
    """Puts a valid bearer token on every request; on 401 fetches a new one once and sends the request again.

    A request that was answered 401 had no effect, so sending it again is safe for writes too.
    """

    def __init__(self, config: ConnectionConfig) -> None:
        assert config.oauth is not None
        self._config = config
        self._oauth = config.oauth
        secret = config.oauth.refresh_token
        self._refresh_token = secret.get_secret_value() if secret is not None else None
        self._token: str | None = None
        self._ends_at = 0.0
        self._lock = Lock()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._valid()}"
        request.register_hook("response", self._renew_on_401)  # type: ignore[no-untyped-call]
        return request

    def _valid(self) -> str:
        with self._lock:
            if self._token is None or time.monotonic() >= self._ends_at:
                self._fetch()
            assert self._token is not None
            return self._token

    def _renew_on_401(self, response: requests.Response, **options: Any) -> requests.Response:
        if response.status_code != 401:
            return response
        response.content  # noqa: B018 - drains the body so that the connection can be used again
        response.close()
        with self._lock:
            if response.request.headers.get("Authorization") == f"Bearer {self._token}":
                self._fetch()
        again = response.request.copy()
        again.headers["Authorization"] = f"Bearer {self._token}"
        answer: requests.Response = response.connection.send(again, **options)
        answer.history.append(response)
        answer.request = again
        return answer

    def _fetch(self) -> None:
        """A new token: by refresh token where we have one, else by the configured grant."""
        if self._refresh_token is not None:
            body = self._ask({"grant_type": "refresh_token", "refresh_token": self._refresh_token})
            if body is None and self._oauth.grant != "refresh_token":
                self._refresh_token = None  # refresh tokens expire too: begin again with the grant
                body = self._ask(self._grant())
        else:
            body = self._ask(self._grant())
        if body is None:
            raise CredentialsRefused(
                f"{self._config.url}{self._oauth.token_path} gave no token for grant {self._oauth.grant}.",
                where=Place(connection=self._config.name),
                mend="Check client_id, client_secret and, for grant password, user and password.",
            )
        self._token = str(body["access_token"])
        self._refresh_token = body.get("refresh_token") or self._refresh_token
        life_s = float(body.get("expires_in") or DEFAULT_LIFE_S)
        self._ends_at = time.monotonic() + max(life_s - EARLY_S, life_s / 2)

    def _grant(self) -> dict[str, str]:
        if self._oauth.grant == "password":
            return {
                "grant_type": "password",
                "username": self._config.user or "",
                "password": self._config.secret or "",
            }
        return {"grant_type": "client_credentials"}

    def _ask(self, form: dict[str, str]) -> dict[str, Any] | None:
        """The token endpoint's answer, None where it refused."""
        form |= {"client_id": self._oauth.client_id, "client_secret": self._oauth.client_secret.get_secret_value()}
        if self._oauth.scope:
            form["scope"] = self._oauth.scope
        verify = self._config.verify if isinstance(self._config.verify, bool) else str(self._config.verify)
        proxies = {"http": self._config.proxy, "https": self._config.proxy} if self._config.proxy else None
        try:
            answer = requests.post(
                self._config.url + self._oauth.token_path,
                data=form,
                timeout=(10.0, self._config.timeout_s),
                verify=verify,
                proxies=proxies,
                allow_redirects=False,
            )
            body = answer.json()
        except (requests.RequestException, ValueError):
            raise ConnectionFailed(
                f"{self._config.url}{self._oauth.token_path} gave no readable answer.",
                where=Place(connection=self._config.name),
                mend="Check the address and that OAuth is switched on (com.snc.platform.security.oauth.is.active).",
            ) from None
        return body if answer.ok and isinstance(body, dict) and body.get("access_token") else None
