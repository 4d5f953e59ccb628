"""The small JSON objects that issues are made of: people, statuses, options, types. Rendered once, then reused."""

from __future__ import annotations

from functools import cache
from json.encoder import encode_basestring as _quote  # the C encoder: keeps UTF-8, escapes what must be
from typing import Any

import msgspec

from connectors.sandbox.jira import catalogue
from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.catalogue import Field, Flavour, IssueType, Project, Status
from connectors.sandbox.jira.site import Site

quote = _quote


def dump(value: Any) -> str:
    """JSON text of plain Python values."""
    return msgspec.json.encode(value).decode()


class Parts:
    """JSON-ready objects as one API version of one site shows them, under its public address."""

    def __init__(self, site: Site, base: str, version: str) -> None:
        self.site = site
        self.base = base
        self.api = f"{base}/rest/api/{version}"
        self.version = version
        self._people: dict[str | None, str] = {None: "null"}
        self._options: dict[tuple[str, str], str] = {}
        self.status_text = cache(lambda status: dump(self.status(status)))
        self.type_text = cache(lambda kind: dump(self.issue_type(kind)))
        self.project_text = cache(lambda project: dump(self.project(project)))
        self.priority_text = cache(lambda id: dump(self.priority(id)))
        self.resolution_text = cache(lambda id: dump(self.resolution(id)))
        self.group_text = cache(lambda name: dump(self.group(name)))
        self._kept = (self.status_text, self.type_text, self.project_text, self.priority_text, self.resolution_text)
        site.kept_texts.append(self._forget)

    def _forget(self) -> None:
        self._people = {None: "null"}
        self._options.clear()
        for text in self._kept:
            text.cache_clear()

    def person(self, account: Account) -> dict[str, Any]:
        """A person: Cloud tells an account id and hides the mail address, Data Center tells name, key and mail."""
        if self.site.flavour is Flavour.CLOUD:
            return {
                "self": f"{self.api}/user?accountId={account.account_id}",
                "accountId": account.account_id,
                "displayName": account.display_name,
                "active": account.is_active,
                "timeZone": account.time_zone,
                "accountType": "app" if account.is_app else "atlassian",
            }
        return {
            "self": f"{self.api}/user?username={account.login}",
            "name": account.login,
            "key": account.key,
            "emailAddress": account.email,
            "displayName": account.display_name,
            "active": account.is_active,
            "timeZone": account.time_zone,
        }

    def person_text(self, name: str | None) -> str:
        """A person by user name, as JSON text."""
        text = self._people.get(name)
        if text is None:
            account = self.site.directory.named(name)
            text = self._people[name] = dump(self.person(account)) if account is not None else "null"
        return text

    def status(self, status: Status) -> dict[str, Any]:
        """A status with its category."""
        category = status.category
        return {
            "self": f"{self.api}/status/{status.id}",
            "description": "",
            "name": status.name,
            "id": status.id,
            "statusCategory": {
                "self": f"{self.api}/statuscategory/{category.id}",
                "id": category.id,
                "key": category.key,
                "colorName": category.colour,
                "name": category.name,
            },
        }

    def issue_type(self, kind: IssueType) -> dict[str, Any]:
        """An issue type."""
        return {
            "self": f"{self.api}/issuetype/{kind.id}",
            "id": kind.id,
            "description": kind.description,
            "name": kind.name,
            "subtask": kind.is_subtask,
            "hierarchyLevel": -1 if kind.is_subtask else 1 if kind.id == catalogue.EPIC.id else 0,
        }

    def project(self, project: Project) -> dict[str, Any]:
        """A project, short."""
        return {
            "self": f"{self.api}/project/{project.id}",
            "id": project.id,
            "key": project.key,
            "name": project.name,
            "projectTypeKey": project.type_key,
        }

    def priority(self, id: str | None) -> dict[str, Any] | None:
        """A priority."""
        if id is None:
            return None
        return {"self": f"{self.api}/priority/{id}", "name": catalogue.PRIORITIES[id], "id": id}

    def resolution(self, id: str | None) -> dict[str, Any] | None:
        """A resolution."""
        if id is None:
            return None
        return {"self": f"{self.api}/resolution/{id}", "id": id, "name": catalogue.RESOLUTIONS[id]}

    def group(self, name: str | None) -> dict[str, Any] | None:
        """A group of the group picker."""
        if name is None:
            return None
        return {"name": name, "self": f"{self.api}/group?groupname={name}"}

    def option_text(self, attribute: str, text: str | None) -> str:
        """A select option, as JSON text."""
        if text is None:
            return "null"
        found = self._options.get((attribute, text))
        if found is None:
            option_id = self.site.options.id_of(attribute, text)
            option = {"self": f"{self.api}/customFieldOption/{option_id}", "value": text, "id": option_id}
            found = self._options[(attribute, text)] = dump(option)
        return found

    def field(self, field: Field) -> dict[str, Any]:
        """A field as ``GET /field`` lists it."""
        schema: dict[str, Any] = {"type": field.type}
        if field.items:
            schema["items"] = field.items
        if field.is_custom:
            number = int(field.id.removeprefix("customfield_"))
            schema |= {"custom": field.custom, "customId": number}
            clauses = [f"cf[{number}]", field.name]
        else:
            schema["system"] = field.id
            clauses = list(field.clauses)
        shown: dict[str, Any] = {
            "id": field.id,
            "name": field.name,
            "custom": field.is_custom,
            "orderable": True,
            "navigable": True,
            "searchable": True,
            "clauseNames": clauses,
            "schema": schema,
        }
        if self.site.flavour is Flavour.CLOUD:
            shown["key"] = field.id
        return shown
