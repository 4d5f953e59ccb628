"""What a page tells beside an effect: who answered, what stayed open, what else went live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from workflows.web.reasons import effect
from workflows.web.rule_words import weeks

SHOWN_CHANGES = 12


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of it."""

    name: str
    text: str


def facts_beside(result: Mapping[str, Any] | None) -> list[Fact]:
    """The lines for a look's result; a response rate that nobody knows is said, not left out."""
    if not result:
        return []
    found = []
    if result.get("response_rate"):
        found.append(Fact(_("Response rate"), _shares(result["response_rate"], digits=0)))
    if result.get("tau_weeks"):
        found.append(Fact(_("Times count up to (τ)"), weeks(f"{result['tau_weeks']}w")))
        found.append(Fact(_("Still open then"), _shares(result.get("open_share") or {}, digits=1)))
    exposure = result.get("exposure") or {}
    if exposure.get("reference") and exposure.get("after"):
        found.append(Fact(_("Counted"), _exposure(exposure)))
    if result.get("other_actions"):
        found.append(Fact(_("Other actions meanwhile"), "; ".join(result["other_actions"])))
    numbers = result.get("concurrent_change_numbers") or []
    if numbers:
        shown = ", ".join(numbers[:SHOWN_CHANGES])
        found.append(Fact(_("Other changes meanwhile"), shown if len(numbers) <= SHOWN_CHANGES else f"{shown} …"))
    return found


def _exposure(exposure: Mapping[str, Any]) -> str:
    """What a count is told per, and how many there were on average."""
    before, after = (f"{exposure[name]:,.0f}".replace(",", " ") for name in ("reference", "after"))
    text = _("%(before)s in the reference, %(after)s after") % {"before": before, "after": after}
    return f"{effect(' ' + exposure['text']).strip()}: {text}"


def _shares(shares: Mapping[str, float | None], *, digits: int) -> str:
    before, after = shares.get("reference"), shares.get("after")
    if before is None or after is None:
        return _("not known")
    text = _("%(before)s in the reference, %(after)s after")
    return text % {"before": effect(f"{before * 100:.{digits}f} %"), "after": effect(f"{after * 100:.{digits}f} %")}
