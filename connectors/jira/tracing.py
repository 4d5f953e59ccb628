"""The traces our writes leave, by which a second attempt finds what the first one did.

At create: a label made of the installation and the action's id, the only thing every Jira can search for. On comments:
a mark in the text. On files: their name, which carries a digest. On the issue: the entity property ``regelkreis``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from connectors.marks import NOBODYS, Mark, looked_for, named, read
from improvement.records import Outbound

PROPERTY = "regelkreis"
MAX_PROPERTY = 32_768
MAX_ENTRY = 1_000
KEPT = frozenset({"id", "installation", "state", "placed", "verdict", "url"})  # beside fingerprints of fields
_HEX = re.compile(r"[0-9a-f]{16}")
_MARK = re.compile(r"\n*\{color:#[fF]{6}\}rk:[0-9a-f]{16}\{color\}\s*$")
_NOT_FOR_LABELS = re.compile(r"[^a-z0-9_.-]+")


def labels_of(outbound: Outbound) -> tuple[str, ...]:
    """The labels that an action's issue may carry: the one it is made with, then that of an earlier version."""
    return _each(outbound, lambda name: _label(name, outbound.action_id))


def task_labels(outbound: Outbound) -> tuple[str, ...]:
    """The same of a step's sub-task, by the key of its delivery."""
    return _each(outbound, lambda name: f"rk-{named(name, 'task')}-{_digest(name, outbound.key)}")


def mark_in(labels: Iterable[str]) -> Mark:
    """``rk-k7m2qd4x-act-7`` among an issue's labels → whose record it is; ``rk-act-7`` is of an earlier version."""
    found = (read(label.removeprefix("rk-")) for label in labels if label.startswith("rk-"))
    of_actions = (mark for mark in found if not mark.key.startswith("task-"))
    return next((Mark(mark.key.upper(), mark.installation) for mark in of_actions), NOBODYS)


def names_installation(label: str) -> bool:
    """Whether a label of ours names the installation it is of, as all do since traces name them."""
    return bool(read(label.removeprefix("rk-")).installation)


def marks_of(outbound: Outbound) -> tuple[str, ...]:
    """What is looked for in comments before one is added; the first is what it gets."""
    return _each(outbound, lambda name: f"rk:{_digest(name, outbound.key)}")


def marked(text: str, mark: str) -> str:
    """A comment's text with its mark: white on white at the end, readable by us in every version of the API."""
    return f"{text.rstrip()}\n\n{{color:#FFFFFF}}{mark}{{color}}"


def unmarked(text: str) -> str:
    """A comment's text without our mark."""
    return _MARK.sub("", text)


def global_id(installation: str, connection: str, action_id: str) -> str:
    """The remote link's id: the same link is updated in place, never added twice (at most 255 characters).

    Without an installation it is that of earlier versions.
    """
    return f"regelkreis={named(installation, connection, between='/')}&action={action_id}"[:255]


def whose(outbound: Outbound) -> dict[str, str]:
    """How the property names us."""
    told = {"id": outbound.action_id, "installation": outbound.installation}
    return {name: value for name, value in told.items() if value}


def kept_in(value: object) -> dict[str, Any]:
    """What of our property can be from us: anybody who may edit the issue may write anything there."""
    entries = value.items() if isinstance(value, dict) else ()
    return {name: entry for name, entry in entries if _can_be_kept(name, entry)}


def _can_be_kept(name: str, entry: object) -> bool:
    if name in ("written", "about"):
        return isinstance(entry, dict) and all(
            isinstance(mark, str) and _HEX.fullmatch(mark) for mark in entry.values()
        )
    return name in KEPT and (entry is None or isinstance(entry, str))


def kept_entry(value: object) -> object:
    """A value as it is kept in the property: a long text must not burst its 32 768 characters."""
    return value[:MAX_ENTRY] if isinstance(value, str) else value


def fingerprint(value: object) -> str:
    """A short digest of a value we wrote, to tell later whether a person changed it."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def _each(outbound: Outbound, trace: Callable[[str], str]) -> tuple[str, ...]:
    return tuple(trace(installation) for installation in looked_for(outbound))


def _label(installation: str, action_id: str) -> str:
    """``rk-k7m2qd4x-act-7``."""
    return f"rk-{named(installation, _NOT_FOR_LABELS.sub('-', action_id.lower()))}"


def _digest(installation: str, key: str) -> str:
    return hashlib.sha256(named(installation, key, between="/").encode()).hexdigest()[:16]
