"""Every command that README and docs show exists, with the options they show."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from config.entry import application

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
EVERYWHERE = {"--help", "--version", "--install-completion", "--show-completion"}
PLACEHOLDERS = {"COMMAND", "…"}


def shown(page: Path) -> list[str]:
    """The commands on a page: lines of console blocks, and inline code."""
    text = page.read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```(?:console|bash|sh)?\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ")
    lines = re.findall(r"^\$?[^\n`]*?(?:^|\s|/)(regelkreis [a-z-][^\n#]*)", blocks, re.MULTILINE)
    inline = [" ".join(code.split()) for code in re.findall(r"(?<!`)`(regelkreis [^`]+)`(?!`)", text)]
    parts = [part.strip() for line in [*lines, *inline] for part in re.split(r"&&|\\?\||>", line)]
    return [part for part in parts if part.startswith("regelkreis ")]


@cache
def whole() -> Any:
    """The command line as a tree of commands."""
    return typer.main.get_command(application())


def problem(command: str) -> str:
    """What is wrong with a command; nothing where it exists with its options."""
    node = whole()
    words = shlex.split(command.replace("'", " "))[1:]
    while words and getattr(node, "commands", None) is not None and not words[0].startswith("-"):
        if words[0] in PLACEHOLDERS:
            return ""
        if words[0] not in node.commands:
            return f"{command}: there is no {words[0]}"
        node = node.commands[words.pop(0)]
    known = {option for parameter in node.params for option in parameter.opts} | EVERYWHERE
    unknown = {word.partition("=")[0] for word in words if word.startswith("--")} - known
    return f"{command}: unknown {', '.join(sorted(unknown))}" if unknown else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_shows_can_be_typed(page: Path) -> None:
    assert [found for command in shown(page) if (found := problem(command))] == []


def test_the_pages_do_show_commands() -> None:
    assert sum(len(shown(page)) for page in PAGES) > 60


def test_an_invented_command_would_be_found() -> None:
    assert problem("regelkreis actions aprove ACT-1") == "regelkreis actions aprove ACT-1: there is no aprove"
    assert "--dryrun" in problem("regelkreis cycle --dryrun")
