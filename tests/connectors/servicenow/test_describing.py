"""What `doctor` and `connect` learn: permissions, fields, clock, write-back mode, all by reading."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors.base import Capabilities
from connectors.sandbox.testing import RunningSandbox
from improvement.errors import ConnectionFailed, CredentialsRefused

from .conftest import Connect, Person, a_ticket, a_world

Serve = Callable[..., RunningSandbox]


def failing(found: Capabilities) -> dict[str, str]:
    return {item.check: item.detail for item in found.findings if not item.is_ok}


def test_a_well_connected_instance_has_no_complaint(serve: Serve, connect: Connect) -> None:
    found = connect(serve(a_world(a_ticket()))).describe()
    assert failing(found) == {}
    assert (found.platform, found.user, found.mode, found.time_zone) == ("servicenow", "regelkreis", "cim", "Etc/UTC")
    assert found.columns["baseline"] == "base_value"
    assert set(found.unresolved) == {"state", "verdict", "url"}
    checks = {item.check for item in found.findings}
    assert {"reachability", "credentials", "time zone", "clock", "permission incident", "write-back"} <= checks


def test_describing_writes_nothing(serve: Serve, connect: Connect) -> None:
    connector = connect(serve(a_world(a_ticket())))
    methods: set[str] = set()
    connector._instance.session.hooks["response"].append(lambda answer, **_: methods.add(answer.request.method))
    connector.describe()
    assert methods == {"GET"}


def test_a_table_we_may_not_read_is_one_finding_and_the_rest_goes_on(serve: Serve, connect: Connect) -> None:
    found = connect(serve(a_world(a_ticket()), denied={"regelkreis": ("task_sla:read",)})).describe()
    assert list(failing(found)) == ["permission task_sla"]
    assert "may not do this" in failing(found)["permission task_sla"]


@pytest.mark.parametrize("kind", ["server_error", "refuse"])
@pytest.mark.parametrize("table", ["sys_choice", "asmt_metric_result", "sys_audit", "sys_journal_field"])
def test_a_table_that_does_not_answer_leaves_all_other_findings(
    serve: Serve, connect: Connect, table: str, kind: str
) -> None:
    running = serve(a_world(a_ticket()), denied={"regelkreis": ("incident.priority",)})
    running.set_faults("servicenow", {"kind": kind, "path": f"/table/{table}$", "status": 400, "times": None})
    found = connect(running, max_attempts=1).describe()
    assert "field incident.priority" in failing(found)
    assert kind == "refuse" or [one for one in failing(found).values() if f"(table {table})" in one]
    assert found.mode == "cim"


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("table", ["core_company", "asmt_metric_result", "asmt_metric"])
def test_a_table_that_is_refused_is_not_said_to_hide_records(
    serve: Serve, connect: Connect, table: str, status: int
) -> None:
    running = serve(a_world(a_ticket()))
    running.set_faults("servicenow", {"kind": "refuse", "path": f"/table/{table}$", "status": status, "times": None})
    connector = connect(running)
    found = [*connector.describe().findings, *connector.ungranted()]
    (told,) = [finding for finding in found if finding.check == f"permission {table}"]
    assert "hidden" not in told.detail


def test_whoever_is_shut_out_meanwhile_is_asked_nothing_else(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()))
    refused = {"kind": "refuse", "path": "/table/sys_choice$", "status": 401, "message": "Who?", "times": None}
    running.set_faults("servicenow", refused)
    with pytest.raises(CredentialsRefused):
        connect(running).describe()


@pytest.mark.parametrize("condition", ["active=true", "short_descriptionCONTAINSmail"])
def test_a_filter_that_cannot_be_counted_is_one_finding_and_the_rest_goes_on(
    serve: Serve, connect: Connect, condition: str
) -> None:
    running = serve(a_world(a_ticket()))
    refused = {"kind": "refuse", "path": "stats/incident", "status": 403, "message": "Not for you.", "times": None}
    running.set_faults("servicenow", refused)
    found = connect(running, mapping={"incident": {"filter": condition}}).describe()
    assert list(failing(found)) == ["mapping incident"]
    assert "may not do this: count of incident. Not for you." in failing(found)["mapping incident"]


def test_a_mapped_field_that_is_not_there_is_named_with_a_near_match(serve: Serve, connect: Connect) -> None:
    mapping = {"incident": {"fields": {"customer": "companny.name"}}, "sla": {"fields": {"sla_name": "sla.nam"}}}
    found = failing(connect(serve(a_world(a_ticket())), mapping=mapping).describe())
    assert "Did you mean company" in found["field incident.companny.name"]
    assert "field task_sla.sla.nam" in found


def test_fields_that_a_right_on_them_hides_are_told(serve: Serve, connect: Connect) -> None:
    denied = {"regelkreis": ("incident.priority", "task.company", "core_company.name", "sys_user.email")}
    connector = connect(serve(a_world(a_ticket()), denied=denied))
    found = connector.describe()
    told = failing(found)
    assert {"field incident.priority", "field incident.company", "field core_company.name"} <= set(told)
    assert "read as empty" in told["field incident.priority"]
    assert not [check for check in told if "sys_user" in check]  # no mapped field is read from there
    checks = [item.check for item in found.findings]
    assert "mapping incident" not in checks
    assert checks.count("field core_company.name") == 1


@pytest.mark.parametrize("hidden", ["incident.sys_id", "incident.sys_updated_on", "core_company.sys_id"])
def test_hidden_keys_are_told(serve: Serve, connect: Connect, hidden: str) -> None:
    found = connect(serve(a_world(a_ticket()), denied={"regelkreis": (hidden,)})).describe()
    assert list(failing(found)) == [f"field {hidden}"]
    assert "cannot be read" in failing(found)[f"field {hidden}"]


def test_hidden_fields_of_the_answers_to_surveys_are_told(serve: Serve, connect: Connect) -> None:
    denied = {"regelkreis": ("asmt_metric_result.instance", "asmt_metric.max")}
    told = failing(connect(serve(a_world(a_ticket()), denied=denied)).describe())
    assert {check for check in told if "asmt_" in check} == {
        "field asmt_metric_result.instance",
        "field asmt_metric.max",
    }
    assert "no survey is read" in told["field asmt_metric.max"]


def test_an_optional_field_that_is_not_there_is_told_but_no_fault(serve: Serve, connect: Connect) -> None:
    found = connect(serve(a_world(a_ticket()))).describe()
    (line,) = [item for item in found.findings if item.check == "field interaction.account.name"]
    assert line.is_ok


def test_modes_are_tried_in_order_and_each_says_what_stands_against_it(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()), cim=False, custom_table=True)
    found = connect(running).describe()
    assert found.mode == "problem"
    assert list(found.modes) == ["cim", "custom", "problem", "task_min"]
    assert "Invalid table sn_cim_register" in found.modes["cim"]
    assert found.modes["custom"] == "no custom_table is configured"
    assert connect(running, custom_table="u_improvement_action").describe().mode == "custom"
    assert connect(running, fallback_modes=("task_min",)).describe().mode == "task_min"
    nothing = connect(running, fallback_modes=()).describe()
    assert nothing.mode is None
    assert "write-back" in failing(nothing)


def test_a_user_without_a_role_of_the_plugin_gets_the_next_mode(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()))
    admin = Person(running.servicenow_url, "admin")
    for row in admin.find("sys_user_has_role", "user.user_name=regelkreis^role.nameSTARTSWITHsn_cim"):
        admin.send_away("sys_user_has_role", row["sys_id"])
    found = connect(running).describe()
    assert found.mode == "problem"
    assert "has none of the roles" in found.modes["cim"]


def test_columns_are_found_by_their_label_when_the_instance_names_them_otherwise(
    serve: Serve, connect: Connect
) -> None:
    connector = connect(serve(a_world(a_ticket())), columns={"verdict": "Effort"})
    assert connector.describe().columns["verdict"] == "effort"
    wrong = connect(serve(a_world(a_ticket())), columns={"verdict": "u_gone"}).describe()
    assert wrong.unresolved["verdict"] == "sn_cim_register has no column “u_gone”"


def test_an_unreachable_instance_and_wrong_credentials_raise(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()))
    with pytest.raises(CredentialsRefused):
        connect(running, password="wrong-one").describe()
    with pytest.raises(ConnectionFailed):
        connect(running, url="http://127.0.0.1:9", max_attempts=1).describe()


def test_a_sleeping_instance_is_called_asleep(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()))
    running.set_faults("servicenow", {"kind": "html_page", "times": None})
    with pytest.raises(ConnectionFailed, match="web page instead of data") as caught:
        connect(running, max_attempts=2).describe()
    assert "asleep" in caught.value.mend


def test_a_token_signs_in_without_a_user_name(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()))
    found = connect(running, user=None, password=None, token="sandbox-regelkreis").describe()
    assert found.user == "regelkreis"


def test_a_trace_we_may_not_look_for_is_named_with_what_is_lost(serve: Serve, connect: Connect) -> None:
    denied = {"regelkreis": ("sys_journal_field:read", "sysapproval_approver:read")}
    found = failing(connect(serve(a_world(a_ticket()), denied=denied)).describe())
    assert "a note could be written twice" in found["permission sys_journal_field"]
    assert "approvals do not come home" in found["permission sysapproval_approver"]


def test_a_half_granted_mode_is_told_with_what_is_lost(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()), denied={"regelkreis": ("sn_cim_task:read",)})
    found = connect(running).describe()
    assert found.mode == "cim"
    assert "Without it no step of an action is written" in failing(found)["permission sn_cim_task"]


def test_an_instance_that_does_not_answer_says_nothing_about_its_modes(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()))
    running.set_faults("servicenow", {"kind": "unavailable", "path": "sn_cim_register", "times": None, "seconds": 0})
    with pytest.raises(ConnectionFailed, match="answered 503"):
        connect(running, max_attempts=2).describe()


@pytest.mark.parametrize(
    ("renamed", "check", "said"),
    [
        ({"incident.state": {"10": "At the supplier"}}, "choices incident.state", "At the supplier (10) is not in the"),
        ({"incident.state": {"3": "Resolved"}}, "choices incident.state", "Resolved (3) is mapped to on_hold"),
        ({"contract_sla.type": {"XLA": "XLA"}}, "choices contract_sla.type", "XLA (XLA) is not in the mapping, taken"),
        ({"change_request.close_code": {"half": "Half"}}, "choices change_request.close_code", "kept as it stands"),
    ],
)
def test_a_choice_that_the_mapping_does_not_know_is_a_question_for_a_person(
    serve: Serve, connect: Connect, renamed: dict[str, dict[str, str]], check: str, said: str
) -> None:
    found = connect(serve(a_world(a_ticket()), renamed_choices=renamed)).describe()
    assert list(failing(found)) == [check]
    assert said in failing(found)[check]


def test_a_choice_whose_label_alone_was_changed_is_none(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()), renamed_choices={"incident.state": {"3": "Parked", "6": "Gelöst"}})
    assert failing(connect(running).describe()) == {}


def test_a_word_in_the_mapping_answers_the_question(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()), renamed_choices={"incident.state": {"10": "At the supplier"}})
    held = {"field": "state", "values": {"10": "on_hold", **dict.fromkeys("3", "on_hold")}, "otherwise": "new"}
    others = dict(zip("12678", ("new", "in_progress", "resolved", "closed", "cancelled"), strict=True))
    mapping = {"incident": {"fields": {"state": {**held, "values": held["values"] | others}}}}  # type: ignore[operator]
    assert failing(connect(running, mapping=mapping).describe()) == {}
