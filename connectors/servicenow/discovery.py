"""Asking an instance for its fields: the dictionary for names, one bounded list request a table for values.

Candidates are columns whose element or label sounds like a canonical field, on the table itself and on tables that
its references lead to, at most two references away. Their values are read by dot-walk, as stored, newest records first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from connectors.answers import Declined, TooHeavy
from connectors.discovery.sampling import Candidate, SourceSample
from connectors.discovery.words import LOOKED_FOR, fit, may_mean
from connectors.mapping import PlatformMapping, SourceMap
from connectors.servicenow.describing import NOT_THERE
from connectors.servicenow.filters import groups
from connectors.servicenow.plan import checks, learn
from connectors.servicenow.tables import Answer, Column, Instance, Row, parameters, texts
from improvement.errors import RegelkreisError
from improvement.records import RecordKind

ROWS_PER_REQUEST, FEWEST_ROWS = 1_000, 50
NEWEST_FIRST = "ORDERBYDESCsys_created_on"
MAX_PATHS = 60  # dot-walks of one request: far from what an instance takes long for
DEEPEST = 2  # references on the way
VALUES = frozenset({"string", "choice", "integer", "translated_text", "translated_field", "user_input", "country"})
PEOPLE = frozenset({"sys_user", "sys_user_group"})
NAMES = ("name", "number", "user_name")  # what shows a record, in this order


@dataclass(frozen=True, slots=True)
class _Path:
    """A dot-walked path with what the dictionary says about its last meaningful part."""

    path: str
    column: Column
    hops: int
    target: str = ""


def discover(instance: Instance, mapping: PlatformMapping, *, sample: int) -> list[SourceSample]:
    """A sample of every enabled source. A table that is not there, or not shown, says so and stops nothing."""
    found = []
    enabled = {name: source for name, source in mapping.sources.items() if source.is_enabled}
    learn(instance, list(enabled.values()))
    for name, source in enabled.items():
        try:
            instance.columns(source.source)
            found.append(_sampled(instance, name, source, sample))
        except RegelkreisError as error:
            is_absent = isinstance(error, Declined) and error.status in NOT_THERE
            found.append(
                SourceSample(
                    name=name,
                    kind=source.kind,
                    source=source.source,
                    problem=error.what,
                    mend=error.mend,
                    is_absent=is_absent,
                )
            )
    return found


def _sampled(instance: Instance, name: str, source: SourceMap, sample: int) -> SourceSample:
    resolved: dict[str, list[tuple[str, str]]] = {}
    wrong: dict[str, str] = {}
    is_filter_known = True
    for check in checks(instance, source):
        if check.error is not None:
            wrong[check.path] = check.error.what
            is_filter_known = is_filter_known and check.name != "filter"
        elif check.name != "filter":
            resolved[check.path] = check.steps
    mapped = {path: _of_steps(instance, path, steps) for path, steps in resolved.items()}
    paths = mapped | {one.path: one for one in _candidates(instance, source) if one.path not in mapped}
    condition = source.filter if is_filter_known else ""  # an unknown field in it would mean the whole table
    total = instance.count(source.source, condition)
    rows = _rows(instance, source.source, condition, list(paths), sample=sample, total=total)
    translated = [path for item in source.fields.values() if item.values for path in item.fields if "." not in path]
    choices = instance.choices(source.source, f"^elementIN{','.join(translated)}") if translated else {}
    return SourceSample(
        name=name,
        kind=source.kind,
        source=source.source,
        rows=len(rows),
        total=total,
        candidates=tuple(_with_values(one, rows) for one in paths.values()),
        wrong=wrong,
        choices=choices,
    )


def _with_values(one: _Path, rows: Sequence[Row]) -> Candidate:
    return Candidate(
        path=one.path,
        label=one.column.label,
        type=one.column.type,
        names=(one.column.element, one.column.label),
        hops=one.hops,
        texts=tuple(row.get(one.path) or None for row in rows),
    )


def _of_steps(instance: Instance, path: str, steps: Sequence[tuple[str, str]]) -> _Path:
    """A mapped path; what it means is told by its last part, or by the reference before a mere name."""
    known = [instance.known(table).get(element) for table, element in steps]
    columns = [column for column in known if column is not None]
    meant = columns[-2] if len(columns) > 1 and columns[-1].element in NAMES else columns[-1] if columns else None
    return _Path(path, meant or Column(path, path, "", ""), len(steps) - 1)


# --- candidates ---------------------------------------------------------------------------------------------------


def _candidates(instance: Instance, source: SourceMap) -> list[_Path]:
    """Paths whose last meaningful part sounds like a field that is looked for, nearest first."""
    wanted = LOOKED_FOR.get(source.kind, ())
    if not wanted:
        return []
    found: list[_Path] = []
    level = [_Path("", Column("", "", "", source.source), 0, source.source)]
    for hops in range(DEEPEST + 1):
        instance.learn(one.target for one in level)
        following: list[_Path] = []
        for one in level:
            for step in _steps_from(instance, one, hops):
                if any(fit(field, (step.column.element, step.column.label)) for field in wanted):
                    found += _readable(instance, step)
                if step.target and _leads_on(instance, step, hops):
                    following.append(step)
        level = following
    suited = [one for one in found if _suits(one, source.kind)]
    return sorted(suited, key=lambda one: (one.hops, one.path))[:MAX_PATHS]


def _steps_from(instance: Instance, one: _Path, hops: int) -> Iterator[_Path]:
    prefix = f"{one.path}." if one.path else ""
    for column in instance.known(one.target).values():
        if not column.element.startswith("sys_") or column.element == "sys_domain":
            yield _Path(prefix + column.element, column, hops, column.reference)


def _readable(instance: Instance, step: _Path) -> Iterator[_Path]:
    """A plain column as it is; a reference by the column that names the record it points to."""
    if not step.target:
        if step.column.type in VALUES:
            yield step
        return
    if step.target == "sys_user":
        return  # a person is neither customer nor supplier
    instance.learn([step.target])
    name = next((name for name in NAMES if name in instance.known(step.target)), None)
    if name is not None:
        yield _Path(f"{step.path}.{name}", step.column, step.hops + 1, step.target)


def _leads_on(instance: Instance, step: _Path, hops: int) -> bool:
    """Whether a reference may lead to a company, a place or a service: not from ticket to ticket, not in circles."""
    if hops >= DEEPEST or "task" in instance.lineage(step.target):
        return False
    if hops and not may_mean((step.column.element, step.column.label)) and step.column.element != "location":
        return False
    return step.column.element not in ("parent", "assigned_to", "closed_by", "resolved_by", "manager")


def _suits(one: _Path, kind: RecordKind) -> bool:
    """Groups only where a group is looked for; a person's own text fields are no attribute of the ticket."""
    is_group = one.target == "sys_user_group"
    return not is_group or fit("assignment_group", (one.column.element, one.column.label)) > 0


# --- values -------------------------------------------------------------------------------------------------------


def _rows(
    instance: Instance, table: str, condition: str, paths: Sequence[str], *, sample: int, total: int
) -> list[Row]:
    """The newest records, up to ``sample``, in as few requests as it takes; fewer rows at once where it takes too long.

    Rows hidden from us do not come, so a short page is not the last.
    """
    query = "^NQ".join(
        f"{group}^ORDERBYDESCsys_created_on" if group else "ORDERBYDESCsys_created_on" for group in groups(condition)
    )
    rows: list[Row] = []
    offset, at_once = 0, ROWS_PER_REQUEST
    while offset < min(sample, total):
        limit = min(at_once, sample - offset)
        try:
            response = instance.reader.read_page(
                f"/api/now/table/{table}",
                what=f"a sample of {table}",
                params={**parameters(query, paths, limit), "sysparm_offset": str(offset)},
                check=instance.check,
            )
        except TooHeavy:
            if limit <= FEWEST_ROWS:
                raise
            at_once = max(limit // 2, FEWEST_ROWS)
            continue
        rows += [texts(row) for row in msgspec.json.decode(response.content, type=Answer).result or ()]
        offset += limit
    return rows
