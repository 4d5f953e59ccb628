"""A record that people made comes into the loop under the same guards; what cannot be measured never improves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from connectors.existing import Existing
from improvement import weeks
from improvement.errors import ConnectionFailed, GuardRefused, InputError, PermissionMissing
from improvement.pdca import Event
from improvement.records import Outbound, PlatformState, RecordRef, Verb
from improvement.review import json_schema
from tests.workflows.build import a_connection, a_person, an_action, looked
from tests.workflows.platform import MemoryPlatform
from workflows import cycle
from workflows.actions import adopting, commands, loop
from workflows.checks import reviewing
from workflows.cli.story import story_of
from workflows.deliveries import outbox
from workflows.evidence import verifying
from workflows.models import Action, LedgerEntry, LookKind, Person, Role, our_installation
from workflows.steps import follow
from workflows.steps.pull import pull
from workflows.warehouse import Warehouse

pytestmark = pytest.mark.django_db
URL = "https://snow.example/sn_cim_register.do?sys_id=1"
OPENED_THERE = datetime(2025, 6, 25, 9, tzinfo=UTC)  # a Wednesday in the 78th week
NOW = OPENED_THERE + timedelta(weeks=12)
REF = RecordRef(connection="snow", mode="cim", id="id-1", number="CIM1", url=URL)
MEASURE: dict[str, Any] = {"metric": "sla_breach_rate", "where": "kind=incident,sla.target=resolution"}


class Desk(MemoryPlatform):
    """A platform on which somebody began an improvement."""

    def __init__(self, name: str = "snow") -> None:
        super().__init__(name=name, scopes={"Mail": {0: 0.1, 70: 0.25}, "Web": {0: 0.1}, "Chat": {0: 0.1}})
        self.stands: dict[str, Any] = {"state": "new", "owner": None, "due": None}
        self.record: dict[str, Any] = {"title": "Faster mail", "service": "Mail", "mark": "", "opened_at": OPENED_THERE}

    def existing(self, url: str) -> Existing | None:
        if not url.startswith("https://snow.example/"):
            return None
        ref = msgspec.structs.replace(REF, connection=self.name)
        return Existing(ref=ref, state=self.states([ref])[0], **self.record)

    def states(self, refs: Any) -> list[PlatformState]:
        blank = {"state_changed_by": None, "state_changed_at": None, "close_code": None}
        return [PlatformState(**{**blank, **self.stands, "ref": ref}) for ref in refs]


@pytest.fixture
def desk(home: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Pulled up to now; the loop's only connection."""
    a_connection()
    desk = Desk()
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        pull(desk, warehouse, as_of=NOW)
    serve(monkeypatch, desk)
    return desk


def serve(monkeypatch: pytest.MonkeyPatch, *desks: Desk) -> None:
    @contextmanager
    def connectors(names: list[str] | None = None) -> Iterator[list[Desk]]:
        yield [desk for desk in desks if not names or desk.name in names]

    monkeypatch.setattr(cycle, "connectors", connectors)


@pytest.fixture
def olga(desk: Desk) -> Person:
    return a_person("olga", Role.SERVICE_OWNER)


@pytest.fixture
def paul(desk: Desk) -> Person:
    return a_person("paul", Role.APPROVER)


@pytest.fixture
def adopted(olga: Person) -> Callable[..., Action]:
    return lambda **options: adopting.adopt(olga, URL, at=NOW, **{**MEASURE, **options})


def reasons_of(refused: Callable[[], object]) -> list[str]:
    with pytest.raises(GuardRefused) as refusal:
        refused()
    return refusal.value.reasons


def test_its_origin_is_recorded_in_the_ledger_its_history_and_its_story(adopted: Callable[..., Action]) -> None:
    action = adopted(goal="-30%")
    (entry,) = LedgerEntry.objects.filter(subject=action.code, type="action.adopted")
    told = msgspec.json.decode(bytes(entry.data))["payload"]
    assert (told["record"], told["number"], told["mode"]) == ("id-1", "CIM1", "cim")
    assert told["opened_there_at"] == OPENED_THERE.isoformat()
    assert action.transitions.get(event="open").note == "adopted CIM1"
    facts = dict(row[:2] for row in story_of(action)[0][2])
    assert facts["adopted"] == "CIM1, opened there on 2025-06-25"
    assert facts["rule"] == "adopted by a person"
    detail = loop.detail(action)
    assert (detail["origin"], detail["record"], detail["unmeasured"]) == ("adopted", "CIM1", None)
    assert detail["trigger"]["adopted_record"] == "CIM1"
    assert verifying.verify().is_ok


