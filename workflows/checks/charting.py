"""Render the charts of actions and keep them in the state: pages only show what the cycle drew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from improvement import charts, weeks
from improvement.check import Series, Windows
from improvement.check.windows import REFERENCE_WEEKS
from improvement.errors import RegelkreisError
from improvement.metrics import CellQuery, Metric
from improvement.pdca import Event
from workflows.actions import planning
from workflows.checks import comparing, measuring, record_charts
from workflows.checks.drawing import Studio
from workflows.checks.measuring import Measured
from workflows.models import Action, Chart, Look, LookKind
from workflows.warehouse import Warehouse, our_warehouse

log = structlog.get_logger()
Asked = tuple[CellQuery, int]  # the cells of a query up to a week
BEFORE_AFTER, TRIGGER, STILL_OPEN, ANSWERS = "before-after", "trigger", "still-open", "answers"
LANGUAGES = ("en", "de")
CHARTS_EACH = 2 * len(LANGUAGES)  # of an action, mostly
AFTER_WEEKS = 13


def render_all(*, as_of: datetime) -> int:
    """Draw every action's charts and the funnels, in both themes and languages; returns how many actions have charts.

    A chart whose data did not change is left as it is: rendering is what takes the time. One that cannot be drawn is
    logged and does not stop the others: charts explain, nothing depends on them.
    """
    drawn = 0
    actions = Action.objects.exclude(metric="").order_by("id")
    with Studio(expected=CHARTS_EACH * len(actions)) as studio, our_warehouse() as warehouse:
        for asked, same in _by_query(actions, as_of).items():
            cells: Measured | None = None
            for action in same:
                try:
                    cells = cells or _cells(asked, same, warehouse, as_of)
                    drawn += render(action, warehouse, studio, as_of=as_of, cells=cells)
                except RegelkreisError as error:
                    log.warning("charts.failed", whose=action.code, error=str(error))
        try:
            comparing.render_all(studio, as_of=as_of)
        except RegelkreisError as error:
            log.warning("charts.failed", whose="funnels", error=str(error))
    return drawn


def _by_query(actions: Iterable[Action], as_of: datetime) -> dict[Asked, list[Action]]:
    """Actions by the cells they are drawn from and the last week of these: one query serves many."""
    found: dict[Asked, list[Action]] = {}
    for action in actions:
        try:
            asked = (measuring.query_of(action), _last_week(action, as_of))
        except RegelkreisError as error:
            log.warning("charts.failed", whose=action.code, error=str(error))
            continue
        found.setdefault(asked, []).append(action)
    return found


def _cells(asked: Asked, actions: Iterable[Action], warehouse: Warehouse, as_of: datetime) -> Measured:
    """The cells of a query as far back as the earliest of these actions needs them."""
    query, last = asked
    first = min(_first_week(action) for action in actions)
    return measuring.read(warehouse, query, as_of=as_of, first_week=first, last_week=last)


def render(
    action: Action, warehouse: Warehouse, studio: Studio, *, as_of: datetime, cells: Measured | None = None
) -> bool:
    """Draw one action's charts from its cells, read here unless given; False where its scope has no data to draw."""
    metric, last = planning.metric_of(action), _last_week(action, as_of)
    found = cells or _cells((measuring.query_of(action), last), [action], warehouse, as_of)
    if not draw(action, _points(action, metric, found, last), studio, last=last, as_of=as_of):
        return False
    _draw_records(action, metric, warehouse, studio, last=last, as_of=as_of)
    return True


def draw(action: Action, points: list[charts.WeekPoint], studio: Studio, *, last: int, as_of: datetime) -> bool:
    """Draw an action's charts from its weekly values, which end with the week ``last``."""
    metric = planning.metric_of(action)
    if len(points) < 2:
        return False
    for kind, specs in (
        (TRIGGER, _trigger_charts(action, metric, points)),
        (BEFORE_AFTER, _before_after_charts(action, metric, points, last)),
    ):
        _keep(action, kind, specs, studio, as_of)
    return True


def _draw_records(
    action: Action, metric: Metric, warehouse: Warehouse, studio: Studio, *, last: int, as_of: datetime
) -> None:
    """The charts that need more than weekly values: what became of each ticket, and which score each answer gave."""
    windows = _windows(action)
    bands = _bands(windows, action, last) if windows is not None else []
    if metric.beside == record_charts.OPEN_SHARE:
        open_data = record_charts.still_open(
            action, warehouse, bands, is_improved=_is_improved(action), last=last, as_of=as_of
        )
        if open_data is not None:
            _keep(action, STILL_OPEN, _still_open_charts(open_data), studio, as_of)
    if metric.id == record_charts.CSAT:
        answers = record_charts.answers(action, warehouse, bands, last=last, as_of=as_of)
        if answers is not None:
            _keep(action, ANSWERS, _answers_charts(answers), studio, as_of)


