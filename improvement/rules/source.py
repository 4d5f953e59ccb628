"""YAML text as a tree that remembers where everything stood.

Only plain data: no tags, no merge keys, no duplicate keys. Every file is bounded in size, depth and number of values
(after its anchors are filled in), so that no file can hang or crash whoever checks it. Scalars follow YAML 1.2:
``NO`` is Norway, ``2026-01-01`` a text.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from improvement.errors import InputError, Place

MAX_CHARACTERS = 512 * 1024
MAX_DEPTH = 20
MAX_VALUES = 20_000
MAX_DOCUMENTS = 1_000
MAX_ERRORS = 200  # of one file's text; whoever reads them has enough
_INTEGER = re.compile(r"^[-+]?(0|[1-9][0-9]{0,17})$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?$")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_WORDS: dict[str, object] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


@dataclass(slots=True)
class Node:
    """A value and where it stands (line and column from 1). Mappings also know where their keys stand."""

    value: Any  # scalar, list[Node] or dict[str, Node]
    line: int
    column: int
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    size: int = 1  # values below it, anchors filled in

    def plain(self) -> Any:
        """The value without positions."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def position(self, path: tuple[str | int, ...], *, of_key: bool = False) -> tuple[int, int, int]:
        """(how many parts of the path exist, line, column) of the deepest existing part of a path."""
        node, depth, at = self, 0, (self.line, self.column)
        for part in path:
            child: Node | None = None
            if isinstance(node.value, dict) and isinstance(part, str):
                child = node.value.get(part)
            elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
                child = node.value[part]
            if child is None:
                break
            depth += 1
            is_last = depth == len(path)
            at = node.keys[str(part)] if of_key and is_last and str(part) in node.keys else (child.line, child.column)
            node = child
        return depth, *at


class _TooMuchError(Exception):
    """The file is bounded; carries the error to report."""

    def __init__(self, error: InputError) -> None:
        super().__init__(str(error))
        self.error = error


