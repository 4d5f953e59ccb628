"""People move a record of Continual Improvement Management; what comes home must be what stands there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import requests

from bench.faults.desks import Desk, Desks
from bench.faults.flow_traps import FlowTrap
from bench.faults.places import asked, outbound, world
from bench.faults.writing import shown
from connectors.base import Connector
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.servicenow.cim import state_value
from connectors.sandbox.testing import RunningSandbox
from improvement.records import PlatformState, RecordRef, Verb

REGISTER, APPROVER, TASK = "sn_cim_register", "sysapproval_approver", "sn_cim_task"
CLOSED_COMPLETE, OVER = "3", ("3", "4", "7")


@dataclass(frozen=True, slots=True)
class Flow:
    """One record, its owner and its approver."""

    running: RunningSandbox
    flavour: Flavour
    connector: Connector
    ref: RecordRef
    owner: str
    approver: str

    def do(self, step: str) -> None:
        """One step of :data:`STEPS`."""
        STEPS[step](self)

    def move(self, label: str, **values: str) -> None:
        """The owner pushes the button to a state."""
        self._as(self.owner, "PATCH", f"/{REGISTER}/{self.ref.id}", json={"state": state_value(label), **values})

    def accept(self) -> None:
        """Accepted, with what the button demands."""
        user = self._one("sys_user", f"user_name={self.owner}")
        self.move("Accepted", coordinator=user, strategic_objective=self._one("sn_cim_strategic_objective", ""))

    def assess(self) -> None:
        """Approval is requested of one approver, in a group of their own."""
        group = self._made("sys_user_group", name=f"Approvers of {self.ref.number}")
        self._made("sys_user_grmember", user=self._one("sys_user", f"user_name={self.approver}"), group=group)
        self.move("Assess", approver_group=group)

    def answer(self, state: str) -> None:
        """The approver decides."""
        row = self._one(APPROVER, f"document_id={self.ref.id}^state=requested")
        self._as(self.approver, "PATCH", f"/{APPROVER}/{row}", json={"state": state})

    def lapse(self) -> None:
        """Nobody answers for two weeks."""
        self.running.set_clock(self.running.clock() + timedelta(days=14))

    def note(self) -> None:
        """We write a note, which sets a rule off."""
        self.connector.write(outbound(Verb.NOTE, self.ref.number, "note/1", text="Improved."), self.ref)

    def task(self) -> None:
        """We add a task."""
        fields = {"title": f"Step {len(self.tasks()) + 1}"}
        self.connector.write(outbound(Verb.TASK, self.ref.number, fields["title"], fields=fields), self.ref)

    def close_a_task(self) -> None:
        """The owner has done the first one."""
        task = self._one(TASK, f"cim_register={self.ref.id}^ORDERBYnumber")
        self._as(self.owner, "PATCH", f"/{TASK}/{task}", json={"state": CLOSED_COMPLETE})

    def delete(self) -> None:
        """An administrator deletes the record."""
        self._as("admin", "DELETE", f"/{REGISTER}/{self.ref.id}")

    def tasks(self) -> list[tuple[str, bool]]:
        """Title of each task and whether it is over, by plain HTTP."""
        asking = {"sysparm_query": f"cim_register={self.ref.id}", "sysparm_fields": "short_description,state"}
        rows = asked(self.running, self.flavour, "GET", f"/api/now/table/{TASK}", params=asking)["result"]
        return sorted((row["short_description"], row["state"] in OVER) for row in rows)

    def approvals(self) -> list[tuple[str, str]]:
        """Approver and answer of each row, by plain HTTP."""
        asking = {"sysparm_query": f"document_id={self.ref.id}", "sysparm_fields": "approver.user_name,state"}
        rows = asked(self.running, self.flavour, "GET", f"/api/now/table/{APPROVER}", params=asking)["result"]
        return sorted((row["approver.user_name"], row["state"]) for row in rows)

    def _one(self, table: str, query: str) -> str:
        asking = {"sysparm_query": query, "sysparm_limit": "1"}
        rows = asked(self.running, self.flavour, "GET", f"/api/now/table/{table}", params=asking)["result"]
        return str(rows[0]["sys_id"])

    def _made(self, table: str, **values: str) -> str:
        made = asked(self.running, self.flavour, "POST", f"/api/now/table/{table}", json=values)
        return str(made["result"]["sys_id"])

    def _as(self, user: str, method: str, path: str, **options: Any) -> None:
        url = f"{self.running.urls[self.flavour]}/api/now/table{path}"
        requests.request(method, url, auth=(user, "sandbox"), timeout=60, **options).raise_for_status()


STEPS: dict[str, Callable[[Flow], None]] = {
    "accept": Flow.accept,
    "assess": Flow.assess,
    "assess again": lambda flow: flow.move("Assess", work_notes="The plan changed."),
    "approve": lambda flow: flow.answer("approved"),
    "reject": lambda flow: flow.answer("rejected"),
    "lapse": Flow.lapse,
    "wave through": lambda flow: flow.move("Approved"),
    "begin": lambda flow: flow.move("In Progress"),
    "review": lambda flow: flow.move("Monitor/Review"),
    "note": Flow.note,
    "task": Flow.task,
    "close a task": Flow.close_a_task,
    "delete": Flow.delete,
}


def flow_cell(trap: FlowTrap, desks: Desks) -> str:
    """ "" where state, tasks and approvals come home as they stand; else what is wrong."""
    with desks.at("servicenow") as desk, desk.trapped(**trap.options):
        try:
            flow = _begun(desk)
            for step in trap.steps:
                flow.do(step)
            with desk.trapped(*trap.rules):
                (found,) = desk.connector.states([flow.ref])
            return _compared(trap, found, flow)
        except Exception as error:  # whatever a connector raises makes its cell red
            return shown(error)


def _begun(desk: Desk) -> Flow:
    owner, approver = (
        next(person.username for person in world(desk.flavour).people if role in person.roles)
        for role in ("owner", "approver")
    )
    create = outbound(Verb.CREATE, desk.story().action, "create", fields={"title": "Fewer"})
    ref = desk.connector.write(create, None).ref
    return Flow(desk.running, desk.flavour, desk.connector, ref, owner, approver)


def _compared(trap: FlowTrap, found: PlatformState, flow: Flow) -> str:
    if found.is_missing or not trap.state:
        return "" if found.is_missing and not trap.state else f"missing: {found.is_missing}"
    tasks = sorted((task.title, task.is_done) for task in found.tasks)
    if tasks != flow.tasks():
        return f"tasks here {tasks}, there {flow.tasks()}"
    home = sorted((approval.approver, approval.state) for approval in found.approvals)
    if home != flow.approvals():
        return f"approvals here {home}, there {flow.approvals()}"
    if (found.state, tuple(sorted(state for _, state in home))) != (trap.state, trap.answers):
        return f"it is {found.state} with {home}, not {trap.state} with {trap.answers}"
    by_people = found.state_changed_by in (None, flow.owner, flow.approver, "system")
    return "" if by_people else f"{found.state_changed_by} passes for whoever moved it"
