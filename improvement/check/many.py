"""Many actions at once: some will look significant by chance."""

from __future__ import annotations

from collections.abc import Sequence


def q_values(p_values: Sequence[float]) -> list[float]:
    """p values adjusted so that q < 5 % keeps false discoveries below 5 % (Benjamini & Hochberg 1995)."""
    from scipy.stats import false_discovery_control

    return [float(q) for q in false_discovery_control(list(p_values), method="bh")] if p_values else []
