"""Clients that nobody here wrote, as an administrator and as somebody who is none, on both flavours."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jira import JIRA

from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from tests.connectors.sandbox.foreign_jira.clients import FLAVOURS, NOW, a_jira, an_atlassian

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
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
def jira(sandbox: RunningSandbox, flavour: Flavour) -> JIRA:
    return a_jira(sandbox, flavour)


@pytest.fixture
def as_user(sandbox: RunningSandbox, flavour: Flavour) -> Callable[..., Any]:
    """atlassian-python-api, signed in as this user."""

    def client(user: str, password: str = "sandbox") -> Any:
        return an_atlassian(sandbox, flavour, user, password)

    return client


@pytest.fixture
def atlassian(as_user: Callable[..., Any]) -> Any:
    return as_user("admin")


@pytest.fixture
def nobody(as_user: Callable[..., Any]) -> Any:
    """Somebody who writes issues and administers nothing."""
    return as_user("claudia.braun")


@pytest.fixture
def me(atlassian: Any) -> str:
    shown = atlassian.myself()
    return str(shown.get("accountId") or shown["name"])


@pytest.fixture
def claudia(nobody: Any) -> str:
    shown = nobody.myself()
    return str(shown.get("accountId") or shown["name"])


@pytest.fixture
def name() -> str:
    """A name that nothing has yet."""
    return f"n{next(_numbers)}"
