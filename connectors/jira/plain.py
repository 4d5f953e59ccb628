"""Plain text of what people write in Jira: wiki markup (version 2 of the API) and Atlassian documents (version 3).

Only what is certainly markup goes; whatever could be meant as it stands stays. What stands in ``{code}`` and
``{noformat}`` is kept to the letter. Sources: Jira's own help page *Text Formatting Notation*; Atlassian's page
*Atlassian Document Format*.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_LITERAL = re.compile(r"\{(code|noformat)(?::[^}\n]*)?\}(.*?)\{\1\}", re.DOTALL)
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\{(?:color|panel|quote)(?::[^}\n]*)?\}"), ""),
    (re.compile(r"^[ \t]*(?:h[1-6]|bq)\.[ \t]+", re.MULTILINE), ""),
    (re.compile(r"^[ \t]*-{4,}[ \t]*$\n?", re.MULTILINE), ""),
    (re.compile(r"^[ \t]*(?:[*#]+|-)[ \t]+(?=\S)", re.MULTILINE), "- "),
    (re.compile(r"\[~(?:accountid:)?([^\]\s]+)\]"), r"@\1"),
    (re.compile(r"\[\^([^\]\n]+)\]"), r"\1"),
    (re.compile(r"\[([^|\]\n]+)\|([^|\]\s]+)(?:\|[^\]\n]*)?\]"), r"\1 (\2)"),
    (re.compile(r"\[((?:https?|mailto):[^|\]\s]+)\]"), r"\1"),
    (re.compile(r"!([^\s!|]+\.\w{2,5})(?:\|[^!\n]*)?!"), r"\1"),
    (re.compile(r"\{\{([^{}\n]+)\}\}"), r"\1"),
    (re.compile(r"\?\?(?=\S)([^?\n]+?)(?<=\S)\?\?"), r"\1"),
    (re.compile(r"(?<![\w*\\])\*(?=[^\s*])([^*\n]+?)(?<=[^\s\\])\*(?![\w*])"), r"\1"),
    (re.compile(r"(?<![\w_\\])_(?=[^\s_])([^_\n]+?)(?<=[^\s\\])_(?![\w_])"), r"\1"),
    (re.compile(r"\\\\[ \t]*(?=\s|$)"), "\n"),
    (re.compile(r"\\([*_{}\[\]!|?+^~#-])"), r"\1"),
)
_ROW = re.compile(r"^[ \t]*\|{1,2}(.*\S)[ \t]*$", re.MULTILINE)
_CELL = re.compile(r"\|{1,2}")
_BLOCKS = frozenset({"doc", "blockquote", "panel", "bulletList", "orderedList", "table", "expand", "taskList"})


def wiki(text: str) -> str:
    """The text of wiki markup."""
    parts, end = [], 0
    for match in _LITERAL.finditer(text):
        parts += [_outside(text[end : match.start()]), match[2].strip("\n")]
        end = match.end()
    return "".join([*parts, _outside(text[end:])]).strip()


def document(node: Any) -> str:
    """The text of an Atlassian document, or of a part of one; '' for anything else."""
    if not isinstance(node, dict):
        return ""
    attributes = node.get("attrs") or {}
    made = _LEAVES.get(str(node.get("type")))
    if made is not None:
        return made(node, attributes)
    parts = [document(child) for child in node.get("content") or ()]
    kind = node.get("type")
    if kind in ("listItem", "taskItem"):
        return "- " + "\n".join(part for part in parts if part)
    if kind == "tableRow":
        return " | ".join(parts)
    return ("\n" if kind in _BLOCKS else "").join(part for part in parts if part or kind not in _BLOCKS)


def is_document(value: Any) -> bool:
    """Whether a value is an Atlassian document."""
    return isinstance(value, dict) and value.get("type") == "doc" and isinstance(value.get("content"), list)


def _outside(text: str) -> str:
    """Markup where it means something: everywhere but in literal blocks."""
    text = _ROW.sub(lambda row: " | ".join(cell.strip() for cell in _CELL.split(row[1]) if cell.strip()), text)
    for pattern, kept in _RULES:
        text = pattern.sub(kept, text)
    return text


_Leaf = Callable[[dict[str, Any], dict[str, Any]], str]
_LEAVES: dict[str, _Leaf] = {
    "text": lambda node, attributes: str(node.get("text", "")),
    "hardBreak": lambda node, attributes: "\n",
    "mention": lambda node, attributes: f"@{str(attributes.get('text', attributes.get('id', ''))).lstrip('@')}",
    "emoji": lambda node, attributes: str(attributes.get("text") or attributes.get("shortName", "")),
    "inlineCard": lambda node, attributes: str(attributes.get("url", "")),
    "blockCard": lambda node, attributes: str(attributes.get("url", "")),
    "date": lambda node, attributes: str(attributes.get("timestamp", "")),
    "status": lambda node, attributes: str(attributes.get("text", "")),
}
