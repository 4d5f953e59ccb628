"""Business calendars in the file: their steps by country and UTC day, which queries in business time join.

They are no columns of records: a changed calendar is in force for all of the past with the next query.
"""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from improvement.business_time import Calendar
from workflows.warehouse.transactions import transaction

STEPS = "calendar_steps"
_COLUMNS = ("day", "begin_s", "until_s", "end_s", "base_s")


class Calendars:
    """The calendars an installation counts by, by country; made only where they are not in place yet.

    ``sha256`` tells one set from another; empty for none.
    """

    def __init__(self, sha256: str = "", make: Callable[[], Mapping[str, Calendar]] = dict) -> None:
        self.sha256, self._make = sha256, make

    def made(self) -> Mapping[str, Calendar]:
        """The calendars."""
        return self._make()


def use_calendars(raw: Any, calendars: Calendars) -> None:
    """Put the calendars in place, as a whole, where others are. None cost nothing: no query asks for them then."""
    if not calendars.sha256:
        return
    columns = ", ".join(f"{name} BIGINT" for name in _COLUMNS)
    raw.execute(f"CREATE TABLE IF NOT EXISTS {STEPS} (calendars VARCHAR, country VARCHAR, {columns})")
    raw.execute("CREATE TABLE IF NOT EXISTS calendars_in_place (sha256 VARCHAR)")
    found = raw.execute("SELECT sha256 FROM calendars_in_place").fetchall()
    if found == [(calendars.sha256,)]:
        return
    with transaction(raw):
        raw.execute(f"DELETE FROM {STEPS}")
        for country, calendar in sorted(calendars.made().items()):
            steps = pa.table({name: getattr(calendar.steps, name) for name in _COLUMNS})
            raw.register("made_steps", steps)
            named = [calendars.sha256, country]
            raw.execute(f"INSERT INTO {STEPS} BY NAME SELECT ? AS calendars, ? AS country, * FROM made_steps", named)
            raw.unregister("made_steps")
        raw.execute("DELETE FROM calendars_in_place")
        raw.execute("INSERT INTO calendars_in_place VALUES (?)", [calendars.sha256])
