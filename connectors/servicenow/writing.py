"""Writes: search for the trace of an earlier attempt, send at most one request, read back and compare."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from connectors.config import ConnectionConfig
from connectors.doubt import wait_until_settled
from connectors.servicenow import batching
from connectors.servicenow.columns import Columns, Value
from connectors.servicenow.records import (
    MEASURED,
    TASK_COLUMNS,
    Mode,
    closure_name,
    gain_name,
    mode_named,
)
from connectors.servicenow.sending import FOR_GOOD, LOOKED_FOR, Request, Sent, explain, send
from connectors.servicenow.tables import Column, Instance, Row, texts
from connectors.servicenow.traces import Traces, correlation, marker
from improvement.errors import ConnectionFailed, OutcomeUnknown, PermissionMissing, Place, WriteRefused
from improvement.records import (
    CLOSURE_FIELDS,
    Closure,
    Gain,
    Outbound,
    OutboundFile,
    PreviewRequest,
    Receipt,
    RecordRef,
    Verb,
)

NEW_RECORD = "NEW-RECORD"
PEOPLES_OWN = "people made this record, and what stands there is kept"
LEFT_TO_PA = "Performance Analytics measures this record, so it is left to it (pa_targets)"
IS_PROPOSED = "it is proposed by work note (write_closure)"
NOT_SHOWN = "sent, but the platform leaves it out of what it shows us"
IS_CLOSED = "the record is closed there already"
LINKED = "linked"
CREATED = 201
ACTIVE = "active"
LINK_COLUMNS = ("cim_register", "source_table", "source_id")
_CODE = re.compile(r"\[(/?)code\]", re.IGNORECASE)


@dataclass(slots=True)
class Intent:
    """What one write comes to: a request (None: nothing to send), and what has no place.

    ``trace``: what an earlier attempt left that took effect. ``sent_columns`` are compared with what stands there.
    ``replaced``: what stands in columns of Performance Analytics that are overwritten.
    """

    request: Request | None
    unwritten: dict[str, str] = field(default_factory=dict)
    trace: Row | None = None
    sent_columns: dict[str, str] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)

    @property
    def is_there(self) -> bool:
        """Whether an earlier attempt took effect."""
        return self.trace is not None


class Writer:
    """Writes improvement records of one instance in one mode."""

    def __init__(self, instance: Instance, mode_name: str) -> None:
        mode = mode_named(mode_name, instance.config)
        if mode is None:
            raise WriteRefused(
                f"There is no write-back mode “{mode_name}” for this connection.",
                where=Place(connection=instance.config.name),
                mend="A record keeps the mode it was created in: set custom_table again.",
            )
        self.instance = instance
        self.mode = mode
        self.columns = Columns(instance, mode)
        self.traces = Traces(instance, mode)

    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        """Make one write effective exactly once."""
        intent = self._intent(outbound, ref)
        if intent.request is None or intent.is_there:
            return self._nothing_sent(intent, ref, outbound)
        if outbound.verb is not Verb.UPDATE:  # what differs is sent, however often
            wait_until_settled(outbound, self.instance.config.name)
        if ref is not None and outbound.verb in (Verb.TASK, Verb.LINK):  # a row of its own: it may point to nothing
            self._demand(ref, outbound)
        sent = send(self.instance, intent.request, outbound.key)
        target = ref if ref is not None else self._made(sent, outbound.key)
        written, differences = self._read_back(outbound, target, intent, sent)
        return Receipt(
            ref=target,
            status=sent.status,
            was_found=False,
            request_sha256=intent.request.sha256,
            written=written,
            differences=differences,
            unwritten=intent.unwritten,
            replaced=intent.replaced,
        )

    def preview(self, outbound: Outbound, ref: RecordRef | None) -> list[PreviewRequest]:
        """The request :meth:`write` would send now; none where it is there already or has no place."""
        if ref is None and outbound.verb is Verb.UPDATE:  # of a record still to be created: every field is new
            body, _ = self._body(outbound.fields)
            return [Request("PATCH", f"/table/{self.mode.table}/{NEW_RECORD}", body).preview(self.instance)]
        if ref is None and outbound.verb is not Verb.CREATE:
            ref = self._ref({"sys_id": NEW_RECORD, "number": ""})
        intent = self._intent(outbound, ref)
        if intent.request is None or intent.is_there:
            return []
        if outbound.verb is not Verb.UPDATE:
            wait_until_settled(outbound, self.instance.config.name)
        return [intent.request.preview(self.instance)]

    # --- what each verb comes to ------------------------------------------------------------------------------

    def _intent(self, outbound: Outbound, ref: RecordRef | None) -> Intent:
        if outbound.verb is Verb.CREATE:
            return self._create(outbound)
        if ref is None:
            raise ConnectionFailed(f"{outbound.key} has no record on the platform yet.", mend="It is created first.")
        intents: dict[Verb, Callable[[Outbound, RecordRef], Intent]] = {
            Verb.UPDATE: self._update,
            Verb.NOTE: self._note,
            Verb.ATTACH: self._attach,
            Verb.TASK: self._task,
            Verb.LINK: self._link,
        }
        return intents[outbound.verb](outbound, ref)

    def _create(self, outbound: Outbound) -> Intent:
        body, unwritten = self._body({**dict(self.mode.creation), **outbound.fields})
        trace = correlation(outbound.installation, outbound.action_id)
        body |= {"correlation_id": trace, "correlation_display": "Regelkreis"}
        request = Request("POST", f"/table/{self.mode.table}", body)
        return Intent(request, unwritten, self.traces.record(outbound, body), body)

    def _update(self, outbound: Outbound, ref: RecordRef) -> Intent:
        """Only what differs is sent; where a person changed a field on the platform last, the person wins."""
        body, unwritten = self._body(outbound.fields)
        method = self.columns.column("method")
        asked = [*body, *((method.element,) if method is not None else ()), *self._open_if(body)]
        current = self.traces.current(ref.id, asked) if body else {}
        if current is None:
            raise self._gone(ref, outbound)
        body = {name: value for name, value in body.items() if not same(value, current.get(name, ""))}
        theirs = {name: self.columns.field_of(name, outbound.fields) for name in body}
        if current.get(ACTIVE) == "false":
            for name in [name for name, ours in theirs.items() if ours in CLOSURE_FIELDS]:
                unwritten[theirs.pop(name)] = IS_CLOSED
                del body[name]
        automated = self.columns.by_indicator(current.get(method.element, "") if method is not None else "")
        if not self.instance.config.pa_targets:
            for name in sorted(automated.keys() & body.keys()):
                unwritten[theirs.pop(name)] = LEFT_TO_PA
                del body[name]
        for name, why in self._kept(outbound, ref, theirs, current).items():
            unwritten[theirs[name]] = why
            del body[name]
        replaced = {name: current.get(name, "") for name in body if name in automated}
        noted = self._telling(outbound, body, {automated[name]: old for name, old in replaced.items()})
        request = Request("PATCH", f"/table/{self.mode.table}/{ref.id}", body | noted) if body else None
        return Intent(request, unwritten, sent_columns=body, replaced=replaced)

    def _demand(self, ref: RecordRef, outbound: Outbound) -> None:
        """Raise :class:`WriteRefused` where the record is not there."""
        if self.traces.current(ref.id, ["sys_id"]) is None:
            raise self._gone(ref, outbound)

    def _gone(self, ref: RecordRef, outbound: Outbound) -> WriteRefused:
        return WriteRefused(
            f"{ref.number or ref.id} is gone or hidden ({outbound.key}).",
            where=Place(connection=self.instance.config.name, record=ref.number),
            mend="Restore it, or let the integration user see it.",
        )

    def _body(self, fields: Mapping[str, Value]) -> tuple[dict[str, str], dict[str, str]]:
        """Columns and values of a write. How a record is closed is written only where the connection says so."""
        told = {name: value for name, value in fields.items() if name in CLOSURE_FIELDS and value is not None}
        if self.instance.config.write_closure:
            return self.columns.body({**fields, **self._as_named_there(told)})
        body, unwritten = self.columns.body({name: value for name, value in fields.items() if name not in told})
        return body, unwritten | dict.fromkeys(told, IS_PROPOSED)

    def _kept(
        self, outbound: Outbound, ref: RecordRef, theirs: Mapping[str, str], current: Mapping[str, str]
    ) -> dict[str, str]:
        """Columns that stay as people left them, with the reason. A service and its offering go together."""
        if outbound.is_adopted:
            kept = self._not_ours(ref, list(theirs), current)
        else:
            asked = [name for name, ours in theirs.items() if ours not in MEASURED]
            edited = self._edited(ref, asked, current).items()
            kept = {name: why for name, why in edited if not self._is_known(outbound, name, theirs[name], current)}
        together = self.columns.service_columns & theirs.keys()
        return kept | {name: kept[one] for one in together & kept.keys() for name in together}

    def _as_named_there(self, told: Mapping[str, Value]) -> dict[str, Value]:
        """Closure and gain by the connection's names, else by the vendor's labels; the choice list has the value."""
        config = self.instance.config
        named = dict(told)
        if "closure" in told:
            named["closure"] = closure_name(config, Closure(str(told["closure"])))
        if "gain" in told:
            named["gain"] = gain_name(config, Gain(str(told["gain"])))
        return named

    def _open_if(self, body: Mapping[str, str]) -> tuple[str, ...]:
        """The column that tells whether a record is open, where something is to be written that only then may be."""
        closing = (self.columns.column(name) for name in CLOSURE_FIELDS)
        is_closing = any(column is not None and column.element in body for column in closing)
        return (ACTIVE,) if is_closing and ACTIVE in self.instance.known(self.mode.table) else ()

    def _is_known(self, outbound: Outbound, column: str, ours: str, current: Mapping[str, str]) -> bool:
        """Whether what a person put there came home before it was changed here: then the later change counts."""
        if ours not in outbound.known:
            return False
        wanted, _ = self.columns.body({ours: outbound.known[ours] or None})
        found = current.get(column, "")
        return found[:10] == wanted.get(column, "")[:10] if ours == "due" else found == wanted.get(column, "")

    @staticmethod
    def _telling(outbound: Outbound, body: Mapping[str, str], replaced: Mapping[Column, str]) -> dict[str, str]:
        """A work note in the same request, so that the old values are kept also where its answer is lost."""
        if not replaced:
            return {}
        lines = [f"{column.label}: {old or '–'} → {body[column.element]}" for column, old in replaced.items()]
        return {"work_notes": "\n".join([*lines, marker(outbound.installation, outbound.key)])}

    def _note(self, outbound: Outbound, ref: RecordRef) -> Intent:
        plain = _CODE.sub(r"[\1code ]", outbound.text or "")  # a journal shows what stands in [code] as HTML
        text = f"{plain}\n{marker(outbound.installation, outbound.key)}"
        request = Request("PATCH", f"/table/{self.mode.table}/{ref.id}", {"work_notes": text})
        return Intent(request, trace=self.traces.note(ref.id, outbound))

    def _attach(self, outbound: Outbound, ref: RecordRef) -> Intent:
        if outbound.file is None:
            return Intent(None, {"file": "the write carries none"})
        params = (("table_name", self.mode.table), ("table_sys_id", ref.id), ("file_name", outbound.file.name))
        request = Request("POST", "/attachment/file", params=params, file=outbound.file)
        return Intent(request, trace=self.traces.attachment(ref.id, outbound.file))

    def _task(self, outbound: Outbound, ref: RecordRef) -> Intent:
        table = self.mode.task_table
        if table is None or not self.instance.known(table):
            return Intent(None, {"task": f"mode {self.mode.name} has no tasks here"})
        body, unwritten = Columns(self.instance, Mode("task", table, TASK_COLUMNS, ())).body(outbound.fields)
        body |= {self.mode.task_parent: ref.id}
        sent = dict(body)  # with what leads to the record: deleted meanwhile, the task would belong to nothing
        body |= {"correlation_id": correlation(outbound.installation, outbound.key)}
        trace = self.traces.task(table, ref.id, outbound, sent)
        return Intent(Request("POST", f"/table/{table}", body), unwritten, trace, sent)

    def _link(self, outbound: Outbound, ref: RecordRef) -> Intent:
        """All missing links in one request: the batch API takes several. They are compared after it by their ticket."""
        table = self.mode.link_table
        if not outbound.trigger_ids:
            return Intent(None, {"triggers": "links to them are switched off (link_triggers)"})
        if table is None or not self.instance.known(table):
            return Intent(None, {"triggers": f"mode {self.mode.name} has no place for links"})
        if not set(LINK_COLUMNS) <= set(self.instance.known(table)):
            return Intent(None, {"triggers": f"{table} names its columns otherwise than {', '.join(LINK_COLUMNS)}"})
        missing, gone = self.traces.links_wanted(outbound, ref.id)
        unwritten = {f"trigger {id}": "it is gone or hidden from us" for id in gone}
        bodies = {key: {"cim_register": ref.id, "source_table": name, "source_id": key} for name, key in missing}
        if not bodies:
            return Intent(None, unwritten)
        several = Request("POST", batching.PATH, batching.packed(table, bodies, outbound.key))
        alone = Request("POST", f"/table/{table}", next(iter(bodies.values())))
        return Intent(several if len(bodies) > 1 else alone, unwritten, sent_columns=dict.fromkeys(bodies, LINKED))

    # --- after the request ------------------------------------------------------------------------------------

    def _nothing_sent(self, intent: Intent, ref: RecordRef | None, outbound: Outbound) -> Receipt:
        if ref is None and intent.trace is not None:
            ref = self._ref(intent.trace)
        if ref is None:
            raise WriteRefused(
                f"{outbound.key} belongs to a record that does not exist yet.",
                where=Place(connection=self.instance.config.name),
                mend="Create the record first.",
            )
        written, differences = self._left(outbound, intent)
        if differences and outbound.verb is Verb.CREATE:
            since = self._since(ref, differences)
            differences = {name: why for name, why in differences.items() if name not in since}
        digest = intent.request.sha256 if intent.request is not None else ""
        return Receipt(
            ref=ref,
            status=0,
            was_found=True,
            request_sha256=digest,
            written=written,
            differences=differences,
            unwritten=intent.unwritten,
        )

    def _left(self, outbound: Outbound, intent: Intent) -> tuple[dict[str, str], dict[str, str]]:
        """What an earlier attempt left, which may be otherwise than it was sent, as :meth:`_read_back` tells it."""
        if intent.trace is None:
            return {}, {}
        if outbound.verb is Verb.ATTACH and outbound.file is not None:
            return _file_read(outbound.file, intent.trace)
        sent = {name: value for name, value in intent.sent_columns.items() if name != "correlation_id"}
        return _shown(sent, intent.trace)

    def _since(self, ref: RecordRef, columns: Iterable[str]) -> Collection[str]:
        """Those that a person has changed since they were sent; none where we may not know."""
        try:
            return self.traces.edited_by_people(ref.id, list(columns), self.instance.our_user())
        except PermissionMissing:
            return ()

    def _read_back(
        self, outbound: Outbound, ref: RecordRef, intent: Intent, sent: Sent
    ) -> tuple[dict[str, str], dict[str, str]]:
        """What the platform really took: unknown and read-only fields are dropped there without a word."""
        if outbound.verb in (Verb.CREATE, Verb.UPDATE):
            return self._compared(ref, intent.sent_columns)
        if outbound.verb in (Verb.NOTE, Verb.ATTACH):
            try:
                return self._hanging_read(outbound, ref)
            except WriteRefused as hidden:
                return {}, {"work_notes" if outbound.verb is Verb.NOTE else "file": hidden.what}
        if outbound.verb is Verb.LINK:
            return self._links_read(outbound, ref, intent, sent)
        answered = texts(sent.result) if isinstance(sent.result, dict) else {}  # a POST answers with the stored row
        written, differences = _shown(intent.sent_columns, answered)
        return {"sys_id": answered.get("sys_id", ""), **written}, differences

    def _hanging_read(self, outbound: Outbound, ref: RecordRef) -> tuple[dict[str, str], dict[str, str]]:
        """What of a note or file is there. Raises :class:`WriteRefused` where it is hidden from us."""
        if outbound.file is None:
            if self.traces.note(ref.id, outbound) is None:
                return {}, {"work_notes": "sent, but not found in the journal"}
            return {"work_notes": marker(outbound.installation, outbound.key)}, {}
        return _file_read(outbound.file, self.traces.attachment(ref.id, outbound.file) or {})

    def _links_read(
        self, outbound: Outbound, ref: RecordRef, intent: Intent, sent: Sent
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Which links are there now; of the others, what the platform said to each.

        Raises :class:`ConnectionFailed` where some were not served: they are sent again later, when the rest is found.
        Raises :class:`WriteRefused` where the record has no link, and every one was refused.
        """
        there = self.traces.linked(self.mode.link_table or "", ref.id)
        wanted = intent.sent_columns
        told = batching.outcomes(sent.result, wanted, self.instance.config) if len(wanted) > 1 else {}
        alone = batching.Outcome(sent.status, is_row=batching.is_row(sent.result))
        missing = {name: told.get(name, alone) for name in wanted if name not in there}
        undone = [name for name, outcome in missing.items() if not _is_final(outcome)]
        if undone:
            raise ConnectionFailed(
                f"{len(undone)} of {len(wanted)} link{'s' * (len(wanted) != 1)} not made yet ({outbound.key}).",
                where=Place(connection=self.instance.config.name),
                mend="They are sent again; those that were made are found.",
            )
        if not set(outbound.trigger_ids) & set(there) and all(one.status in FOR_GOOD for one in missing.values()):
            first = next(iter(missing.values()))
            cause, mend = explain(first.status or 0, first.said)
            raise WriteRefused(
                f"No link was made: {len(wanted)} refused. {cause} ({outbound.key}). {first.said}".strip(),
                where=Place(connection=self.instance.config.name),
                mend=mend,
            )
        differences = {name: f"answered {one.status}, not found. {one.said}".strip() for name, one in missing.items()}
        return {name: LINKED for name in wanted if name in there}, differences

    def _compared(self, ref: RecordRef, sent: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        row = self.traces.current(ref.id, list(sent))
        if row is None:
            return {}, {"record": "it could not be read back"}
        return _shown(sent, row)

    def _edited(self, ref: RecordRef, columns: list[str], current: Mapping[str, str]) -> dict[str, str]:
        """Columns that people filled, with the reason why they stay. Without an audit everything filled is theirs."""
        if not columns:
            return {}
        unknown = f"{self.mode.table} is not audited"
        if self.instance.is_audited(self.mode.table):
            try:
                edited = self.traces.edited_by_people(ref.id, columns, self.instance.our_user())
                return {name: f"{user} changed it there last" for name, user in edited.items()}
            except PermissionMissing:
                unknown = "we may not read sys_audit"
        why = f"{unknown}, so what stands there may be a person's and is kept"
        return {name: why for name in columns if _may_be_filled(name, current)}

    def _not_ours(self, ref: RecordRef, columns: list[str], current: Mapping[str, str]) -> dict[str, str]:
        """Of a record that people made: columns that hold what we never wrote, with the reason why they stay.

        What stood there from the beginning has no audit, so what is not told to be ours is theirs. Values are
        compared, because the audit does not tell the order of two changes in one second.
        """
        filled = [name for name in columns if _may_be_filled(name, current)]
        us = self.instance.our_user()
        if not filled or not us:
            return dict.fromkeys(filled, PEOPLES_OWN)
        try:
            ours = self.traces.written_by(us, ref.id, filled)
        except PermissionMissing:
            ours = set()
        return {name: PEOPLES_OWN for name in filled if (name, current.get(name)) not in ours}

    def _made(self, sent: Sent, key: str) -> RecordRef:
        """The record that a creation was answered with. Raises :class:`OutcomeUnknown` where none is named."""
        if not batching.is_row(sent.result):
            raise OutcomeUnknown(
                f"The platform answered {sent.status} to {key}, but not with a record.",
                where=Place(connection=self.instance.config.name),
                mend=LOOKED_FOR,
            )
        return self._ref(sent.result)

    def _ref(self, row: Mapping[str, Any]) -> RecordRef:
        return record_ref(self.instance.config, self.mode, str(row["sys_id"]), str(row.get("number", "")))


def record_ref(config: ConnectionConfig, mode: Mode, sys_id: str, number: str) -> RecordRef:
    """Where a record lives, with the address at which people open it."""
    page = quote(f"/{mode.table}.do?sys_id={sys_id}", safe="")
    url = f"{config.url}/nav_to.do?uri={page}"
    return RecordRef(connection=config.name, mode=mode.name, id=sys_id, number=number, url=url)


def same(sent: str, found: str) -> bool:
    """Whether a value came back as it was sent, apart from the platform's way of writing numbers and line ends."""
    if sent == found:
        return True
    try:
        return float(sent) == float(found)
    except ValueError:
        return sent.replace("\r\n", "\n").strip() == found.replace("\r\n", "\n").strip()


def _shown(sent: Mapping[str, str], row: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """What of the columns that were sent a row shows, and where that differs; what it leaves out a right hides."""
    written = {name: row[name] for name in sent if name in row}
    differences = _differences({name: sent[name] for name in written}, written)
    return written, differences | {name: NOT_SHOWN for name in sent if name not in row}


def _may_be_filled(name: str, row: Mapping[str, str]) -> bool:
    """Whether something stands in a column, as far as we may know."""
    return bool(row[name]) if name in row else True


def _differences(sent: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    return {
        name: f"sent “{value[:80]}”, found “{found[name][:80]}”"
        for name, value in sent.items()
        if not same(value, found[name])
    }


def _file_read(file: OutboundFile, row: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    size, sent = row.get("size_bytes", ""), len(file.content)
    problem = {"size_bytes": f"sent {sent}, found {size or 'nothing'}"} if size != str(sent) else {}
    return {"file_name": file.name, "size_bytes": size}, problem


def _is_final(outcome: batching.Outcome) -> bool:
    """Whether a link was made, by an answer with its row, or refused for good; every other one is sent again."""
    return outcome.status in FOR_GOOD or (outcome.status == CREATED and outcome.is_row)
