"""Clients that nobody here wrote, signed in at a sandbox, and how they are refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from atlassian import Jira
from jira import JIRA

from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox

NOW = datetime(2024, 7, 29, 12, tzinfo=UTC)
FLAVOURS: tuple[Flavour, ...] = ("jira_cloud", "jira_dc")


def login(flavour: Flavour, user: str = "admin") -> str:
    """What a user signs in with: Cloud knows mail addresses, Data Center user names."""
    return f"{user}@example.com" if flavour == "jira_cloud" else user


def a_jira(sandbox: RunningSandbox, flavour: Flavour, user: str = "admin") -> JIRA:
    """The library jira, signed in as this user."""
    return JIRA(sandbox.urls[flavour], basic_auth=(login(flavour, user), "sandbox"), max_retries=0)


def an_atlassian(
    sandbox: RunningSandbox, flavour: Flavour, user: str = "admin", password: str = "sandbox", kind: Any = Jira
) -> Any:
    """A client of this kind of atlassian-python-api, signed in as this user."""
    session = requests.Session()
    session.trust_env = False
    made = {"username": login(flavour, user), "password": password, "session": session}
    return kind(url=sandbox.urls[flavour], cloud=flavour == "jira_cloud", **made)


def refusal(call: Callable[..., Any], *args: Any, **kwargs: Any) -> requests.Response:
    """The answer with which a client's call is refused."""
    with pytest.raises(requests.HTTPError) as caught:
        call(*args, **kwargs)
    assert caught.value.response is not None
    return caught.value.response


def refused(call: Callable[..., Any], *args: Any, **kwargs: Any) -> int:
    """The status with which a client's call is refused."""
    return refusal(call, *args, **kwargs).status_code
