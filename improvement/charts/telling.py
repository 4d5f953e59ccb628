"""The charts in words and as tables, for people who do not see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from improvement import weeks
from improvement.charts.data import Band, BeforeAfter, Table, Trigger, WeekPoint
from improvement.charts.limits import ShareLimits
from improvement.charts.trigger import ControlLimits, kinds, reference_limits
from improvement.charts.words import WORDS, number, unit_in


def alternative(data: BeforeAfter, *, language: str = "en") -> str:
    """The before/after chart in a few sentences: each window's mean, the target, what was expected, the events."""
    words, unit = WORDS[language], unit_in(data.unit, language)
    parts = [f"{data.title}.", *_windows(data.points, data.bands, unit, language)]
    parts += _target(data.target, unit, language)
    if data.expected:
        parts.append(f"{words['expected']}: {number(data.expected[0][1], language)} {unit}.")
    parts += [f"{marker.letter}, {words[marker.letter]}: {marker.day.isoformat()}." for marker in data.markers]
    return " ".join([*parts, words["data_to"].format(day=data.as_of.isoformat())])


def table(data: BeforeAfter, *, language: str = "en") -> Table:
    """The before/after chart as a table: week, window, value, n."""
    words = WORDS[language]
    columns = (words["week"], words["window"], f"{words['value']} ({unit_in(data.unit, language)})", words["n"])
    return Table(
        columns,
        tuple(
            (
                _week(point.monday),
                words[_window(point, data.bands)],
                number(point.value, language, digits=2),
                str(point.n),
            )
            for point in data.points
        ),
    )


def trigger_alternative(data: Trigger, *, language: str = "en") -> str:
    """The trigger chart in a few sentences."""
    words, unit = WORDS[language], unit_in(data.unit, language)
    limits = reference_limits(data)
    parts = [f"{data.title}.", *_windows(data.points, data.bands, unit, language)]
    if limits is not None:
        parts.append(_limits(data, limits, unit, language))
        band = next((band for band in data.bands if band.name == "trigger"), None)
        if band is not None:
            inside = [
                kind
                for point, kind in zip(data.points, kinds(data, limits), strict=True)
                if band.start <= point.monday < band.end
            ]
            parts.append(words["beyond"].format(count=inside.count("bad"), total=len(inside)))
    parts += _target(data.target, unit, language)
    parts += [f"{data.fired}."] if data.fired else []
    return " ".join([*parts, words["data_to"].format(day=data.as_of.isoformat())])


def trigger_table(data: Trigger, *, language: str = "en") -> Table:
    """The trigger chart as a table: week, window, value, n, and where it lies."""
    words = WORDS[language]
    said = {"common": "", "bad": words["beyond_bad"], "good": words["beyond_good"]}
    limits = reference_limits(data)
    value = f"{words['value']} ({unit_in(data.unit, language)})"
    spans = (words["lower"], words["upper"]) if limits is not None else ()
    rows = tuple(
        (
            _week(point.monday),
            words[_window(point, data.bands)],
            number(point.value, language, digits=2),
            str(point.n),
            *(number(limit, language, digits=2) for limit in (limits.at(point.n) if limits is not None else ())),
            said[kind],
        )
        for point, kind in zip(data.points, kinds(data, limits), strict=True)
    )
    return Table((words["week"], words["window"], value, words["n"], *spans, ""), rows)


def _limits(data: Trigger, limits: ControlLimits, unit: str, language: str) -> str:
    """The limits of the last week shown, and how firm they are."""
    words, last = WORDS[language], data.points[-1].n
    low, high = (number(limit, language) for limit in limits.at(last))
    is_share = isinstance(limits, ShareLimits)
    at = f" {words['limits_at'].format(n=last)}" if is_share else ""
    trial = f" ({words['trial']})" if limits.is_trial else ""
    return f"{words['limits_share' if is_share else 'limits']}: {low} … {high} {unit}{at}{trial}."


def _windows(points: Sequence[WeekPoint], bands: Sequence[Band], unit: str, language: str) -> list[str]:
    words = WORDS[language]
    parts = []
    for band in bands:
        values = [point.value for point in points if band.start <= point.monday < band.end]
        if values:
            mean = number(sum(values) / len(values), language)
            last = date.fromordinal(band.end.toordinal() - 1)
            parts.append(
                f"{words[band.name]} {band.start.isoformat()} – {last.isoformat()}: "
                f"{words['mean']} {mean} {unit}, {len(values)} {words['weeks']}."
            )
    return parts


def _target(target: float | None, unit: str, language: str) -> list[str]:
    return [] if target is None else [f"{WORDS[language]['target']}: {number(target, language)} {unit}."]


def _window(point: WeekPoint, bands: Sequence[Band]) -> str:
    return next((band.name for band in bands if band.start <= point.monday < band.end), "between")


def _week(monday: date) -> str:
    return weeks.label(weeks.week_of(monday))
