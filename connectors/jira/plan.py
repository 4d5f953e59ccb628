"""From mapping and site to a reading plan: which fields to ask for, and which function fills which column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from connectors.config import ConnectionConfig
from connectors.jira.defaults import CLOSED_AT, COMPUTED, DEFAULT_MAPPING, OPTIONAL_SOURCES, REASSIGNED, REOPENED
from connectors.jira.fields import FEEDBACK_TYPE, SLA_TYPE, FoundField, texts
from connectors.jira.history import ASSIGNEE, Story, Watched
from connectors.jira.site import Site
from connectors.jira.wire import StatusValue
from connectors.mapping import FieldMap, PlatformMapping, SourceMap, digest_of, merged, near_matches
from improvement.errors import MappingError, Place
from improvement.records import SCHEMAS, RecordKind

#: (decoded fields of some issues, what their histories tell) → their canonical values of one column
Filler = Callable[[Sequence[Any], Sequence[Story]], list[Any]]

#: What every search reads, whatever the mapping says.
ALWAYS = ("issuetype", "status", "updated", "resolutiondate")
LENT = frozenset({"customer", "country", "service", "supplier"})  # a rating or clock without them has its ticket's
FILLED = frozenset({"connection", "id", "number", "updated_at"})
_BLANK: dict[str, Any] = {"reopen_count": 0, "reassignment_count": 0, "is_major": False, "state": "new", "kind": ""}
_CATEGORY_STATE = {"new": "new", "indeterminate": "in_progress", "done": "closed"}
_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})


class UnreadableError(ValueError):
    """A value that does not fit its column; ``column`` says which."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column


@dataclass(frozen=True, slots=True)
class ClockPlan:
    """One SLA field: where its cycles are, and what the mapping says about it."""

    field_id: str
    target: Filler
    agreement: Filler
    supplier: Filler


@dataclass(slots=True)
class Plan:
    """How one connection reads its issues.

    ``decoded`` lists every field to ask for with the type to decode it as. ``by_type`` holds, per kind and issue type
    id, the filler of each column. ``missing`` names what the default mapping expects and this Jira does not have.
    """

    decoded: dict[str, Any] = field(default_factory=dict)
    by_type: dict[RecordKind, dict[str, list[tuple[str, Filler]]]] = field(default_factory=dict)
    where: dict[RecordKind, str] = field(default_factory=dict)
    clocks: list[ClockPlan] = field(default_factory=list)
    rating: str | None = None
    survey: list[tuple[str, Filler]] = field(default_factory=list)
    survey_date: str | None = None
    states: dict[str, str] = field(default_factory=dict)
    group: Watched | None = None
    needs_history: bool = False
    missing: list[str] = field(default_factory=list)

    @property
    def watched(self) -> tuple[str, ...]:
        """The fields whose changes are counted, by their ids."""
        return "status", (self.group or ASSIGNEE).id


def mapping_of(config: ConnectionConfig) -> PlatformMapping:
    """The default mapping with the connection's own laid over it."""
    return merged(DEFAULT_MAPPING, config.mapping, connection=config.name)


def digest_of_kind(config: ConnectionConfig, mapping: PlatformMapping, kind: RecordKind) -> str:
    """What tells whether a kind is read as it was before; of what is inside issues the tickets' sources, too."""
    kinds = (RecordKind.TICKET, kind) if kind in (RecordKind.SLA, RecordKind.SURVEY) else (kind,)
    sources = [source for each in kinds for source in mapping.of_kind(each)]
    return digest_of(sources, default_country=config.default_country)


def make_plan(config: ConnectionConfig, mapping: PlatformMapping, site: Site) -> Plan:
    """Resolve every name of the mapping on this site; :class:`MappingError` for the first that is wrong."""
    return _Planner(config, mapping, site).plan()


