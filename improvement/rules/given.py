"""The cells of a rule test, from counts in the metric's own words: ``tickets: 40, breached: 8``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from improvement.rules.documents import GivenPart
from improvement.rules.problems import Path, Problems
from improvement.rules.reach import out_of_range
from improvement.rules.scope import Scope
from improvement.rules.suggestions import did_you_mean
from improvement.rules.units import number_text

if TYPE_CHECKING:
    from improvement.metrics.catalogue import Metric

# metric → (what the numerator is called, what the denominator is called). A share's numerator counts events, a
# mean's is the mean itself; counts and snapshots have no denominator but may name their samples.
WORDS: dict[str, tuple[str, str | None]] = {
    "incident_count": ("tickets", None),
    "major_incident_count": ("major", None),
    "sla_breach_rate": ("breached", "tickets"),
    "time_to_respond": ("hours", "tickets"),
    "time_to_resolve": ("hours", "tickets"),
    "reopen_rate": ("reopened", "tickets"),
    "backlog_open": ("open", None),
    "csat_mean": ("score", "responses"),
    "contact_gap": ("days", None),
    "change_failure_rate": ("failed", "changes"),
    "reassignment_rate": ("reassigned", "tickets"),
    "first_contact_resolution_rate": ("solved", "tickets"),
    "repeat_incident_rate": ("repeated", "tickets"),
    "backlog_age_p90": ("days", None),
    "problem_age_p90": ("days", None),
    "availability": ("available", "services"),
    "csat_low_share": ("low", "responses"),
    "nps": ("score", "responses"),
    "survey_response_rate": ("answered", "sent"),
    "complaint_count": ("complaints", None),
    "escalation_rate": ("rate", "tickets"),
    "mood_index": ("mood", None),
}
GENERIC = {"proportion": ("events", "trials"), "count": ("count", None)}
MEAN = ("value", "samples")
UNBOUNDED = ("escalation_rate",)  # a share by its form: a ticket may be escalated twice


def words_of(metric: Metric) -> tuple[str, str | None]:
    """What a test calls the metric's numerator (or mean) and denominator."""
    return WORDS.get(metric.id) or GENERIC.get(metric.family or "", MEAN)


def given_cells(
    entries: list[tuple[Path, GivenPart, Scope]], by: tuple[str, ...], problems: Problems, metric: Metric
) -> pa.Table:
    """Cells ``by…, week, numerator, denominator, n``; what is given twice or in unknown words is reported."""
    rows: dict[tuple[Scope, int], tuple[float, float, int]] = {}
    for path, part, scope in entries:
        counts = _counts(part, path, metric, problems)
        if counts is None:
            continue
        for week in range(part.weeks[0], part.weeks[1] + 1):
            if (scope, week) in rows:
                problems.add((*path, "weeks"), "A week of this scope is given twice.", "Let the spans not overlap.")
                break
            rows[scope, week] = counts
    columns: dict[str, pa.Array] = {name: pa.array([scope.get(name) for scope, _ in rows], pa.string()) for name in by}
    columns["week"] = pa.array([week for _, week in rows], pa.int64())
    columns["numerator"] = pa.array([numerator for numerator, _, _ in rows.values()], pa.float64())
    columns["denominator"] = pa.array([denominator for _, denominator, _ in rows.values()], pa.float64())
    columns["n"] = pa.array([n for _, _, n in rows.values()], pa.int64())
    return pa.table(columns)


def _counts(part: GivenPart, path: Path, metric: Metric, problems: Problems) -> tuple[float, float, int] | None:
    top, bottom = words_of(metric)
    allowed = [top, bottom or "samples"]
    given = part.model_extra or {}
    before = len(problems.errors)
    for name, value in given.items():
        if name not in allowed:
            problems.add(
                (*path, name), f"{metric.id} is not given by “{name[:60]}”.", did_you_mean(name, allowed), of_key=True
            )
        elif isinstance(value, bool) or not isinstance(value, int | float) or (value < 0 and name != "score"):
            problems.add((*path, name), f"“{str(value)[:60]}” is not a number.", "Write it like 40.")
    for needed in (top, bottom):
        if needed is not None and needed not in given:
            problems.add(
                path,
                f"“{needed}” is missing.",
                f"Give {' and '.join(word for word in (top, bottom) if word)} per week.",
            )
    if len(problems.errors) > before:
        return None
    wrong = out_of_range(metric, float(given[top]), number_text(given[top])) if metric.family != "proportion" else None
    if wrong is not None and metric.id not in UNBOUNDED:
        problems.add((*path, top), *wrong)
        return None
    numerator = float(given[top])
    if bottom is None:
        return numerator, 1.0, int(given.get("samples", max(numerator, 1)))
    denominator = float(given[bottom])
    if metric.family == "proportion":
        if numerator > denominator:
            problems.add((*path, top), f"There are more {top} than {bottom}.", f"Use at most {denominator:g}.")
            return None
        return numerator, denominator, int(denominator)
    return numerator * denominator, denominator, int(denominator)
