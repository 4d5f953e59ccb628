"""`pull` tells what it read, what is gone, and what the platform counts beside what is here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.testing import RunningSandbox
from tests.command import regelkreis
from tests.workflows.small_worlds import small_platforms


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with small_platforms("jira_dc", every=20) as running:
        yield running


@pytest.fixture
def home(copied_home: Path, sandbox: RunningSandbox) -> Path:
    (copied_home / "regelkreis.toml").write_text(
        f'[connections.acme]\nplatform = "jira"\nurl = "{sandbox.jira_dc_url}"\nuser = "regelkreis"\n', encoding="utf-8"
    )
    (copied_home / "secrets" / "connections__acme__password").write_text("sandbox")
    return copied_home


def reports(home: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    done = regelkreis(home, "pull", "acme", "--json", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return {report["kind"]: report for report in json.loads(done.stdout)}


def test_a_pull_by_hand_finds_what_was_deleted_since(home: Path, sandbox: RunningSandbox) -> None:
    now = sandbox.clock()
    first = reports(home, "--as-of", now.isoformat())["ticket"]
    assert first["read"] == first["new"] == first["platform_count"] == first["warehouse_count"] > 50
    assert first["lag_s"] >= 0
    sandbox.happen("jira_dc", "delete", count=3)
    later = (now + timedelta(hours=1)).isoformat()
    again = reports(home, "--as-of", later)
    assert (again["ticket"]["deleted"], again["ticket"]["notes"]) == (3, [])
    assert again["sla"]["deleted"] > 0
    assert again["ticket"]["platform_count"] == again["ticket"]["warehouse_count"] == first["read"] - 3
    table = regelkreis(home, "pull", "--as-of", later).stdout.splitlines()
    assert table[0].split("\t")[:2] == ["connection", "kind"]
    assert {"restated", "deleted", "on the platform", "here", "lag s"} <= set(table[0].split("\t"))


def test_a_list_that_is_not_believed_is_told_below_the_table(home: Path, sandbox: RunningSandbox) -> None:
    now = sandbox.clock()
    count = reports(home, "--as-of", now.isoformat())["ticket"]["read"]
    sandbox.happen("jira_dc", "delete", count=count * 2 // 3)
    later = (now + timedelta(hours=1)).isoformat()
    done = regelkreis(home, "pull", "acme", "--as-of", later)
    assert done.returncode == 0
    assert "note: acme, ticket: The platform lists" in done.stderr
    assert "regelkreis pull acme --reconcile" in done.stderr
    assert reports(home, "--as-of", later, "--reconcile")["ticket"]["deleted"] > 50


def test_an_error_that_stops_every_kind_is_told_once(home: Path) -> None:
    settings = home / "regelkreis.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace('"regelkreis"', '"nobody"'), encoding="utf-8")
    done = regelkreis(home, "pull", "acme")
    assert done.returncode == 1
    assert done.stdout.count("refused the credentials of nobody") == 1
    assert done.stdout.splitlines()[2].endswith("\tas ticket")


def test_since_takes_a_day_and_refuses_what_is_none(home: Path) -> None:
    done = regelkreis(home, "pull", "acme", "--since", "lately")
    assert done.returncode != 0
    assert "Write it like" in done.stderr
    done = regelkreis(home, "pull", "acme", "--since", "2099-01-01")
    assert done.returncode == 2
    assert "--since: 2099-01-01 is still to come" in done.stderr
