"""The example of the how-to: a third party's package is found, checked, and keeps what every connector must."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import test_ticketdesk
from pydantic import ValidationError
from test_ticketdesk import TICKETS, a_config

from connectors.platforms import GROUP, platforms
from connectors.registry import connector
from improvement.errors import ConnectionFailed, SettingsError
from improvement.records import RecordKind

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "ticketdesk"


def installed(folder: Path, entry_points: dict[str, str]) -> None:
    """What an installer leaves beside a package: its name and its entry points."""
    info = folder / "regelkreis_ticketdesk-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: regelkreis-ticketdesk\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example, installed as its pyproject.toml says, and a folder with tickets."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    site = tmp_path / "site"
    site.mkdir()
    installed(site, project["entry-points"][GROUP])
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.syspath_prepend(str(EXAMPLE))
    (tmp_path / "tickets.jsonl").write_text("\n".join(json.dumps(ticket) for ticket in TICKETS), encoding="utf-8")
    return tmp_path


class TestTicketDesk(test_ticketdesk.TestTicketDesk):
    """As the example's author runs them, with the example installed."""

    @pytest.fixture(autouse=True)
    def _installed(self, package: Path) -> None:
        """Its connector is found by its entry point."""


def test_a_package_of_somebody_else_is_found_by_its_entry_point(package: Path) -> None:
    assert platforms()["ticketdesk"] == "ticketdesk:TicketDesk"
    assert connector(a_config(package)).platform == "ticketdesk"


def test_an_option_that_is_missing_is_named(package: Path) -> None:
    with pytest.raises(SettingsError, match=r"connection desk, options\.folder"):
        connector(a_config(package, options={}))


def test_a_row_that_cannot_be_read_is_kept_with_its_reason(package: Path) -> None:
    broken = {**TICKETS[0], "id": "T-0", "opened": "yesterday"}
    with (package / "tickets.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n" + json.dumps(broken))
    one = connector(a_config(package))
    pages = list(one.pull(RecordKind.TICKET, None, until=TestTicketDesk.until))
    (rejected,) = [rejected for page in pages for rejected in page.rejected]
    assert (rejected.id, rejected.field) == ("T-0", "opened")
    assert "yesterday" in rejected.reason


def test_a_folder_that_is_not_there_says_how_to_mend_it(package: Path) -> None:
    one = connector(a_config(package / "nowhere"))
    (finding,) = one.describe().findings
    assert (finding.is_ok, bool(finding.mend)) == (False, True)
    with pytest.raises(ConnectionFailed, match="The desk cannot be read"):
        list(one.pull(RecordKind.TICKET, None, until=TestTicketDesk.until))


def test_a_platform_without_a_package_lists_what_there_is(package: Path) -> None:
    with pytest.raises(ValidationError, match="'servicenow' or 'jira' or 'ticketdesk'"):
        a_config(package, platform="remedy")


def test_nobody_replaces_a_connector_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, {"jira": "evil:Jira"})
    monkeypatch.syspath_prepend(str(tmp_path))
    assert platforms()["jira"] == "connectors.jira.connector:JiraConnector"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("nowhere_to_be_found:Desk", "cannot be opened: ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("json:Desk", "cannot be opened: AttributeError: module 'json' has no attribute 'Desk'"),
        ("halfdesk:Desk", "lacks name, platform, describe"),
        ("fussydesk:Desk", "cannot be opened: KeyError: 'room'"),
    ],
)
def test_a_package_that_does_not_work_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    if value.startswith("halfdesk"):
        (tmp_path / "halfdesk.py").write_text("class Desk:\n    def __init__(self, config): pass\n")
    if value.startswith("fussydesk"):
        (tmp_path / "fussydesk.py").write_text("class Desk:\n    def __init__(self, config): config.options['room']\n")
    installed(tmp_path, {"ticketdesk": value})
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SettingsError, match=said) as caught:
        connector(a_config(tmp_path))
    assert caught.value.mend


def test_options_are_for_other_packages_only(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="jira has no options"):
        a_config(tmp_path, platform="jira")
