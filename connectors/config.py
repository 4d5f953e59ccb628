"""What a person configures about one connection: address, credentials, field mapping, limits.

The model holds no state and opens nothing; ``config.settings`` fills it from TOML, the environment and the secrets
directory, the connectors read it.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote, quote_plus, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator

from connectors.platforms import BUILT_IN, is_known, platforms
from connectors.sealing import keys_in
from improvement.errors import Place, SettingsError

T = TypeVar("T")
Auth = Literal["basic", "bearer", "oauth"]
Grant = Literal["client_credentials", "password", "refresh_token"]
FallbackMode = Literal["custom", "problem", "task_min"]

STATES = ("new", "accepted", "assess", "approved", "in_progress", "review", "on_hold", "closed", "cancelled")
OUTCOMES = ("success", "no_success", "dropped")
GAINS = ("time", "satisfaction", "quality")
ATLASSIAN_TOKEN_URL = "https://auth.atlassian.com/oauth/token"  # noqa: S105 - an address, no secret

SHORTEST_HOOK_SECRET = 16
ATLASSIAN_POINTS = 65_000  # an hour, of one app for all its tenants: developer.atlassian.com, *Rate limiting*, Tier 1
DEFAULT_PAGE_SIZE: dict[str, int] = {"servicenow": 5000, "jira": 100}


class OAuthConfig(BaseModel):
    """An OAuth 2.0 client: of ServiceNow's ``/oauth_token.do``, or of Atlassian's 3LO for Jira Cloud.

    Tokens without a refresh token are fine. Where refresh tokens *rotate* (Jira Cloud: each works once) the newest is
    kept in ``token_file``, sealed with the first of ``token_keys`` (:mod:`connectors.sealing`), which every process of
    this connection shares under a lock; ``refresh_token`` is only the first. The settings fill in both where nothing is
    said. ``token_url`` overrides the platform's own token endpoint.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str
    client_secret: SecretStr = SecretStr("")
    grant: Grant = "client_credentials"
    refresh_token: SecretStr | None = None
    token_path: str = "/oauth_token.do"  # noqa: S105 - a path, no secret
    token_url: str | None = None
    token_file: Path | None = None
    token_keys: tuple[SecretStr, ...] = ()
    scope: str | None = None

    @field_validator("token_keys", mode="before")
    @classmethod
    def _are_keys(cls, value: Any) -> Any:
        return keys_in(value) if isinstance(value, str) else value


