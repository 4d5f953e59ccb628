"""The charts in words and as tables, for people who do not see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from improvement import weeks
from improvement.charts.data import Band, BeforeAfter, Table, Trigger, WeekPoint
from improvement.charts.trigger import kinds, reference_limits
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
        trial = f" ({words['trial']})" if limits.is_trial else ""
        span = f"{number(limits.low, language)} … {number(limits.high, language)} {unit}"
        parts.append(f"{words['limits']}: {span}{trial}.")
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
    columns = (words["week"], words["window"], f"{words['value']} ({unit_in(data.unit, language)})", words["n"], "")
    rows = tuple(
        (
            _week(point.monday),
            words[_window(point, data.bands)],
            number(point.value, language, digits=2),
            str(point.n),
            said[kind],
        )
        for point, kind in zip(data.points, kinds(data, reference_limits(data)), strict=True)
    )
    return Table(columns, rows)


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
