"""The settings of an installation: environment, secrets directory, ``regelkreis.toml``; the first that sets a key wins.

Everything lives below one *home* directory (``REGELKREIS_HOME``, default ``./regelkreis-home``), made by
``regelkreis init``. Secrets come from the environment or from files in ``<home>/secrets``; they are never logged.
What is wrong is told by :mod:`config.settings_errors`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as SourceError

from config import calendar_settings
from config.calendar_settings import CalendarSettings
from config.databases import checked, secrets_of
from config.metric_settings import MetricSettings
from config.settings_errors import Sources, checked_environment, checked_toml, translated, unreadable
from connectors.config import ConnectionConfig
from connectors.sealed_files import KEY, secret_in, text_of
from connectors.sealing import Seal, keys_in
from improvement.business_time import Calendar
from improvement.errors import Place, SettingsError

DEFAULT_ZONES = {
    "DE": "Europe/Berlin",
    "AT": "Europe/Vienna",
    "CH": "Europe/Zurich",
    "GB": "Europe/London",
    "FR": "Europe/Paris",
    "US": "America/New_York",
    "MX": "America/Mexico_City",
    "JP": "Asia/Tokyo",
    "NZ": "Pacific/Auckland",
}
ENV_PREFIX = "REGELKREIS_"
LEAST_MEMORY_MB = 64


def home() -> Path:
    """The home directory of this installation."""
    return Path(os.environ.get("REGELKREIS_HOME", "regelkreis-home")).expanduser().resolve()


class Settings(BaseSettings):
    """Everything that can be set.

    ``database`` is ``sqlite`` (a file in the home) or a ``postgresql://`` address. ``warehouse``, ``rules`` and
    ``exposure`` (numbers of users or assets) are paths, relative ones below the home; ``warehouse_memory`` is that of
    its buffers, ``warehouse_threads`` how many threads count one query. ``allow_own_approval`` lets an owner approve
    their own plan (small teams; each use is logged).
    ``token_key`` seals what is kept of platforms' rotating tokens, and files of ``secrets/`` (several: newest first);
    without it the file ``token.key`` of the home does. ``zones`` maps countries (ISO 3166-1 alpha-2) to IANA zones and
    adds to the defaults. ``metrics`` is what may be chosen about metrics, ``calendars`` maps countries to business
    hours and holidays.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", validate_default=True
    )

    database: str = Field(default="sqlite", repr=False)
    public_url: str = "http://127.0.0.1:8600"
    allowed_hosts: Annotated[list[str], NoDecode] = ["127.0.0.1", "localhost", "[::1]"]
    warehouse: Path = Path("warehouse.duckdb")
    warehouse_memory: str = "96MB"
    warehouse_threads: int = Field(default=2, ge=1, le=64)
    rules: Path = Path("rules")
    exposure: Path = Path("exposure.csv")
    language: Literal["en", "de"] = "en"
    log_format: Literal["auto", "console", "json"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    default_zone: str = "UTC"
    zones: dict[str, str] = DEFAULT_ZONES
    ledger_origin: str = "regelkreis.example/ledger"
    max_slip_weeks: int = Field(default=4, ge=0, le=52)
    allow_own_approval: bool = False
    metrics: MetricSettings = MetricSettings()
    calendars: dict[str, CalendarSettings] = {}
    token_key: SecretStr | None = None
    connections: dict[str, ConnectionConfig] = {}

    @field_validator("connections", mode="before")
    @classmethod
    def _named(cls, connections: Any) -> Any:
        """A connection's name is its key."""
        if not isinstance(connections, dict):
            return connections
        return {
            name: {**value, "name": name} if isinstance(value, dict) else value for name, value in connections.items()
        }

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _hosts(cls, hosts: Any) -> Any:
        """The environment lists hosts with commas."""
        return [host.strip() for host in hosts.split(",") if host.strip()] if isinstance(hosts, str) else hosts

    @field_validator("public_url")
    @classmethod
    def _address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("write an address like https://regelkreis.acme.example")
        return url.rstrip("/")

    @field_validator("warehouse", "rules", "exposure")
    @classmethod
    def _below_home(cls, path: Path) -> Path:
        return home() / path.expanduser()

    @field_validator("warehouse_memory")
    @classmethod
    def _memory(cls, text: str) -> str:
        found = re.fullmatch(r"([1-9][0-9]{0,5}) ?(MB|GB)", text.strip(), re.ASCII | re.IGNORECASE)
        if found is None:
            raise ValueError("write it like 96MB or 1GB")
        if found[2].upper() == "MB" and int(found[1]) < LEAST_MEMORY_MB:
            raise ValueError(f"cycles and back-tests need at least {LEAST_MEMORY_MB}MB")
        return found[1] + found[2].upper()

    @field_validator("ledger_origin")
    @classmethod
    def _origin(cls, origin: str) -> str:
        if not origin or "+" in origin or any(character.isspace() for character in origin):
            raise ValueError("write a name without spaces and plus signs, like acme.example/regelkreis")
        return origin

    @field_validator("default_zone")
    @classmethod
    def _zone(cls, zone: str) -> str:
        return _known_zone(zone)

    @field_validator("zones")
    @classmethod
    def _zones(cls, zones: dict[str, str]) -> dict[str, str]:
        for country, zone in zones.items():
            if not re.fullmatch("[A-Z]{2}", country):
                from connectors.discovery.countries import code_of  # only here: it loads Arrow

                meant = code_of(country)
                how = f"did you mean {meant}?" if meant else "write two capital letters, like CH"
                raise ValueError(f"“{country}” is no country code; {how}")
            _known_zone(zone)
        return {**DEFAULT_ZONES, **zones}

    @field_validator("calendars")
    @classmethod
    def _calendars(cls, calendars: dict[str, CalendarSettings], info: ValidationInfo) -> dict[str, CalendarSettings]:
        if "zones" in info.data:  # else they are wrong, which is told anyway
            calendars = calendar_settings.checked_calendars(calendars, info.data["zones"])
        if "metrics" in info.data and info.data["metrics"].business and not calendars:
            raise ValueError("metrics.business asks for business time, but no country has a calendar; add one")
        return calendars

    @field_validator("database")
    @classmethod
    def _database(cls, database: str) -> str:
        return checked(database)

    @field_validator("token_key")
    @classmethod
    def _token_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not keys_in(key.get_secret_value()):
            raise ValueError("the key is empty")
        return key

    @model_validator(mode="after")
    def _business_time_has_calendars(self) -> Self:
        if self.metrics.business:
            self.metrics.by(self.calendars_sha256)
        return self

    @model_validator(mode="after")
    def _tokens_have_a_place(self) -> Self:
        keys = self.token_keys() if any(one.oauth is not None for one in self.connections.values()) else ()
        folder = self.home / "tokens"
        self.connections = {
            name: connection.keeping_tokens(folder / f"{name}.token", keys)
            for name, connection in self.connections.items()
        }
        return self

    @property
    def home(self) -> Path:
        """The home directory."""
        return home()

    @property
    def ledger_key(self) -> Path:
        """The ledger's signing key."""
        return self.home / "ledger.key"

    @property
    def secret_key(self) -> Path:
        """The key that signs web sessions."""
        return self.home / "secret.key"

    @property
    def token_key_file(self) -> Path:
        """The file with the keys that seal tokens, newest first, where ``token_key`` is not set."""
        return token_key_file()

    @property
    def calendars_sha256(self) -> str:
        """What tells these business calendars from others; "" for none."""
        return calendar_settings.digest_of(self.calendars, self.zones)

    def business_calendars(self) -> dict[str, Calendar]:
        """The business calendars by country, with their holidays."""
        return {country: chosen.calendar(country, self.zones[country]) for country, chosen in self.calendars.items()}

    def token_keys(self) -> tuple[SecretStr, ...]:
        """The keys that seal tokens, newest first; none before ``regelkreis init``. :class:`SettingsError` if wrong."""
        return keys_in(self.token_key.get_secret_value()) if self.token_key is not None else _keys_of_home()

    def secrets(self) -> tuple[str, ...]:
        """Every secret text known to us, for redaction."""
        platforms = [secret for connection in self.connections.values() for secret in connection.secrets()]
        keys = keys_in(self.token_key.get_secret_value()) if self.token_key is not None else ()
        return (*secrets_of(self.database), *(key.get_secret_value() for key in keys), *platforms)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then the secrets directory, then the file."""
        sources: list[PydanticBaseSettingsSource] = [
            init_settings,
            EnvSettingsSource(settings_cls, env_ignore_empty=True),
        ]
        file = config_file()
        tables = TomlConfigSettingsSource(settings_cls, file) if file.exists() else None
        if secrets_folder().is_dir():
            sources.append(_Secrets(settings_cls, secrets_folder(), tables() if tables is not None else {}))
        if tables is not None:
            sources.append(tables)
        return tuple(sources)


class _Secrets(SecretsSettingsSource):
    """Files named like ``connections__snow__password``, as container platforms mount them; sealed ones are opened."""

    def __init__(self, settings_cls: type[BaseSettings], folder: Path, tables: Mapping[str, Any]) -> None:
        self._folder, self._tables = folder, tables
        super().__init__(settings_cls, secrets_dir=folder)

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for file in sorted(self._folder.iterdir()):
            if not file.is_file() or file.name.startswith("."):
                continue
            *parents, last = file.name.split("__")
            if _is_set(self.current_state, (*parents, last)):
                continue  # what nobody reads need not be opened
            node = found
            for parent in parents:
                node = node.setdefault(parent, {})
            node[last] = secret_in(file, self._seal)
        return found

    def _seal(self) -> Seal:
        """The keys in force."""
        file = self._folder / KEY
        given = self.current_state.get(KEY) or (text_of(file) if file.is_file() else self._tables.get(KEY))
        if not given:
            return Seal(_keys_of_home())
        try:
            return Seal(keys_in(str(given)))
        except ValueError as error:
            text = str(error)
            raise SettingsError(text[:1].upper() + text[1:], where=Place(field=KEY)) from None


def _is_set(values: Any, path: tuple[str, ...]) -> bool:
    for name in path:
        if not isinstance(values, Mapping) or name not in values:
            return False
        values = values[name]
    return True


def token_key_file() -> Path:
    """The file with the keys of the home, newest first."""
    return home() / "token.key"


def _keys_of_home() -> tuple[SecretStr, ...]:
    file = token_key_file()
    if not file.exists():
        return ()
    try:
        return keys_in(text_of(file))
    except ValueError as error:
        text = str(error)
        raise SettingsError(text[:1].upper() + text[1:], where=Place(file=str(file))) from None


def config_file() -> Path:
    """Where ``regelkreis.toml`` is expected."""
    return home() / "regelkreis.toml"


def secrets_folder() -> Path:
    """Where files with secrets are expected."""
    return home() / "secrets"


def load() -> Settings:
    """The settings in force; :class:`~improvement.errors.SettingsError` (or several) with file, key, allowed form."""
    sources = Sources(ENV_PREFIX, config_file(), secrets_folder(), tuple(Settings.model_fields))
    checked_toml(sources)
    checked_environment(sources)
    try:
        return Settings()
    except ValidationError as error:
        raise translated(error, sources) from None
    except SourceError as error:
        raise unreadable(error, sources) from None


def _known_zone(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f'"{zone}" is no IANA time zone; write one like Europe/Zurich') from error
    return zone
