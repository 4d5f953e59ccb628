"""Every address of Jira, asked without a web server: odd requests break nothing, what is hidden shows nowhere."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice, product
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.jira import calls
from connectors.sandbox.jira.accounts import of_user
from connectors.sandbox.jira.api import JiraApi
from connectors.sandbox.jira.calls import Answer, Upload
from connectors.sandbox.jira.catalogue import SERVICE_REQUEST, Flavour
from connectors.sandbox.jira.routes import ADDRESSES
from connectors.sandbox.jira.site import Site
from connectors.sandbox.users import Accounts, accounts_of
from connectors.sandbox.world import World

NOW = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp())
SECRET = "Zq9Secret"
API, AGILE, DESK = "/rest/api/2", "/rest/agile/1.0", "/rest/servicedeskapi"
LONG = "9" * 5_000
EVERY = 9  # request is sent, so that each address has its share of odd values; 1 sends all and takes half a minute
MAX_TRIED = 60
ODD_TEXTS = (
    *("", " ", "x", "-1", "0", "1e400", "9" * 18, "9" * 20, LONG, "²", "٣", "\x00", "\u202e𐍈é", "%", "*", "none", "[]"),
    *("0001-01-01", "0001-01-01T00:00:00.000+1400", "9999-12-31T23:59:59.000-1400", "99999999999w", "5" * 4_200 + "w"),
    *("project = CIP", "a = ((", "NOT " * 500, "created > -99999999999w", "priority > EMPTY", f"key = CIP-{LONG}"),
)
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 0.5, 1e308, 10**30, *ODD_TEXTS, [], {}, [None], [1], ["x"], ["²"], [{}], [[]]),
    *(
        {"a": 1},
        {"id": []},
        {"id": LONG},
        {"key": {}},
        {"name": 7},
        {"type": "group"},
        {"type": "doc", "content": [{}]},
    ),
    *([{"add": 1}], [{"set": {}}], [{"key": "jira-software", "groups": 1}]),
    [{"key": "sd.public.comment", "value": "x"}],
)
NOT_JSON = (b"", b"{", b"\xff\xfe", b"[" * 5_000, b'{"a":' * 5_000, b"1" * 5_000)
_SOURCE = "\n".join(file.read_text() for file in Path(calls.__file__).parent.rglob("*.py"))
#: What the code may look for in a body and in a query string.
MEMBERS = sorted(set(re.findall(r'(?:get\(|\[|sent, |document, |body, )"(\w+)"', _SOURCE)))
PARAMETERS = sorted(set(re.findall(r'\.(?:param|number|names)\("(\w+)"', _SOURCE)))
#: Ask for as much as there is.
EXPANDED = {
    "expand": ["changelog,renderedFields,names,participant,status,comment,serviceDesk,requestType,sharePermissions"],
    "fields": ["*all"],
    "jql": ["project in (CIP, IMP) ORDER BY created"],
    "requestOwnership": ["ALL_REQUESTS"],
    "fieldName": ["labels"],
    "fieldValue": ["zq9"],
    "boardId": ["1"],
    "maxResults": ["1000"],
    "limit": ["1000"],
}
_NAMED = re.compile(r"\(\?P<(\w+)>((?:\[[^]]*\]|[^()])*)\)")
_UNNAMED = (
    *((r"\(\?:([^()|]*)[^()]*\)\??", r"\1"), (r"\[[^]]*\][+*]", "CIP")),
    *((r"/\?", ""), (r"\\\.", "."), (r"\.\*", "x")),
)


class Asked:
    """A site with one of everything, some of it hidden."""

    def __init__(self, flavour: Flavour) -> None:
        world = World("jira", NOW, 1, services=["Mail"])
        people = accounts_of(world)
        self.site = Site(world, flavour=flavour, accounts=map(of_user, people), now=NOW)
        self.site.quirks = self.site.quirks.changed({"hidden_priorities": ["1"]})
        self.api = JiraApi(self.site, "http://jira", Accounts(people))
        self.is_cloud = flavour is Flavour.CLOUD
        self.known: dict[str, list[str]] = {"version": ["2"], "key": [], "name": ["p"], "id": []}
        self.known |= {
            "number": ["1"],
            "context": ["20010"],
            "tab_id": ["300"],
            "field_id": ["summary"],
            "kind": ["project"],
        }
        self.known |= {"type_id": ["10002"], "queue_id": ["5"], "sprint_id": ["1"], "other": ["1"], "filter_id": ["1"]}
        self.bodies: dict[tuple[str, str], Any] = {}  # what the administrator sent, by method and address
        self._add_issues()
        self._add_boards()
        self._add_what_belongs_to_the_site()
        self.known["key"] += ["CIP", "IMP", "none"]
        self.known["id"] += ["1", "2", "10000", "10010", "customfield_10010"]

    def ask(
        self, user: str | None, method: str, path: str, body: Any = None, *, params: Any = None, file: str = "a.png"
    ) -> Answer:
        """What a user (None: the anonymous) is answered; a body of bytes is sent as it is."""
        login = f"{user}@example.com" if self.is_cloud else user
        sent = {"X-Atlassian-Token": "no-check"}
        if user is not None:
            sent["Authorization"] = f"Basic {base64.b64encode(f'{login}:sandbox'.encode()).decode()}"
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        uploads = (Upload(file, "image/png", file.encode()),)
        return self.api.handle(method, path, params=params or {}, headers=sent, body=content, uploads=uploads)

    def add(self, path: str, body: Any = None, *, method: str = "POST", **options: Any) -> dict[str, Any]:
        """Something of the administrator's, which has an address from now on."""
        answer = self.ask("admin", method, path, body, **options)
        assert answer.status < 300, (path, answer.body)
        self.bodies[method, path] = body
        made = json.loads(answer.body or b"{}")
        for one in made if isinstance(made, list) else [made]:
            self.known["key"] += [one["key"]] if "key" in one else []
            self.known["id"] += [str(one["id"])] if "id" in one else []
        return made if isinstance(made, dict) else {}

    def addresses(self, pattern: str, **given: str) -> Iterator[str]:
        """The addresses of a route: of all that is known, or with a part given by name."""
        choices = [
            [given[name]]
            if name in given
            else [one for one in self.known.get(name, self.known["id"]) if re.fullmatch(inner, one)]
            if "[" in inner
            else inner.split("|")
            for name, inner in _NAMED.findall(pattern)
        ]
        template = _NAMED.sub("{}", pattern)
        for unnamed, plain in _UNNAMED:
            template = re.sub(unnamed, plain, template)
        return (template.format(*chosen) for chosen in product(*choices))

    def add_issue(self, kind: str, project: str = "CIP", **fields: Any) -> str:
        """The key of a new issue."""
        about = {"project": {"key": project}, "issuetype": {"name": kind}, "summary": "Seen", **fields}
        return str(self.add(f"{API}/issue", {"fields": about})["key"])

    def _add_issues(self) -> None:
        secret = {"summary": SECRET, "priority": {"id": "1"}}
        self.seen = self.add_issue("Task", description="a", duedate="2026-04-01", labels=["a"])
        self.hidden = self.add_issue("Task", description=SECRET, labels=[SECRET], **secret)
        self.epic = self.add_issue("Epic", **secret)
        self.add_issue("Sub-task", parent={"key": self.seen})
        self.add_issue("Sub-task", parent={"key": self.hidden}, summary=SECRET)  # as secret as its parent
        for issue in (self.hidden, self.add_issue("Task", "IMP", **secret)):
            one = f"{API}/issue/{issue}"
            self.add(f"{one}/comment", {"body": SECRET})
            spent = {"timeSpent": "1h", "started": "2026-03-01T09:00:00.000+0000"}
            self.add(f"{one}/worklog", {**spent, "comment": SECRET})
            self.add(f"{one}/remotelink", {"globalId": "g", "object": {"url": "http://x", "title": SECRET}})
            self.add(f"{one}/properties/p", {"a": SECRET}, method="PUT")
            self.add(f"{one}/attachments", file=SECRET)
        ends = {"inwardIssue": {"key": self.seen}, "outwardIssue": {"key": self.hidden}}
        self.add(f"{API}/issueLink", {"type": {"name": "Relates"}, **ends})
        seen = f"{API}/issue/{self.seen}"
        shown = json.loads(self.ask("admin", "GET", seen).body)
        self.known["id"].append(shown["fields"]["issuelinks"][0]["id"])
        changed = {"update": {"labels": [{"add": "b"}]}, "fields": {"summary": "Seen", "duedate": "2026-05-01"}}
        self.add(seen, changed, method="PUT")
        ways = json.loads(self.ask("admin", "GET", f"{seen}/transitions").body)["transitions"]
        self.add(f"{seen}/transitions", {"transition": {"id": ways[0]["id"]}, "fields": {}})

    def _add_boards(self) -> None:
        share = {"type": "authenticated" if self.is_cloud else "loggedin"}
        jql = "project in (CIP, IMP) ORDER BY created"
        shared = self.add(f"{API}/filter", {"name": "Ours", "jql": jql, "sharePermissions": [share]})["id"]
        self.add(f"{API}/filter", {"name": SECRET, "jql": f"labels = {SECRET}", "description": SECRET})
        board = self.add(f"{AGILE}/board", {"name": "Ours", "type": "scrum", "filterId": shared})["id"]
        dates = {"startDate": "2026-03-01T09:00:00.000Z", "endDate": "2026-03-12T09:00:00.000Z"}
        sprint = self.add(f"{AGILE}/sprint", {"name": "First", "originBoardId": board, "goal": "Half", **dates})["id"]
        self.add(f"{AGILE}/sprint/{sprint}/issue", {"issues": [self.seen, self.hidden, self.epic]})
        self.add(f"{AGILE}/epic/{self.epic}/issue", {"issues": [self.seen, self.hidden]})
        self.add(f"{AGILE}/epic/{self.epic}", {"name": SECRET, "color": {"key": "color_1"}, "done": False})
        self.add(f"{AGILE}/issue/rank", {"issues": [self.seen], "rankBeforeIssue": self.hidden}, method="PUT")

    def _add_what_belongs_to_the_site(self) -> None:
        if self.is_cloud:
            self.add(f"{API}/dashboard", {"name": SECRET, "sharePermissions": []})
        self.add(f"{API}/version", {"name": "1.0", "project": "CIP", "releaseDate": "2026-05-01"})
        self.add(f"{API}/component", {"name": "Mail", "project": "CIP"})
        self.add(f"{API}/projectCategory", {"name": "All", "description": "a"})
        self.add(f"{DESK}/organization", {"name": "Mill"})
        type_of = {"issueTypeId": "10002", "name": "An idea", "description": "a", "helpText": "b"}
        self.add(f"{DESK}/servicedesk/2/requesttype", type_of)
        values = {"serviceDeskId": "2", "requestTypeId": "10002", "requestFieldValues": {"summary": "Seen"}}
        self.add(f"{DESK}/request", values)


