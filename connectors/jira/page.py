"""One page of a search: what it tells of itself, and its issues as whoever searches wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)
OFFSET = 5  # characters: +0000
SECOND = len("2026-03-02T12:00:00")


class _Updated(msgspec.Struct, frozen=True, gc=False):
    updated: str


class Head(msgspec.Struct, frozen=True, gc=False):
    """As much of an issue as paging needs to know."""

    id: str
    fields: _Updated


class _Told(msgspec.Struct, frozen=True, rename="camel"):
    """What stands beside the issues of a page."""

    next_page_token: str | None = None
    is_last: bool | None = None
    total: int | None = None
    error: Any = None


class _Heads(_Told, frozen=True):
    issues: list[Head] | None = None


HEADS: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_Heads)


def page_decoder(issue: type[msgspec.Struct]) -> msgspec.json.Decoder[Any]:
    """A decoder of pages that hold such issues; each must have the members of a :class:`Head`."""
    issues: Any = ("issues", list[issue] | None, None)  # type: ignore[valid-type]
    return msgspec.json.Decoder(msgspec.defstruct("Page", [issues], bases=(_Told,), frozen=True))


@dataclass(frozen=True, slots=True)
class Delivered:
    """Some issues, and up to which update time all was delivered with them.

    ``undecoded``: the body they stand in, where not all of them have the shape that was asked for: then ``issues`` are
    mere heads. ``reached`` None: the page does not tell, because each of its issues was changed since the search put
    it there.
    """

    issues: Sequence[Any]
    reached: datetime | None
    undecoded: bytes | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A page as it came: decoded at once as the search wants it, or, where that fails, with heads for issues."""

    page: Any
    undecoded: bytes | None = None

    @classmethod
    def of(cls, body: bytes, decoder: msgspec.json.Decoder[Any]) -> Seen:
        """Decode a body. Raises :data:`UNREADABLE` where it is no page at all."""
        try:
            return cls(decoder.decode(body))
        except UNREADABLE:
            return cls(HEADS.decode(body), body)

    @property
    def issues(self) -> Sequence[Any]:
        """Its issues."""
        return self.page.issues or ()

    @property
    def lack(self) -> str:
        """What it lacks to be believed, so that an answer to something else is not taken for the end; else ""."""
        page = self.page
        if page.issues is None:
            return "an answer without issues"
        if page.is_last is False and not page.next_page_token:
            return "a page that is not the last and names no next one"
        return ""

    def delivered(self, bound: datetime | None) -> Delivered:
        """What is handed on; an issue updated from ``bound`` on may not stand in its place."""
        return Delivered(self.issues, reached([issue.fields.updated for issue in self.issues], bound), self.undecoded)

    def is_all_after(self, instant: datetime, bound: datetime | None) -> bool:
        """Whether it has issues in their place, and all of them were updated after an instant."""
        if not self.issues or updated_at(self.issues[0]) <= instant:
            return False
        in_place = [at for at in map(updated_at, self.issues) if bound is None or at < bound]
        return bool(in_place) and min(in_place) > instant


def updated_at(issue: Any) -> datetime:
    """When an issue was updated (UTC)."""
    return _instant(issue.fields.updated)


def reached(texts: Sequence[str], bound: datetime | None) -> datetime | None:
    """Up to when everything was delivered with a page, by the update times of the issues that stand in their place.

    An index that lags behind shows an issue in its old place with its new update time. Whoever went on from that time
    would skip all between. So times from ``bound`` on tell nothing, and the last one only what the one before confirms.
    The index knows seconds (Jira's ``LuceneUtils.dateToString``): within one, milliseconds are in no order.
    """
    if _sort_as_texts(texts) and (bound is None or _instant(max(texts)) < bound):
        seconds = [text[:SECOND] for text in texts]
        return _instant(min(texts[-2:] if seconds == sorted(seconds) else texts))
    told = [at for at in map(_instant, texts) if bound is None or at < bound]
    if not told:
        return None
    is_ordered = all(one <= other for one, other in pairwise(at.replace(microsecond=0) for at in told))
    return min(told[-2:] if is_ordered else told)


def _sort_as_texts(texts: Sequence[str]) -> bool:
    """Whether these times can be compared without reading them: written alike, with one offset."""
    return len({(len(text), text[-OFFSET:]) for text in texts}) == 1


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
