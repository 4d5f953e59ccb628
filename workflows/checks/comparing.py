"""Suppliers and countries side by side: a funnel plot of each live rule's share, drawn from published values."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime

from django.db import transaction
from django.db.models import Max, Min

from improvement import charts, weeks
from improvement.metrics import NONE
from improvement.rules import Rule, Scope
from improvement.rules.in_force import all_in_force
from improvement.rules.tiling import window_ends
from workflows.checks.drawing import Studio
from workflows.models import Finding, ScopeChart
from workflows.rules.live import standing_rules
from workflows.rules.published import of_series

DIMENSIONS = ("supplier", "country")
LANGUAGES = ("en", "de")
Targets = dict[str, list[dict[str, str | int]]]
LEAST_SHOWN = 2  # fewer are no comparison


def render_all(studio: Studio, *, as_of: datetime) -> int:
    """Draw the funnels of all live rules of a share by supplier or country; returns how many there are.

    What is compared are values the cycle published: numbers of events and records of whole windows that do not overlap,
    summed over connections and all other dimensions. A rule that is live no more has no funnel.
    """
    wanted = [
        (rule, dimension)
        for rule in standing_rules().rules
        if rule.family == "proportion"
        for dimension in DIMENSIONS
        if dimension in rule.key.by
    ]
    drawn = [(rule.id, dimension) for rule, dimension in wanted if _render(rule, dimension, studio, as_of=as_of)]
    for row in ScopeChart.objects.only("rule_id", "dimension"):
        if (row.rule_id, row.dimension) not in drawn:
            row.delete()
    return len(drawn)


def funnel_of(rule: Rule, dimension: str) -> charts.Funnel | None:
    """One rule's share by supplier or country over the newest windows that count each week once.

    None where there are no such windows, or fewer than two suppliers or countries have records.

    Values that an earlier version published of something else (another metric, filter or window) are not added to them.
    """
    published = of_series(rule)
    weeks_of = published.aggregate(first=Min("week"), last=Max("week"))
    if weeks_of["last"] is None:
        return None
    ends = window_ends(weeks_of["last"], window_weeks=rule.window_weeks, every_weeks=rule.every_weeks)
    span = [week for week in ends if week >= weeks_of["first"]]
    if not span:
        return None
    sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    found = published.filter(week__in=span, denominator__gt=0)
    for scope, events, records in found.values_list("finding__scope", "numerator", "denominator"):
        total = sums[scope.get(dimension, NONE)]
        total[0] += events
        total[1] += records
    sums.pop(NONE, None)  # records that name none belong to nobody who could be compared
    if len(sums) < LEAST_SHOWN:
        return None
    return charts.Funnel(
        title=rule.title,
        unit="%",
        units=[
            charts.Unit(name, 100 * events / records, round(records))
            for name, (events, records) in sorted(sums.items())
        ],
        is_lower_better=rule.direction == "lower",
        first=weeks.monday(span[-1] - rule.window_weeks + 1),
        as_of=weeks.sunday(weeks_of["last"]),
    )


def _render(rule: Rule, dimension: str, studio: Studio, *, as_of: datetime) -> bool:
    """Have the funnel drawn; the SVG of an unchanged spec is kept."""
    data = funnel_of(rule, dimension)
    if data is None:
        return False
    targets = _targets(rule, dimension, data.as_of)
    specs = {language: _spec(rule, data, targets, language) for language in LANGUAGES}
    before = ScopeChart.objects.filter(rule_id=rule.id, dimension=dimension, theme="light")
    kept = {one.language: one.svg for one in before if specs.get(one.language) == one.spec}
    missing = [language for language in LANGUAGES if language not in kept]

    def take(drawn: Sequence[str]) -> None:
        svgs = kept | dict(zip(missing, drawn, strict=True))
        rows = [
            ScopeChart(
                rule_id=rule.id,
                dimension=dimension,
                theme=theme,
                language=language,
                spec=charts.in_theme(spec, theme),
                svg=charts.in_theme(svgs[language], theme),
                alternative=charts.funnel_alternative(data, language=language),
                as_of=as_of,
            )
            for language, spec in specs.items()
            for theme in charts.THEMES
        ]
        with transaction.atomic():
            ScopeChart.objects.filter(rule_id=rule.id, dimension=dimension).delete()
            ScopeChart.objects.bulk_create(rows)

    studio.draw(f"rule {rule.id}", [(specs[language], language) for language in missing], take)
    return True


def _targets(rule: Rule, dimension: str, on: date) -> Targets:
    """The targets in force on a day by supplier or country: with the level each comes from, and for how many scopes."""
    found: defaultdict[str, Counter[tuple[str, str, str]]] = defaultdict(Counter)
    scopes = list(Finding.objects.filter(rule_id=rule.id).values_list("scope", flat=True))
    for scope, held in zip(scopes, all_in_force(rule, map(Scope.of, scopes), on), strict=True):
        since = held.since.isoformat() if held.since else ""
        found[scope.get(dimension, NONE)][held.text, held.level, since] += 1
    return {
        name: [
            {"text": text, "level": level, "since": since, "scopes": number}
            for (text, level, since), number in sorted(held.items())
        ]
        for name, held in sorted(found.items())
    }


def _spec(rule: Rule, data: charts.Funnel, targets: Targets, language: str) -> dict[str, object]:
    """The chart, and what the page shows beside it."""
    spec = charts.funnel(data, language=language)
    spec["usermeta"] = {
        "first": data.first.isoformat(),
        "as_of": data.as_of.isoformat(),
        "units": [{"name": unit.name, "share": unit.value / 100, "n": unit.n} for unit in data.units],
        "targets": targets,
        "derived_from": rule.derived_from or "",
        "has_limits": charts.limits_of(data) is not None,
        **charts.funnel_table(data, language=language).as_dict(),
    }
    return spec
