"""One issue that our user may see, found by any of the addresses under which people know it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec

from connectors.existing import Existing, below
from connectors.jira import tracing
from connectors.jira.following import states
from connectors.jira.opened import Jira
from connectors.jira.project import COLUMNS
from connectors.jira.shaping import as_text
from connectors.jira.site import GATEWAY, ask_if_there
from connectors.marks import Mark
from improvement.errors import InputError, Place
from improvement.records import ADOPTED_FIELDS, RecordRef

MODE = "jira"
SHAPES = "Copy the address of the opened issue, like https://…/browse/CIP-7"
KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*-\d+")
#: Paths that end with a key: the issue, a project's list, a queue of Service Management, its portal.
PATHS = re.compile(r"/(?:browse|issues|queues/custom/\d+|queue/\d+|portal/\d+)/(?P<key>[^/]+)/?$")
#: Where boards and lists say which issue is opened beside them.
SELECTED = ("selectedIssue", "issueKey")


class _Type(msgspec.Struct, frozen=True):
    subtask: bool = False


class _Issue(msgspec.Struct, frozen=True):
    id: str
    key: str
    fields: dict[str, Any]
    properties: dict[str, Any] = {}


def existing(jira: Jira, url: str) -> Existing | None:
    """See :meth:`connectors.existing.ReadsExisting.existing`."""
    rest = below_site(jira, url)
    if rest is None:
        return None
    place = Place(connection=jira.name)
    key = key_in(rest)
    if key is None:
        raise InputError(f"{url} is not the address of one issue.", where=place, mend=SHAPES)
    issue = _read(jira, key)
    if msgspec.convert(issue.fields["issuetype"], _Type).subtask:
        raise InputError(
            f"{issue.key} is a sub-task, a step of an improvement.", where=place, mend="Adopt its parent instead."
        )
    address, mark = jira.site.address(jira.config), _mark(issue)
    ref = RecordRef(connection=jira.name, mode=MODE, id=issue.id, number=issue.key, url=f"{address}/browse/{issue.key}")
    return Existing(
        ref=ref,
        title=str(issue.fields.get("summary") or issue.key),
        opened_at=datetime.fromisoformat(issue.fields["created"]),
        service=_text(jira, issue, "service"),
        mark=mark.action,
        installation=mark.installation,
        state=states(jira, [ref])[0],
        standing={name: text for name in ADOPTED_FIELDS if (text := _text(jira, issue, name))},
    )


def key_in(rest: str) -> str | None:
    """The key that an address names, below the site's root; None where it names no single issue."""
    path, _, query = rest.partition("?")
    given = parse_qs(query)
    chosen = next((given[name][-1] for name in SELECTED if name in given), None)
    if chosen is None:
        found = PATHS.search(unquote(path))
        chosen = found["key"] if found is not None else ""
    return chosen.upper() if KEY.fullmatch(chosen) else None


def below_site(jira: Jira, url: str) -> str | None:
    """What comes after the site's root. Behind Atlassian's gateway only the site tells where people open it."""
    root = jira.config.url
    return below(url, jira.site.address(jira.config) if GATEWAY in root else root)


def _read(jira: Jira, key: str) -> _Issue:
    """The issue of this key, also of one that was moved since: Jira answers with its new key."""
    params = {"fields": "*all,-comment", "properties": tracing.PROPERTY}
    found: _Issue | None = ask_if_there(
        jira.reader, jira.caller, f"/issue/{key}", _Issue, what=f"issue {key}", params=params
    )
    if found is None:
        raise InputError(
            f"There is no issue {key}, or our user may not see it.",
            where=Place(connection=jira.name),
            mend="Check the address, and that our user may browse its project.",
        )
    return found


def _mark(issue: _Issue) -> Mark:
    """By our property; where that does not tell everything, by the label it was made with."""
    kept = issue.properties.get(tracing.PROPERTY)
    kept = kept if isinstance(kept, dict) else {}
    labelled = tracing.mark_in(str(label) for label in issue.fields.get("labels") or ())
    told = Mark(str(kept.get("id") or ""), str(kept.get("installation") or ""))
    return told if told.action and (told.installation or told.action != labelled.action) else labelled


def _text(jira: Jira, issue: _Issue, ours: str) -> str | None:
    """What stands in the field that carries one of ours; None where this Jira has none, or it is empty."""
    name, fields = (COLUMNS | jira.config.columns)[ours], jira.site.fields
    if name not in fields:
        return None
    return as_text(issue.fields.get(fields.value_field(name, source="columns", used_for=ours).id)) or None
