"""From a document to a rule: names, units and directions against the metric catalogue; every error with its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from improvement.plurals import how_many
from improvement.rules.amounts import in_range, limit_of, target_of
from improvement.rules.canonical import versioned
from improvement.rules.cascade import overrides_of
from improvement.rules.documents import RuleDocument
from improvement.rules.flow_down import flow_down_of, tightened
from improvement.rules.problems import Path, Problems
from improvement.rules.reach import (
    counts_nothing,
    never_broken,
    never_cleared,
    never_holds,
    too_few_samples,
    too_many_samples,
)
from improvement.rules.rule import (
    Clear,
    Condition,
    FlowDown,
    Limits,
    Mode,
    Rule,
    SeriesKey,
    Target,
    TargetKind,
    Where,
)
from improvement.rules.scope import DIMENSIONS
from improvement.rules.series import by_of, metric_of, where_of
from improvement.rules.targets import is_looser
from improvement.rules.templates import action_of, check_of

if TYPE_CHECKING:
    from improvement.metrics.catalogue import Metric

DEFAULT_SAMPLES = 10  # of metrics that are a share or a mean; counts and snapshots need none


def compiled(
    document: RuleDocument, problems: Problems, catalogue: Mapping[str, Metric], limits: Limits
) -> Rule | None:
    """The rule of a document, or None after reporting to ``problems`` all that is wrong."""
    spec, metadata = document.spec, document.metadata
    is_whole = not problems.errors  # else overrides may have been taken out
    metric = metric_of(spec.metric, ("spec", "metric"), problems, catalogue)
    by = by_of(spec.by, problems, metric)
    every_weeks = _every(document, problems)
    if metric is None:
        return None
    key = SeriesKey(metric.id, where_of(spec.where, ("spec", "where"), problems, metric), by)
    target = target_of(spec.target, ("spec", "target"), problems, metric)
    overrides = overrides_of(spec.overrides, key, problems, metric)
    clear = _clear(document, target, problems, metric, every_weeks)
    action = action_of(document.action, metadata.title, key, problems)
    check = check_of(document.check, key, problems, metric)
    flow_down = flow_down_of(spec.flow_down, key, target, problems, metric)
    targets = [] if target is None else [target, *(override.target for override in overrides)]
    conditions = _conditions(document, key, targets if is_whole else [], problems, catalogue, limits)
    _refuse_idle(clear, targets, flow_down, problems, metric, is_whole=is_whole)
    passed_on_by = flow_down.by if flow_down is not None and not problems.is_stored else ()
    samples = _samples(document, metric, key, passed_on_by, limits, problems)
    if problems.errors or target is None:
        return None
    return versioned(
        Rule(
            id=metadata.id,
            title=metadata.title,
            description=metadata.description,
            owner=metadata.owner,
            objective=metadata.objective,
            tags=dict(metadata.tags),
            mode=Mode(spec.mode),
            key=key,
            direction=metric.direction,
            is_snapshot=metric.is_snapshot,
            is_share=metric.is_share,
            family=metric.family,
            lag_weeks=metric.lag_weeks,
            window_weeks=spec.window,
            every_weeks=every_weeks,
            target=target,
            overrides=overrides,
            conditions=conditions,
            for_values=spec.trigger.hold // every_weeks,
            min_samples=samples,
            clear=clear,
            cooldown_weeks=spec.cooldown,
            action=action,
            check=check,
            limits=limits,
            flow_down=flow_down,
            derived_from=metadata.id.partition("@")[0] if "@" in metadata.id else None,
            document={},
            sha256="",
            series_sha256="",
            place=problems.place(("metadata", "id")),
        )
    )


def _samples(
    document: RuleDocument,
    metric: Metric,
    key: SeriesKey,
    passed_on_by: tuple[str, ...],
    limits: Limits,
    problems: Problems,
) -> int:
    """How many samples a value needs, also of the rule it is passed on as; a value must never rest on so few records
    that they can be one person's.

    Records carry no people, so their number is the most people they can come from.
    """
    given = document.spec.trigger.min_samples
    default = 0 if metric.family == "count" or metric.is_snapshot else max(DEFAULT_SAMPLES, limits.min_people)
    samples = default if given is None else given
    where = () if problems.is_stored else key.where  # versions that were live may name groups
    if _is_of_people(metric, (*key.by, *passed_on_by), where):
        _refuse_fewer_than_people(samples, ("spec", "trigger", "min_samples"), limits, problems)
    unreachable = too_many_samples(metric, key.by, samples)
    if unreachable is not None:
        problems.add_futile(("spec", "trigger", "min_samples"), *unreachable)
    return samples


def _is_of_people(metric: Metric, by: tuple[str, ...], where: Where) -> bool:
    """Whether a value of few records can be that of one person: of answers, and of assignment groups."""
    return "survey.kind" in metric.where_keys or "assignment_group" in (*by, *dict(where))


def _refuse_fewer_than_people(samples: int, path: Path, limits: Limits, problems: Problems) -> None:
    if samples < limits.min_people:
        what = (
            f"On {how_many(samples, 'sample')} a value can be that of one person; at least "
            f"{limits.min_people} are needed."
        )
        problems.add(path, what, f"Use {limits.min_people} or more (limits.min_people).")


def _refuse_idle(
    clear: Clear,
    targets: list[Target],
    flow_down: FlowDown | None,
    problems: Problems,
    metric: Metric,
    *,
    is_whole: bool,
) -> None:
    """Report targets that nothing can break, for customers and suppliers alike, and findings that nothing resolves."""
    if not targets:
        return
    passed_on = []
    if flow_down is not None:
        own = flow_down.target or tightened(targets[0], flow_down.tighten, metric.is_share)
        passed_on = [own] if own is not None else []
    unbroken = never_broken(metric, [*targets, *passed_on]) if is_whole else None
    if unbroken is not None:
        problems.add_futile(("spec", "target", targets[0].kind.value), *unbroken)
    uncleared = never_cleared(metric, clear, [*targets, *passed_on])
    if uncleared is not None:
        problems.add_futile(("spec", "clear", "ratio"), *uncleared)


def _every(document: RuleDocument, problems: Problems) -> int:
    """Weeks between two values; what runs by days is refused clearly (docs/decisions/027-no-values-by-day.md)."""
    spec = document.spec
    every = spec.every.weeks
    if every is None or every < 1:
        what = f"{spec.every.days}d needs metrics counted by day; they are counted by ISO week."
        problems.add(("spec", "every"), what, "Use 1w; to hear of it sooner, a shorter window.")
        return 1
    if every > spec.window:
        what = f"every ({every}w) is longer than window ({spec.window}w): weeks between would never be looked at."
        problems.add(("spec", "every"), what, f"Use at most {spec.window}w.")
    if spec.trigger.hold % every:
        problems.add(
            ("spec", "trigger", "for"),
            f"{spec.trigger.hold}w is no multiple of every ({every}w).",
            f"Use {every}w or a multiple.",
        )
    return every


def _conditions(
    document: RuleDocument,
    key: SeriesKey,
    targets: list[Target],
    problems: Problems,
    catalogue: Mapping[str, Metric],
    limits: Limits,
) -> tuple[Condition, ...]:
    found: list[Condition] = []
    for position, part in enumerate(document.spec.conditions):
        path = ("spec", "while", position)
        metric = metric_of(part.metric, (*path, "metric"), problems, catalogue)
        if metric is None:
            continue
        if part.where is not None:
            where = where_of(part.where, (*path, "where"), problems, metric)
        else:
            where = tuple((name, values) for name, values in key.where if name in metric.where_keys)
            nothing = counts_nothing(metric, where)
            if nothing is not None:
                mend = "Give this while a where of its own: the rule's is passed on."
                problems.add_futile((*path, "metric"), nothing[1], mend)
        lacking = [name for name in key.by if name in DIMENSIONS and name not in metric.where_keys]
        if lacking:
            what = f"{metric.id} cannot be grouped by {', '.join(lacking)}, as the rule is: it would never hold."
            problems.add_futile((*path, "metric"), what, "Name another metric, or group the rule otherwise.")
        for name in key.by:
            kept, looked_at = dict(key.where).get(name), dict(where).get(name)
            if kept and looked_at and not set(kept) & set(looked_at):
                what = f"The rule keeps only {name} {' or '.join(map(str, kept))}: such a rule never fires."
                problems.add_futile((*path, "where", name), what, "Name one of them, or leave it out.")
        kind = TargetKind.MAX if part.max is not None else TargetKind.MIN
        amount = part.max if part.max is not None else part.min
        limit = in_range(amount, (*path, kind.value), problems, metric) if amount is not None else None
        if limit is not None:
            other = SeriesKey(metric.id, where, key.by)
            samples = _samples_of_while(part.min_samples, metric, other, (*path, "min_samples"), limits, problems)
            is_count = metric.family == "count"
            made = Condition(other, Target(kind, limit), metric.is_snapshot, is_count, metric.lag_weeks, samples)
            alike = [condition for condition in found if condition.key == other]
            impossible = never_holds(metric, made, targets if other == key else [], alike)
            impossible = impossible or too_few_samples(metric, made, document.spec.window)
            if impossible is not None:
                problems.add_futile((*path, kind.value), *impossible)
            found.append(made)
    return tuple(found)


def _samples_of_while(
    given: int | None, metric: Metric, key: SeriesKey, path: Path, limits: Limits, problems: Problems
) -> int:
    """On how many samples the metric of a *while* can be told; of what can be one person's never on fewer than that
    takes. Versions that were live say themselves how many."""
    is_of_people = not problems.is_stored and _is_of_people(metric, key.by, key.where)
    samples = given if given is not None else limits.min_people if is_of_people else 0
    if is_of_people:
        _refuse_fewer_than_people(samples, path, limits, problems)
    unreachable = too_many_samples(metric, key.by, samples)
    if unreachable is not None:
        problems.add_futile(path, *unreachable)
    return samples


def _clear(document: RuleDocument, target: Target | None, problems: Problems, metric: Metric, every: int) -> Clear:
    part = document.spec.clear
    path = ("spec", "clear")
    if part.hold % every:
        problems.add(
            (*path, "for"), f"{part.hold}w is no multiple of every ({every}w).", f"Use {every}w or a multiple."
        )
    values = max(part.hold // every, 1)
    kind = TargetKind.MAX if part.max is not None else TargetKind.MIN
    amount = part.max if part.max is not None else part.min
    if amount is None:
        return Clear(part.ratio if part.ratio is not None else 1.0, None, values)
    limit = limit_of(kind, amount, path, problems, metric)
    if limit is None or target is None:
        return Clear(1.0, None, values)
    if target.kind is TargetKind.WORSE_THAN_OWN:
        problems.add(
            (*path, kind.value),
            "The target differs by scope: an absolute limit may be looser.",
            "Use ratio, like 0.8.",
            of_key=True,
        )
    elif is_looser(limit, target):
        what = "The finding would be resolved while it still breaks its target."
        problems.add((*path, kind.value), what, "Use a stricter value, or ratio: 0.8.")
    return Clear(1.0, limit, values)
