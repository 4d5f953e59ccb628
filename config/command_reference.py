"""The reference page of the command line, written from the commands themselves: ``docs/reference/command-line.md``.

``python -m config.command_reference > docs/reference/command-line.md`` writes it again; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import typer

from config.entry import application

INTRODUCTION = """# Command line

<!-- written by `python -m config.command_reference`; edit workflows/cli, not this page -->

`regelkreis COMMAND --help` tells the same. `regelkreis --install-completion` makes your shell complete commands and
options; `regelkreis --version` prints the version.

| everywhere | |
|---|---|
| `--json` | one JSON document on standard output, for programs; `errors` of what is refused: place, `what`, `mend` |
| tables | drawn in a terminal, tab-separated lines when piped; `NO_COLOR=1` takes the colours away |
| `--as-of` | act as if it were another moment (ISO 8601; UTC where it has no zone) |
| exit code 0 | fine |
| exit code 1 | there are findings, failed facts, refusals by a guard, or errors of a connection, by name |
| exit code 2 | a wrong argument, setting or file; nothing was done |
| `REGELKREIS_HOME` | the home directory; default `./regelkreis-home` |
| `REGELKREIS_TOKEN` | acts as the person whose token it is; without it, as the local administrator |
"""
ALREADY_SAID = ("--help", "--install-completion", "--show-completion", "--version")


def page() -> str:
    """The page as Markdown."""
    commands = list(_commands(typer.main.get_command(application()), ()))
    rows = [f"| [`{name}`](#{name.replace(' ', '-')}) | {command.help.splitlines()[0]} |" for name, command in commands]
    table = ["| command | does |", "|---|---|", *rows, ""]
    return "\n".join([INTRODUCTION, *table, *(_section(name, command) for name, command in commands)])


def _commands(node: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its whole name, in the order of the alphabet."""
    children = getattr(node, "commands", None)
    if children is None:
        yield " ".join(path), node
        return
    for name in sorted(children):
        yield from _commands(children[name], (*path, name))


def _section(name: str, command: Any) -> str:
    parameters = [one for one in command.params if not set(one.opts) & set(ALREADY_SAID)]
    arguments = [one for one in parameters if not one.opts[0].startswith("-")]
    usage = " ".join([f"regelkreis {name}", *(_argument(one) for one in arguments)])
    lines = [f"## {name}", "", command.help.strip(), "", "```", usage, "```", ""]
    if parameters:
        lines += ["| | | default |", "|---|---|---|", *(_row(one) for one in parameters), ""]
    return "\n".join(lines)


def _argument(parameter: Any) -> str:
    name = parameter.name.upper() + ("…" if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _row(parameter: Any) -> str:
    is_option = parameter.opts[0].startswith("-")
    name = " ".join(f"`{text}`" for text in parameter.opts) if is_option else f"`{_argument(parameter)}`"
    if is_option and (form := _form(parameter)):
        name += f" {form}"
    if parameter.required:
        default = "must be given"
    else:
        default = "" if parameter.default in (None, False, "", ()) else f"`{parameter.default}`"
    return f"| {name} | {(parameter.help or '').replace('|', chr(92) + '|')} | {default} |"


def _form(parameter: Any) -> str:
    """What to write after the option: the choices, or the kind of value; nothing after a flag."""
    annotation = parameter.type_descriptor.annotation
    if parameter.is_flag or annotation is bool:
        return ""
    choices = [choice for part in (annotation, *get_args(annotation)) for choice in _choices(part)]
    if choices:
        return " or ".join(f"`{choice}`" for choice in choices)
    return {"int": "NUMBER", "float": "NUMBER", "Path": "PATH"}.get(getattr(annotation, "__name__", ""), "TEXT")


def _choices(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


if __name__ == "__main__":
    print(page(), end="")
