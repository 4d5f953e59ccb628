"""The matrix of `make faults`: some of its cells, and that a cell can turn red."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from bench.faults import holdings
from bench.faults.deleting import RESTORED, deleted_cells, killed_cells
from bench.faults.desks import Desks, Step, Story
from bench.faults.flow_traps import FLOW
from bench.faults.flowing import flow_cell
from bench.faults.jira_flowing import jira_flow_cell
from bench.faults.killing import IN_EFFECT, Delivering, Killers, kill_cells
from bench.faults.kinds import Kind
from bench.faults.places import serving
from bench.faults.pulling import pull_cell
from bench.faults.pulling_processes import PULLED, process_cell
from bench.faults.together import TOGETHER
from bench.faults.traps import EVERYWHERE, PULL, PullTrap
from bench.faults.two_at_once import MEETINGS, ON_POSTGRESQL, two_cells
from bench.faults.write_traps import WRITE, WriteTrap
from bench.faults.writing import write_cells
from connectors.base import Cursor, Keys, Page
from connectors.jira.connector import JiraConnector
from connectors.jira.sending import LiveSender
from connectors.mapping import merged
from connectors.sandbox.plugin import Flavour
from connectors.servicenow.columns import Columns, Value
from connectors.servicenow.connector import ServiceNowConnector
from connectors.servicenow.defaults import DEFAULT
from improvement.records import Outbound, PlatformState, Receipt, RecordKind, RecordRef
from tests.postgresql_server import PostgresServer
from workflows.steps.departures import Departed, Departures
from workflows.steps.lacking import Found, Lacking

every_connector = pytest.mark.parametrize("flavour", EVERYWHERE)
# What a platform does not have, or never has otherwise: a survey of ServiceNow has these of its ticket, if at all.
_ON_JIRA = {"survey.kind", "survey.sent_at", "survey.scale_min", "survey.scale_max", "contact.service"}
ALWAYS_SAME: dict[Flavour, set[str]] = {
    "servicenow": {"survey.kind", "survey.customer", "survey.country", "survey.service", "contact.service"},
    "jira_cloud": _ON_JIRA,
    "jira_dc": _ON_JIRA,
}
_NO_OUTAGE = {RecordKind.OUTAGE}
WITHOUT: dict[Flavour, set[RecordKind]] = {"servicenow": set(), "jira_cloud": _NO_OUTAGE, "jira_dc": _NO_OUTAGE}


@pytest.fixture(scope="module")
def desks() -> Iterator[Desks]:
    """One sandbox of each platform for all that is written."""
    with Desks() as opened:
        yield opened


@pytest.fixture(scope="module")
def killers(desks: Desks) -> Iterator[Killers]:
    """The home from which processes deliver."""
    with Killers(desks) as opened:
        yield opened


def red(cells: Mapping[str, str]) -> dict[str, str]:
    """What is wrong, by the kind of request."""
    assert cells
    return {kind: text for kind, text in cells.items() if text}


def pull_trap(name: str, flavour: Flavour) -> PullTrap:
    return next(trap for trap in (*PULL, *TOGETHER) if trap.name == name and flavour in trap.on)


def write_trap(name: str) -> WriteTrap:
    return next(trap for trap in WRITE if trap.name == name)


@every_connector
def test_a_bad_day_on_the_wire_loses_and_doubles_nothing(flavour: Flavour) -> None:
    assert pull_cell(pull_trap("slow and 429 and cut and reset", flavour), flavour) == ""


@every_connector
def test_data_that_changes_while_it_is_paged_is_read_whole(flavour: Flavour) -> None:
    assert pull_cell(pull_trap("data changing while paging", flavour), flavour) == ""


def test_a_survey_answered_in_two_sittings_counts_with_all_its_answers() -> None:
    assert pull_cell(pull_trap("surveys answered in two sittings", "servicenow"), "servicenow") == ""


@pytest.mark.parametrize("name", ["answers capped, rows hidden", "rows hidden, data changing"])
def test_pages_shorter_than_asked_for_lose_nothing(name: str) -> None:
    assert pull_cell(pull_trap(name, "servicenow"), "servicenow") == ""


def test_a_connector_that_takes_calendar_time_for_business_time_turns_its_cell_red(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trap = pull_trap("clocks in business hours, or without a schedule", "servicenow")
    assert pull_cell(trap, "servicenow") == ""
    swapped = merged(DEFAULT, {"sla": {"fields": {"elapsed_s": ["duration", "business_duration"]}}}, connection="acme")
    monkeypatch.setattr("connectors.servicenow.connector.DEFAULT", swapped)
    assert "sla against platform" in pull_cell(trap, "servicenow")


@every_connector
def test_a_write_cut_off_after_it_took_effect_is_not_made_twice(flavour: Flavour, desks: Desks) -> None:
    assert red(write_cells(write_trap("reset after"), desks, flavour)) == {}


@pytest.mark.parametrize("mode", ["custom", "problem", "task_min"])
def test_nor_is_it_in_another_table(mode: str, desks: Desks) -> None:
    assert red(write_cells(write_trap("reset after"), desks, "servicenow", mode)) == {}


def test_a_connector_that_believes_an_answer_with_an_error_turns_its_cells_red(
    desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = write_trap("reset after, then looking: 200 with an error")
    assert red(write_cells(trap, desks, "jira_cloud")) == {}
    assert jira_flow_cell("followed, 200 with an error", desks, "jira_dc") == ""
    monkeypatch.setattr("connectors.jira.site._refuse_error", lambda content, config, what: None)
    assert "record: 2 instead of 1" in write_cells(trap, desks, "jira_cloud")["record"]
    assert "it comes home as" in jira_flow_cell("followed, 200 with an error", desks, "jira_dc")


def test_writes_wait_while_nobody_knows_us(desks: Desks, monkeypatch: pytest.MonkeyPatch) -> None:
    trap = write_trap("token expired")
    assert red(write_cells(trap, desks, "jira_cloud")) == {}
    monkeypatch.setattr("connectors.jira.writing.is_there_after_all", lambda jira, id: False)
    assert "gone or hidden" in write_cells(trap, desks, "jira_cloud")["note"]  # which does not say who nobody is


def test_a_connector_that_tells_nothing_of_what_it_finds_turns_its_cells_red(
    desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = write_trap("a field read-only + reset after")
    assert red(write_cells(trap, desks, "servicenow")) == {}
    monkeypatch.setattr("connectors.servicenow.writing.Writer._left", lambda self, outbound, intent: ({}, {}))
    assert red(write_cells(trap, desks, "servicenow")).keys() == {"record", "task"}


@pytest.mark.parametrize("name", ["moved to another project", "an issue full of links (413)", "approved again"])
@pytest.mark.parametrize("flavour", ["jira_cloud", "jira_dc"])
def test_what_people_do_on_a_jira_is_followed_or_told(name: str, flavour: Flavour, desks: Desks) -> None:
    assert jira_flow_cell(name, desks, flavour) == ""


@pytest.mark.parametrize("flavour", ["servicenow", "jira_dc"])
def test_the_hour_that_occurs_twice_loses_and_doubles_nothing(flavour: Flavour) -> None:
    assert pull_cell(pull_trap("the hour that is twice", flavour), flavour) == ""


def test_a_connector_that_leaves_an_approval_out_turns_its_cell_red(
    monkeypatch: pytest.MonkeyPatch, desks: Desks
) -> None:
    trap = next(trap for trap in FLOW if trap.name == "approved")
    assert flow_cell(trap, desks) == ""
    states = ServiceNowConnector.states

    def forgetful(self: ServiceNowConnector, refs: Sequence[RecordRef]) -> list[PlatformState]:
        return [msgspec.structs.replace(state, approvals=()) for state in states(self, refs)]

    monkeypatch.setattr(ServiceNowConnector, "states", forgetful)
    assert "approvals here []" in flow_cell(trap, desks)


def test_a_connector_that_sends_again_what_is_unknown_turns_its_cell_red(
    monkeypatch: pytest.MonkeyPatch, desks: Desks
) -> None:
    """Its index lags, and it looks no further than the index."""
    trap = write_trap("index lags, reset after")
    monkeypatch.setattr("connectors.jira.finding._unindexed", lambda connector, label, indexed: None)
    assert write_cells(trap, desks, "jira_dc")["record"] != ""
    monkeypatch.setattr("connectors.jira.writing.never_send_again", lambda *outbound, **words: None)
    assert "record: 2 instead of 1" in write_cells(trap, desks, "jira_dc")["record"]


def test_a_connector_that_loses_pages_turns_its_cell_red(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of one small page would be found lacking, and read by their ids."""
    pull = ServiceNowConnector.pull

    def careless(
        self: ServiceNowConnector, kind: RecordKind, cursor: Cursor | None, *, until: datetime
    ) -> Iterator[Page]:
        pages = list(pull(self, kind, cursor, until=until))
        yield from pages[4:] if kind is RecordKind.TICKET else pages

    monkeypatch.setattr(ServiceNowConnector, "pull", careless)
    assert "missing" in pull_cell(pull_trap("no trap", "servicenow"), "servicenow")


