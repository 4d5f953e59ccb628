"""Asking a Jira for its fields: names and types from ``/field``, values from a few pages of the newest issues.

Issue types, SLA fields and the satisfaction field are found by their usual names in English, German and French, so
that “Störung” is taken for *Incident* and “Lösungszeit” for *Time to resolution*.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from connectors.discovery.sampling import Candidate, SourceSample
from connectors.discovery.words import LOOKED_FOR, fit, folded
from connectors.jira import filters
from connectors.jira.defaults import COMPUTED
from connectors.jira.fields import FEEDBACK_TYPE, SLA_TYPE, FoundField, type_of
from connectors.jira.opened import Jira
from connectors.jira.paging import DATA_CENTER_PAGE, MAX_CLOUD_PAGE, count
from connectors.jira.site import Site, ask
from connectors.jira.wire import FieldInfo
from connectors.mapping import SourceMap
from improvement.errors import MappingError
from improvement.records import RecordKind

MAX_REQUESTS = 3  # a source: politeness counts more than a larger sample
NO_DIMENSION = frozenset(
    {"user", "date", "datetime", "number", "comments-page", "attachment", "watches", "votes", "issuelinks"}
    | {"statuscategory", "status", "priority", "resolution", "issuetype"}
)

#: Source of the default mapping → what its issue type is called elsewhere, folded.
TYPE_NAMES: dict[str, frozenset[str]] = {
    "incident": frozenset({"incident", "system incident", "storung", "stoerung", "vorfall", "it incident"}),
    "request": frozenset(
        {"service request", "system service request", "serviceanfrage", "anfrage", "service request with approvals"}
        | {"it help", "demande de service", "request"}
    ),
    "problem": frozenset({"problem", "system problem", "probleme"}),
    "change": frozenset({"change", "system change", "anderung", "aenderung", "change request", "changement"}),
    "contact": frozenset({"customer contact", "kundenkontakt", "kundengesprach", "contact client"}),
}
TARGETS: tuple[tuple[str, str], ...] = (
    ("response", r"respon|first|reaktion|erste|antwort|reponse|acknowledg"),
    ("resolution", r"resol|losung|loesung|behebung|done|close|erledig|fulfil|repair"),
)
AGREEMENTS: tuple[tuple[str, str], ...] = (
    ("uc", r"supplier|vendor|lieferant|dienstleister|underpinning|\buc\b|provider|fournisseur"),
    ("ola", r"\bola\b|operational|internal|intern"),
)


class _Found(msgspec.Struct, frozen=True, rename="camel"):
    issues: list[dict[str, Any]]
    next_page_token: str | None = None
    total: int = 0


def discover(jira: Jira, *, sample: int) -> list[SourceSample]:
    """A sample of every enabled source. What this Jira does not have is said, and stops nothing."""
    asking = _Asking(jira, sample)
    enabled = {name: source for name, source in jira.mapping.sources.items() if source.is_enabled}
    issues = {name: one for name, one in enabled.items() if one.kind in LOOKED_FOR and one.kind != RecordKind.OUTAGE}
    inside = {name: one for name, one in enabled.items() if one.kind in (RecordKind.SLA, RecordKind.SURVEY)}
    return [
        *(asking.issue_type(name, source) for name, source in issues.items()),
        *asking.inside_issues(inside),
    ]


class _Asking:
    def __init__(self, jira: Jira, sample: int) -> None:
        self._reader = jira.reader
        self._site: Site = jira.site
        self._sample = sample
        self._page_size = MAX_CLOUD_PAGE if self._site.is_cloud else DATA_CENTER_PAGE
        self._most = MAX_REQUESTS * self._page_size
        self._tickets: list[dict[str, Any]] = []

    # --- issues of a type -------------------------------------------------------------------------------------

    def issue_type(self, name: str, source: SourceMap) -> SourceSample:
        """A source that is an issue type, by its own name or by a usual one."""
        called = self._called(name, source)
        if called is None:
            names = sorted({kind.name or "" for kind in self._site.types})
            return SourceSample(
                name=name,
                kind=source.kind,
                source=source.source,
                problem=f"There is no issue type “{source.source}”.",
                mend=f"Issue types our user sees: {', '.join(names) or 'none'}.",
                is_absent=True,
            )
        if flaw := filters.flaw(self._reader, self._site, source):
            return self._told(name, source, flaw, filters.MEND, is_absent=False)
        jql = f"issuetype in ({', '.join(self._site.type_ids(called))})"
        jql += f" AND ({source.filter})" if source.filter else ""
        fields, wrong = self._fields(name, source)
        special = [info.id for info in self._site.fields.infos if _custom(info) in (SLA_TYPE, FEEDBACK_TYPE)]
        issues = self._newest(jql, [*(found.id for _, found, _ in fields), *special])
        if source.kind is RecordKind.TICKET:
            self._tickets += issues
        wrong |= {
            path: f"The values of “{info.name}” ({type_of(info)}) hold no text that could be read."
            for path, found, info in fields
            if _holds_no_text(found, issues)
        }
        return SourceSample(
            name=name,
            kind=source.kind,
            source=called,
            rows=len(issues),
            total=count(self._reader, self._site, jql),
            at_most=self._most if len(issues) == self._most < self._sample else None,
            candidates=tuple(_candidate(path, found, info, issues) for path, found, info in fields),
            wrong=wrong,
        )

    def _called(self, name: str, source: SourceMap) -> str | None:
        if self._site.type_ids(source.source):
            return source.source
        usual = TYPE_NAMES.get(name, frozenset())
        return next((kind.name for kind in self._site.types if kind.name and _plain(kind.name) in usual), None)

    def _fields(self, name: str, source: SourceMap) -> tuple[list[tuple[str, FoundField, FieldInfo]], dict[str, str]]:
        """Paths to read with their fields: those mapped now, and those that sound like what is looked for."""
        known = self._site.fields
        by_id = {info.id: info for info in known.infos}
        found: dict[str, tuple[str, FoundField, FieldInfo]] = {}
        wrong: dict[str, str] = {}
        for column, mapped in source.fields.items():
            for path in mapped.fields:
                if path in COMPUTED:
                    continue
                try:
                    field = known.value_field(path, source=name, used_for=column)
                    found[field.id] = (path, field, by_id[field.id])
                except MappingError as error:
                    wrong[path] = error.what
        wanted = LOOKED_FOR[source.kind]
        for info in known.infos:
            if info.id in found or not _may_hold(info) or not any(fit(one, _names(info)) for one in wanted):
                continue
            is_unique = sum(other.name.casefold() == info.name.casefold() for other in known.infos) == 1
            field = known.value_field(info.id, source=name, used_for="")
            found[info.id] = (info.name if is_unique else info.id, field, info)
        return list(found.values()), wrong

    def _newest(self, jql: str, fields: Sequence[str]) -> list[dict[str, Any]]:
        """The newest issues' fields, in at most :data:`MAX_REQUESTS` requests."""
        query, asked = f"{jql} ORDER BY created DESC", list(dict.fromkeys(fields))
        found: list[dict[str, Any]] = []
        token: str | None = None
        for _ in range(MAX_REQUESTS):
            limit = min(self._page_size, self._sample - len(found))
            if limit <= 0:
                break
            page = self._page(query, asked, limit, len(found), token)
            found += [issue.get("fields") or {} for issue in page.issues]
            token = page.next_page_token
            if not page.issues or (token is None if self._site.is_cloud else len(found) >= page.total):
                break
        return found

    def _page(self, jql: str, fields: list[str], limit: int, start: int, token: str | None) -> _Found:
        if self._site.is_cloud:
            body: dict[str, Any] = {"jql": jql, "fields": fields, "maxResults": limit}
            body |= {"nextPageToken": token} if token is not None else {}
            return self._ask("/search/jql", json=body)
        params = {"jql": jql, "fields": ",".join(fields), "maxResults": limit, "startAt": start}
        return self._ask("/search", params=params)

    def _ask(self, path: str, **options: Any) -> _Found:
        page: _Found = ask(self._reader, path, _Found, what="a sample of issues", **options)
        return page

    # --- what is inside issues --------------------------------------------------------------------------------

    def inside_issues(self, sources: Mapping[str, SourceMap]) -> list[SourceSample]:
        """SLA clocks and ratings: the mapped fields, those called otherwise here, and those nobody mapped."""
        infos = [info for info in self._site.fields.infos if _custom(info) in (SLA_TYPE, FEEDBACK_TYPE)]
        free = {info.id: info for info in infos}
        found: list[SourceSample] = []
        absent: list[tuple[str, SourceMap]] = []
        for name, source in sources.items():
            wanted = SLA_TYPE if source.kind is RecordKind.SLA else FEEDBACK_TYPE
            try:
                field = self._site.fields.typed_field(source.source, wanted, source=name)
            except MappingError as error:
                if "fields are called" in error.what:
                    found.append(self._told(name, source, error.what, error.mend, is_absent=False))
                else:
                    absent.append((name, source))
                continue
            free.pop(field.id, None)
            found.append(self._inside(name, source, _named(infos, field.id)))
        for name, source in absent:
            info = next((one for one in free.values() if _stands_for(one, source)), None)
            if info is not None:
                found.append(self._inside(name, source, free.pop(info.id)))
            else:
                found.append(self._told(name, source, f"There is no field “{source.source}”.", "", is_absent=True))
        return found + [self._new(info) for info in free.values() if _custom(info) == SLA_TYPE]

    def _told(self, name: str, source: SourceMap, problem: str, mend: str, *, is_absent: bool) -> SourceSample:
        return SourceSample(
            name=name, kind=source.kind, source=source.source, problem=problem, mend=mend, is_absent=is_absent
        )

    def _inside(self, name: str, source: SourceMap, info: FieldInfo) -> SourceSample:
        is_standing = source.source.casefold() in (info.name.casefold(), info.id)
        texts = tuple(_outcome(issue.get(info.id)) for issue in self._tickets)
        shown = Candidate(path="", label=info.name, type=type_of(info), names=(info.name,), texts=texts)
        return SourceSample(
            name=name,
            kind=source.kind,
            source=source.source if is_standing else info.name,
            rows=len(self._tickets),
            candidates=(shown,),
        )

    def _new(self, info: FieldInfo) -> SourceSample:
        target, agreement = _word(TARGETS, info.name, ""), _word(AGREEMENTS, info.name, "sla")
        return SourceSample(
            name=re.sub(r"[^a-z0-9]+", "_", _plain(info.name)).strip("_") or info.id,
            kind=RecordKind.SLA,
            source=info.name,
            rows=len(self._tickets),
            is_new=True,
            problem="" if target else "Neither a response nor a resolution, by its name: say its target.",
            constants={"target": target, "agreement": agreement} if target else {},
        )


