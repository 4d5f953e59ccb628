"""One improvement record of an instance, found by any of the addresses under which people know it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from connectors.existing import Existing, below
from connectors.marks import NOBODYS, Mark
from connectors.servicenow.columns import Columns
from connectors.servicenow.following import Follower
from connectors.servicenow.records import Mode, mode_named
from connectors.servicenow.tables import Instance, Row, instant, literal
from connectors.servicenow.traces import mark_in, mark_in_note
from connectors.servicenow.writing import record_ref
from improvement.errors import InputError, Place
from improvement.records import ADOPTED_FIELDS

ADOPTABLE = ("cim", "custom", "problem")  # an address below /task.do may be of any ticket
SHAPES = (
    "Copy the address of the opened record, like https://…/nav_to.do?uri=sn_cim_register.do?sys_id=… or "
    "https://…/sn_cim_register.do?sys_id=…"
)
CLASSIC = re.compile(r"/(?P<table>\w+)\.do$")
FRAME = re.compile(r"/now/nav/ui/classic/params/target/(?P<inner>.+)$")  # the frame of the newer interface
WORKSPACE = re.compile(r"/record/(?P<table>\w+)/(?P<sys_id>[0-9a-f]{32})(?:/|$)")
SYS_ID = re.compile(r"[0-9a-f]{32}")
NUMBER = re.compile(r"number=(?P<number>\w+)")
MOST_FRAMES = 3


@dataclass(frozen=True, slots=True)
class Address:
    """A table and what names one of its records: its sys_id, else its number."""

    table: str
    sys_id: str = ""
    number: str = ""


def existing(instance: Instance, url: str) -> Existing | None:
    """See :meth:`connectors.existing.ReadsExisting.existing`."""
    rest = below(url, instance.config.url)
    if rest is None:
        return None
    place = Place(connection=instance.config.name)
    address = address_in(rest)
    if address is None:
        raise InputError(f"{url} is not the address of one record.", where=place, mend=SHAPES)
    mode = _mode_of(instance, address.table)
    columns = Columns(instance, mode)
    row = _row(instance, mode, columns, address)
    ref = record_ref(instance.config, mode, row["sys_id"], row.get("number", ""))
    mark = _mark(instance, row)
    return Existing(
        ref=ref,
        title=row.get("short_description") or ref.number,
        opened_at=instant(row.get("opened_at", "")) or instant(row.get("sys_created_on", "")),
        service=_service(columns, row),
        mark=mark.action,
        installation=mark.installation,
        state=Follower(instance).states([ref])[0],
        standing=_standing(columns, row),
    )


def address_in(rest: str) -> Address | None:
    """The record that an address names, below the instance's root; None where it names none, or a new one.

    ``/nav_to.do?uri=…`` and the newer frame hold the address of what they show, encoded or not.
    """
    for _ in range(MOST_FRAMES):
        path, _, query = rest.partition("?")
        framed = FRAME.match(path)
        if framed is not None:
            rest = _rooted(unquote(framed["inner"]) + (f"?{query}" if query else ""))
        elif path == "/nav_to.do":
            _, _, inner = query.partition("uri=")
            rest = _rooted(unquote(inner))
        else:
            return _named(path, query)
    return None


def _rooted(inner: str) -> str:
    return "/" + inner.lstrip("/")


def _named(path: str, query: str) -> Address | None:
    workspace = WORKSPACE.search(path)
    if workspace is not None:
        return Address(workspace["table"], workspace["sys_id"])
    form = CLASSIC.match(path)
    if form is None:
        return None
    given = {name: values[-1] for name, values in parse_qs(query).items()}
    sys_id = given.get("sys_id", "").lower()
    if SYS_ID.fullmatch(sys_id):
        return Address(form["table"], sys_id)
    number = NUMBER.fullmatch(given.get("sysparm_query", ""))
    return Address(form["table"], number=number["number"]) if number is not None and not sys_id else None


def _mode_of(instance: Instance, table: str) -> Mode:
    allowed = ("cim", *instance.config.fallback_modes)
    modes = [mode_named(name, instance.config) for name in ADOPTABLE if name in allowed]
    known = {mode.table: mode for mode in modes if mode is not None}
    if table not in known:
        raise InputError(
            f"“{table}” is no table of improvement records on this connection.",
            where=Place(connection=instance.config.name),
            mend=f"Records of these tables can be adopted: {', '.join(known)}; `custom_table` names one of your own.",
        )
    return known[table]


def _row(instance: Instance, mode: Mode, columns: Columns, address: Address) -> Row:
    """The record itself. What was asked for is read back with it: an instance ignores what it does not understand."""
    known = instance.columns(mode.table)
    wanted = ("number", "short_description", "opened_at", "sys_created_on", "correlation_id")
    elements = [column.element for name in ADOPTED_FIELDS if (column := columns.column(name)) is not None]
    asked = {"sys_id": address.sys_id} if address.sys_id else {"number": address.number}
    fields = dict.fromkeys(("sys_id", *(name for name in wanted if name in known), *elements, *_service_path(columns)))
    query = "^".join(f"{name}={literal(value)}" for name, value in asked.items())
    rows = instance.rows(mode.table, query, fields, limit=2)
    found = [row for row in rows if all(row.get(name) == value for name, value in asked.items())]
    if len(found) == 1:
        return found[0]
    what = " ".join(asked.values())
    if len(found) > 1:
        raise InputError(f"{mode.table} holds several records {what}.", mend="Use an address with the sys_id.")
    raise InputError(
        f"There is no record {what} in {mode.table}, or it is hidden from us.",
        where=Place(connection=instance.config.name),
        mend="Check the address, and that the integration user may read the record.",
    )


def _mark(instance: Instance, row: Row) -> Mark:
    """By what it was made with; one that people made tells it by the notes of whoever adopted it."""
    made_by = mark_in(row.get("correlation_id", ""))
    if made_by.action:
        return made_by
    query = f"element_id={row['sys_id']}^element=work_notes^valueLIKE[rk ^ORDERBYsys_created_on"
    notes = instance.rows("sys_journal_field", query, ("element_id", "element", "value"))
    ours = (note for note in notes if (note["element_id"], note["element"]) == (row["sys_id"], "work_notes"))
    return next((mark for note in ours if (mark := mark_in_note(note["value"])).action), NOBODYS)


def _service_path(columns: Columns) -> list[str]:
    column = columns.column("service")
    if column is None:
        return []
    return [f"{column.element}.name" if column.reference else column.element]


def _service(columns: Columns, row: Row) -> str | None:
    return next((row[name] for name in _service_path(columns) if row.get(name)), None)


def _standing(columns: Columns, row: Row) -> dict[str, str]:
    found = {name: column.element for name in ADOPTED_FIELDS if (column := columns.column(name)) is not None}
    return {name: row[element] for name, element in found.items() if row.get(element)}