def test_a_connector_that_loses_what_came_along_turns_its_cell_red(monkeypatch: pytest.MonkeyPatch) -> None:
    pull_with_others = JiraConnector.pull_with_others

    def careless(
        self: JiraConnector, kind: RecordKind, cursors: Mapping[RecordKind, Cursor | None], *, until: datetime
    ) -> Iterator[Page]:
        for page in pull_with_others(self, kind, cursors, until=until):
            yield msgspec.structs.replace(page, along=())

    monkeypatch.setattr(JiraConnector, "pull_with_others", careless)
    assert "missing" in pull_cell(pull_trap("no trap", "jira_cloud"), "jira_cloud")


def test_a_field_that_is_misread_every_time_turns_its_cell_red(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pulls agree about it, so only what the platform itself shows can tell."""
    pull = ServiceNowConnector.pull

    def misread(
        self: ServiceNowConnector, kind: RecordKind, cursor: Cursor | None, *, until: datetime
    ) -> Iterator[Page]:
        for page in pull(self, kind, cursor, until=until):
            names = list(page.batch.column_names)
            swapped = {"opened_at": "created_at", "begin_at": "end_at"}
            columns = [page.batch[swapped.get(name, name)] for name in names]
            yield msgspec.structs.replace(page, batch=pa.Table.from_arrays(columns, schema=page.batch.schema))

    monkeypatch.setattr(ServiceNowConnector, "pull", misread)
    assert "against platform" in pull_cell(pull_trap("no trap", "servicenow"), "servicenow")


@every_connector
def test_every_column_that_is_compared_takes_several_values_so_none_can_be_misread_unnoticed(flavour: Flavour) -> None:
    trap = pull_trap("no trap", flavour)
    with serving(flavour, trap.until, **trap.served) as running:
        facts = {kind: found for kind, found in holdings.of_platform(running, flavour).items() if found}
    always_same = {
        f"{kind.value}.{column}"
        for kind, found in facts.items()
        for column, values in zip(holdings.COLUMNS[kind], zip(*found, strict=True), strict=True)
        if len(set(values)) == 1
    }
    assert set(facts) == set(RecordKind) - WITHOUT[flavour]
    assert always_same == ALWAYS_SAME[flavour]


def test_a_connector_that_writes_blindly_turns_its_cell_red(monkeypatch: pytest.MonkeyPatch, desks: Desks) -> None:
    write = ServiceNowConnector.write

    def blind(self: ServiceNowConnector, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        if outbound.verb == "note" and ref is not None:
            table, text = "sn_cim_register", {"work_notes": outbound.text}
            session: Any = self._instance.reader.session
            session.patch(f"{self._instance.config.url}/api/now/table/{table}/{ref.id}", json=text)
        return write(self, outbound, ref)

    monkeypatch.setattr(ServiceNowConnector, "write", blind)
    assert red(write_cells(write_trap("no trap"), desks, "servicenow")) == {"note": "notes: 2 instead of 1"}


@pytest.mark.parametrize(
    ("sender", "kind", "text"),
    [
        ("edit", "update", "updates: 0 instead of 1"),
        ("set_property", "property", "kept: "),
        ("transition", "transition", "moves: 0 instead of 1"),
        ("remote_link", "remote link", "pages: "),
        ("comment", "note", "notes: 0 instead of 1"),
        ("attach", "file", "files: [] instead of"),
        ("link", "links", "links: [] instead of"),
    ],
)
def test_a_request_that_is_never_sent_turns_its_cell_red(
    monkeypatch: pytest.MonkeyPatch, desks: Desks, sender: str, kind: str, text: str
) -> None:
    monkeypatch.setattr(LiveSender, sender, lambda *arguments, **options: None)
    cells = write_cells(write_trap("no trap"), desks, "jira_cloud")
    assert text in cells[kind] or "read back otherwise" in cells[kind]


@pytest.mark.parametrize(
    ("moment", "flavour", "kind"),
    [
        ("looking, nothing sent", "servicenow", "note"),
        ("sent, takes effect later", "jira_cloud", "record"),
        ("sent, lost on its way", "jira_dc", "record"),
        (IN_EFFECT, "jira_dc", "record"),
    ],
)
def test_a_process_killed_while_it_delivers_doubles_and_loses_nothing(
    desks: Desks, killers: Killers, moment: str, flavour: Flavour, kind: str
) -> None:
    assert kill_cells(moment, desks, killers, flavour, kinds=(kind,)) == {kind: ""}


def test_a_delivery_that_is_not_sent_again_turns_its_cell_red(
    desks: Desks, killers: Killers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next process comes too early, and nobody after it."""
    monkeypatch.setattr("bench.faults.killing.SETTLED", 0)
    cells = kill_cells("sent, lost on its way", desks, killers, "servicenow", kinds=("note",))
    assert "it is waiting" in cells["note"]


def test_a_process_that_is_not_killed_turns_its_cell_red(
    desks: Desks, killers: Killers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks for nothing of this name, so it is never held."""
    monkeypatch.setattr("bench.faults.killing.LOOKING", {"servicenow": {"path": "/nowhere$"}})
    cells = kill_cells("looking, nothing sent", desks, killers, "servicenow", kinds=("note",))
    assert "never held" in cells["note"]


def test_a_connector_that_does_not_tell_what_it_reads_back_turns_its_cells_red(
    monkeypatch: pytest.MonkeyPatch, desks: Desks
) -> None:
    traps = [write_trap(name) for name in ("a rule changes a value", "a field read-only")]
    monkeypatch.setattr("connectors.servicenow.writing._differences", lambda sent, found: {})
    for trap in traps:
        assert set(red(write_cells(trap, desks, "servicenow"))) == set(trap.kinds)


def test_a_connector_that_does_not_tell_an_unknown_choice_turns_its_cell_red(
    monkeypatch: pytest.MonkeyPatch, desks: Desks
) -> None:
    trap, body = write_trap("an unknown choice"), Columns.body
    assert red(write_cells(trap, desks, "servicenow")) == {}

    def silent(self: Columns, fields: Mapping[str, Value]) -> tuple[dict[str, str], dict[str, str]]:
        found, unwritten = body(self, fields)
        return found, {name: why for name, why in unwritten.items() if name != "method"}

    monkeypatch.setattr(Columns, "body", silent)
    assert set(red(write_cells(trap, desks, "servicenow"))) == {"record"}


def test_a_trap_that_no_request_meets_turns_its_cell_red(desks: Desks) -> None:
    trap = WriteTrap("nowhere", rules=({"kind": "reset_after", "path": "/nowhere$"},))
    assert set(write_cells(trap, desks, "servicenow").values()) == {"the trap was met by no request"}


@pytest.mark.parametrize(
    ("name", "flavour"),
    [("deletions, audited", "servicenow"), ("SLA repair, fewer rows, not audited", "servicenow")]
    + [("deletions", flavour) for flavour in EVERYWHERE if flavour != "servicenow"]
    + [("SLAs rebuilt, issues untouched", "jira_cloud")],
)
def test_what_is_gone_or_rewritten_without_a_trace_is_found(name: str, flavour: Flavour) -> None:
    assert pull_cell(pull_trap(name, flavour), flavour) == ""


def test_a_pull_that_never_looks_for_what_is_gone_turns_its_cell_red(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Departures, "look", lambda *arguments, **options: Departed())
    assert "9 too many" in pull_cell(pull_trap("deletions, audited", "servicenow"), "servicenow")


def test_a_pull_that_does_not_read_what_it_lacks_turns_its_cell_red(monkeypatch: pytest.MonkeyPatch) -> None:
    trap = pull_trap("issues hidden, then shown", "jira_dc")
    assert pull_cell(trap, "jira_dc") == ""
    monkeypatch.setattr(Lacking, "read", lambda *arguments, **options: Found())
    assert "missing" in pull_cell(trap, "jira_dc")


def test_a_connector_that_only_asks_whether_an_issue_exists_turns_its_cell_red(monkeypatch: pytest.MonkeyPatch) -> None:
    trap = pull_trap("moved out of the filter", "jira_cloud")
    assert pull_cell(trap, "jira_cloud") == ""
    monkeypatch.setattr("connectors.jira.deletions._left", lambda *arguments: (set(), 0))
    assert "too many" in pull_cell(trap, "jira_cloud")


def test_a_connector_that_keeps_what_left_the_filter_turns_its_cell_red(monkeypatch: pytest.MonkeyPatch) -> None:
    trap = pull_trap("changed out of the filter", "servicenow")
    assert pull_cell(trap, "servicenow") == ""
    monkeypatch.setattr(ServiceNowConnector, "gone", lambda self, kind, ids: [])
    assert "too many" in pull_cell(trap, "servicenow")


def test_a_connector_that_takes_a_part_for_the_whole_turns_its_cell_red(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ServiceNowConnector.keys

    def short(self: ServiceNowConnector, kind: RecordKind) -> Keys | None:
        found = keys(self, kind)
        return None if found is None else Keys(ids=found.ids.slice(0, max(1, len(found.ids) - 5)), counted=None)

    monkeypatch.setattr(ServiceNowConnector, "keys", short)
    trap = pull_trap("deletions, not audited", "servicenow")
    assert pull_cell(trap, "servicenow") == ""  # each record is asked for before it is buried
    monkeypatch.setattr(ServiceNowConnector, "gone", lambda self, kind, ids: list(ids))
    assert "missing" in pull_cell(trap, "servicenow")


@pytest.mark.parametrize(
    ("name", "flavour"),
    [
        ("two sittings + −1 + cut + changing", "servicenow"),
        ("token repeated + expired + changing + 429", "jira_cloud"),
        ("moved + deleted, keys: cut, 429, nobody", "jira_dc"),
    ],
)
def test_traps_that_meet_lose_and_double_nothing(name: str, flavour: Flavour) -> None:
    assert pull_cell(pull_trap(name, flavour), flavour) == ""


def test_a_connector_that_takes_a_clock_about_to_start_for_cancelled_turns_its_cell_red(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trap = pull_trap("clocks about to start", "servicenow")
    assert pull_cell(trap, "servicenow") == ""
    same = {name: name for name in ("in_progress", "paused", "completed", "cancelled")}
    stage = {"field": "stage", "values": {"starting": "cancelled", **same}, "otherwise": "completed"}
    swapped = merged(DEFAULT, {"sla": {"fields": {"stage": stage}}}, connection="acme")
    monkeypatch.setattr("connectors.servicenow.connector.DEFAULT", swapped)
    assert "sla against platform" in pull_cell(trap, "servicenow")


def test_a_connector_that_counts_no_answer_as_one_turns_its_cell_red(monkeypatch: pytest.MonkeyPatch) -> None:
    trap = pull_trap("surveys handed in, −1 answered", "servicenow")
    assert pull_cell(trap, "servicenow") == ""
    monkeypatch.setattr("connectors.servicenow.surveys._number", lambda text: abs(float(text)) if text else None)
    assert "survey against platform" in pull_cell(trap, "servicenow")


def test_a_connector_that_reads_only_the_changes_shown_of_an_issue_turns_its_cell_red(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("connectors.jira.pull.whole_histories", lambda *arguments, **options: {})
    assert "ticket against platform" in pull_cell(pull_trap("no trap", "jira_cloud"), "jira_cloud")


@pytest.mark.parametrize(
    ("moment", "flavour"),
    [
        (RESTORED, "servicenow"),
        ("answer lost, then deleted", "servicenow"),
        ("deleted while the request is on its way", "jira_dc"),
    ],
)
def test_nothing_is_made_for_a_record_that_is_gone(desks: Desks, moment: str, flavour: Flavour) -> None:
    assert red(deleted_cells(moment, desks, flavour)) == {}


def test_a_connector_that_does_not_look_whether_the_record_is_there_turns_its_cells_red(
    monkeypatch: pytest.MonkeyPatch, desks: Desks
) -> None:
    monkeypatch.setattr("connectors.servicenow.writing.Writer._demand", lambda self, ref, outbound: None)
    assert red(deleted_cells("deleted before", desks, "servicenow")).keys() == {"task", "link", "links"}


def test_a_process_killed_before_the_record_goes_leaves_nothing_behind(desks: Desks, killers: Killers) -> None:
    assert red(killed_cells(desks, killers, "jira_cloud")) == {}


def test_the_writes_that_an_issue_takes_are_waited_for(monkeypatch: pytest.MonkeyPatch, desks: Desks) -> None:
    trap = write_trap("as many writes as an issue takes (429)")
    assert red(write_cells(trap, desks, "jira_cloud")) == {}
    monkeypatch.setattr("connectors.pacing.Pace.hold", lambda self, longest_s: 0.0)
    assert set(red(write_cells(trap, desks, "jira_cloud"))) == set(trap.kinds)


@pytest.mark.parametrize("meeting", [name for name in MEETINGS if name != ON_POSTGRESQL])
def test_two_that_deliver_at_once_make_it_once(desks: Desks, killers: Killers, meeting: str) -> None:
    kinds = ("record", "note")
    assert two_cells(meeting, desks, killers, "servicenow", kinds=kinds) == dict.fromkeys(kinds, "")


def test_what_two_make_twice_turns_its_cell_red(
    desks: Desks, killers: Killers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice(kind: Kind, story: Story, step: Step, delivery: Delivering) -> None:
        if kind.name == "note":
            again = msgspec.structs.replace(step.outbound, key=f"{step.outbound.key}/again")
            delivery.queue(story, dataclasses.replace(step, outbound=again))

    monkeypatch.setitem(MEETINGS, "one waits", twice)
    told = two_cells("one waits", desks, killers, "servicenow", kinds=("record", "note"))
    assert told["note"] == "notes: 2 instead of 1"


def test_nor_do_they_where_they_share_a_postgresql(desks: Desks, postgresql_server: PostgresServer) -> None:
    kinds = ("record", "note")
    with Killers(desks, postgresql_server.new_database()) as home:
        assert two_cells(ON_POSTGRESQL, desks, home, "jira_cloud", kinds=kinds) == dict.fromkeys(kinds, "")


@every_connector
def test_two_that_pull_at_once_and_one_that_is_killed_lose_and_double_nothing(
    flavour: Flavour, desks: Desks, killers: Killers
) -> None:
    assert process_cell("two pull at once", desks, killers, flavour) == ""
    assert process_cell("kill −9 at several pages", desks, killers, flavour) == ""


def test_a_story_in_which_nobody_pulls_turns_its_cell_red(
    desks: Desks, killers: Killers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PULLED, "two pull at once", lambda pulling: pulling.later(hours=30))
    assert "missing" in process_cell("two pull at once", desks, killers, "servicenow")