def _candidate(path: str, found: FoundField, info: FieldInfo, issues: Sequence[Mapping[str, Any]]) -> Candidate:
    return Candidate(
        path=path,
        label=info.name,
        type=type_of(info),
        names=_names(info),
        texts=tuple(_read(found, issue.get(found.id)) for issue in issues),
        shown_as=f"“{info.name}” ({type_of(info)})",
    )


def _read(found: FoundField, value: Any) -> str | None:
    """The text that a pull would read; None where it is empty or of another shape than its type says."""
    if value is None:
        return None
    try:
        return found.read(msgspec.convert(value, found.decoded)) or None
    except msgspec.ValidationError:
        return None


def _holds_no_text(found: FoundField, issues: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a field is filled, and nothing of it can be read: objects of Assets show their ids alone."""
    values = [value for issue in issues if (value := issue.get(found.id)) not in (None, "", [])]
    return bool(values) and not any(_read(found, value) for value in values)


def _outcome(value: Any) -> str | None:
    """What an SLA or a rating says, in a word."""
    if not isinstance(value, dict):
        return None
    if value.get("rating") is not None:
        return f"{value['rating']:g}"
    cycles = [*(value.get("completedCycles") or []), *([value["ongoingCycle"]] if value.get("ongoingCycle") else [])]
    return None if not cycles else "breached" if any(cycle.get("breached") for cycle in cycles) else "kept"


def _custom(info: FieldInfo) -> str | None:
    return info.schema.custom if info.schema is not None else None


def _may_hold(info: FieldInfo) -> bool:
    return (
        info.schema is not None
        and type_of(info) not in NO_DIMENSION
        and _custom(info)
        not in (
            SLA_TYPE,
            FEEDBACK_TYPE,
        )
    )


def _names(info: FieldInfo) -> tuple[str, ...]:
    """Visible name, and for system fields the id; organisations of Service Management are its customers."""
    is_customer = (_custom(info) or "").endswith(":sd-customer-organizations")
    return (info.name, *(() if info.custom else (info.id,)), *(("customer",) if is_customer else ()))


def _named(infos: Sequence[FieldInfo], id: str) -> FieldInfo:
    return next(info for info in infos if info.id == id)


def _stands_for(info: FieldInfo, source: SourceMap) -> bool:
    """Whether a field of another name is what a source of the default mapping means."""
    if source.kind is RecordKind.SURVEY:
        return _custom(info) == FEEDBACK_TYPE
    said = {name: str(item.constant) for name, item in source.fields.items() if not item.fields}
    target, agreement = _word(TARGETS, info.name, ""), _word(AGREEMENTS, info.name, "sla")
    return _custom(info) == SLA_TYPE and (target, agreement) == (said.get("target"), said.get("agreement"))


def _word(table: Sequence[tuple[str, str]], name: str, otherwise: str) -> str:
    words = _plain(name)
    return next((word for word, pattern in table if re.search(pattern, words)), otherwise)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", folded(name)).strip()
