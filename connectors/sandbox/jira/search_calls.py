"""Search: by token on Cloud, by offset on Data Center."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from connectors.sandbox.jira import bodies, jql, searching
from connectors.sandbox.jira.addresses import whole
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, text_answer
from connectors.sandbox.jira.catalogue import Flavour
from connectors.sandbox.jira.model import Issue
from connectors.sandbox.jira.render import CHANGELOG_IN_SEARCHES

MAX_PAGE = 100
MAX_ID_PAGE = 5_000
MAX_DC_PAGE = 1_000
KEPT_SEARCHES = 64
_NO_TOKEN = "The provided next page token is invalid or expired."
_NO_CONDITION = re.compile(r"\s*(order\s+by\b|$)", re.IGNORECASE)
_ID_ONLY = frozenset({"id", "key"})
_REMOVED = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. "
    "A full migration guide is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)


@dataclass(slots=True)
class KeptSearch:
    """A search under way: the ids it found when it began, so that its pages neither skip nor repeat."""

    digest: str
    ids: list[int]
    indexed: Mapping[int, Issue | None] = field(default_factory=dict)  # what a lagging index held instead


@dataclass(frozen=True, slots=True)
class Asked:
    """What a search asks for, from the query string or the body."""

    jql: str
    fields: tuple[str, ...]
    expand: tuple[str, ...]
    token: str
    start: int
    size: int | None
    reconcile: tuple[str, ...]


def search_jql(call: Call) -> Answer:
    """``GET|POST /search/jql`` (Cloud): pages by token, no total, ids only unless fields are named."""
    call.only_on(Flavour.CLOUD)
    asked = _asked(call)
    _must_be_bounded(asked.jql)
    if asked.size is not None and not 1 <= asked.size <= MAX_ID_PAGE:
        raise ApiError(400, "The max results parameter has to be between 1 and 5,000.")
    if len(asked.reconcile) > 50:
        raise ApiError(400, "The maximum number of issues to reconcile is 50.")
    is_light = set(asked.fields) <= _ID_ONLY and not asked.expand
    limit = MAX_ID_PAGE if is_light else MAX_PAGE
    size = min(asked.size if asked.size is not None else 50, limit)
    loaded = _loaded(call, asked.jql)
    if loaded is not None:
        return _loaded_by_token(call, asked, loaded, size, is_light)
    name, start, kept = _kept(call, asked)
    ids = kept.ids[start : start + size]
    found = {issue.id: issue for issue in map(call.sight.by_id, ids) if issue is not None}
    if is_light:  # these come from the index, which may still hold what was deleted
        found |= {id: issue for id in ids if id not in found and (issue := kept.indexed.get(id)) is not None}
    issues = [found[id] for id in ids if id in found]
    is_last = start + size >= len(kept.ids)
    texts = _issue_texts(call, issues, asked, is_light)
    if is_last:
        return _page('{"issues":[', texts, '],"isLast":true}')
    return _page('{"issues":[', texts, f'],"nextPageToken":"{_token(name, start + size)}","isLast":false}}')


def search(call: Call) -> Answer:
    """``GET|POST /search``: gone on Cloud; on Data Center pages by startAt, with a total."""
    if call.site.flavour is Flavour.CLOUD:
        raise ApiError(410, _REMOVED)
    asked = _asked(call)
    loaded = _loaded(call, asked.jql)
    if loaded is not None:
        return _loaded_by_offset(call, asked, loaded)
    lagging = call.site.lagging(frozenset())  # a node's index may lag behind another node's writes
    if asked.size == 0 and not lagging:
        total = _counted(call, asked.jql)
        return text_answer(f'{{"startAt":{asked.start},"maxResults":0,"total":{total},"issues":[]}}')
    found = [issue.id for issue in _matching(call, asked.jql, lagging)] if lagging else _found(call, asked.jql)
    size = min(asked.size if asked.size is not None else 50, MAX_DC_PAGE)
    shown = found[asked.start : asked.start + size]
    issues = call.site.known(shown)
    return _page(_offset_head(asked, size, len(found)), _issue_texts(call, issues, asked, False), "]}")


def approximate_count(call: Call) -> Answer:
    """``POST /search/approximate-count`` (Cloud)."""
    call.only_on(Flavour.CLOUD)
    text = str(call.document().get("jql") or "")
    _must_be_bounded(text)
    loaded = _loaded(call, text)
    return json_answer({"count": _length(loaded) if loaded is not None else _counted(call, text)})


def _must_be_bounded(text: str) -> None:
    """Cloud refuses a search without a condition; an order is none."""
    if _NO_CONDITION.match(text):
        raise ApiError(
            400, "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
        )


# --- load mode ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A search that load mode answers: its query, and the first and last (exclusive) issue it finds."""

    query: jql.Query
    span: tuple[int, int]


