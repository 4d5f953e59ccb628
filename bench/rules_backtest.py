"""Two years of weekly cycles replayed with the starter pack on a large history."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from bench.rules_world import CONNECTION, LAST_WEEK, WEEKS


def measure(warehouse: Any, home: Path) -> dict[str, Any]:
    """Count the history and replay it; ``home`` is the folder of the installation that asks."""
    os.environ |= {"REGELKREIS_HOME": str(home), "DJANGO_SETTINGS_MODULE": "config.django_settings"}
    import django

    django.setup()
    from improvement.rules import load_pack
    from workflows.rules.backtest import History, history, replayed

    pack = load_pack([Path("config/rules")])
    span = range(LAST_WEEK - WEEKS + 1, LAST_WEEK + 1)
    begin = time.perf_counter()
    counted = history(warehouse, pack.rules, [CONNECTION], span)
    counting = time.perf_counter() - begin
    found = replayed(
        pack.rules, History(counted.cells, span, lambda connection, scope, owner: owner), limits=pack.limits
    )
    seconds = time.perf_counter() - begin
    return {
        "rules": len(pack.rules),
        "weeks": len(span),
        "points": sum(found.points.values()),
        "findings": len(found.episodes),
        "counting_s": round(counting, 2),
        "seconds": round(seconds, 2),
    }
