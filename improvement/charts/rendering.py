"""From a spec to an SVG; only ever called by the cycle, never by the web process."""

from __future__ import annotations

from typing import Any, Literal

LOCALES: dict[str, Literal["de-DE"] | None] = {"en": None, "de": "de-DE"}


def svg(spec: dict[str, Any], *, language: str = "en") -> str:
    """Render a spec (0.1 s) with the language's numbers and months."""
    import vl_convert

    locale = LOCALES[language]
    rendered: str = vl_convert.vegalite_to_svg(spec, format_locale=locale, time_format_locale=locale)
    return rendered
