"""One request to the Jira API and its answer, independent of the web server that carries them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.addresses import whole
from connectors.sandbox.jira.administration.projects import ADMINISTRATORS
from connectors.sandbox.jira.catalogue import Flavour, Project
from connectors.sandbox.jira.clauses import Asker
from connectors.sandbox.jira.load import LoadedIssues
from connectors.sandbox.jira.model import Issue
from connectors.sandbox.jira.parts import Parts
from connectors.sandbox.jira.render import Renderer
from connectors.sandbox.jira.sight import Sight
from connectors.sandbox.jira.site import Site
from connectors.sandbox.users import Accounts

JSON = "application/json;charset=UTF-8"
_UTC = ZoneInfo("Etc/UTC")


class ApiError(Exception):
    """An answer other than 2xx, in Jira's own form."""

    def __init__(self, status: int, *messages: str, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(", ".join(messages) or str(errors))
        self.status = status
        self.messages = list(messages)
        self.errors = dict(errors or {})

    def answer(self) -> Answer:
        """The body Jira sends with it."""
        body = {"errorMessages": self.messages, "errors": self.errors}
        return Answer(self.status, msgspec.json.encode(body))

    def desk_answer(self) -> Answer:
        """The body Service Management sends with it: one message, and the key of its translations."""
        said = " ".join([*self.messages, *(f"{name}: {text}" for name, text in self.errors.items())])
        key = {"i18nKey": f"sd.error.{self.status}", "parameters": []}
        return Answer(self.status, msgspec.json.encode({"errorMessage": said, "i18nErrorMessage": key}))


@dataclass(slots=True)
class Answer:
    """Status, body and headers of a response."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Upload:
    """One file of a multipart request."""

    name: str
    media_type: str
    content: bytes


class Desk:
    """What answering needs besides the site: who may sign in, renderers per version and zone, searches under way, load
    mode's issues."""

    def __init__(self, site: Site, base: str, users: Accounts, loaded: LoadedIssues | None) -> None:
        self.site = site
        self.base = base
        self.loaded = loaded
        self.users = users
        self.searches: dict[str, Any] = {}
        self._parts: dict[str, Parts] = {}
        self._renderers: dict[tuple[str, str, Sight], Renderer] = {}

    def parts(self, version: str) -> Parts:
        """JSON parts of one API version."""
        if version not in self._parts:
            self._parts[version] = Parts(self.site, self.base, version)
        return self._parts[version]

    def renderer(self, version: str, zone: ZoneInfo, sight: Sight) -> Renderer:
        """The issue renderer of one API version and time zone, for those who see this much."""
        key = (version, str(zone), sight)
        if key not in self._renderers:
            self._renderers[key] = Renderer(self.parts(version), zone, sight)
        return self._renderers[key]


@dataclass(slots=True)
class Call:
    """A request: who asks what. ``params`` keeps every value of a repeated parameter; headers are in lower case."""

    desk: Desk
    account: Account | None
    version: str
    method: str
    params: Mapping[str, Sequence[str]]
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    uploads: tuple[Upload, ...] = ()

    @property
    def site(self) -> Site:
        """The site asked."""
        return self.desk.site

    @property
    def zone(self) -> ZoneInfo:
        """The caller's profile zone; UTC for the anonymous."""
        return self.account.zone if self.account is not None else _UTC

    @property
    def renderer(self) -> Renderer:
        """Renders in the caller's version and zone what the caller may see."""
        return self.desk.renderer(self.version, self.zone, self.sight)

    @property
    def parts(self) -> Parts:
        """JSON parts in the caller's version."""
        return self.desk.parts(self.version)

    @property
    def sight(self) -> Sight:
        """What the caller may see."""
        return Sight.of(self.site, self.account)

    @property
    def asker(self) -> Asker:
        """The caller, as JQL needs it."""
        return Asker(self.site, self.account, self.zone)

    def param(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        values = self.params.get(name)
        return values[0] if values else default

    def number(self, name: str, default: int) -> int:
        """A query parameter that is a place, a size or an instant: a negative one counts as 0."""
        text = self.param(name)
        if not text:
            return default
        found = whole(text.removeprefix("-"))
        if found is None:
            raise ApiError(400, f"The value '{text}' of the parameter '{name}' is not a number.")
        return 0 if text.startswith("-") else found

    def names(self, name: str) -> tuple[str, ...]:
        """A parameter that lists names, repeated or separated by commas."""
        return tuple(part.strip() for value in self.params.get(name, ()) for part in value.split(",") if part.strip())

    def page(self, everything: list[dict[str, Any]], size: int = 50) -> dict[str, Any]:
        """The page asked for by ``startAt`` and ``maxResults``, as most lists are told."""
        start, size = self.number("startAt", 0), self.number("maxResults", size)
        shown = everything[start : start + size]
        is_last = start + size >= len(everything)
        return {"maxResults": size, "startAt": start, "total": len(everything), "isLast": is_last, "values": shown}

    def document(self) -> dict[str, Any]:
        """The JSON object sent; 400 when the body is none."""
        value = self.json()
        if not isinstance(value, dict):
            raise ApiError(400, "Invalid request payload. Refer to the REST API documentation and try again.")
        return value

    def json(self) -> Any:
        """The JSON sent; 400 when the body is none."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ApiError(400, f"Can not deserialize the request body: {error}") from None

    def signed_in(self) -> Account:
        """The caller's account; 401 for the anonymous."""
        if self.account is None:
            raise ApiError(401, "Client must be authenticated to access this resource.")
        return self.account

    def writer(self) -> Account:
        """The caller's account, if it may write; else 401 or 403."""
        account = self.signed_in()
        if not account.may_write:
            raise ApiError(403, "You do not have permission to edit issues in this project.")
        return account

    def refuse_forgery(self) -> None:
        """403 for an upload that a page in a browser could have sent: one without ``X-Atlassian-Token: no-check``."""
        if self.headers.get("x-atlassian-token") not in ("no-check", "nocheck"):
            raise ApiError(403, "XSRF check failed")

    def only_on(self, flavour: Flavour) -> None:
        """404, as of an address that there is not, on the other flavour."""
        if self.site.flavour is not flavour:
            raise ApiError(404, "null for uri: this product does not have the resource.")

    def administrator(self) -> Account:
        """The caller's account, if it administers the site; else 401 or 403."""
        account = self.signed_in()
        if not account.is_admin:
            raise ApiError(403, "You are not authorized to perform this operation. Administrator privileges required.")
        return account

    def project_administrator(self, project: Project) -> Account:
        """The caller's account, if it administers this project; else 401 or 403."""
        account = self.signed_in()
        if not self.administers(project):
            raise ApiError(403, f"You must have administrator rights for the project '{project.key}'.")
        return account

    def administers(self, project: Project) -> bool:
        """Whether the caller administers the site, or has the project's role of administrators."""
        account, site = self.account, self.site
        if account is None:
            return False
        actors = site.projects.details(project).actors(ADMINISTRATORS)
        return account.is_admin or site.groups.reach(actors, account)

    def readable(self, id_or_key: str) -> Issue:
        """An issue by id or key; 404 when it does not exist or is hidden."""
        found = self.sight.issue(id_or_key)
        if found is None:
            raise ApiError(404, "Issue does not exist or you do not have permission to see it.")
        return found

    def issue(self, id_or_key: str) -> Issue:
        """The same; to change one that is archived is refused (403)."""
        found = self.readable(id_or_key)
        if self.method != "GET" and found.id in self.site.unlisted:
            raise ApiError(403, f"The issue {found.key} is archived and cannot be changed.")
        if self.method != "GET":
            self.site.leave_indexed(found)
        return found


Handler = Callable[..., Answer]


def json_answer(value: Any, status: int = 200) -> Answer:
    """An answer whose body is a plain Python value."""
    return Answer(status, msgspec.json.encode(value))


def text_answer(text: str, status: int = 200) -> Answer:
    """An answer whose body is JSON text already."""
    return Answer(status, text.encode())


def no_content() -> Answer:
    """204, as most writes answer."""
    return Answer(204)
