"""What is no longer on a Jira: the ids of all that is there, single questions, and breached clocks counted.

Jira keeps no log of deletions that an integration user may read. A list of ids comes from the search index, which may
lag or be rebuilt, so nothing is gone because a list leaves it out: each issue is asked for by its id, and that answer
comes from the database. A moved issue has another key and the same id.

Whether an issue that is there still matches the mapping only a search can say. It is believed of an issue that rested
for some minutes and that the index holds with its last update. One that rested for a week and stands in no index at all
was archived: it is still read by its id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa

from connectors.base import BreachCount, Gone, Keys
from connectors.config import ConnectionConfig
from connectors.http import Reader
from connectors.jira import instants, paging
from connectors.jira.caller import Caller
from connectors.jira.plan import Plan
from connectors.jira.site import ServerInfo, Site, ask, ask_if_there, who_am_i
from connectors.jira.wire import TypeValue
from improvement.errors import ConnectionFailed, Place
from improvement.records import RecordKind

CLOUD_PAGE = 5_000  # ids alone; any field more, and Cloud gives a hundred
DATA_CENTER_PAGE = 1_000
RECONCILED = 50  # issues of which Cloud, asked to, answers from the database
INDEX_LAG = timedelta(minutes=10)  # what was updated later than so long ago may stand in the index as it was
NEVER_INDEXED = timedelta(days=7)  # … or not yet at all: no index lags so far


class _Fields(msgspec.Struct, frozen=True):
    issuetype: TypeValue | None = None
    updated: str | None = None


class _Issue(msgspec.Struct, frozen=True):
    id: str
    fields: _Fields = _Fields()


def keys(reader: Reader, config: ConnectionConfig, site: Site, plan: Plan, kind: RecordKind) -> Keys | None:
    """The ids of all issues of a kind; None for what is inside issues."""
    if kind not in plan.by_type or kind not in plan.where:
        return None
    who_am_i(reader, config)  # an expired token would silently show fewer issues
    where = plan.where[kind]
    before = paging.count(reader, site, where)
    ids = list(
        dict.fromkeys(_ids_on_cloud(reader, where) if site.is_cloud else _ids_on_data_center(reader, site, where))
    )
    after = paging.count(reader, site, where)
    who_am_i(reader, config)
    counted = None if before is None or after is None else min(before, after)
    return Keys(ids=pa.array(ids, pa.string()), counted=counted, is_estimate=site.is_cloud)


def gone(reader: Reader, caller: Caller, site: Site, plan: Plan, kind: RecordKind, ids: Sequence[str]) -> Gone:
    """Those of these issues that Jira does not have, or has as issues that are not mapped to this kind any more.

    Jira answers 404 as well for what it hides, so an anonymous session would find everything gone: who we are is asked
    before and after, and where an answer does not say that it was given to us.
    """
    if not ids or kind not in plan.where:
        return Gone()
    who_am_i(reader, reader.config)
    shown = {id: _shown(reader, caller, id) for id in ids}
    there = {id: issue.fields for id, issue in shown.items() if issue is not None}
    types = plan.by_type.get(kind, {})
    outside = {id for id, fields in there.items() if fields.issuetype is not None and fields.issuetype.id not in types}
    left, undecided = _left(reader, site, plan.where[kind], {id: there[id] for id in there if id not in outside})
    outside |= left
    who_am_i(reader, reader.config)
    found = [id for id in ids if id not in there or id in outside]
    return Gone(found, outside=[id for id in found if id in outside], undecided=undecided)


def breaches(reader: Reader, site: Site, plan: Plan, *, since: datetime, until: datetime) -> BreachCount | None:
    """Issues created in the span of which a clock was ever breached."""
    if not plan.clocks or RecordKind.SLA not in plan.where:
        return None
    first, last = instants.not_after(since, site.zone), instants.after(until, site.zone)
    ever = " OR ".join(f"{site.fields.clause(clock.field_id)} = everBreached()" for clock in plan.clocks)
    span = f'updated >= "{first}" AND created >= "{first}" AND created < "{last}"'
    counted = paging.count(reader, site, f"{plan.where[RecordKind.SLA]} AND {span} AND ({ever})")
    return None if counted is None else BreachCount(count=counted, of="tickets")


def _ids_on_cloud(reader: Reader, where: str) -> Iterator[str]:
    """By token; a repeated or expired one begins the list again: what was listed was there."""
    restarts, token, used = 0, "", set[str]()
    barren = paging.Barren(reader, paging.SEARCH)
    while True:
        body: dict[str, Any] = {"jql": f"{where} ORDER BY created ASC", "fields": ["id"], "maxResults": CLOUD_PAGE}
        body |= {"nextPageToken": token} if token else {}
        try:
            page = paging.light_page(reader, "/search/jql", json=body)
        except ConnectionFailed as error:
            if not token or not paging.is_refused_token(error):
                raise
            restarts += 1
            paging.give_up(restarts, "the page token expired", reader)
            token, used, barren = "", set(), paging.Barren(reader, paging.SEARCH)
            continue
        yield from (issue.id for issue in page.issues)
        following = page.next_page_token
        if page.is_last or (not following and page.is_last is None):
            return
        if not following:
            raise _incomplete(reader, "a page that is not the last names no next one")
        if following in used:
            restarts += 1
            paging.give_up(restarts, "a page token was repeated", reader)
            token, used, barren = "", set(), paging.Barren(reader, paging.SEARCH)
            continue
        barren.add((issue.id for issue in page.issues), is_further=False)
        token = following
        used.add(following)


def _ids_on_data_center(reader: Reader, site: Site, where: str) -> Iterator[str]:
    """By slices of update time, as everything else there: offsets skip issues while others change."""
    search = paging.Search(where=where, fields=("updated",), page_size=DATA_CENTER_PAGE)
    for page in paging.pages(reader, site, search):
        yield from (issue.id for issue in page.issues)


def _shown(reader: Reader, caller: Caller, id: str) -> _Issue | None:
    """An issue as the database has it; None where it is not there, or hidden from us."""
    params = {"fields": "issuetype,updated"}
    issue: _Issue | None = ask_if_there(reader, caller, f"/issue/{id}", _Issue, what=f"issue {id}", params=params)
    return issue


def _left(reader: Reader, site: Site, where: str, there: dict[str, _Fields]) -> tuple[set[str], int]:
    """Those of these issues that do not match a condition, and of how many it cannot be told yet."""
    left, undecided = set[str](), 0
    ids = list(there)
    for start in range(0, len(ids), RECONCILED):
        some = ids[start : start + RECONCILED]
        others = set(some) - _found(reader, site, f"{where} AND id in ({', '.join(some)})", some)
        if not others:
            continue
        resting = _resting(reader, site, {id: there[id] for id in some if id in others})
        left |= resting
        undecided += len(others - resting)
    return left, undecided


def _resting(reader: Reader, site: Site, issues: dict[str, _Fields]) -> set[str]:
    """The issues that stand in the index with their last update, and had time to; and those in no index, long since."""
    info: ServerInfo = ask(reader, "/serverInfo", ServerInfo)
    now = info.present
    if now is None:
        return set()
    updated = {id: datetime.fromisoformat(fields.updated) for id, fields in issues.items() if fields.updated}
    resting = {id: instants.not_after(at, site.zone) for id, at in updated.items() if at <= now - INDEX_LAG}
    if not resting:
        return set()
    as_updated = " OR ".join(f'(id = {id} AND updated >= "{minute}")' for id, minute in resting.items())
    found = _found(reader, site, as_updated, list(resting))
    if old := [id for id in resting if id not in found and updated[id] <= now - NEVER_INDEXED]:
        found |= set(old) - _found(reader, site, f"id in ({', '.join(old)})", old)
    return found


def _found(reader: Reader, site: Site, jql: str, ids: Sequence[str]) -> set[str]:
    """The ids of a search that can find these issues only."""

    def accept(page: paging.LightPage) -> None:
        if page.error is not None or not set(ids).issuperset(issue.id for issue in page.issues):
            raise _incomplete(reader, "the answer carries an error, or is that of another search")

    asked: dict[str, Any] = {"jql": jql, "maxResults": len(ids)}
    page: paging.LightPage
    if site.is_cloud:
        body = asked | {"fields": ["id"], "reconcileIssues": [int(id) for id in ids]}
        page = ask(reader, "/search/jql", paging.LightPage, what="search for ids", json=body, accept=accept)
    else:
        params = asked | {"fields": "id"}
        page = ask(reader, "/search", paging.LightPage, what="search for ids", params=params, accept=accept)
    return {issue.id for issue in page.issues}


def _incomplete(reader: Reader, why: str) -> ConnectionFailed:
    return ConnectionFailed(
        f"The list of issue ids is incomplete: {why}.",
        where=Place(connection=reader.config.name),
        mend="It is listed again by the next pull; nothing was taken for deleted.",
    )
