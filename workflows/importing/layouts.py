"""Which columns each kind of import file has, and how a row becomes a canonical record."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from connectors.mapping import near_matches
from improvement.errors import InputError, RegelkreisError
from improvement.records import IMPORTED, RecordKind
from workflows.csv_table import number
from workflows.importing import cells

CONTACT_KINDS = ("review", "call", "visit", "mail", "chat", "complaint", "escalation")
SURVEY_KINDS = ("csat", "nps")
OUTAGE_KINDS = ("outage", "degradation", "planned")
NPS_SCALE = (0.0, 10.0)


@dataclass(frozen=True, slots=True)
class Setting:
    """What all rows of one import have in common. ``tickets``: number or platform id → platform id."""

    connection: str
    as_of: datetime
    zone: ZoneInfo | None
    has_decimal_comma: bool
    tickets: Mapping[str, str]


Value = TypeVar("Value")
Row = Mapping[str, str]
Reading = Callable[[Row, Setting], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file, for people: what it holds."""

    name: str
    meaning: str
    is_needed: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of file. ``identity``: the fields that tell one record from another where the row has no id."""

    plural: str
    kind: RecordKind
    columns: tuple[Column, ...]
    identity: tuple[str, ...]
    read: Reading

    @property
    def needed(self) -> tuple[str, ...]:
        """Columns that must be there and filled."""
        return tuple(column.name for column in self.columns if column.is_needed)

    @property
    def optional(self) -> tuple[str, ...]:
        """Columns that may be left out, and cells that may be empty."""
        return tuple(column.name for column in self.columns if not column.is_needed)

    def record(self, row: Row, setting: Setting) -> dict[str, Any]:
        """The canonical record of a row. Raises :class:`CellError` naming the column that is wrong."""
        found = self.read(row, setting)
        own = _cell("id", lambda: cells.text(row.get("id", ""), "id"))
        return {"connection": setting.connection, "id": IMPORTED + (own or self._key(found)), **found}

    def _key(self, record: Mapping[str, Any]) -> str:
        parts = [str(record[name] if record[name] is not None else "") for name in self.identity]
        return "~" + hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


class CellError(InputError):
    """A cell that cannot be read; ``column`` says in which column."""

    def __init__(self, column: str, error: RegelkreisError) -> None:
        super().__init__(error.what, mend=error.mend)
        self.column = column


def _cell(column: str, read: Callable[[], Value]) -> Value:
    try:
        return read()
    except RegelkreisError as error:
        raise CellError(column, error) from None


def _contact(row: Row, setting: Setting) -> dict[str, Any]:
    at = _past("at", row, setting)
    return {"kind": _word("kind", row, CONTACT_KINDS), **_where(row), "at": at, "updated_at": at}


def _survey(row: Row, setting: Setting) -> dict[str, Any]:
    kind = _word("kind", row, SURVEY_KINDS)
    sent = _past("sent_at", row, setting)
    answered = _past("answered_at", row, setting)
    if sent is not None and answered is not None and answered < sent:
        raise CellError("answered_at", InputError("answered_at lies before sent_at."))
    low, high = NPS_SCALE if kind == "nps" else (_number("scale_min", row, setting), _number("scale_max", row, setting))
    score = _number("score", row, setting)
    _check_score(score, low, high, answered)
    ticket = _ticket(row, setting)
    where = _where(row)
    if ticket is None and where["customer"] is None:
        raise CellError("customer", InputError("Neither a ticket nor a customer.", mend="Say whose answer it is."))
    return {
        "kind": kind,
        "ticket_id": ticket,
        **where,
        "sent_at": sent,
        "answered_at": answered,
        "score": score,
        "scale_min": low,
        "scale_max": high,
        "updated_at": answered or sent,
    }


def _check_score(score: float | None, low: float | None, high: float | None, answered: datetime | None) -> None:
    if (score is None) != (answered is None):
        column, other = ("answered_at", "score") if score is not None else ("score", "answered_at")
        raise CellError(column, InputError(f"{other} is given, {column} is not.", mend="Give both, or neither."))
    if (low is None) != (high is None) or (score is not None and low is None):
        raise CellError("scale_min", InputError("The scale is missing.", mend="Give scale_min and scale_max."))
    if low is not None and high is not None and low >= high:
        raise CellError("scale_max", InputError(f"The scale ends ({high:g}) before it begins ({low:g})."))
    if score is not None and low is not None and high is not None and not low <= score <= high:
        raise CellError("score", InputError(f"score {score:g} lies outside its scale, {low:g} to {high:g}."))


def _outage(row: Row, setting: Setting) -> dict[str, Any]:
    kind = _word("kind", row, OUTAGE_KINDS)
    begin = _moment("begin_at", row, setting) if kind == "planned" else _past("begin_at", row, setting)
    end = _moment("end_at", row, setting)
    if begin is not None and end is not None and end < begin:
        raise CellError("end_at", InputError("end_at lies before begin_at."))
    return {"kind": kind, **_where(row), "begin_at": begin, "end_at": end, "updated_at": end or begin}


# --- cells by name ------------------------------------------------------------------------------------------------


def _where(row: Row) -> dict[str, str | None]:
    return {
        "customer": _cell("customer", lambda: cells.text(row.get("customer", ""), "customer")),
        "country": _cell("country", lambda: cells.country(row.get("country", ""), "country")),
        "service": _cell("service", lambda: cells.text(row.get("service", ""), "service")),
    }


def _word(column: str, row: Row, known: tuple[str, ...]) -> str:
    return _cell(column, lambda: cells.word(row[column], column, known))


def _number(column: str, row: Row, setting: Setting) -> float | None:
    raw = row.get(column, "")
    comma = setting.has_decimal_comma
    return _cell(column, lambda: number(raw, column, has_decimal_comma=comma)) if raw else None


def _moment(column: str, row: Row, setting: Setting) -> datetime | None:
    own = row.get("zone", "")
    zone = _cell("zone", lambda: cells.zone(own, "zone")) if own else setting.zone
    return _cell(column, lambda: cells.moment(row.get(column, ""), column, zone))


def _past(column: str, row: Row, setting: Setting) -> datetime | None:
    found = _moment(column, row, setting)
    if found is not None and found > setting.as_of:
        said = f"{column} {row[column]} lies in the future."
        raise CellError(column, InputError(said, mend="Is the year right? What has not happened is not counted."))
    return found


def _ticket(row: Row, setting: Setting) -> str | None:
    raw = _cell("ticket", lambda: cells.text(row.get("ticket", ""), "ticket"))
    if raw is None:
        return None
    if raw not in setting.tickets:
        what = f"There is no ticket “{raw[:40]}” of {setting.connection} here.{near_matches(raw, setting.tickets)}"
        mend = f"Correct the number, or run `regelkreis pull {setting.connection}` first."
        raise CellError("ticket", InputError(what, mend=mend))
    return setting.tickets[raw]


ID = Column("id", "your own number of it; with it a row can be corrected later")
ZONE = Column("zone", "IANA time zone of this row's times without offset, like Europe/Zurich")
CUSTOMER = Column("customer", "the customer's name, as its tickets say it")
COUNTRY = Column("country", "two letters (ISO 3166-1), or the country's name in English, German or French")
SERVICE = Column("service", "the service's name, as tickets say it")

LAYOUTS: dict[str, Layout] = {
    layout.plural: layout
    for layout in (
        Layout(
            "contacts",
            RecordKind.CONTACT,
            (
                Column("at", "when it took place", True),
                Column("kind", f"one of {', '.join(CONTACT_KINDS)}", True),
                Column("customer", CUSTOMER.meaning, True),
                COUNTRY,
                SERVICE,
                ID,
                ZONE,
            ),
            ("kind", "customer", "country", "service", "at"),
            _contact,
        ),
        Layout(
            "surveys",
            RecordKind.SURVEY,
            (
                Column("kind", f"one of {', '.join(SURVEY_KINDS)}", True),
                Column("sent_at", "when it was sent", True),
                Column("answered_at", "when it was answered; empty: not yet"),
                Column("score", "the answer; a decimal comma where columns are not parted by commas"),
                Column("scale_min", "the worst possible answer; for nps always 0"),
                Column("scale_max", "the best possible answer; for nps always 10"),
                Column("ticket", "number of the ticket it is about; customer, country and service come from it"),
                CUSTOMER,
                COUNTRY,
                SERVICE,
                ID,
                ZONE,
            ),
            ("kind", "ticket_id", "customer", "country", "service", "sent_at"),
            _survey,
        ),
        Layout(
            "outages",
            RecordKind.OUTAGE,
            (
                Column("begin_at", "when it began", True),
                Column("end_at", "when it ended; empty: not yet"),
                Column("kind", f"one of {', '.join(OUTAGE_KINDS)}", True),
                Column("service", SERVICE.meaning, True),
                CUSTOMER,
                COUNTRY,
                ID,
                ZONE,
            ),
            ("kind", "service", "customer", "country", "begin_at"),
            _outage,
        ),
    )
}
