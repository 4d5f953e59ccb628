"""When tickets were on hold, and what for: from the audit, or from the instance's metrics where that says nothing.

``sys_audit`` keeps old and new stored values of each change. *On hold* alone does not say for whom: the reason is a
field of its own, and is cleared by a rule of the platform when somebody answers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby

from connectors.mapping import FieldMap, SourceMap
from connectors.servicenow import measured
from connectors.servicenow.tables import MAX_ROWS, Instance, Row, instant
from connectors.waiting import Wait
from improvement.errors import PermissionMissing

BATCH = 50
REASON = "hold_reason"
FIELDS = ("documentkey", "tablename", "fieldname", "oldvalue", "newvalue", "sys_created_on")
ON_HOLD = "on_hold"


def waits(instance: Instance, tickets: Sequence[SourceMap], ids: Sequence[str]) -> dict[str, tuple[Wait, ...]]:
    """See :meth:`connectors.waiting.TellsWaiting.waits`; ``tickets`` are the mapped tables, with their states.

    A ticket of which neither tells its states is left out. Raises :class:`improvement.errors.PermissionMissing` where
    the audit may not be read and no metric tells anything either.
    """
    found: dict[str, tuple[Wait, ...]] = {}
    refused: PermissionMissing | None = None
    for source in tickets:
        state = source.fields.get("state")
        if state is None or not state.fields:
            continue
        choices = instance.choices(source.source, f"^elementIN{REASON},{state.fields[0]}")
        try:
            audited = _audited(instance, source.source, state.fields[0], ids)
        except PermissionMissing as error:
            audited, refused = {}, error
        for key, changes in audited.items():
            told = _spans(changes, state, choices.get(REASON, {}))
            if told is not None:
                found[key] = told
        untold = [id for id in ids if id not in found]
        found |= measured.waits(instance, source.source, state, choices, untold)
    if refused is not None and not found:
        raise refused
    return found


def _audited(instance: Instance, table: str, state: str, ids: Sequence[str]) -> dict[str, list[Row]]:
    """The changes of state and reason by ticket, oldest first; none of tickets whose changes may be cut short."""
    found: dict[str, list[Row]] = defaultdict(list)
    for start in range(0, len(ids), BATCH):
        wanted = set(ids[start : start + BATCH])
        asked = f"documentkeyIN{','.join(sorted(wanted))}^tablename={table}^fieldnameIN{state},{REASON}"
        rows = instance.rows("sys_audit", f"{asked}^ORDERBYsys_created_on", FIELDS)
        if len(rows) >= MAX_ROWS:
            continue
        for row in rows:
            # A condition may have been ignored: what was not asked for is no answer.
            if row["documentkey"] in wanted and row["tablename"] == table and row["fieldname"] in (state, REASON):
                found[row["documentkey"]].append(row)
    return found


def _spans(changes: Sequence[Row], mapped: FieldMap, labels: Mapping[str, str]) -> tuple[Wait, ...] | None:
    """The spans on hold; None where no change of state was audited, or the first known state is on hold already."""
    state = mapped.fields[0]
    now = {name: next((row["oldvalue"] for row in changes if row["fieldname"] == name), "") for name in (state, REASON)}
    if not any(row["fieldname"] == state for row in changes) or mapped.translate(now[state]) == ON_HOLD:
        return None
    return tuple(_walked(changes, mapped, now, labels))


def _walked(changes: Sequence[Row], mapped: FieldMap, now: dict[str, str], labels: Mapping[str, str]) -> Iterator[Wait]:
    """What one save changed has one time, and is read as one change."""
    begin: datetime | None = None
    for stamp, together in groupby(changes, key=lambda row: row["sys_created_on"]):
        at, before = instant(stamp), now[REASON]
        now |= {row["fieldname"]: row["newvalue"] for row in together}
        is_held = mapped.translate(now[mapped.fields[0]]) == ON_HOLD
        if at is None or (begin is not None and is_held and now[REASON] == before):
            continue
        if begin is not None:
            yield Wait(begin=begin, end=at, why=labels.get(before, before))
        begin = at if is_held else None
    if begin is not None:
        yield Wait(begin=begin, end=None, why=labels.get(now[REASON], now[REASON]))
