"""Render the charts of actions and keep them in the state: pages only show what the cycle drew."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction

from improvement import charts, weeks
from improvement.check import Windows
from improvement.errors import RegelkreisError
from improvement.metrics import Metric
from improvement.pdca import Event
from workflows import measuring, planning
from workflows.models import Action, Chart, LookKind
from workflows.warehouse import Warehouse

KIND = "before-after"
LANGUAGES = ("en", "de")


def render_all(*, as_of: datetime) -> int:
    """Draw every action's chart afresh, in both themes and languages; returns how many actions were drawn."""
    drawn = 0
    with Warehouse.open(settings.REGELKREIS.warehouse) as warehouse:
        for action in Action.objects.order_by("id"):
            drawn += render(action, warehouse, as_of=as_of)
    return drawn


def render(action: Action, warehouse: Warehouse, *, as_of: datetime) -> bool:
    """Draw one action's chart; False where its scope has no data to draw."""
    metric = planning.metric_of(action)
    data = {language: _before_after(action, metric, warehouse, as_of) for language in LANGUAGES}
    rows = []
    for language, one in data.items():
        if one is None:
            return False
        for theme in charts.THEMES:
            spec = charts.before_after(one, theme=theme, language=language)
            rows.append(
                Chart(
                    action=action,
                    kind=KIND,
                    theme=theme,
                    language=language,
                    spec=spec,
                    svg=charts.svg(spec),
                    alternative=charts.alternative(one, language=language),
                    as_of=as_of,
                )
            )
    with transaction.atomic():
        Chart.objects.filter(action=action, kind=KIND).delete()
        Chart.objects.bulk_create(rows)
    return True


def _before_after(action: Action, metric: Metric, warehouse: Warehouse, as_of: datetime) -> charts.BeforeAfter | None:
    trigger = int(action.trigger["from_week"])
    last = weeks.last_complete_week(as_of, planning.zone_of(action)) - metric.lag_weeks
    query = measuring.query_of(action)
    found = measuring.read(
        warehouse, query, as_of=as_of, first_week=trigger - measuring.REFERENCE_WEEKS, last_week=last
    )
    series = found.by_scope.get(action.scope_key)
    if series is None or len(series.week) < 2:
        return None
    scale = 100.0 if metric.is_share else 1.0
    weekly = series.weekly()
    points = [
        charts.WeekPoint(weeks.monday(int(week)), scale * float(up) / float(down), int(down))
        for week, up, down in zip(weekly.week, weekly.numerator, weekly.denominator, strict=True)
    ]
    final = action.looks.filter(kind=LookKind.FINAL, result__isnull=False).order_by("-computed_at").first()
    windows = _windows(action)
    return charts.BeforeAfter(
        title=action.title,
        unit="%" if metric.is_share else metric.unit,
        points=points,
        bands=_bands(windows, action, last) if windows is not None else [],
        markers=_markers(action),
        target=scale * float(action.trigger["target"]) if action.trigger.get("target") is not None else None,
        expected=_expected(windows, action, final.result if final is not None else None, scale),
        is_improved={"improved": True, "worse": False, "faded": False}.get(final.verdict)
        if final is not None
        else None,
        as_of=last_day(last),
    )


def last_day(week: int) -> date:
    """The Sunday that ends a week."""
    return weeks.sunday(week)


def _windows(action: Action) -> Windows | None:
    try:
        return planning.check_windows(action)
    except RegelkreisError:
        return None  # neither live nor planned: there is nothing to mark yet


def _bands(windows: Windows, action: Action, last: int) -> list[charts.Band]:
    def band(name: str, first: int, end: int) -> charts.Band:
        return charts.Band(name, weeks.monday(first), weeks.monday(end + 1))

    found = [band("reference", *windows.reference), band("trigger", *windows.trigger)]
    if action.implemented_on is None:
        return found
    if windows.confirmation is not None:
        found.append(band("confirmation", *windows.confirmation))
    end = min(windows.after_from + 12, last)
    if end >= windows.after_from:
        found.append(band("after", windows.after_from, end))
    return found


def _markers(action: Action) -> list[charts.Marker]:
    found = [charts.Marker("P", action.opened_at.date(), "opened")]
    approved = action.transitions.filter(event=Event.APPROVE.value).order_by("-id").first()
    if approved is not None:
        found.append(charts.Marker("D", approved.at.date(), "plan approved"))
    if action.implemented_on is not None:
        found.append(charts.Marker("C", action.implemented_on, "live"))
    decided = action.transitions.filter(event__in=("standardise", "stop", "adjust")).order_by("-id").first()
    if decided is not None:
        found.append(charts.Marker("A", decided.at.date(), "decided"))
    return found


def _expected(
    windows: Windows | None, action: Action, result: dict[str, object] | None, scale: float
) -> list[tuple[date, float]]:
    """What the reference and the controls let expect in *after* without the action."""
    absolute = (result or {}).get("absolute")
    if windows is None or not isinstance(absolute, dict) or absolute.get("rate_without") is None:
        return []
    value = scale * float(absolute["rate_without"])
    start = weeks.monday(windows.after_from)
    return [(start, value), (start + timedelta(weeks=13), value)]
