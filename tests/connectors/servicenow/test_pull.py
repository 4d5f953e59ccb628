"""Pulling from an instance over HTTP: complete, incremental, typed, and calm on a bad day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
import requests

from connectors.base import Connector
from connectors.registry import connector as connector_of
from connectors.sandbox.testing import RunningSandbox
from connectors.sandbox.world import TicketEvent, WorldSla, WorldSurvey
from improvement.errors import ConnectionFailed, CredentialsRefused, MappingError, PermissionMissing
from improvement.records import SCHEMAS, RecordKind
from workflows.steps.backfill import spans

from .conftest import END, HOUR, START, Connect, Person, a_ticket, a_world, hour_by_hour, pulled

Serve = Callable[..., RunningSandbox]
TICKET, SLA, SURVEY = RecordKind.TICKET, RecordKind.SLA, RecordKind.SURVEY


@pytest.mark.parametrize("kind", list(RecordKind))
def test_a_pull_delivers_what_the_platform_counts(sandbox: RunningSandbox, connect: Connect, kind: RecordKind) -> None:
    connector = connect(sandbox)
    found = pulled(connector, kind, until=sandbox.clock())
    assert found.table.schema == SCHEMAS[kind]
    assert len(found.ids) == len(set(found.ids)) == connector.count(kind, until=sandbox.clock()) > 0
    assert found.rejected == []


def test_small_pages_deliver_the_same_as_large_ones(
    sandbox: RunningSandbox, connect: Connect, clocks: pa.Table
) -> None:
    small = pulled(connect(sandbox, page_size=97), SLA, until=sandbox.clock())
    assert small.table.equals(clocks)
    assert small.requests > 70


def test_references_are_resolved_without_a_request_per_row(sandbox: RunningSandbox, connect: Connect) -> None:
    found = pulled(connect(sandbox), TICKET, until=sandbox.clock())
    assert {row["country"] for row in found.rows} <= {"DE", "CH", "GB", "US", "JP"}
    assert all(row["customer"] and row["service"] and row["assignment_group"] for row in found.rows)
    assert found.requests < 15


def test_the_second_pull_reads_only_what_changed(sandbox: RunningSandbox, connect: Connect) -> None:
    now = sandbox.clock()
    earlier = now - timedelta(days=7)
    connector = connect(sandbox)
    first = pulled(connector, TICKET, until=earlier)
    second = pulled(connector, TICKET, first.cursor, until=now)
    everything = pulled(connect(sandbox), TICKET, until=now)
    assert set(first.ids) | set(second.ids) == set(everything.ids)
    assert len(second.ids) < len(everything.ids) / 4
    again = pulled(connector, TICKET, second.cursor, until=now)
    assert len(again.ids) < 20  # the overlap
    assert again.requests == 4  # one per table


def test_a_changed_mapping_reads_its_table_anew(sandbox: RunningSandbox, connect: Connect) -> None:
    now = sandbox.clock()
    before = pulled(connect(sandbox), TICKET, until=now)
    mapping = {"incident": {"fields": {"category": {"constant": "all"}}}}
    after = pulled(connect(sandbox, mapping=mapping), TICKET, before.cursor, until=now)
    incidents = [row for row in after.rows if row["kind"] == "incident"]
    assert len(incidents) == sum(row["kind"] == "incident" for row in before.rows)
    assert {row["category"] for row in incidents} == {"all"}
    assert sum(row["kind"] != "incident" for row in after.rows) < 20


def test_a_mapping_that_says_what_the_default_says_reads_nothing_anew(
    sandbox: RunningSandbox, connect: Connect
) -> None:
    now = sandbox.clock()
    before = pulled(connect(sandbox), TICKET, until=now)
    said = {"customer": ["company.name"], "supplier": "vendor.name", "category": {"field": "category"}}
    after = pulled(connect(sandbox, mapping={"incident": {"fields": said}}), TICKET, before.cursor, until=now)
    assert len(after.ids) < 60


def test_another_default_country_reads_what_has_one_anew(sandbox: RunningSandbox, connect: Connect) -> None:
    now = sandbox.clock()
    mapping = {"incident": {"fields": {"country": {"fields": ["u_none"], "is_optional": True}}}}
    before = pulled(connect(sandbox, mapping=mapping), TICKET, until=now)
    after = pulled(connect(sandbox, mapping=mapping, default_country="CH"), TICKET, before.cursor, until=now)
    incidents = [row for row in after.rows if row["kind"] == "incident"]
    assert len(incidents) == sum(row["kind"] == "incident" for row in before.rows)
    assert {row["country"] for row in incidents} == {"CH"}
    clocks = pulled(connect(sandbox), SLA, until=now)
    assert len(pulled(connect(sandbox, default_country="CH"), SLA, clocks.cursor, until=now).ids) < 100


@pytest.mark.parametrize("user", ["honolulu", "auckland"])
def test_times_do_not_depend_on_the_zone_of_our_user(
    sandbox: RunningSandbox, connect: Connect, user: str, clocks: pa.Table
) -> None:
    assert pulled(connect(sandbox, user=user), SLA, until=sandbox.clock()).table.equals(clocks)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "cut_body", "path": "task_sla", "times": 2},
        {"kind": "cut_connection", "path": "task_sla", "times": 2},
        {"kind": "error_in_200", "path": "task_sla", "times": 2},
        {"kind": "server_error", "path": "task_sla", "min_limit": 500, "times": None},
        {"kind": "stall", "path": "task_sla", "min_limit": 900, "times": None, "seconds": 2},
        {"kind": "rate_limit", "path": "task_sla", "times": 2, "seconds": 3},
        {"kind": "rate_limit", "path": "task_sla", "times": 1, "seconds": 3, "as_date": True},
        {"kind": "unavailable", "path": "task_sla", "times": 2},
        {"kind": "html_page", "path": "task_sla", "times": 1},
        {"kind": "reset_before", "path": "task_sla", "times": 2},
        {"kind": "duplicate_page", "path": "task_sla", "times": 1, "after": 1},
    ],
    ids=lambda rule: rule["kind"],
)
def test_a_bad_day_changes_nothing_in_what_arrives(
    sandbox: RunningSandbox, connect: Connect, fault: dict[str, Any], clocks: pa.Table
) -> None:
    sandbox.set_faults("servicenow", fault)
    found = pulled(connect(sandbox, page_size=1000, timeout_s=1), SLA, until=sandbox.clock())
    assert found.table.equals(clocks)


def test_wrong_credentials_missing_permission_and_an_unreachable_platform_are_told_apart(
    sandbox: RunningSandbox, connect: Connect, serve: Callable[..., RunningSandbox]
) -> None:
    with pytest.raises(CredentialsRefused):
        pulled(connect(sandbox, password="wrong-one"), TICKET)
    closed = serve(a_world(a_ticket()), denied={"regelkreis": ("incident:read",)})
    with pytest.raises(PermissionMissing, match="table incident"):
        pulled(connect(closed), TICKET)
    with pytest.raises(ConnectionFailed, match="could not be reached"):
        pulled(connect(sandbox, url="http://127.0.0.1:9", max_attempts=2), TICKET)


def test_an_unknown_field_names_table_field_and_near_match(sandbox: RunningSandbox, connect: Connect) -> None:
    mapping = {"incident": {"fields": {"customer": "compny.name"}}}
    with pytest.raises(MappingError, match=r"incident has no field “compny”.*Did you mean company"):
        pulled(connect(sandbox, mapping=mapping), TICKET, until=sandbox.clock())


def test_a_filter_on_an_unknown_field_is_refused_before_it_returns_the_whole_table(
    sandbox: RunningSandbox, connect: Connect
) -> None:
    with pytest.raises(MappingError, match="has no field “prioritty”"):
        pulled(connect(sandbox, mapping={"incident": {"filter": "prioritty=1"}}), TICKET, until=sandbox.clock())


def test_a_filter_narrows_pull_and_count_alike(sandbox: RunningSandbox, connect: Connect) -> None:
    others = {name: {"is_enabled": False} for name in ("request", "problem", "change")}
    connector = connect(sandbox, mapping={"incident": {"filter": "priority=2^NQpriority=3"}, **others})
    found = pulled(connector, TICKET, until=sandbox.clock())
    assert {row["priority"] for row in found.rows} == {2, 3}
    assert connector.count(TICKET, until=sandbox.clock()) == len(found.ids)


def test_large_reference_tables_are_walked_by_the_platform(
    sandbox: RunningSandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = pulled(connect(sandbox), TICKET, until=sandbox.clock())
    monkeypatch.setattr("connectors.servicenow.lookups.LARGEST_TABLE", 0)
    assert pulled(connect(sandbox), TICKET, until=sandbox.clock()).table.equals(expected.table)


def test_an_empty_platform_and_one_with_a_single_ticket(connect: Connect, serve: Callable[..., RunningSandbox]) -> None:
    empty = connect(serve(a_world()))
    for kind in empty.kinds():
        found = pulled(empty, kind)
        assert (found.ids, found.rejected, empty.count(kind, until=END)) == ([], [], 0)
    single = connect(serve(a_world(a_ticket())))
    assert len(pulled(single, TICKET).ids) == 1
    (clock,) = pulled(single, SLA).rows
    assert (clock["is_breached"], clock["goal_s"], clock["elapsed_s"]) == (True, 4 * HOUR, 36_000)
    assert clock["breach_at"] == datetime.fromtimestamp(START + 5 * HOUR, UTC)
    (survey,) = pulled(single, SURVEY).rows
    assert (survey["score"], survey["scale_min"], survey["scale_max"]) == (4.0, 1.0, 5.0)
    assert survey["ticket_id"] == clock["ticket_id"]


def test_a_table_at_rest_does_not_hold_the_cursor_back(connect: Connect, serve: Callable[..., RunningSandbox]) -> None:
    """Nobody has opened a problem for years: what was read is not looked through again month by month."""
    running = serve(a_world(a_ticket(1), a_ticket(2, kind="problem")))
    connector = connect(running)
    first = pulled(connector, TICKET)
    later = END + timedelta(days=500)
    assert all(page.cursor.updated_at < END for page in first.pages[:-1])
    assert first.cursor.updated_at == END
    following = pulled(connector, TICKET, first.cursor, until=later)
    assert following.cursor.updated_at == later
    assert spans(connector, [following.cursor.updated_at], as_of=later + timedelta(hours=1)) == [
        later + timedelta(hours=1)
    ]


def test_what_a_slow_transaction_committed_late_is_read_with_the_overlap(
    connect: Connect, serve: Callable[..., RunningSandbox]
) -> None:
    """Commits are not ordered by time: a change may show up with an update time that a pull has passed."""
    running = serve(hour_by_hour(8, of_priority_1=0))
    connector = connect(running)
    before = pulled(connector, TICKET)
    late = running.happen("servicenow", "late_commit", count=3, before=200)["sys_ids"]
    after = {row["id"]: row["title"] for row in pulled(connector, TICKET, before.cursor).rows}
    assert len(late) == 3
    assert {after.get(id) for id in late} == {"Changed by a slow transaction"}
    assert not set(late).intersection(pulled(connect(running, overlap_s=0), TICKET, before.cursor).ids)


def test_an_assessment_that_is_no_survey_is_nobodys_satisfaction(
    connect: Connect, serve: Callable[..., RunningSandbox]
) -> None:
    """Vendor assessments, attestations and quizzes lie in the table of surveys."""
    running = serve(a_world(a_ticket()))
    admin = requests.Session()
    admin.trust_env, admin.auth = False, ("admin", "sandbox")

    def made(table: str, **fields: str) -> str:
        answer = admin.post(f"{running.servicenow_url}/api/now/table/{table}", json=fields)
        assert answer.status_code == 201
        return str(answer.json()["result"]["sys_id"])

    (survey,) = pulled(connect(running), SURVEY).ids
    kind = made("asmt_metric_type", name="Risk of changes", evaluation_method="assessment")
    question = made("asmt_metric", metric_type=kind, min="0", max="100")
    one = made("asmt_assessment_instance", metric_type=kind, state="complete", taken_on="2024-01-02 10:00:00")
    made("asmt_metric_result", instance=one, metric=question, actual_value="95")
    assert pulled(connect(running), SURVEY, until=END + timedelta(days=1000)).ids == [survey]


def test_an_unanswered_survey_has_no_score_and_no_answer_time(
    connect: Connect, serve: Callable[..., RunningSandbox]
) -> None:
    quiet = a_ticket(1, survey=WorldSurvey(START + 12 * HOUR, None, None))
    blank = a_ticket(2, survey=WorldSurvey(START + 12 * HOUR, START + 20 * HOUR, None))  # stored as −1
    for row in pulled(connect(serve(a_world(quiet, blank))), SURVEY).rows:
        assert (row["score"], row["answered_at"], row["scale_max"]) == (None, None, None)
        assert row["sent_at"] is not None


def test_an_answer_that_becomes_none_is_no_score_any_more(
    connect: Connect, serve: Callable[..., RunningSandbox]
) -> None:
    running = serve(a_world(a_ticket(1), a_ticket(2)))
    connector = connect(running)
    before = pulled(connector, SURVEY)
    (left_out,) = running.happen("servicenow", "unanswered", count=1)["sys_ids"]
    after = {row["id"]: row for row in pulled(connector, SURVEY, before.cursor, until=END + timedelta(hours=1)).rows}
    assert {row["score"] for row in before.rows} == {4.0}
    assert (after[left_out]["score"], after[left_out]["answered_at"], after[left_out]["scale_min"]) == (
        None,
        None,
        None,
    )


STRANGE = {
    "as long as the column": "x" * 160,
    "emoji": "Mail 📧 is 🐌",
    "right to left": "البريد بطيء ‮",
    "html": "<script>alert(1)</script>",
    "formula": '=HYPERLINK("http://evil")',
    "caret": "a^b^^c^NQd",
}


def test_strange_titles_arrive_as_they_are(connect: Connect, serve: Callable[..., RunningSandbox]) -> None:
    tickets = [a_ticket(uid, title=title) for uid, title in enumerate(STRANGE.values(), 1)]
    found = pulled(connect(serve(a_world(*tickets))), TICKET)
    assert {row["title"] for row in found.rows} == set(STRANGE.values())
    assert found.rejected == []


def test_tickets_resolved_before_they_were_opened_and_dates_in_the_future_are_kept(
    connect: Connect, serve: Callable[..., RunningSandbox]
) -> None:
    running = serve(a_world(a_ticket(1), a_ticket(2)))
    admin = Person(running.servicenow_url, "admin")
    one, two = admin.find("incident", "ORDERBYnumber")
    admin.change("incident", one["sys_id"], resolved_at="2025-06-01 00:00:00")
    admin.change("incident", two["sys_id"], opened_at="2031-01-01 00:00:00")
    rows = {row["id"]: row for row in pulled(connect(running), TICKET).rows}
    assert rows[one["sys_id"]]["resolved_at"] < rows[one["sys_id"]]["opened_at"]
    assert rows[two["sys_id"]]["opened_at"].year == 2031


def test_a_row_that_cannot_be_read_is_rejected_with_its_reason_and_the_others_arrive(
    connect: Connect, serve: Callable[..., RunningSandbox]
) -> None:
    running = serve(a_world(a_ticket(1), a_ticket(2)))
    mapping = {"incident": {"fields": {"opened_at": "correlation_display"}}}
    admin = Person(running.servicenow_url, "admin")
    bad = admin.find("incident", "ORDERBYnumber")[0]
    admin.change("incident", bad["sys_id"], correlation_display="last Tuesday")
    found = pulled(connect(running, mapping=mapping), TICKET)
    assert len(found.ids) == 1
    assert found.rejected == [(bad["sys_id"], "opened_at", "“last Tuesday” cannot be read as a time")]


def test_constants_value_tables_and_a_default_country(connect: Connect, serve: Callable[..., RunningSandbox]) -> None:
    running = serve(a_world(a_ticket(country=None)))
    mapping = {
        "incident": {
            "fields": {
                "supplier": {"constant": "Inhouse"},
                "priority": {"field": "priority", "values": {"3": 5}, "otherwise": 1},
                "category": ["subcategory", "category"],
            }
        }
    }
    (row,) = pulled(connect(running, mapping=mapping, default_country="AT"), TICKET).rows
    assert (row["supplier"], row["priority"], row["category"], row["country"]) == ("Inhouse", 5, "Software", "AT")


def test_a_company_renamed_or_new_since_the_last_pull_is_seen(
    connect: Connect, serve: Callable[..., RunningSandbox]
) -> None:
    running = serve(a_world(a_ticket()))
    admin = Person(running.servicenow_url, "admin")
    connector = connect(running)
    first = pulled(connector, TICKET)
    new = admin.create("core_company", name="Newcomer")
    ticket = admin.find("incident", "")[0]
    admin.change("incident", ticket["sys_id"], company=new["sys_id"])
    second = pulled(connector, TICKET, first.cursor)
    assert [row["customer"] for row in second.rows] == ["Newcomer"]


def test_the_registry_opens_the_connector_of_a_platform(sandbox: RunningSandbox, connect: Connect) -> None:
    opened = connector_of(connect(sandbox).config)
    assert isinstance(opened, Connector)
    opened.close()


def test_states_follow_the_ticket_through_its_life(connect: Connect, serve: Callable[..., RunningSandbox]) -> None:
    opened = START + HOUR
    states = ["new", "in_progress", "on_hold", "resolved", "closed", "cancelled"]
    tickets = [
        a_ticket(
            uid, events=[TicketEvent(opened, {"state": "new"}), TicketEvent(opened + HOUR, {"state": state})], slas=[]
        )
        for uid, state in enumerate(states, 1)
    ]
    found = pulled(connect(serve(a_world(*tickets))), TICKET)
    assert sorted(row["state"] for row in found.rows) == sorted(states)


@pytest.mark.parametrize("hidden", ["", "priority=1"])
def test_an_instance_that_gives_fewer_rows_than_asked_for_is_read_whole(
    serve: Serve, connect: Connect, hidden: str
) -> None:
    running = serve(
        hour_by_hour(80, of_priority_1=30), hidden_rows={"regelkreis": {"incident": hidden}} if hidden else {}
    )
    whole = connect(running)
    expected = {kind: set(pulled(whole, kind).ids) for kind in whole.kinds()}
    listed = whole.keys(TICKET)
    running.set_options("servicenow", max_rows=7)
    capped = connect(running)
    assert {kind: set(pulled(capped, kind).ids) for kind in capped.kinds()} == expected
    found = capped.keys(TICKET)
    assert listed is not None
    assert found is not None
    assert set(found.ids.to_pylist()) == set(listed.ids.to_pylist()) == expected[TICKET]
    assert len(capped._instance.rows("sys_dictionary", "nameINtask,incident", ("element",))) > 30


def test_without_links_too(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(*(a_ticket(uid) for uid in range(1, 41))), max_rows=7)
    connector = connect(running)
    connector._instance.session.hooks["response"].append(lambda answer, **_: answer.headers.update(Link=""))
    assert len(pulled(connector, TICKET).ids) == 40
    rows = connector._instance.rows("incident", "ORDERBYnumber", ("number",))
    assert [row["number"] for row in rows] == sorted({row["number"] for row in rows})
    assert len(rows) == 40


@pytest.mark.parametrize("by_id", [1000, 0])
def test_a_survey_answered_in_two_sittings_scores_the_same_whenever_it_is_read(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, by_id: int
) -> None:
    monkeypatch.setattr("connectors.servicenow.surveys.BY_ID", by_id)
    last = a_ticket(6, survey=WorldSurvey(START + 120 * HOUR, START + 121 * HOUR, 4))
    running = serve(a_world(*(a_ticket(uid) for uid in range(1, 6)), last))
    before = pulled(connect(running), SURVEY)
    assert {row["score"] for row in before.rows} == {4.0}
    later = END + timedelta(days=40)
    running.set_clock(later)
    (touched,) = running.happen("servicenow", "second_sitting", count=1)["sys_ids"]
    following = pulled(connect(running), SURVEY, before.cursor, until=later)
    assert {row["id"]: row["score"] for row in following.rows}[touched] == 2.5
    fresh = {row["id"]: row["score"] for row in pulled(connect(running), SURVEY, until=later).rows}
    assert fresh == dict.fromkeys(before.ids, 4.0) | {touched: 2.5}
    (alone,) = connect(running).read_by_ids(SURVEY, [touched], until=later)
    assert alone.batch["score"].to_pylist() == [2.5]


def test_business_time_counts_where_a_clock_has_it_and_calendar_time_where_not(serve: Serve, connect: Connect) -> None:
    opened = START + 4 * 24 * HOUR + 14 * HOUR  # Friday, 16 o'clock in Zurich
    stop = opened + 64 * HOUR  # Monday, 8 o'clock
    clocks = [
        WorldSla("resolution", "sla", name, 4 * HOUR, opened, stop, opened + 4 * HOUR, True, stop - opened, None)
        for name in ("Work", "Plain", "Round the clock")
    ]
    states = [TicketEvent(opened, {"state": "new"}), TicketEvent(stop, {"state": "resolved"})]
    world = a_world(a_ticket(opened=opened, events=states, slas=clocks, survey=None))
    later = END + timedelta(days=3)
    running = serve(world, now=later, sla_schedules={"Work": "business", "Plain": "none"})
    found = {row["sla_name"]: row for row in pulled(connect(running), SLA, until=later).rows}
    assert {name: row["elapsed_s"] for name, row in found.items()} == {
        "Work": HOUR,
        "Plain": 64 * HOUR,
        "Round the clock": 64 * HOUR,
    }
    assert {name: row["is_breached"] for name, row in found.items()} == {
        "Work": False,
        "Plain": True,
        "Round the clock": True,
    }
    assert found["Work"]["breach_at"] == datetime(2025, 6, 9, 9, tzinfo=UTC)  # Monday, 11 o'clock


def test_an_answer_without_rows_is_asked_for_again(serve: Serve, connect: Connect) -> None:
    connector, emptied = connect(serve(a_world(a_ticket()))), list[str]()

    def empty_once(answer: requests.Response, **_: Any) -> None:
        if "asmt_metric_result" in answer.url and not emptied:
            emptied.append(answer.url)
            answer._content = b"{}"

    connector._instance.session.hooks["response"].append(empty_once)
    found = pulled(connector, SURVEY)
    assert [row["score"] for row in found.rows] == [4.0]
    assert found.retries == len(emptied) == 1
