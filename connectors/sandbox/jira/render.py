"""Issues as JSON text: one renderer per API version, time zone and list of fields, made once and reused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import groupby
from operator import attrgetter, getitem
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from connectors.sandbox.jira import catalogue, slas
from connectors.sandbox.jira.agile.texts import field_value
from connectors.sandbox.jira.catalogue import Field, Flavour
from connectors.sandbox.jira.history import Changelog
from connectors.sandbox.jira.model import Attachment, Comment, Issue
from connectors.sandbox.jira.parts import Parts, dump, quote
from connectors.sandbox.jira.sight import Sight
from connectors.sandbox.jira.text import document
from connectors.sandbox.jira.times import ZoneText

Run = Callable[[Issue], str]  # fields that follow each other, as JSON members: "name":value,"name":value
KEPT_SHAPES = 64
CHANGELOG_ON_CLOUD = 100  # of an issue read by itself
CHANGELOG_IN_SEARCHES = 40  # notes on migrating to search/jql


class Renderer:
    """Renders issues of one site for one API version and time zone, and for those who see as much of the site."""

    def __init__(self, parts: Parts, zone: ZoneInfo, sight: Sight) -> None:
        self.parts = parts
        self.zone = zone
        self.sight = sight
        self.times = ZoneText(zone)
        self.changelog = Changelog(parts, self.times)
        self._shape = lru_cache(maxsize=KEPT_SHAPES)(self._make_shape)
        parts.site.kept_texts.append(self._shape.cache_clear)

    def issue(self, issue: Issue, fields: Sequence[str], *, changes: int = 0) -> str:
        """An issue with the fields asked for (``*all``, ``*navigable``, ids, ``-id``), as JSON text.

        ``changes``: how many of the newest Cloud shows; 0 shows no history at all.
        """
        expand = "renderedFields,names,schema,operations,editmeta,changelog"
        return (
            f'{{"expand":"{expand}","id":"{issue.id}","self":"{self.parts.api}/issue/{issue.id}","key":"{issue.key}",'
            f'"fields":{{{",".join([run(issue) for run in self._shape(tuple(fields))])}}}'
            f"{self._changelog_member(issue, changes) if changes else ''}}}"
        )

    def _changelog_member(self, issue: Issue, most: int) -> str:
        entries = self.changelog.entries(issue)
        # Data Center has no call for the rest and shows all. Readers must sort.
        shown = entries[-most:] if self.parts.site.flavour is Flavour.CLOUD else entries
        return (
            f',"changelog":{{"startAt":0,"maxResults":{len(shown)},"total":{len(entries)},'
            f'"histories":[{",".join(shown)}]}}'
        )

    def clock_texts(self, fields: Sequence[Field]) -> slas.ClockTexts:
        """What renders these SLA fields."""
        return slas.ClockTexts(fields, self.times, f"{self.parts.base}/rest/servicedeskapi/sla")

    # --- fields ---------------------------------------------------------------------------------------------------

    def _make_shape(self, asked: tuple[str, ...]) -> list[Run]:
        """Functions that render the fields asked for, in order; fields that can be are rendered a run at a time."""
        runs: list[Run] = []
        for make, group in groupby(selected(asked, self.parts.site.fields), key=self._maker):
            fields = list(group)
            runs += [make(fields)] if make is not None else map(self._single, fields)
        return runs

    def _maker(self, field: Field) -> Callable[[list[Field]], Run] | None:
        if field.custom == catalogue.SLA_FIELD:
            return self._clocks
        return self._look_ups if self._looked_up(field) is not None else None

    def _clocks(self, fields: list[Field]) -> Run:
        site, heads, texts = self.parts.site, _heads(fields), self.clock_texts(fields)
        return lambda issue: ",".join(map(str.__add__, heads, texts.of(issue, site.now)))

    def _look_ups(self, fields: list[Field]) -> Run:
        found = [look_up for field in fields if (look_up := self._looked_up(field)) is not None]
        tables = [_Texts(head, text) for head, (_, text) in zip(_heads(fields), found, strict=True)]
        pick = attrgetter(*(attribute for attribute, _ in found))
        if len(tables) == 1:
            return lambda issue: tables[0][pick(issue)]
        return lambda issue: ",".join(map(getitem, tables, pick(issue)))

    def _looked_up(self, field: Field) -> tuple[str, Callable[[Any], str]] | None:
        """For a field whose text depends on one attribute of few values: the attribute, and how it becomes text."""
        parts = self.parts
        if field.attribute and field.attribute not in Issue.__slots__:
            return None
        if field.type == "option":
            return field.attribute, partial(parts.option_text, field.attribute)
        table: dict[str, tuple[str, Callable[[Any], str]]] = {
            "issuetype": ("type", parts.type_text),
            "project": ("project", parts.project_text),
            "status": ("status", parts.status_text),
            "statusCategory": ("status", lambda status: dump(parts.status(status)["statusCategory"])),
            "priority": ("priority", parts.priority_text),
            "resolution": ("resolution", parts.resolution_text),
            "assignee": ("assignee", parts.person_text),
            "reporter": ("reporter", parts.person_text),
            "creator": ("reporter", parts.person_text),
            "group": ("group", parts.group_text),
        }
        return table.get("group" if field.type == "group" else field.id)

    def _single(self, field: Field) -> Run:
        head, value = f'"{field.id}":', self._value(field)
        return lambda issue: head + value(issue)

    def _value(self, field: Field) -> Callable[[Issue], str]:
        """The function that renders one field that is not rendered by the run."""
        parts = self.parts
        site = parts.site
        times = self.times
        if field is catalogue.SATISFACTION:
            return lambda issue: slas.satisfaction(issue, site.now)
        if field is catalogue.SATISFACTION_DATE:
            return lambda issue: slas.satisfaction_date(issue, site.now, times)
        software = field_value(parts, field, self.sight)
        if software is not None:
            return lambda issue: dump(software(issue))
        if field.attribute:
            attribute = field.attribute
            if field.type == "option":
                return lambda issue: parts.option_text(attribute, issue.value(attribute))
            if field.type == "group":
                return lambda issue: parts.group_text(issue.value(attribute))
            if field.type == "user":
                return lambda issue: parts.person_text(issue.value(attribute))
            if field.items == "option":
                return lambda issue: self._options(attribute, issue.value(attribute))
            return lambda issue: dump(issue.value(attribute))
        table: dict[str, Callable[[Issue], str]] = {
            "summary": lambda issue: quote(issue.summary),
            "description": self._description,
            "labels": lambda issue: dump(issue.labels) if issue.labels else "[]",
            "created": lambda issue: f'"{times.iso(issue.created)}"',
            "updated": lambda issue: f'"{times.iso(issue.updated)}"',
            "resolutiondate": lambda issue: f'"{times.iso(issue.resolved)}"' if issue.resolved is not None else "null",
            "duedate": lambda issue: f'"{issue.due}"' if issue.due else "null",
            "comment": lambda issue: self.comments(issue),
            "attachment": lambda issue: self.attachments(issue),
            "issuelinks": lambda issue: self.links(issue),
            "parent": lambda issue: self.short(issue.parent) or "null",
            "subtasks": lambda issue: (
                f"[{','.join(filter(None, map(self.short, issue.extras.subtasks)))}]" if issue.extras else "[]"
            ),
            "watches": lambda issue: (
                f'{{"self":"{parts.api}/issue/{issue.id}/watchers",'
                f'"watchCount":{len(issue.extras.watchers) if issue.extras else 0},"isWatching":false}}'
            ),
            "votes": lambda issue: (
                f'{{"self":"{parts.api}/issue/{issue.id}/votes",'
                f'"votes":{len(issue.extras.voters) if issue.extras else 0},"hasVoted":false}}'
            ),
        }
        return table[field.id]

    # --- what hangs on an issue -----------------------------------------------------------------------------------

    def _options(self, attribute: str, texts: tuple[str, ...] | None) -> str:
        if texts is None:
            return "null"
        return "[" + ",".join(self.parts.option_text(attribute, text) for text in texts) + "]"

    def _description(self, issue: Issue) -> str:
        if not issue.description:
            return "null"
        return self.body(issue.description)

    def body(self, text: str) -> str:
        """A description or comment: an ADF document in version 3, wiki text in version 2."""
        return dump(document(text)) if self.parts.version == "3" else quote(text)

    def short(self, id: int | None) -> str:
        """Another issue as a link target, as JSON text; empty where there is none that may be seen."""
        issue = self.sight.by_id(id)
        if issue is None:
            return ""
        parts = self.parts
        return (
            f'{{"id":"{issue.id}","key":"{issue.key}","self":"{parts.api}/issue/{issue.id}","fields":{{'
            f'"summary":{quote(issue.summary)},"status":{parts.status_text(issue.status)},'
            f'"priority":{parts.priority_text(issue.priority)},"issuetype":{parts.type_text(issue.type)}}}}}'
        )

    def comment(self, issue: Issue, comment: Comment) -> str:
        """A comment, as JSON text."""
        author = self.parts.person_text(comment.author)
        return (
            f'{{"self":"{self.parts.api}/issue/{issue.id}/comment/{comment.id}","id":"{comment.id}",'
            f'"author":{author},"updateAuthor":{author},"body":{self.body(comment.body)},'
            f'"created":"{self.times.iso(comment.created)}","updated":"{self.times.iso(comment.updated)}",'
            f'"jsdPublic":{"false" if comment.is_internal else "true"}}}'
        )

    def comment_document(self, issue: Issue, comment: Comment) -> msgspec.Raw:
        """A comment as a part of a larger document."""
        return msgspec.Raw(self.comment(issue, comment).encode())

    def comments(self, issue: Issue, start: int = 0, limit: int | None = None) -> str:
        """A page of comments, as JSON text."""
        everything = self.sight.comments(issue)
        shown = everything[start:] if limit is None else everything[start : start + limit]
        rendered = ",".join(self.comment(issue, comment) for comment in shown)
        size = limit if limit is not None else len(shown)
        return f'{{"comments":[{rendered}],"maxResults":{size},"total":{len(everything)},"startAt":{start}}}'

    def attachment(self, attachment: Attachment) -> str:
        """An attachment's description, as JSON text."""
        parts = self.parts
        return (
            f'{{"self":"{parts.api}/attachment/{attachment.id}","id":"{attachment.id}",'
            f'"filename":{quote(attachment.name)},"author":{parts.person_text(attachment.author)},'
            f'"created":"{self.times.iso(attachment.created)}","size":{len(attachment.content)},'
            f'"mimeType":{quote(attachment.media_type)},'
            f'"content":"{parts.api}/attachment/content/{attachment.id}"}}'
        )

    def attachments(self, issue: Issue) -> str:
        """All attachments of an issue, as JSON text."""
        found = issue.extras.attachments if issue.extras else []
        return "[" + ",".join(self.attachment(attachment) for attachment in found) + "]"

    def links(self, issue: Issue) -> str:
        """All links to issues that may be seen, as JSON text."""
        rendered = []
        for link in issue.extras.links if issue.extras else []:
            other = self.short(link.other)
            if not other:
                continue
            name, inward, outward = self.parts.site.link_types[link.type_id]
            kind = {
                "id": link.type_id,
                "name": name,
                "inward": inward,
                "outward": outward,
                "self": f"{self.parts.api}/issueLinkType/{link.type_id}",
            }
            side = "outwardIssue" if link.is_outward else "inwardIssue"
            rendered.append(
                f'{{"id":"{link.id}","self":"{self.parts.api}/issueLink/{link.id}","type":{dump(kind)},'
                f'"{side}":{other}}}'
            )
        return "[" + ",".join(rendered) + "]"


class _Texts(dict[Any, str]):
    """Value → a field as a JSON member; made when a value first comes: values are few, issues many."""

    def __init__(self, head: str, text: Callable[[Any], str]) -> None:
        self._head = head
        self._text = text

    def __missing__(self, value: Any) -> str:
        member = self[value] = self._head + self._text(value)
        return member


def _heads(fields: Sequence[Field]) -> list[str]:
    return [f'"{field.id}":' for field in fields]


def selected(asked: Sequence[str], known: Mapping[str, Field]) -> list[Field]:
    """The fields a list of names asks for; unknown names are ignored, as Jira does."""
    chosen: dict[str, Field] = {}
    for name in asked:
        if name in ("*all", "*navigable"):
            chosen |= {
                id: field for id, field in known.items() if name == "*all" or id not in ("comment", "attachment")
            }
        elif name.startswith("-"):
            chosen.pop(name[1:], None)
        elif name in known:
            chosen[name] = known[name]
    if asked and all(name.startswith("-") for name in asked):
        excluded = {name[1:] for name in asked}
        chosen = {id: field for id, field in known.items() if id not in excluded}
    return list(chosen.values())
