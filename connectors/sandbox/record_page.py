"""A record as people see it in a browser: so that the links Regelkreis keeps lead somewhere.

The platforms' own pages are theirs; this one shows what was written, plainly, and changes nothing. It asks for no
credentials: the sandbox listens on loopback and holds only made-up data.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

SHOWN_IMAGES = frozenset({"image/svg+xml", "image/png"})
SHOWN_TEXTS = frozenset({"application/json", "text/plain"})
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: .2rem 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
small, dt { color: GrayText; }
dl { display: grid; grid-template-columns: minmax(8rem, 14rem) 1fr; gap: .3rem 1rem; margin: 0; }
dd { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
article { border-left: 3px solid #8884; padding: .1rem 0 .1rem 1rem; margin: 1rem 0; }
p, pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .2rem 0; }
img { max-width: 100%; background: #fff; }
"""


@dataclass(frozen=True, slots=True)
class Note:
    """A comment or work note."""

    author: str
    at: str
    text: str


@dataclass(frozen=True, slots=True)
class File:
    """An attachment."""

    name: str
    media_type: str
    content: bytes


def record_page(
    platform: str, title: str, *, facts: Sequence[tuple[str, str]], notes: Sequence[Note], files: Sequence[File]
) -> web.Response:
    """The page of one record: its fields as (label, value), its notes, its files."""
    heading = html.escape(title)
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{heading}</title><style>{STYLE}</style>",
        f"<body><small>{html.escape(platform)} (sandbox)</small><h1 dir=auto>{heading}</h1><dl>",
        *(f"<dt>{html.escape(label)}</dt><dd dir=auto>{html.escape(value)}</dd>" for label, value in facts),
        "</dl>",
        *(["<h2>Notes</h2>"] if notes else []),
        *(
            f"<article><small>{html.escape(note.author)}, {html.escape(note.at)}</small>"
            f"<p dir=auto>{html.escape(note.text)}</p></article>"
            for note in notes
        ),
        *(["<h2>Files</h2>"] if files else []),
        *(_file(file) for file in files),
    ]
    return web.Response(
        text="".join(parts), content_type="text/html", charset="utf-8", headers={"Content-Security-Policy": POLICY}
    )


def no_such_page(platform: str, name: str) -> web.Response:
    """What a link to nothing shows."""
    response = record_page(platform, f"There is no record {name}", facts=[], notes=[], files=[])
    response.set_status(404)
    return response


def _file(file: File) -> str:
    name = html.escape(file.name)
    if file.media_type in SHOWN_IMAGES:
        data = base64.b64encode(file.content).decode()
        source = f"data:{file.media_type};base64,{data}"
        return f"<figure><figcaption>{name}</figcaption><img alt='{name}' src='{source}'></figure>"
    if file.media_type in SHOWN_TEXTS:
        text = html.escape(file.content.decode("utf-8", "replace"))
        return f"<details><summary>{name}</summary><pre>{text}</pre></details>"
    return f"<p>{name} ({len(file.content):,} bytes)</p>"
