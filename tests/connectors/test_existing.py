"""An address leads to its site by host, port and context path, and to one record by every shape people paste."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from connectors.existing import below
from connectors.jira.existing import below_site, key_in
from connectors.servicenow.existing import Address, address_in

ID = "aef5f1534eade198ba30aca38bcf60c5"
CIM = Address("sn_cim_register", ID)


@pytest.mark.parametrize(
    ("url", "root", "rest"),
    [
        ("https://acme.service-now.com/x.do?a=1", "https://acme.service-now.com", "/x.do?a=1"),
        ("HTTPS://ACME.service-now.com:443/x.do", "https://acme.service-now.com", "/x.do"),
        (" https://acme.service-now.com ", "https://acme.service-now.com", "/"),
        ("https://jira.acme.example/jira/browse/CIP-1", "https://jira.acme.example/jira", "/browse/CIP-1"),
        ("https://jira.acme.example/browse/CIP-1", "https://jira.acme.example/jira", None),
        ("https://jira.acme.example/jirax/browse/CIP-1", "https://jira.acme.example/jira", None),
        ("https://jira.acme.example:8443/browse/CIP-1", "https://jira.acme.example", None),
        ("https://acme.service-now.com.evil.example/x.do", "https://acme.service-now.com", None),
        ("https://acme.service-now.com@evil.example/x.do", "https://acme.service-now.com", None),
        ("ftp://acme.service-now.com/x.do", "https://acme.service-now.com", None),
        ("https://acme.service-now.com:port/x.do", "https://acme.service-now.com", None),
        ("CIM0001001", "https://acme.service-now.com", None),
    ],
)
def test_an_address_belongs_to_a_site_by_host_port_and_context_path(url: str, root: str, rest: str | None) -> None:
    assert below(url, root) == rest


@pytest.mark.parametrize(
    ("rest", "address"),
    [
        (f"/sn_cim_register.do?sys_id={ID}", CIM),
        (f"/sn_cim_register.do?sys_id={ID}&sysparm_view=default&sysparm_record_target=x", CIM),
        (f"/nav_to.do?uri=%2Fsn_cim_register.do%3Fsys_id%3D{ID}", CIM),
        (f"/nav_to.do?uri=sn_cim_register.do%3Fsys_id%3D{ID}%26sysparm_view%3Dess", CIM),
        (f"/nav_to.do?uri=sn_cim_register.do?sys_id={ID}", CIM),
        (f"/nav_to.do?uri=%2Fnav_to.do%3Furi%3Dsn_cim_register.do%253Fsys_id%253D{ID}", CIM),
        (f"/now/nav/ui/classic/params/target/sn_cim_register.do%3Fsys_id%3D{ID}%26sysparm_stack%3D", CIM),
        (f"/now/nav/ui/classic/params/target/sn_cim_register.do?sys_id={ID}", CIM),
        (f"/now/workspace/agent/record/sn_cim_register/{ID}", CIM),
        (f"/now/sow/record/sn_cim_register/{ID}/params/selected-tab/1", CIM),
        (f"/problem.do?sys_id={ID.upper()}", Address("problem", ID)),
        (
            "/sn_cim_register.do?sysparm_query=number=CIM0001001",
            Address("sn_cim_register", number="CIM0001001"),
        ),
        ("/nav_to.do?uri=sn_cim_register.do%3Fsys_id%3D-1", None),
        ("/sn_cim_register_list.do?sysparm_query=active=true", None),
        ("/sn_cim_register.do?sys_id=-1&sysparm_query=number=CIM0001001", None),
        ("/sn_cim_register.do", None),
        ("/nav_to.do?uri=/nav_to.do?uri=/nav_to.do?uri=/nav_to.do", None),
        ("/", None),
    ],
)
def test_a_record_of_servicenow_is_named_by_every_address_it_opens_under(rest: str, address: Address | None) -> None:
    assert address_in(rest) == address


@pytest.mark.parametrize(
    ("rest", "key"),
    [
        ("/browse/CIP-7", "CIP-7"),
        ("/browse/cip-7?focusedCommentId=10001", "CIP-7"),
        ("/browse/CIP-7/", "CIP-7"),
        ("/projects/CIP/issues/CIP-7?filter=allopenissues", "CIP-7"),
        ("/jira/software/c/projects/CIP/boards/1?selectedIssue=CIP-7", "CIP-7"),
        ("/secure/RapidBoard.jspa?rapidView=3&selectedIssue=CIP-7", "CIP-7"),
        ("/jira/servicedesk/projects/CIP/queues/custom/4/CIP-7", "CIP-7"),
        ("/servicedesk/customer/portal/2/CIP-7", "CIP-7"),
        ("/browse/CIP", None),
        ("/browse/CIP-7;drop", None),
        ("/issues/?jql=project=CIP", None),
        ("/secure/Dashboard.jspa", None),
    ],
)
def test_an_issue_is_named_by_every_address_it_opens_under(rest: str, key: str | None) -> None:
    assert key_in(rest) == key


def test_through_atlassians_gateway_people_open_the_site_itself() -> None:
    gateway = "https://api.atlassian.com/ex/jira/1-2-3"
    config = SimpleNamespace(url=gateway)
    site = SimpleNamespace(address=lambda config: "https://acme.atlassian.net")
    connector: Any = SimpleNamespace(config=config, site=site)
    assert below_site(connector, "https://acme.atlassian.net/browse/CIP-7") == "/browse/CIP-7"
    assert below_site(connector, f"{gateway}/browse/CIP-7") is None
