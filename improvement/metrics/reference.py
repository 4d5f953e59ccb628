"""The reference page of the metrics, written from the catalogue: ``docs/reference/metrics.md``.

``python -m improvement.metrics.reference > docs/reference/metrics.md`` writes it again; a test compares the two.
"""

from __future__ import annotations

from improvement.metrics import CATALOGUE, Fill, Metric
from improvement.metrics.options import DEFAULTS

INTRODUCTION = """# Metrics

<!-- written by `python -m improvement.metrics.reference`; edit improvement/metrics, not this page -->

Every metric is counted by whole ISO weeks in the scope's own time zone, from the records pulled. A week of a scope is a
*cell*: a numerator, a denominator and how many records they come from (`n`). A rule's value over a window is the sum of
the numerators over the sum of the denominators; of a snapshot (backlog, ages, contact gap, mood) it is the value at the
end of the window's last week.

What happened after the moment of an evaluation does not count: a ticket resolved later is still open. Attributes
(priority, service, supplier …) are the latest known. A missing dimension is the scope value `(none)`. Cancelled tickets
and cancelled clocks do not count. Records that vanished from the platform do not count.

`regelkreis metrics show NAME` prints a metric's SQL.
"""
WEEKS_WITHOUT = {
    Fill.ABSENT: "no value",
    Fill.ZERO: "zero, from the scope's first ticket on",
    Fill.RUNNING_SUM: "the level that stands",
    Fill.SINCE_LAST: "the gap grows",
    Fill.AT_END: "no value",
}
FAMILIES = {
    "proportion": "proportion (odds ratio)",
    "count": "count (rate ratio)",
    "time": "restricted time (ratio)",
    "score": "score (points)",
    None: "none: shown against its target, no statistical verdict",
}


def page() -> str:
    """The page as Markdown."""
    rows = [
        "| metric | unit | better | counted by | checked as |",
        "|---|---|---|---|---|",
        *(
            f"| [`{one.id}`](#{one.id}) | {one.unit} | {one.direction} | {one.date_basis} | {one.family or '–'} |"
            for one in CATALOGUE.values()
        ),
    ]
    return "\n".join([INTRODUCTION, *rows, "", *(_section(metric) for metric in CATALOGUE.values())])


def _section(metric: Metric) -> str:
    facts = {
        "title": metric.title,
        "numerator": metric.numerator,
        "denominator": metric.denominator,
        "unit": f"{metric.unit}; {metric.direction} is better",
        "a record counts in the week of": metric.date_basis,
        "a week without any": WEEKS_WITHOUT[metric.fill],
        "the check treats it as": FAMILIES[metric.family],
        "minimum sample": metric.least_sample,
        "`where` may name": ", ".join(f"`{key}`" for key in metric.where_keys),
        "version": str(metric.version),
    }
    if metric.tau_h is not None:
        is_chosen = metric.family == "time"
        facts["τ"] = f"{metric.tau_h:.0f} h" + (" unless the plan chose 168 or 672 h" if is_chosen else "")
    lines = [f"## {metric.id}", "", metric.definition, "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in facts.items()]
    lines += ["", f"Example: {metric.example}", ""]
    return "\n".join([*lines, *_parts()] if metric.id == "mood_index" else lines)


def _parts() -> list[str]:
    """What the mood is made of, and how to see one customer's parts."""
    rows = [
        f"| `{part.name}` | {part.what} | {part.weight:g} | {part.worst:g} | {part.best:g} |" for part in DEFAULTS.mood
    ]
    return [
        "The parts and their weights; a score is linear between the two values, never below 0 or above 100:",
        "",
        "| part | value | weight | scores 0 at | scores 100 at |",
        "|---|---|---|---|---|",
        *rows,
        "",
        "`regelkreis metrics mood CUSTOMER` lists a customer's parts, each with its score and its share of the known",
        "weights, and those that are missing as missing. They are also the rows behind a value (`rules explain`).",
        "",
    ]


if __name__ == "__main__":
    print(page(), end="")