@pytest.fixture(params=list(Flavour), ids=lambda flavour: flavour.name)
def asked(request: pytest.FixtureRequest) -> Asked:
    return Asked(request.param)


def test_odd_requests_break_nothing(asked: Asked) -> None:
    some = islice(odd_requests(asked), 0, None, EVERY)
    broken = [told for request in some if (told := what_breaks(asked, *request))]
    assert broken == []


def test_what_is_hidden_shows_nowhere(asked: Asked) -> None:
    shown: dict[str | None, set[str]] = {"admin": set(), "reader": set(), None: set()}
    for methods, pattern, _ in ADDRESSES:
        for address in asked.addresses(pattern.pattern) if "GET" in methods else ():
            if asked.ask("admin", "GET", address).status == 404:
                continue
            for user, params in product(shown, ({}, EXPANDED, {"query": ["zq9"]})):
                if SECRET.encode() in asked.ask(user, "GET", address, params=params).body:
                    shown[user].add(pattern.pattern)
    assert (shown["reader"], shown[None]) == (set(), set())
    assert len(shown["admin"]) > 30


def test_who_may_not_write_changes_nothing(asked: Asked) -> None:
    written = {
        (user, method, address)
        for (method, address), body in asked.bodies.items()
        for user in ("reader", None)
        if asked.ask(user, method, address, body).status not in (400, 401, 403, 404)
    }
    assert written <= {("reader", "POST", f"{API}/{own}") for own in ("filter", "dashboard")}


