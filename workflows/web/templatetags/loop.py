"""Words and small drawings for the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from improvement import weeks
from workflows.web import drawings, reasons, words

register = template.Library()
register.simple_tag(drawings.sparkline)
register.simple_tag(drawings.effect_strip)
register.simple_tag(drawings.mood_gauge)
register.filter("day", words.day)
register.filter("goal", words.goal)
register.filter("reason", reasons.translated)
register.filter("effect", reasons.effect)
register.filter("scope_text", words.scope)
register.filter("guard_detail", reasons.detail)

DISTRUSTED = 160  # characters of a platform's text that a page shows at once


@register.filter
def phase(state: str) -> str:
    """The letter of the PDCA phase a state belongs to; '' for on hold, closed and cancelled."""
    return words.PHASES.get(state, "")


@register.filter
def state_word(state: str) -> str:
    """A state in the reader's language."""
    return words.said(words.STATES, state)


@register.filter
def said(key: str, table: str) -> str:
    """A key in the reader's language; ``table`` names a table of ``workflows.web.words``."""
    found: words.Words = getattr(words, table.upper())
    return words.said(found, str(key))


@register.simple_tag
def verdict_chip(verdict: str | None) -> SafeString:
    """A verdict as word, shape and colour; never colour alone."""
    if not verdict:
        return format_html('<span class="chip chip-none">{}</span>', _("no verdict yet"))
    word, tone, shape = words.VERDICTS.get(verdict, (verdict, "none", "•"))
    return format_html(
        '<span class="chip chip-{}"><span aria-hidden="true">{}</span> {}</span>', tone, shape, str(word)
    )


@register.simple_tag
def guard_chip(status: str) -> SafeString:
    """Whether a guard passed, as word, shape and colour."""
    word, shape = words.GUARD_STATES.get(status, (status, "•"))
    tone = {"passed": "good", "failed": "bad"}.get(status, "none")
    return format_html(
        '<span class="chip chip-{}"><span aria-hidden="true">{}</span> {}</span>', tone, shape, str(word)
    )


@register.filter
def week_label(week: int | None) -> str:
    """An ISO week as text."""
    return weeks.label(week) if week is not None else "–"


@register.filter
def measured(value: float | None, metric: str) -> str:
    """A value of a metric with its unit."""
    return words.measured(metric, value)


@register.filter
def number(value: float | None, digits: int = 1) -> str:
    """A number as the language writes it."""
    return "–" if value is None else words.number(float(value), digits)


@register.filter
def target(text: str) -> str:
    """A rule's target in words: ``max 15%`` as *at most 15 %*."""
    kind, _space, amount = text.partition(" ")
    if kind not in words.TARGET_WORDS:
        return text
    apart = amount.replace("%", "\u00a0%")
    return f"{words.said(words.TARGET_WORDS, kind)} {reasons.effect(apart)}"


@register.filter
def iso(value: date | datetime | str | None) -> str:
    """A date for tables: 2025-12-01."""
    if not value:
        return "–"
    return value[:10] if isinstance(value, str) else value.strftime("%Y-%m-%d")


@register.filter
def get(table: Mapping[str, Any] | None, key: str) -> Any:
    """The entry of a key, None without one."""
    return None if table is None else table.get(key)


@register.filter
def initials(name: object) -> str:
    """Up to two letters that stand for a person."""
    parts = str(name).split()
    return "".join(part[0] for part in (parts[:1] + parts[-1:] if len(parts) > 1 else parts[:1])).upper()


@register.filter
def web_address(url: str) -> str:
    """An address that may be followed; '' for anything but http and https."""
    return url if url.startswith(("https://", "http://")) else ""


@register.simple_tag
def foreign(text: str, most: int = DISTRUSTED) -> SafeString:
    """Text that somebody typed on a platform: isolated from our reading direction, cut where it is endless."""
    clean = " ".join(str(text).split())
    if len(clean) <= most:
        return format_html("<bdi>{}</bdi>", clean)
    return format_html('<bdi title="{}">{}…</bdi>', clean[:500], clean[:most].rstrip())


@register.inclusion_tag("web/_long_text.html")
def long_text(text: str, most: int = 400) -> dict[str, object]:
    """A longer foreign text: its beginning, and the whole of it on demand."""
    text = str(text)
    return {"text": text, "start": text[:most].rstrip(), "is_long": len(text) > most}


@register.simple_tag
def trend(now: float | None, before: float | None, sign: int, least: float) -> SafeString:
    """Better, worse or steady against a quarter ago, as arrow and word; changes under ``least`` are none."""
    if now is None or before is None:
        return format_html('<span class="trend muted">{}</span>', _("no earlier value"))
    change = sign * (now - before)
    tone, arrow, word = (
        ("flat", "→", _("steady"))
        if abs(change) < least
        else ("good", "↗", _("better"))
        if change > 0
        else ("bad", "↘", _("worse than before"))
    )
    return format_html('<span class="trend trend-{}"><span aria-hidden="true">{}</span> {}</span>', tone, arrow, word)


@register.simple_tag
def extent(looks: Sequence[Any]) -> float:
    """The common scale of the effect strips of several looks."""
    return drawings.extent_of([look.result for look in looks])


@register.simple_tag
def cited_lines(looks: Sequence[Any]) -> int:
    """How many of these looks cite what came of past firings that nobody acted on."""
    return drawings.cited_lines([look.result for look in looks])
