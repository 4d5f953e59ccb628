"""When tickets were on hold, and what for: from the audit, or from the instance's metrics where that says nothing.

``sys_audit`` keeps old and new stored values of each change. *On hold* alone does not say for whom: the reason is a
field of its own, and is cleared by a rule of the platform when somebody answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby

from connectors.mapping import FieldMap, SourceMap
from connectors.servicenow import measured
from connectors.servicenow.histories import ON_HOLD, REASON, Labels, histories
from connectors.servicenow.tables import Instance, Row, instant
from connectors.waiting import Wait
from improvement.errors import PermissionMissing

FIELDS = ("documentkey", "tablename", "fieldname", "oldvalue", "newvalue", "sys_created_on")


def waits(instance: Instance, tickets: Sequence[SourceMap], ids: Sequence[str]) -> dict[str, tuple[Wait, ...]]:
    """See :meth:`connectors.waiting.TellsWaiting.waits`; ``tickets`` are the mapped tables, with their states.

    A ticket of which neither tells its states is left out. Raises :class:`improvement.errors.PermissionMissing` where
    the audit may not be read and no metric tells anything either.
    """
    found: dict[str, tuple[Wait, ...]] = {}
    refused: PermissionMissing | None = None
    tables = list(_tables(instance, tickets))
    try:
        for table, state, choices in tables:
            for key, changes in _audited(instance, table, state.fields[0], ids).items():
                told = _spans(changes, state, choices.get(REASON, {}))
                if told is not None:
                    found[key] = told
    except PermissionMissing as error:
        refused = error
    for table, state, choices in tables:  # each ticket is of one of them: only what no audit told is asked for
        untold = [id for id in ids if id not in found]
        found |= measured.waits(instance, table, state, choices, untold)
    if refused is not None and not found:
        raise refused
    return found


def _tables(instance: Instance, tickets: Sequence[SourceMap]) -> Iterator[tuple[str, FieldMap, Mapping[str, Labels]]]:
    """The tables that have states, with these and the choices of state and reason."""
    for source in tickets:
        state = source.fields.get("state")
        if state is not None and state.fields:
            yield source.source, state, instance.choices(source.source, f"^elementIN{REASON},{state.fields[0]}")


def _audited(instance: Instance, table: str, state: str, ids: Sequence[str]) -> dict[str, list[Row]]:
    """The changes of state and reason by ticket, oldest first."""
    asked = {"tablename": (table,), "fieldname": (state, REASON)}
    return histories(instance, "sys_audit", "documentkey", ids, asked, order="sys_created_on", fields=FIELDS)


def _spans(changes: Sequence[Row], mapped: FieldMap, labels: Labels) -> tuple[Wait, ...] | None:
    """The spans on hold; None where no change of state was audited, or the first known state is on hold already."""
    state = mapped.fields[0]
    now = {name: next((row["oldvalue"] for row in changes if row["fieldname"] == name), "") for name in (state, REASON)}
    if not any(row["fieldname"] == state for row in changes) or mapped.translate(now[state]) == ON_HOLD:
        return None
    return tuple(_walked(changes, mapped, now, labels))


def _walked(changes: Sequence[Row], mapped: FieldMap, now: dict[str, str], labels: Labels) -> Iterator[Wait]:
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
