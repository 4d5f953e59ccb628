"""The demo's last page: what the loop did, and the truth beside the verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from improvement.plurals import how_many
from improvement.vocabulary import Verdict

UNCREDITED = frozenset({Verdict.NO_CHANGE, Verdict.NOT_ENOUGH_DATA, Verdict.RECOVERED, Verdict.NOT_ATTRIBUTABLE})
#: What may honestly be said where the truth is known. A false *worse* is as wrong as a false *improved*.
HONEST: dict[str, frozenset[str]] = {
    "effect": frozenset({Verdict.IMPROVED}),
    "placebo": UNCREDITED,
    "regression": UNCREDITED,
    "trend": UNCREDITED,
    "worse": frozenset({Verdict.WORSE, Verdict.NOT_ENOUGH_DATA}),
    "few": UNCREDITED - {Verdict.NOT_ATTRIBUTABLE},
}


def honest(actions: list[dict[str, Any]]) -> tuple[int, int]:
    """How many verdicts say what the truth allows, and how many there are."""
    judged = [action for action in actions if action["verdict"]]
    return sum(action["verdict"] in HONEST.get(action["truth"], ()) for action in judged), len(judged)


def print_summary(summary: dict[str, Any]) -> None:
    """Print what happened as a person likes to read it."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if Console().is_terminal else 150)
    if "incidents" in summary:
        for table in _replayed(summary):
            console.print(table)
        _print_errors(console, summary)
        return
    console.print()
    console.print(
        f"[bold]{summary['tickets']:,} tickets[/] pulled ({summary['records']:,} records), {summary['rules']} rules, "
        f"{summary['points']:,} values, {how_many(summary['findings'], 'finding')}, "
        f"{how_many(len(summary['actions']), 'action')}, "
        f"{how_many(summary['reviews_written'], 'review')} written back, in {summary['loop_seconds']} s "
        f"({summary['seconds']} s with the sandbox)."
    )
    for fact in summary["evidence"]:
        console.print(f"{'✓' if summary['evidence_ok'] else '✗'} {fact}", highlight=False)
    table = Table(title="The truth beside the verdicts", title_justify="left", header_style="bold", pad_edge=False)
    for column in (
        "action",
        "scope",
        "metric",
        "truth",
        "verdict",
        "effect",
        "interval",
        "a plain arrow says",
        "record",
    ):
        table.add_column(column, overflow="fold")
    for action in summary["actions"]:
        verdict = action["verdict"] or f"({action['state']})"
        tone = "" if action["verdict"] is None else "green" if verdict in HONEST.get(action["truth"], ()) else "red"
        table.add_row(
            action["id"],
            Text(_short(action["scope"])),
            action["metric"],
            action["truth"],
            Text(verdict, style=tone),
            Text(action["effect_text"]),
            Text(action["interval_text"]),
            Text(action["naive_text"], style="strike dim"),
            Text(action["record"], style=f"link {action['record_url']}" if action["record_url"] else ""),
        )
    console.print(table)
    right, judged = honest(summary["actions"])
    console.print(f"{right} of {judged} verdicts say what the truth allows.", highlight=False)
    written = [action for action in summary["actions"] if action["verdict"] and action["record_url"]]
    for platform in sorted({action["platform"] for action in written}):
        first = next(action for action in written if action["platform"] == platform)
        console.print(
            f"{first['id']} on {platform}: {first['record_url']}", highlight=False, markup=False, soft_wrap=True
        )
    _print_errors(console, summary)


def _print_errors(console: Any, summary: dict[str, Any]) -> None:
    if summary["errors"]:
        console.print(f"{how_many(len(summary['errors']), 'error')}; the first: {summary['errors'][0]}", markup=False)


REPLAYED = {
    "incidents": "incidents",
    "sla_breached": "of them with a breached SLA",
    "reopened": "of them reopened",
    "records": "records pulled",
    "findings": "findings fired",
    "deliveries": "writes delivered to the platform",
    "evidence_ok": "evidence verified",
    "seconds": "seconds",
}


def _replayed(summary: dict[str, Any]) -> Iterator[Any]:
    """What a real log gave: its facts, and the actions that were opened on it."""
    from rich.table import Table

    facts = Table(title="The loop on a real incident log", title_justify="left", show_header=False)
    for key, label in REPLAYED.items():
        value = summary[key]
        facts.add_row(label, "yes" if value is True else "NO" if value is False else f"{value:,}")
    yield facts
    actions = Table(title="Actions opened and written back", title_justify="left", header_style="bold")
    for column in ("action", "scope", "state", "record"):
        actions.add_column(column, overflow="fold")
    for action in summary["actions"]:
        actions.add_row(action["id"], _short(action["scope"]), action["state"], action["record"])
    yield actions


def _short(scope: str) -> str:
    return " · ".join(part.partition("=")[2] for part in scope.split(","))
