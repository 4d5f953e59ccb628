"""The reference page of the starter pack, written from its rules: ``docs/reference/starter-rules.md``.

``python -m config.starter_reference > docs/reference/starter-rules.md`` writes it again; a test compares the two.
"""

from __future__ import annotations

from pathlib import Path

from improvement.metrics import metric_named
from improvement.rules import Rule, load_pack
from improvement.rules.rule import TargetKind

PACK = Path(__file__).parent / "rules"
INTRODUCTION = """# Starter rules

<!-- written by `python -m config.starter_reference`; edit config/rules, not this page -->

`regelkreis init` copies these rules with their tests into your `rules/` folder, once; from then on they are yours. Each
carries a `RuleTest` that says when it fires. Targets are a beginning: replay them over your own history with
`regelkreis rules backtest` and delete what you do not need. A rule whose records nobody pulls or imports (outages,
complaints, escalations, recommendation surveys) shows no data and opens nothing.

`make bench-starter` holds the pack against
[worlds whose troubles are known](../decisions/032-worlds-whose-troubles-are-known.md): it prints how many troubles each
rule found, and how many of its findings were right ([figures](figures.md)).

| rule | asks | metric | for each | bad when | mode |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The page as Markdown."""
    return INTRODUCTION + "\n".join(_row(rule) for rule in load_pack([PACK]).rules) + "\n"


def _row(rule: Rule) -> str:
    file = Path(rule.place.file or "").name if rule.place else ""
    metric = f"[`{rule.metric}`](metrics.md#{rule.metric})"
    cells = (f"`{rule.id}` ({file})", rule.title, metric, ", ".join(rule.by), _target(rule), rule.mode.value)
    return f"| {' | '.join(cells)} |"


def _target(rule: Rule) -> str:
    target = rule.target
    if target.kind is TargetKind.WORSE_THAN_OWN:
        amount = f"{target.value * 100:g} %" if target.is_relative else f"{target.value:g}"
        return f"{amount} worse than in its own {target.reference_weeks} weeks before"
    side = "above" if target.kind is TargetKind.MAX else "below"
    unit = "%" if rule.is_share else metric_named(rule.metric).unit
    return f"{side} {target.value * (100 if rule.is_share else 1):g} {unit}"


if __name__ == "__main__":
    print(page(), end="")
