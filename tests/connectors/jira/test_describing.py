"""What `doctor` and `connect` learn of a Jira: flavour, rights, mapping, workflow, write-back; all by reading."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from connectors.base import Capabilities
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from improvement.errors import ConnectionFailed, CredentialsRefused, MappingError
from improvement.records import RecordKind

from .conftest import Connect, Desk


def failing(found: Capabilities) -> dict[str, str]:
    return {item.check: item.detail for item in found.findings if not item.is_ok}


@pytest.fixture
def at_its_clock(now: datetime) -> Any:
    """A connector whose clock stands where the sandbox's does."""

    def set_clock(connector: Any) -> Any:
        connector.reader.now = lambda: now
        return connector

    return set_clock


def test_a_well_connected_jira_has_no_complaint(flavour: Flavour, connect: Connect, at_its_clock: Any) -> None:
    found = at_its_clock(connect(flavour)).describe()
    assert failing(found) == {}
    assert (found.platform, found.mode, found.time_zone) == ("jira", "jira", "Etc/UTC")
    assert found.flavour == {"jira_cloud": "cloud", "jira_dc": "datacenter"}[flavour]
    assert found.columns["baseline"] == "customfield_10020"
    assert found.unresolved["method"] == "this Jira has no field “Measurement method”"
    workflow = next(item.detail for item in found.findings if item.check == "workflow of CIP")
    assert "On Hold (10011) = on_hold" in workflow


@pytest.mark.parametrize("page_size", [None, 70, 5000])
def test_the_page_it_tells_is_what_a_pull_asks_for(
    flavour: Flavour, connect: Connect, now: datetime, page_size: int | None
) -> None:
    connector = connect(flavour, page_size=page_size)
    told = connector.describe().rows_per_page
    asked: set[int] = set()
    request = connector.reader.session.request

    def noted(*arguments: Any, **options: Any) -> Any:
        asked.add(int((options.get("json") or options.get("params") or {}).get("maxResults", told)))
        return request(*arguments, **options)

    connector.reader.session.request = noted  # type: ignore[method-assign]
    next(connector.pull(RecordKind.TICKET, None, until=now))
    assert asked == {told}


def test_describing_writes_nothing(desk: Desk) -> None:
    """Searches may be POSTs; nothing else is."""
    rules: list[dict[str, Any]] = [
        {"kind": "server_error", "method": method, "path": r"^(?!.*/search).*", "times": None}
        for method in ("PUT", "POST", "DELETE")
    ]
    desk.faults(*rules)
    desk.connector.describe()
    assert sum(rule["hits"] for rule in desk.running.control(desk.flavour, "GET", "faults")) == 0


def test_the_clock_of_a_sandbox_is_remarked_and_does_not_fail(flavour: Flavour, connect: Connect) -> None:
    found = connect(flavour).describe()
    (clock,) = [item for item in found.findings if item.check == "clock"]
    assert clock.is_ok
    assert "days behind ours" in clock.detail
    assert "regelkreis sandbox --now" in clock.detail


def test_a_user_who_may_only_read_is_told_what_is_missing(flavour: Flavour, connect: Connect) -> None:
    found = connect(flavour, user="reader").describe()
    assert found.mode is None
    assert {"Create Issues", "Add Comments", "Transition Issues", "write-back"} <= set(failing(found))
    mend = {item.check: item.mend for item in found.findings}
    assert mend["Create Issues"] == "Give our user the permission Create Issues."


def test_a_project_that_is_not_there_leaves_the_rest_of_the_report(flavour: Flavour, connect: Connect) -> None:
    found = connect(flavour, improvement_project="NOPE").describe()
    assert found.mode is None
    assert "no project “NOPE”" in failing(found)["write-back"]
    assert any(item.check == "credentials" and item.is_ok for item in found.findings)


def test_a_mapped_field_that_is_not_there_is_named_with_a_near_match(flavour: Flavour, connect: Connect) -> None:
    found = connect(flavour, mapping={"incident": {"fields": {"customer": "Custommer"}}}).describe()
    assert "Did you mean Customer" in failing(found)["mapping"]
    assert "mapping.incident.fields.customer" in failing(found)["mapping"]


@pytest.mark.parametrize("field", ["priority", "Priority"])
def test_priorities_that_the_mapping_does_not_name_are_told(flavour: Flavour, connect: Connect, field: str) -> None:
    """A German site calls them Höchste, Hoch …; tickets of these would have no priority without a word."""
    values = {"Highest": 1, "High": 2, "Medium": 3}
    mapping = {"incident": {"fields": {"priority": {"field": field, "values": values}}}}
    told = failing(connect(flavour, mapping=mapping).describe())["choices priority"]
    assert told.startswith("Low, Lowest: not in the mapping of Incident, so such tickets have no priority")
    decided = {"incident": {"fields": {"priority": {"field": "priority", "values": values, "otherwise": 4}}}}
    assert "choices priority" not in failing(connect(flavour, mapping=decided).describe())


