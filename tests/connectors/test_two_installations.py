"""Two installations write to one platform, each with an ACT-1: no trace of the one is taken for the other's.

The other one is a staging beside production, or production itself, whose records came along with a cloned instance.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import requests

from connectors.config import ConnectionConfig
from connectors.existing import Existing, ReadsExisting
from connectors.jira.finding import LOOK_BACK
from connectors.marks import Mark, looked_for, named, read
from connectors.registry import connector
from connectors.sandbox.generator import generate
from connectors.sandbox.plugin import FLAVOURS, Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from improvement.records import Outbound, Receipt, RecordRef, Verb

NOW = datetime(2024, 7, 29, 12, tzinfo=UTC)
PRODUCTION, STAGING = "k7m2qd4x", "abcdefgh"
BEFORE = ""  # a version whose traces named no installation
URL = "https://rk.example.com/actions/ACT-1/"


@pytest.fixture(scope="module", params=FLAVOURS)
def sandbox(request: pytest.FixtureRequest) -> Iterator[tuple[RunningSandbox, Flavour]]:
    flavour: Flavour = request.param
    platform = "servicenow" if flavour == "servicenow" else "jira"
    world = generate(platform, size="small")  # type: ignore[arg-type]
    world.tickets = world.tickets[:5]
    with running_sandbox(platforms=(flavour,), worlds={platform: world}, now=NOW) as running:
        yield running, flavour


class Platform:
    """One platform, written to by whoever is named, and looked at by an administrator."""

    numbers = iter(range(1, 1000))

    def __init__(self, running: RunningSandbox, flavour: Flavour) -> None:
        self.running, self.flavour = running, flavour
        self.url = running.urls[flavour]
        self.is_servicenow = flavour == "servicenow"
        user = "regelkreis@example.com" if flavour == "jira_cloud" else "regelkreis"
        raw = {"name": "there", "url": self.url, "user": user, "password": "sandbox"}
        raw["platform"] = "servicenow" if self.is_servicenow else "jira"
        self.connector = connector(ConnectionConfig.model_validate(raw))
        self.action = f"ACT-{next(self.numbers)}"  # each story is about another one

    def write(
        self, who: str, verb: Verb, name: str, ref: RecordRef | None = None, *, begun: bool = False, **parts: Any
    ) -> Receipt:
        """``begun``: an attempt of a version before may have taken effect."""
        key = f"{self.action}/{name}"
        write = Outbound(verb=verb, key=key, action_id=self.action, installation=who, may_stand_unnamed=begun, **parts)
        return self.connector.write(write, ref)

    def create(self, who: str, *, begun: bool = False, title: str = "Fewer breaches") -> Receipt:
        return self.write(who, Verb.CREATE, "create", begun=begun, fields={"title": title, "url": URL})

    def existing(self, ref: RecordRef) -> Existing:
        assert isinstance(self.connector, ReadsExisting)
        found = self.connector.existing(ref.url)
        assert found is not None
        return found

    def get(self, path: str, **params: Any) -> Any:
        auth = ("admin@example.com" if self.flavour == "jira_cloud" else "admin", "sandbox")
        answer = requests.get(f"{self.url}{path}", params=params, auth=auth, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def notes(self, ref: RecordRef) -> list[str]:
        if self.is_servicenow:
            query = f"element_id={ref.id}^element=work_notes"
            rows = self.get("/api/now/table/sys_journal_field", sysparm_query=query)["result"]
            return [row["value"] for row in rows]
        return [one["body"] for one in self.get(f"/rest/api/2/issue/{ref.id}/comment")["comments"]]

    def steps(self, ref: RecordRef) -> int:
        (state,) = self.connector.states([ref])
        return len(state.tasks)

    def by_people(self, title: str) -> RecordRef:
        """A record that somebody made on the platform itself."""
        auth = ("admin@example.com" if self.flavour == "jira_cloud" else "admin", "sandbox")
        if self.is_servicenow:
            path, body = "/api/now/table/sn_cim_register", {"short_description": title}
        else:
            fields = {"project": {"key": "CIP"}, "issuetype": {"name": "Task"}, "summary": title}
            path, body = "/rest/api/2/issue", {"fields": fields}
        answer = requests.post(f"{self.url}{path}", json=body, auth=auth, timeout=30)
        answer.raise_for_status()
        made = answer.json().get("result") or answer.json()
        if self.is_servicenow:
            url = f"{self.url}/sn_cim_register.do?sys_id={made['sys_id']}"
            return RecordRef(connection="there", mode="cim", id=made["sys_id"], number=made["number"], url=url)
        url = f"{self.url}/browse/{made['key']}"
        return RecordRef(connection="there", mode="jira", id=made["id"], number=made["key"], url=url)


@pytest.fixture
def platform(sandbox: tuple[RunningSandbox, Flavour]) -> Iterator[Platform]:
    made = Platform(*sandbox)
    yield made
    made.connector.close()


def test_each_makes_a_record_of_its_own_and_finds_it_again(platform: Platform) -> None:
    ours, theirs = platform.create(STAGING), platform.create(PRODUCTION)
    assert (ours.was_found, theirs.was_found) == (False, False)
    assert ours.ref.id != theirs.ref.id
    for who, made in ((STAGING, ours), (PRODUCTION, theirs)):
        again = platform.create(who)
        assert (again.was_found, again.ref.id) == (True, made.ref.id)
        found = platform.existing(made.ref)
        assert (found.mark, found.installation) == (platform.action, who)


def test_what_hangs_on_each_record_is_found_there_only(platform: Platform) -> None:
    refs = {who: platform.create(who).ref for who in (STAGING, PRODUCTION)}
    for who, ref in refs.items():
        assert not platform.write(who, Verb.NOTE, "note/final", ref, text=f"Improved, says {who}.").was_found
        assert not platform.write(who, Verb.TASK, "playbook/1", ref, fields={"title": "Hire"}).was_found
    for who, ref in refs.items():
        assert platform.write(who, Verb.NOTE, "note/final", ref, text=f"Improved, says {who}.").was_found
        assert platform.write(who, Verb.TASK, "playbook/1", ref, fields={"title": "Hire"}).was_found
        (note,) = platform.notes(ref)
        assert note.startswith(f"Improved, says {who}.")
        assert platform.steps(ref) == 1
    states = platform.connector.states(list(refs.values()))
    assert [state.ref.id for state in states] == [ref.id for ref in refs.values()]


@pytest.mark.parametrize("version", [PRODUCTION, BEFORE])
def test_a_clone_that_carries_productions_records_is_written_to_beside_them(platform: Platform, version: str) -> None:
    """``version``: the clone was made before production named itself, or after."""
    of_production = platform.create(version, title="Production's").ref
    platform.write(version, Verb.TASK, "playbook/1", of_production, fields={"title": "Hire"})
    ours = platform.create(STAGING)
    assert (ours.was_found, ours.ref.id != of_production.id) == (False, True)
    assert not platform.write(STAGING, Verb.TASK, "playbook/1", ours.ref, fields={"title": "Hire"}).was_found
    assert (platform.steps(of_production), platform.steps(ours.ref)) == (1, 1)
    told = platform.existing(of_production)
    assert (told.title, told.mark, told.installation) == ("Production's", platform.action, version)


def test_what_a_version_before_may_have_begun_is_found_by_its_own_trace(platform: Platform) -> None:
    made = platform.create(BEFORE).ref
    found = platform.create(PRODUCTION, begun=True)
    assert (found.was_found, found.ref.id) == (True, made.id)
    writes: list[tuple[Verb, str, dict[str, Any]]] = [
        (Verb.NOTE, "note/final", {"text": "Improved."}),
        (Verb.TASK, "playbook/1", {"fields": {"title": "Hire"}}),
    ]
    for verb, name, parts in writes:
        assert not platform.write(BEFORE, verb, name, made, **parts).was_found
        assert platform.write(PRODUCTION, verb, name, made, begun=True, **parts).was_found
    assert (len(platform.notes(made)), platform.steps(made)) == (1, 1)


def test_a_step_of_a_version_before_is_found_however_many_came_after_it(platform: Platform) -> None:
    made = platform.create(BEFORE).ref
    steps = LOOK_BACK + 2  # more than are read one by one below an issue of Jira
    for number in range(1, steps + 1):
        platform.write(BEFORE, Verb.TASK, f"playbook/{number}", made, fields={"title": f"Step {number}"})
    again = platform.write(PRODUCTION, Verb.TASK, "playbook/1", made, begun=True, fields={"title": "Step 1"})
    assert (again.was_found, platform.steps(made)) == (True, steps)


def test_a_step_of_a_version_before_below_another_record_is_not_ours(platform: Platform) -> None:
    theirs = platform.create(BEFORE).ref
    platform.write(BEFORE, Verb.TASK, "playbook/1", theirs, fields={"title": "Hire"})
    ours = platform.create(STAGING).ref
    assert not platform.write(STAGING, Verb.TASK, "playbook/1", ours, begun=True, fields={"title": "Hire"}).was_found
    assert (platform.steps(theirs), platform.steps(ours)) == (1, 1)


def test_what_a_version_before_may_have_begun_and_did_not_make_gets_a_trace_with_a_name(platform: Platform) -> None:
    made = platform.create(PRODUCTION, begun=True)
    assert not made.was_found
    assert platform.existing(made.ref).installation == PRODUCTION
    assert platform.create(PRODUCTION).ref.id == made.ref.id


def test_a_record_that_people_made_and_another_installation_adopted_says_so(platform: Platform) -> None:
    ref = platform.by_people("Slow mail")
    assert (platform.existing(ref).mark, platform.existing(ref).installation) == ("", "")
    platform.write(PRODUCTION, Verb.NOTE, "note/adopted", ref, text="Taken into the loop.")
    platform.write(PRODUCTION, Verb.UPDATE, "update/1", ref, fields={"url": URL}, is_adopted=True)
    found = platform.existing(ref)
    assert (found.mark, found.installation) == (platform.action, PRODUCTION)


def test_a_dry_run_shows_the_trace_that_names_us(platform: Platform) -> None:
    create = Outbound(
        verb=Verb.CREATE, key="ACT-0/create", action_id="ACT-0", installation=STAGING, fields={"title": "Fewer"}
    )
    (shown, *_) = platform.connector.preview(create, None)
    assert f"rk-{STAGING}-act-0" in shown.body.lower()
    older = msgspec.structs.replace(create, installation=BEFORE)
    assert "rk-act-0" in platform.connector.preview(older, None)[0].body.lower()


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("k7m2qd4x-ACT-7", Mark("ACT-7", "k7m2qd4x")),
        ("k7m2qd4x/ACT-7/note/final", Mark("ACT-7/note/final", "k7m2qd4x")),
        ("k7m2qd4x-ACT-7/playbook/1", Mark("ACT-7/playbook/1", "k7m2qd4x")),
        ("ACT-7", Mark("ACT-7")),
        ("act-1234567", Mark("act-1234567")),
        ("", Mark()),
        ("K7M2QD4X-ACT-7", Mark("K7M2QD4X-ACT-7")),  # we never write it so
    ],
)
def test_a_trace_tells_whose_it_is(text: str, mark: Mark) -> None:
    assert read(text) == mark


@pytest.mark.parametrize("between", ["-", "/"])
def test_a_trace_is_read_as_it_was_made(between: str) -> None:
    assert read(named("k7m2qd4x", "ACT-7", between=between)) == Mark("ACT-7", "k7m2qd4x")


def test_every_key_tells_the_action_it_is_of() -> None:
    assert {Mark(key).action for key in ("ACT-7", "ACT-7/note/final", "ACT-7/playbook/1")} == {"ACT-7"}
    assert Mark().action == ""


@pytest.mark.parametrize(
    ("who", "begun", "names"),
    [
        (PRODUCTION, False, (PRODUCTION,)),
        (PRODUCTION, True, (PRODUCTION, BEFORE)),
        (BEFORE, False, (BEFORE,)),
        (BEFORE, True, (BEFORE,)),  # once, not twice
    ],
)
def test_what_an_earlier_version_may_have_begun_is_looked_for_under_both_names(
    who: str, begun: bool, names: tuple[str, ...]
) -> None:
    write = Outbound(
        verb=Verb.NOTE, key="ACT-7/note/final", action_id="ACT-7", installation=who, may_stand_unnamed=begun
    )
    assert looked_for(write) == names
