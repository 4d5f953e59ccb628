"""A platform's clock beside ours: a pull is bounded by time, so they should agree."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from connectors.base import Finding
from connectors.transport import LOOPBACK

CHECK = "clock"
UNTOLD = Finding(check=CHECK, is_ok=True, detail="the platform does not tell its time")
SANDBOX = (
    "on this machine that is taken for a sandbox, whose clock stands where `regelkreis sandbox --now` put it: give the "
    "present moment there to start it at the present, or act in its time with --as-of"
)
#: From how many seconds on a span is told in which unit.
UNITS = ((2 * 86_400, 86_400, "days"), (2 * 3_600, 3_600, "hours"), (2 * 60, 60, "minutes"), (0, 1, "s"))


def beside_ours(theirs: datetime, ours: datetime, *, address: str, most_s: float) -> Finding:
    """How far the platform's clock is from ours; both moments are aware, ``most_s`` is what does no harm, in seconds.

    At a loopback address another time is a remark and no failure: sandboxes live in their own.
    """
    skew = (theirs - ours).total_seconds()
    detail = f"{_span(abs(skew))} {'ahead of' if skew > 0 else 'behind'} ours"
    if abs(skew) <= most_s:
        return Finding(check=CHECK, is_ok=True, detail=detail)
    if urlsplit(address).hostname in LOOPBACK:
        return Finding(check=CHECK, is_ok=True, detail=f"{detail}; {SANDBOX}")
    return Finding(check=CHECK, is_ok=False, detail=detail, mend="Set the clocks right: a pull is bounded by time.")


def _span(seconds: float) -> str:
    _, size, unit = next(one for one in UNITS if seconds >= one[0])
    return f"{seconds / size:,.0f} {unit}"
