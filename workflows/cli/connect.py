"""`connect`: what a platform is, what we may do, which of its fields become ours; writing on or off."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from workflows.cli.session import AS_OF_HELP, actor, moment, start

if TYPE_CHECKING:
    from connectors.discovery import FieldProposal, SourceProposal
    from workflows.connecting.mapping import Edit, MappingPlan


def run(
    name: Annotated[str, typer.Argument(help="A connection of regelkreis.toml.")],
    write: Annotated[
        Literal["on", "off"] | None, typer.Option("--write", help="Only switch whether we may write to it.")
    ] = None,
    sample: Annotated[
        int, typer.Option("--sample", min=1, max=10_000, help="At most so many of the newest records a source.")
    ] = 1_000,
    constant: Annotated[
        list[str] | None, typer.Option("--constant", help="FIELD=VALUE: always this, like country=CH; repeatable.")
    ] = None,
    is_agreed: Annotated[
        bool, typer.Option("--yes", help="Replace what you wrote in the mapping where something else fits better.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written; write nothing.")] = False,
    as_of: Annotated[str | None, typer.Option("--as-of", help=AS_OF_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask a platform what it is, what we may do and which fields it has; propose a mapping and write it.

    The mapping goes into regelkreis.toml, where you can edit it. What you wrote there yourself is never replaced
    without your consent. Writing to the platform stays off until you say `--write on`.
    """
    start()
    if write is not None:
        _switch(name, write, as_of, as_json)
        return
    from workflows import health
    from workflows.cli.output import print_json, say
    from workflows.connecting import mapping

    constants = mapping.constants_of(constant or [])
    capabilities = health.connect(name)
    say(f"Asking {name} for its fields: at most {sample:,} of its newest records a source …")
    found = mapping.plan(name, sample=sample, constants=constants)
    if not as_json:
        _show_capabilities(name, capabilities)
        if found.sources:
            _show(found)
    at = moment(as_of)
    replace = is_agreed or _asked(found, mapping.edit(found, replace=True, at=at), is_quiet=as_json or dry_run)
    made = mapping.edit(found, replace=replace, at=at)
    if not dry_run:
        mapping.apply(made, name, actor(), at=at)
    if as_json:
        told = {**found.as_dict(), "diff": made.diff, "written": bool(made.changes) and not dry_run}
        print_json({**capabilities, "mapping": told, "write": _write_state(name)})
        return
    _tell(found, made, dry_run=dry_run, replace=replace)
    say(f"write: {_write_state(name)}")


def _switch(name: str, write: Literal["on", "off"], as_of: str | None, as_json: bool) -> None:
    """Only writing on or off; off must work even when the platform does not answer."""
    from workflows import health
    from workflows.actions import commands
    from workflows.cli.output import print_json, say
    from workflows.rules import writers

    capabilities: dict[str, Any] = {} if write == "off" else health.connect(name)
    commands.set_write(actor(), name, write == "on", at=moment(as_of))
    say(f"write: {write} for {name}")
    if write == "on" and (unsigned := writers.of_nobody_known()):
        say(
            f"Nobody said who wrote the rules that write through it ({writers.named(unsigned)}), so the ledger cannot "
            "tell whether you did; `regelkreis rules apply --author NAME` says it."
        )
    if as_json:
        print_json({**capabilities, "connection": name, "write": write})
    elif capabilities:
        _show_capabilities(name, capabilities)


def _write_state(name: str) -> str:
    from workflows.models import Connection

    return "on" if Connection.objects.filter(name=name, may_write=True).exists() else "off"


def _show_capabilities(name: str, capabilities: dict[str, Any]) -> None:
    from workflows.cli.output import print_table

    rows = [
        ("mode", capabilities["mode"] or "none"),
        ("user", capabilities["user"]),
        ("zone", capabilities["time_zone"]),
    ]
    rows += [(f"mode {key}", text) for key, text in capabilities["modes"].items()]
    rows += [(f"field {key}", text) for key, text in capabilities["columns"].items()]
    rows += [(f"field {key}", f"unwritten: {text}") for key, text in capabilities["unresolved"].items()]
    print_table(f"{name}: {capabilities['platform']} {capabilities['version']}", ["what", "found"], rows)


