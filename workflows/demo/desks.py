"""What people can do on a platform's own improvement record, whichever platform it is."""

from __future__ import annotations

from datetime import date
from typing import Any, Protocol

import requests

from improvement.errors import ConnectionFailed, PermissionMissing, Place, WriteRefused
from workflows.demo.setting import PASSWORD

TIMEOUT_S = 30


class Desk(Protocol):
    """A platform as its people use it. Records are named by number (CIM0001001, CIP-12), people by user name.

    Each method raises an error of improvement.errors when the platform refuses.
    """

    has_approvals: bool  # the platform itself asks approvers

    def take_over(self, record: str, owner: str, *, due: date) -> None:
        """The owner puts their name on the record, with a due date, and accepts it."""
        ...

    def add_tasks(self, record: str, owner: str, titles: tuple[str, ...]) -> None:
        """Tasks below the record, assigned to the owner."""
        ...

    def hand_in(self, record: str, owner: str, approver: str) -> None:
        """The plan is ready to be judged."""
        ...

    def approve(self, record: str, approver: str) -> bool:
        """Approve on the platform; False where it asked this person for nothing."""
        ...

    def begin(self, record: str, owner: str) -> None:
        """Work begins."""
        ...

    def finish_tasks(self, record: str, owner: str) -> None:
        """All tasks below the record are done."""
        ...

    def review(self, record: str, owner: str) -> None:
        """The work is done; its effect is being reviewed."""
        ...

    def comment(self, record: str, person: str, text: str) -> None:
        """Say something on the record."""
        ...

    def close(self, record: str, owner: str, *, is_success: bool, note: str) -> None:
        """Close the record."""
        ...


class Browser:
    """A person's plain HTTP session with a platform: JSON in, JSON out, errors in words."""

    def __init__(self, base_url: str, login: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._login = login
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no .netrc between people and their own sandbox
        self._session.auth = (login, PASSWORD)
        self._session.headers["Accept"] = "application/json"

    def send(self, method: str, path: str, *, params: dict[str, str] | None = None, body: Any = None) -> Any:
        """One request; the parsed body, None where there is none."""
        where = Place(connection=self._base_url, record=path)
        try:
            answer = self._session.request(
                method, f"{self._base_url}{path}", params=params, json=body, timeout=TIMEOUT_S
            )
        except requests.RequestException as error:
            raise ConnectionFailed(f"{self._base_url} cannot be reached.", where=where, mend=str(error)) from error
        if answer.status_code in (401, 403):
            raise PermissionMissing(f"{self._login} may not do this: {answer.text[:300]}", where=where)
        if answer.status_code >= 400:
            raise WriteRefused(f"{method} refused with {answer.status_code}: {answer.text[:300]}", where=where)
        return answer.json() if answer.content else None
