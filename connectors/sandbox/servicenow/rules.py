"""Business rules, data policies, read-only fields and retired choices that an instance has grown over the years.

A rule is a mapping: ``table``; ``effect`` (``reject``, ``data_policy``, ``acl``, ``change`` or ``move``); ``name``;
``when`` (field → value that the write must carry, empty: always); ``message``; ``set`` (field → value, for ``change``);
``to`` (label of a state of the improvement register, for ``move``). Rules act on writes of everybody but
administrators, and in their name: a business rule runs in the session of whoever writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from connectors.sandbox.servicenow.errors import ApiError, acl, business_rule, data_policy
from connectors.sandbox.servicenow.instance import Instance
from connectors.sandbox.users import Account

Rule = Mapping[str, Any]

_REFUSALS: dict[str, Callable[[Rule, str], ApiError]] = {
    "reject": lambda rule, sys_id: business_rule(
        rule["table"], rule.get("name", "Sandbox rule"), sys_id, rule.get("message", "Not allowed")
    ),
    "data_policy": lambda rule, sys_id: data_policy(rule.get("message", "Short description")),
    "acl": lambda rule, sys_id: acl("Update" if sys_id else "Insert"),
}


def applied(instance: Instance, account: Account, table: str, values: dict[str, str], *, sys_id: str = "") -> None:
    """Refuse or change the values of a write as the table's rules say. Raises :class:`ApiError`."""
    if account.is_admin:
        return
    for rule in instance.config.rules:
        if not _fits(rule, table, values):
            continue
        refusal = _REFUSALS.get(rule["effect"])
        if refusal is not None:
            raise refusal(rule, sys_id)
        values.update(rule.get("set", {}))


def moved_to(instance: Instance, account: Account, table: str, values: Mapping[str, str]) -> str | None:
    """The state, by its label, that a rule moves the record to once it is written; None where none does."""
    fitting = (rule for rule in instance.config.rules if rule["effect"] == "move" and _fits(rule, table, values))
    return None if account.is_admin else next((rule["to"] for rule in fitting), None)


def _fits(rule: Rule, table: str, values: Mapping[str, str]) -> bool:
    return bool(rule["table"] == table and all(values.get(name) == value for name, value in _when(rule)))


def _when(rule: Rule) -> Iterable[tuple[str, str]]:
    conditions: Mapping[str, str] = rule.get("when", {})
    return conditions.items()


def is_dropped(instance: Instance, table: str, column: str, value: str) -> bool:
    """Whether a value vanishes silently: its column was made read-only, or its choice retired."""
    config = instance.config
    return column in config.read_only_fields.get(table, ()) or value in config.retired_choices.get(
        f"{table}.{column}", ()
    )