def test_priorities_that_jira_does_not_list_are_one_finding_and_the_rest_goes_on(
    flavour: Flavour, connect: Connect, faults: Callable[..., None]
) -> None:
    faults({"kind": "refuse", "path": "/priority$", "status": 403, "message": "Not for you.", "times": None})
    found = connect(flavour).describe()
    assert list(failing(found)) == ["choices priority"]
    assert "may not do this: priorities. Not for you." in failing(found)["choices priority"]


@pytest.mark.parametrize("condition", ["", "project = OPS"])
@pytest.mark.parametrize("fault", [{"kind": "server_error"}, {"kind": "refuse", "status": 403}])
def test_a_jira_that_does_not_count_leaves_all_other_findings(
    flavour: Flavour, connect: Connect, faults: Callable[..., None], fault: dict[str, Any], condition: str
) -> None:
    connector = connect(flavour, max_attempts=1, mapping={"incident": {"filter": condition}} if condition else {})
    assert connector.site.me.account
    faults({**fault, "path": "/search(/approximate-count)?$", "times": None})
    found = connector.describe()
    assert list(failing(found)) == ["filters" if condition else "permission tickets"]
    assert "count" in "".join(failing(found).values())
    assert found.mode == "jira"


def test_an_issue_type_that_is_not_there_is_named(flavour: Flavour, connect: Connect) -> None:
    found = connect(flavour, mapping={"incident": {"source": "Incidend"}}).describe()
    assert "no issue type “Incidend”. Did you mean Incident?" in failing(found)["mapping"]


@pytest.mark.parametrize("condition", ["project = NOPE", "labels = ("])
def test_a_filter_that_jira_refuses_is_named_and_the_rest_of_the_report_goes_on(
    flavour: Flavour, connect: Connect, condition: str, now: datetime
) -> None:
    mapping = {"incident": {"filter": condition}, "request": {"filter": "project = OPS"}}
    found = connect(flavour, mapping=mapping).describe()
    assert list(failing(found)) == ["filter incident"]
    (line,) = [item for item in found.findings if item.check == "filter incident"]
    assert line.detail.startswith(f"Jira does not take “{condition}”")
    assert "Correct the filter" in line.mend
    assert found.mode == "jira"
    for kind in (RecordKind.TICKET, RecordKind.SLA):
        with pytest.raises(MappingError) as told:
            list(connect(flavour, mapping=mapping).pull(kind, None, until=now))
        assert (told.value.what, told.value.mend) == (line.detail, line.mend)
    with pytest.raises(MappingError, match="Jira does not take"):
        connect(flavour, mapping=mapping).count(RecordKind.TICKET, until=now)


def test_a_column_that_nothing_is_written_to_is_refused_by_name(flavour: Flavour, connect: Connect) -> None:
    found = connect(flavour, columns={"basline": "Baseline"}).describe()
    assert "“basline” is no field we write. Did you mean baseline?" in failing(found)["write-back"]
    assert connect(flavour, columns={"verdict": "Category"}).describe().unresolved["verdict"] == (
        "“Category” is not on the create screen of project CIP"
    )


def test_a_user_who_sees_no_ticket_is_told_what_may_be_missing(
    flavour: Flavour, connect: Connect, serve: Callable[..., RunningSandbox], now: datetime
) -> None:
    """Jira leaves out what we may not browse: it looks like an empty Jira."""
    found = connect(flavour, at=serve([], now=now)).describe()
    assert failing(found)["permission tickets"] == "no ticket is visible to us"
    assert any("Browse Projects" in item.mend for item in found.findings)


def test_states_without_a_status_are_told_with_the_remedy(flavour: Flavour, connect: Connect) -> None:
    found = connect(flavour, statuses={"On Hold": "in_progress"}).describe()
    assert failing(found)["workflow of CIP"].startswith("no status stands for on_hold")
    assert found.mode == "jira"  # it works all the same


def test_an_unreachable_jira_and_wrong_credentials_raise(flavour: Flavour, connect: Connect) -> None:
    with pytest.raises(CredentialsRefused, match="refused the credentials") as caught:
        connect(flavour, password="wrong-one").describe()
    assert "single sign-on" in caught.value.mend
    with pytest.raises(ConnectionFailed, match="could not be reached") as unreachable:
        connect(flavour, url="http://127.0.0.1:9", max_attempts=1).describe()
    assert "Check the address" in unreachable.value.mend


def test_a_login_page_instead_of_data_says_where_to_look(desk: Desk) -> None:
    desk.faults({"kind": "html_page", "times": None})
    with pytest.raises(ConnectionFailed, match="sent no readable answer") as caught:
        desk.connect(max_attempts=2).describe()
    assert "login page or proxy" in caught.value.mend


def test_a_personal_access_token_of_a_data_center_signs_in_without_a_user_name(connect: Connect) -> None:
    found = connect("jira_dc", user=None, password=None, token="sandbox-regelkreis").describe()
    assert (found.user, found.mode) == ("regelkreis", "jira")


def test_an_api_token_of_cloud_needs_the_mail_address_beside_it(connect: Connect) -> None:
    token = "sandbox-regelkreis"
    assert connect("jira_cloud", password=None, token=token).describe().mode == "jira"
    with pytest.raises(CredentialsRefused):
        connect("jira_cloud", user=None, password=None, token=token).describe()
