"""What the page for the security board says is what the code does."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
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
    assert {table for table in tables - BEHIND_REFERENCES if f"`{table}`" not in PAGE} == set()


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


UNIT = re.search(r"```ini\n(\[Unit\].*?)```", PAGE, re.DOTALL)
OPERATE = (ROOT / "docs" / "how-to" / "operate.md").read_text(encoding="utf-8")
HARDENED = {"ProtectSystem": "strict", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "UMask": "0077"}


def a_unit(text: str) -> configparser.ConfigParser:
    """A unit file, read: a line twice in one section, or a setting without a section, is an error."""
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    return unit


def test_the_unit_has_few_rights_and_names_one_place_to_write_to() -> None:
    assert UNIT is not None
    service = a_unit(UNIT[1])["Service"]
    assert {name: service[name] for name in HARDENED} == HARDENED
    assert service["ReadWritePaths"] == service["Environment"].removeprefix("REGELKREIS_HOME=") == "/var/lib/regelkreis"
    assert service["User"] != "root"
    assert service["ExecStart"].split()[1:] == ["cycle", "--json"]


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None and "CI" not in os.environ,  # .ci/run installs it
    reason="there is no systemd-analyze on this machine",
)
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    """With our command where the page expects it; unknown settings and bad values are warnings, so nothing is said."""
    assert UNIT is not None
    timer = re.search(r"```ini\n(\[Timer\].*?)```", OPERATE, re.DOTALL)
    assert timer is not None
    command = str(Path(sys.executable).with_name("regelkreis"))
    (tmp_path / "regelkreis-cycle.service").write_text(UNIT[1].replace("/opt/regelkreis/bin/regelkreis", command))
    (tmp_path / "regelkreis-cycle.timer").write_text(timer[1])
    units = [str(tmp_path / f"regelkreis-cycle.{kind}") for kind in ("service", "timer")]
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if "regelkreis-cycle" in line]) == (0, [])


def test_our_own_wheel_is_built_without_a_network_and_holds_no_tests(tmp_path: Path) -> None:
    """The last step of `make wheels`; the others fetch what `requirements/runtime.txt` pins."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    source = tmp_path / "source"
    for folder in ("config", "workflows", "connectors", "improvement"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source / file)
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(source)], check=True, timeout=120, capture_output=True)
    (wheel,) = tmp_path.glob("regelkreis-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "connectors/budget.py" in names
    assert [name for name in names if name.startswith(("tests/", "bench/"))] == []


SBOM_TOOL = ROOT / ".venv-audit" / "bin" / "cyclonedx-py"


@pytest.mark.skipif(
    not SBOM_TOOL.exists() and "CI" not in os.environ,
    reason="`make sbom` was not run here: its tools are not installed",
)
def test_the_sbom_names_every_pinned_package_with_its_checksums_and_is_the_same_each_time(tmp_path: Path) -> None:
    pinned = re.findall(r"^([A-Za-z0-9_.-]+)==", (ROOT / "requirements" / "runtime.txt").read_text(), re.MULTILINE)
    made = []
    for name in ("first.json", "second.json"):
        options = ["--mc-type", "application", "--sv", "1.6", "--output-reproducible", "--of", "JSON"]
        command = [str(SBOM_TOOL), "requirements", "--pyproject", "pyproject.toml", *options]
        given = ["-o", str(tmp_path / name), "requirements/runtime.txt"]
        subprocess.run([*command, *given], check=True, cwd=ROOT, timeout=120, capture_output=True)
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
    listed = {part["name"]: part for part in json.loads(made[0])["components"]}
    assert set(pinned) <= set(listed)
    assert all(part["purl"] and part.get("externalReferences") for part in listed.values())


def test_the_content_policy_it_quotes_is_the_one_that_is_sent() -> None:
    from workflows.web.security import POLICY

    assert "default-src 'self'" in POLICY
    assert "`default-src 'self'`" in PAGE


def test_callers_and_assignees_have_no_place_in_a_ticket() -> None:
    from improvement.records import SCHEMAS, RecordKind

    assert not [
        name for name in SCHEMAS[RecordKind.TICKET].names if re.search("caller|assigned|user|person|mail", name)
    ]
