"""People at work in ServiceNow: Continual Improvement Management as its form and buttons would do it."""

from __future__ import annotations

from datetime import date
from typing import Any

from improvement.errors import Place, WriteRefused
from workflows.demo.desks import Browser

REGISTER, TASK, APPROVAL = "sn_cim_register", "sn_cim_task", "sysapproval_approver"
OBJECTIVE = "sn_cim_strategic_objective"
Record = dict[str, Any]

STRATEGY = "Reliable operations"


class ServiceNowDesk:
    """Every person with their own session, by user name."""

    has_approvals = True

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._browsers: dict[str, Browser] = {}
        self._choices: dict[tuple[str, str], dict[str, str]] = {}
        self._columns: dict[str, str] | None = None
        self._users: dict[str, str] = {}

    def take_over(self, record: str, owner: str, *, due: date) -> None:
        """Accept: the coordinator and a strategy are asked for."""
        found = self._record(record, owner)
        self._move(
            found,
            owner,
            "Accepted",
            {
                self._column(owner, "CIM Coordinator"): self._user(owner),
                self._column(owner, "Strategies"): self._strategy(owner),
                "due_date": due.isoformat(),
            },
        )

    def add_tasks(self, record: str, owner: str, titles: tuple[str, ...]) -> None:
        """A sn_cim_task each, before the approval (later ones stay Pending)."""
        parent = self._record(record, owner)["sys_id"]
        for title in titles:
            self._send(
                owner,
                "POST",
                TASK,
                body={"short_description": title, "cim_register": parent, "assigned_to": self._user(owner)},
            )

    def hand_in(self, record: str, owner: str, approver: str) -> None:
        """Assess: the approver group is asked for, and its approvals are requested."""
        found = self._record(record, owner)
        group = self._group_with(approver, owner)
        self._move(found, owner, "Assess", {self._column(owner, "Approver group"): group} if group else {})

    def approve(self, record: str, approver: str) -> bool:
        """Set the approver's own requested row to approved."""
        found = self._record(record, approver)
        rows = self._rows(
            approver,
            APPROVAL,
            f"sysapproval={found['sys_id']}^approver={self._user(approver)}^state=requested",
        )
        for row in rows:
            self._send(approver, "PATCH", APPROVAL, row["sys_id"], body={"state": "approved"})
        return bool(rows)

    def begin(self, record: str, owner: str) -> None:
        """In Progress."""
        self._move(self._record(record, owner), owner, "In Progress", {})

    def finish_tasks(self, record: str, owner: str) -> None:
        """Close every open task."""
        parent = self._record(record, owner)["sys_id"]
        done = self._choice(owner, TASK, "Closed Complete", default="3")
        for task in self._rows(owner, TASK, f"cim_register={parent}"):
            if task["state"] != done:
                self._send(owner, "PATCH", TASK, task["sys_id"], body={"state": done})

    def review(self, record: str, owner: str) -> None:
        """Monitor/Review."""
        self._move(self._record(record, owner), owner, "Monitor/Review", {})

    def comment(self, record: str, person: str, text: str) -> None:
        """A work note."""
        self._send(person, "PATCH", REGISTER, self._record(record, person)["sys_id"], body={"work_notes": text})

    def close(self, record: str, owner: str, *, is_success: bool, note: str) -> None:
        """Close: closure notes and a code are asked for."""
        found = self._record(record, owner)
        label = "Successful" if is_success else "Unsuccessful"
        column = self._column(owner, "Closure code", default="close_code")
        code = self._choice(owner, REGISTER, label, element=column, default=label.lower())
        self._move(found, owner, "Closed", {"close_notes": note, column: code})

    def _move(self, found: Record, person: str, state: str, fields: Record) -> None:
        value = self._choice(person, REGISTER, state)
        body = {name: text for name, text in fields.items() if name}
        if found["state"] != value:
            body["state"] = value
        answer = self._send(person, "PATCH", REGISTER, found["sys_id"], body=body)
        if answer["state"] != value:
            raise WriteRefused(
                f"The record stays in state {answer['state']} instead of {state}.",
                where=Place(connection="servicenow", record=str(found.get("number", ""))),
            )

    def _record(self, number: str, person: str) -> Record:
        rows = self._rows(person, REGISTER, f"number={number}")
        if not rows:
            raise WriteRefused(
                f"{person} sees no record {number}.", where=Place(connection="servicenow", record=number)
            )
        return rows[0]

    def _user(self, username: str) -> str:
        if username not in self._users:
            rows = self._rows(username, "sys_user", f"user_name={username}")
            self._users[username] = rows[0]["sys_id"] if rows else username
        return self._users[username]

    def _group_with(self, approver: str, person: str) -> str:
        """A group whose members include the approver, one for approvals first; '' where there is none."""
        rows = self._rows(person, "sys_user_grmember", f"user={self._user(approver)}")
        groups = [str(row["group"]) for row in rows]
        named = self._rows(person, "sys_user_group", f"sys_idIN{','.join(groups)}^nameLIKEapprov") if groups else []
        return str(named[0]["sys_id"]) if named else next(iter(groups), "")

    def _strategy(self, person: str) -> str:
        """The strategic objective that improvements serve here; a coordinator adds it where there is none."""
        rows = self._rows(person, OBJECTIVE, "ORDERBYname")
        found = rows[0] if rows else self._send(person, "POST", OBJECTIVE, body={"name": STRATEGY})
        return str(found["sys_id"])

    def _column(self, person: str, label: str, default: str = "") -> str:
        """The column with this label, from the dictionary as the form shows it."""
        if self._columns is None:
            rows = self._rows(person, "sys_dictionary", f"name={REGISTER}")
            self._columns = {row.get("column_label", ""): row.get("element", "") for row in rows}
        return self._columns.get(label) or default

    def _choice(self, person: str, table: str, label: str, *, element: str = "state", default: str = "") -> str:
        """The stored value of a choice."""
        key = (table, element)
        if key not in self._choices:
            rows = self._rows(person, "sys_choice", f"name={table}^element={element}")
            self._choices[key] = {row["label"]: row["value"] for row in rows}
        return self._choices[key].get(label) or default or label

    def _rows(self, person: str, table: str, query: str) -> list[Record]:
        params = {"sysparm_query": query, "sysparm_exclude_reference_link": "true", "sysparm_limit": "200"}
        rows: list[Record] = self._send(person, "GET", table, params=params)
        return rows

    def _send(
        self,
        person: str,
        method: str,
        table: str,
        sys_id: str = "",
        *,
        params: dict[str, str] | None = None,
        body: Record | None = None,
    ) -> Any:
        browser = self._browsers.get(person)
        if browser is None:
            browser = self._browsers[person] = Browser(self._base_url, person)
        path = f"/api/now/table/{table}/{sys_id}" if sys_id else f"/api/now/table/{table}"
        answer = browser.send(method, path, params=params, body=body)
        return answer["result"] if answer is not None else None
