"""Records that people made on a platform themselves: each is read by the address at which they open it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

import msgspec

from improvement.records import PlatformState, RecordRef

DEFAULT_PORT = {"http": 80, "https": 443}


class Existing(msgspec.Struct, frozen=True, kw_only=True):
    """An improvement record that we did not create, as it stands.

    ``service`` is its name as tickets carry it. ``mark``: the id of the action whose trace it carries, like ``ACT-7``,
    or ''; ``installation``: whose action that is, '' where the trace does not tell. ``standing``: what stands in the
    fields that we would keep current, by our names.
    """

    ref: RecordRef
    title: str
    opened_at: datetime | None
    service: str | None
    mark: str
    installation: str = ""
    state: PlatformState
    standing: dict[str, str] = {}


@runtime_checkable
class ReadsExisting(Protocol):
    """A connector that finds a record by its address. Not part of what every connector must keep."""

    def existing(self, url: str) -> Existing | None:
        """The record behind an address; None where the address is of another site. Reads only.

        Raises
        ------
        InputError
            The address is of this site, but leads to no improvement record that we can see.
        """
        ...


def below(url: str, root: str) -> str | None:
    """What of an address comes after a site's root, from its first slash on; None where it is of another site.

    Host and port decide, in any case and with the scheme's own port; so does a context path, segment by segment.
    """
    try:
        asked, site = urlsplit(url.strip()), urlsplit(root)
        places = [(part.hostname, part.port or DEFAULT_PORT.get(part.scheme)) for part in (asked, site)]
    except ValueError:  # no number after the colon, or brackets that do not match
        return None
    context = site.path.rstrip("/")
    if asked.scheme not in DEFAULT_PORT or places[0] != places[1] or not f"{asked.path}/".startswith(f"{context}/"):
        return None
    rest = asked.path[len(context) :] or "/"
    return f"{rest}?{asked.query}" if asked.query else rest
