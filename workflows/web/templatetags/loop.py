"""Words and small drawings for the pages."""

from __future__ import annotations

from collections.abc import Sequence

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from improvement import weeks
from improvement.pdca import State

register = template.Library()

PHASES: dict[str, str] = {
    State.PROPOSED.value: "P",
    State.PLANNED.value: "P",
    State.DOING.value: "D",
    State.CHECKING.value: "C",
    State.ACTING.value: "A",
    State.SUSTAINING.value: "A",
}

STATE_WORDS = {
    "proposed": gettext_lazy("proposed"),
    "planned": gettext_lazy("planned"),
    "doing": gettext_lazy("doing"),
    "checking": gettext_lazy("checking"),
    "acting": gettext_lazy("decision due"),
    "sustaining": gettext_lazy("sustaining"),
    "closed": gettext_lazy("closed"),
    "on hold": gettext_lazy("on hold"),
    "on_hold": gettext_lazy("on hold"),
    "cancelled": gettext_lazy("cancelled"),
}

VERDICTS = {
    "improved": (gettext_lazy("improved"), "good", "▲"),
    "improved, not attributable": (gettext_lazy("improved, not attributable"), "soft", "△"),
    "recovered": (gettext_lazy("recovered"), "soft", "↺"),
    "no change": (gettext_lazy("no change"), "flat", "="),
    "faded": (gettext_lazy("faded"), "bad", "▽"),
    "worse": (gettext_lazy("worse"), "bad", "▼"),
    "not enough data": (gettext_lazy("not enough data"), "none", "?"),
    "not computed": (gettext_lazy("not computed"), "none", "–"),
}


@register.filter
def phase(state: str) -> str:
    """The letter of the PDCA phase a state belongs to; '' for on hold, closed and cancelled."""
    return PHASES.get(state, "")


@register.filter
def state_word(state: str) -> str:
    """A state in the reader's language."""
    return str(STATE_WORDS.get(state, state))


@register.simple_tag
def verdict_chip(verdict: str | None) -> SafeString:
    """A verdict as word, shape and colour; never colour alone."""
    if not verdict:
        return format_html('<span class="chip chip-none">{}</span>', _("no verdict yet"))
    word, tone, shape = VERDICTS.get(verdict, (verdict, "none", "•"))
    return format_html(
        '<span class="chip chip-{}"><span aria-hidden="true">{}</span> {}</span>', tone, shape, str(word)
    )


@register.filter
def week_label(week: int | None) -> str:
    """An ISO week as text."""
    return weeks.label(week) if week is not None else "–"


@register.filter
def scope_text(scope: dict[str, str]) -> str:
    """A scope as people say it: customer · country · service."""
    order = ("customer", "country", "service", "supplier", "category", "assignment_group", "priority")
    return " · ".join(str(scope[key]) for key in order if key in scope)


@register.simple_tag
def sparkline(values: Sequence[float | None], target: float | None = None, label: str = "") -> SafeString:
    """A 120 × 28 line of the last values with the target dashed; the label is its text alternative."""
    shown = [value for value in values if value is not None]
    if len(shown) < 2:
        return format_html('<span class="muted">{}</span>', "–")
    ends = [*shown, target] if target is not None else shown
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0
    step = 120 / (len(shown) - 1)
    path = " ".join(f"{index * step:.1f},{25 - 22 * (value - low) / span:.1f}" for index, value in enumerate(shown))
    rule = ""
    if target is not None:
        height = 25 - 22 * (target - low) / span
        rule = format_html(
            '<line x1="0" x2="120" y1="{}" y2="{}" class="spark-target"/>', f"{height:.1f}", f"{height:.1f}"
        )
    return format_html(
        '<svg class="spark" viewBox="-2 0 124 28" width="120" height="28" role="img" aria-label="{}">{}'
        '<polyline points="{}"/></svg>',
        label,
        rule,
        path,
    )
