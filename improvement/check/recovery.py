"""Back to normal: bad before the change went live, good after it, and no better than the reference."""

from __future__ import annotations

import numpy as np

from improvement.check.estimate import Data, indicators
from improvement.check.fit import FitFailed, control_offset, inflation
from improvement.check.model import Family
from improvement.check.request import Request, joined

WORSE_BY = 0.05  # confirmation against reference, one-sided
BETTER_BY = 0.025  # after against confirmation, one-sided


def is_recovered(request: Request, family: Family) -> bool:
    """Confirmation worse than the reference and *after* better than confirmation; false where confirmation is empty."""
    from scipy.stats import t as student

    span = request.plan.windows.confirmation
    if span is None:
        return False
    weekly = request.scope.weekly()
    parts = [request.reference_of(weekly), weekly.between(*span), request.after_of(weekly)]
    sizes = [len(part.week) for part in parts]
    if min(sizes) == 0:
        return False
    cells = joined(*parts)
    place = np.repeat([0, 1, 2], sizes)
    data = Data(family, cells, place == 2, control_offset(family, list(request.controls.values()), cells.week))
    try:
        found = indicators(data, [place == 1, place == 2])
    except FitFailed:
        return False
    rho, sign = found.rho, request.sign
    confirmation, after = float(found.params[1]), float(found.params[2])
    se_confirmation = found.se(1) * inflation(rho, sizes[0], sizes[1])
    variance = found.cov[1, 1] + found.cov[2, 2] - 2 * found.cov[1, 2]
    se_gap = float(np.sqrt(variance)) * inflation(rho, sizes[1], sizes[2])
    is_worse = sign * confirmation / se_confirmation < float(student.ppf(WORSE_BY, found.df))
    is_better = sign * (after - confirmation) / se_gap > float(student.ppf(1 - BETTER_BY, found.df))
    return is_worse and is_better
