"""What people do with a record of Continual Improvement Management, as a table, and what must come home of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.faults.kinds import TABLES
from bench.faults.traps import Rule
from connectors.sandbox.servicenow.cim import state_value


@dataclass(frozen=True, slots=True)
class FlowTrap:
    """``steps`` are those of :mod:`bench.faults.flowing`; ``rules`` act while the record is read.

    ``state`` is "" where nothing is left of the record.
    """

    name: str
    steps: tuple[str, ...]
    state: str
    answers: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()


_STATE = f"{TABLES['cim']}.state"
READING: tuple[Rule, ...] = (
    {"kind": "cut_body", "method": "GET", "path": "/table/(sysapproval_approver|sys_audit)", "times": 2},
    {"kind": "reset_after", "method": "GET", "path": "/table/sn_cim_register"},
    {"kind": "unavailable", "method": "GET", "path": "/table/sys_", "seconds": 0, "after": 1},
)
FLOW: tuple[FlowTrap, ...] = (
    FlowTrap("asked", ("accept", "assess"), "assess", ("requested",)),
    FlowTrap("approved", ("accept", "assess", "approve"), "approved", ("approved",)),
    FlowTrap("approved, read on a bad day", ("accept", "assess", "approve"), "approved", ("approved",), rules=READING),
    FlowTrap("rejected", ("accept", "assess", "reject"), "accepted", ("rejected",)),
    FlowTrap("lapsed", ("accept", "assess", "lapse"), "assess", ("cancelled",)),
    FlowTrap("approved again", ("accept", "assess", "approve", "assess again"), "assess", ("approved", "requested")),
    FlowTrap("approvals off", ("accept", "assess", "wave through"), "approved", options={"need_approval": False}),
    FlowTrap("begun and in review", ("accept", "assess", "approve", "begin", "review"), "review", ("approved",)),
    FlowTrap("task added after approval", ("accept", "assess", "approve", "task"), "approved", ("approved",)),
    FlowTrap(
        "tasks done, and put off",
        ("task", "task", "accept", "assess", "approve", "begin", "close a task", "task"),
        "in_progress",
        ("approved",),
    ),
    FlowTrap("deleted", ("task", "accept", "assess", "delete"), ""),
    FlowTrap(
        "states renamed",
        ("accept", "assess", "approve", "begin", "review"),
        "review",
        ("approved",),
        options={"renamed_choices": {_STATE: {state_value("Monitor/Review"): "Review"}}},
    ),
    FlowTrap(
        "the audit denied",
        ("accept", "assess", "approve", "begin"),
        "in_progress",
        ("approved",),
        options={"denied": {"regelkreis": ["sys_audit:read"]}},
    ),
    FlowTrap(
        "moved by a rule",
        ("note",),
        "in_progress",
        options={"rules": [{"table": TABLES["cim"], "effect": "move", "to": "In Progress"}]},
    ),
)
