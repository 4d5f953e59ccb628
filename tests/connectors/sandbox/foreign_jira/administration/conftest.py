"""Projects of a test's own, on one sandbox for all tests of administration."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from jira import JIRA

from connectors.sandbox.testing import RunningSandbox, running_sandbox
from tests.connectors.sandbox.foreign_jira.clients import FLAVOURS, NOW


@pytest.fixture(scope="session")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(platforms=FLAVOURS, now=NOW) as running:
        yield running


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