def picture(action: Action, warehouse: Warehouse, *, last: int, as_of: datetime) -> str | None:
    """The before–after chart as SVG in the installation's language, for the platform; None where nothing is to draw."""
    metric = planning.metric_of(action)
    cells = _cells((measuring.query_of(action), last), [action], warehouse, as_of)
    points = _points(action, metric, cells, last)
    if len(points) < 2:
        return None
    drawn = {language: spec for language, spec, _ in _before_after_charts(action, metric, points, last)}
    language = settings.REGELKREIS.language
    return charts.svg(drawn[language], language=language) if language in drawn else None


Specs = Iterator[tuple[str, dict[str, object], str]]


def _keep(action: Action, kind: str, specs: Specs, studio: Studio, as_of: datetime) -> None:
    """Store a chart in place of the one before it; where nothing is to be drawn, that one stays.

    The SVG of an unchanged spec is kept: drawing is what takes the time.
    """
    wanted = list(specs)
    if not wanted:
        return
    before = {one.language: one for one in Chart.objects.filter(action=action, kind=kind, theme="light")}
    kept = {
        language: known.svg
        for language, spec, _ in wanted
        if (known := before.get(language)) is not None and known.spec == spec
    }
    missing = [(language, spec) for language, spec, _ in wanted if language not in kept]

    def take(drawn: Sequence[str]) -> None:
        svgs = kept | {language: svg for (language, _), svg in zip(missing, drawn, strict=True)}
        rows = [
            row
            for language, spec, words in wanted
            for row in _in_themes(action, kind, language, spec, svgs[language], words, as_of)
        ]
        with transaction.atomic():
            Chart.objects.filter(action=action, kind=kind).delete()
            Chart.objects.bulk_create(rows)

    studio.draw(action.code, [(spec, language) for language, spec in missing], take)


def _in_themes(
    action: Action, kind: str, language: str, spec: dict[str, object], svg: str, words: str, as_of: datetime
) -> Iterator[Chart]:
    for theme in charts.THEMES:
        yield Chart(
            action=action,
            kind=kind,
            theme=theme,
            language=language,
            spec=charts.in_theme(spec, theme),
            svg=charts.in_theme(svg, theme),
            alternative=words,
            as_of=as_of,
        )


def _first_week(action: Action) -> int:
    return int(action.trigger["from_week"]) - REFERENCE_WEEKS


def _last_week(action: Action, as_of: datetime) -> int:
    """The newest week that is complete where the action's scope is, and known for its metric."""
    return weeks.last_complete_week(as_of, planning.zone_of(action)) - planning.metric_of(action).lag_weeks


def _points(action: Action, metric: Metric, cells: Measured, last: int) -> list[charts.WeekPoint]:
    series = cells.by_scope.get(action.scope_key)
    if series is None:
        return []
    return _shown(series.between(_first_week(action), last).weekly(), _scale(metric))


def _shown(weekly: Series, scale: float) -> list[charts.WeekPoint]:
    return [
        charts.WeekPoint(
            weeks.monday(int(week)), scale * float(up) / float(down), round(float(up if down == 1 else down))
        )
        for week, up, down in zip(weekly.week, weekly.numerator, weekly.denominator, strict=True)
        if down > 0
    ]


def _scale(metric: Metric) -> float:
    return 100.0 if metric.is_share else 1.0


def _unit(metric: Metric) -> str:
    return "%" if metric.is_share else metric.unit


def _target(action: Action, metric: Metric) -> float | None:
    target = action.trigger.get("target")
    return _scale(metric) * float(target) if target is not None else None


def _trigger_charts(action: Action, metric: Metric, points: list[charts.WeekPoint]) -> Specs:
    first, last = int(action.trigger["from_week"]), int(action.trigger["to_week"])
    shown = [point for point in points if point.monday <= weeks.monday(last)]
    before = [point.monday for point in shown if point.monday < weeks.monday(first)]
    bands = [charts.Band("trigger", weeks.monday(first), weeks.monday(last + 1))]
    if before:
        bands.insert(0, charts.Band("reference", before[0], weeks.monday(first)))
    if len(shown) < 2:
        return
    trigger = action.trigger
    data = charts.Trigger(
        title=action.title,
        unit=_unit(metric),
        points=shown,
        bands=bands,
        target=_target(action, metric),
        is_lower_better=metric.direction == "lower",
        has_floor=metric.family != "score",
        is_proportion=metric.family == "proportion",
        fired=f"{trigger['value_text']} / {trigger['target_text']}" if trigger.get("value_text") else "",
        as_of=weeks.sunday(last),
    )
    for language in LANGUAGES:
        spec = charts.trigger(data, language=language)
        spec["usermeta"] = _meta(charts.trigger_table(data, language=language), data.as_of) | _limits_told(data)
        yield language, spec, charts.trigger_alternative(data, language=language)


