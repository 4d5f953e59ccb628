"""Signing in to an instance over HTTP: OAuth of each grant, and a token that ends in mid-pull."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.testing import RunningSandbox
from connectors.sealing import Seal, keys_in, new_key
from connectors.tokens import TokenFile
from improvement.errors import CredentialsRefused, ShutOut
from improvement.records import Outbound, RecordKind, Verb

from .conftest import Connect, a_ticket, a_world, pulled

CLIENT = {"client_id": "regelkreis", "client_secret": "sandbox"}


def an_oauth(**parts: Any) -> dict[str, Any]:
    return {"password": None, "user": None, "oauth": {**CLIENT, **parts}}


def test_client_credentials_pull_and_write(serve: Any, connect: Connect) -> None:
    connector = connect(serve(a_world(a_ticket())), **an_oauth())
    assert connector.describe().user == "regelkreis"
    assert len(pulled(connector, RecordKind.TICKET).rows) == 1
    create = Outbound(verb=Verb.CREATE, key="ACT-7/create", action_id="ACT-7", fields={"title": "t"})
    assert connector.write(create, None).status == 201
    assert connector.write(create, None).was_found


def test_a_password_is_exchanged_for_a_token(sandbox: RunningSandbox, connect: Connect) -> None:
    connector = connect(sandbox, oauth={**CLIENT, "grant": "password"})
    assert connector.describe().user == "regelkreis"
    with pytest.raises(CredentialsRefused, match="gave no token for grant password"):
        connect(sandbox, password="wrong-one", oauth={**CLIENT, "grant": "password"}).describe()


def test_a_kept_refresh_token_signs_in_without_a_password(
    sandbox: RunningSandbox, connect: Connect, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    key = new_key()
    connect(sandbox, oauth={**CLIENT, "grant": "password", "token_file": file, "token_keys": key}).describe()
    kept = TokenFile(file, Seal(keys_in(key))).read()
    assert kept is not None
    assert kept.refresh
    connector = connect(sandbox, **an_oauth(grant="refresh_token", refresh_token=kept.refresh))
    assert connector.describe().user == "regelkreis"
    with pytest.raises(CredentialsRefused, match="gave no token for grant refresh_token"):
        connect(sandbox, **an_oauth(grant="refresh_token", refresh_token="never-granted")).describe()


def test_when_the_refresh_token_has_expired_too_it_begins_again_or_says_so(
    sandbox: RunningSandbox, connect: Connect, tmp_path: Path
) -> None:
    key, file = new_key(), tmp_path / "token"
    connector = connect(sandbox, oauth={**CLIENT, "grant": "password", "token_file": file, "token_keys": key})
    assert connector.describe().user == "regelkreis"
    kept = TokenFile(file, Seal(keys_in(key))).read()
    assert kept is not None
    sandbox.set_options("servicenow", expire_tokens=True, expire_refresh_tokens=True)
    assert connector.describe().user == "regelkreis"  # by the password
    with pytest.raises(CredentialsRefused, match="must be granted anew"):
        connect(sandbox, **an_oauth(grant="refresh_token", refresh_token=kept.refresh)).describe()


def test_a_token_refused_in_mid_pull_is_renewed_once_and_nothing_is_lost(
    sandbox: RunningSandbox, connect: Connect
) -> None:
    whole = pulled(connect(sandbox), RecordKind.TICKET).ids
    connector = connect(sandbox, page_size=500, **an_oauth())
    assert connector.describe().user == "regelkreis"
    sandbox.set_faults("servicenow", {"kind": "unauthorised", "path": "table/incident", "after": 1, "times": 1})
    found = pulled(connector, RecordKind.TICKET)
    assert sorted(found.ids) == sorted(whole)


@pytest.mark.parametrize(
    "kind", ["reset_before", "reset_after", "unavailable", "server_error", "rate_limit", "cut_body"]
)
def test_a_bad_moment_where_tokens_are_given_out_ends_no_pull(
    sandbox: RunningSandbox, connect: Connect, kind: str
) -> None:
    whole = pulled(connect(sandbox), RecordKind.TICKET).ids
    connector = connect(sandbox, page_size=500, **an_oauth())
    assert connector.describe().user == "regelkreis"
    expired = {"kind": "unauthorised", "path": "table/incident", "after": 1, "times": 1}
    sandbox.set_faults("servicenow", expired, {"kind": kind, "path": "oauth_token", "times": 1, "seconds": 1})
    found = pulled(connector, RecordKind.TICKET)
    hits = [rule["hits"] for rule in sandbox.control("servicenow", "GET", "faults")]
    assert (hits, sorted(set(found.ids))) == ([1, 1], sorted(whole))


@pytest.mark.parametrize(
    ("fault", "asked"), [({"kind": "unavailable", "seconds": 0}, 3), ({"kind": "rate_limit", "seconds": 3600}, 1)]
)
def test_whoever_gets_no_token_asks_nothing_else(
    sandbox: RunningSandbox, connect: Connect, fault: dict[str, Any], asked: int
) -> None:
    connector = connect(sandbox, max_attempts=3, **an_oauth())
    sandbox.set_faults("servicenow", {**fault, "path": "oauth_token", "times": None})
    with pytest.raises(ShutOut, match=r"oauth_token.do answered (503|429)"):
        pulled(connector, RecordKind.TICKET)
    (rule,) = sandbox.control("servicenow", "GET", "faults")
    assert rule["hits"] == asked


def test_a_token_refused_again_and_again_stops_with_a_clear_error(sandbox: RunningSandbox, connect: Connect) -> None:
    connector = connect(sandbox, **an_oauth())
    assert connector.describe().user == "regelkreis"
    sandbox.set_faults("servicenow", {"kind": "unauthorised", "path": "table/incident", "times": None})
    with pytest.raises(CredentialsRefused, match="refused the credentials of the token"):
        pulled(connector, RecordKind.TICKET)
    (rule,) = sandbox.control("servicenow", "GET", "faults")
    assert rule["hits"] == 2  # the request, and once more with a new token
