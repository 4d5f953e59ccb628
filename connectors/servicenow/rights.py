"""The tables an instance must let us read and write, per kind that is pulled and per write-back mode.

Tables come from the mapping: those of its sources, and those its dot-walks lead through, by the instance's dictionary
where we may read it, else by how an ordinary instance is built. Role names are those of ServiceNow's own documentation:
*ITSM Roles* (com.snc.itsm.roles) and *Granular admin roles for Audit tables*; a custom role with read access controls
on the same tables is always less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from connectors.answers import Declined
from connectors.base import Finding
from connectors.config import ConnectionConfig
from connectors.mapping import PlatformMapping, SourceMap
from connectors.rights import EVERYTHING, Right
from connectors.servicenow import batching, filters
from connectors.servicenow.deletions import LOG
from connectors.servicenow.describing import LOGGED, NOT_THERE, TRACED
from connectors.servicenow.measured import DEFINITIONS, MEASURED
from connectors.servicenow.plan import learn
from connectors.servicenow.records import Mode, mode_named, modes_in_order
from connectors.servicenow.surveys import METRICS, RESULTS
from connectors.servicenow.tables import Instance
from improvement.errors import ConnectionFailed, MappingError, PermissionMissing, RegelkreisError, ShutOut
from improvement.records import RecordKind

Walk = Callable[[str, str], list[str]]  # table, path → the tables behind it

ACL = "a read access control, in a role of its own"
AUDIT = "audit_viewer"
LEAST: dict[str, str] = {
    "incident": "sn_incident_read",
    "problem": "sn_problem_read",
    "change_request": "sn_change_read",
    "sys_audit": AUDIT,
    "sys_journal_field": AUDIT,
}
#: Where a reference leads on an ordinary instance.
USUAL: dict[str, str] = {
    "company": "core_company",
    "account": "customer_account",
    "vendor": "core_company",
    "location": "cmn_location",
    "business_service": "cmdb_ci_service",
    "service_offering": "service_offering",
    "cmdb_ci": "cmdb_ci",
    "assignment_group": "sys_user_group",
    "caller_id": "sys_user",
    "opened_by": "sys_user",
    "opened_for": "sys_user",
    "requested_for": "sys_user",
    "requested_by": "sys_user",
    "sla": "contract_sla",
    "task": "task",
    "metric_type": "asmt_metric_type",
}
ALWAYS: tuple[tuple[str, str, str], ...] = (
    ("sys_user", "who we are and in which time zone: our own row, user_name and time_zone", ""),
    ("sys_dictionary", "which fields there are: no name is used in a filter that was not verified here", ""),
    ("sys_db_object", "which table extends which", ""),
    ("sys_choice", "labels of stored values", ""),
    ("sys_properties", "the instance's build, for the report", "the version is not shown"),
    ("sys_user_has_role", "our own roles, to tell which write mode is possible", "a mode is told by trying to read it"),
)
_LOST = "waiting for customers is told by the other, or stays unattributed"
WAITING: dict[str, tuple[str, str]] = {
    "sys_audit": ("when tickets were on hold, and for whom", _LOST),
    DEFINITIONS: ("the same where the audit tells nothing: whether states and reasons are measured", _LOST),
    MEASURED: ("what was measured", _LOST),
}
WRITES: dict[str, str] = {
    "cim": "the improvement record",
    "custom": "the improvement record, every field that has a column",
    "problem": "the improvement record as a problem",
    "task_min": "the improvement record as a plain task",
}


def rights(instance: Instance, mapping: PlatformMapping) -> list[Right]:
    """Every right, in the order in which they are needed."""
    enabled = [source for source in mapping.sources.values() if source.is_enabled]
    walk = _walk_of(instance, enabled)
    found = [_access(), *(_read(EVERYTHING, table, why, without) for table, why, without in ALWAYS)]
    for kind in mapping.kinds():
        found += _pull(kind, mapping.of_kind(kind), walk)
    found.append(_read("deletions", LOG, "which records were deleted", "deletions are found by listing all keys"))
    if RecordKind.TICKET in mapping.kinds():
        found += [_read("whose minutes", table, *why) for table, why in WAITING.items()]
    for name in modes_in_order(instance.config):
        mode = mode_named(name, instance.config)
        if mode is not None:
            found += _write(mode, instance.config)
    return _merged(found)


def ungranted(instance: Instance, mapping: PlatformMapping) -> list[Finding]:
    """Tables behind the mapped ones that cannot be read: the platform leaves their values empty without a word."""
    own = {source.source for source in mapping.sources.values()}
    found = []
    looked_at: set[str] = {*own, *TRACED, *LOGGED, *WAITING}
    for right in rights(instance, mapping):
        is_table = right.where.replace("_", "").isalnum()
        if right.where in looked_at or not is_table or right.use.startswith("write") or right.operations != ("read",):
            continue
        looked_at.add(right.where)
        try:
            instance.rows(right.where, "", ["sys_id"], limit=1)
        except ShutOut:
            raise
        except ConnectionFailed as error:
            found.append(_refused(right, error.what, _mend(error, right)))
    return found


def _mend(error: ConnectionFailed, right: Right) -> str:
    if isinstance(error, PermissionMissing):
        return f"Give the integration user {right.least}."
    if isinstance(error, Declined) and error.status in NOT_THERE:
        return f"If this instance has no table {right.where}, map what it gives from another field."
    return error.mend


def _refused(right: Right, what: str, mend: str) -> Finding:
    lost = right.without or f"without it is missing: {right.why}"
    return Finding(
        check=f"permission {right.where}",
        is_ok=right.is_optional,
        detail=f"{what} {lost[:1].upper()}{lost[1:]}",
        mend="" if right.is_optional else mend,
    )


def _access() -> Right:
    return Right(
        use=EVERYTHING,
        where="/api/now/table, /api/now/stats",
        operations=("read",),
        least="snc_platform_rest_api_access",
        why="the REST API itself, where the instance guards it by this role; counts come from /api/now/stats",
    )


def _read(use: str, table: str, why: str, without: str = "") -> Right:
    return Right(use=use, where=table, operations=("read",), least=LEAST.get(table, ACL), why=why, without=without)


def _pull(kind: RecordKind, sources: Iterable[SourceMap], walk: Walk) -> list[Right]:
    use = f"pull {kind.value}s"
    found: list[Right] = []
    for source in sources:
        own = sorted({path.split(".")[0] for path in source.paths()} | {"sys_id", "sys_updated_on"})
        found.append(_read(use, source.source, f"fields {', '.join(own)}"))
        behind: dict[str, list[str]] = {}
        for path in source.paths():
            for table in walk(source.source, path):
                behind.setdefault(table, []).append(path)
        for table, paths in behind.items():
            found.append(_read(use, table, f"what {', '.join(sorted(set(paths)))} says"))
        for start, path in filters.walks(source.filter, source.source):
            for table in walk(start, path):
                if table not in behind:
                    found.append(_read(use, table, f"the filter: {path}"))
    if kind is RecordKind.SURVEY:
        found.append(_read(use, RESULTS, "the answers: instance, metric, actual_value"))
        found.append(_read(use, METRICS, "the scale of each question: min, max"))
    return found


def _write(mode: Mode, config: ConnectionConfig) -> list[Right]:
    use = f"write {mode.name}"
    role = mode.roles[0] if mode.roles else "create and write access controls, in a role of its own"
    columns = ", ".join(sorted({names[0] for names in mode.columns.values()} | {"correlation_id", "work_notes"}))
    found = [
        Right(
            use=use,
            where=mode.table,
            operations=("read", "create", "update"),
            least=role,
            why=f"{WRITES[mode.name]}: {columns}. state is never written",
        )
    ]
    if mode.task_table is not None:
        task_role = mode.roles[1] if mode.name == "cim" else role
        found.append(_create(use, mode.task_table, task_role, "tasks of an action"))
    if mode.link_table is not None and config.links_triggers:
        found.append(_create(use, mode.link_table, role, "links to the tickets that triggered it"))
        found.append(
            Right(
                use=use,
                where=batching.API,
                operations=("create",),
                least="snc_platform_rest_api_access",
                why="the links of one record in one request, where the instance guards the Batch API by this role",
            )
        )
        found.append(_read(use, "task", "the class of a triggering ticket, for its link"))
    found.append(
        Right(
            use=use,
            where="sys_attachment (/api/now/attachment/file)",
            operations=("read", "create"),
            least=f"write on {mode.table}",
            why="the review record and its chart as files; whether one is there already",
        )
    )
    found += [_read(use, table, _traced(table), lost) for table, lost in TRACED.items() if table != "sys_attachment"]
    found.append(_read(use, "sys_user", "people by user_name: the owner, who commented and approved"))
    if mode.name == "cim":
        found.append(_read(use, "sys_user_group", "the approver group by its name", "it is not shown here"))
        without = "strategies are not shown here"
        found.append(_read(use, "sn_cim_strategic_objective", "the strategies by their names", without))
    if any("business_service" in names for names in mode.columns.values()):
        found.append(_read(use, "cmdb_ci_service", "the service by its name"))
        without = "an offering is written without its service"
        found.append(_read(use, "service_offering", "the service that an offering belongs to", without))
    return found


def _create(use: str, table: str, least: str, why: str) -> Right:
    return Right(use=use, where=table, operations=("read", "create"), least=least, why=why)


def _traced(table: str) -> str:
    return {
        "sys_journal_field": "notes: our own, so that none is written twice, and those of people",
        "sysapproval_approver": "approvals as the platform holds them",
        "sys_audit": "who changed which field of our records",
    }[table]


def _walk_of(instance: Instance, sources: list[SourceMap]) -> Walk:
    """By the instance's dictionary; where we may not read that yet, by how instances usually are."""
    try:
        learn(instance, sources)
        is_known = bool(sources) and any(instance.known(source.source) for source in sources)
    except RegelkreisError:
        is_known = False

    def by_dictionary(table: str, path: str) -> list[str]:
        try:
            return [step for step, _ in instance.steps(table, path, used_for="")[1:]]
        except MappingError:
            return []  # nothing is read where there is nothing; the report tells it
        except RegelkreisError:
            return usually(table, path)

    def usually(table: str, path: str) -> list[str]:
        return [USUAL.get(part, f"the table that {part} refers to") for part in path.split(".")[:-1]]

    return by_dictionary if is_known else usually


def _merged(rights: list[Right]) -> list[Right]:
    """One line for each use and table."""
    merged: dict[tuple[str, str], Right] = {}
    for right in rights:
        key = (right.use, right.where)
        before = merged.get(key)
        if before is None:
            merged[key] = right
        elif right.why not in before.why:
            merged[key] = Right(
                use=right.use, where=right.where, operations=before.operations, least=before.least,
                why=f"{before.why}; {right.why}", without=before.without if right.without else "",
            )  # fmt: skip
    return list(merged.values())