# --- the proposal -------------------------------------------------------------------------------------------------


def _show(found: MappingPlan) -> None:
    from workflows.cli.output import print_table, say

    rows = [row for source in found.sources for row in _rows(source)]
    print_table(f"{found.connection}: fields", ["source", "field", "from", "filled", "for example", "remark"], rows)
    for most in sorted({source.at_most for source in found.sources if source.at_most}):
        names = ", ".join(source.name for source in found.sources if source.at_most == most)
        say(f"Of {names} the newest {most:,} were looked at: more would take too many requests.")


def _rows(source: SourceProposal) -> list[tuple[str, ...]]:
    from workflows.connecting.mapping import percent

    head = f"{source.name} ({source.source})" if source.name != source.source else source.name
    if source.is_new:
        said = source.whole["fields"]
        what = ", ".join(f"{key} {item['constant']}" for key, item in said.items())
        return [(head, "", source.source, "", "", f"not mapped yet: {what}" if said else source.problem)]
    if source.problem:
        off = " It is switched off." if source.switch_off else ""
        return [(head, "", "", "", "", f"{source.problem}{off} {source.mend}".strip())]
    rows: list[tuple[str, ...]] = []
    if source.filled is not None or source.renamed_from:
        share = f"{percent(source.filled or 0)} of {source.rows:,}"
        remark = f"not “{source.renamed_from}” here" if source.renamed_from else ""
        rows.append((head, "", source.source, share, ", ".join(source.examples), remark))
    for field in source.fields:
        if _goes_without_saying(field):
            continue
        share = f"{percent(field.filled)} of {source.rows:,}" if field.filled is not None and field.paths else ""
        examples = ", ".join(_short(text) for text in field.examples)
        rows.append((head, field.name, " or ".join(field.paths) or "-", share, examples, _remark(field)))
        head = ""
    return rows or [(head, "", source.source, "", "", "")]


def _goes_without_saying(field: FieldProposal) -> bool:
    """A field with a fixed meaning on the platform, filled everywhere."""
    return field.filled == 1 and field.said is None and not field.note and not field.unknown


def _remark(field: FieldProposal) -> str:
    from workflows.connecting.mapping import percent

    parts = [field.note] if field.note else []
    if field.unknown:
        shown = ", ".join(_short(text) for text in field.unknown[:5])
        more = f" and {len(field.unknown) - 5} more" if len(field.unknown) > 5 else ""
        parts.append(f"nobody has said what these mean: {shown}{more}")
    parts += [f"or {other.path} ({percent(other.filled)})" for other in field.others[:2]]
    return "; ".join(parts)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 32 else line[:31] + "…"


def _asked(found: MappingPlan, made: Edit, *, is_quiet: bool) -> bool:
    """Whether what a person wrote may be replaced: asked in a terminal only."""
    if not found.replacements or is_quiet or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    typer.echo(made.diff)
    count = len(found.replacements)
    return typer.confirm(f"Replace {count} {'line' if count == 1 else 'lines'} that you wrote?", default=False)


def _tell(found: MappingPlan, made: Edit, *, dry_run: bool, replace: bool) -> None:
    from workflows.cli.output import say, shown
    from workflows.connecting.settings_file import as_toml

    if found.note:
        say(found.note)
        return
    if made.changes:
        typer.echo("\n".join(shown(line) for line in made.diff.splitlines()))
        done = "would be written" if dry_run else "written"
        say(f"{len(made.changes)} {'key' if len(made.changes) == 1 else 'keys'} {done} to {found.file}.")
    elif not found.replacements:
        say(f"Nothing to write: {found.file} says it already.")
    if found.replacements and not replace:
        for change in found.replacements:
            where = f"{change.source}.{change.key[-1]}"
            yours, better = as_toml(change.yours), as_toml(change.value)
            say(shown(f"Kept as you wrote it: {where} = {yours}; {better} fits better. --yes replaces it."))
