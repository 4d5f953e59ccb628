"""What we need to know of a Jira before we can read it: flavour, caller, zone, fields, types, statuses.

Learnt once per connector by a handful of requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import requests

from connectors.answers import is_absent, redacted
from connectors.config import ConnectionConfig
from connectors.http import Reader
from connectors.jira.caller import Caller
from connectors.jira.fields import Fields
from connectors.jira.wire import FieldInfo, StatusValue, TypeValue
from improvement.errors import ConnectionFailed, CredentialsRefused, Place

T = TypeVar("T")

API = "/rest/api/2"
GATEWAY = "/ex/jira/"  # https://api.atlassian.com/ex/jira/{cloudid}: where OAuth tokens are accepted


class ServerInfo(msgspec.Struct, frozen=True, rename="camel"):
    """``GET /serverInfo``."""

    version: str = ""
    version_numbers: list[int] = []
    deployment_type: str = "Server"
    server_time: str | None = None
    base_url: str = ""

    @property
    def is_cloud(self) -> bool:
        """Whether this is Jira Cloud."""
        return self.deployment_type == "Cloud"

    @property
    def present(self) -> datetime | None:
        """Jira's present moment (UTC) when it answered; None where it does not tell."""
        return datetime.fromisoformat(self.server_time).astimezone(UTC) if self.server_time else None


class Myself(msgspec.Struct, frozen=True, rename="camel"):
    """``GET /myself``."""

    account_id: str | None = None
    name: str | None = None
    display_name: str = ""
    time_zone: str = "UTC"

    @property
    def account(self) -> str:
        """What the platform calls us."""
        return self.account_id or self.name or ""


@dataclass(frozen=True, slots=True)
class Site:
    """One Jira as this connection sees it. ``zone`` is the caller's, in which JQL reads times."""

    info: ServerInfo
    me: Myself
    zone: ZoneInfo
    fields: Fields
    types: tuple[TypeValue, ...]
    statuses: dict[str, StatusValue]

    @property
    def is_cloud(self) -> bool:
        """Whether this is Jira Cloud."""
        return self.info.is_cloud

    def address(self, config: ConnectionConfig) -> str:
        """Where people open this Jira in a browser: the site itself, also where we go through Atlassian's gateway."""
        return self.info.base_url.rstrip("/") if GATEWAY in config.url and self.info.base_url else config.url

    def type_ids(self, name: str) -> list[str]:
        """Ids of the issue types of this name (or id); team-managed projects each have their own."""
        wanted = name.casefold()
        return [kind.id for kind in self.types if kind.id == name or (kind.name or "").casefold() == wanted]


def learn(reader: Reader, config: ConnectionConfig) -> Site:
    """Ask the Jira what it is and what it has. Raises what :class:`Reader` raises."""
    info = ask(reader, "/serverInfo", ServerInfo)
    me = who_am_i(reader, config)
    return Site(
        info=info,
        me=me,
        zone=_zone(me.time_zone, config),
        fields=Fields(ask(reader, "/field", list[FieldInfo]), connection=config.name),
        types=tuple(ask(reader, "/issuetype", list[TypeValue])),
        statuses={status.id: status for status in ask(reader, "/status", list[StatusValue])},
    )


def who_am_i(reader: Reader, config: ConnectionConfig) -> Myself:
    """Our own account; :class:`CredentialsRefused` where Jira took us for anonymous.

    An expired token makes Jira answer searches as for anybody: 200 with fewer issues. Only this call tells.
    """
    me: Myself = ask(reader, "/myself", Myself)
    if not me.account:
        raise CredentialsRefused(
            f"{config.url} takes us for an anonymous visitor.",
            where=Place(connection=config.name),
            mend="The token has expired or belongs to another site: make a new one.",
        )
    return me


def ask(
    reader: Reader,
    path: str,
    shape: Any,
    *,
    what: str = "",
    params: Mapping[str, Any] | None = None,
    json: Any = None,
    accept: Callable[[Any], None] | None = None,
) -> Any:
    """One readable answer as a struct; ``json`` makes it a POST (searches only).

    A body that is cut, no JSON, or carries an ``error`` beside its data is asked for again, like any other failure.
    ``accept`` may raise :class:`ConnectionFailed` about the decoded answer, with the same effect.
    """
    what = what or path.strip("/")
    found: list[Any] = []
    check = _keeping(found, reader.config, shape, what, accept)
    method = "GET" if json is None else "POST"
    headers = {"Accept": "application/json"}
    reader.read(_address(path), what=what, params=params, headers=headers, json=json, method=method, check=check)
    return found[0]


def ask_page(reader: Reader, path: str, shape: Any, *, what: str, json: Any) -> Any:
    """As :func:`ask`, but raises :class:`TooHeavy` at once, so that the caller can ask for a smaller page."""
    found: list[Any] = []
    reader.read_page(_address(path), what=what, json=json, check=_keeping(found, reader.config, shape, what))
    return found[0]


def _address(path: str) -> str:
    return path if path.startswith("/rest/") else API + path


def _keeping(
    found: list[Any], config: ConnectionConfig, shape: Any, what: str, accept: Callable[[Any], None] | None = None
) -> Callable[[requests.Response], None]:
    """What looks at an answer, and leaves it decoded in ``found``."""
    decode = partial(msgspec.json.decode, type=shape)

    def check(response: requests.Response) -> None:
        _refuse_error(response.content, config, what)
        found[:] = [readable(response.content, decode, config, what)]
        if accept is not None:
            accept(found[0])

    return check


def ask_if_there(
    reader: Reader, caller: Caller, path: str, shape: Any, *, what: str, params: Mapping[str, Any] | None = None
) -> Any:
    """As :func:`ask`; None where Jira has no such thing, or hides it from us.

    To a visitor it answers 404 as well. One that does not say to whom it was given is believed when it comes a second
    time, after we were told who we are.
    """
    is_believed = False
    while True:
        try:
            return ask(reader, path, shape, what=what, params=params)
        except ConnectionFailed as error:
            if not is_absent(error):
                raise
        if is_believed or not caller.is_unsure:
            return None
        caller.is_unsure, is_believed = False, True
        who_am_i(reader, reader.config)


class _Said(msgspec.Struct, frozen=True):
    """Whatever an answer says beside its data."""

    error: Any = None


def _refuse_error(content: bytes, config: ConnectionConfig, what: str) -> None:
    """Raise :class:`ConnectionFailed` where an answer carries an error: its data may be a part only, or none."""
    try:
        said = msgspec.json.decode(content, type=_Said)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return  # a list, or nothing readable
    if said.error:
        raise ConnectionFailed(
            f"{config.url} answered with success and an error ({what}): {redacted(said.error, config)}",
            where=Place(connection=config.name),
            mend="Jira may be too busy to finish its answers: try again, or raise max_attempts.",
        )


def readable(content: bytes, decode: Callable[[bytes], T], config: ConnectionConfig, what: str) -> T:
    """A JSON body decoded; :class:`ConnectionFailed` where it is none (a login page, a cut body)."""
    try:
        return decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConnectionFailed(
            f"{config.url} sent no readable answer ({what}): {error}",
            where=Place(connection=config.name),
            mend="Check that the address is the root of a Jira, not of a login page or proxy.",
        ) from None


def _zone(name: str, config: ConnectionConfig) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConnectionFailed(
            f"Jira says our user's time zone is “{name}”, which is not known here.",
            where=Place(connection=config.name),
            mend="Set the time zone in the integration user's profile, for example to UTC.",
        ) from None
