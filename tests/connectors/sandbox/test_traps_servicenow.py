"""Every trap of the ServiceNow sandbox over plain HTTP, alone and together: what a client is shown."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from connectors.sandbox.testing import RunningSandbox, running_sandbox

KEYSET = "ORDERBYsys_updated_on^ORDERBYsys_id"


@pytest.fixture
def trapped(api: Any) -> Iterator[tuple[RunningSandbox, Any]]:
    """A sandbox of the test's own, and its administrator."""
    with running_sandbox(platforms=("servicenow",)) as running:
        yield running, type(api)(running.servicenow_url)


@pytest.fixture
def lax(small: RunningSandbox) -> Iterator[RunningSandbox]:
    """The shared sandbox, whose faults and options are taken back afterwards."""
    yield small
    small.set_faults("servicenow")
    small.set_options("servicenow", cim=True, denied={}, rules=[], read_only_fields={}, retired_choices={})


def test_offsets_skip_rows_while_others_change_and_a_keyset_does_not(trapped: tuple[RunningSandbox, Any]) -> None:
    sandbox, api = trapped
    everybody = {row["sys_id"] for row in api.list("incident", fields="sys_id")}
    changing = {"kind": "changing", "method": "GET", "path": "/table/incident", "times": None, "records": 30}

    sandbox.set_faults("servicenow", changing)
    by_offset: set[str] = set()
    for offset in range(0, len(everybody), 200):
        by_offset |= {row["sys_id"] for row in api.list("incident", KEYSET, fields="sys_id", limit=200, offset=offset)}
    last, by_keyset = ("", ""), set()
    while rows := api.list(
        "incident",
        f"sys_updated_on>{last[0]}^NQsys_updated_on={last[0]}^sys_id>{last[1]}^{KEYSET}" if last[0] else KEYSET,
        fields="sys_id,sys_updated_on",
        limit=200,
    ):
        by_keyset |= {row["sys_id"] for row in rows}
        last = (rows[-1]["sys_updated_on"], rows[-1]["sys_id"])
        if len(by_keyset) >= len(everybody):
            break

    assert by_offset < everybody
    assert by_keyset == everybody


def test_a_mass_update_gives_thousands_of_rows_one_instant(trapped: tuple[RunningSandbox, Any]) -> None:
    sandbox, api = trapped
    touched = sandbox.happen("servicenow", "mass_update", table="incident", count=2_000)["sys_ids"]

    instants = Counter(row["sys_updated_on"] for row in api.list("incident", fields="sys_updated_on"))

    assert len(touched) == 2_000
    assert max(instants.values()) == 2_000


def test_hidden_rows_leave_a_page_empty_that_is_not_the_last(api: Any, lax: RunningSandbox) -> None:
    lax.set_options("servicenow", hidden_rows={"reader": {"incident": "priority<5"}})
    pages = [
        api.as_user("reader").page("incident", KEYSET, limit=5, offset=offset, fields="priority")
        for offset in range(0, 300, 5)
    ]
    lax.set_options("servicenow", hidden_rows={"reader": {"incident": "priority=1", "task_sla": "task.priority=1"}})

    sizes = [len(page.json()["result"]) for page in pages]
    assert 0 in sizes[:-1]
    assert sum(sizes) > 0
    assert all('rel="next"' in page.headers["Link"] for page in pages)


def test_a_time_out_depends_on_the_page_size_and_comes_slowly(api: Any, lax: RunningSandbox) -> None:
    lax.set_faults(
        "servicenow",
        {"kind": "slow", "seconds": 0.3, "min_limit": 500, "times": None},
        {"kind": "error_in_200", "min_limit": 500, "times": None},
    )
    begun = time.monotonic()
    large = api.page("incident", limit=500).json()
    took = time.monotonic() - begun
    small = api.page("incident", limit=499).json()

    assert took > 0.3
    assert "error" in large
    assert "error" not in small