def read_documents(text: str, file: str) -> tuple[list[Node], list[InputError]]:
    """Every document of a YAML text that could be read, and everything that is wrong with the text."""
    if len(text) > MAX_CHARACTERS:
        where = Place(file=file, line=1, column=1)
        return [], [
            InputError("The file is too large.", where=where, mend=f"Keep it under {MAX_CHARACTERS} characters.")
        ]
    builder = _Builder(file)
    documents: list[Node] = []
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            document = builder.take(event)
            if document is not None:
                documents.append(document)
                builder.refuse_more_than(MAX_DOCUMENTS, len(documents), document)
    except _TooMuchError as error:
        builder.errors.append(error.error)
    except YAMLError as error:
        builder.errors.append(_syntax_error(error, text, file))
    except (ValueError, AttributeError, IndexError, KeyError, AssertionError, TypeError) as error:
        # the parser trips over some malformed texts instead of refusing them
        where = Place(file=file, line=1, column=1)
        builder.errors.append(InputError(f"This is not YAML: {error}.", where=where, mend="Check the file's syntax."))
    return documents, builder.errors


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not come yet."""

    node: Node
    anchor: str | None
    key: str | None = None
    is_ignored: bool = False  # the value of a duplicate key


class _Builder:
    """Turns parser events into nodes without recursion."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.errors: list[InputError] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._root: Node | None = None

    def take(self, event: Any) -> Node | None:
        """One event; returns a document when it is complete."""
        kind = type(event).__name__
        if kind == "DocumentStartEvent":
            self._stack, self._anchors, self._root = [], {}, None
        elif kind == "ScalarEvent":
            self._refuse_tag(event)
            self._scalar(event)
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            self._refuse_tag(event)
            self._begin(event, {} if kind == "MappingStartEvent" else [])
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            self._end()
        elif kind == "AliasEvent":
            self._alias(event)
        elif kind == "DocumentEndEvent":
            root, self._root = self._root, None
            return root
        return None

    def refuse_more_than(self, most: int, number: int, document: Node) -> None:
        """Stop at too many documents."""
        if number > most:
            what = "The file holds too many documents."
            raise _TooMuchError(self._made(what, document.line, document.column, f"Keep it under {most}."))

    def _scalar(self, event: Any) -> None:
        line, column = _at(event)
        text = _UNPRINTABLE.sub("\ufffd", event.value)
        if text != event.value:
            self._error("The text holds a control character.", line, column, "Remove it.")
        parent = self._stack[-1] if self._stack else None
        if parent is not None and isinstance(parent.node.value, dict) and parent.key is None:
            self._key(parent, text, line, column)
            return
        node = Node(text if event.style is not None else scalar(text), line, column)
        if event.anchor:
            self._anchors[event.anchor] = node
        self._place(node)

    def _key(self, parent: _Open, key: str, line: int, column: int) -> None:
        parent.key, parent.is_ignored = key, False
        if key == "<<":
            self._error(
                "Merge keys (<<) are not read.", line, column, "Write the keys out, or use a kind: Defaults document."
            )
            parent.is_ignored = True
        elif key in parent.node.keys:
            first, first_column = parent.node.keys[key]
            what = f"“{key[:60]}” is there twice (first at line {first}, column {first_column})."
            self._error(what, line, column, "Remove one of them.")
            parent.is_ignored = True
        else:
            parent.node.keys[key] = (line, column)

    def _begin(self, event: Any, value: Any) -> None:
        line, column = _at(event)
        if self._stack and isinstance(self._stack[-1].node.value, dict) and self._stack[-1].key is None:
            raise _TooMuchError(self._made("A key must be a plain text.", line, column, "Write key: value."))
        if len(self._stack) >= MAX_DEPTH:
            raise _TooMuchError(
                self._made("The document is nested too deeply.", line, column, f"Keep it within {MAX_DEPTH} levels.")
            )
        self._stack.append(_Open(Node(value, line, column), event.anchor))

    def _end(self) -> None:
        opened = self._stack.pop()
        if opened.anchor:
            self._anchors[opened.anchor] = opened.node
        self._place(opened.node)

    def _alias(self, event: Any) -> None:
        line, column = _at(event)
        node = self._anchors.get(event.anchor)
        parent = self._stack[-1] if self._stack else None
        if parent is not None and isinstance(parent.node.value, dict) and parent.key is None:
            raise _TooMuchError(self._made("A key must be a plain text.", line, column, "Write key: value."))
        if node is None:
            self._error(
                f"*{event.anchor} refers to nothing above it.",
                line,
                column,
                f"Write &{event.anchor} at a value before it.",
            )
            node = Node(None, line, column)
        self._place(node)

    def _place(self, node: Node) -> None:
        if not self._stack:
            self._root = node
            return
        parent = self._stack[-1]
        parent.node.size += node.size
        if parent.node.size > MAX_VALUES:
            raise _TooMuchError(
                self._made(
                    "The document holds too many values (anchors filled in).",
                    node.line,
                    node.column,
                    f"Keep it under {MAX_VALUES}.",
                )
            )
        if isinstance(parent.node.value, list):
            parent.node.value.append(node)
            return
        if parent.key is not None and not parent.is_ignored:
            parent.node.value[parent.key] = node
        parent.key = None

    def _refuse_tag(self, event: Any) -> None:
        tag = getattr(event, "tag", None)
        if tag:
            self._error(f"Tags are not read ({str(tag)[:60]}).", *_at(event), "Write the plain value.")

    def _made(self, what: str, line: int, column: int, mend: str) -> InputError:
        return InputError(what, where=Place(file=self.file, line=line, column=column), mend=mend)

    def _error(self, what: str, line: int, column: int, mend: str) -> None:
        error = self._made(what, line, column, mend)
        if len(self.errors) >= MAX_ERRORS:
            raise _TooMuchError(error)
        self.errors.append(error)


def scalar(text: str) -> object:
    """An unquoted scalar by the core schema of YAML 1.2; a number with leading zeros stays a text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text)
    if len(text) <= 40 and _FLOAT.match(text):
        number = float(text)
        has_leading_zero = re.match(r"^[-+]?0\d", text) is not None
        return text if has_leading_zero or not math.isfinite(number) or text.isdigit() else number
    return text


def _at(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _syntax_error(error: YAMLError, text: str, file: str) -> InputError:
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        what = " ".join(str(part) for part in (error.context, error.problem) if part)
        return InputError(
            f"This is not YAML: {what}.", where=Place(file=file, line=line, column=column), mend=_syntax_mend(what)
        )
    if isinstance(error, ReaderError):
        position = min(int(error.position), len(text))
        line = text.count("\n", 0, position) + 1
        column = position - (text.rfind("\n", 0, position) + 1) + 1
        where = Place(file=file, line=line, column=column)
        return InputError("The file holds a character that YAML does not allow.", where=where, mend="Remove it.")
    return InputError(f"This is not YAML: {error}.", where=Place(file=file, line=1, column=1))


def _syntax_mend(what: str) -> str:
    if "\\t" in what:
        return "Indent with spaces, not tabs."
    if "mapping values are not allowed" in what:
        return "Put a text that holds a colon in quotes."
    return "Check indentation, quotes and brackets around here."
