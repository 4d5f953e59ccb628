"""When tickets were on hold, told by the instance's own metrics: where the audit says nothing, or may not be read.

A *field value duration* of a table's state, and one of its reason to be on hold, are definitions that an instance has
or has not; each of their instances is a value with its start and end. They are written with a little delay, and only
since the definition exists: a ticket that was there before is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from connectors.mapping import FieldMap
from connectors.servicenow.histories import ON_HOLD, REASON, Labels, histories
from connectors.servicenow.tables import Instance, Row, instant
from connectors.waiting import Wait
from improvement.errors import PermissionMissing

DEFINITIONS, MEASURED = "metric_definition", "metric_instance"
CLOSE = timedelta(minutes=5)  # what follows so soon follows at once: metrics are written by a queue of events
ALSO = {("incident", "state"): "incident_state"}  # the platform keeps both alike; its own metric is of this one
FIELDS = ("id", "definition", "field_value", "value", "start", "end")


@dataclass(frozen=True, slots=True)
class _Held:
    """A stored value, from when to when; ``end`` None: it still holds."""

    value: str
    begin: datetime
    end: datetime | None


def waits(
    instance: Instance, table: str, state: FieldMap, choices: Mapping[str, Labels], ids: Sequence[str]
) -> dict[str, tuple[Wait, ...]]:
    """The spans of each ticket of a table that the metrics tell from its creation on; ``choices`` by field.

    Nothing where no metric is defined, or none may be read.
    """
    if not ids:
        return {}
    name = state.fields[0]
    names = (name, ALSO.get((table, name), name))
    try:
        defined = _defined(instance, table, {*names, REASON})
        of_state = next((defined[one] for one in names if one in defined), "")
        if not of_state:
            return {}
        of_reason = defined.get(REASON, "")
        asked = {"definition": [one for one in (of_state, of_reason) if one]}
        rows = histories(instance, MEASURED, "id", ids, asked, order="start", fields=FIELDS)
        created = _created(instance, table, list(rows))
        return dict(_told(rows, created, of_state, of_reason, state, choices))
    except PermissionMissing:
        return {}


def _told(
    rows: Mapping[str, Sequence[Row]],
    created: Mapping[str, datetime | None],
    of_state: str,
    of_reason: str,
    state: FieldMap,
    choices: Mapping[str, Labels],
) -> Iterator[tuple[str, tuple[Wait, ...]]]:
    for id, of_ticket in rows.items():
        states = _values(of_ticket, of_state, choices.get(state.fields[0], {}))
        if _is_whole(states, created.get(id)):
            reasons = _values(of_ticket, of_reason, choices.get(REASON, {}))
            yield id, tuple(_spans(states, reasons, state, choices.get(REASON, {})))


def _defined(instance: Instance, table: str, fields: set[str]) -> dict[str, str]:
    """The definition that measures each field."""
    asked = f"table={table}^type=field_value_duration^active=true^fieldIN{','.join(sorted(fields))}"
    rows = instance.rows(DEFINITIONS, f"{asked}^ORDERBYsys_id", ("sys_id", "table", "field", "type"))
    # A condition may have been ignored: what was not asked for is no answer.
    mine = [row for row in rows if row["table"] == table and row["type"] == "field_value_duration"]
    return {row["field"]: row["sys_id"] for row in mine if row["field"] in fields}


def _created(instance: Instance, table: str, ids: Sequence[str]) -> dict[str, datetime | None]:
    rows = instance.rows_of(table, "sys_id", ids, "", ("sys_id", "sys_created_on"))
    return {row["sys_id"]: instant(row["sys_created_on"]) for row in rows}


def _values(rows: Sequence[Row], definition: str, labels: Labels) -> list[_Held]:
    """What one definition measured; an instance of older versions keeps the label alone."""
    stored = {label: value for value, label in labels.items()}
    found = []
    for row in rows:
        begin = instant(row["start"])
        if row["definition"] == definition and begin is not None:
            found.append(_Held(row["field_value"] or stored.get(row["value"], ""), begin, instant(row["end"])))
    return found


def _is_whole(states: Sequence[_Held], created: datetime | None) -> bool:
    """Whether the states begin with the ticket and leave no gap; after the last one it was no longer measured."""
    if not states or created is None or states[0].begin - created > CLOSE:
        return False
    return all(one.value for one in states) and all(
        one.end is not None and abs(following.begin - one.end) <= CLOSE for one, following in pairwise(states)
    )


def _spans(states: Sequence[_Held], reasons: Sequence[_Held], mapped: FieldMap, labels: Labels) -> Iterator[Wait]:
    """The stays on hold, cut where the reason changed; without a reason where none was measured."""
    for stay in (one for one in states if mapped.translate(one.value) == ON_HOLD):
        at: datetime | None = stay.begin
        for reason in (one for one in reasons if _overlap(one, stay)):
            if at is None:
                break
            begin = reason.begin if reason.begin - at > CLOSE else at
            if begin > at:
                yield Wait(begin=at, end=begin, why="")
            at = _earlier(stay.end, reason.end)
            yield Wait(begin=begin, end=at, why=labels.get(reason.value, reason.value))
        if at is not None and (stay.end is None or stay.end - at > CLOSE):
            yield Wait(begin=at, end=stay.end, why="")


def _overlap(one: _Held, other: _Held) -> bool:
    return (one.end is None or one.end > other.begin) and (other.end is None or one.begin < other.end)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)
