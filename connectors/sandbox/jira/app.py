"""The Jira platform as the sandbox server plugs it in: aiohttp requests to :class:`JiraApi` and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from aiohttp import BodyPartReader, web

from connectors.sandbox.jira import events
from connectors.sandbox.jira.accounts import of_user
from connectors.sandbox.jira.api import JiraApi
from connectors.sandbox.jira.calls import Answer, ApiError, Upload
from connectors.sandbox.jira.catalogue import Flavour
from connectors.sandbox.jira.record_room import RecordRoom
from connectors.sandbox.jira.site import Site
from connectors.sandbox.plugin import Flavour as PortFlavour
from connectors.sandbox.plugin import SandboxConfig, first_clock
from connectors.sandbox.users import Accounts, accounts_of
from connectors.sandbox.world import World

FLAVOURS: dict[str, Flavour] = {"jira_cloud": Flavour.CLOUD, "jira_dc": Flavour.DATA_CENTER}


def build(world: World, config: SandboxConfig, flavour: PortFlavour) -> JiraApp:
    """The Jira of one port."""
    return JiraApp(world, FLAVOURS[flavour], now=first_clock(world, config))


class JiraApp:
    """One Jira site behind aiohttp. Links in answers point to the address the request came in on."""

    def __init__(self, world: World, flavour: Flavour, *, now: datetime) -> None:
        users = accounts_of(world)
        self._users = Accounts(users)
        self.site = Site(world, flavour=flavour, accounts=[of_user(user) for user in users], now=int(now.timestamp()))
        self._apis: dict[str, JiraApi] = {}

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Everything below ``/rest/``, and the pages that links to issues lead to."""
        return [web.route("*", "/rest/{path:.*}", self._answer), *RecordRoom(self.site).routes()]

    def advance(self, now: datetime) -> None:
        """Show what the world has done until ``now``."""
        self.site.advance(int(now.timestamp()))

    def stats(self) -> Mapping[str, Any]:
        """Issues by project and type."""
        counted = Counter(f"{issue.project.key} {issue.type.name}" for issue in self.site.ordered())
        return {"issues": len(self.site), **dict(sorted(counted.items()))}

    def error(self, status: int, message: str) -> web.Response:
        """An error in Jira's format."""
        return _response(ApiError(status, message).answer())

    def configure(self, options: Mapping[str, Any]) -> None:
        """See :mod:`connectors.sandbox.jira.quirks`."""
        self.site.quirks = self.site.quirks.changed(options)

    def disturb(self, table: str, records: int) -> None:
        """Somebody changes the issues that come first in the order of their update time."""
        events.touch_first(self.site, records)

    def happen(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """See :mod:`connectors.sandbox.jira.events`."""
        return events.happen(self.site, event)

    async def _answer(self, request: web.Request) -> web.Response:
        body = b""
        uploads: tuple[Upload, ...] = ()
        if request.content_type.startswith("multipart/"):
            uploads = await _uploads(request)
        else:
            body = await request.read()  # a fault may have read it before: then it is kept
        params: dict[str, list[str]] = {}
        for name, value in request.query.items():
            params.setdefault(name, []).append(value)
        answer = self._api(f"{request.scheme}://{request.host}").handle(
            request.method, request.path, params=params, headers=request.headers, body=body, uploads=uploads
        )
        return _response(answer)

    def _api(self, base: str) -> JiraApi:
        api = self._apis.get(base)
        if api is None:
            api = self._apis[base] = JiraApi(self.site, base, self._users)
        return api


async def _uploads(request: web.Request) -> tuple[Upload, ...]:
    found = []
    reader = await request.multipart()
    async for part in reader:
        if not isinstance(part, BodyPartReader) or part.name != "file" or part.filename is None:
            continue
        name, content = part.filename, bytes(await part.read(decode=False))
        found.append(Upload(name, part.headers.get("Content-Type", "application/octet-stream"), content))
    return tuple(found)


def _response(answer: Answer) -> web.Response:
    headers = {"X-AREQUESTID": "1x1x1", **answer.headers}
    if answer.status != 204 and answer.body:
        headers["Content-Type"] = answer.content_type
    return web.Response(status=answer.status, body=answer.body, headers=headers)
