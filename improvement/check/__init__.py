"""The check: did the action work? Planned looks, controls, guards and one of eight verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from improvement.check.goals import Goal
from improvement.check.model import (
    CheckPlan,
    CheckResult,
    Direction,
    Exposure,
    GuardResult,
    OtherAction,
    PastFirings,
    Series,
    Status,
    Windows,
)
from improvement.check.windows import windows_for
from improvement.vocabulary import Verdict

if TYPE_CHECKING:
    from improvement.check.detection import Detectable, detectable
    from improvement.check.look import compute_look, not_due

_LAZY = {"compute_look": "look", "not_due": "look", "detectable": "detection", "Detectable": "detection"}


def __getattr__(name: str) -> Any:
    """Load what needs scipy on first use only: the web never does."""
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f"improvement.check.{_LAZY[name]}"), name)
    raise AttributeError(name)


__all__ = [
    "CheckPlan",
    "CheckResult",
    "Detectable",
    "Direction",
    "Exposure",
    "Goal",
    "GuardResult",
    "OtherAction",
    "PastFirings",
    "Series",
    "Status",
    "Verdict",
    "Windows",
    "compute_look",
    "detectable",
    "not_due",
    "windows_for",
]
