"""What the page for the security board says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from config.install import make_home
from connectors.config import ConnectionConfig
from connectors.registry import connector
from connectors.rights import TellsRights

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security-board.md").read_text(encoding="utf-8")
NOT_A_TABLE = re.compile(r"[/ ]")
READ_FOR_THE_REPORT = {"sys_properties", "sys_user_has_role"}  # optional, nothing of them is kept
BEHIND_REFERENCES = {"customer_account"}  # "what else a mapped dot-walk leads through"


def rights_of(platform: str, **more: Any) -> list[Any]:
    config = ConnectionConfig.model_validate(
        {
            "name": "a",
            "platform": platform,
            "url": "http://127.0.0.1:9",
            "user": "u",
            "password": "p",
            "max_attempts": 1,
        }
        | more
    )
    one = connector(config)
    assert isinstance(one, TellsRights)
    return list(one.rights())


def test_every_table_that_is_read_or_written_stands_on_the_page() -> None:
    tables = {right.where for right in rights_of("servicenow") if not NOT_A_TABLE.search(right.where)}
    assert {table for table in tables - READ_FOR_THE_REPORT - BEHIND_REFERENCES if f"`{table}`" not in PAGE} == set()


def test_the_least_rights_to_write_stand_on_the_page() -> None:
    for right in rights_of("servicenow"):
        if right.use.startswith("write") and right.least.startswith(("sn_cim", "problem_")):
            assert f"`{right.least}`" in PAGE
    jira = [
        right.least.partition(" (")[0] for right in rights_of("jira") if right.use == "write jira" and not right.without
    ]
    for permission in jira:
        assert permission in PAGE


def test_every_file_of_a_home_with_a_secret_stands_on_the_page(tmp_path: Path) -> None:
    make_home(tmp_path / "home")
    for file in (tmp_path / "home").iterdir():
        if file.is_file() and file.suffix == ".key":
            assert f"`{file.name}`" in PAGE


@pytest.mark.parametrize("target", ["sbom", "audit", "wheels"])
def test_the_targets_that_it_names_exist(target: str) -> None:
    assert f"make {target}" in PAGE
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_content_policy_it_quotes_is_the_one_that_is_sent() -> None:
    from workflows.web.security import POLICY

    assert "default-src 'self'" in POLICY
    assert "`default-src 'self'`" in PAGE


def test_callers_and_assignees_have_no_place_in_a_ticket() -> None:
    from improvement.records import SCHEMAS, RecordKind

    assert not [
        name for name in SCHEMAS[RecordKind.TICKET].names if re.search("caller|assigned|user|person|mail", name)
    ]