def test_a_warning_comes_before_the_limit(api: Any, lax: RunningSandbox) -> None:
    lax.set_faults("servicenow", {"kind": "near_limit"})
    assert api.page("incident", limit=1).headers["X-RateLimit-NearLimit"] == "true"


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"effect": "reject", "name": "No robots"}, "aborted by Business Rule 'No robots"),
        ({"effect": "data_policy", "message": "Category"}, "Data Policy Exception"),
        ({"effect": "acl"}, "ACL Exception"),
    ],
)
def test_a_403_has_three_causes_told_by_its_text(
    api: Any, lax: RunningSandbox, rule: dict[str, str], told: str
) -> None:
    lax.set_options("servicenow", rules=[{"table": "problem", **rule}])
    refused = api.as_user("regelkreis").send("POST", "/api/now/table/problem", json={"short_description": "Slow"})
    assert refused.status_code == 403
    assert told in refused.json()["error"]["detail"]


def test_a_rule_changes_what_was_written(api: Any, lax: RunningSandbox) -> None:
    lax.set_options(
        "servicenow", rules=[{"table": "problem", "effect": "change", "set": {"short_description": "By rule"}}]
    )
    made = api.as_user("regelkreis").create("problem", short_description="By us")
    assert made["short_description"] == "By rule"


def test_a_field_made_read_only_and_a_retired_choice_are_dropped_without_a_word(api: Any, lax: RunningSandbox) -> None:
    lax.set_options(
        "servicenow",
        read_only_fields={"problem": ["correlation_display"]},
        retired_choices={"task.priority": ["2"], "problem.priority": ["2"]},
    )
    made = api.as_user("regelkreis").create("problem", correlation_display="rk", priority="2", correlation_id="x")

    assert (made["correlation_display"], made["correlation_id"]) == ("", "x")
    assert made["priority"] != "2"
    assert api.count("sys_choice", "name=task^element=priority^value=2") == 0


def test_improvement_management_is_absent_or_half_granted(api: Any, lax: RunningSandbox) -> None:
    mine = api.as_user("regelkreis")
    lax.set_options("servicenow", cim=False)
    absent = mine.page("sn_cim_register")
    lax.set_options("servicenow", cim=True, denied={"regelkreis": ["sn_cim_task"]})
    register = mine.page("sn_cim_register")
    tasks = mine.page("sn_cim_task")
    refused = mine.send("POST", "/api/now/table/sn_cim_task", json={"short_description": "A task"})

    assert (absent.status_code, absent.json()["error"]["message"]) == (400, "Invalid table sn_cim_register")
    assert (register.status_code, tasks.status_code, refused.status_code) == (200, 403, 403)


@pytest.mark.parametrize("is_audited", [True, False])
def test_a_repair_replaces_sla_rows(trapped: tuple[RunningSandbox, Any], is_audited: bool) -> None:
    sandbox, api = trapped
    before = {row["sys_id"]: row for row in api.list("task_sla", exclude_reference_link=True)}
    made = sandbox.happen("servicenow", "sla_repair", count=25, flipped=True, audited=is_audited)["sys_ids"]
    after = {row["sys_id"]: row for row in api.list("task_sla", exclude_reference_link=True)}

    def keys(rows: Any) -> set[tuple[str, str, str]]:
        return {(row["task"], row["sla"], row["start_time"]) for row in rows}

    gone, new = before.keys() - after.keys(), after.keys() - before.keys()
    assert new == set(made)
    assert len(gone) == len(new) > 25
    assert keys(before.values()) == keys(after.values())
    assert len({after[sys_id]["sys_created_on"] for sys_id in new}) == 1
    assert api.count("sys_audit_delete", "tablename=task_sla") == (len(gone) if is_audited else 0)
    assert api.count("sla_repair_log_entry", "type=after") == len(new)
    breached = sum(row["has_breached"] == "true" for row in before.values())
    assert sum(row["has_breached"] == "true" for row in after.values()) != breached


