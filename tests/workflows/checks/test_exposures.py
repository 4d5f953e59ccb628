"""Counts told per user: the file, what a plan freezes of it, and what a customer that grows is not blamed for."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from improvement import weeks
from improvement.check import Series
from improvement.errors import InputError, RegelkreisError
from improvement.records import RecordKind
from tests.workflows.build import an_approver, an_owner
from tests.workflows.conftest import RULE
from tests.workflows.platform import START, MemoryPlatform
from workflows import cycle
from workflows.actions import commands
from workflows.checks import exposures, reviewing
from workflows.cli.main import build
from workflows.models import Action, Connection, ReviewRecord

pytestmark = pytest.mark.django_db

GOLIVE = date(2025, 8, 25)  # the 86th week
COUNT_RULE = (
    RULE.replace("id: sla, title: Resolution SLA", "id: volume, title: Incidents")
    .replace("metric: sla_breach_rate", "metric: incident_count")
    .replace(", sla.target: resolution, sla.agreement: sla", "")
    .replace("max: 15%", "max: 43")
    .replace(", min_samples: 30", "")
    .replace("-50%", "-30%")
)
HEAD = "connection;customer;country;service;from;number;unit\n"
BEFORE = ";Acme;CH;Mail;2023-12-01;2000;\n;Acme;CH;Quiet0;2023-12-01;300;\n"
GROWN = ";Acme;CH;Mail;2025-08-25;3000;\n"
#: The share of sixty incidents a week that Mail has: as usual, bad, and with half as many users more.
SHARES = ((0, 0.65), (74, 0.9), (86, 0.98))


def write(home: Path, text: str) -> Path:
    path = home / "exposure.csv"
    path.write_text(text, encoding="utf-8")
    return path


# --- the file -------------------------------------------------------------------------------------------------


def test_without_a_file_nothing_is_known(home: Path) -> None:
    assert exposures.known().lines == ()


def test_a_file_is_read_again_once_it_is_saved(home: Path) -> None:
    write(home, "customer,from,number\nAcme,2025-01-01,400\n")
    assert [line.number for line in exposures.known().lines] == [400]
    write(home, "customer,from,number\nAcme,2025-01-01,4500\n")
    assert [(line.number, line.unit) for line in exposures.known().lines] == [(4500, "users")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("customer,number\nAcme,4\n", "exposure.csv:1: Missing columns: from."),
        ("customer,from,number,region\nAcme,2025-01-01,4,Alps\n", "Unknown columns: region."),
        ("customer,from,number\nAcme,1.1.2025,4\n", "exposure.csv:2:2, from: from is “1.1.2025”, not a date."),
        ("customer,from,number\nAcme,2025-01-01,many\n", "exposure.csv:2:3, number: number is “many”, not a number."),
        ("customer,from,number\n\nAcme,2025-01-01,-4\n", "exposure.csv:3:3, number: number is -4."),
        ("customer,from,number\n,2025-01-01,4\n", "exposure.csv:2: The line names no scope."),
        ("customer,from,number\nAcme,2025-01-01,4\nAcme,2025-01-01,5\n", "already (line 2)."),
    ],
)
def test_what_is_wrong_is_told_with_its_place(home: Path, text: str, said: str) -> None:
    write(home, text)
    with pytest.raises(InputError) as refused:
        exposures.known()
    assert said in str(refused.value)


def test_all_that_is_wrong_is_told_at_once(home: Path) -> None:
    write(home, "customer,from,number\nAcme,soon,4\nGlobex,2025-01-01,few\n")
    with pytest.raises(RegelkreisError) as refused:
        exposures.known()
    assert "exposure.csv:2" in str(refused.value)
    assert "exposure.csv:3" in str(refused.value)


def test_the_command_shows_what_is_in_force_and_what_a_scope_gets(home: Path) -> None:
    def ran(*arguments: str) -> str:
        result = CliRunner().invoke(build(), ["exposure", *arguments], env={"COLUMNS": "200"})
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "counts are told by the week" in ran()
    write(home, HEAD + BEFORE + GROWN)
    rows = json.loads(ran("--on", "2025-08-26", "--json"))
    assert [(row["number"], row["in force"]) for row in rows] == [(2000, ""), (3000, "yes"), (300, "yes")]
    text = ran("--on", "2025-08-24", "--scope", "country=CH,customer=Acme,service=Mail")
    assert "2000 users, from country=CH,customer=Acme,service=Mail, known from 2023-12-01" in text
    assert "every week counts the same" in ran("--scope", "customer=Globex")


# --- the cells ------------------------------------------------------------------------------------------------

MONDAY = weeks.week_of(date(2025, 1, 6))
SCOPES = {name: {"customer": name} for name in ("Acme", "Globex", "Initech")}


def a_count(level: float, spans: int = 60) -> Series:
    return Series(MONDAY + np.arange(spans), np.full(spans, level), np.ones(spans))


def frozen(through: date = date(2026, 1, 31)) -> dict[str, Any]:
    return exposures.frozen("snow", SCOPES, "Acme", (MONDAY, MONDAY + 51), through=through)


def test_what_was_frozen_stays_whatever_the_file_says_later_and_new_days_are_added(home: Path) -> None:
    write(home, "customer,from,number\nAcme,2025-01-01,400\nGlobex,2025-01-01,50\n")
    document = frozen()
    assert (document["unit"], document["per"], sorted(document["scopes"])) == ("users", 100, ["Acme", "Globex"])
    write(home, "customer,from,number\nAcme,2025-01-01,999\nAcme,2026-02-02,800\n")
    cells = exposures.applied(
        document, {name: a_count(10) for name in SCOPES}, SCOPES, "Acme", ("Globex", "Initech"),
        connection="snow", reference=(MONDAY, MONDAY + 51),
    )  # fmt: skip
    assert cells["Acme"].denominator.tolist() == [4.0] * 56 + [8.0] * 4
    pooled = cells["Globex"].denominator + cells["Initech"].denominator
    assert pooled == pytest.approx(np.full(60, 20.0), rel=0.01)  # each held against its own level


def test_a_number_that_begins_within_the_reference_is_not_used_and_that_is_said(home: Path) -> None:
    write(home, "customer,from,number\nAcme,2025-03-01,400\n")
    document = frozen()
    assert document == {"unit": "users", "known_from": "2025-03-01"}
    told = exposures.in_words(document, "Acme", ())
    assert told is not None
    assert (told.text, told.known_from) == ("", "2025-03-01")


def test_a_scope_that_the_file_does_not_name_counts_by_the_week(home: Path) -> None:
    write(home, "customer,from,number\nGlobex,2025-01-01,50\n")
    assert frozen() == {}
    assert exposures.in_words({}, "Acme", ()) is None


# --- the loop -------------------------------------------------------------------------------------------------


def a_platform() -> MemoryPlatform:
    """About 30 incidents a week on each of four services; on Mail 39, then more and more."""
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    names = ("Mail", "Quiet0", "Quiet1", "Quiet2", "Quiet3")
    platform = MemoryPlatform(scopes={name: {0: 0.1} for name in names})
    tickets = platform._tables[RecordKind.TICKET]
    rng = np.random.default_rng(3)
    week = (tickets["opened_at"].to_numpy() - np.datetime64(START.replace(tzinfo=None))) // np.timedelta64(7, "D")
    share = np.select([week >= first for first, _ in reversed(SHARES)], [part for _, part in reversed(SHARES)])
    share = np.where(tickets["service"].to_numpy(zero_copy_only=False) == "Mail", share, 0.5)
    is_kept = rng.random(len(week)) < share
    platform._tables = {**platform._tables, RecordKind.TICKET: tickets.filter(pa.array(is_kept))}
    return platform


def final_look(monday: datetime) -> tuple[Action, ReviewRecord]:
    """From the first cycle to the final review."""
    owner, approver = an_owner(), an_approver()
    platform = a_platform()

    def run(first: datetime, number: int) -> datetime:
        for week in range(number):
            summary = cycle.run_with([platform], as_of=first + timedelta(weeks=week))
            assert summary.errors == []
        return first + timedelta(weeks=number - 1)

    at = run(monday, 3)
    code = Action.objects.get().code
    commands.plan(owner, code, at=at, hypothesis="A second shift.", golive=GOLIVE)
    commands.submit(owner, code, at=at)
    commands.approve(approver, code, at=at)
    commands.start(owner, code, at=at)
    run(at + timedelta(weeks=1), 6)
    live = datetime(2025, 8, 25, 12, tzinfo=monday.tzinfo)
    commands.golive(owner, code, at=live, on=GOLIVE, ref="CHG1")
    run(live + timedelta(weeks=1), 14)
    return commands.find(code), ReviewRecord.objects.get(kind="final")


@pytest.fixture
def counting(home: Path) -> Path:
    (home / "rules" / "sla.yaml").write_text(COUNT_RULE, encoding="utf-8")
    return home


def test_a_file_that_cannot_be_read_lets_an_action_wait_and_says_where(counting: Path, monday: datetime) -> None:
    an_owner()
    platform = a_platform()
    write(counting, "customer,from,number\nAcme,soon,4\n")
    for week in range(4):
        summary = cycle.run_with([platform], as_of=monday + timedelta(weeks=week))
        assert summary.errors == []
    (waiting,) = summary.queued.values()
    assert "exposure.csv:2:2, from: from is “soon”, not a date." in waiting
    write(counting, HEAD + BEFORE)
    summary = cycle.run_with([platform], as_of=monday + timedelta(weeks=4))
    assert len(summary.opened) == 1


def test_counted_by_the_week_a_customer_that_grows_got_worse(counting: Path, monday: datetime) -> None:
    action, review = final_look(monday)
    results = review.document["results"]
    assert "exposure" not in action.plans.get().document
    assert results["exposure"] == {}
    assert results["windows"]["reference"]["n"] == results["windows"]["reference"]["weeks"] == 52
    assert results["effect"] > 1.3
    assert review.document["verdict"] == "worse"


def test_counted_per_user_it_did_not(counting: Path, monday: datetime) -> None:
    write(counting, HEAD + BEFORE + GROWN)
    action, review = final_look(monday)
    kept = action.plans.get().document["exposure"]
    mail = kept["scopes"]["country=CH,customer=Acme,service=Mail"]
    assert (kept["unit"], kept["per"], mail["steps"]) == ("users", 1000, [["2023-12-01", 2000.0]])
    results = review.document["results"]
    assert 0.9 < results["effect"] < 1.15
    assert review.document["verdict"] != "worse"
    told = results["exposure"]
    assert (told["text"], told["reference"], told["after"]) == ("per 1 000 users", 2000, 3000)
    assert len(told["controls_without"]) == 3
    assert results["metric_unit"] == "tickets per 1 000 users"
    assert "Counted per 1 000 users: on average 2 000 in the reference, 3 000 after" in results["sentence"]
    assert "Gezählt je 1 000 Nutzer: im Mittel 2 000 in der Referenz, 3 000 danach" in results["sentence_de"]
    assert "per 1 000 users" in reviewing.note_text(review)
