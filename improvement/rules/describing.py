"""A rule in plain words: for whoever is held to it and does not read YAML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from improvement.metrics import metric_named
from improvement.plurals import how_many, plural
from improvement.rules.explaining import target_text
from improvement.rules.rule import Mode, Override, Rule, Target, TargetKind, Where
from improvement.rules.testing import RuleTest, value_text

MODES = {
    Mode.OBSERVE: "observes: it only shows findings",
    Mode.PROPOSE: "proposes: a person accepts an action before anything is written",
    Mode.OPEN: "opens actions by itself",
}
NO_DENOMINATOR = frozenset({"one", "one week of exposure"})  # of counts and snapshots


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """A rule and what an installation knows about it; all but the rule may be left out."""

    rule: Rule
    applied_at: str = ""
    applied_by: str = ""
    firing: int | None = None
    open_actions: int | None = None
    tests: Sequence[str] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """As JSON: the rule's canonical document, its words, and what is known about it."""
        rule = self.rule
        return {
            "id": rule.id,
            "title": rule.title,
            "version": rule.sha256,
            "mode": rule.mode.value,
            "owner": rule.owner,
            "objective": rule.objective,
            "derived_from": rule.derived_from,
            "says": list(sentences(rule)),
            "applied_at": self.applied_at or None,
            "applied_by": self.applied_by or None,
            "firing": self.firing,
            "open_actions": self.open_actions,
            "tests": list(self.tests),
            "file": rule.place.file if rule.place else None,
            "document": rule.canonical(),
        }


def sentences(rule: Rule) -> Iterator[str]:
    """What the rule says, one thought a sentence."""
    metric = metric_named(rule.metric)
    yield f"Counts {_inside(metric.title)} (`{rule.metric}`): {metric.numerator}{_of(metric.denominator)}."
    kept = _where(rule.key.where)
    series = f"for each {' × '.join(rule.by)}" if rule.by else "in one series"
    span = f"over {_weeks(rule.window_weeks)}, {_every(rule)}"
    yield f"Of {kept}, {series}, {span}." if kept else f"{series[0].upper()}{series[1:]}, {span}."
    yield f"Bad is {bad(rule, rule.target)}."
    for condition in rule.conditions:
        side = "at most" if condition.target.kind is TargetKind.MAX else "at least"
        other = metric_named(condition.key.metric)
        limit = f"{condition.target.value * 100:g}%" if other.is_share else f"{condition.target.value:g} {other.unit}"
        samples = f", on at least {how_many(condition.min_samples, 'sample')}" if condition.min_samples else ""
        yield f"Only while `{condition.key.metric}` of the same scope is {side} {limit.strip()}{samples}."
    samples = f", each on at least {how_many(rule.min_samples, 'sample')}" if rule.min_samples else ""
    hold = "one bad value" if rule.for_values == 1 else f"{rule.for_values} bad values in a row"
    yield f"It fires after {hold}{samples}; {_clear(rule)}."
    if rule.mode is Mode.OBSERVE:
        yield "It opens no actions."
    else:
        rest = _weeks(rule.cooldown_weeks)
        yield f"Its actions are due in {how_many(rule.action.due_days, 'day')}; after one it rests for {rest}."
        yield f"{_check(rule)}."
    if rule.flow_down is not None:
        yield f"Passed on to every {' × '.join(rule.flow_down.by)} as `{rule.id}@{rule.flow_down.by[0]}`."


def bad(rule: Rule, target: Target) -> str:
    """When a value breaks a target: ``above 5%``."""
    if target.kind is TargetKind.WORSE_THAN_OWN:
        by = f"{target.value * 100:g}%" if target.is_relative else value_text(target.value, rule)
        return f"{by} worse than the scope's own {_weeks(target.reference_weeks)} before"
    unit = "" if rule.is_share else f" {metric_named(rule.metric).unit}"
    return f"{'above' if target.kind is TargetKind.MAX else 'below'} {value_text(target.value, rule)}{unit}".strip()


def markdown(facts: Iterable[RuleFacts], *, title: str, note: str = "") -> str:
    """A catalogue of rules as one Markdown page: a table of all, then a section for each."""
    listed = list(facts)
    lines = [f"# {title}", ""]
    if note:
        lines += [note, ""]
    lines += ["| rule | says | owner | mode |", "|---|---|---|---|"]
    lines += [
        f"| [`{one.rule.id}`](#{_anchor(one.rule.id)}) | {_cell(one.rule.title)} | {_cell(one.rule.owner)} "
        f"| {one.rule.mode.value} |"
        for one in listed
    ]
    for one in listed:
        lines += ["", *_section(one)]
    return "\n".join(lines) + "\n"