def test_its_trigger_window_is_the_eight_weeks_before_the_record_was_opened(adopted: Callable[..., Action]) -> None:
    action = adopted()
    assert action.measurement["windows"]["trigger"] == {"from": "2025-04-28", "to": "2025-06-22"}
    assert action.measurement["windows"]["reference"]["to"] == "2025-04-27"  # before whoever opened it saw anything
    assert action.opened_at == NOW


def test_a_record_opened_today_has_the_eight_weeks_before_today(desk: Desk, adopted: Callable[..., Action]) -> None:
    desk.record["opened_at"] = None
    last = weeks.last_complete_week(NOW, "UTC")
    action = adopted()
    assert (action.trigger["from_week"], action.trigger["to_week"]) == (last - 7, last)


def test_a_record_older_than_all_data_has_nothing_to_be_compared_with(
    desk: Desk, adopted: Callable[..., Action], olga: Person
) -> None:
    desk.record["opened_at"] = datetime(2022, 1, 3, tzinfo=UTC)
    action = adopted(goal="-30%")
    assert "baseline" not in action.measurement
    commands.plan(olga, action.code, at=NOW, hypothesis="x", golive=NOW.date() + timedelta(weeks=4))
    reasons = reasons_of(lambda: commands.submit(olga, action.code, at=NOW))
    assert "the goal cannot be judged: the scope has no data in the reference window" in reasons


def test_what_went_live_before_it_was_adopted_is_late_and_can_never_be_improved(
    adopted: Callable[..., Action], olga: Person, paul: Person
) -> None:
    action = adopted(goal="-50%")
    commands.plan(
        olga, action.code, at=NOW, hypothesis="Second shift", golive=NOW.date(), accept_detectable="It is live."
    )
    commands.submit(olga, action.code, at=NOW)
    commands.golive(olga, action.code, at=NOW, on=OPENED_THERE.date() + timedelta(weeks=4))
    action = commands.approve(paul, action.code, at=NOW)
    assert (action.state, action.is_late) == ("checking", True)
    later = NOW + timedelta(weeks=20)
    refused = reasons_of(lambda: loop.move(action, Event.FINAL_LOOK, actor="engine", at=later, verdict="improved"))
    assert refused == ["a late action cannot be improved, only improved, not attributable"]


def test_what_went_live_before_the_record_was_opened_cannot_be_dated(
    adopted: Callable[..., Action], olga: Person
) -> None:
    action = adopted()
    early = OPENED_THERE.date() - timedelta(weeks=2)
    (reason,) = reasons_of(lambda: commands.golive(olga, action.code, at=NOW, on=early))
    assert "lies in or before the trigger window" in reason


def test_without_a_metric_it_is_kept_and_no_event_leads_to_a_verdict(
    desk: Desk, adopted: Callable[..., Action], olga: Person, paul: Person
) -> None:
    action = adopted(metric="", where="")
    assert (action.metric, action.scope) == ("", {"service": "Mail"})
    assert action.measurement == {"unmeasured": "no metric was named for it"}
    commands.plan(olga, action.code, at=NOW, hypothesis="Second shift", golive=date(2025, 10, 6), goal="-30%")
    assert "the metric is missing" in reasons_of(lambda: commands.submit(olga, action.code, at=NOW))
    assert reasons_of(lambda: commands.approve(paul, action.code, at=NOW))
    commands.golive(olga, action.code, at=NOW, on=NOW.date())
    assert reasons_of(lambda: loop.move(action, Event.FINAL_LOOK, actor="engine", at=NOW, verdict="improved"))
    assert not action.looks.exists()
    facts = dict(row[:2] for row in story_of(action)[0][2])
    assert facts["not measured"].startswith("no metric was named for it: `regelkreis actions measure")
    assert commands.cancel(olga, action.code, at=NOW, reason="Given up.").state == "cancelled"


def test_a_service_that_no_ticket_names_leaves_it_unmeasured_but_a_scope_that_was_typed_is_told(
    desk: Desk, adopted: Callable[..., Action]
) -> None:
    with pytest.raises(InputError, match="Did you mean service=Mail"):
        adopted(scope="service=Mial")
    assert not Action.objects.exists()
    desk.record["service"] = "Facility"
    action = adopted(goal="-30%")
    assert (action.metric, action.goal) == ("", "-30%")
    assert action.measurement == {"unmeasured": "nothing is counted for its service on this connection"}


def test_a_metric_is_named_once_and_only_before_the_plan(
    desk: Desk, adopted: Callable[..., Action], olga: Person
) -> None:
    action = adopted(metric="", where="")
    measured = adopting.measure(olga, action.code, at=NOW, goal="-40%", **MEASURE)
    assert (measured.metric, measured.goal) == ("sla_breach_rate", "-40%")
    assert measured.measurement["windows"]["trigger"]["to"] == "2025-06-22"
    (reason,) = reasons_of(lambda: adopting.measure(olga, action.code, at=NOW, **MEASURE))
    assert reason == "it is measured by sla_breach_rate already"
    (entry,) = LedgerEntry.objects.filter(subject=action.code, type="action.measured")
    assert msgspec.json.decode(bytes(entry.data))["payload"]["metric"] == "sla_breach_rate"


