"""One sandbox of each platform for all that is written there: every cell has an action of its own, and counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import requests

from bench.faults.kinds import KINDS, TABLES, TASKS, Kind
from bench.faults.places import INSTALLATION, asked, connected, serving
from connectors.base import Connector
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from improvement.records import Outbound, OutboundFile, RecordRef, Verb

Found = dict[str, Any]
#: Options that cells set, as they are without.
ORDINARY: dict[str, dict[str, Any]] = {
    "servicenow": {
        "cim": True,
        "custom_table": False,
        "need_approval": True,
        "rules": [],
        "read_only_fields": {},
        "retired_choices": {},
        "renamed_choices": {},
        "denied": {},
    },
    "jira": {
        "index_lag": 0,
        "transition_names": {},
        "missing_transitions": [],
        "demanded_fields": {},
        "screen_lacks": {},
        "max_links": 2_000,
        "unlinkable": [],
        "limits_issue_writes": False,
    },
}
DESCRIPTION, HYPOTHESIS = "SLA breach rate 24.3 %", "A second engineer at night"
GOAL_COLUMNS = ("base_value", "target_value", "percentage_improvement")  # the last is computed there
GOAL = ("24.3", "17", "-30.0412")
NOTE, STEP = "Improved.", "Hire a second engineer"
CONTENT = b'{"verdict":"improved"}'
TICKETS = 60
_numbers = count(1)


@dataclass
class Desk:
    """A running platform, a connector to it in one mode, and somebody who looks by plain HTTP."""

    running: RunningSandbox
    flavour: Flavour
    mode: str
    connector: Connector
    tickets: list[str] = field(default_factory=list)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The writing requests that are made here."""
        return KINDS[self.mode]

    @property
    def is_servicenow(self) -> bool:
        """Whether it is a ServiceNow instance."""
        return self.flavour == "servicenow"

    def story(self, installation: str = INSTALLATION, action: str = "") -> Story:
        """A new action, which has no record yet; one of another installation is named."""
        return Story(self, action or f"ACT-{next(_numbers)}", installation)

    @contextmanager
    def trapped(self, *rules: Mapping[str, Any], **options: Any) -> Iterator[Hits]:
        """Faults and options while the block runs, and whether any fault happened."""
        hits = Hits()
        if options:
            self.running.set_options(self.flavour, **options)
        self.running.set_faults(self.flavour, *rules)
        try:
            yield hits
        finally:
            hits.number = sum(rule["hits"] for rule in self.running.control(self.flavour, "GET", "faults"))
            self.running.set_faults(self.flavour)
            if options:
                ordinary = ORDINARY["servicenow" if self.is_servicenow else "jira"]
                self.running.set_options(self.flavour, **{name: ordinary[name] for name in options})

    def get(self, path: str, **params: Any) -> Any:
        """One answer of the platform."""
        return asked(self.running, self.flavour, "GET", path, params=params)

    def act(self, user: str, method: str, path: str, **options: Any) -> None:
        """A person does something, by plain HTTP."""
        login = f"{user}@example.com" if self.flavour == "jira_cloud" else user
        url = f"{self.running.urls[self.flavour]}{path}"
        requests.request(method, url, auth=(login, "sandbox"), timeout=60, **options).raise_for_status()

    def rows(self, table: str, query: str) -> list[dict[str, Any]]:
        """The rows of a ServiceNow table."""
        found: list[dict[str, Any]] = self.get(f"/api/now/table/{table}", sysparm_query=query)["result"]
        return found

    def issues_made(self) -> dict[str, int]:
        """How many issues for improvements there are, by type, in whatever project and whatever a search shows."""
        stats = self.running.stats(self.flavour)
        return {name: sum(n for key, n in stats.items() if key.endswith(f" {name}")) for name in ("Task", "Sub-task")}

    def newest(self) -> list[dict[str, Any]]:
        """The newest improvement issues that a search shows."""
        search = "search/jql" if self.flavour == "jira_cloud" else "search"
        asking = {"jql": "project = CIP ORDER BY key DESC", "fields": "summary", "maxResults": 5}
        found: list[dict[str, Any]] = self.get(f"/rest/api/2/{search}", **asking)["issues"]
        return found

    def triggers(self) -> list[str]:
        """Tickets to link records to."""
        if not self.tickets and self.is_servicenow:
            asking = {"sysparm_limit": str(TICKETS), "sysparm_fields": "sys_id"}
            self.tickets = [row["sys_id"] for row in self.get("/api/now/table/incident", **asking)["result"]]
        elif not self.tickets:
            path = "/rest/api/2/search/jql" if self.flavour == "jira_cloud" else "/rest/api/2/search"
            body = {"jql": "project = OPS ORDER BY created ASC", "fields": ["summary"], "maxResults": TICKETS}
            issues = asked(self.running, self.flavour, "POST", path, json=body)["issues"]
            self.tickets = [issue["id"] for issue in issues]
        return self.tickets


