"""Words of rules, targets and breaches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import template
from django.utils import formats
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from workflows.web import rule_words

register = template.Library()
register.filter("dimension", rule_words.dimension)
BAR_HEIGHT = 10


@register.filter
def hours(seconds: int) -> str:
    """Seconds as whole hours, or minutes where that would be none: ``1 234 h``."""
    if abs(seconds) < 3600:
        return _("%(n)d min") % {"n": round(seconds / 60)}
    whole = formats.number_format(round(seconds / 3600), 0, use_l10n=True, force_grouping=True)
    return f"{whole} {_('h')}"


@register.filter
def percent(value: float) -> str:
    """A share of a hundred; what is less than one is told as such."""
    return "< 1 %" if 0 < value < 1 else f"{round(value)} %"


@register.simple_tag
def share_bar(shares: Sequence[Any], label: str) -> SafeString:
    """Parts of a whole as one bar; the table beside it says the same in words."""
    begin, parts = 0.0, []
    for share in shares:
        parts.append((share.tone, f"{begin:.2f}", f"{max(share.percent - 0.35, 0.2):.2f}", share.word))
        begin += share.percent
    return format_html(
        '<svg class="shares" viewBox="0 0 100 {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        BAR_HEIGHT,
        label,
        format_html_join(
            "",
            '<rect class="share-{}" x="{}" width="{}" y="0" height="10"><title>{}</title></rect>',
            parts,
        ),
    )
