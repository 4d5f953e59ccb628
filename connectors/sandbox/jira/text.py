"""Wiki text and Atlassian documents (ADF): version 2 of the API speaks the one, version 3 the other."""

from __future__ import annotations

from typing import Any


def document(text: str) -> dict[str, Any]:
    """An ADF document of plain paragraphs, one per blank-line separated block, line breaks kept."""
    paragraphs = []
    for block in text.split("\n\n"):
        content: list[dict[str, Any]] = []
        for number, line in enumerate(block.split("\n")):
            if number:
                content.append({"type": "hardBreak"})
            if line:
                content.append({"type": "text", "text": line})
        paragraphs.append({"type": "paragraph", "content": content})
    return {"version": 1, "type": "doc", "content": paragraphs}


def is_document(value: object) -> bool:
    """Whether a value is an ADF document."""
    return isinstance(value, dict) and value.get("type") == "doc" and isinstance(value.get("content"), list)


def plain(node: Any) -> str:
    """The text of an ADF document, blocks separated by blank lines."""
    if not isinstance(node, dict):
        return ""
    if node.get("type") == "text":
        return str(node.get("text", ""))
    if node.get("type") == "hardBreak":
        return "\n"
    parts = [plain(child) for child in node.get("content", ())]
    return ("\n\n" if node.get("type") in ("doc", "bulletList", "orderedList") else "").join(parts)
