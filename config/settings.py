"""The settings of an installation: environment, ``regelkreis.toml``, secrets directory; in that order of precedence.

Everything lives below one *home* directory (``REGELKREIS_HOME``, default ``./regelkreis-home``), made by
``regelkreis init``. Secrets come from the environment or from files in ``<home>/secrets``; they are never logged.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from connectors.config import ConnectionConfig
from improvement.errors import ManyErrors, Place, RegelkreisError, SettingsError

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
OUTSIDE_SETTINGS = ("HOME", "TOKEN")  # read elsewhere: where we live, and as whom a command acts


def home() -> Path:
    """The home directory of this installation."""
    return Path(os.environ.get("REGELKREIS_HOME", "regelkreis-home")).expanduser().resolve()


class Settings(BaseSettings):
    """Everything that can be set. ``database`` is ``sqlite`` (a file in the home) or a ``postgresql://`` address."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", validate_default=True
    )

    database: str = Field(default="sqlite", repr=False)
    public_url: str = "http://127.0.0.1:8600"
    allowed_hosts: list[str] = ["127.0.0.1", "localhost", "[::1]"]
    language: Literal["en", "de"] = "en"
    log_format: Literal["auto", "console", "json"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    default_zone: str = "UTC"
    zones: dict[str, str] = DEFAULT_ZONES
    ledger_origin: str = "regelkreis.example/ledger"
    max_slip_weeks: int = Field(default=4, ge=0, le=52)
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

    @field_validator("default_zone")
    @classmethod
    def _zone(cls, zone: str) -> str:
        return _known_zone(zone)

    @field_validator("zones")
    @classmethod
    def _zones(cls, zones: dict[str, str]) -> dict[str, str]:
        for zone in zones.values():
            _known_zone(zone)
        return {**DEFAULT_ZONES, **zones}

    @field_validator("database")
    @classmethod
    def _database(cls, database: str) -> str:
        if database != "sqlite" and not database.startswith(("postgresql://", "postgres://")):
            raise ValueError("write sqlite, or postgresql://user:password@host:port/name")
        return database

    @property
    def home(self) -> Path:
        """The home directory."""
        return home()

    @property
    def warehouse(self) -> Path:
        """The warehouse file."""
        return self.home / "warehouse.duckdb"

    @property
    def rules(self) -> Path:
        """The folder of the user's rules."""
        return self.home / "rules"

    @property
    def ledger_key(self) -> Path:
        """The ledger's signing key."""
        return self.home / "ledger.key"

    @property
    def secret_key(self) -> Path:
        """The key that signs web sessions."""
        return self.home / "secret.key"

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
        secrets = home() / "secrets"
        if secrets.is_dir():
            sources.append(_Secrets(settings_cls, secrets))
        file = config_file()
        if file.exists():
            sources.append(TomlConfigSettingsSource(settings_cls, file))
        return tuple(sources)


class _Secrets(SecretsSettingsSource):
    """Files named like ``connections__snow__password``, as container platforms mount them."""

    def __init__(self, settings_cls: type[BaseSettings], folder: Path) -> None:
        self._folder = folder
        super().__init__(settings_cls, secrets_dir=folder)

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for file in sorted(self._folder.iterdir()):
            if not file.is_file() or file.name.startswith("."):
                continue
            node = found
            *parents, last = file.name.split("__")
            for parent in parents:
                node = node.setdefault(parent, {})
            node[last] = file.read_text(encoding="utf-8").strip()
        return found


def config_file() -> Path:
    """Where ``regelkreis.toml`` is expected."""
    return home() / "regelkreis.toml"


def load() -> Settings:
    """The settings in force; :class:`SettingsError` (or several) naming file, key and allowed form."""
    _check_toml()
    _check_environment()
    try:
        return Settings()
    except ValidationError as error:
        raise _translated(error) from None


def _check_toml() -> None:
    file = config_file()
    if not file.exists():
        return
    try:
        tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The file is no valid TOML: {error}.", where=Place(file=str(file))) from error


def _check_environment() -> None:
    known = {name.upper() for name in Settings.model_fields}
    for variable in os.environ:
        if not variable.startswith(ENV_PREFIX):
            continue
        name = variable.removeprefix(ENV_PREFIX).partition("__")[0]
        if name not in known and name not in OUTSIDE_SETTINGS:
            near = difflib.get_close_matches(name, [*known, *OUTSIDE_SETTINGS], n=1)
            raise SettingsError(
                f"The environment sets {variable}, which is no setting.",
                mend=f"Did you mean {ENV_PREFIX}{near[0]}?" if near else f"Known: {', '.join(sorted(known))}.",
            )


def _translated(error: ValidationError) -> RegelkreisError:
    errors: list[RegelkreisError] = []
    for problem in error.errors(include_input=False, include_url=False):
        path = [str(part) for part in problem["loc"]]
        key = ".".join(path)
        variable = ENV_PREFIX + "__".join(path).upper()
        where = Place(file=f"environment {variable}" if variable in os.environ else str(config_file()), field=key)
        if problem["type"] == "extra_forbidden":
            known = list(ConnectionConfig.model_fields) if path[0] == "connections" else list(Settings.model_fields)
            near = difflib.get_close_matches(path[-1], known, n=1)
            mend = f"Did you mean {near[0]}?" if near else f"Known keys: {', '.join(sorted(known))}."
            errors.append(SettingsError("This key is unknown.", where=where, mend=mend))
        else:
            message = str(problem["msg"]).removeprefix("Value error, ")
            errors.append(SettingsError(f"{message[:1].upper()}{message[1:]}.", where=where))
    return errors[0] if len(errors) == 1 else ManyErrors(errors)


def _known_zone(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f'"{zone}" is no IANA time zone; write one like Europe/Zurich') from error
    return zone