class _Planner:
    def __init__(self, config: ConnectionConfig, mapping: PlatformMapping, site: Site) -> None:
        self._config = config
        self._mapping = mapping
        self._site = site
        self._plan = Plan()

    def plan(self) -> Plan:
        plan = self._plan
        for name in ALWAYS:
            found = self._site.fields.value_field(name, source="jira", used_for=name)
            plan.decoded[found.id] = found.decoded
        plan.decoded["updated"] = str
        for source in self._mapping.of_kind(RecordKind.TICKET):
            plan.states |= self._states(source.fields.get("state"))
        for kind in (RecordKind.TICKET, RecordKind.CONTACT):
            self._typed_issues(kind)
        self._clocks()
        self._surveys()
        return plan

    # --- issues of a type -------------------------------------------------------------------------------------

    def _typed_issues(self, kind: RecordKind) -> None:
        conditions: dict[str, list[str]] = {}
        for name, source in self._named(kind):
            ids = self._site.type_ids(source.source)
            if not ids:
                self._no_type(name, source)
                continue
            fillers = [(column, self._filler(name, kind, column, source)) for column in _columns(kind)]
            for type_id in ids:
                self._plan.by_type.setdefault(kind, {})[type_id] = fillers
            conditions.setdefault(source.filter, []).extend(ids)
        if conditions:
            self._plan.where[kind] = _either(
                f"issuetype in ({', '.join(ids)})" + (f" AND ({condition})" if condition else "")
                for condition, ids in conditions.items()
            )

    def _no_type(self, name: str, source: SourceMap) -> None:
        names = [kind.name or "" for kind in self._site.types]
        if not self._is_default(name, source):
            raise MappingError(
                f"There is no issue type “{source.source}”.{near_matches(source.source, names)}",
                where=Place(connection=self._config.name, field=f"mapping.{name}.source"),
                mend=f"Issue types our user sees: {', '.join(sorted(set(names))) or 'none'}.",
            )
        self._plan.missing.append(f"issue type “{source.source}”")

    def _is_default(self, name: str, source: SourceMap) -> bool:
        return name in OPTIONAL_SOURCES and DEFAULT_MAPPING.sources[name].source == source.source

    def _named(self, kind: RecordKind) -> list[tuple[str, SourceMap]]:
        return [
            (name, source)
            for name, source in self._mapping.sources.items()
            if source.kind is kind and source.is_enabled
        ]

    # --- values -----------------------------------------------------------------------------------------------

    def _filler(self, name: str, kind: RecordKind, column: str, source: SourceMap) -> Filler:
        mapped = source.fields.get(column)
        is_lent = kind in (RecordKind.SLA, RecordKind.SURVEY) and column in LENT
        blank = self._config.default_country if column == "country" and not is_lent else _BLANK.get(column)
        if mapped is None or (is_lent and self._is_doubtful(name, column, mapped)):
            return _always(blank)
        if not mapped.fields:
            return _always(_coerced(mapped.constant, kind, column))
        if mapped.fields[0] in COMPUTED:
            return self._computed(mapped.fields[0])
        found = self._fields(name, column, mapped)
        if not found:
            return _always(blank)
        if column == "assignment_group":
            self._plan.group = Watched.of(found[0].id, *found[0].names)
        if column == "state" and [field.id for field in found] == ["status"]:
            return self._state_filler()
        return _translating(texts(found), mapped, kind, column, blank)

    def _is_doubtful(self, name: str, column: str, mapped: FieldMap) -> bool:
        """Whether nobody said where it is, and several fields have the usual name: then the ticket's own counts."""
        usual = DEFAULT_MAPPING.sources[name].fields.get(column) if name in DEFAULT_MAPPING.sources else None
        return mapped == usual and any(self._site.fields.is_ambiguous(each) for each in mapped.fields)

    def _fields(self, source: str, column: str, mapped: FieldMap) -> list[FoundField]:
        found = []
        for name in mapped.fields:
            try:
                field = self._site.fields.value_field(name, source=source, used_for=column)
            except MappingError:
                if not mapped.is_optional or name in self._site.fields:
                    raise
                self._plan.missing.append(f"field “{name}” ({column})")
                continue
            self._plan.decoded[field.id] = field.decoded
            found.append(field)
        return found

    def _computed(self, name: str) -> Filler:
        self._plan.needs_history = True
        table: dict[str, Filler] = {
            CLOSED_AT: self._closed_filler(),
            REOPENED: lambda fields, stories: [told.reopened for told in stories],
            REASSIGNED: lambda fields, stories: [told.reassigned for told in stories],
        }
        return table[name]

    def _closed_filler(self) -> Filler:
        states = self._plan.states

        def closed(fields: Any, told: Story) -> str | None:
            if told.closed is not None:
                return told.closed
            status = fields.status
            is_final = status is not None and states.get(status.id) in ("closed", "cancelled")
            return fields.resolutiondate if is_final else None

        return lambda fields, stories: list(map(closed, fields, stories))

    def _state_filler(self) -> Filler:
        states = self._plan.states

        def state(fields: Any) -> str:
            status = fields.status
            if status is None:
                return "new"
            return states.get(status.id) or _state_of(status, None)

        return lambda fields, stories: list(map(state, fields))

    def _states(self, mapped: FieldMap | None) -> dict[str, str]:
        return {id: _state_of(status, mapped) for id, status in self._site.statuses.items()}

    # --- SLAs and surveys -------------------------------------------------------------------------------------

    def _clocks(self) -> None:
        for name, source in self._named(RecordKind.SLA):
            found = self._typed_field(name, source, SLA_TYPE)
            if found is None:
                continue
            fillers = [
                self._filler(name, RecordKind.SLA, column, source) for column in ("target", "agreement", "supplier")
            ]
            self._plan.clocks.append(ClockPlan(found.id, *fillers))
        if self._plan.clocks and RecordKind.TICKET in self._plan.where:
            self._plan.where[RecordKind.SLA] = self._plan.where[RecordKind.TICKET]

    def _surveys(self) -> None:
        for name, source in self._named(RecordKind.SURVEY):
            found = self._typed_field(name, source, FEEDBACK_TYPE)
            if found is None:
                continue
            self._plan.rating = found.id
            columns = [column for column in _columns(RecordKind.SURVEY) if column not in ("ticket_id", "score")]
            self._plan.survey = [(column, self._filler(name, RecordKind.SURVEY, column, source)) for column in columns]
            answered = source.fields.get("answered_at")
            if answered is not None and answered.fields and answered.fields[0] in self._site.fields:
                self._plan.survey_date = self._fields(name, "answered_at", answered)[0].id
            if RecordKind.TICKET in self._plan.where:
                self._plan.where[RecordKind.SURVEY] = self._plan.where[RecordKind.TICKET]

    def _typed_field(self, name: str, source: SourceMap, custom_type: str) -> FoundField | None:
        try:
            found = self._site.fields.typed_field(source.source, custom_type, source=name)
        except MappingError:
            if not self._is_default(name, source) or source.source in self._site.fields:
                raise
            self._plan.missing.append(f"field “{source.source}”")
            return None
        self._plan.decoded[found.id] = found.decoded
        return found


