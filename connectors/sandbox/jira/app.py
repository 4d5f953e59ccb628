"""The Jira platform as the sandbox server plugs it in: aiohttp requests to :class:`JiraApi` and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from aiohttp import web

from connectors.sandbox.jira import events
from connectors.sandbox.jira.accounts import of_user
from connectors.sandbox.jira.api import JiraApi
from connectors.sandbox.jira.calls import Answer, ApiError, Upload
from connectors.sandbox.jira.catalogue import Flavour
from connectors.sandbox.jira.limits import Limits
from connectors.sandbox.jira.load import LoadedIssues
from connectors.sandbox.jira.oauth import CLOUD_ID, ConsentOffice
from connectors.sandbox.jira.record_room import RecordRoom
from connectors.sandbox.jira.site import Site
from connectors.sandbox.multipart import parts_of
from connectors.sandbox.plugin import Flavour as PortFlavour
from connectors.sandbox.plugin import SandboxConfig, first_clock
from connectors.sandbox.users import Accounts, accounts_of
from connectors.sandbox.world import World

GATEWAY = f"/ex/jira/{CLOUD_ID}"
FLAVOURS: dict[str, Flavour] = {"jira_cloud": Flavour.CLOUD, "jira_dc": Flavour.DATA_CENTER}


def build(world: World, config: SandboxConfig, flavour: PortFlavour) -> JiraApp:
    """The Jira of one port."""
    loaded = LoadedIssues(config.load_records) if config.load_records else None
    return JiraApp(world, FLAVOURS[flavour], now=first_clock(world, config), loaded=loaded)


class JiraApp:
    """One Jira site behind aiohttp. Links in answers point to the address the request came in on."""

    def __init__(self, world: World, flavour: Flavour, *, now: datetime, loaded: LoadedIssues | None = None) -> None:
        users = accounts_of(world)
        self._users = Accounts(users)
        self.site = Site(world, flavour=flavour, accounts=[of_user(user) for user in users], now=int(now.timestamp()))
        self._loaded = loaded
        self._apis: dict[str, JiraApi] = {}
        self._limits = Limits()
        self._consents = ConsentOffice(self._users)

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Everything below ``/rest/``, and the pages that links to issues lead to."""
        return [
            web.route("*", "/rest/{path:.*}", self._answer),
            *RecordRoom(self.site).routes(),
            *(self._gateway() if self.site.flavour is Flavour.CLOUD else ()),
        ]

    def _gateway(self) -> Iterable[web.AbstractRouteDef]:
        """Of Cloud only: where tokens come from, and where they count."""
        yield web.post("/oauth/token", self._consents.issue)
        yield web.get("/oauth/token/accessible-resources", self._consents.resources)
        yield web.route("*", f"/ex/jira/{CLOUD_ID}/rest/{{path:.*}}", self._answer_through_gateway)

    def advance(self, now: datetime) -> None:
        """Show what the world has done until ``now``."""
        self.site.advance(int(now.timestamp()))

    def stats(self) -> Mapping[str, Any]:
        """Issues by project and type."""
        counted = Counter(f"{issue.project.key} {issue.type.name}" for issue in self.site.ordered())
        limits = {"points": self._limits.points, "refused": self._limits.refused}
        tokens = {"tokens_issued": self._consents.issued_count}
        loaded = {"loaded": self._loaded.count} if self._loaded is not None else {}
        return {"issues": len(self.site), **loaded, **dict(sorted(counted.items())), **limits, **tokens}

    def error(self, status: int, message: str) -> web.Response:
        """An error in Jira's format."""
        return _response(ApiError(status, message).answer())

    def configure(self, options: Mapping[str, Any]) -> None:
        """See :mod:`connectors.sandbox.jira.quirks`; ``expire_tokens`` and ``expire_refresh_tokens`` end OAuth's."""
        options = dict(options)
        expired = [options.pop(name, False) for name in ("expire_tokens", "expire_refresh_tokens")]
        self._consents.expire(access=expired[0], refresh=expired[1])
        self.site.quirks = self.site.quirks.changed(options)
        self.site.version += 1  # kept searches may answer otherwise now
        if "hourly_points" in options:
            self._limits.begin_anew()
        if "limits_issue_writes" in options:
            self._limits.forget_writes()

    def disturb(self, table: str, records: int) -> None:
        """Somebody changes the issues that come first in the order of their update time."""
        events.touch_first(self.site, records)

    def happen(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """See :mod:`connectors.sandbox.jira.events`."""
        return events.happen(self.site, event)

    async def _answer_through_gateway(self, request: web.Request) -> web.Response:
        username = self._consents.user_of(request.headers.get("Authorization", ""))
        if username is None:
            return web.json_response({"code": 401, "message": "Unauthorized"}, status=401)
        return await self._answer(request, through_gateway=username)

    async def _answer(self, request: web.Request, through_gateway: str | None = None) -> web.Response:
        path = request.path.removeprefix(GATEWAY)
        quirks = self.site.quirks
        refused = self._limits.refusal(
            request.method,
            path,
            hourly_points=quirks.hourly_points,
            limits_issue_writes=quirks.limits_issue_writes,
        )
        if refused is not None:
            return _response(refused)
        answer = await self._answered(request, path, through_gateway)
        if quirks.hourly_points:
            self._limits.count(request.method, path, answer)
        return _response(answer)

    async def _answered(self, request: web.Request, path: str, through_gateway: str | None) -> Answer:
        body = b""
        uploads: tuple[Upload, ...] = ()
        if request.content_type.startswith("multipart/"):
            uploads = await _uploads(request)
        else:
            body = await request.read()  # a fault may have read it before: then it is kept
        params: dict[str, list[str]] = {}
        for name, value in request.query.items():
            params.setdefault(name, []).append(value)
        return self._api(f"{request.scheme}://{request.host}").handle(
            request.method,
            path,
            params=params,
            headers=request.headers,
            body=body,
            uploads=uploads,
            through_gateway=through_gateway,
        )

    def _api(self, base: str) -> JiraApi:
        api = self._apis.get(base)
        if api is None:
            api = self._apis[base] = JiraApi(self.site, base, self._users, self._loaded)
        return api


async def _uploads(request: web.Request) -> tuple[Upload, ...]:
    return tuple(
        Upload(part.file_name, part.media_type, part.content)
        for part in await parts_of(request)
        if part.name == "file" and part.file_name is not None
    )


def _response(answer: Answer) -> web.Response:
    headers = {"X-AREQUESTID": "1x1x1", **answer.headers}
    if answer.status != 204 and answer.body:
        headers["Content-Type"] = answer.content_type
    return web.Response(status=answer.status, body=answer.body, headers=headers)