class ConnectionConfig(BaseModel):
    """One platform to pull from and, once allowed, to write review records to.

    ``url`` is the platform's root without a trailing slash. Durations are seconds (``_s``). ``mapping`` overrides the
    platform's default mapping source by source and field by field (see :mod:`connectors.mapping`). ``columns`` names
    the platform column of an outbound field where the default does not fit. ``statuses`` says what a status of the
    improvement record means (its id or name → one of :data:`STATES`), ``resolutions`` which resolution (Jira) or
    closure code (ServiceNow) an outcome gets (one of :data:`OUTCOMES` → its name), ``gains`` which achieved outcome
    category a kind of improvement gets there (one of :data:`GAINS` → its name). ``options`` are for the connector of
    another package, which explains them; they are no place for secrets.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    platform: str
    url: str
    user: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None
    auth: Auth | None = None  # None: told by the credentials given
    oauth: OAuthConfig | None = None

    hook_secret: SecretStr | None = None  # by which hints of the platform prove themselves; several: newest first
    hint_spacing_s: int = Field(default=300, ge=30)  # hints make us pull at most this often

    mapping: dict[str, Any] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)
    improvement_project: str = "CIP"
    options: dict[str, Any] = Field(default_factory=dict)
    statuses: dict[str, str] = Field(default_factory=dict)
    resolutions: dict[str, str] = Field(default_factory=dict)
    gains: dict[str, str] = Field(default_factory=dict)
    fallback_modes: tuple[FallbackMode, ...] = ("custom", "problem", "task_min")
    custom_table: str | None = None
    link_triggers: bool | None = None  # link the tickets that triggered an action; None: not on ServiceNow
    write_closure: bool = False  # ServiceNow: write closure code, outcome category and close notes of what ended here
    pa_targets: bool = False  # ServiceNow: write base and target value also where Performance Analytics keeps them

    default_country: str | None = None

    page_size: int | None = Field(default=None, ge=1, le=10_000)
    timeout_s: float = Field(default=90.0, gt=0)
    max_attempts: int = Field(default=6, ge=1, le=20)
    max_wait_s: float = Field(default=300.0, ge=0)  # the longest Retry-After, and all waits of one read together
    max_concurrency: int = Field(default=4, ge=1, le=8)
    hourly_points: int | None = Field(default=None, ge=0)  # our own budget (connectors.budget); 0: none
    points_file: Path | None = None  # where all its processes count them: a budget needs it, the settings give it
    hold_file: Path | None = None  # where they all find how long the platform asked to wait; the settings give it
    overlap_s: int = Field(default=300, ge=0)
    reconcile_days: float = Field(default=7.0, gt=0)  # the platform's counts are held against ours this often
    list_days: float = Field(default=91.0, gt=0)  # all keys are listed this often, also where the counts agree
    review_weeks: int = Field(default=13, ge=1)  # how far back clocks are read again where breaches differ
    verify: bool | Path = True
    client_certificate: Path | None = None  # mutual TLS: certificate, and the key unless the file holds both
    client_key: Path | None = None
    proxy: str | None = Field(default=None, repr=False)  # its address may carry a password

    @field_validator("platform")
    @classmethod
    def _has_a_connector(cls, value: str) -> str:
        if not is_known(value):
            known = " or ".join(f"'{name}'" for name in {**BUILT_IN, **platforms()})
            raise ValueError(f"there is no connector for “{value}”: a platform is {known}")
        return value

    @field_validator("url")
    @classmethod
    def _is_root(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an address like https://acme.service-now.com")
        if parts.username or parts.password:
            raise ValueError("must not contain a user or password; use the fields user and password")
        return value.rstrip("/")

    @field_validator("hook_secret")
    @classmethod
    def _is_no_guess(cls, value: SecretStr | None) -> SecretStr | None:
        for secret in () if value is None else value.get_secret_value().split():
            if len(secret) < SHORTEST_HOOK_SECRET or not secret.isascii():
                raise ValueError(
                    f"a secret has at least {SHORTEST_HOOK_SECRET} letters; `regelkreis hooks secret` makes one"
                )
        return value

    @field_validator("statuses", "resolutions", "gains")
    @classmethod
    def _are_known(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        words = {"statuses": STATES, "resolutions": OUTCOMES, "gains": GAINS}
        known = words[info.field_name or "statuses"]
        said = value.values() if info.field_name == "statuses" else value.keys()
        for word in said:
            if word not in known:
                raise ValueError(f"“{word}” is none of {', '.join(known)}")
        return value

    @field_validator("verify", "client_certificate", "client_key")
    @classmethod
    def _is_there(cls, value: bool | Path | None) -> bool | Path | None:
        if isinstance(value, Path) and not value.exists():
            raise ValueError(f"there is no file {value}")
        return value

    @model_validator(mode="after")
    def _has_options_of_its_own(self) -> Self:
        if self.options and self.platform in BUILT_IN:
            raise ValueError(f"{self.platform} has no options: its settings stand in the connection itself")
        return self

    @model_validator(mode="after")
    def _has_its_certificate(self) -> Self:
        if self.client_key is not None and self.client_certificate is None:
            raise ValueError("client_key needs client_certificate")
        return self

    @model_validator(mode="after")
    def _has_its_client(self) -> Self:
        if self.auth_kind == "oauth" and self.oauth is None:
            raise ValueError("oauth authentication needs a table [oauth] with client_id and client_secret")
        return self

    @property
    def missing_credentials(self) -> tuple[str, ...]:
        """The keys that authentication still lacks; the rights we need are told without them."""
        given: dict[str, object] = {"user": self.user, "password": self.secret}
        if self.auth_kind == "bearer":
            given = {"token": self.token}
        elif self.oauth is not None and self.auth_kind == "oauth":
            asks_as_user = self.oauth.grant == "password"
            given = (given if asks_as_user else {}) | {
                "oauth.client_secret": self.oauth.client_secret.get_secret_value()
            }
        return tuple(key for key, value in given.items() if not value)

    @property
    def auth_kind(self) -> Auth:
        """How we authenticate: as configured, else what the given credentials allow."""
        if self.auth is not None:
            return self.auth
        if self.oauth is not None:
            return "oauth"
        return "bearer" if self.token is not None and not self.user else "basic"

    @property
    def secret(self) -> str | None:
        """The secret of basic authentication: the password, else the token (Jira Cloud)."""
        chosen = self.password or self.token
        return chosen.get_secret_value() if chosen is not None else None

    @property
    def hook_secrets(self) -> tuple[str, ...]:
        """The secrets by which a hint may prove itself, newest first; none where hints are not taken."""
        return tuple(self.hook_secret.get_secret_value().split()) if self.hook_secret is not None else ()

    @property
    def rows_per_page(self) -> int:
        """The page size to begin with."""
        return self.page_size or DEFAULT_PAGE_SIZE.get(self.platform, DEFAULT_PAGE_SIZE["jira"])

    @property
    def points_per_hour(self) -> int:
        """What we let ourselves spend in an hour; 0: no limit of our own.

        Atlassian counts points of OAuth apps only; API tokens, Data Center and ServiceNow have none.
        """
        if self.hourly_points is not None:
            return self.hourly_points
        return ATLASSIAN_POINTS if self.platform == "jira" and self.auth_kind == "oauth" else 0

    @property
    def closes_records(self) -> bool:
        """Whether we close improvement records ourselves: on Jira, by a transition and its resolution."""
        return self.platform == "jira"

    @property
    def links_triggers(self) -> bool:
        """Whether triggering tickets are linked: unless told, not on ServiceNow, where closing acts on them."""
        return self.platform != "servicenow" if self.link_triggers is None else self.link_triggers

    @property
    def token_url(self) -> str:
        """Where OAuth tokens come from."""
        oauth = self.oauth_settings
        if oauth.token_url is not None:
            return oauth.token_url
        return ATLASSIAN_TOKEN_URL if self.platform == "jira" else self.url + oauth.token_path

    @property
    def oauth_settings(self) -> OAuthConfig:
        """What OAuth needs; :class:`SettingsError` for a connection that does not use it."""
        return self._given(self.oauth, "table [oauth]")

    @property
    def bearer_token(self) -> str:
        """The token of bearer authentication; :class:`SettingsError` for a connection without one."""
        return self._given(self.token, "token").get_secret_value()

    def _given(self, value: T | None, name: str) -> T:
        if value is None:
            raise SettingsError(
                f"The connection has no {name}.",
                where=Place(connection=self.name),
                mend="Add it to the connection, or use another way to authenticate.",
            )
        return value

    def keeping_tokens(self, file: Path, keys: tuple[SecretStr, ...]) -> Self:
        """The same connection, with a place and keys for tokens that rotate, where it names none of its own.

        Beside the tokens it counts its points, where it has a budget of them, and keeps until when its address is to be
        left alone.
        """
        host = quote(self.url.partition("://")[2], safe="")
        kept: dict[str, Any] = {"hold_file": self.hold_file or file.with_name(f"{host}.hold")}
        if self.points_per_hour:
            kept["points_file"] = self.points_file or file.with_suffix(".points")
        if self.oauth is not None:
            place = file if self.oauth.grant == "refresh_token" else None
            sealed = {"token_file": self.oauth.token_file or place, "token_keys": self.oauth.token_keys or keys}
            kept["oauth"] = self.oauth.model_copy(update=sealed)
        return self.model_copy(update=kept)

    def secret_forms(self) -> tuple[str, ...]:
        """Every secret in each form HTTP carries it (plain, percent-encoded, in JSON, in Basic), longest first."""
        found: set[str] = set()
        for secret in self.secrets():
            found |= {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
            found.add(base64.b64encode(f"{self.user or ''}:{secret}".encode()).decode())
        return tuple(sorted(found, key=len, reverse=True))

    def secrets(self) -> tuple[str, ...]:
        """Every secret text of this connection, for redaction."""
        found = [self.password, self.token]
        if self.oauth is not None:
            found += [self.oauth.client_secret, self.oauth.refresh_token, *self.oauth.token_keys]
        texts = [secret.get_secret_value() for secret in found if secret is not None]
        texts += self.hook_secrets
        if self.proxy is not None and (password := urlsplit(self.proxy).password):
            texts += [password, unquote(password)]
        return tuple(texts)


#: The keys of a connection whose values nobody may be shown: secrets, and an address that may carry a password.
SECRET_KEYS = frozenset({"proxy"}) | {
    name
    for model in (ConnectionConfig, OAuthConfig)
    for name, field in model.model_fields.items()
    if SecretStr.__name__ in repr(field.annotation)
}