def _section(facts: RuleFacts) -> Iterator[str]:
    rule = facts.rule
    yield f"## {rule.id}"
    yield ""
    yield f"**{_escaped(rule.title)}.** {_escaped(rule.description)}".strip()
    yield ""
    for sentence in sentences(rule):
        yield f"- {sentence}"
    if rule.overrides:
        yield ""
        yield "| where | target | from | to |"
        yield "|---|---|---|---|"
        for override in rule.overrides:
            target, first, last = override.target, _day(override.valid_from), _day(override.valid_to)
            yield f"| {_cell(where_of(override))} | {target_text(rule, target)} | {first} | {last} |"
    if rule.action.playbook and rule.mode is not Mode.OBSERVE:
        yield ""
        yield "Playbook:"
        yield ""
        for number, step in enumerate(rule.action.playbook, start=1):
            yield f"{number}. {_escaped(step)}"
    yield ""
    yield " · ".join(_facts(facts))


def _facts(facts: RuleFacts) -> Iterator[str]:
    rule = facts.rule
    yield f"owner {_escaped(rule.owner)}"
    if rule.objective:
        yield f"objective {_escaped(rule.objective)}"
    for name, value in sorted(rule.tags.items()):
        yield f"{_escaped(name)}: {_escaped(value)}"
    yield f"mode *{rule.mode.value}*, {MODES[rule.mode]}"
    yield f"version `{rule.sha256[:12]}`"
    if facts.applied_at:
        yield f"live since {facts.applied_at} by {_escaped(facts.applied_by)}"
    if facts.firing is not None:
        yield f"{how_many(facts.firing, 'scope')} firing, {how_many(facts.open_actions or 0, 'action')} open"
    if rule.derived_from is None:
        yield f"tests: {_escaped('; '.join(facts.tests))}" if facts.tests else "no test"


def names_of_tests(tests: Iterable[RuleTest], rule_id: str) -> list[str]:
    """What the stories of a rule are called."""
    return [story.name for test in tests if test.rule.id == rule_id for story in test.stories]


def where_of(override: Override) -> str:
    """The scopes an override is for."""
    return ", ".join(f"{name} {text}" for name, text in override.when)


def _inside(title: str) -> str:
    """A title inside a sentence; abbreviations stay."""
    return title if title[:2].isupper() else title[0].lower() + title[1:]


def _of(denominator: str) -> str:
    return f", of {denominator}" if denominator not in NO_DENOMINATOR else ""


def _where(where: Where) -> str:
    return ", ".join(f"{key} {' or '.join(map(str, values))}" for key, values in where)


def _every(rule: Rule) -> str:
    return "every week" if rule.every_weeks == 1 else f"every {rule.every_weeks} weeks"


def _weeks(number: int) -> str:
    return "1 week" if number == 1 else f"{number} weeks"


def _clear(rule: Rule) -> str:
    is_one = rule.clear.values == 1
    count = "one clear value" if is_one else f"{rule.clear.values} clear values in a row"
    return f"{count}{_clear_limit(rule)} {'resolves' if is_one else 'resolve'} it"


def _clear_limit(rule: Rule) -> str:
    if rule.clear.target is not None:
        return f" ({target_text(rule, rule.clear.target)})"
    if rule.clear.ratio == 1:
        return ""
    ratio = f"{rule.clear.ratio:g}"
    if rule.target.kind is TargetKind.MAX:
        return f" ({ratio} of the target or less)"
    if rule.target.kind is TargetKind.MIN:
        return f" (the target divided by {ratio}, or more)"
    return f" (within {ratio} of the tolerated distance)"


def _check(rule: Rule) -> str:
    if rule.family is None:
        return "Its actions are shown against their target, without a statistical verdict"
    looks = ", ".join(map(str, rule.check.looks))
    goal = rule.check.goal or "set by the owner"
    weeks = plural(1 if rule.check.looks == (1,) else 2, "week")
    return f"Their goal is {goal}; they are looked at {looks} {weeks} after go-live"


def _day(day: object) -> str:
    return "" if day is None else str(day)


def _anchor(rule_id: str) -> str:
    return "".join(letter for letter in rule_id if letter.isalnum() or letter in "-_")


def _cell(text: str) -> str:
    return _escaped(text).replace("|", "\\|")


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("<", "&lt;")