def _before_after_charts(action: Action, metric: Metric, points: list[charts.WeekPoint], last: int) -> Specs:
    final = _final(action)
    windows = _windows(action)
    if windows is None:
        return
    data = charts.BeforeAfter(
        title=action.title,
        unit=_unit(metric),
        points=points,
        bands=_bands(windows, action, last),
        markers=_markers(action),
        target=_target(action, metric),
        expected=_expected(windows, action, final.result if final is not None else None, _scale(metric)),
        is_improved=_is_improved(action),
        as_of=weeks.sunday(last),
    )
    for language in LANGUAGES:
        spec = charts.before_after(data, language=language)
        spec["usermeta"] = _meta(charts.table(data, language=language), data.as_of)
        yield language, spec, charts.alternative(data, language=language)


def _still_open_charts(data: charts.StillOpen) -> Specs:
    for language in LANGUAGES:
        spec = charts.still_open(data, language=language)
        spec["usermeta"] = _meta(charts.still_open_table(data, language=language), data.as_of)
        yield language, spec, charts.still_open_alternative(data, language=language)


def _answers_charts(data: charts.Answers) -> Specs:
    for language in LANGUAGES:
        spec = charts.answers(data, language=language)
        spec["usermeta"] = _meta(charts.answers_table(data, language=language), data.as_of)
        yield language, spec, charts.answers_alternative(data, language=language)


def _final(action: Action) -> Look | None:
    return action.looks.filter(kind=LookKind.FINAL, result__isnull=False).order_by("-computed_at").first()


def _is_improved(action: Action) -> bool | None:
    """What the final verdict says, for the colour of *after*; None: neither better nor worse, or no verdict yet."""
    final = _final(action)
    return {"improved": True, "worse": False, "faded": False}.get(final.verdict) if final is not None else None


def _limits_told(data: charts.Trigger) -> dict[str, object]:
    """Which limits the chart has, for its legend."""
    limits = charts.reference_limits(data)
    return {
        "has_share_limits": isinstance(limits, charts.ShareLimits),
        "has_trial_limits": limits is not None and limits.is_trial,
    }


def _meta(table: charts.Table, as_of: date) -> dict[str, object]:
    """What the page shows beside the picture: the numbers as a table, and where the data end."""
    return {"as_of": as_of.isoformat(), **table.as_dict()}


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
    if windows.confirmation is not None and windows.confirmation[1] >= windows.confirmation[0]:
        found.append(band("confirmation", *windows.confirmation))
    end = min(windows.after_from + AFTER_WEEKS - 1, last)
    if end >= windows.after_from:
        found.append(band("after", windows.after_from, end))
    return found


def _markers(action: Action) -> list[charts.Marker]:
    found = [charts.Marker("P", planning.local_day(action, action.opened_at))]
    for letter, events in (("D", (Event.APPROVE,)), ("A", (Event.STANDARDISE, Event.STOP, Event.ADJUST))):
        moved = action.transitions.filter(event__in=[event.value for event in events]).order_by("-id").first()
        if moved is not None:
            found.append(charts.Marker(letter, planning.local_day(action, moved.at)))
    if action.implemented_on is not None:
        found.append(charts.Marker("C", action.implemented_on))
    return sorted(found, key=lambda marker: marker.day)


def _expected(
    windows: Windows, action: Action, result: dict[str, Any] | None, scale: float
) -> list[tuple[date, float]]:
    """What the reference and the controls let expect in *after* without the action."""
    absolute = (result or {}).get("absolute")
    if not isinstance(absolute, dict) or absolute.get("rate_without") is None:
        return []
    value = scale * float(absolute["rate_without"])
    if result is not None and result.get("exposure"):  # told per users; the chart counts by the week
        value *= float(absolute["volume"]) / max(result["windows"]["after"]["weeks"], 1)
    start = weeks.monday(windows.after_from)
    return [(start, value), (start + timedelta(weeks=AFTER_WEEKS), value)]
