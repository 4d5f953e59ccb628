"""Findings of a health report that a platform may leave unanswered, one by one."""

from __future__ import annotations

from collections.abc import Callable

from connectors.base import Finding
from improvement.errors import ConnectionFailed, ShutOut


def told(check: str, ask: Callable[[], list[Finding]]) -> list[Finding]:
    """What is found, or why the platform does not answer that. Raises :class:`ShutOut`: it answers nothing else."""
    try:
        return ask()
    except ShutOut:
        raise
    except ConnectionFailed as error:
        return [Finding(check=check, is_ok=False, detail=error.what, mend=error.mend)]
