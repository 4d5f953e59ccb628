"""Finding what an earlier attempt created, although Jira's search index lags behind its writes.

A search by label sees an issue only some time after it was created (Cloud: usually seconds, Data Center with several
nodes: as long as replication takes). Reading an issue by its key comes from the database and sees it at once. Keys are
counted up, so an issue that the index does not show yet is one of the few keys it leaves out or that come next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from connectors.jira.issues import ActionIssue
from connectors.jira.opened import Jira
from connectors.jira.site import ask, ask_if_there
from connectors.jira.tracing import names_installation

LOOK_BACK = 20  # newest keys of the project of which one that is missing may be of an issue not indexed yet
LOOK_AHEAD = 5  # keys in a row that do not exist: a creation that failed may use up a number


class Labelled(msgspec.Struct, frozen=True):
    """An issue found by its label."""

    id: str
    key: str


class _Found(msgspec.Struct, frozen=True):
    issues: list[Labelled]


def find_labelled(jira: Jira, labels: Sequence[str]) -> Labelled | None:
    """The oldest issue with one of these labels, if any, indexed or not; one that was moved only if it is indexed."""
    project = jira.project.key
    shown = _search(jira, f"{labelled_in(project, labels)} ORDER BY created ASC, key ASC", 2)
    if shown:
        return shown[0]
    newest = _search(jira, f'project = "{project}" ORDER BY key DESC', LOOK_BACK)
    return _unindexed(jira, labels, [number for issue in newest if (number := _number(issue.key)) is not None])


def find_subtask(jira: Jira, parent: ActionIssue, labels: Sequence[str]) -> Labelled | None:
    """The sub-task with one of these labels: by search, else among the newest that the parent lists (without index).

    The first label is ours wherever its issue stands. The others are of earlier versions, and tell nothing of the
    installation: below another parent they are not ours.
    """
    shown = _search(jira, f"{_steps(jira.project.key, parent.id, labels)} ORDER BY created ASC, key ASC", 2)
    if shown:
        return shown[0]
    keys = [str(one["key"]) for one in reversed(parent.fields.get("subtasks") or [])]
    return next((found for key in keys[:LOOK_BACK] if (found := _if_labelled(jira, key, labels))), None)


def labelled_in(project: str, labels: Sequence[str]) -> str:
    """The search for what carries one of these labels, as people can enter it too.

    One that names the installation is ours in whatever project: people move issues. Others may be of another one there.
    """
    return " OR ".join(_with(label, "" if names_installation(label) else f'project = "{project}"') for label in labels)


def _with(label: str, within: str) -> str:
    return f'{within} AND labels = "{label}"' if within else f'labels = "{label}"'


def _steps(project: str, parent_id: str, labels: Sequence[str]) -> str:
    anywhere = labelled_in(project, labels[:1])
    return " OR ".join((anywhere, *(f'parent = {parent_id} AND labels = "{label}"' for label in labels[1:])))


def _unindexed(jira: Jira, labels: Sequence[str], indexed: list[int]) -> Labelled | None:
    """Read the keys directly that the index does not show."""
    prefix = jira.project.key
    for number in _left_out(indexed):
        found = _if_labelled(jira, f"{prefix}-{number}", labels)
        if found is not None:
            return found
    number, absent = max(indexed, default=0) + 1, 0
    while absent < LOOK_AHEAD:
        issue = _labels(jira, f"{prefix}-{number}")
        if issue is None:
            absent += 1
        elif issue.carries(labels):
            return Labelled(id=issue.id, key=issue.key)
        else:
            absent = 0
        number += 1
    return None


def _left_out(indexed: list[int]) -> Iterator[int]:
    newest = max(indexed, default=0)
    return (number for number in range(newest, max(newest - LOOK_BACK, 0), -1) if number not in indexed)


class _Labels(msgspec.Struct, frozen=True):
    labels: list[str] = []


class _Issue(msgspec.Struct, frozen=True):
    id: str
    key: str
    fields: _Labels = _Labels()

    def carries(self, labels: Sequence[str]) -> bool:
        return any(label in self.fields.labels for label in labels)


def _if_labelled(jira: Jira, key: str, labels: Sequence[str]) -> Labelled | None:
    found = _labels(jira, key)
    return Labelled(id=found.id, key=found.key) if found is not None and found.carries(labels) else None


def _labels(jira: Jira, key: str) -> _Issue | None:
    """The labels of an issue, from the database; None where no issue has this key (any more)."""
    params = {"fields": "labels"}
    issue: _Issue | None = ask_if_there(
        jira.reader, jira.caller, f"/issue/{key}", _Issue, what=f"issue {key}", params=params
    )
    return issue


def _search(jira: Jira, jql: str, size: int) -> list[Labelled]:
    found: _Found
    if jira.site.is_cloud:
        body: dict[str, Any] = {"jql": jql, "fields": ["summary"], "maxResults": size}
        found = ask(jira.reader, "/search/jql", _Found, what="find", json=body)
    else:
        params = {"jql": jql, "fields": "summary", "maxResults": size}
        found = ask(jira.reader, "/search", _Found, what="find", params=params)
    return found.issues


def _number(key: str) -> int | None:
    number = key.rpartition("-")[2]
    return int(number) if number.isdigit() else None