def _columns(kind: RecordKind) -> list[str]:
    return [column for column in SCHEMAS[kind].names if column not in FILLED]


def _either(conditions: Iterable[str]) -> str:
    found = list(conditions)
    return found[0] if len(found) == 1 else "(" + " OR ".join(f"({condition})" for condition in found) + ")"


def _state_of(status: StatusValue, mapped: FieldMap | None) -> str:
    """The canonical state of a status: by the mapping's names, else by its category."""
    if mapped is not None and status.name is not None and status.name.strip().casefold() in mapped.values:
        return str(mapped.translate(status.name))
    category = status.status_category.key if status.status_category is not None else None
    return _CATEGORY_STATE.get(category or "", "in_progress")


def _always(value: Any) -> Filler:
    return lambda fields, stories: [value] * len(fields)


def _translating(
    read: Callable[[Sequence[Any]], list[str | None]], mapped: FieldMap, kind: RecordKind, column: str, blank: Any
) -> Filler:
    """Read texts and make them canonical values; each distinct text is translated once."""
    if _is_time(kind, column) or (pa.types.is_string(SCHEMAS[kind].field(column).type) and _is_plain(mapped)):
        if blank is None:
            return lambda fields, stories: read(fields)
        return lambda fields, stories: [text or blank for text in read(fields)]
    known: dict[str | None, Any] = {None: blank}

    def fill(fields: Sequence[Any], stories: Sequence[Story]) -> list[Any]:
        found = read(fields)
        for text in set(found) - known.keys():
            known[text] = _coerced(mapped.translate(text), kind, column)
        return [known[text] for text in found]

    return fill


def _is_plain(mapped: FieldMap) -> bool:
    return not mapped.values and not mapped.has_otherwise


def _is_time(kind: RecordKind, column: str) -> bool:
    return bool(pa.types.is_timestamp(SCHEMAS[kind].field(column).type))


def _coerced(value: Any, kind: RecordKind, column: str) -> Any:
    """A mapped value as its column wants it; :class:`UnreadableError` when it cannot be."""
    wanted = SCHEMAS[kind].field(column).type
    if value is None:
        return _BLANK.get(column)
    try:
        if pa.types.is_boolean(wanted):
            return _as_bool(value)
        if pa.types.is_integer(wanted):
            return int(float(value))
        if pa.types.is_floating(wanted):
            return float(value)
    except ValueError:
        raise UnreadableError(column, f"“{value}” is not a {wanted}") from None
    return str(value)


def _as_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().casefold()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError(text)
