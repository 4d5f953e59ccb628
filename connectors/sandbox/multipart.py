"""The parts of a multipart request, also of one whose body a fault has read already."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import BodyPartReader, MultipartReader, StreamReader, web
from aiohttp.http_exceptions import BadHttpMessage


@dataclass(frozen=True, slots=True)
class Part:
    """One part: a field of a form, or a file where it has a file name."""

    name: str
    file_name: str | None
    media_type: str
    content: bytes


async def parts_of(request: web.Request) -> list[Part]:
    """The parts, in order; what is nested in one is left out. Raises HTTPBadRequest for a body that is none."""
    body = await request.read()  # read before, it is kept
    stream = StreamReader(request.protocol, limit=len(body) + 1)
    stream.feed_data(body)
    stream.feed_eof()
    try:
        return [
            Part(
                part.name or "",
                part.filename,
                part.headers.get("Content-Type", "application/octet-stream"),
                bytes(await part.read(decode=False)),
            )
            async for part in MultipartReader(request.headers, stream)
            if isinstance(part, BodyPartReader)
        ]
    except (ValueError, AssertionError, BadHttpMessage) as error:
        raise web.HTTPBadRequest(reason="The multipart body cannot be read") from error