def _loaded(call: Call, text: str) -> _Loaded | None:
    issues = call.desk.loaded
    if issues is None:
        return None
    query = jql.parse(text)
    span = issues.span(query, call.asker)
    return _Loaded(query, span) if span is not None else None


def _length(loaded: _Loaded) -> int:
    return loaded.span[1] - loaded.span[0]


def _loaded_by_token(call: Call, asked: Asked, loaded: _Loaded, size: int, is_light: bool) -> Answer:
    digest = hashlib.sha256(asked.jql.encode()).hexdigest()[:16]
    start = 0
    if asked.token:
        name, start = _told(asked.token)
        if name != digest:
            raise ApiError(400, _NO_TOKEN)
    texts = _loaded_texts(call, asked, loaded, start, size, is_light)
    if start + size >= _length(loaded):
        return _page('{"issues":[', texts, '],"isLast":true}')
    return _page('{"issues":[', texts, f'],"nextPageToken":"{_token(digest, start + size)}","isLast":false}}')


def _loaded_by_offset(call: Call, asked: Asked, loaded: _Loaded) -> Answer:
    size = min(asked.size if asked.size is not None else 50, MAX_DC_PAGE)
    texts = _loaded_texts(call, asked, loaded, asked.start, size, False)
    return _page(_offset_head(asked, size, _length(loaded)), texts, "]}")


def _loaded_texts(call: Call, asked: Asked, loaded: _Loaded, start: int, size: int, is_light: bool) -> list[bytes]:
    issues = call.desk.loaded
    assert issues is not None
    begin = min(loaded.span[0] + start, loaded.span[1])
    span = (begin, min(begin + size, loaded.span[1]))
    if is_light:
        return issues.ids(span, with_key="key" in asked.fields)
    changes = CHANGELOG_IN_SEARCHES if "changelog" in asked.expand else 0
    fields = _fields(call, asked)
    return issues.texts(loaded.query, call.asker, call.renderer, fields, changes=changes, span=span)


# --- in common ------------------------------------------------------------------------------------------------


def _offset_head(asked: Asked, size: int, total: int) -> str:
    return f'{{"expand":"schema,names","startAt":{asked.start},"maxResults":{size},"total":{total},"issues":['


def _token(name: str, start: int) -> str:
    return base64.urlsafe_b64encode(f"{name}:{start}".encode()).decode().rstrip("=")


def _told(token: str) -> tuple[str, int]:
    try:
        name, _, written = base64.urlsafe_b64decode(token + "==").decode().partition(":")
    except ValueError:
        raise ApiError(400, _NO_TOKEN) from None
    start = whole(written)
    if start is None:
        raise ApiError(400, _NO_TOKEN)
    return name, start


