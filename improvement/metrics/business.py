"""Business seconds between two instants of a row: two look-ups in the steps of its country's calendar, subtracted."""

from __future__ import annotations

from typing import Any

from improvement.metrics.cells import CellQuery, Tables, whole_seconds
from improvement.metrics.engine import ibis
from improvement.weeks import DAY_S

STEP = ("country", "day", "begin_s", "until_s", "end_s", "base_s")


def is_wanted(query: CellQuery) -> bool:
    """Whether the metric of a query is counted in business time."""
    return query.metric in query.options.business


def with_elapsed(table: Any, tables: Tables, query: CellQuery, begin: Any, wall_s: Any) -> Any:
    """The table with a column ``business_s``: business seconds among the ``wall_s`` seconds from ``begin`` on.

    It is ``wall_s`` itself where the row's country has no calendar, or its calendar does not reach.
    """
    timed = table.mutate(begins_s=whole_seconds(begin), wall_s=wall_s.cast("int64"))
    timed = timed.mutate(ends_s=timed.begins_s + timed.wall_s)
    steps = tables.calendar_steps()
    steps = steps.filter(steps.calendars == query.options.calendars)
    for side in ("begins", "ends"):
        timed = _looked_up(timed, steps, side)
    is_known = timed.ends_upto.notnull() & timed.begins_upto.notnull()
    elapsed = ibis.cases((is_known, timed.ends_upto - timed.begins_upto), else_=timed.wall_s)
    return timed.mutate(business_s=elapsed)


def _looked_up(table: Any, steps: Any, side: str) -> Any:
    """The business seconds up to an instant as ``<side>_upto``; a row finds one step or none."""
    named = steps.select(**{f"{side}_{name}": steps[name] for name in STEP})
    of = {name: f"{side}_{name}" for name in STEP}
    instant = table[f"{side}_s"]
    found = table.left_join(
        named,
        [
            table.country == named[of["country"]],
            instant // DAY_S == named[of["day"]],
            instant >= named[of["begin_s"]],
            instant < named[of["until_s"]],
        ],
    )
    upto = found[of["base_s"]] + ibis.least(found[f"{side}_s"], found[of["end_s"]])
    # Of no step: what `least` makes of nothing differs between engines.
    known = ibis.cases((found[of["base_s"]].notnull(), upto), else_=ibis.null("int64"))
    return found.select(*table.columns, **{f"{side}_upto": known})
