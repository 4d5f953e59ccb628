"""What an action starts with and how its effect will be measured, checked against the rule's scope and metric."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from improvement.rules.documents import ActionPart, CheckPart
from improvement.rules.problems import Path, Problems
from improvement.rules.rule import ActionTemplate, CheckTemplate, SeriesKey
from improvement.rules.suggestions import did_you_mean
from improvement.rules.units import Effect

if TYPE_CHECKING:
    from improvement.metrics.catalogue import Metric

BRACES = re.compile(r"\{([^{}]*)\}|[{}]")


def action_of(part: ActionPart, title: str, key: SeriesKey, problems: Problems) -> ActionTemplate:
    """The template of an action; its title may name the rule's dimensions in braces."""
    known = [*key.by, "rule", "metric"]
    if part.title is not None:
        for found in BRACES.finditer(part.title):
            name = found[1]
            if name is None:
                problems.add(
                    ("action", "title"), "A brace is open or closed alone.", "Write names in braces, like {customer}."
                )
            elif name not in known:
                problems.add(("action", "title"), f"“{{{name[:60]}}}” is not known here.", did_you_mean(name, known))
    if part.register_as != "default":
        what = f"An action is written to the connection its numbers come from, not to “{part.register_as[:60]}”."
        problems.add(("action", "register"), what, "Write default, or leave it out.")
    default = "{rule}" + (": " + ", ".join("{" + name + "}" for name in key.by) if key.by else "")
    return ActionTemplate(
        title=part.title or default,
        hypothesis=part.hypothesis,
        impact=part.priority.impact if isinstance(part.priority.impact, int) else None,
        urgency=part.priority.urgency if isinstance(part.priority.urgency, int) else None,
        due_days=part.due.days,
        playbook=tuple(part.playbook),
        register=part.register_as,
    )


def check_of(part: CheckPart, key: SeriesKey, problems: Problems, metric: Metric) -> CheckTemplate:
    """The template of a measurement plan; goals against the metric's direction are refused."""
    for name, effect in (("goal", part.goal), ("min_effect", part.min_effect)):
        if effect is not None:
            _check_effect(effect, ("check", name), problems, metric)
    if part.min_effect is not None:
        if part.goal is None:
            problems.add(("check", "min_effect"), "A smallest effect needs a goal.", "Add check.goal.")
        elif part.min_effect.is_percent != part.goal.is_percent:
            problems.add(
                ("check", "min_effect"),
                "Goal and smallest effect differ in their unit.",
                f"Write it like the goal ({part.goal.text}).",
            )
        elif abs(part.min_effect.number) > abs(part.goal.number):
            what = f"The smallest effect worth it ({part.min_effect.text}) lies beyond the goal ({part.goal.text})."
            problems.add(("check", "min_effect"), what, "Make it smaller, or leave it out: half the goal.")
    for name, given in (("looks", part.looks), ("sustain", part.sustain)):
        if list(given) != sorted(set(given)):
            problems.add(("check", name), "The weeks must rise.", "Write them like [4w, 8w, 13w].")
    known = sorted({*key.by, *dict(key.where)})
    for position, same in enumerate(part.controls.same):
        if same not in known:
            path = ("check", "controls", "same", position)
            problems.add(path, f"Controls cannot be the same in “{same[:60]}”.", did_you_mean(same, known))
    return CheckTemplate(
        goal=part.goal.text if part.goal else None,
        min_effect=part.min_effect.text if part.min_effect else None,
        looks=tuple(part.looks),
        sustain=tuple(part.sustain),
        controls_same=part.controls.same,
        controls_max=part.controls.max,
    )


def _check_effect(effect: Effect, path: Path, problems: Problems, metric: Metric) -> None:
    opposite = Effect(-effect.number, effect.is_percent).text
    if effect.number * metric.sign < 0:
        what = f"{effect.text} makes {metric.id} worse: {metric.direction} values are better."
        problems.add(path, what, f"Did you mean {opposite}?")
    elif metric.family == "score" and effect.is_percent:
        problems.add(path, f"The effect on {metric.id} is in {metric.unit}.", "Write it like +0.25.")
    elif metric.family in ("proportion", "count", "time") and not effect.is_percent:
        problems.add(path, f"The effect on {metric.id} is a share of what it was before.", "Write it like -30%.")
    elif effect.is_percent and effect.number <= -1:
        problems.add(path, f"{effect.text} is more than there is.", "Write a share above -100%.")
