"""From a spec to an SVG; only ever called by the cycle, never by the web process."""

from __future__ import annotations

from typing import Any, Literal

from improvement.errors import RegelkreisError

LOCALES: dict[str, Literal["de-DE"] | None] = {"en": None, "de": "de-DE"}


def svg(spec: dict[str, Any], *, language: str = "en") -> str:
    """Render a spec (0.1 s) with the language's numbers and months. Raises :class:`RegelkreisError` where it cannot."""
    import vl_convert

    locale = LOCALES[language]
    try:
        rendered: str = vl_convert.vegalite_to_svg(spec, format_locale=locale, time_format_locale=locale)
    except ValueError as error:
        why = " ".join(str(error).splitlines()[:2])
        raise RegelkreisError(
            f"A chart cannot be drawn: {why}", mend="Everything else goes on without it; please report this."
        ) from error
    return rendered
