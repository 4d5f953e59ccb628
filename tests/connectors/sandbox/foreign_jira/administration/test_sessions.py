"""A session of Data Center: signed in with a cookie, and out again."""

from __future__ import annotations

import warnings

import pytest
from jira import JIRA
from jira.exceptions import JIRAError

from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox


def signed_in(sandbox: RunningSandbox, flavour: Flavour, password: str) -> JIRA:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the client would rather have a token
        return JIRA(sandbox.urls[flavour], auth=("claudia.braun", password), max_retries=0)


@pytest.mark.parametrize("flavour", ["jira_dc"])
def test_a_cookie_signs_in_until_the_session_ends(sandbox: RunningSandbox, flavour: Flavour) -> None:
    client = signed_in(sandbox, flavour, "sandbox")
    assert client.myself()["name"] == client.session().name == "claudia.braun"
    cookies = client._session.cookies.copy()
    client.kill_session()
    client._session.auth = None
    client._session.cookies = cookies
    with pytest.raises(JIRAError) as caught:
        client.session()
    assert caught.value.status_code == 401


@pytest.mark.parametrize("flavour", ["jira_dc"])
def test_a_wrong_password_starts_no_session(sandbox: RunningSandbox, flavour: Flavour) -> None:
    with pytest.raises(JIRAError) as caught:
        signed_in(sandbox, flavour, "wrong")
    assert caught.value.status_code == 401


@pytest.mark.parametrize("flavour", ["jira_dc"])
def test_the_web_interfaces_own_session_ends(jira: JIRA) -> None:
    answer = jira.kill_websudo()
    assert answer is not None
    assert answer.status_code == 204
