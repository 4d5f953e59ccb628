"""`rules explain`: from the rows of the warehouse to the state of the finding, the same as the cycle had."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from msgspec.structs import asdict
from typer.testing import CliRunner, Result

from improvement.errors import InputError
from improvement.records import RecordKind
from tests.improvement.metrics.build import a_contact, a_ticket
from tests.workflows.beginnings import Beginnings
from tests.workflows.conftest import RULE
from tests.workflows.platform import MemoryPlatform
from tests.workflows.versioned_platform import VersionedPlatform
from workflows import cycle
from workflows.cli.main import build
from workflows.models import Connection, Finding

pytestmark = pytest.mark.django_db
MAIL = "country=CH,customer=Acme,service=Mail"
OVERRIDES = (
    "  overrides:\n    - {when: {country: CH}, target: {max: 12%}}\n    - {when: {country: DE}, target: {max: 1%}}\n"
)


@pytest.fixture
def evaluated(home: Path, monday: datetime, beginnings: Beginnings) -> datetime:
    """Two cycles over a platform whose Mail went bad; the moment of the second."""

    def two_cycles() -> datetime:
        (home / "rules" / "sla.yaml").write_text(RULE.replace("  trigger:", OVERRIDES + "  trigger:"), encoding="utf-8")
        Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
        platform = MemoryPlatform(scopes={"Mail": {0: 0.05, 74: 0.26}, "Quiet": {0: 0.05}})
        for week in range(2):
            assert cycle.run_with([platform], as_of=monday + timedelta(weeks=week)).errors == []
        return monday + timedelta(weeks=1)

    return beginnings.begin("two cycles", home, two_cycles)


def ran(*arguments: object) -> Result:
    return CliRunner().invoke(build(), ["rules", "explain", *map(str, arguments)])


def explained(at: datetime, *arguments: str) -> dict[str, object]:
    result = ran("sla", "--scope", MAIL, "--as-of", at.isoformat(), "--json", *arguments)
    assert result.exit_code == 0, result.output
    told: dict[str, object] = json.loads(result.stdout)
    return told


def test_value_target_rows_and_state_are_those_of_the_live_finding(evaluated: datetime) -> None:
    told = explained(evaluated)
    live = Finding.objects.get(scope_key=MAIL)
    published = live.points.latest("week")
    assert (told["state"], told["value"], told["n"]) == (live.state, published.value, published.n)
    assert told["published"]["differs"] is False
    assert told["finding"]["actions"] == ["ACT-1"]
    assert [step["has_won"] for step in told["cascade"]] == [False, True, False]
    assert told["target"] == {"kind": "max", "value": 0.12, "source": "override {country: CH}"}


def test_the_week_it_fired_in_rests_on_the_rows_that_were_pinned(evaluated: datetime) -> None:
    live = Finding.objects.get(scope_key=MAIL)
    weeks_ago = live.points.latest("week").week - live.fired_week
    told = explained(evaluated - timedelta(weeks=weeks_ago), "--rows")
    assert (told["state"], told["rows"], told["rows_sha256"]) == ("firing", live.rows_count, live.rows_sha256)
    assert len(told["rows_counted"]) == live.rows_count


def test_the_sql_gives_the_rows_again(evaluated: datetime, home: Path) -> None:
    told = explained(evaluated)
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as shell:
        *settings, select = str(told["sql"]).rstrip(";").split(";\n")
        for statement in settings:
            shell.execute(statement)
        rows = shell.sql(f"SELECT numerator FROM ({select}) WHERE service = 'Mail'").to_arrow_table()
    assert (rows.num_rows, sum(rows["numerator"].to_pylist())) == (told["n"], told["numerator"])


def test_the_other_sql_gives_the_value(evaluated: datetime, home: Path) -> None:
    told = explained(evaluated)
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as shell:
        *settings, select = str(told["value_sql"]).rstrip(";").split(";\n")
        for statement in settings:
            shell.execute(statement)
        assert shell.sql(select).fetchall() == [(pytest.approx(told["value"]), told["rows"])]
    assert str(told["value_sql"]) in ran("sla", "--scope", MAIL, "--as-of", evaluated.isoformat(), "--sql").stdout


def test_people_read_the_answer_first(evaluated: datetime) -> None:
    lines = ran("sla", "--scope", MAIL, "--as-of", evaluated.isoformat()).stdout.splitlines()
    assert lines[0] == "sla: Resolution SLA"
    assert any(line.startswith("Target: at most 12% (from override {country: CH})") for line in lines)
    assert any(line.startswith("Firing since ") and "clear is at most 12%" in line for line in lines)
    assert "Action ACT-1 was opened on it." in lines
    assert any("the scope does not match" in line for line in lines)


def test_a_part_of_a_scope_names_the_ones_it_may_be(evaluated: datetime) -> None:
    refused = ran("sla", "--scope", "customer=Acme", "--as-of", evaluated.isoformat()).exception
    assert isinstance(refused, InputError)
    assert f"Which one? {MAIL}; country=CH,customer=Acme,service=Quiet." in refused.mend
    misspelt = ran("sla", "--scope", MAIL.replace("Mail", "Mial"), "--as-of", evaluated.isoformat()).exception
    assert isinstance(misspelt, InputError)
    assert misspelt.mend == "Did you mean Mail?"


def test_of_weeks_without_records_it_is_told_of_when_the_newest_are(evaluated: datetime, tmp_path: Path) -> None:
    later = timedelta(weeks=40)
    hint = "The newest record is of 2025-07-07 11:46Z; ask for when that week was over: --as-of 2025-07-14."
    assert hint in ran("sla", "--scope", MAIL, "--as-of", (evaluated + later).isoformat()).stdout
    assert explained(evaluated + later)["newest_record"] == "2025-07-07T11:46:11+00:00"
    assert explained(evaluated)["newest_record"] is None
    (tmp_path / "draft.yaml").write_text(RULE.replace("id: sla", "id: draft"), encoding="utf-8")
    of_draft = ("draft", "--scope", MAIL, "--rules", tmp_path / "draft.yaml", "--as-of")
    assert hint in str(ran(*of_draft, (evaluated + later).isoformat()).exception)
    assert "The newest record" not in ran(*of_draft, evaluated.isoformat()).stdout


def test_a_draft_is_explained_from_its_file(evaluated: datetime, tmp_path: Path) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_text(RULE.replace("max: 15%", "max: 90%"), encoding="utf-8")
    assert explained(evaluated, "--rules", str(draft))["state"] == "ok"


def test_a_customer_that_no_record_has_is_warned_of(evaluated: datetime, home: Path) -> None:
    whens = "".join(f"    - {{when: {{service: {name}}}, target: {{max: 9%}}}}\n" for name in ("Mial", "Qu*"))
    rule = RULE.replace("  trigger:", f"  overrides:\n{whens}  trigger:")
    (home / "rules" / "sla.yaml").write_text(rule, encoding="utf-8")
    result = CliRunner().invoke(build(), ["rules", "check", "--json"])
    told = json.loads(result.stdout)
    assert (result.exit_code, told["errors"]) == (0, [])
    unknown = [one for one in told["warnings"] if "no record has" in one["what"]]
    assert [(one["what"], one["mend"]) for one in unknown] == [
        ("sla, override {service: Mial}: no record has the service “Mial”.", "Did you mean Mail?")
    ]


def test_of_a_contact_gap_the_rows_are_days(home: Path, monday: datetime) -> None:
    gap = RULE.replace("metric: sla_breach_rate", "metric: contact_gap").replace("{max: 15%}", "{max: 30}")
    gap = gap.replace("where: {kind: incident, sla.target: resolution, sla.agreement: sla}", "where: {}")
    gap = gap.replace("by: [customer, country, service]", "by: [customer]").replace("{service}", "{customer}")
    gap = gap.replace("min_samples: 30", "min_samples: 1").replace("check: {goal: -50%}\n", "")
    (home / "rules" / "sla.yaml").write_text(gap, encoding="utf-8")
    Connection.objects.create(name="snow", platform="servicenow", integration_account="regelkreis")
    opened, spoken = monday - timedelta(weeks=20), monday - timedelta(weeks=10)
    ticket = a_ticket(opened_at=opened, created_at=opened, updated_at=opened)
    of_another = a_ticket("t2", customer="Bolt", opened_at=opened, created_at=opened, updated_at=opened)
    talk = a_contact(at=spoken, updated_at=spoken)
    rows = {RecordKind.TICKET: [asdict(ticket), asdict(of_another)], RecordKind.CONTACT: [asdict(talk)]}
    assert cycle.run_with([VersionedPlatform(name="snow", versions=rows)], as_of=monday).errors == []
    told = ran("sla", "--scope", "customer=Acme", "--as-of", monday.isoformat(), "--sql").stdout
    assert "AVG(GETVARIABLE('last_day') - numerator) AS value" in told
    assert "the day of each contact\n  c1  2025-04-21\n" in told
    told = ran("sla", "--scope", "customer=Bolt", "--as-of", monday.isoformat()).stdout
    assert "  first ticket, no contact of Bolt  2025-02-10\n" in told
