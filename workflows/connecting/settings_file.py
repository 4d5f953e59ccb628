"""Editing ``regelkreis.toml`` the way a careful person would: comments, order and everything else stay as they are.

What was written is read again and must mean exactly what was meant; a layout that cannot be edited safely is left
alone, and the lines to paste are shown instead.
"""

from __future__ import annotations

import copy
import difflib
import os
import tempfile
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable, Item

from connectors.config import SECRET_KEYS
from improvement.errors import InputError, Place

LONGEST_COMMENT = 140
SECRET = SECRET_KEYS | {"database", "token_key"}
DOTS = "•••"


@dataclass(frozen=True, slots=True)
class Line:
    """One key to set: the path of its table, its name, its value, and a remark for whoever reads the file."""

    table: tuple[str, ...]
    key: str
    value: Any
    remark: str = ""


def read(path: Path) -> str:
    """The file's text; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def edited(text: str, lines: Sequence[Line], *, remark: str, path: Path) -> str:
    """The text with these keys set. Raises :class:`InputError` with the lines to paste where that is not possible."""
    for attempt in (_in_place, _appended):
        try:
            wanted = _expected(tomllib.loads(text), lines)
            found = attempt(text, lines, remark)
            if tomllib.loads(found) == wanted:
                return found
        except (TOMLKitError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError):
            continue
    raise InputError(
        "The file is laid out in a way that cannot be edited without touching what you wrote.",
        where=Place(file=str(path)),
        mend=f"Put these lines in yourself:\n{_appended('', lines, remark).strip()}",
    )


def diff(before: str, after: str, path: Path) -> str:
    """Only the lines that change, as a unified diff: what stands around them may be secret.

    What stands beside them in one line may be too, so secrets are replaced by dots.
    """
    old, new = (_without_secrets(text).splitlines() for text in (before, after))
    return "\n".join(difflib.unified_diff(old, new, str(path), str(path), n=0, lineterm=""))


def write(path: Path, before: str, after: str) -> None:
    """Replace the file whole, with the mode it had. Raises :class:`InputError` where it changed meanwhile."""
    target = path.resolve()
    if read(target) != before:
        raise InputError(
            "The file was changed by somebody else meanwhile.", where=Place(file=str(path)), mend="Run it again."
        )
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
    descriptor, beside = tempfile.mkstemp(dir=target.parent, prefix=".regelkreis-toml-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(after)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).chmod(mode)
        Path(beside).replace(target)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def remark_of(text: str) -> str:
    """A text that may stand behind ``#``: one line, nothing that ends it or turns its direction."""
    kept = "".join(" " if unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp", "Cs") else one for one in text)
    line = " ".join(kept.split())
    return line if len(line) <= LONGEST_COMMENT else line[: LONGEST_COMMENT - 1].rstrip() + "…"


def _without_secrets(text: str) -> str:
    """The text as it is laid out, with dots for the values of :data:`SECRET`."""
    try:
        document = tomlkit.parse(text)
    except TOMLKitError:  # such a file is only ever added to: none of its lines changes
        return text
    _hide_in(document)
    return tomlkit.dumps(document)


def _hide_in(node: Any) -> bool:
    """Whether there was any; a remark behind one in the same line may be an older one."""
    is_any = False
    for key, value in node.items():
        if key in SECRET:
            node[key] = DOTS
            is_any = True
        elif isinstance(value, Mapping) and _hide_in(value):
            if isinstance(value, InlineTable):
                value.trivia.comment = ""
            is_any = True
    return is_any


def _expected(data: dict[str, Any], lines: Sequence[Line]) -> dict[str, Any]:
    wanted = copy.deepcopy(data)
    for line in lines:
        node = wanted
        for name in line.table:
            node = node.setdefault(name, {})
        node[line.key] = copy.deepcopy(line.value)
    return wanted


def _in_place(text: str, lines: Sequence[Line], remark: str) -> str:
    """With tomlkit: tables that are there get their keys, missing ones are made beside their kin."""
    document = tomlkit.parse(text)
    made: Any = None
    for line in lines:
        node: Any = document
        for depth, name in enumerate(line.table, start=1):
            if name not in node:
                is_inside = isinstance(node, InlineTable)
                is_last = depth == len(line.table)
                node.add(name, tomlkit.inline_table() if is_inside else tomlkit.table(is_super_table=not is_last))
                if is_last and not is_inside:
                    if made is None:
                        node[name].add(tomlkit.comment(remark_of(remark)))
                    made = node[name]
            node = node[name]
        is_inline = isinstance(node, InlineTable)
        item = _item(line.value)
        if line.remark and not is_inline:
            item.comment(remark_of(line.remark))
        node[line.key] = item
    if made is not None:
        made.add(tomlkit.nl())  # what follows keeps its distance
    return tomlkit.dumps(document)


def _appended(text: str, lines: Sequence[Line], remark: str) -> str:
    """At the end of the file, in tables of their own."""
    tables: dict[tuple[str, ...], list[Line]] = {}
    for line in lines:
        tables.setdefault(line.table, []).append(line)
    parts = [text.rstrip("\n"), "", f"# {remark_of(remark)}"]
    for table, of_table in tables.items():
        parts += ["", f"[{'.'.join(tomlkit.key(name).as_string() for name in table)}]"]
        for line in of_table:
            behind = f"  # {remark_of(line.remark)}" if line.remark else ""
            parts.append(f"{tomlkit.key(line.key).as_string()} = {_item(line.value).as_string()}{behind}")
    return "\n".join(parts).lstrip("\n") + "\n"


def as_toml(value: Any) -> str:
    """A value as the file would say it, in one line."""
    return _item(value).as_string()


def _item(value: Any) -> Item:
    """A value in one line."""
    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        for key, inner in value.items():
            table.add(str(key), _item(inner))
        return table
    item: Item = tomlkit.item(value)
    return item
