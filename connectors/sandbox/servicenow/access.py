"""Who may read and write what: roles, table rights, field rights, and rows hidden from a user.

A row that an access control hides is taken out *after* the page was cut, so a page may be short or empty and not
the last: as on an instance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from connectors.sandbox.query import parse
from connectors.sandbox.servicenow.instance import Instance
from connectors.sandbox.servicenow.matching import Asker, condition_test
from connectors.sandbox.store import Row, Table
from connectors.sandbox.users import Account

ROLES: dict[str, tuple[str, ...]] = {
    "admin": ("admin",),
    "integration": (
        "itil_reader",
        "sn_cim.improvement_requester",
        "sn_cim.improvement_coordinator",
        "problem_coordinator",
    ),
    "reader": ("itil_reader",),
    "owner": ("itil", "sn_cim.improvement_requester", "sn_cim.improvement_coordinator"),
    "approver": ("itil_reader", "approver_user", "sn_cim.improvement_manager"),
    "agent": ("itil",),
}
IMPROVEMENT_TABLES = frozenset({"sn_cim_register", "sn_cim_task", "sn_cim_inbound_m2m", "sn_cim_related_kpi"})
PROCESS_TABLES = frozenset(
    {
        "incident",
        "sc_req_item",
        "sc_request",
        "problem",
        "problem_task",
        "change_request",
        "task",
        "interaction",
        "cmdb_ci_outage",
    }
)
FALLBACK_TABLES = frozenset({"problem", "problem_task", "task", "u_improvement_action"})
AUDIT_TABLES = frozenset({"sys_audit", "sys_audit_delete", "sys_user_has_role", "sla_repair_log_entry"})

#: What hangs on records → the columns that name its table and its record.
BESIDE = {"sys_attachment": ("table_name", "table_sys_id"), "sys_journal_field": ("name", "element_id")}
WRITABLE: dict[str, frozenset[str]] = {
    "integration": IMPROVEMENT_TABLES | FALLBACK_TABLES,
    "owner": IMPROVEMENT_TABLES | PROCESS_TABLES | {"u_improvement_action", "sn_cim_strategic_objective"},
    "approver": IMPROVEMENT_TABLES,
    "agent": PROCESS_TABLES,
}
DELETABLE: dict[str, frozenset[str]] = {"integration": frozenset({"sn_cim_inbound_m2m"})}
CIM_PEOPLE = frozenset({"admin", "owner", "approver"})


def may_read(instance: Instance, account: Account, table: str) -> bool:
    """Whether the user may query the table at all."""
    if _is_denied(instance, account, table, "read"):
        return False
    return table not in AUDIT_TABLES or bool(account.roles & {"admin", "integration"})


def may_write(instance: Instance, account: Account, table: str) -> bool:
    """Whether the user may create and change records of the table."""
    if _is_denied(instance, account, table, "write"):
        return False
    return account.is_admin or any(table in WRITABLE.get(role, ()) for role in account.roles)


def may_delete(instance: Instance, account: Account, table: str) -> bool:
    """Whether the user may delete records of the table."""
    if _is_denied(instance, account, table, "write"):
        return False
    return account.is_admin or any(table in DELETABLE.get(role, ()) for role in account.roles)


def may_move_state(account: Account) -> bool:
    """Whether the user has the form's buttons of Continual Improvement Management (integration users have not)."""
    return bool(account.roles & CIM_PEOPLE)


def visible(instance: Instance, account: Account, table: Table, asker: Asker) -> Callable[[Row], bool] | None:
    """The test a row must pass to be shown to this user; None where all are."""
    config = instance.config
    if account.is_admin or not (config.hidden_rows.get(account.username) or config.denied.get(account.username)):
        return None
    beside = _visible_beside(instance, account, table, asker) if table.name in BESIDE else None
    hidden = config.hidden_rows.get(account.username, {}).get(table.name)
    if not hidden:
        return beside
    groups = [
        [
            [test for condition in alternatives if (test := condition_test(instance, table.name, condition, asker))]
            for alternatives in group
        ]
        for group in parse(hidden).groups
    ]

    def is_shown(row: Row) -> bool:
        is_hidden = any(all(any(test(row) for test in tests) for tests in group) for group in groups)
        return not is_hidden and (beside is None or beside(row))

    return is_shown


def _visible_beside(instance: Instance, account: Account, table: Table, asker: Asker) -> Callable[[Row], bool]:
    """What hangs on a record is shown to whom the record is."""
    named, key = (table.position[name] for name in BESIDE[table.name])

    def is_shown(row: Row) -> bool:
        name = row[named]
        found = instance.find(name, row[key]) if instance.has_table(name) else None
        if found is None or not may_read(instance, account, name):
            return False
        test = visible(instance, account, found[0], asker)
        return test is None or test(found[1])

    return is_shown


def hidden_fields(instance: Instance, account: Account, table: str, paths: Iterable[str]) -> frozenset[str]:
    """Those of these (dot-walked) fields that the user must not read: records come without them."""
    denied = {name.removesuffix(":read") for name in instance.config.denied.get(account.username, ()) if "." in name}
    if not denied or account.is_admin:
        return frozenset()
    return frozenset(path for path in paths if not denied.isdisjoint(_columns(instance, table, path)))


def _columns(instance: Instance, table: str, path: str) -> Iterator[str]:
    """The columns that a path goes through, each also as one of the tables that its own extends."""
    for element in path.split("."):
        column = instance.schema.column(table, element) if table in instance.tables else None
        if column is None:
            return
        yield from (f"{name}.{element}" for name in instance.schema.lineage(table))
        table = column.reference


def platform_roles(account: Account) -> tuple[str, ...]:
    """The account's roles as the platform names them."""
    return tuple(dict.fromkeys(name for role in sorted(account.roles) for name in ROLES.get(role, ())))


def _is_denied(instance: Instance, account: Account, table: str, operation: str) -> bool:
    denied = instance.config.denied.get(account.username, ())
    return table in denied or f"{table}:{operation}" in denied