def _asked(call: Call) -> Asked:
    if call.method == "POST":
        body = call.document()
        fields = body.get("fields") or ()
        expand = body.get("expand") or ()
        return Asked(
            jql=str(body.get("jql") or ""),
            fields=tuple(_listed(fields)),
            expand=tuple(_listed(expand)),
            token=str(body.get("nextPageToken") or ""),
            start=_whole(body.get("startAt")) or 0,
            size=_whole(body.get("maxResults")),
            reconcile=tuple(bodies.texts(body, "reconcileIssues")),
        )
    size = call.param("maxResults")
    return Asked(
        jql=call.param("jql"),
        fields=call.names("fields"),
        expand=call.names("expand"),
        token=call.param("nextPageToken"),
        start=call.number("startAt", 0),
        size=call.number("maxResults", 50) if size else None,
        reconcile=call.names("reconcileIssues"),
    )


def _listed(value: Any) -> list[str]:
    if not isinstance(value, str | list | tuple):
        raise ApiError(400, "A list of names, or names parted by commas, is expected.")
    names = value.split(",") if isinstance(value, str) else value
    return [part.strip() for name in names for part in str(name).split(",") if part.strip()]


def _whole(value: Any) -> int | None:
    if value is None:
        return None
    if type(value) is not int:
        raise ApiError(400, "startAt and maxResults must be numbers.")
    return max(0, value)


def _kept(call: Call, asked: Asked) -> tuple[str, int, KeptSearch]:
    """The search a token belongs to, or a new one; only the last few are remembered."""
    digest = hashlib.sha256(asked.jql.encode()).hexdigest()
    searches: dict[str, KeptSearch] = call.desk.searches
    if asked.token:
        name, start = _told(asked.token)
        if name not in searches or searches[name].digest != digest:
            raise ApiError(400, _NO_TOKEN)
        return name, start, searches[name]
    name = f"s{next(_names)}"
    lagging = call.site.lagging(frozenset(id for id in map(whole, asked.reconcile) if id is not None))
    kept = KeptSearch(digest, [issue.id for issue in _matching(call, asked.jql, lagging)], lagging)
    searches[name] = kept
    while len(searches) > KEPT_SEARCHES:
        del searches[next(iter(searches))]
    return name, 0, kept


_names = itertools.count(1)


def _found(call: Call, text: str) -> list[int]:
    """Ids of a Data Center search; kept while nothing changes, because every page asks again."""
    name = call.account.name if call.account is not None else ""
    key = f"{call.site.version}:{call.site.now}:{name}:{text}"
    searches: dict[str, KeptSearch] = call.desk.searches
    kept = searches.get(key)
    if kept is None:
        kept = searches[key] = KeptSearch("", [issue.id for issue in _matching(call, text)])
        while len(searches) > KEPT_SEARCHES:
            del searches[next(iter(searches))]
    return kept.ids


def _matching(call: Call, text: str, lagging: Mapping[int, Issue | None] = MappingProxyType({})) -> list[Issue]:
    return searching.find(jql.parse(text), call.asker, lagging)


def _counted(call: Call, text: str) -> int:
    return searching.count(jql.parse(text), call.asker)


def _page(begin: str, issues: list[bytes], end: str) -> Answer:
    """A page of issues, encoded one by one: half a megabyte of text is not copied more often than it must be."""
    return Answer(200, b"".join((begin.encode(), b",".join(issues), end.encode())))


def _issue_texts(call: Call, issues: list[Issue], asked: Asked, is_light: bool) -> list[bytes]:
    if is_light:
        if "key" in asked.fields:
            return [f'{{"id":"{issue.id}","key":"{issue.key}"}}'.encode() for issue in issues]
        return [f'{{"id":"{issue.id}"}}'.encode() for issue in issues]
    fields, renderer = _fields(call, asked), call.renderer
    changes = CHANGELOG_IN_SEARCHES if "changelog" in asked.expand else 0
    return [renderer.issue(issue, fields, changes=changes).encode() for issue in issues]


def _fields(call: Call, asked: Asked) -> tuple[str, ...]:
    return asked.fields or (() if call.site.flavour is Flavour.CLOUD else ("*navigable",))
