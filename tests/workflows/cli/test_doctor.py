"""`doctor` says what works, what does not, and what to do about it."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from connectors.sandbox.testing import RunningSandbox
from tests.command import regelkreis
from tests.workflows.small_worlds import small_platforms
from workflows.warehouse import Warehouse


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with small_platforms("servicenow", "jira_dc", every=8) as running:
        running.set_options("servicenow", denied={"auckland": ["task_sla:read", "sn_cim_register"]})
        yield running


@pytest.fixture
def home(copied_home: Path) -> Path:
    return copied_home


def connected(home: Path, url: str, *, platform: str = "servicenow", user: str = "regelkreis", more: str = "") -> None:
    (home / "regelkreis.toml").write_text(
        f'[connections.acme]\nplatform = "{platform}"\nurl = "{url}"\nuser = "{user}"\n{more}', encoding="utf-8"
    )
    (home / "secrets" / "connections__acme__password").write_text("sandbox")


def diagnosis(home: Path, *, code: int) -> dict[str, dict[str, str]]:
    """The lines of ``doctor --json`` by what was checked."""
    done = regelkreis(home, "doctor", "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return {line["check"]: line for line in json.loads(done.stdout)}


def failing(lines: dict[str, dict[str, str]]) -> set[str]:
    return {check for check, line in lines.items() if not line["is_ok"]}


def test_a_servicenow_that_is_well(home: Path, sandbox: RunningSandbox) -> None:
    connected(home, sandbox.servicenow_url)
    lines = diagnosis(home, code=0)
    assert {"reachability", "credentials", "time zone", "clock", "permission incident", "mapping task_sla"} <= set(
        lines
    )
    assert "SQLite" in lines["state"]["detail"]
    assert "mode cim" in lines["write-back"]["detail"]
    assert "at least 1 request of 5,000 for the first pull" in lines["volume of tickets"]["detail"]
    assert lines["last pull"]["detail"] == "none yet"
    assert {line["mend"] for line in lines.values()} == {""}


def test_a_jira_on_this_machine_whose_clock_stands_elsewhere_is_well(home: Path, sandbox: RunningSandbox) -> None:
    connected(home, sandbox.jira_dc_url, platform="jira")
    lines = diagnosis(home, code=0)
    assert "days behind ours; on this machine that is taken for a sandbox" in lines["clock"]["detail"]
    assert {"Browse Projects", "Create Issues", "write-back", "mapping of slas", "volume of tickets"} <= set(lines)
    assert "of 500 for the first pull" in lines["volume of tickets"]["detail"]


def test_a_wrong_password(home: Path, sandbox: RunningSandbox) -> None:
    connected(home, sandbox.servicenow_url)
    (home / "secrets" / "connections__acme__password").write_text("wrong-password")
    lines = diagnosis(home, code=1)
    assert failing(lines) == {"credentials"}
    assert "Check user and password" in lines["credentials"]["mend"]
    assert "wrong-password" not in str(lines)


def test_a_password_that_is_not_there_yet_stops_nothing_else(home: Path, sandbox: RunningSandbox) -> None:
    connected(home, sandbox.servicenow_url)
    (home / "secrets" / "connections__acme__password").unlink()
    lines = diagnosis(home, code=1)
    assert failing(lines) == {"credentials"}
    assert lines["credentials"]["detail"].endswith("was not asked: password is missing.")
    assert "secrets/connections__acme__password" in lines["credentials"]["mend"]
    assert "tickets\tincident\tread" in regelkreis(home, "doctor", "--permissions").stdout


def test_an_unreachable_host(home: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        connected(home, f"http://127.0.0.1:{port}")
        lines = diagnosis(home, code=1)
    assert failing(lines) == {"reachability"}
    assert str(port) in lines["reachability"]["detail"]
    assert "Check the address" in lines["reachability"]["mend"]


def test_a_user_with_fewer_rights(home: Path, sandbox: RunningSandbox) -> None:
    connected(home, sandbox.servicenow_url, user="auckland")
    lines = diagnosis(home, code=1)
    assert "permission task_sla" in failing(lines)
    assert "task_sla" in lines["permission task_sla"]["detail"]
    assert lines["permission task_sla"]["mend"]
    assert lines["permission incident"]["is_ok"]
    assert "mode problem" in lines["write-back"]["detail"]  # the register is denied: the next mode is taken


def test_a_table_behind_a_reference_that_does_not_answer_leaves_everything_else(
    home: Path, sandbox: RunningSandbox
) -> None:
    connected(home, sandbox.servicenow_url)
    sandbox.set_faults("servicenow", {"kind": "server_error", "path": "/table/cmn_location$", "times": None})
    try:
        lines = diagnosis(home, code=1)
    finally:
        sandbox.set_faults("servicenow")
    assert {"mapping incident", "permission cmn_location"} <= failing(lines)
    assert {"mapping task_sla", "reachability", "credentials"}.isdisjoint(failing(lines))
    assert "volume of tickets" in lines


def test_a_reader_of_jira_cannot_write_back(home: Path, sandbox: RunningSandbox) -> None:
    connected(home, sandbox.jira_dc_url, platform="jira", user="reader")
    lines = diagnosis(home, code=1)
    assert {"Create Issues", "Edit Issues", "write-back"} <= failing(lines)
    assert lines["Create Issues"]["mend"] == "Give our user the permission Create Issues."


def test_a_field_that_the_platform_does_not_have(home: Path, sandbox: RunningSandbox) -> None:
    connected(
        home, sandbox.servicenow_url, more='[connections.acme.mapping.incident.fields]\ncustomer = "compny.name"\n'
    )
    lines = diagnosis(home, code=1)
    assert failing(lines) == {"field incident.compny.name"}
    assert "Did you mean company?" in lines["field incident.compny.name"]["detail"]


def test_a_table_that_the_platform_does_not_have_and_a_column_that_is_none_of_ours(
    home: Path, sandbox: RunningSandbox
) -> None:
    source = '[connections.acme.mapping.complaint]\nkind = "contact"\nsource = "sn_complaint_case"\n'
    source += 'fields = { kind = { constant = "complaint" }, customer = "account.name", at = "opened_at" }\n'
    connected(home, sandbox.servicenow_url, more=f'{source}[connections.acme.columns]\nverdct = "u_result"\n')
    lines = diagnosis(home, code=1)
    assert "is_enabled = false" in lines["permission sn_complaint_case"]["mend"]
    assert "no table customer_account" in lines["permission customer_account"]["mend"]
    assert lines["columns"]["detail"] == "“verdct” is no field of ours"
    assert "verdict" in lines["columns"]["mend"]


def test_a_right_that_is_missing_is_told_once(home: Path, sandbox: RunningSandbox) -> None:
    connected(home, sandbox.servicenow_url, user="reader")
    done = regelkreis(home, "doctor", "--json")
    checks = [line["check"] for line in json.loads(done.stdout)]
    assert checks.count("permission sys_audit_delete") == 1


def test_what_jira_has_no_field_for_is_told(home: Path, sandbox: RunningSandbox) -> None:
    connected(home, sandbox.jira_dc_url, platform="jira")
    lines = diagnosis(home, code=0)
    assert lines["write-back"]["detail"] == "jira: available; without a field: method, planned_end, planned_start"


def test_without_a_connection_there_are_no_rights_to_list_and_that_is_said(home: Path) -> None:
    (home / "regelkreis.toml").write_text("", encoding="utf-8")
    done = regelkreis(home, "doctor", "--permissions")
    assert "Describe one in regelkreis.toml" in done.stderr


def test_nothing_to_send_is_said_and_a_wrong_moment_refused(home: Path, sandbox: RunningSandbox) -> None:
    connected(home, sandbox.servicenow_url)
    done = regelkreis(home, "cycle", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "Nothing would be sent."  # and nothing waits
    assert regelkreis(home, "cycle", "--dry-run", "--as-of", "nonsense").returncode == 2


def test_a_broken_rule_and_an_open_secret_are_found_too(home: Path, sandbox: RunningSandbox) -> None:
    connected(home, sandbox.servicenow_url)
    (home / "rules" / "broken.yaml").write_text("kind: Rule\n  bad: [")
    (home / "ledger.key").chmod(0o644)
    lines = diagnosis(home, code=1)
    assert failing(lines) == {"rules", "ledger.key is private"}
    assert "broken.yaml:2" in lines["rules"]["detail"]
    assert lines["ledger.key is private"]["mend"] == f"chmod 600 {home}/ledger.key"


def test_what_a_pull_could_not_read_is_told(home: Path, sandbox: RunningSandbox) -> None:
    connected(home, sandbox.servicenow_url)
    now = sandbox.clock().strftime("%Y-%m-%dT%H:%MZ")
    assert regelkreis(home, "pull", "--as-of", now).returncode == 0
    assert sandbox.clock().strftime("%Y-%m-%d") in diagnosis(home, code=0)["last pull"]["detail"]
    (home / "regelkreis.toml").write_text((home / "regelkreis.toml").read_text().replace("127.0.0.1", "127.0.0.2"))
    assert regelkreis(home, "pull", "--as-of", now, REGELKREIS_CONNECTIONS__ACME__MAX_ATTEMPTS="1").returncode == 1
    lines = diagnosis(home, code=1)
    assert failing(lines) == {"reachability", "last pull"}
    assert "could not be reached" in lines["last pull"]["detail"]


def test_the_rights_are_listed_without_a_platform(home: Path) -> None:
    connected(home, "http://127.0.0.1:9")
    done = regelkreis(home, "doctor", "--permissions", "--json")
    assert done.returncode == 0, done.stderr
    rights = json.loads(done.stdout)
    assert {(right["where"], tuple(right["operations"])) for right in rights if right["use"] == "write cim"} >= {
        ("sn_cim_register", ("read", "create", "update")),
        ("sn_cim_task", ("read", "create")),
    }
    assert {"connection", "use", "where", "operations", "least", "why", "without", "is_optional"} == set(rights[0])
    table = regelkreis(home, "doctor", "--permissions").stdout
    assert "acme\tpull tickets\tincident\tread\tsn_incident_read" in table


def test_a_table_behind_a_reference_is_looked_at_too(home: Path, sandbox: RunningSandbox) -> None:
    connected(home, sandbox.servicenow_url, user="honolulu")
    sandbox.set_options(
        "servicenow", denied={"honolulu": ["core_company:read"], "auckland": ["task_sla:read", "sn_cim_register"]}
    )
    assert "permission core_company" in failing(diagnosis(home, code=1))


def test_writing_that_is_on_and_cannot_work_is_told(home: Path, sandbox: RunningSandbox) -> None:
    connected(home, sandbox.jira_dc_url, platform="jira", user="reader")
    assert "off" in diagnosis(home, code=1)["write"]["detail"]
    assert regelkreis(home, "connect", "acme", "--write", "on").returncode == 0
    lines = diagnosis(home, code=1)
    assert "write" in failing(lines)
    assert "doctor --permissions" in lines["write"]["mend"]


def test_credentials_that_travel_in_the_clear_are_told(home: Path) -> None:
    connected(home, "http://acme.example.invalid")
    lines = diagnosis(home, code=1)
    assert lines["encryption"]["mend"] == "Write https:// in the connection's url."


def test_a_state_that_lost_its_identity_is_told_and_everything_else_is_looked_at(home: Path) -> None:
    connected(home, "http://acme.example.invalid")
    file = home / "warehouse.duckdb"
    file.write_bytes(b"whatever it is: nobody opens it")
    with closing(sqlite3.connect(home / "state.sqlite3")) as state, state:
        state.execute("DELETE FROM workflows_installation")
    lines = diagnosis(home, code=1)
    assert {"installation", "warehouse", "encryption"} <= failing(lines)
    assert lines["installation"]["detail"] == "The state does not say which installation it is of."
    assert "Restore the table workflows_installation" in lines["installation"]["mend"]
    assert lines["warehouse"]["detail"] == f"{file} is not looked at before the installation is known"
    assert (lines["ledger key"]["is_ok"], lines["rules"]["is_ok"]) == (True, True)


def test_a_warehouse_that_names_nobody_does_not_become_ours_by_being_looked_at(home: Path) -> None:
    connected(home, "http://acme.example.invalid")
    with Warehouse.open(home / "warehouse.duckdb"):  # as a version left it that named nobody
        pass
    assert diagnosis(home, code=1)["warehouse"]["is_ok"]
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as raw:
        assert raw.execute("SELECT * FROM duckdb_tables() WHERE table_name = 'belongs_to'").fetchall() == []
