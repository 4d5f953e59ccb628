"""The untreated line of live rules: counted by a back-test, kept, and cited by every look since.

Information, never a gate. What is kept may not be chosen by its result: only back-tests count that reach over a year at
least and to the last complete week, and a new one is a new row and a ledger entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from django.db import transaction

from improvement import weeks
from improvement.rules.backtesting import RuleTally
from improvement.rules.untreated import Untreated
from workflows.complete_weeks import last_week
from workflows.evidence import ledger
from workflows.models import Person, UntreatedLine
from workflows.rules.backtest import DEFAULT_WEEKS
from workflows.rules.backtest_report import Report
from workflows.rules.lines import QUIET, Line
from workflows.rules.live import standing_rules


def keep(report: Report, *, at: datetime, by: Person) -> list[str]:
    """Keep the lines of a back-test that live versions of rules have; returns the ids of these rules.

    Empty where it covers too little, or holds no version that is live.
    """
    first, last = report.replay.first_week, report.replay.last_week
    if last != last_week(at) or last - first + 1 < DEFAULT_WEEKS:
        return []
    live = {(rule.id, rule.sha256) for rule in standing_rules().rules}
    kept = []
    for tally in report.tallies:
        if (tally.rule.id, tally.rule.sha256) not in live or not tally.untreated.unit:
            continue
        kept.append(tally.rule.id)
        new = {
            name: line
            for name, line in tally.untreated_on.items()
            if not _stands_already(tally, name, line, first, last)
        }
        if new:
            _record(tally, new, span=(first, last), at=at, by=by)
    return sorted(kept)


def told(kept: Sequence[str]) -> Iterator[Line]:
    """What the command says of it."""
    if kept:
        yield Line(f"Reviews cite from now on what comes of firings that nobody acts on: {', '.join(kept)}.", QUIET)
    else:
        yield Line(
            f"Not kept for reviews: these cite live versions only, over {DEFAULT_WEEKS} weeks or more up to the last "
            "complete one.",
            QUIET,
        )


def _stands_already(tally: RuleTally, connection: str, line: Untreated, first: int, last: int) -> bool:
    """Whether the newest count of this version says the same of the same weeks."""
    rows = UntreatedLine.objects.filter(rule_id=tally.rule.id, rule_sha256=tally.rule.sha256, connection=connection)
    row = rows.last()
    return row is not None and (row.first_week, row.last_week, row.firings, row.effect, row.low) == (
        first, last, line.firings, line.effect, line.low
    )  # fmt: skip


def _record(
    tally: RuleTally, lines: Mapping[str, Untreated], *, span: tuple[int, int], at: datetime, by: Person
) -> None:
    first, last = span
    with transaction.atomic():
        for name, line in sorted(lines.items()):
            UntreatedLine.objects.create(
                rule_id=tally.rule.id,
                rule_sha256=tally.rule.sha256,
                connection=name,
                counted_at=at,
                first_week=first,
                last_week=last,
                **line.as_dict(),
            )
        payload = {
            "rule_sha256": tally.rule.sha256,
            "from": weeks.label(first),
            "to": weeks.label(last),
            "lines": {
                name: {key: "" if value is None else value for key, value in line.as_dict().items()}
                for name, line in sorted(lines.items())
            },
        }
        ledger.append("untreated.counted", subject=tally.rule.id, actor=by.uid, at=at, payload=payload)