def test_whoever_names_a_metric_while_a_cycle_runs_undoes_nothing_of_it(
    adopted: Callable[..., Action], olga: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    action, otto = adopted(metric="", where=""), a_person("otto", Role.SERVICE_OWNER)
    free = adopting.our_warehouse

    @contextmanager
    def waited_for() -> Iterator[Warehouse]:
        commands.plan(olga, action.code, at=NOW, hypothesis="Written meanwhile.")
        commands.assign(olga, action.code, otto, at=NOW)
        with free() as warehouse:
            yield warehouse

    monkeypatch.setattr(adopting, "our_warehouse", waited_for)
    root = a_person("root", Role.ADMIN, Role.SERVICE_OWNER)
    adopting.measure(root, action.code, at=NOW, **MEASURE)
    action.refresh_from_db()
    assert (action.owner, action.hypothesis, action.metric) == (otto, "Written meanwhile.", "sla_breach_rate")


def test_everything_that_forbids_it_is_told_at_once(desk: Desk, adopted: Callable[..., Action]) -> None:
    first = adopted()
    desk.stands["state"] = "closed"
    assert reasons_of(adopted) == [
        f"it was adopted as {first.code} already (proposed)",
        "it is closed there; only what is open can be taken into the loop",
        "this rule and scope has an open action already",
    ]
    assert Action.objects.count() == 1


def test_a_record_with_the_mark_of_an_action_is_not_taken_from_it(desk: Desk, adopted: Callable[..., Action]) -> None:
    desk.record["mark"] = "ACT-12"
    marked_by = {
        our_installation(): "it carries our own mark of ACT-12, which is not in this state: it may be of a backup",
        "abcdefgh": "it carries the mark of ACT-12 of another installation (abcdefgh), which keeps it",
        "": "it carries the mark of ACT-12: another installation keeps it, or a delivery that still waits made it",
    }
    for installation, told in marked_by.items():
        desk.record["installation"] = installation
        assert reasons_of(adopted) == [told]
    assert not Action.objects.exists()


@pytest.mark.parametrize(
    ("platform_id", "connection", "state", "told"),
    [
        ("", "snow", "waiting", ["a delivery that still waits made it"]),
        ("", "snow", "dead", ["{key} made it and was given up; `regelkreis deliveries replay {key}` takes it"]),
        ("", "snow", "discarded", ["{key} made it and was given up; `regelkreis deliveries replay {key}` takes it"]),
        ("", "snow", "withdrawn", []),
        ("id-1", "again", "sent", ["which is on connection again"]),
        ("id-0", "snow", "sent", []),
    ],
    ids=["waits", "is dead", "was discarded", "was withdrawn", "through another connection", "a copy"],
)
def test_a_record_with_our_own_mark_is_free_only_where_it_is_a_copy(
    desk: Desk, adopted: Callable[..., Action], platform_id: str, connection: str, state: str, told: list[str]
) -> None:
    action = an_action(None, connection=connection)
    Action.objects.update(platform_id=platform_id)
    create = Outbound(verb=Verb.CREATE, key=f"{action.code}/create", action_id=action.code)
    outbox.queue(action, create, at=NOW)
    action.deliveries.update(state=state)
    desk.record |= {"mark": action.code, "installation": our_installation()}
    if not told:
        assert adopted().platform_id == REF.id
        return
    (reason,) = reasons_of(adopted)
    assert reason.startswith(f"it carries our own mark of {action.code}")
    assert reason.endswith(told[0].format(key=create.key))


def test_two_people_at_once_make_one_action(adopted: Callable[..., Action], monkeypatch: pytest.MonkeyPatch) -> None:
    adopted()
    monkeypatch.setattr(adopting, "_why_not", lambda found: [])  # as both read it before either wrote
    assert reasons_of(lambda: adopted(metric="")) == ["somebody adopted it just now"]
    assert Action.objects.count() == 1


def test_the_budget_of_its_owner_counts(home: Path, adopted: Callable[..., Action], olga: Person) -> None:
    (home / "rules" / "defaults.yaml").write_text(
        "apiVersion: regelkreis/v1\nkind: Defaults\nspec: {limits: {budget: 1}}\n", encoding="utf-8"
    )
    Action.objects.create(
        origin="person", connection="snow", scope={}, scope_key="x", metric="csat_mean", title="t", state="proposed",
        owner=olga, opened_at=NOW, last_moved_at=NOW,
    )  # fmt: skip
    assert reasons_of(adopted) == ["olga has 1 open action; the budget is 1"]


def test_only_a_service_owner_of_its_scope_adopts(desk: Desk, paul: Person) -> None:
    with pytest.raises(PermissionMissing, match="paul is no service owner for service=Mail"):
        adopting.adopt(paul, URL, at=NOW, **MEASURE)
    desk.record["service"] = None
    with pytest.raises(PermissionMissing, match="paul is no service owner for everything on snow"):
        adopting.adopt(paul, URL, at=NOW)


def test_whoever_the_record_names_owns_it(desk: Desk, adopted: Callable[..., Action]) -> None:
    gerda = a_person("gerda", Role.SERVICE_OWNER)
    desk.stands |= {"owner": "gerda", "due": date(2025, 12, 1)}
    action = adopted()
    assert (action.owner, action.due) == (gerda, date(2025, 12, 1))


def test_an_owner_nobody_knows_leaves_it_ownerless_and_one_without_rights_is_a_gap(
    desk: Desk, adopted: Callable[..., Action], paul: Person
) -> None:
    desk.stands["owner"] = "stranger"
    action = adopted()
    assert (action.owner, action.unknown_owner) == (None, "stranger")
    desk.stands["owner"] = "paul"
    follow.follow(desk, as_of=NOW + timedelta(days=7))
    action.refresh_from_db()
    assert (action.owner, action.diverged) == (None, f"paul is no service owner for {action.code}")


def test_work_that_has_begun_there_is_a_gap_until_its_plan_is_approved(
    desk: Desk, adopted: Callable[..., Action], olga: Person, paul: Person
) -> None:
    desk.stands["state"] = "in_progress"
    action = adopted(goal="-50%")
    assert (action.state, action.diverged) == (
        "proposed", "a plan that is submitted and approved, before work begins"
    )  # fmt: skip
    assert [delivery.key.partition("/")[2] for delivery in action.deliveries.order_by("id")] == [
        "note/adopted", "note/diverged-1-state-in_progress", "update/0"
    ]  # fmt: skip
    commands.plan(
        olga, action.code, at=NOW, hypothesis="Second shift", golive=date(2025, 10, 6), accept_detectable="We have to."
    )
    commands.submit(olga, action.code, at=NOW)
    commands.approve(paul, action.code, at=NOW)
    follow.follow(desk, as_of=NOW + timedelta(days=7))
    action.refresh_from_db()
    assert (action.state, action.diverged) == ("doing", "")


def test_what_is_sent_are_measured_fields_only(adopted: Callable[..., Action]) -> None:
    action = adopted(goal="-50%")
    sent = [msgspec.json.decode(bytes(one.outbound)) for one in action.deliveries.order_by("id")]
    assert [one["verb"] for one in sent] == ["note", "update"]
    assert set(sent[1]["fields"]) == {"baseline", "target", "next_review", "verdict", "url"}
    assert sent[1]["is_adopted"] is True


def test_an_address_of_no_connection_names_the_sites_there_are(desk: Desk, olga: Person) -> None:
    with pytest.raises(InputError, match="is of no connection"):
        adopting.adopt(olga, "https://other.example/browse/CIP-1", at=NOW)


def test_a_site_of_two_connections_needs_a_name(
    desk: Desk, olga: Person, monkeypatch: pytest.MonkeyPatch, adopted: Callable[..., Action]
) -> None:
    serve(monkeypatch, desk, Desk("again"))
    with pytest.raises(InputError, match="several connections: snow, again"):
        adopted()
    assert adopted(connection="snow").connection == "snow"


def test_a_connection_that_fails_does_not_hide_the_record_of_another(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, adopted: Callable[..., Action]
) -> None:
    class Down(Desk):
        def existing(self, url: str) -> Existing | None:
            raise ConnectionFailed("It is down.")

    serve(monkeypatch, Down("again"), desk)
    assert adopted().connection == "snow"
    serve(monkeypatch, Down("again"))
    with pytest.raises(ConnectionFailed):
        adopted()


def test_its_reviews_name_the_record_that_was_adopted(
    adopted: Callable[..., Action], olga: Person, paul: Person
) -> None:
    action = adopted(goal="-50%")
    golive = NOW.date() + timedelta(weeks=2)
    commands.plan(olga, action.code, at=NOW, hypothesis="Second shift", golive=golive, accept_detectable="We have to.")
    commands.submit(olga, action.code, at=NOW)
    commands.approve(paul, action.code, at=NOW)
    commands.golive(olga, action.code, at=NOW + timedelta(weeks=3), on=golive)
    action.refresh_from_db()
    document = reviewing.published(looked(action, kind=LookKind.LOOK)[1])
    jsonschema.Draft202012Validator(json_schema()).validate(document)
    assert document["trigger"]["adopted_record"] == "CIM1"
    assert document["trigger"]["adopted_opened_at"] == OPENED_THERE.isoformat()
