"""Builders: a rule from YAML, cells from a few numbers."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from improvement.rules import Point, ResolvedTarget, Rule, RulePack, Scope, load_pack

ACME = Scope.of({"customer": "Acme", "country": "DE", "service": "Mail"})
HEAD = "apiVersion: regelkreis/v1\nkind: Rule\n"


def a_file(folder: Path, text: str, name: str = "rules.yaml") -> Path:
    """A rule file with this (indented) text."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return path


def a_pack(folder: Path, text: str) -> RulePack:
    """The pack of one file."""
    return load_pack([a_file(folder, text)])


def a_rule(folder: Path, spec: str = "", more: str = "", *, rule_id: str = "sla") -> Rule:
    """A breach-rate rule (max 10 %, by customer, country, service) with other lines of spec on top."""
    lines = {
        "metric": "metric: sla_breach_rate",
        "where": "where: {kind: incident}",
        "by": "by: [customer, country, service]",
        "target": "target: {max: 10%}",
        "trigger": "trigger: {for: 2w, min_samples: 10}",
        "clear": "clear: {ratio: 0.8, for: 2w}",
    }
    given = [line for line in textwrap.dedent(spec).strip().splitlines() if line]
    keys = {line.split(":")[0] for line in given if not line.startswith((" ", "-"))}
    body = [*(line for key, line in lines.items() if key not in keys), *given]
    text = HEAD + f"metadata: {{id: {rule_id}, title: Too many}}\nspec:\n" + "".join(f"  {line}\n" for line in body)
    path = folder / f"{rule_id}.yaml"
    path.write_text(text + textwrap.dedent(more), encoding="utf-8")
    return load_pack([path]).rules[0]


def some_cells(
    weekly: Mapping[Scope, Sequence[tuple[float, float]]], *, first_week: int = 2900, n: float | None = None
) -> pa.Table:
    """Cells of consecutive weeks: (numerator, denominator) each; a denominator of 0 leaves the week out."""
    names = [name for name, _ in next(iter(weekly)).items]
    rows = [
        (scope, first_week + index, top, bottom)
        for scope, values in weekly.items()
        for index, (top, bottom) in enumerate(values)
        if bottom
    ]
    columns = {name: pa.array([scope.get(name) for scope, *_ in rows], pa.string()) for name in names}
    columns["week"] = pa.array([week for _, week, *_ in rows], pa.int64())
    columns["numerator"] = pa.array([float(top) for *_, top, _ in rows], pa.float64())
    columns["denominator"] = pa.array([float(bottom) for *_, bottom in rows], pa.float64())
    columns["n"] = pa.array([int(bottom if n is None else n) for *_, bottom in rows], pa.int64())
    return pa.table(columns)


def a_point(
    week: int, *, breaching: bool | None, clear: bool | None = None, value: float = 0.2, window: int = 4
) -> Point:
    """A point as a rule with a maximum of 10 % would see it."""
    return Point(
        rule_id="sla",
        connection="test",
        scope=ACME,
        week=week,
        first_week=week - window + 1,
        value=value,
        numerator=value * 40,
        denominator=40,
        n=40,
        target=ResolvedTarget("max", 0.1, "target", 0.08, True),
        is_breaching=breaching,
        is_clear=clear if clear is not None or breaching is None else not breaching,
        size=1.0,
    )