@dataclass
class Hits:
    """How often a fault happened."""

    number: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One delivery of a story, and what must stand on the platform once it took effect."""

    outbound: Outbound
    fields: dict[str, str]
    leaves: Found


@dataclass
class Story:
    """An action, what was delivered of it, and what must stand on the platform because of that, and no more."""

    desk: Desk
    action: str
    installation: str
    ref: RecordRef | None = None
    fields: dict[str, str] = field(default_factory=dict)
    expected: Found = field(default_factory=lambda: {"record": 0})
    before: dict[str, int] = field(default_factory=dict)  # issues made before
    steps: int = 0

    def __post_init__(self) -> None:
        if not self.desk.is_servicenow:
            self.before = self.desk.issues_made()

    @property
    def title(self) -> str:
        """Nobody else's."""
        return f"Fewer breaches {self.installation} {self.action}"

    def step(self, kind: Kind) -> Step:
        """The next delivery, which makes this kind of request."""
        self.steps += 1
        fields, leaves = dict(self.fields), dict(self.expected)
        more: dict[str, Any] = {}
        if kind.verb is Verb.CREATE:
            fields = self._at_first()
            leaves = self._created(fields)
        elif kind.verb is Verb.UPDATE:
            fields |= kind.changes
            leaves |= self._updated(kind, fields)
        elif kind.verb is Verb.NOTE:
            more, leaves["notes"] = {"text": NOTE}, leaves["notes"] + 1
        elif kind.verb is Verb.ATTACH:
            file = OutboundFile(name=f"review-{self.steps}.json", media_type="application/json", content=CONTENT)
            more, leaves["files"] = {"file": file}, [*leaves["files"], len(CONTENT)]
        elif kind.verb is Verb.TASK:
            leaves["tasks"] = [*leaves["tasks"], STEP]
            leaves |= {"sub-tasks": leaves["sub-tasks"] + 1} if "sub-tasks" in leaves else {}
        else:
            tickets = [id for id in self.desk.triggers() if id not in leaves["links"]][: kind.triggers]
            more, leaves["links"] = {"trigger_ids": tuple(tickets)}, sorted([*leaves["links"], *tickets])
        if kind.verb in (Verb.CREATE, Verb.UPDATE):
            more = {"fields": fields}
        elif kind.verb is Verb.TASK:
            more = {"fields": {"title": STEP}}
        key = f"{self.action}/{kind.verb.value}/{self.steps}"
        outbound = Outbound(verb=kind.verb, key=key, action_id=self.action, installation=self.installation, **more)
        return Step(outbound, fields, leaves)

    def took(self, step: Step, ref: RecordRef) -> None:
        """A delivery took effect."""
        self.ref, self.fields, self.expected = ref, step.fields, step.leaves

    def wrong(self, seen_in: Sequence[str] = ()) -> str:
        """What stands there (in these places only, if any) otherwise than it must; "" where nothing does. From then on
        it is taken as it stands.
        """
        found = self.found()
        names = seen_in or sorted(found.keys() | self.expected.keys())
        told = [
            f"{name}: {found.get(name)!r} instead of {self.expected.get(name)!r}"
            for name in names
            if found.get(name) != self.expected.get(name)
        ]
        self.expected = found
        return "; ".join(told)

    def found(self) -> Found:
        """What is there now, by plain HTTP."""
        return self._at_servicenow() if self.desk.is_servicenow else self._at_jira()

    def _at_first(self) -> dict[str, str]:
        url = f"https://rk.example.com/actions/{self.action}/"
        fields = {"title": self.title, "description": DESCRIPTION, "hypothesis": HYPOTHESIS, "url": url}
        return fields | {"baseline": "24.3 %", "target": "17 %"}

    def _created(self, fields: Mapping[str, str]) -> Found:
        leaves: Found = {"record": 1, "updates": 0, "notes": 0, "files": [], "tasks": [], "links": []}
        if self.desk.is_servicenow:
            goal = {"goal": GOAL} if self.desk.mode == "cim" else {}
            return leaves | goal | {"description": fields["description"]}
        kept = {"id": self.action, "installation": self.installation, "state": None, "url": fields["url"]}
        leaves |= {"kept": kept, "pages": [fields["url"]], "status": "To Do", "moves": 0, "sub-tasks": 0}
        return leaves | {"description": f"{fields['description']}\n\nHypothesis: {fields['hypothesis']}"}

    def _updated(self, kind: Kind, fields: Mapping[str, str]) -> Found:
        leaves: Found = {"updates": self.expected["updates"] + ("description" in kind.changes)}
        if self.desk.is_servicenow:
            return leaves | {"description": fields["description"]}
        told = {name: fields.get(name) for name in ("state", "url")}
        leaves |= {"kept": self.expected["kept"] | told, "pages": [fields["url"]]}
        if kind.changes.get("state") == "doing":
            leaves |= {"status": "In Progress", "moves": self.expected["moves"] + 1}
        return leaves | {"description": f"{fields['description']}\n\nHypothesis: {fields['hypothesis']}"}

    def _at_servicenow(self) -> Found:
        rows = self.desk.rows
        records = rows(TABLES[self.desk.mode], f"short_description={self.title}")
        if not records:
            return {"record": 0}
        id = records[0]["sys_id"]
        is_cim = self.desk.mode == "cim"
        goal = {"goal": tuple(records[0][name] for name in GOAL_COLUMNS)} if is_cim else {}
        return goal | {
            "record": len(records),
            "description": records[0]["description"],
            "updates": len(rows("sys_audit", f"documentkey={id}^fieldname=description")),
            "notes": len([row for row in rows("sys_journal_field", f"element_id={id}") if NOTE in row["value"]]),
            "files": [int(row["size_bytes"]) for row in rows("sys_attachment", f"table_sys_id={id}")],
            "tasks": [row["short_description"] for row in self._tasks(id)],
            "links": sorted(row["source_id"] for row in rows("sn_cim_inbound_m2m", f"cim_register={id}"))
            if is_cim
            else [],
        }

    def _tasks(self, id: str) -> list[dict[str, Any]]:
        if self.desk.mode not in TASKS:
            return []
        table, parent = TASKS[self.desk.mode]
        return self.desk.rows(table, f"{parent}={id}")

    def _at_jira(self) -> Found:
        made = {name: counted - self.before[name] for name, counted in self.desk.issues_made().items()}
        id = self.ref.id if self.ref is not None else self._new_issue()
        if id is None:
            return {"record": made["Task"]}
        path = f"/rest/api/2/issue/{id}"
        issue = self.desk.get(path, expand="changelog")
        shown = issue["fields"]
        changes = [item["field"] for entry in issue["changelog"]["histories"] for item in entry["items"]]
        ends = [link.get("inwardIssue") or link["outwardIssue"] for link in shown["issuelinks"]]
        kept = self._kept(path)
        return {
            "record": made["Task"],
            "sub-tasks": made["Sub-task"],
            "description": shown["description"],
            "updates": changes.count("description"),
            "status": shown["status"]["name"],
            "moves": changes.count("status"),
            "kept": {name: kept.get(name) for name in ("id", "installation", "state", "url")},
            "pages": [_page(one) for one in self.desk.get(f"{path}/remotelink")],
            "notes": len([one for one in shown["comment"]["comments"] if NOTE in one["body"]]),
            "files": [one["size"] for one in shown["attachment"]],
            "tasks": [one["fields"]["summary"] for one in shown["subtasks"]],
            "links": sorted(end["id"] for end in ends),
        }

    def _new_issue(self) -> str | None:
        """The id of the issue of this title, where a search shows it."""
        newest = self.desk.newest()
        return next((one["id"] for one in newest if one["fields"]["summary"] == self.title), None)

    def _kept(self, path: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self.desk.get(f"{path}/properties/regelkreis")["value"]
        except requests.HTTPError as error:
            if error.response.status_code != 404:
                raise
            return {}
        return found


def _page(link: Mapping[str, Any]) -> str:
    """The address of a remote link, if it has kept all that an update may null."""
    told = link["object"]
    nulled = [name for name in ("title", "summary") if not told.get(name)]
    nulled += [name for name in ("application", "relationship") if not link.get(name)]
    return f"{told['url']} without {nulled}" if nulled else str(told["url"])


class Desks:
    """The desks of one run; each sandbox is started when it is first needed, and serves until the end."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._running: dict[Flavour, RunningSandbox] = {}

    def __enter__(self) -> Desks:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def running(self, flavour: Flavour) -> RunningSandbox:
        """The sandbox of one platform."""
        if flavour not in self._running:
            self._running[flavour] = self._stack.enter_context(serving(flavour))
        return self._running[flavour]

    @contextmanager
    def at(self, flavour: Flavour, mode: str = "", **settings: Any) -> Iterator[Desk]:
        """A desk with a connector of its own; of ServiceNow in a mode (``cim`` unless another is named)."""
        running = self.running(flavour)
        mode = mode or ("cim" if flavour == "servicenow" else "jira")
        is_fallback = mode not in ("cim", "jira")
        if is_fallback:
            settings |= {"fallback_modes": (mode,)}
            settings |= {"custom_table": TABLES["custom"]} if mode == "custom" else {}
            running.set_options(flavour, cim=False, custom_table=mode == "custom")
        try:
            with connected(running, flavour, **settings) as connector:
                yield Desk(running, flavour, mode, connector)
        finally:
            if is_fallback:
                running.set_options(flavour, cim=True, custom_table=False)