def test_a_link_of_an_archived_issue_is_read_and_stays(asked: Asked) -> None:
    (link,) = json.loads(asked.ask("admin", "GET", f"{API}/issue/{asked.hidden}").body)["fields"]["issuelinks"]
    one = f"{API}/issueLink/{link['id']}"
    if asked.is_cloud:
        asked.add(f"{API}/issue/archive", {"issueIdsOrKeys": [asked.seen]}, method="PUT")
    else:
        asked.add(f"{API}/issue/{asked.seen}/archive", method="PUT")
    assert [asked.ask("admin", method, one).status for method in ("GET", "DELETE", "GET")] == [200, 403, 200]


def test_a_comment_for_the_team_is_not_for_the_anonymous(asked: Asked) -> None:
    key = asked.add_issue(SERVICE_REQUEST.name, "OPS")
    of_desk = f"{DESK}/request/{key}"
    asked.add(f"{of_desk}/comment", {"body": "Hello"})
    internal = asked.add(f"{of_desk}/comment", {"body": SECRET, "public": False})["id"]
    of_issue = f"{API}/issue/{key}"
    found = f"{API}/search/jql" if asked.is_cloud else f"{API}/search"
    for path in (of_issue, f"{of_issue}/comment", of_desk, f"{of_desk}/comment", found):
        params = {"expand": ["comment"], "fields": ["*all"], "jql": [f"key = {key}"]}
        told = [asked.ask(user, "GET", path, params=params) for user in ("reader", None)]
        assert [(one.status, b"Hello" in one.body, SECRET.encode() in one.body) for one in told] == [
            (200, True, True),
            (200, True, False),
        ]
    single = [f"{of_issue}/comment/{internal}", f"{of_desk}/comment/{internal}", f"{API}/comment/{internal}/properties"]
    assert [asked.ask(None, "GET", path).status for path in single] == [404, 404, 404]
    by_text = {"jql": [f"comment ~ {SECRET}"], "fields": ["key"]}
    assert key.encode() not in asked.ask(None, "GET", found, params=by_text).body