def test_a_retroactive_reset_collides_in_its_start_time(trapped: tuple[RunningSandbox, Any]) -> None:
    sandbox, api = trapped
    (made,) = sandbox.happen("servicenow", "sla_reset", count=1)["sys_ids"]
    new = api.read("task_sla", made, exclude_reference_link="true")

    twins = api.list(
        "task_sla", f"task={new['task']}^sla={new['sla']}^start_time={new['start_time']}", exclude_reference_link=True
    )
    assert sorted(row["stage"] for row in twins) == ["cancelled", "completed"]


def test_the_old_engine_has_other_stages(trapped: tuple[RunningSandbox, Any]) -> None:
    sandbox, api = trapped
    sandbox.happen("servicenow", "compatibility", count=400)
    stages = Counter(row["stage"] for row in api.list("task_sla", "stageINachieved,breached", fields="stage"))
    assert sum(stages.values()) == 400
    assert stages["breached"] > 0


def test_clocks_of_the_old_engine_start_in_a_stage_of_its_own(trapped: tuple[RunningSandbox, Any]) -> None:
    sandbox, api = trapped
    running = api.count("task_sla", "stage=in_progress")
    ids = sandbox.happen("servicenow", "starting", count=3)["sys_ids"]
    rows = api.list("task_sla", "stage=starting", fields="sys_id,active,end_time")
    assert {row["sys_id"] for row in rows} == set(ids)
    assert {(row["active"], row["end_time"]) for row in rows} == {("true", "")}
    assert api.count("task_sla", "stage=in_progress") == running - 3


def test_a_survey_is_handed_in_and_its_question_left_out(trapped: tuple[RunningSandbox, Any]) -> None:
    sandbox, api = trapped
    ids = sandbox.happen("servicenow", "unanswered", count=3)["sys_ids"]
    rows = api.list(
        "asmt_metric_result", "actual_value=-1", fields="instance,normalized_value", exclude_reference_link=True
    )
    assert {(row["instance"], row["normalized_value"]) for row in rows} == {(id, "") for id in ids}
    surveys = api.list("asmt_assessment_instance", f"sys_idIN{','.join(ids)}", fields="state,taken_on")
    assert len(surveys) == 3
    assert all(row["state"] == "complete" and row["taken_on"] for row in surveys)


@pytest.mark.parametrize("is_audited", [True, False])
def test_records_vanish_with_or_without_a_trace(trapped: tuple[RunningSandbox, Any], is_audited: bool) -> None:
    sandbox, api = trapped
    before = api.count("incident")
    sandbox.happen("servicenow", "delete", table="incident", count=7, audited=is_audited)
    assert api.count("incident") == before - 7
    assert api.count("sys_audit_delete", "tablename=incident") == (7 if is_audited else 0)


def test_an_archived_record_leaves_no_trace_and_a_restored_one_leaves_its_deletion_in_the_log(
    trapped: tuple[RunningSandbox, Any],
) -> None:
    sandbox, api = trapped
    before, logged = api.count("incident", ""), api.count("sys_audit_delete", "")
    sandbox.happen("servicenow", "archive", table="incident", count=3)
    assert (api.count("incident", ""), api.count("sys_audit_delete", "")) == (before - 3, logged)
    (gone,) = sandbox.happen("servicenow", "delete", table="incident", count=1)["sys_ids"]
    assert sandbox.happen("servicenow", "restore", count=1)["sys_ids"] == [gone]
    assert api.count("incident", f"sys_id={gone}") == 1
    assert api.count("sys_audit_delete", f"documentkey={gone}") == 1


def test_a_record_that_somebody_deleted_is_restored_as_it_was(trapped: tuple[RunningSandbox, Any]) -> None:
    sandbox, api = trapped
    made = api.create("sn_cim_register", short_description="Fewer breaches")
    assert api.send("DELETE", f"/api/now/table/sn_cim_register/{made['sys_id']}").status_code == 204
    assert sandbox.happen("servicenow", "restore", count=1)["sys_ids"] == [made["sys_id"]]
    assert api.list("sn_cim_register", f"sys_id={made['sys_id']}", fields="short_description") == [
        {"short_description": "Fewer breaches"}
    ]


