"""People at work in Jira: the improvement project as its board would do it."""

from __future__ import annotations

from datetime import date
from typing import Any

from improvement.errors import Place, WriteRefused
from workflows.demo.desks import Browser

API = "/rest/api/2"
WORKING, IN_REVIEW, DONE = "In Progress", "In Review", "Done"
SUBTASK = "Sub-task"


class JiraDesk:
    """Every person with their own session, by user name (they sign in with their e-mail address)."""

    has_approvals = False

    def __init__(self, base_url: str, *, mail_domain: str = "example.com") -> None:
        self._base_url = base_url
        self._mail_domain = mail_domain
        self._browsers: dict[str, Browser] = {}
        self._who: dict[str, dict[str, str]] = {}

    def take_over(self, record: str, owner: str, *, due: date) -> None:
        """Assign it to oneself, with a due date."""
        self._send(owner, "PUT", f"/issue/{record}/assignee", body=self._myself(owner))
        self._send(owner, "PUT", f"/issue/{record}", body={"fields": {"duedate": due.isoformat()}})

    def add_tasks(self, record: str, owner: str, titles: tuple[str, ...]) -> None:
        """A sub-task each."""
        project = record.rpartition("-")[0]
        for title in titles:
            fields = {
                "project": {"key": project},
                "issuetype": {"name": SUBTASK},
                "parent": {"key": record},
                "summary": title,
                "assignee": self._myself(owner),
            }
            self._send(owner, "POST", "/issue", body={"fields": fields})

    def hand_in(self, record: str, owner: str, approver: str) -> None:
        """Plain Jira asks nobody: say it in a comment."""
        self.comment(record, owner, f"The plan is ready. {_name(approver)}, would you please look at it?")

    def approve(self, record: str, approver: str) -> bool:
        """Plain Jira has no approvals."""
        return False

    def begin(self, record: str, owner: str) -> None:
        """In Progress."""
        self._move(record, owner, WORKING)

    def finish_tasks(self, record: str, owner: str) -> None:
        """Finish every sub-task: it is started first where its workflow asks for that."""
        issue = self._send(owner, "GET", f"/issue/{record}", params={"fields": "subtasks"})
        for task in issue["fields"].get("subtasks") or ():
            status = task["fields"]["status"]["name"]
            if status not in (WORKING, DONE):
                self._move(task["key"], owner, WORKING)
            if status != DONE:
                self._move(task["key"], owner, DONE, resolution="Done")

    def review(self, record: str, owner: str) -> None:
        """In Review."""
        self._move(record, owner, IN_REVIEW)

    def comment(self, record: str, person: str, text: str) -> None:
        """A comment."""
        self._send(person, "POST", f"/issue/{record}/comment", body={"body": text})

    def close(self, record: str, owner: str, *, is_success: bool, note: str) -> None:
        """Done, with a resolution that says how."""
        self.comment(record, owner, note)
        self._move(record, owner, DONE, resolution="Done" if is_success else "Won't Do")

    def _move(self, record: str, person: str, status: str, *, resolution: str = "") -> None:
        """Take the transition that leads to this status; none is needed where the issue is there already."""
        issue = self._send(person, "GET", f"/issue/{record}", params={"fields": "status"})
        if issue["fields"]["status"]["name"] == status:
            return
        answer = self._send(person, "GET", f"/issue/{record}/transitions", params={"expand": "transitions.fields"})
        way = next((way for way in answer["transitions"] if way["to"]["name"] == status), None)
        if way is None:
            raise WriteRefused(
                f"{person} has no way to {status}.",
                where=Place(connection="jira", record=record),
            )
        body: dict[str, Any] = {"transition": {"id": way["id"]}}
        asked = way.get("fields", {}).get("resolution")
        if asked is not None:
            allowed = asked["allowedValues"]
            chosen = next((value for value in allowed if value["name"] == resolution), allowed[0])
            body["fields"] = {"resolution": {"id": chosen["id"]}}
        self._send(person, "POST", f"/issue/{record}/transitions", body=body)

    def _myself(self, username: str) -> dict[str, str]:
        """How Jira names this user: accountId on Cloud, name on Data Center."""
        if username not in self._who:
            me = self._send(username, "GET", "/myself")
            self._who[username] = {"accountId": me["accountId"]} if "accountId" in me else {"name": me["name"]}
        return self._who[username]

    def _send(
        self, person: str, method: str, path: str, *, params: dict[str, str] | None = None, body: Any = None
    ) -> Any:
        browser = self._browsers.get(person)
        if browser is None:
            browser = self._browsers[person] = Browser(self._base_url, f"{person}@{self._mail_domain}")
        return browser.send(method, f"{API}{path}", params=params, body=body)


def _name(username: str) -> str:
    return username.replace(".", " ").title()
