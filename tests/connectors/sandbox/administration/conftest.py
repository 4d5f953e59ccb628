"""Clients that nobody here wrote, as an administrator and as somebody who is none, on both flavours."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from atlassian import Jira
from jira import JIRA

from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox

NOW = datetime(2024, 7, 29, 12, tzinfo=UTC)
FLAVOURS: tuple[Flavour, ...] = ("jira_cloud", "jira_dc")
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(platforms=FLAVOURS, now=NOW) as running:
        yield running


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def is_cloud(flavour: Flavour) -> bool:
    return flavour == "jira_cloud"


@pytest.fixture
def as_user(sandbox: RunningSandbox, flavour: Flavour, is_cloud: bool) -> Callable[[str], Any]:
    """atlassian-python-api, signed in as this user."""

    def client(user: str, password: str = "sandbox") -> Any:
        session = requests.Session()
        session.trust_env = False
        login = f"{user}@example.com" if is_cloud else user
        return Jira(sandbox.urls[flavour], login, password, cloud=is_cloud, session=session)

    return client


@pytest.fixture
def atlassian(as_user: Callable[[str], Any]) -> Any:
    return as_user("admin")


@pytest.fixture
def nobody(as_user: Callable[[str], Any]) -> Any:
    """Somebody who writes issues and administers nothing."""
    return as_user("claudia.braun")


@pytest.fixture
def jira(sandbox: RunningSandbox, flavour: Flavour, is_cloud: bool) -> JIRA:
    login = "admin@example.com" if is_cloud else "admin"
    return JIRA(sandbox.urls[flavour], basic_auth=(login, "sandbox"), max_retries=0)


@pytest.fixture
def name() -> str:
    """A name that nothing has yet."""
    return f"n{next(_numbers)}"


@pytest.fixture
def me(atlassian: Any) -> str:
    shown = atlassian.myself()
    return str(shown.get("accountId") or shown["name"])


@pytest.fixture
def claudia(nobody: Any) -> str:
    shown = nobody.myself()
    return str(shown.get("accountId") or shown["name"])


@pytest.fixture
def project(jira: JIRA, name: str) -> str:
    """The key of a new project."""
    key = name.upper()
    jira.create_project(key, f"Project {name}", ptype="business")
    return key


@pytest.fixture
def key(jira: JIRA, project: str) -> str:
    """The key of an issue in a new project."""
    return str(jira.create_issue(project=project, summary="Slow", issuetype={"name": "Task"}).key)
