"""`actions adopt` tells from the address alone which connection is meant, and says what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import regelkreis

CONNECTIONS = """
[connections.snow]
platform = "servicenow"
url = "https://acme.service-now.example"
user = "regelkreis"
password = "a-password"

[connections.dc]
platform = "jira"
url = "http://127.0.0.1:9/jira"
user = "regelkreis"
password = "a-password"
max_attempts = 1
"""


@pytest.fixture
def home(copied_home: Path) -> Path:
    (copied_home / "regelkreis.toml").write_text(CONNECTIONS, encoding="utf-8")
    return copied_home


def refusal(home: Path, *arguments: str) -> str:
    done = regelkreis(home, "actions", "adopt", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr


def test_a_foreign_host_is_told_with_the_sites_there_are(home: Path) -> None:
    said = refusal(home, "https://other.example/browse/CIP-1")
    assert "https://other.example/browse/CIP-1 is of no connection." in said
    assert "dc (http://127.0.0.1:9/jira), snow (https://acme.service-now.example)" in said
    said = refusal(home, "https://acme.service-now.example/sn_cim_register.do?sys_id=1", "--connection", "dc")
    assert "is not of dc" in said


def test_a_context_path_is_a_part_of_the_site(home: Path) -> None:
    assert "is of no connection" in refusal(home, "http://127.0.0.1:9/browse/CIP-1")
    assert "could not be reached" in refusal(home, "http://127.0.0.1:9/jira/browse/CIP-1")  # it is asked for


def test_an_address_that_names_no_record_says_which_do(home: Path) -> None:
    said = refusal(home, "https://acme.service-now.example/sn_cim_register_list.do")
    assert "is not the address of one record" in said
    assert "nav_to.do?uri=sn_cim_register.do?sys_id=" in said
    said = refusal(home, "https://acme.service-now.example/incident.do?sys_id=" + "a" * 32)
    assert "“incident” is no table of improvement records" in said