def test_keys_in_their_own_order_are_every_record_once(trapped: tuple[RunningSandbox, Any]) -> None:
    _, api = trapped
    found: list[str] = []
    while rows := api.list("incident", f"sys_id>{found[-1] if found else 0}^ORDERBYsys_id", limit="50"):
        found += [row["sys_id"] for row in rows]
    assert found == sorted(set(found))
    assert len(found) == api.count("incident", "")


def test_an_unknown_event_or_fault_is_refused_by_name(lax: RunningSandbox) -> None:
    with pytest.raises(ValueError, match="no event “earthquake”"):
        lax.happen("servicenow", "earthquake")
    with pytest.raises(ValueError, match="no fault “earthquake”"):
        lax.set_faults("servicenow", {"kind": "earthquake"})


def test_labels_are_changed_and_choices_added(api: Any, lax: RunningSandbox) -> None:
    lax.set_options("servicenow", renamed_choices={"incident.state": {"2": "Under way", "10": "At the supplier"}})
    shown = {row["value"]: row["label"] for row in api.list("sys_choice", "name=incident^element=state")}
    (some,) = api.list("incident", "state=2", limit=1, fields="sys_id,state", display_value="all")
    moved = api.send("PATCH", f"/api/now/table/incident/{some['sys_id']['value']}", json={"state": "10"}).json()
    lax.set_options("servicenow", renamed_choices={})

    assert (shown["2"], shown["10"], shown["1"]) == ("Under way", "At the supplier", "New")
    assert some["state"] == {"display_value": "Under way", "value": "2"}
    assert moved["result"]["state"] == "10"
    assert api.count("sys_choice", "name=incident^element=state^value=10") == 0
    with pytest.raises(ValueError, match=r"incident\.priority is no column that its table defines"):
        lax.set_options("servicenow", renamed_choices={"incident.priority": {"1": "Burning"}})


def test_a_callers_answer_takes_the_ticket_off_hold(trapped: tuple[RunningSandbox, Any]) -> None:
    sandbox, api = trapped
    agent, (some,) = api.as_user("admin"), api.list("incident", "state=2", limit=1, fields="sys_id")
    agent.send("PATCH", f"/api/now/table/incident/{some['sys_id']}", json={"state": "3", "hold_reason": "1"})
    touched = sandbox.happen("servicenow", "caller_reply", count=1_000)["sys_ids"]
    shown = api.read("incident", some["sys_id"])
    audit = api.list("sys_audit", f"documentkey={some['sys_id']}^fieldname=hold_reason", fields="oldvalue,newvalue")

    assert some["sys_id"] in touched
    assert (shown["state"], shown["hold_reason"]) == ("2", "")
    assert {"oldvalue": "1", "newvalue": ""} in audit


def test_running_clocks_are_not_refreshed_until_they_stop(trapped: tuple[RunningSandbox, Any]) -> None:
    sandbox, api = trapped
    sandbox.set_options("servicenow", stale_clocks=True)
    sandbox.set_clock(sandbox.clock() + timedelta(days=3))
    now = sandbox.clock().strftime("%Y-%m-%d %H:%M:%S")
    over = api.list("task_sla", f"stage=in_progress^planned_end_time<={now}", fields="has_breached,sys_id,start_time")

    assert {row["has_breached"] for row in over} >= {"false"}


def test_an_answer_holds_at_most_so_many_rows_and_tells_of_the_rest() -> None:
    with running_sandbox(platforms=("servicenow",), max_rows=7) as sandbox:
        params = {"sysparm_limit": "20", "sysparm_query": "ORDERBYnumber", "sysparm_fields": "number"}
        answer = requests.get(
            f"{sandbox.servicenow_url}/api/now/table/incident", params=params, auth=("admin", "sandbox"), timeout=30
        )
        numbers = [row["number"] for row in answer.json()["result"]]
        following = requests.get(answer.links["next"]["url"], auth=("admin", "sandbox"), timeout=30).json()["result"]
        assert len(numbers) == 7
        assert int(answer.headers["X-Total-Count"]) > 20
        assert following[0]["number"] > numbers[-1]
        assert len({*numbers, *(row["number"] for row in following)}) == 14
