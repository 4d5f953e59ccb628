"""The parts of a multipart request, also of one whose body a fault has read already."""

from __future__ import annotations

from aiohttp import MultipartReader, StreamReader, web


async def parts_of(request: web.Request) -> MultipartReader:
    """The parts, in order. The whole body is read first; read before, it is kept."""
    body = await request.read()
    stream = StreamReader(request.protocol, limit=len(body) + 1)
    stream.feed_data(body)
    stream.feed_eof()
    return MultipartReader(request.headers, stream)
