"""What the processes that a bench started have worked."""

from __future__ import annotations

import resource


def worked_s() -> float:
    """Seconds of processors, of all that have ended so far: of one, what it grew by."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
