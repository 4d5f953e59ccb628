"""Pre-rendered Jira pages: a process of its own that is never the bottleneck of a pull.

Serves any number of issues made of a few hundred real ones of the sandbox: each issue's bytes are kept in pieces
around its id, key and update time, so a page costs one join. Everything that is no search goes to the sandbox behind
it. (ServiceNow pages come from the sandbox's own load mode, which slices them out of a memory-mapped file.)

``python -m bench.page_server UPSTREAM COUNT`` prints the port it listens on.
"""

from __future__ import annotations

import asyncio
import re
import sys
from datetime import date, timedelta
from functools import lru_cache

import msgspec
from aiohttp import ClientSession, web

TEMPLATES = 500
FIRST_DAY = date(2024, 1, 1)
APART_S, DAY_S = 7, 86_400
FIRST_ID = 1_000_000
CHANGING = re.compile(rb'(?<="id":")\d+(?=","self")|(?<="key":"OPS-)\d+|(?<="updated":")[^"]+|(?<=/issue/)\d+')
BOUNDS = re.compile(r' AND updated (?:<|>=) "[^"]*"')
BREACHED = "everBreached()"
FIELDS_OF_PAGE = msgspec.json.Decoder(dict[str, msgspec.Raw])
Template = list[bytes | int]  # pieces of bytes; 0, 1, 2 stand for id, key number, update time
Key = tuple[str, str]


class IssuePages:
    """One page per search request, whatever its query: issue ``n`` is the n-th of ``count``."""

    def __init__(self, upstream: str, count: int) -> None:
        self.upstream = upstream
        self.count = count
        self._templates: dict[Key, list[Template]] = {}

    async def search(self, request: web.Request) -> web.Response:
        """``GET`` or ``POST /rest/api/{2,3}/search/jql``."""
        asked = await request.json() if request.method == "POST" else dict(request.query)
        fields = asked.get("fields", "*all")
        key = (fields if isinstance(fields, str) else ",".join(fields), str(asked.get("expand", "")))
        if key not in self._templates:
            self._templates[key] = await self._fetch(request, str(asked["jql"]), key)
        begin = int(asked.get("nextPageToken") or 0)
        end = min(self.count, begin + int(asked.get("maxResults", 100)))
        issues = b",".join(self._issue(self._templates[key], index) for index in range(begin, end))
        tail = b'],"isLast":true}' if end >= self.count else b'],"isLast":false,"nextPageToken":"%d"}' % end
        return web.Response(body=b'{"issues":[' + issues + tail, content_type="application/json")

    async def counted(self, request: web.Request) -> web.Response:
        """``POST /rest/api/{2,3}/search/approximate-count``: of all there are; of some of them the sandbox tells."""
        asked = await request.json()
        if BREACHED in str(asked["jql"]):
            return await self.elsewhere(request)
        return web.json_response({"count": self.count})

    async def elsewhere(self, request: web.Request) -> web.Response:
        """Any other request, answered by the sandbox."""
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        url = self.upstream + request.path_qs
        body = await request.read()
        async with (
            ClientSession() as session,
            session.request(request.method, url, data=body, headers=headers) as found,
        ):
            return web.Response(body=await found.read(), status=found.status, content_type=found.content_type)

    def _issue(self, templates: list[Template], index: int) -> bytes:
        minutes, seconds = divmod(APART_S * index % DAY_S, 60)
        at = b"%sT%02d:%02d:%02d.000+0000" % (_day(APART_S * index // DAY_S), minutes // 60, minutes % 60, seconds)
        values = (b"%d" % (FIRST_ID + index), b"%d" % (index + 1), at)
        return b"".join(
            values[piece] if isinstance(piece, int) else piece for piece in templates[index % len(templates)]
        )

    async def _fetch(self, request: web.Request, jql: str, key: Key) -> list[Template]:
        """Real issues with these fields, taken apart."""
        found: list[Template] = []
        body: dict[str, object] = {
            "jql": BOUNDS.sub("", jql),
            "fields": key[0].split(","),
            "maxResults": 100,
        }
        if key[1]:
            body["expand"] = key[1]
        headers = {"Authorization": request.headers.get("Authorization", "")}
        async with ClientSession(headers=headers) as session:
            while len(found) < TEMPLATES:
                async with session.post(f"{self.upstream}/rest/api/3/search/jql", json=body) as answer:
                    page = FIELDS_OF_PAGE.decode(await answer.read())
                found += [_apart(bytes(raw)) for raw in msgspec.json.decode(page["issues"], type=list[msgspec.Raw])]
                if "nextPageToken" not in page:
                    break
                body["nextPageToken"] = msgspec.json.decode(page["nextPageToken"])
        return found


@lru_cache(maxsize=8)
def _day(number: int) -> bytes:
    return (FIRST_DAY + timedelta(days=number)).isoformat().encode()


def _apart(raw: bytes) -> Template:
    """An issue's bytes around what must differ from issue to issue (changelog and SLA ids stay)."""
    own = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    kinds = {msgspec.json.decode(own["id"], type=str).encode(): 0}
    if "key" in own:  # a list of ids has none
        kinds[msgspec.json.decode(own["key"], type=str).partition("-")[2].encode()] = 1
    pieces: Template = []
    last = 0
    for match in CHANGING.finditer(raw):
        kind = kinds.get(match[0], 2 if raw[: match.start()].endswith(b'"updated":"') else None)
        if kind is not None:
            pieces += [raw[last : match.start()], kind]
            last = match.end()
    return [*pieces, raw[last:]]


async def _serve(upstream: str, count: int) -> None:
    pages = IssuePages(upstream, count)
    app = web.Application(client_max_size=2**24)
    for version in "23":
        app.router.add_route("*", f"/rest/api/{version}/search/jql", pages.search)
        app.router.add_route("POST", f"/rest/api/{version}/search/approximate-count", pages.counted)
    app.router.add_route("*", "/{path:.*}", pages.elsewhere)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
