"""`doctor`, `pull`, `cycle`: the loop by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from workflows.cli.session import AS_OF_HELP, moment, moment_of_cycle, start

if TYPE_CHECKING:
    from workflows.models import PullReport

AsOf = Annotated[str | None, typer.Option("--as-of", help=AS_OF_HELP)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(application: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (doctor, pull, cycle):
        application.command()(command)


def doctor(
    permissions: Annotated[
        bool, typer.Option("--permissions", help="Print the rights each connection needs, and check nothing.")
    ] = False,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="List the records that could not be read, and check nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check every connection: reachability, credentials, permissions, mapping, clock; and say what to mend."""
    start()
    if permissions:
        _rights(as_json)
        return
    if rejected:
        _rejected(as_json)
        return
    from workflows import health
    from workflows.cli.output import print_json, print_table

    found = health.examine()
    if as_json:
        print_json([line.as_dict() for line in found])
    else:
        print_table(
            "Health",
            ["connection", "check", "", "detail", "mend"],
            [(line.connection, line.check, "ok" if line.is_ok else "FAILS", line.detail, line.mend) for line in found],
        )
    if any(not line.is_ok for line in found):
        raise typer.Exit(1)


def _rights(as_json: bool) -> None:
    """For whoever administers the platform: tables or endpoints, operations, least roles, and why."""
    from workflows import health
    from workflows.cli.output import print_json, print_table, say

    found = health.permissions()
    if as_json:
        print_json(found)
        return
    if not found:
        say("No connection is configured whose rights are known. Describe one in regelkreis.toml.")
    print_table(
        "Permissions",
        ["connection", "for", "where", "operations", "least", "why", "without it"],
        [
            (
                right["connection"],
                right["use"],
                right["where"],
                ", ".join(right["operations"]),
                right["least"],
                right["why"],
                right["without"] or "does not work",
            )
            for right in found
        ],
    )


def _rejected(as_json: bool) -> None:
    """Each record that a pull could not read, with the field and the reason."""
    from workflows import health
    from workflows.cli.output import print_json, print_table

    found = health.rejected()
    if as_json:
        print_json(found)
        return
    columns = ["connection", "kind", "record", "field", "reason", "seen_at"]
    print_table("Not readable", columns, [tuple(row[name] for name in columns) for row in found])


def pull(
    names: Annotated[list[str] | None, typer.Argument(help="Connections; default: all.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Read again what was updated since this day; of a new connection, only that."),
    ] = None,
    reconcile: Annotated[
        bool,
        typer.Option("--reconcile", help="Look for all that is gone or rewritten now: list keys, read clocks again."),
    ] = False,
    hinted: Annotated[
        bool, typer.Option("--hinted", help="Only connections whose platform said that something changed there.")
    ] = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Pull what changed on the platforms into the warehouse, and bury what is gone from them."""
    start()
    now = moment_of_cycle(as_of)
    begin = moment(since, "--since") if since else None
    if begin is not None and begin > now:
        from improvement.errors import InputError, Place

        what = f"{begin:%Y-%m-%d} is still to come: nothing was updated since then."
        raise InputError(what, where=Place(field="--since"), mend="Name a day in the past.")
    if hinted:
        names = _hinted(names, now)
        if not names:
            typer.echo("[]" if as_json else "Nothing was hinted at.")
            return
    from workflows import cycle as cycles
    from workflows.cli.output import print_json, print_table

    results = cycles.pull_all(
        as_of=now,
        names=names,
        is_shown=not as_json,
        since=begin,
        is_reconciled=reconcile,
    )
    reports = [report for result in results for report in result.reports]
    if as_json:
        print_json([report.as_dict() for report in reports])
    else:
        print_table("Pull", [column for column, _ in PULL_COLUMNS], _pulled_rows(reports))
        for result in results:
            for note in result.notes:
                typer.echo(f"note: {result.connection}, {note}", err=True)
    for result in results:
        if result.problem:
            typer.echo(f"error: {result.problem}", err=True)
    if any(result.errors for result in results):
        raise typer.Exit(1)


def _hinted(names: list[str] | None, now: datetime) -> list[str]:
    """Asked every minute by a timer: without a hint nothing heavy is loaded."""
    from django.conf import settings

    from workflows.hooks import hints

    return hints.due(names or settings.REGELKREIS.connections, at=now)


PULL_COLUMNS: tuple[tuple[str, str], ...] = (  # heading → what PullReport.as_dict calls it
    ("connection", "connection"),
    ("kind", "kind"),
    ("read", "read"),
    ("new", "new"),
    ("changed", "changed"),
    ("unchanged", "unchanged"),
    ("restated", "restated"),
    ("rejected", "rejected"),
    ("deleted", "deleted"),
    ("on the platform", "platform_count"),
    ("here", "warehouse_count"),
    ("lag s", "lag_s"),
    ("requests", "requests"),
    ("retries", "retries"),
    ("s", "seconds"),
    ("error", "error"),
)


def _pulled_rows(reports: Iterable[PullReport]) -> list[list[object]]:
    """Every report as a row; an error that stopped several kinds of a connection is told once."""
    rows: list[list[object]] = []
    told: dict[tuple[object, object], object] = {}
    for row in map(_pulled, reports):
        connection, kind, *_, error = row
        first = told.setdefault((connection, error), kind)
        rows.append([*row[:-1], f"as {first}"] if error and first != kind else row)
    return rows


def _pulled(report: PullReport) -> list[object]:
    """A report as a row; reasons of what was rejected stand below the number of them."""
    shown = report.as_dict()
    reasons = "".join(f"\n{number} × {reason}" for reason, number in shown["reasons"].items())
    row = [shown[name] for _, name in PULL_COLUMNS]
    return [
        f"{cell}{reasons}" if name == "rejected" else cell for cell, (_, name) in zip(row, PULL_COLUMNS, strict=True)
    ]


def cycle(
    as_of: AsOf = None,
    as_json: Json = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the requests deliver would send; send none.")
    ] = False,
) -> None:
    """Run one cycle: pull, evaluate, open, follow, check, review, deliver."""
    start()
    from workflows import cycle as cycles
    from workflows.cli.output import print_json, print_table, say
    from workflows.deliveries import dead_letters

    if dry_run:
        moment(as_of)  # what is sent does not depend on it; a wrong one is refused all the same
        shown = cycles.preview_all()
        if as_json:
            print_json(shown.lines)
        else:
            print_table("Requests", ["delivery", "method", "url", "body", "why not"], map(_request, shown.lines))
            if not shown.lines:
                waits = (
                    " `regelkreis deliveries list` says for what each write waits."
                    if dead_letters.undelivered()
                    else ""
                )
                say(f"Nothing would be sent.{waits}")
        for error in shown.errors:
            typer.echo(f"error: {error}", err=True)
        if shown.errors:
            raise typer.Exit(1)
        return
    summary = cycles.run(as_of=moment_of_cycle(as_of), is_shown=not as_json)
    if as_json:
        print_json(summary.as_dict())
    else:
        print_table("Cycle", ["what", "count"], summary.rows())
        for error in summary.errors:
            typer.echo(f"error: {error}", err=True)
    if summary.errors:
        raise typer.Exit(1)


def _request(line: Mapping[str, str]) -> list[str]:
    """A line of a dry run as a row."""
    return [line["key"], line["method"], line["url"], f"{line['body']}\n{line['may_follow']}".strip(), line["why"]]