@pytest.mark.parametrize("path", ["role/10002", "role/10101", "permissionscheme"])
def test_who_has_which_right_in_a_project_is_told_to_its_administrators(asked: Asked, path: str) -> None:
    answers = [asked.ask(user, "GET", f"{API}/project/CIP/{path}").status for user in ("admin", "reader", None)]
    assert answers == [200, 403, 401]


def odd_requests(asked: Asked) -> Iterator[tuple[str, str, Any, Any]]:
    """Method, address, body and parameters: what was right with one thing odd, and what is odd altogether."""
    for (method, address), body in asked.bodies.items():
        for place, odd in product(places(body), ODD):
            yield method, address, changed(body, place, odd), None
    routes = [(method, pattern.pattern) for methods, pattern, _ in ADDRESSES for method in methods]
    for method, pattern in sorted(routes, key=lambda route: route[0] == "DELETE"):
        addresses = list(islice(asked.addresses(pattern), MAX_TRIED))
        address = next((one for one in addresses if asked.ask("admin", method, one, {}).status != 404), addresses[0])
        if method == "GET":
            yield from ((method, address, None, {name: [odd] for name in PARAMETERS}) for odd in ODD_TEXTS)
        else:
            yield from ((method, address, odd, None) for odd in (*NOT_JSON, *ODD))
            yield from ((method, address, dict.fromkeys(MEMBERS, odd), None) for odd in ODD if len(str(odd)) < 100)
        for name, odd in product(_NAMED.findall(pattern), (LONG, "0", "-", "CIP-", f"CIP-{LONG}", "²", "\x00", "é")):
            yield method, next(iter(asked.addresses(pattern, **{name[0]: odd}))), {}, None


def what_breaks(asked: Asked, method: str, address: str, body: Any, params: Any) -> str:
    """What is wrong with the answer; empty where nothing is."""
    told = f"{method} {address[:80]} {str(body)[:80]} {str(params)[:80]}"
    try:
        answer = asked.ask("admin", method, address, body, params=params)
        if answer.body and answer.content_type.startswith("application/json"):
            json.loads(answer.body)
    except Exception as error:  # whatever it is, the server would answer 500
        return f"{told}: {error!r}"
    return f"{told}: {answer.status}" if answer.status >= 500 else ""


def places(body: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands within a body."""
    for place in body if isinstance(body, dict) else range(len(body)) if isinstance(body, list) else ():
        yield (*above, place)
        yield from places(body[place], (*above, place))


def changed(body: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy of a body with another value in one place."""
    made = copy.deepcopy(body)
    within = made
    for name in place[:-1]:
        within = within[name]
    within[place[-1]] = value
    return made
