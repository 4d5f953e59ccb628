"""The traces our writes leave, by which a second attempt finds what the first one did.

At create: a label made of the action's id, the only thing every Jira can search for. On comments: a mark in the
text. On files: their name, which carries a digest. On the issue: the entity property ``regelkreis``.
"""

from __future__ import annotations

import hashlib
import re

PROPERTY = "regelkreis"
MAX_PROPERTY = 32_768
MAX_ENTRY = 1_000
_MARK = re.compile(r"\n*\{color:#[fF]{6}\}rk:[0-9a-f]{16}\{color\}\s*$")
_NOT_FOR_LABELS = re.compile(r"[^a-z0-9_.-]+")


def label_of(action_id: str) -> str:
    """``ACT-7`` → ``rk-act-7``."""
    return f"rk-{_NOT_FOR_LABELS.sub('-', action_id.lower())}"


def action_of(label: str) -> str:
    """``rk-act-7`` → ``ACT-7``; '' for every other label."""
    is_ours = label.startswith("rk-") and not label.startswith("rk-task-")
    return label.removeprefix("rk-").upper() if is_ours else ""


def task_label(key: str) -> str:
    """The label of a task, by the key of its delivery."""
    return f"rk-task-{_digest(key)}"


def mark_of(key: str) -> str:
    """What is looked for in comments before one is added."""
    return f"rk:{_digest(key)}"


def marked(text: str, key: str) -> str:
    """A comment's text with its mark: white on white at the end, readable by us in every version of the API."""
    return f"{text.rstrip()}\n\n{{color:#FFFFFF}}{mark_of(key)}{{color}}"


def unmarked(text: str) -> str:
    """A comment's text without our mark."""
    return _MARK.sub("", text)


def global_id(connection: str, action_id: str) -> str:
    """The remote link's id: the same link is updated in place, never added twice (at most 255 characters)."""
    return f"regelkreis={connection}&action={action_id}"[:255]


def kept_entry(value: object) -> object:
    """A value as it is kept in the property: a long text must not burst its 32 768 characters."""
    return value[:MAX_ENTRY] if isinstance(value, str) else value


def fingerprint(value: object) -> str:
    """A short digest of a value we wrote, to tell later whether a person changed it."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]
